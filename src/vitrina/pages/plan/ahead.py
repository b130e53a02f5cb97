"""What came true beside its forecast, what the days to come will take, and the log that it was learnt from."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from vitrina.pages.plan.fans import Bands, fan_panels, picked
from vitrina.pages.plan.making import FIRST, MOST, folded, length, step_name, warned
from vitrina.pages.plan.study import DemandStudy
from vitrina.plan import Demand
from vitrina.plan.demand.demand import SOLD_OUT
from vitrina.report.charts import Span, over_time
from vitrina.report.html import Column, Html, el, figure, name, section, table
from vitrina.report.words import between, count, day, decimals, fixed, percent, plural

NOTE = (
    "black: units sold; blue: the middle of the forecast, and the bands of 50% and of 90% of its paths, made before these days were known. Red dots: days outside the 90% band; red bars "
    "below: days sold out, of which nobody knows what was wanted. Each plot has its own scale; a rare peak above it is written where it leaves the plot"
)
FORECAST = "black: units sold; blue: the middle of the forecast, with the bands of 50% and of 90% of its paths. Each plot has its own scale"


def fans(study: DemandStudy) -> Html | None:
    """Section: the forecast of the last known days beside what came; None where none was judged."""
    if study.judged is None:
        return None
    bands = Bands(study.demand, study.judged)
    known = np.isfinite(bands.truth)
    hit = ((bands.truth >= bands.quantiles[0]) & (bands.truth <= bands.quantiles[-1])).sum()
    share = hit / max(known.sum(), 1)
    title = f"{percent(float(share))} of {plural(int(known.sum()), step_name(study.demand.step))} of {plural(len(bands.demand), 'series', 'series')} came within the 90% band, its ends included"
    return section(
        "fans",
        "Forecast and truth",
        fan_panels("fans-plot", title, bands, [(s, "") for s in study.show] or picked(bands, _costly(study)), NOTE),
    )


def _costly(study: DemandStudy) -> list[int]:
    """Series by their part of the error, the largest first."""
    if study.board is None:
        return []
    return study.board.per_series.filter(pl.col("forecaster") == study.board.best)["series"].to_list()


def ahead(study: DemandStudy) -> Html | None:
    """Section: the days to come, and the items that will take most; None without a forecast."""
    if study.ahead is None:
        return None
    forecast, names = study.ahead, study.demand.names()
    total = forecast.total()
    middle, low, high = total.mean(axis=1), np.quantile(total, 0.05, axis=1), np.quantile(total, 0.95, axis=1)
    before = study.demand.between(max(study.demand.days - forecast.days, 0), study.demand.days)
    order = np.argsort(-middle, kind="stable")[:MOST]
    known = study.demand.stocked or bool((before.state == SOLD_OUT).any())
    columns = [
        Column("Item", number=False, class_="first"), Column("Expected units"), Column("90% interval"), Column(f"Last {length(before.days, before.step)}"),
        *([Column(f"Sold out, {step_name(before.step)}s")] if known else []),
    ]  # fmt: skip
    places = decimals([float(middle[s]) for s in order])
    body = [
        [name(names[s]), fixed(float(middle[s]), places), between(float(low[s]), float(high[s]), 0), count(float(before.units[s].sum())),
         *([count(int((before.state[s] == SOLD_OUT).sum()))] if known else [])]
        for s in order
    ]  # fmt: skip
    share = percent(float(middle[order[:FIRST]].sum() / max(middle.sum(), 1e-9)))
    caption = f"{length(forecast.days, forecast.step)} from {day(forecast.start)}, the biggest first" + (
        f"; the first {FIRST} take {share} of the units" if len(names) > FIRST else ""
    )
    bands = Bands(study.demand, forecast)
    shown = list(study.show) or [int(s) for s in order[:3]]
    title = f"The {step_name(forecast.step)}s to come" + (" of the biggest items" if len(names) > len(shown) and not study.show else "")
    drawn = fan_panels("ahead-plot", title, bands, [(s, "") for s in shown], FORECAST)
    return section("ahead", "The days to come", drawn, folded(columns, body, caption=caption, of=len(names)))


def log(study: DemandStudy) -> Html:
    """Section: what was sold by day, how much of it is known, and what must be known of it."""
    demand = study.demand
    dates = [demand.start + timedelta(days=at * demand.step) for at in range(demand.days)]
    units = (demand.units * (demand.state > 0)).sum(axis=0, dtype=np.float64)
    cut = study.judged.start if study.judged is not None and study.judged.start < demand.end else None
    spans = [] if cut is None else [
        Span("learnt from", dates[0], cut, "other", "learnt from"), Span("judged", cut, dates[-1], "lead", f"judged, {length(study.judged.days, demand.step) if study.judged else ''}")
    ]  # fmt: skip
    spoken = f"Units per {step_name(demand.step)} from {day(dates[0])} to {day(dates[-1])}: {count(float(units.mean()))} on average, at most {count(float(units.max()))}."
    drawn = over_time(dates, units.tolist(), spans, cut=cut, unit="units", description=spoken)
    plot = figure(
        "log-plot",
        f"{count(float(units.sum()))} units in {length(demand.days, demand.step)}",
        drawn,
        _months(dates, units.tolist()),
        note=f"units per {step_name(demand.step)}, all series together",
    )
    return section("log", "What it was learnt from", _sizes(demand), warned(demand.notes), plot)


def _sizes(demand: Demand) -> Html:
    known = demand.state > 0
    zero = float(((demand.units == 0) & known).sum() / max(known.sum(), 1))
    facts = {
        "series": count(len(demand)), f"{step_name(demand.step)}s": count(demand.days), "of the days of an item are without a sale": percent(zero),
        "of its days it was sold out" if demand.stocked else "days sold out: nobody kept the stock": percent(float((demand.state == SOLD_OUT).sum() / max(known.sum(), 1))) if demand.stocked else "?",
    }  # fmt: skip
    return el("dl", *(el("div", el("dt", key), el("dd", value)) for key, value in facts.items()), class_="sizes")


def _months(dates: list[date], units: list[float]) -> Html:
    sums: dict[str, float] = {}
    for at, value in zip(dates, units, strict=True):
        sums[f"{at:%B %Y}"] = sums.get(f"{at:%B %Y}", 0.0) + value
    return table([Column("Month", number=False), Column("Units")], [[key, count(value)] for key, value in sums.items()], caption="Units per month")  # fmt: skip
