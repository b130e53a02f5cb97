"""A board of forecasters out of what each said at each origin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.significance import compare_paired
from vitrina.evaluate.slices import labelled
from vitrina.plan.demand.demand import Demand
from vitrina.plan.evaluation.board import DemandBoard
from vitrina.plan.evaluation.measures import COMPARED, MEASURES, SLICED, Rows, groups_of, measured, number
from vitrina.plan.evaluation.scales import CLASSES
from vitrina.plan.evaluation.scores import BINS, Scores

if TYPE_CHECKING:
    from vitrina.plan.evaluation.rolling import Round, Task

HEAVY = 0.05  # share of the weight from which one item is named
NEW = 56  # days since its first sale, up to which a series is new
NUMBERS = {
    "forecaster": pl.String, "metric": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "series": pl.Int64,
    "items": pl.Int64,
}  # fmt: skip


def board_of(demand: Demand, rounds: Sequence[Round], task: Task, baseline: str, category: str | None, bootstrap: Bootstrap) -> DemandBoard:
    """Numbers, differences, slices and series of forecasters that were judged at the same origins."""
    rows = _rows(demand, rounds)
    first = rows[baseline]
    if not (np.isfinite(first.scores.rmsse) & (first.weight > 0)).any():
        raise DataError(
            "No series can be scored: at no origin is there one with changing sales before it, some worth in the last 28 days and a seen day after it. "
            "Give a longer history, more series, or weights='series'."
        )
    order = sorted(rows, key=lambda name: number("WRMSSE", rows[name], bootstrap.confidence)[0])
    rows = {name: rows[name] for name in order}
    starts = [demand.between(one.origin, demand.days).start for one in rounds]
    labels = _labels(demand, rounds, [str(day) for day in starts], category)
    return DemandBoard(
        numbers=_numbers(rows, bootstrap), differences=_differences(rows, baseline, bootstrap), slices=_slices(rows, baseline, labels, bootstrap),
        per_series=_per_series(demand, rounds, rows), histogram=_histogram(rows),
        seconds={name: sum(one.seconds[name] for one in rounds) for name in rows}, origins=tuple(starts), baseline=baseline, days=task.days,
        step=demand.step, paths=task.paths, seed=task.seed, interval=task.interval, confidence=bootstrap.confidence, series=len(demand), notes=_notes(demand, rounds, task),
    )  # fmt: skip


def _rows(demand: Demand, rounds: Sequence[Round]) -> dict[str, Rows]:
    weights = [one.known.weight for one in rounds]
    counted = max(sum(weight.any() for weight in weights), 1)
    weight, item = np.concatenate(weights) / counted, np.tile(demand.item.astype(np.int64), len(rounds))
    price = np.concatenate([one.known.price for one in rounds])
    return {name: Rows(item, weight, price, Scores.joined([one.scores[name] for one in rounds])) for name in rounds[0].scores}


def _numbers(rows: dict[str, Rows], bootstrap: Bootstrap, metrics: Iterable[str] = MEASURES) -> pl.DataFrame:
    found = []
    for name, own in rows.items():
        for metric in metrics:
            value, interval, many = number(metric, own, bootstrap.confidence)
            items = len(np.unique(own.item[measured(metric, own)[1] > 0]))
            found.append((name, metric, value, *interval, many, items))
    return pl.DataFrame(found, schema=NUMBERS, orient="row").with_columns(pl.selectors.float().fill_nan(None))


def _differences(rows: dict[str, Rows], baseline: str, bootstrap: Bootstrap) -> pl.DataFrame:
    parts = []
    for metric in COMPARED:
        columns = {name: measured(metric, own) for name, own in rows.items()}
        values, weight = {name: value for name, (value, _) in columns.items()}, columns[baseline][1]
        table = compare_paired(values, baseline, rows[baseline].item, bootstrap=bootstrap, lower_is_better=True, weights=weight)
        parts.append(table.select(pl.lit(metric).alias("metric"), pl.all()))
    said = pl.col("verdict").str.replace_all("people", "items").str.replace("query", "series")
    return pl.concat(parts).rename({"model": "forecaster", "people": "items"}).with_columns(said)


def _slices(rows: dict[str, Rows], baseline: str, labels: dict[str, pl.Series], bootstrap: Bootstrap) -> pl.DataFrame:
    """Numbers and differences to the baseline in each group; verdicts are corrected for the forecasters, not for the groups."""
    parts = []
    for name, group, inside in groups_of(labels):
        own = {forecaster: one.select(inside) for forecaster, one in rows.items()}
        found = _numbers(own, bootstrap, SLICED)
        against = _differences(own, baseline, bootstrap).select("forecaster", "metric", "difference", "verdict")
        joined = found.join(against, on=["forecaster", "metric"], how="left", maintain_order="left")
        parts.append(joined.select(pl.lit(name).alias("slice"), pl.lit(group).alias("group"), pl.all()))
    empty = NUMBERS | {"difference": pl.Float64, "verdict": pl.String}
    return pl.concat(parts) if parts else pl.DataFrame(schema={"slice": pl.String, "group": pl.String} | empty)


def _labels(demand: Demand, rounds: Sequence[Round], starts: list[str], category: str | None) -> dict[str, pl.Series]:
    """(rows,) the group of each row, by slice: Enums in the order to show."""
    ages = np.concatenate([one.known.age for one in rounds]) * demand.step
    kinds = np.concatenate([one.known.kind for one in rounds])
    new = np.where(ages < 0, 2, (ages <= NEW).astype(np.int64))
    labels = {
        "sales": _enum(kinds, CLASSES), "age": _enum(new, ("known", f"new: first sale at most {NEW} days ago", CLASSES[-1])),
        "origin": _enum(np.repeat(np.arange(len(starts)), len(demand)), starts),
    }  # fmt: skip
    if category is not None and demand.table is not None:
        own = labelled(demand.table[category].gather(demand.item))
        labels[category] = pl.concat([own] * len(rounds))
    return labels


def _enum(places: np.ndarray, names: Sequence[str]) -> pl.Series:
    return pl.Series(list(names)).gather(places).cast(pl.Enum(list(names)))


def _per_series(demand: Demand, rounds: Sequence[Round], rows: dict[str, Rows]) -> pl.DataFrame:
    """A row per forecaster and series that says something, the most costly first."""
    shape, names = (len(rounds), len(demand)), demand.names()
    kind = pl.Series(CLASSES).gather(rounds[-1].known.kind)
    parts = []
    for forecaster, own in rows.items():
        s, weight = own.scores, own.weight.reshape(shape)
        rmsse, pinball = s.rmsse.reshape(shape), s.pinball.reshape(shape)
        days, units, expected, inside = (one.reshape(shape).sum(axis=0) for one in (s.days, s.units, s.expected, s.inside))
        parts.append(pl.DataFrame({
            "forecaster": pl.Series([forecaster] * len(demand)), "series": np.arange(len(demand)), "name": names, "sales": kind, "days": days.astype(np.int64),
            "weight": weight.sum(axis=0), "RMSSE": _mean(rmsse), "SPL": _mean(pinball), "coverage": inside / np.where(days > 0, days, np.nan),
            "units": units, "expected": expected, "part": np.nansum(np.where(weight > 0, weight * rmsse, 0.0), axis=0),
        }).filter(pl.col("days") > 0).sort("part", descending=True, maintain_order=True))  # fmt: skip
    return pl.concat(parts).with_columns(pl.selectors.float().fill_nan(None))


def _mean(values: np.ndarray) -> np.ndarray:
    """(series,) over the origins that say something."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.divide(np.where(known, values, 0.0).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)


