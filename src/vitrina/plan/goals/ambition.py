"""What bonuses cost at each ambition, and the ambition that a budget allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text, fixed, places_of, short
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.goals.bonus import Bonus
from vitrina.plan.goals.goals import EFFORT, Goals, check_levels, goals

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@final
@dataclass(frozen=True, eq=False, repr=False)
class BonusCurve:
    """Bonuses beside ambition.

    Args:
        table: a row per ambition: ambition, goals (sum of all), met (mean chance), cost (mean of the bill) with cost_low and cost_high, bill_low and bill_high (between which the bill will be with the confidence).
        confidence: of both.
        paths: of the forecast.
    """

    table: pl.DataFrame
    confidence: float
    paths: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """The two ends, and what the curve doesn't know."""
        first, last = self.table.row(0, named=True), self.table.row(-1, named=True)
        ends = f"from {short(first['cost'])} at an ambition of {first['ambition']:g} to {short(last['cost'])} at {last['ambition']:g}"
        return (f"Bonuses cost {ends}, if people do what they did so far; {4 * self.paths:,} paths would halve the intervals.", EFFORT)

    def __repr__(self) -> str:
        costs = self.table["cost"].to_numpy()
        return f"BonusCurve({self.table.height} ambitions, bonuses of {short(float(costs.max()))} to {short(float(costs.min()))})"

    def __str__(self) -> str:
        return as_text(self, 160)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        heads = ("ambition", "goals", "met", "bonuses", "interval", "the bill")
        shown = Table(*(Column(head, justify="right") for head in heads), box=None, header_style="bold", pad_edge=False)
        at, total = places_of(self.table["cost"][0]), places_of(self.table["goals"][0])
        for row in self.table.iter_rows(named=True):
            interval, bill = (f"{fixed(row[f'{name}_low'], at)} to {fixed(row[f'{name}_high'], at)}" for name in ("cost", "bill"))
            shown.add_row(f"{row['ambition']:g}", fixed(row["goals"], total), f"{row['met']:.1%}", fixed(row["cost"], at), interval, bill)
        return Group(Fitted(shown), "", *map(Text, self.sentences))


def cost_by_ambition(forecast: Forecast, bonus: Bonus, *, levels: Sequence[float] = LEVELS, **period: Any) -> BonusCurve:
    """What the bonuses of all together cost at each ambition, the same for everybody.

    Args:
        forecast: of the period.
        bonus: what is paid.
        levels: ambitions, each between 0 and 1.
        period: as in `goals`: by, price, base, first, last, common, confidence.

    Raises:
        ParameterError: as `goals`.

    Cost: that of `goals` per level.

    >>> from datetime import date
    >>> sold = np.random.default_rng(0).lognormal(3.0, 0.4, (20, 400, 28)).astype(np.float32)
    >>> curve = cost_by_ambition(Forecast(sold, date(2027, 1, 1)), Bonus(fixed=100), levels=[0.25, 0.5, 0.75])
    >>> [round(cost) for cost in curve.table["cost"]]
    [1505, 1005, 505]
    """
    check_levels("ambition", levels)
    rows: list[dict[str, float]] = []
    confidence = period.get("confidence", 0.95)
    for level in sorted(levels):
        found = goals(forecast, level, bonus=bonus, **period)
        low, high = found.bill([(1 - confidence) / 2, (1 + confidence) / 2])
        cost = dict(zip(("cost", "cost_low", "cost_high"), found.cost, strict=True))
        rows.append({"ambition": level, "goals": found.table["goal"].sum(), "met": found.table["met"].mean()} | cost | {"bill_low": low, "bill_high": high})  # fmt: skip
    return BonusCurve(pl.DataFrame(rows), confidence, forecast.paths)


def ambition_for(forecast: Forecast, bonus: Bonus, budget: float, *, chance: float | None = None, **period: Any) -> Goals:
    """The lowest ambition, the same for everybody, whose bonuses fit a budget.

    A higher goal never pays more, path by path, so the bill falls with the ambition and the lowest one is found by bisection over the levels k / paths that paths can tell apart.

    Args:
        forecast: of the period.
        bonus: what is paid.
        budget: money for all bonuses together.
        chance: with which the bill itself must stay within the budget, such as 0.9; None: its mean.
        period: as in `goals`: by, price, base, first, last, common, confidence.

    Returns:
        The goals at that ambition.

    Raises:
        ParameterError: a budget below 0, or one that the highest ambition exceeds: says what that costs.

    Cost: that of `goals`, log2(paths) times.

    >>> from datetime import date
    >>> sold = np.random.default_rng(0).lognormal(3.0, 0.4, (20, 400, 28)).astype(np.float32)
    >>> found = ambition_for(Forecast(sold, date(2027, 1, 1)), Bonus(fixed=100), budget=800)
    >>> round(found.table["ambition"][0], 3), round(found.cost[0], 3)
    (0.603, 800.0)
    """
    if not (np.isfinite(budget) and budget >= 0):
        raise ParameterError(f"The 'budget' of bonuses is money of 0 or more. Got {budget}.", parameter="budget", value=budget)
    if chance is not None and not 0 < chance < 1:
        raise ParameterError(f"The 'chance' to stay within the budget is between 0 and 1. Got {chance}.", parameter="chance", value=chance)

    def at(place: int) -> tuple[Goals, float]:
        found = goals(forecast, place / forecast.paths, bonus=bonus, **period)
        return found, found.cost[0] if chance is None else float(found.bill(chance))

    low, high = 0, forecast.paths - 1
    best, least = at(high)
    if least > budget:
        said = "on average" if chance is None else f"with a chance of {chance:.0%}"
        raise ParameterError(
            f"No ambition costs {budget:g} or less {said}: at {high / forecast.paths:g}, the highest that {forecast.paths:,} paths can tell, bonuses come to {least:.6g}. Give a larger budget, a smaller bonus or a cap.",
            parameter="budget", value=budget,
        )  # fmt: skip
    while high - low > 1:
        middle = (low + high) // 2
        found, cost = at(middle)
        if cost <= budget:
            best, high = found, middle
        else:
            low = middle
    return best
