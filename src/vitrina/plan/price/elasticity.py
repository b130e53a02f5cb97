"""Elasticities from a log of demand and prices: per item, pooled over its category, with what moved all items of the category taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import polars as pl
from scipy.special import ndtri

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.plan.demand.demand import Demand
from vitrina.plan.price.giveaways import Looked, giveaways
from vitrina.plan.price.panel import Panel, dispersion_of, fit_panel
from vitrina.plan.price.pooled import Shrunk, shrunk
from vitrina.plan.price.pricelog import PricedDays, priced_days
from vitrina.plan.price.response import PriceResponse
from vitrina.types import Float64, Int32, Int64

Control = Literal["weekday", "week"]
KNOWN = "weekday", "week"
ROUNDS = 3  # between the fit and the pooling, each of which needs the other
VAGUE = 10.0  # standard deviation of an elasticity of which nothing is known
FIRST = -1.0  # where Newton starts
COMPANY = 5  # series of a category from which on each week has an effect of its own; below, four weeks share one
SILENT = 0.98  # of the prior's variance: an item that leaves so much of it has said nothing itself


def price_response(
    demand: Demand,
    *,
    by: str | None = None,
    randomised: pl.DataFrame | None = None,
    controls: Sequence[Control] = KNOWN,
    at_least: bool = False,
    carry: int = 28,
    confidence: float = 0.9,
) -> PriceResponse:
    """Estimate how demand answers to prices, per item and pooled over its category.

    log E[units] = level of the series + elasticity of the item * log(price / usual price) + weekday and week of the category, by quasi-likelihood of counts; elasticities
    of a category are normal around its own centre, and its centre around that of the other categories ([Gelman et al. 2013](http://www.stat.columbia.edu/~gelman/book/), 5.4). What
    is known of each is cut at 0: demand never rises with a price. Errors are those of days, or of weeks or months where errors of days go together.

    Args:
        demand: with prices.
        by: column of `demand.table` by which items are pooled; None: all together.
        randomised: a table of prices that were drawn, a row per item and day: `item`, `day`, `price`, `propensity` (the chance with which that price was drawn). Only its days
            count, each weighed by one over its chance, and the response carries no warning. None: all days with a price, and these were chosen.
        controls: what is taken out: `weekday`, `week` (four weeks where a category has fewer than 5 series).
        at_least: count sold-out days as "at least what was sold", which is right where days vary as a Poisson does; by default they are left out.
        carry: a day without a sale has no price of its own, and takes the last one known if that is no more than so many days old.
        confidence: of the intervals.

    Raises:
        ParameterError: the demand has no prices, one is not above 0, no item was sold at two prices, or a parameter is outside its domain.
        DataError: the table of drawn prices can't be used.
        UnknownNameError: the table of items has no such column, or there is no such control.

    Cost: series * days * (weeks + 7) flops per step of Newton, some 40 steps in all.
    """
    for control in controls:
        if control not in KNOWN:
            raise UnknownNameError.of("control", str(control), KNOWN)
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
    priced = priced_days(demand, randomised, at_least=at_least, carry=carry)
    items, row = np.unique(demand.item, return_inverse=True)
    category, names = _categories(demand, items, by)
    parts = [_Part.of(demand, priced, np.flatnonzero(category == g), row, controls) for g in range(len(names))]
    if not any(np.isfinite(part.error).any() for part in parts):
        raise ParameterError(
            "No item was sold at two prices or more on days that count, so nothing can be said of what a price does. Take a longer log, or one with promotions; or draw prices."
        )
    found = [part.pooled([other for other in parts if other is not part]) for part in parts]
    order = np.argsort(np.concatenate([part.rows for part in parts]))
    centre, error, own, own_error = (
        np.concatenate([getattr(one, name) for one in each])[order]
        for each, name in ((found, "mean"), (found, "error"), (parts, "own"), (parts, "error"))
    )
    silent = int(np.isinf(own_error).sum())
    notes = (
        f"{silent:,} of {len(items):,} items were sold at one price only, or hardly sold: what is said of them is what their category says.",
    ) * (silent > 0)
    table = _table(demand, items, row, priced).with_columns(
        pl.Series("category", [names[g] for g in category], pl.String), own=pl.Series(np.where(np.isinf(own_error), np.nan, own)), own_error=own_error
    ).fill_nan(None)  # fmt: skip
    base, least, most = (table[name].fill_null(np.nan).to_numpy() for name in ("base", "least", "most"))
    checks = giveaways([part.looked for part in parts if part.looked is not None], demand.step) if randomised is None else None
    return PriceResponse(
        demand.items, items, centre, error, base, least, most, randomised is None, table, confidence, checks, (*priced.notes, *notes),
        categories=_centres(names, parts, found, confidence),
    ).tabled()  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class _Part:
    """A category: what its items say alone.

    Args:
        rows: (rows,) its items, as numbers of rows of the response.
        own, error: (rows,) what each says alone; an infinite error where it says nothing.
        speaking: (items of the panel,) places in `rows`.
        looked: the panel with expected units and dispersions; None where nothing was sold at a known price.
    """

    rows: Int64
    own: Float64
    error: Float64
    speaking: Int64
    looked: Looked | None

    @classmethod
    def of(cls, demand: Demand, priced: PricedDays, rows: Int64, row: Int64, controls: Sequence[Control]) -> _Part:
        own, error = np.full(len(rows), FIRST), np.full(len(rows), np.inf)
        sold = (priced.weight * demand.units).sum(axis=1) > 0
        series = np.flatnonzero(np.isin(row, rows) & sold)
        if not len(series):
            return cls(rows, own, error, np.empty(0, np.int64), None)
        used, item = np.unique(row[series], return_inverse=True)
        speaking = np.searchsorted(rows, used)
        panel = _panel(demand, priced, series, item, controls)
        fit = fit_panel(panel, FIRST, VAGUE, np.ones(panel.items))
        dispersion = dispersion_of(panel, fit.mean, demand.step)
        fit = fit_panel(panel, FIRST, VAGUE, dispersion, fit)
        own[speaking], error[speaking] = _without(fit.slope, fit.variance, FIRST, VAGUE)
        return cls(rows, own, error, speaking, Looked(panel, fit, dispersion))

    def pooled(self, others: Sequence[_Part]) -> Shrunk:
        """Drawn to the centre of the category, and that to the others'."""
        known = [part for part in others if np.isfinite(part.error).any()]
        around = shrunk(np.concatenate([p.own for p in known]), np.concatenate([p.error for p in known])) if known else None
        prior = (0.0, VAGUE) if around is None else (around.centre, float(np.hypot(around.spread, around.centre_error)))
        found = shrunk(self.own, self.error, *prior)
        if self.looked is None:
            return found
        own, error, fit = self.own.copy(), self.error.copy(), self.looked.fit
        for _ in range(ROUNDS):
            spread = max(found.spread, 0.05)
            fit = fit_panel(self.looked.panel, found.centre, spread, self.looked.dispersion, fit)
            own[self.speaking], error[self.speaking] = _without(fit.slope, fit.variance, found.centre, spread)
            found = shrunk(own, error, *prior)
        return found


def _centres(names: list[str], parts: Sequence[_Part], found: Sequence[Shrunk], confidence: float) -> pl.DataFrame:
    """A row per category: what its items have in common."""
    half = float(ndtri((1 + confidence) / 2))
    rows = [
        (name, len(part.rows), int(np.isfinite(part.error).sum()), one.centre, one.centre - half * one.centre_error, one.centre + half * one.centre_error, one.spread)
        for name, part, one in zip(names, parts, found, strict=True)
    ]  # fmt: skip
    schema = {"category": pl.String, "items": pl.Int64, "speaking": pl.Int64} | dict.fromkeys(
        ("centre", "low", "high", "spread"), pl.Float64
    )
    return pl.DataFrame(rows, schema, orient="row")


def _without(slope: Float64, variance: Float64, centre: float, spread: float) -> tuple[Float64, Float64]:
    """What the days say, the prior taken out of the posterior of a normal."""
    prior = 1 / spread**2
    precision = 1 / variance - prior
    speaks = variance < SILENT * spread**2
    own = np.divide(slope / variance - centre * prior, precision, out=np.array(slope), where=speaks)
    return own, np.where(speaks, 1 / np.sqrt(np.where(speaks, precision, 1.0)), np.inf)


def _panel(demand: Demand, priced: PricedDays, series: Int64, item: Int64, controls: Sequence[Control]) -> Panel:
    price, weight = priced.price[series], priced.weight[series]
    logs = np.where(weight > 0, np.log(np.where(weight > 0, price, 1.0)), 0.0)
    usual = logs.sum(axis=1) / np.maximum((weight > 0).sum(axis=1), 1)
    change = np.where(weight > 0, logs - usual[:, None], 0.0)
    return Panel(
        demand.units[series].astype(np.float64), change, weight, priced.censored[series], item, _controls(demand, len(series), controls)
    )


def _controls(demand: Demand, series: int, controls: Sequence[Control]) -> Float64:
    """(days, controls) which weekday and which week, or four weeks, each day is in."""
    columns = []
    if "weekday" in controls and demand.step == 1:
        columns.append(demand.weekday)
    if "week" in controls:
        week = (np.arange(demand.days) * demand.step + demand.start.weekday()) // 7
        columns.append(week if series >= COMPANY else week // 4)
    return np.concatenate([np.zeros((demand.days, 0)), *(np.unique(c)[None] == c[:, None] for c in columns)], axis=1).astype(np.float64)


def _categories(demand: Demand, items: Int32, by: str | None) -> tuple[Int64, list[str]]:
    """(rows,) codes, and the names."""
    if by is None:
        return np.zeros(len(items), np.int64), ["all"]
    if demand.table is None or by not in demand.table.columns:
        raise UnknownNameError.of("column of items", by, () if demand.table is None else demand.table.columns)
    found = demand.table[by].cast(pl.String).fill_null("none").gather(items)
    names = found.unique(maintain_order=True).to_list()
    place = {name: at for at, name in enumerate(names)}
    return np.array([place[name] for name in found.to_list()], np.int64), names


def _table(demand: Demand, items: Int32, row: Int64, priced: PricedDays) -> pl.DataFrame:
    """A row per item: what was seen of it."""
    counts = priced.weight > 0
    ids = demand.items.ids.gather(items)
    titles = (
        ids.cast(pl.String) if demand.table is None or demand.title is None else demand.table[demand.title].cast(pl.String).gather(items)
    )
    order = np.argsort(row, kind="stable")
    bounds = np.searchsorted(row[order], np.arange(len(items) + 1))
    rows = []
    for r in range(len(items)):
        own = order[bounds[r] : bounds[r + 1]]
        price, on = priced.price[own], counts[own]
        seen = price[on]
        last = int(np.flatnonzero(on.any(axis=0))[-1]) if len(seen) else 0
        base = float(np.median(price[:, last][on[:, last]])) if len(seen) else np.nan
        ends = (float(seen.min()), float(seen.max())) if len(seen) else (np.nan, np.nan)
        rows.append((base, *ends, len(np.unique(seen.round(6))), int(on.sum()), float(demand.units[own][on].sum())))
    schema = {"base": pl.Float64, "least": pl.Float64, "most": pl.Float64, "prices": pl.Int64, "days": pl.Int64, "units": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row").insert_column(0, ids.alias("item")).insert_column(1, titles.alias("title"))
