"""`vitrina plan demand`: who forecasts best, and what will be wanted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.cli import build, console, outputs

if TYPE_CHECKING:
    from vitrina.cli.plan_file import PlanJob
    from vitrina.plan import Demand, DemandBoard, Forecast

PAGE, TABLE, NUMBERS = "demand.html", "forecast.parquet", "demand.json"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
ORIGINS = 4  # from which forecasters are judged, where the past is long enough
LEAST = 14  # days to learn from before the first


@dataclass(frozen=True)
class Found:
    """What the command found, and where it stands."""

    demand: Demand
    board: DemandBoard | None
    name: str  # of the forecaster of the days to come
    ahead: Forecast
    folder: Path
    notes: tuple[str, ...] = ()


def run(job: PlanJob, out: Path | None, *, force: bool) -> Found:
    """The board, the days to come, and the page.

    Raises:
        DataError: the log can't be used.
        ParameterError: a value of the file doesn't fit the log.
    """
    from vitrina.base.files import write_text

    folder = out or job.out
    outputs.check_folder(folder, (PAGE, TABLE, NUMBERS), {"source": job.sources()}, force=force)
    demand = read(job)
    board, notes = _board(job, demand)
    name, forecaster = chosen(job, board)
    ahead = forecast(job, demand, forecaster, job.settings.demand.days)
    found = Found(demand, board, name, ahead, folder, notes)
    write_text(folder / PAGE, _page(job, found, forecaster))
    write_table(folder / TABLE, forecast_table(demand, ahead))
    write_json(folder / NUMBERS, as_json(found))
    return found


def read(job: PlanJob) -> Demand:
    """The demand, with what was made of the log said."""
    with console.working("Reading the sales"):
        demand = job.demand()
    for note in demand.notes:
        console.note(note)
    return demand


def _board(job: PlanJob, demand: Demand) -> tuple[DemandBoard | None, tuple[str, ...]]:
    """Forecasters on the past; None, with the reason, where the past is too short for one forecast."""
    from vitrina.evaluate.bootstrap import Bootstrap
    from vitrina.plan import evaluate_demand

    given = job.settings.demand
    fit = (demand.days - LEAST - given.days) // (given.gap or given.days) + 1
    if fit < 1 and given.origins is None:
        return None, (f"No forecaster was judged: {demand.days} days are too few to forecast {given.days} of them from the others.",)
    category = None if job.settings.items is None else job.settings.items.category
    with console.working("Judging forecasters on the past"), build.located(job.file, ("demand",)):
        return evaluate_demand(
            demand, candidates(job), days=given.days, origins=given.origins or min(ORIGINS, fit), every=given.gap, paths=given.paths, seed=given.seed,
            weights=given.weights, interval=given.interval, category=category, bootstrap=Bootstrap(confidence=job.settings.report.confidence),
        ), ()  # fmt: skip


def candidates(job: PlanJob) -> dict[str, Any]:
    """Those that are judged, by name."""
    own = dict([job.own]) if job.own is not None else {}
    named = dict(job.forecasters)
    return named if len(named) > len(own) else own | {name: one for name, one in usual().items() if name not in own}


def usual() -> dict[str, Any]:
    """Those that are judged where the file names none; the first plans where there is no board."""
    from vitrina.plan import TSB, Average, Counts, Recalibrated

    return {"Recalibrated": Recalibrated(), "Average": Average(), "Counts": Counts(), "TSB": TSB()}


def chosen(job: PlanJob, board: DemandBoard | None = None) -> tuple[str, Any]:
    """The forecaster that is planned with: that of the file, the best of the board, or the house's own; and its name."""
    from vitrina.plan import SeasonalNaive

    if job.own is not None:
        return job.own
    if board is None:
        return next(iter(usual().items()))
    return board.best, candidates(job).get(board.best, SeasonalNaive())


