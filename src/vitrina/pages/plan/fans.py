"""Fan charts: the past of a few series, the bands of what a forecast held possible, and what came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vitrina.pages.plan.making import length, step_name
from vitrina.plan import Demand, Forecast
from vitrina.plan.demand.demand import SOLD_OUT
from vitrina.report.fans import Fan, Ribbon, Spot, Thread, fan
from vitrina.report.html import Column, Drawing, Html, Panel, name, panels, table
from vitrina.report.words import between, count, day, decimals, fixed, percent, plural
from vitrina.types import Float32, Float64, Int32

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
WIDTH = 320  # px of a small plot
SHOWN = 1.5  # times as many days of the past as of the forecast


@dataclass(frozen=True, eq=False)
class Bands:
    """A forecast beside the days that it is about: its quantiles, and what is known of these days.

    Args:
        demand: the past, and what came true as far as it is known.
        forecast: for the series of the demand, in their order; it begins within the demand or right behind it.
    """

    demand: Demand
    forecast: Forecast

    @cached_property
    def quantiles(self) -> Float64:
        """(levels, series, days)"""
        return self.forecast.quantile(LEVELS)

    @property
    def cut(self) -> int:
        """The column of the demand at which the forecast begins."""
        return (self.forecast.start - self.demand.start).days // self.demand.step

    @property
    def first(self) -> int:
        """The first column that is drawn."""
        return max(self.cut - round(SHOWN * self.forecast.days), 0)

    @cached_property
    def truth(self) -> Float32:
        """(series, days) what came true; NaN where nobody knows, or an item was sold out."""
        known = self.demand.units[:, self.cut : self.cut + self.forecast.days]
        states = self.demand.state[:, self.cut : self.cut + self.forecast.days]
        truth = np.full((len(self.demand), self.forecast.days), np.nan, np.float32)
        truth[:, : known.shape[1]] = np.where(states == 1, known, np.nan)
        return truth

    @cached_property
    def inside(self) -> Float64:
        """(series,) share of the known days within the widest band; NaN where none is known."""
        hit = (self.truth >= self.quantiles[0]) & (self.truth <= self.quantiles[-1])
        known = np.isfinite(self.truth)
        return np.where(known.any(axis=1), hit.sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan)

    @cached_property
    def volume(self) -> Float64:
        """(series,) units per day before the forecast, on the days that are seen."""
        seen = self.demand.seen[:, : self.cut]
        return (self.demand.units[:, : self.cut] * seen).sum(axis=1, dtype=np.float64) / np.maximum(seen.sum(axis=1), 1)


def picked(bands: Bands, costly: Sequence[int] = (), most: int = 6) -> list[tuple[int, str]]:
    """Series worth a look, each with the reason: the biggest, those that cost most of the error, one that is rarely sold, one that was sold out."""
    if len(bands.demand) == 1:
        return [(0, "")]
    volume = bands.volume
    sold = np.asarray((bands.demand.units[:, : bands.cut] > 0).sum(axis=1))
    share = sold / np.maximum((bands.demand.state[:, : bands.cut] > 0).sum(axis=1), 1)
    out = (bands.demand.state[:, bands.first :] == SOLD_OUT).sum(axis=1)
    rare = np.where((share < 0.2) & (sold >= 3), sold, -1)
    wanted: list[tuple[Int32, str, int]] = [
        (_order(volume), "among the biggest", 2),
        (np.asarray(costly, np.int32), "among those that make most of the error", 2),
        (_order(rare), "rarely sold", 1),
        (_order(np.where(out > 0, out, -1)), "sold out most", 1),
        (_order(volume), "among the biggest", most),
    ]
    chosen: dict[int, str] = {}
    for order, why, many in wanted:
        fresh = [int(s) for s in order if int(s) not in chosen][:many]
        chosen |= dict.fromkeys(fresh, why)
    return list(chosen.items())[:most]


def _order(values: Float64 | Int32) -> Int32:
    """Places of the values that are no less than 0, the highest first."""
    order = np.argsort(-np.asarray(values, np.float64), kind="stable")
    return order[np.asarray(values)[order] >= 0].astype(np.int32)


def fan_panels(key: str, title: str, bands: Bands, series: Sequence[tuple[int, str]], note: str) -> Html:
    """Small multiples: a fan per series."""
    names = bands.demand.names()
    parts = [Panel(name(names[s]), fan_of(bands, s, names[s]), _remark(bands, s, why)) for s, why in series]
    return panels(key, title, parts, _numbers(bands, [s for s, _ in series], names), width=WIDTH, note=note)


def _remark(bands: Bands, series: int, why: str) -> str:
    known = np.isfinite(bands.truth[series])
    if not known.any():
        return why
    hits = round(float(bands.inside[series]) * known.sum())
    return f"{f'{why}; ' if why else ''}{count(hits)} of {plural(int(known.sum()), step_name(bands.demand.step))} in the 90% band"


def fan_of(bands: Bands, series: int, title: str) -> Drawing:
    """The fan of one series: as much of the past as tells what is usual, then the bands and what came true."""
    ahead, demand = bands.forecast.days, bands.demand
    first = bands.first
    past, states = demand.units[series, first : bands.cut + ahead], demand.state[series, first : bands.cut + ahead]
    seen = [float(v) if state == 1 else None for v, state in zip(past, states, strict=True)]
    low, quarter, middle, upper, high = bands.quantiles[:, series]
    lead = bands.cut - first
    missed = [
        Spot(lead + at, float(v), "worse", f"{fixed(float(v), 0)} units, outside {between(float(low[at]), float(high[at]), 0)}")
        for at, v in enumerate(bands.truth[series])
        if np.isfinite(v) and not low[at] <= v <= high[at]
    ]
    top = _top(past, high)
    made = Fan(
        demand.start if first == 0 else demand.between(first, demand.days).start,
        lead + ahead,
        lines=(Thread(middle.tolist(), "lead", "middle of the forecast", lead), Thread(seen, "base thin", "units")),
        bands=(Ribbon(low.tolist(), high.tolist(), "lead", lead), Ribbon(quarter.tolist(), upper.tolist(), "lead", lead)),
        spots=missed,
        shut=np.flatnonzero(states == SOLD_OUT).tolist(),
        shut_name="sold out",
        cut=(lead, "forecast"),
        top=top,
        step=demand.step,
    )
    return fan(made, description=_spoken(bands, series, title), unit="units")


def _top(past: Float32, high: Float64) -> float:
    """A rare peak of the past is cut where it would press all else to the ground."""
    usual = np.sort(past)[-max(len(past) // 25, 2)] if len(past) else 0.0
    return float(max(1.0, 1.15 * max(float(high.max()), float(usual))))


def _spoken(bands: Bands, series: int, title: str) -> str:
    total = bands.forecast.total()[series]
    low, middle, high = np.quantile(total, [0.05, 0.5, 0.95])
    said = f"{title}: {length(bands.forecast.days, bands.forecast.step)} from {day(bands.forecast.start)}, {count(middle)} units in all {between(low, high, 0)}"
    known = np.isfinite(bands.truth[series])
    if known.any():
        said += f"; {count(float(np.nansum(bands.truth[series])))} units came on {plural(int(known.sum()), 'known day')}, {percent(float(bands.inside[series]))} of the days within the 90% band"
    return said + "."


def _numbers(bands: Bands, series: Sequence[int], names: Sequence[str]) -> Html:
    total = bands.forecast.select(series).total()
    ends = np.quantile(total, [0.05, 0.5, 0.95], axis=1)
    columns = [Column("Item", number=False), Column(f"Units per {step_name(bands.demand.step)} before"), Column("Forecast, all of them"), Column("90% interval"), Column("Came true"), Column("Of them within 90%")]  # fmt: skip
    places = decimals([float(bands.volume[s]) for s in series])
    body = []
    for at, s in enumerate(series):
        known = np.isfinite(bands.truth[s])
        came = count(float(np.nansum(bands.truth[s]))) if known.any() else "–"
        within = percent(float(bands.inside[s])) if known.any() else "–"
        body.append([name(names[s]), fixed(float(bands.volume[s]), places), count(ends[1, at]), between(ends[0, at], ends[2, at], 0), came, within])  # fmt: skip
    return table(columns, body, caption="Totals over the days of the forecast")