def _histogram(rows: dict[str, Rows]) -> pl.DataFrame:
    """forecaster, first and last end of a bin of the distribution function, and the share of days in it; even if forecasts are true."""
    edges = np.linspace(0, 1, BINS + 1)
    parts = [
        pl.DataFrame({"forecaster": [name] * BINS, "first": edges[:-1], "last": edges[1:], "share": own.scores.histogram.sum(axis=0) / max(own.scores.days.sum(), 1)})
        for name, own in rows.items()
    ]  # fmt: skip
    return pl.concat(parts)


def _notes(demand: Demand, rounds: Sequence[Round], task: Task) -> tuple[str, ...]:
    """What was left out, and what the forecasters said."""
    any_scores = next(iter(rounds[0].scores))
    scores = Scores.joined([one.scores[any_scores] for one in rounds])
    scaled = np.concatenate([one.known.scaled for one in rounds])
    lost, total = int((~scaled & (scores.days > 0)).sum()), len(scaled)
    out, cells = int(scores.sold_out.sum()), len(demand) * task.days * len(rounds)
    absent = int(cells - scores.days.sum() - out)
    unpriced = sum(one.known.unpriced for one in rounds)
    worthless = sum(not one.known.weight.any() for one in rounds)
    notes = [
        (
            lost,
            f"{lost:,} of {total:,} series at origins had no changing sales before the origin: without a scale they count in coverage, bias and MAPE only.",
        ),
        (out, f"{out:,} of {cells:,} days ended sold out; their demand isn't known, and they count in 'sold out above' only."),
        (absent, f"{absent:,} of {cells:,} days aren't known, or the item wasn't on sale; they count nowhere."),
        (unpriced, f"{unpriced:,} series at origins sold without a known price; the median price stands in for it."),
        (worthless, f"At {worthless:,} origins nothing was sold in the 28 days before; they count in neither WRMSSE nor WSPL."),
        (task.weights == "revenue" and demand.price is None, "There are no prices, so weights are of units."),
        (
            not demand.stocked and not out,
            "No table says when an item was sold out: a day of 0 may be one without stock, and counts as no demand.",
        ),
    ]
    heavy = _heavy(demand, rounds)
    said = [f"{name}, at the last origin: {note}" for name, own in rounds[-1].notes.items() for note in own]
    return (*(text for there, text in notes if there), *heavy, *said)


def _heavy(demand: Demand, rounds: Sequence[Round]) -> list[str]:
    """The item that decides much by itself."""
    of_series = np.sum([one.known.weight for one in rounds], axis=0)
    share = np.bincount(demand.item, of_series) / max(of_series.sum(), 1e-300)
    most = int(share.argmax())
    if share[most] < HEAVY or len(np.unique(demand.item)) < 1 / HEAVY:
        return []
    name = demand.select(np.flatnonzero(demand.item == most)[:1]).names()[0]
    return [f"One item has {share[most]:.0%} of the weight: {name}. weights='series' counts each series the same."]
