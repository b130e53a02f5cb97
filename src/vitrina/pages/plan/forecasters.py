"""Who forecasts best: numbers with intervals, verdicts against seasonal naive, where each is good, and the series that cost most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.printing import decimals, finite, half_width
from vitrina.evaluate import mean_interval
from vitrina.pages.plan.making import MOST, folded, step_name
from vitrina.pages.plan.study import DemandStudy
from vitrina.plan import DemandBoard
from vitrina.report.charts import Dot, Group, dots, interval, trellis
from vitrina.report.html import Column, Html, el, figure, name, section, table
from vitrina.report.scales import spanning
from vitrina.report.words import between, count, fixed, listed, percent, plural, seconds, signed

COLOURS = {"better": "better", "worse": "worse"}
VOLUMES = ((0.0, 0.1, "below 0.1 units"), (0.1, 1.0, "0.1 to 1"), (1.0, 10.0, "1 to 10"), (10.0, np.inf, "10 and more"))


def forecasters(study: DemandStudy) -> Html | None:
    """Section: every forecaster; None without a board."""
    board = study.board
    if board is None:
        return None
    said = [el("p", sentence, class_="finding") for sentence in _findings(board)]
    plots = el(
        "div",
        _errors(board, "WRMSSE", "errors of the middle of a forecast"),
        _errors(board, "WSPL", "errors of the whole forecast"),
        class_="pair",
    )
    return section("forecasters", "Who forecasts best", *said, plots, _board(board))


def _findings(board: DemandBoard) -> list[str]:
    """Who is better than the baseline, by each of the two errors."""
    if len(board.forecasters) == 1:
        return [f"{board.baseline} stands alone: give it something to be compared with."]
    return [f"By {metric} {_better(board, metric)}." for metric in ("WRMSSE", "WSPL")]


def _better(board: DemandBoard, metric: str) -> str:
    rows = board.differences.filter((pl.col("metric") == metric) & pl.col("verdict").str.starts_with("better"))
    names = [name for name in board.forecasters if name in rows["forecaster"].to_list()]
    if not names:
        return f"no forecaster is measurably better than {board.baseline}"
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} better than {board.baseline}, beyond doubt"


def best_of(board: DemandBoard) -> str:
    """The first sentence of the page: the best forecaster, and what its forecasts are worth."""
    if board.best != board.baseline or len(board.forecasters) == 1:
        return board.sentences[0]
    covered, bias = board[board.best, "coverage"], board[board.best, "bias"]
    return (
        f"No forecaster has a smaller WRMSSE than {board.baseline}. Its {percent(board.interval)} intervals hold {percent(covered, 1)} of {step_name(board.step)}s; it forecasts "
        f"{percent(abs(bias), 1)} too {'much' if bias > 0 else 'little'}."
    )


def _errors(board: DemandBoard, metric: str, what: str) -> Html:
    rows = board.numbers.filter(pl.col("metric") == metric).sort("value", nulls_last=True).to_dicts()
    places = _places(rows)
    marks = [Dot(r["forecaster"], _known(r["value"]), _known(r["low"]), _known(r["high"]), _colour(board, r["forecaster"]), _said(r, places)) for r in rows]  # fmt: skip
    spoken = "; ".join(_said(r, places) for r in rows)
    columns = [Column("Forecaster", number=False), Column(metric), Column("Interval")]
    data = table(columns, [[_name(board, r["forecaster"]), fixed(r["value"], places), between(r["low"], r["high"], places)] for r in rows], caption=metric)  # fmt: skip
    base = next((r["value"] for r in rows if r["forecaster"] == board.baseline), None)
    title = f"{metric}: {what}, smaller is better"
    note = f"the upright line is {board.baseline}; {percent(board.confidence)} intervals over items"
    drawn = dots(marks, description=f"{metric}: {spoken}.", marker=_known(base))
    return figure(f"{metric.lower()}-plot", title, drawn, data, note=note, span="half")


def _said(row: dict[str, Any], places: int) -> str:
    return f"{row['forecaster']} {fixed(row['value'], places)} {between(row['low'], row['high'], places)}".strip()


def _places(rows: Sequence[dict[str, Any]]) -> int:
    return decimals([r["value"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])


def _colour(board: DemandBoard, forecaster: str) -> str:
    return "base" if forecaster == board.baseline else "lead" if forecaster == board.best else "other"


def _name(board: DemandBoard, forecaster: str) -> Html:
    return el("span", name(forecaster), class_=f"model {_colour(board, forecaster)}")


def _board(board: DemandBoard) -> Html:
    """The whole board: errors with their intervals, what the intervals hold, bias, verdicts and time."""
    rows = {(r["forecaster"], r["metric"]): r for r in board.numbers.iter_rows(named=True)}
    told = {(r["forecaster"], r["metric"]): r for r in board.differences.iter_rows(named=True)}
    ends = [v for (_, metric), r in rows.items() if metric == "WRMSSE" for v in (r["low"], r["high"], r["value"])]
    scale = spanning(ends, 0, 1)
    places = {metric: _places([r for (_, m), r in rows.items() if m == metric]) for metric in ("WRMSSE", "WSPL")}
    columns = [
        Column("Forecaster", number=False, class_="first"), Column("WRMSSE"), Column("", number=False), Column(f"Against {board.baseline}", number=False, class_="verdict"), Column("WSPL"),
        Column(f"Against {board.baseline}", number=False, class_="verdict"), Column(f"Days within {percent(board.interval)}"), Column("Totals within"), Column("Bias"), Column("Seconds"),
    ]  # fmt: skip
    body = []
    for one in board.forecasters:
        own = rows[one, "WRMSSE"]
        drawn = interval(
            Dot("", _known(own["value"]), _known(own["low"]), _known(own["high"]), _colour(board, one), ""), (scale.low, scale.high), None
        )
        body.append([
            _name(board, one), fixed(own["value"], places["WRMSSE"]), drawn, _verdict(told.get((one, "WRMSSE"))), fixed(rows[one, "WSPL"]["value"], places["WSPL"]),
            _verdict(told.get((one, "WSPL"))), _share(rows[one, "coverage"]["value"]), _share(rows[one, "coverage of totals"]["value"]),
            _signed(rows[one, "bias"]["value"]), seconds(board.seconds[one]),
        ])  # fmt: skip
    caption = (
        f"{plural(board.series, 'series', 'series')}, {board.days} {'days' if board.step == 1 else f'steps of {board.step} days'} from each of {plural(len(board.origins), 'day')}; "
        f"{percent(board.confidence)} intervals over items, verdicts corrected for all forecasters"
    )
    return table(columns, body, caption=caption, class_="board")


def _verdict(row: dict[str, Any] | None) -> Html | str:
    if row is None:
        return "the baseline"
    verdict = str(row["verdict"])
    return el("span", verdict, class_=COLOURS.get(verdict.partition(" ")[0], "unsure"))


def _share(value: float | None) -> str:
    return percent(value, 1)


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{signed(100 * value, 1)}%"


def _known(value: Any) -> float | None:
    return float(value) if finite(value) else None


def coverage(study: DemandStudy) -> Html | None:
    """Section: how often the truth is within the interval, by how much is sold; None without a board."""
    board = study.board
    if board is None or not (rows := _by_volume(study, board)):
        return None
    marks = [
        Dot(r["label"], 100 * r["share"], 100 * r["low"], 100 * r["high"], r["class_"], f"{r['label']}: {percent(r['share'], 1)}")
        for r in rows
    ]
    columns = [
        Column("Sold per day", number=False),
        Column("Series"),
        Column(f"Within the {percent(board.interval)} interval"),
        Column("Its interval"),
    ]
    body = [[r["label"], count(r["series"]), percent(r["share"], 1), between(100 * r["low"], 100 * r["high"], 1)] for r in rows]
    spoken = "; ".join(f"{row[0]} {row[2]} {row[3]}" for row in body)
    drawn = dots(
        marks, description=f"Per cent of days within the interval, by units per day before: {spoken}.", marker=100 * board.interval
    )
    note = (
        f"{board.best}: per cent of the judged days within the {percent(board.interval)} interval, by units per day before them, with 95% intervals over items; the upright line is what is promised. "
        "Each day counts with the share of its step of whole units that is inside, so that slow items are held to the same promise; with the ends included, as they are drawn, more days are inside"
    )
    plot = figure("coverage-plot", _covered(rows), drawn, table(columns, body, caption="Days within the interval"), note=note)
    return section("coverage", "How sure the bands are", plot)


def _by_volume(study: DemandStudy, board: DemandBoard) -> list[dict[str, Any]]:
    """Per class of units per day before the first origin: the share of days inside."""
    own = board.per_series.filter((pl.col("forecaster") == board.best) & pl.col("coverage").is_not_null())
    series, days, inside = (own[column].to_numpy() for column in ("series", "days", "coverage"))
    first = max((board.origins[0] - study.demand.start).days // study.demand.step, 1)
    seen = study.demand.seen[series, :first]
    volume = (study.demand.units[series, :first] * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1) / study.demand.step
    found = []
    for low, high, label in VOLUMES:
        of = (volume >= low) & (volume < high)
        if not of.any():
            continue
        share = float(np.average(inside[of], weights=days[of]))
        ends = mean_interval(inside[of], study.demand.item[series[of]], weights=days[of].astype(np.float64))
        told = ends.low <= board.interval <= ends.high or not finite(ends.low)
        class_ = "equal" if told else "worse" if share < board.interval else "unsure"
        found.append({"label": label, "series": int(of.sum()), "share": share, "low": ends.low, "high": ends.high, "class_": class_})
    return found


def _covered(rows: Sequence[dict[str, Any]]) -> str:
    low, wide = ([r["label"] for r in rows if r["class_"] == class_] for class_ in ("worse", "unsure"))
    if len(low) == len(rows) or len(wide) == len(rows):
        return f"The intervals are too {'narrow' if low else 'wide'}, however much an item sells"
    if low:
        return f"The intervals are too narrow for items that sell {listed(low)} per day"
    return f"The intervals hold what they promise{f', and more for items that sell {listed(wide)} per day' if wide else ''}"


def where(study: DemandStudy) -> Html | None:
    """Section: the forecasters by how items sell, and the series that cost most; None without a board."""
    board = study.board
    if board is None:
        return None
    own = board.slices.filter((pl.col("slice") == "sales") & (pl.col("metric") == "WSPL") & pl.col("value").is_not_null())
    plot = _sliced(board, own) if own["group"].n_unique() > 1 else None
    return section("where", "Where each is good", plot, _costly(study, board))


def _sliced(board: DemandBoard, own: pl.DataFrame) -> Html:
    groups = []
    for (group,), part in own.group_by("group", maintain_order=True):
        by = {r["forecaster"]: r for r in part.iter_rows(named=True)}
        rows = [by.get(one, {"forecaster": one, "value": None, "low": None, "high": None}) for one in board.forecasters]
        marks = [Dot(r["forecaster"], _known(r["value"]), _known(r["low"]), _known(r["high"]), _colour(board, r["forecaster"]), _said(r, 3)) for r in rows]  # fmt: skip
        groups.append(Group(str(group), plural(max(r["series"] for r in by.values()), "series", "series"), marks))
    scale = spanning([v for r in own.iter_rows(named=True) for v in (r["value"], r["low"], r["high"])], 0, 1)
    spoken = "; ".join(f"{r['group']}: {_said(r, 3)}" for r in own.iter_rows(named=True))
    columns = [Column("Items", number=False), Column("Forecaster", number=False), Column("WSPL"), Column("Interval"), Column(f"Against {board.baseline}", number=False)]  # fmt: skip
    body = [[r["group"], _name(board, r["forecaster"]), fixed(r["value"], 3), between(r["low"], r["high"], 3), r["verdict"] or "the baseline"] for r in own.iter_rows(named=True)]  # fmt: skip
    drawn = trellis(groups, scale=(scale.low, scale.high), description=f"WSPL by how items sell: {spoken}.")
    note = "WSPL, smaller is better, on one scale. Smooth: most days sell, in even amounts; erratic: most days, uneven; intermittent: few days, even; lumpy: few days, uneven"
    return figure(
        "where-plot", "Errors of the whole forecast by how items sell", drawn, table(columns, body, caption="By how items sell"), note=note
    )


def _costly(study: DemandStudy, board: DemandBoard) -> Html:
    rows = board.per_series.filter(pl.col("forecaster") == board.best)
    total = rows["part"].sum() or 1.0
    columns = [
        Column("Item", number=False, class_="first"), Column("Sells", number=False), Column("Of the error"), Column("Of the weight"), Column("RMSSE"), Column(f"Days within {percent(board.interval)}"),
        Column("Expected"), Column("Came true"),
    ]  # fmt: skip
    body = [
        [name(r["name"]), r["sales"], percent(r["part"] / total, 1), percent(r["weight"], 1), fixed(r["RMSSE"], 2), percent(r["coverage"], 1), count(r["expected"]), count(r["units"])]
        for r in rows.head(MOST).iter_rows(named=True)
    ]  # fmt: skip
    return folded(columns, body, caption=f"Series that make most of the error of {board.best}", of=rows.height)