def forecast(job: PlanJob, demand: Demand, forecaster: Any, days: int) -> Forecast:
    """The days to come."""
    given = job.settings.demand
    with console.working(f"Forecasting {days} days"), build.located(job.file, ("demand",)):
        return forecaster.fit(demand).forecast(days, paths=given.paths, seed=given.seed)


def forecast_table(demand: Demand, ahead: Forecast) -> pl.DataFrame:
    """A row per item, place and day: the mean and quantiles."""
    series, _, days = ahead.samples.shape
    dates = [ahead.start + timedelta(days=ahead.step * d) for d in range(days)]
    quantiles = ahead.quantile(LEVELS)
    keys = key_columns(demand).select(pl.all().repeat_by(days).explode())
    return keys.with_columns(
        pl.Series("day", dates * series, dtype=pl.Date), pl.Series("mean", ahead.mean().ravel()),
        *(pl.Series(f"q{round(100 * level):02d}", quantiles[n].ravel()) for n, level in enumerate(LEVELS)),
    )  # fmt: skip


def key_columns(demand: Demand) -> pl.DataFrame:
    """The id of the item, and of the place where there are several, per series."""
    ids = [demand.items.ids.gather(demand.item).alias("item")]
    if demand.place is not None and demand.places is not None:
        ids.append(demand.places.ids.gather(demand.place).alias("place"))
    return pl.DataFrame(ids)


def distinct_names(demand: Demand) -> list[str]:
    """What to show of each series; where several are called the same, with the id of the item."""
    names = demand.names()
    counts = Counter(names)
    ids = demand.items.ids.gather(demand.item).cast(pl.String)
    return [name if counts[name] == 1 else f"{name} ({id})" for name, id in zip(names, ids, strict=True)]


def write_table(file: Path, table: pl.DataFrame) -> None:
    """As Parquet or CSV, by the name; never half of it."""
    from vitrina.base.files import atomic_file

    with atomic_file(file) as staging:
        _ = table.write_parquet(staging) if file.suffix == ".parquet" else table.write_csv(staging)


def write_json(file: Path, value: dict[str, Any]) -> None:
    """Every number of a command, as text."""
    import json

    from vitrina.base.files import write_text

    write_text(file, json.dumps(console.plain(value), ensure_ascii=False, indent=2) + "\n")


def _page(job: PlanJob, found: Found, forecaster: Any) -> str:
    from vitrina.pages.plan import DemandStudy, demand_page
    from vitrina.pages.policy.answer import today

    days, past = found.ahead.days, found.demand
    judged = None
    if found.board is not None:
        given = job.settings.demand
        before = past.between(0, past.days - days)
        judged = forecaster.fit(before).forecast(days, paths=given.paths, seed=given.seed)
    return demand_page(DemandStudy(past, found.board, judged, found.ahead, job.title("demand"), job.facts(forecaster), today()))


def as_json(found: Found) -> dict[str, Any]:
    """Every number of the board, and what is expected in all."""
    total = found.ahead.total().sum(axis=0)
    low, high = np.quantile(total, [0.05, 0.95])
    board = found.board
    return {
        "kind": outputs.PLAN, "series": len(found.demand), "days": found.demand.days, "forecaster": found.name, "ahead": found.ahead.days,
        "units": {"mean": float(total.mean()), "low": float(low), "high": float(high)}, "numbers": None if board is None else board.numbers,
        "differences": None if board is None else board.differences, "notes": [*found.demand.notes, *found.notes, *found.ahead.notes],
        "page": found.folder / PAGE, "table": found.folder / TABLE,
    }  # fmt: skip


def show(found: Found) -> None:
    """The board, what is expected, and where the rest stands."""
    out = console.out()
    if found.board is not None:
        out.print(found.board)
    for note in found.notes:
        console.note(note)
    said = as_json(found)["units"]
    out.print(
        f"{found.name} expects {said['mean']:,.0f} units ({said['low']:,.0f} to {said['high']:,.0f}) in the {found.ahead.days} days from {found.ahead.start}.",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    console.note(f"Report: {found.folder / PAGE}\nForecast per item and day: {found.folder / TABLE}")
