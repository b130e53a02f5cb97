"""What an optimisation of stock found: levels, what they earn on paths that didn't choose them, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeAlias, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from vitrina.base.printing import fixed, short, short_interval
from vitrina.base.showing import titled
from vitrina.base.showing import to_pandas as as_pandas
from vitrina.plan.stock.rules import FixedQuantity, MinMaxStock, OrderRule, OrderUpTo
from vitrina.plan.stock.simulated import HALF, Simulated
from vitrina.types import Bool, Float64

Family: TypeAlias = type[OrderUpTo] | type[MinMaxStock] | type[FixedQuantity]

NAMES: dict[Any, dict[str, str]] = {  # of a column: the parameter of the rule
    OrderUpTo: {"safety": "safety"}, MinMaxStock: {"order_at": "low", "order_up_to": "high"}, FixedQuantity: {"order_at": "point", "quantity": "quantity"},
}  # fmt: skip


class Gap(NamedTuple):
    """How far a search stays below a fine grid, measured on some series and the paths of the search; a share of the profit of the fine grid."""

    series: int
    share: float
    high: float  # the upper end of its 95% interval over series
    worst: float  # of one series, in money

    @classmethod
    def of(cls, found: Float64, fine: Float64) -> Self:
        """Of profits (series,) of both."""
        best = np.maximum(found, fine)
        short, scale, n = best - found, float(np.abs(best).sum()), len(found)
        if not scale:
            return cls(n, 0.0, 0.0, 0.0)
        share = float(short.sum()) / scale
        off = short - share * np.abs(best)
        error = float(np.sqrt(n / max(n - 1, 1) * (off**2).sum())) / scale
        return cls(n, share, share + float(stdtrit(max(n - 1, 1), 0.975)) * error, float(short.max()))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Optimised:
    """Levels that earn most, per series.

    Args:
        rule: with the levels of each series.
        simulated: the rule played on paths that it wasn't chosen by.
        held: (series,) False where ordering nothing earned more than the best levels.
        chosen_at: (series,) mean profit on the paths that chose.
        paths: that chose.
        tried: candidates that were played, over all series.
        gap: to a fine grid; None where none was asked for.
    """

    rule: OrderRule
    simulated: Simulated
    held: Bool
    chosen_at: Float64
    paths: int
    tried: int
    gap: Gap | None

    def __len__(self) -> int:
        return len(self.held)

    @property
    def profit(self) -> Float64:
        """(series, paths) of the paths that judge."""
        return self.simulated.profit

    @property
    def optimism(self) -> Float64:
        """(series,) mean profit on the paths that chose, less that on the others: chance in each series, but on average what choosing by accidents promised too much."""
        return self.chosen_at - self.profit.mean(axis=1)

    @property
    def levels(self) -> dict[str, Float64]:
        """(series,) what was found, by the names of columns."""
        return {column: np.asarray(getattr(self.rule, name), np.float64) for column, name in NAMES[type(self.rule)].items()}

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per series: its levels, whether it is held at all, and what `Simulated.table` has of it, with the optimism."""
        rest = self.simulated.table
        first = {"item": rest["item"], **self.levels, "held": self.held}
        return pl.DataFrame(first).hstack(rest.drop("item")).with_columns(optimism=pl.Series(self.optimism))

    @cached_property
    def sentences(self) -> list[str]:
        """What to tell a reader."""
        total, chosen = self.simulated.total, float(self.chosen_at.sum())
        mean, days = float(total.mean), self.simulated.days
        told = [
            f"{int(self.held.sum()):,} of {len(self):,} series are worth holding; with the best levels all earn {short_interval(*map(float, total))} over {days} days."
        ]
        share = f", {fixed(100 * (chosen - mean) / abs(mean), 2)}%" if mean else ""
        told.append(
            f"That is on {self.simulated.paths:,} paths that chose nothing. On the {self.paths:,} that chose the levels it was {short(chosen)}: an optimism of {short(chosen - mean)}{share}. "
            f"{HALF * self.simulated.paths:,} judging paths would halve the interval."
        )
        if self.gap is not None:
            told.append(
                f"On {self.gap.series:,} series a fine grid earns {fixed(100 * self.gap.share, 3)}% more on the same paths, {fixed(100 * self.gap.high, 3)}% at most (95%); "
                f"{self.tried / len(self):,.0f} candidates were played per series."
            )
        return told

    def __repr__(self) -> str:
        return f"Optimised({type(self.rule).__name__}, {len(self):,} series): " + " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)

    def to_pandas(self) -> Any:
        """`table` as a pandas DataFrame."""
        return as_pandas(self.table)


def rule_of_rows(rule: Any, rows: NDArray[Any]) -> OrderRule:
    """The rule with the levels of these series, in this order."""
    return type(rule)(**{name: tuple(np.asarray(getattr(rule, name))[rows].tolist()) for name in NAMES[type(rule)].values()})
