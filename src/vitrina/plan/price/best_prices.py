"""Prices that earn most, beside those of today, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.printing import fixed, short, short_interval
from vitrina.base.showing import titled
from vitrina.base.showing import to_pandas as as_pandas
from vitrina.plan.price.response import CHOSEN
from vitrina.plan.stock.optimised import Gap, Optimised
from vitrina.types import Bool, Float64


@final
@dataclass(frozen=True, eq=False, repr=False)
class BestPrices:
    """The price of each series that earns most with its best stock, and the same for today's price.

    Args:
        price: (series,) that earns most on the paths that chose; today's where none does better.
        today: (series,) prices of today.
        best, now: the best stock at either, on paths that chose neither.
        drawn: (draws, series) what the price earns more than today's, of draws of the response and of paths.
        confidence: of intervals.
        edge: (series,) "lowest" or "highest" where the price is an end of the range in which it was looked for, else "".
        beyond: (series,) whether the price is outside of those that were seen.
        elasticity: (series,) of the response.
        observed: whether the response comes of prices that were chosen.
        profile: a row per series and price that was tried: series, price, profit (mean of the paths that chose).
        gap: to a fine grid; None where none was asked for.
        seed: of all that was drawn.
    """

    price: Float64
    today: Float64
    best: Optimised
    now: Optimised
    drawn: Float64
    confidence: float
    edge: tuple[str, ...]
    beyond: Bool
    elasticity: Float64
    observed: bool
    profile: pl.DataFrame
    gap: Gap | None
    seed: int

    def __len__(self) -> int:
        return len(self.price)

    @property
    def difference(self) -> Float64:
        """(series,) profit at the price less that at today's, expected over what isn't known of the response."""
        return self.drawn.mean(axis=0)

    @property
    def interval(self) -> Float64:
        """(2, series) ends of the interval of the expected difference."""
        return np.quantile(self.drawn, [(1 - self.confidence) / 2, (1 + self.confidence) / 2], axis=0)

    @property
    def chance(self) -> Float64:
        """(series,) that the price earns more than today's, on average over paths."""
        return (self.drawn > 0).mean(axis=0)

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per series: item, today, price, change (share), elasticity, profit_today, profit, difference, low, high, chance, edge, beyond, held (whether it is worth holding at that price)."""
        low, high = self.interval
        return pl.DataFrame({
            "item": self.best.simulated.table["item"], "today": self.today, "price": self.price, "change": self.price / self.today - 1, "elasticity": self.elasticity,
            "profit_today": self.now.profit.mean(axis=1), "profit": self.now.profit.mean(axis=1) + self.difference, "difference": self.difference, "low": low, "high": high,
            "chance": self.chance, "edge": list(self.edge), "beyond": self.beyond, "held": self.best.held,
        })  # fmt: skip

    @cached_property
    def sentences(self) -> list[str]:
        """What to tell a reader."""
        low, high = self.interval
        up, down, sure = (int(which.sum()) for which in (self.price > self.today, self.price < self.today, low > 0))
        days = self.best.simulated.days
        told = [CHOSEN] if self.observed else []
        told.append(
            f"Of {len(self):,} series {up:,} earn most at a higher price than today's and {down:,} at a lower one: together {short_interval(float(self.difference.sum()), float(low.sum()), float(high.sum()))} more over {days} days "
            f"than {short(float(self.now.profit.mean(axis=1).sum()))} with the best stock at today's prices. The interval is that of items that are all wrong to the same side."
        )
        told.append(
            f"Of {sure:,} series the gain is told apart from 0 (the {self.confidence:.0%} interval is above it); of the others it may be a loss, and a test of the price comes first."
        )
        ends = sum(map(bool, self.edge))
        if ends:
            told.append(f"{ends:,} of the prices are at the end of the range in which they were looked for: a better one may be beyond it.")
        if self.beyond.any():
            told.append(f"{int(self.beyond.sum()):,} of the prices are outside of those that were seen: what demand does there is a guess.")
        if self.gap is not None:
            told.append(
                f"On {self.gap.series:,} series a fine grid of prices earns {fixed(100 * self.gap.share, 3)}% more on the same paths, {fixed(100 * self.gap.high, 3)}% at most (95%)."
            )
        told.append(
            f"{self.now.simulated.paths:,} paths and {len(self.drawn):,} draws of the response judged (seed {self.seed}); {4 * self.now.simulated.paths:,} paths would halve what chance of the days adds to the intervals."
        )
        return told

    def __repr__(self) -> str:
        return f"BestPrices({len(self):,} series): " + " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)

    def to_pandas(self) -> Any:
        """`table` as a pandas DataFrame."""
        return as_pandas(self.table)
