"""What came of a simulation of stock: money, service and stock, per series and path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from scipy.special import stdtrit

from vitrina.base.printing import fixed, short, short_interval
from vitrina.base.showing import titled
from vitrina.base.showing import to_pandas as as_pandas
from vitrina.plan.stock.days import TALLIES
from vitrina.plan.stock.goods import YEAR, Goods
from vitrina.plan.stock.rules import OrderRule
from vitrina.types import Float32, Float64, Int64

HALF = 4  # times as many paths halve an interval
CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean over paths and the ends of its interval."""

    mean: Float64
    low: Float64
    high: Float64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Simulated:
    """What came of playing a rule on the paths of a forecast. Money and units are sums over the days played.

    Args:
        goods: a row per series.
        tally: (series, paths, tallies) units, days and orders; `vt.plan.days.TALLIES` names them, `units` gives one.
        rule: that was played.
        days: played.
        leftover: share of its cost that stock is worth at the end.
        lost: whether demand that wasn't met was lost; otherwise it waited.
        seed: of leads and returns.
        traced: series of which `evenings` are kept.
        evenings: (traced, paths, days) units in stock in the evening.
    """

    goods: Goods
    tally: Float64
    rule: OrderRule
    days: int
    leftover: float
    lost: bool
    seed: int
    traced: Int64
    evenings: Float32

    def __len__(self) -> int:
        return len(self.tally)

    @property
    def paths(self) -> int:
        return self.tally.shape[1]

    def units(self, name: str) -> Float64:
        """(series, paths) one of the tallies: "demand", "sold", "lost", "returned", "spoilt", "written_off", "arrived", "orders", "stock" (units times evenings)..."""
        return self.tally[:, :, TALLIES.index(name)]

    @cached_property
    def money(self) -> dict[str, Float64]:
        """(series, paths) of each part: "margin" of what was sold and stayed sold; costs, all 0 or more: "storage", "deposit", "write_offs", "spoilt", "orders", "penalty", "leftover"."""
        goods = self.goods
        of = {
            "margin": (goods.margin, self.units("sold") - self.units("returned")),
            "storage": (goods.volume * goods.storage, self.units("stock")),
            "deposit": (goods.cost * goods.deposit / YEAR, self.units("stock")),
            "write_offs": (goods.cost * (1 - goods.salvage), self.units("written_off")),
            "spoilt": (goods.cost, self.units("spoilt")),
            "orders": (goods.order_cost, self.units("orders")),
            "penalty": (goods.penalty, self.units("waited")),
            "leftover": (goods.cost * (1 - self.leftover), self.units("left")),
        }
        return {name: rate[:, None] * units for name, (rate, units) in of.items()}

    @cached_property
    def costs(self) -> Float64:
        """(series, paths) all that is taken off the margin."""
        return sum((part for name, part in self.money.items() if name != "margin"), np.zeros(self.tally.shape[:2]))

    @cached_property
    def profit(self) -> Float64:
        """(series, paths) margin less costs."""
        return self.money["margin"] - self.costs

    @property
    def ideal(self) -> Float64:
        """(series, paths) (price - cost) * demand: what would be earned if nothing were ever missed or held."""
        return self.goods.margin[:, None] * self.units("demand")

    @property
    def lost_margin(self) -> Float64:
        """(series, paths) margin of the demand that was lost; no part of the profit."""
        return self.goods.margin[:, None] * self.units("lost")

    @property
    def fill_rate(self) -> Float64:
        """(series,) share of the demand that was met on its day; NaN where nothing was wanted."""
        return _ratio(self.units("served").sum(axis=1), self.units("demand").sum(axis=1))

    @property
    def in_stock(self) -> Float64:
        """(series,) share of the days on which nobody went without."""
        return 1 - self.units("short").mean(axis=1) / self.days

    @property
    def mean_stock(self) -> Float64:
        """(series,) units in stock in the evening."""
        return self.units("stock").mean(axis=1) / self.days

    def interval(self, values: Float64, confidence: float = CONFIDENCE) -> Estimate:
        """Means over paths (the last axis), with Student's interval; NaN ends where there is one path."""
        paths = values.shape[-1]
        mean = values.mean(axis=-1)
        if paths < 2:
            nothing = np.full_like(mean, np.nan)
            return Estimate(mean, nothing, nothing)
        half = stdtrit(paths - 1, (1 + confidence) / 2) * values.std(axis=-1, ddof=1) / np.sqrt(paths)
        return Estimate(mean, mean - half, mean + half)

    @property
    def paths_to_halve(self) -> int:
        """How many paths would make intervals half as wide."""
        return ceil(HALF * self.paths)

    def bands(self, levels: Sequence[float]) -> Float64:
        """(levels, traced, days) quantiles over the paths of the stock of each evening."""
        return np.quantile(self.evenings, np.asarray(levels, np.float64), axis=1).astype(np.float64)

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per series: means over paths, and the interval of the profit."""
        profit = self.interval(self.profit)
        ids = pl.Series(np.arange(len(self))) if self.goods.ids is None else self.goods.ids
        parts = {name: part.mean(axis=1) for name, part in self.money.items()}
        return pl.DataFrame(
            {
                "item": ids, "profit": profit.mean, "low": profit.low, "high": profit.high, "ideal": self.ideal.mean(axis=1), **parts,
                "lost_margin": self.lost_margin.mean(axis=1), "demand": self.units("demand").mean(axis=1), "sold": self.units("sold").mean(axis=1),
                "written_off": self.units("written_off").mean(axis=1), "order_count": self.units("orders").mean(axis=1), "fill_rate": self.fill_rate,
                "in_stock": self.in_stock, "mean_stock": self.mean_stock,
            }
        )  # fmt: skip

    @property
    def total(self) -> Estimate:
        """Profit of all series together."""
        return self.interval(self.profit.sum(axis=0))

    @cached_property
    def sentences(self) -> list[str]:
        """What to tell a reader."""
        total, ideal = self.total, float(self.ideal.sum() / self.paths)
        losing = int((self.interval(self.profit).high < 0).sum())
        told = [
            f"Over {self.days} days {len(self):,} series earn {short_interval(*map(float, total))} together: "
            f"{fixed(100 * float(total.mean) / ideal, 1) if ideal else '–'}% of the margin of all that is wanted ({short(ideal)})."
        ]
        costs = sorted(((float(part.sum() / self.paths), name) for name, part in self.money.items() if name != "margin"), reverse=True)
        named = [f"{name.replace('_', '-')} {short(cost)}" for cost, name in costs if cost]
        if named:
            told.append(f"Taken off the margin: {', '.join(named)}.")
        served, wanted = self.units("served").sum(), self.units("demand").sum()
        met = f"{100 * served / wanted:.1f}%" if wanted else "nothing was wanted, so none"
        told.append(f"{met} of the demand is met on its day; the rest {'is lost' if self.lost else 'waits'}.")
        if losing:
            told.append(f"{losing:,} series lose money, by an interval that is below 0.")
        told.append(
            f"Each mean is over {self.paths:,} paths (seed {self.seed}), in brackets its {CONFIDENCE:.0%} interval; {self.paths_to_halve:,} paths would halve it. "
            f"Stock left at the end counts {self.leftover:.0%} of its cost."
        )
        return told

    def __repr__(self) -> str:
        return f"Simulated({len(self):,} series, {self.paths:,} paths, {self.days} days): " + " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)

    def to_pandas(self) -> Any:
        """`table` as a pandas DataFrame."""
        return as_pandas(self.table)


def _ratio(part: Float64, whole: Float64) -> Float64:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
