"""Who gets what when money is short: the multiple-choice knapsack, solved by the price of money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import kernel
from vitrina.base.printing import short
from vitrina.policy.hull import Floats, Steps, Table
from vitrina.types import Float64, Int32

OWNER = "assign_with_budget"
ROUNDING = 1e-12  # of the money that is moved: what sums are off by


def assign_with_budget(
    value: Any, cost: ArrayLike, budget: float, *, allowed: ArrayLike | None = None, roi: float | None = None
) -> Assignment:
    """One arm for each unit, so that the values add up to the most that a total cost allows: max sum v[i, a(i)] where sum c[i, a(i)] <= budget.

    With a price m on money each unit takes the arm of the largest v - m c by itself; the dual is the m at which the budget is just spent. It is found exactly, by taking the steps of all units' hulls in the
    order of their value per cost ([Kellerer, Pferschy and Pisinger 2004](https://doi.org/10.1007/978-3-540-24777-7), chapter 11), not by trying prices. A step that no longer fits is left out with what follows it for that
    unit, and later ones that fit are taken; so the value is within one step of one unit of the best, and `bound` says what no assignment can exceed. Equal slopes go by unit. The budget is never
    overrun.

    Any value and cost may be negative: an arm that saves money is where a unit starts. With `roi` the values must come to at least `roi` times the costs, sum v >= roi * sum c. Steps above that
    slope help and those below it cost, in the order in which they are taken anyway, so one multiplier is enough for both constraints; where values are money, roi=1 is the assignment that pays for itself.
    Where value and revenue are two things, the free lunch of [Goldenberg et al. 2020](https://doi.org/10.1145/3383313.3412215) is a budget: give as cost the revenue that is lost (below 0 where it is
    gained), and 0 as the budget.

    Args:
        value: (units, arms) what each arm is worth, the control among the arms; or `vt.policy.Predictions`. For `roi` differences to the control.
        cost: (arms,) or (units, arms), any sign.
        budget: the most that all units may cost together; infinite where only `roi` binds.
        allowed: (units, arms) or (arms,) mask of arms that may be given.
        roi: the least value per cost of the whole, at least 0.

    Raises:
        ParameterError: shapes don't fit, numbers aren't finite, a unit is allowed no arm, or nothing is within the budget or reaches the `roi`: then it says what is the least, or the most, that can be had.

    Cost: a hull per unit, spread over the cores, and one sort of the steps; memory for some 30 bytes per step, of which a unit has fewer than arms.

    >>> chosen = assign_with_budget(value=[[0, 30, 10], [0, 40, 50], [0, 10, 55]], cost=[0, 3, 6], budget=12)
    >>> chosen.arms.tolist(), chosen.spent, chosen.value, round(chosen.multiplier, 2)
    ([1, 1, 2], 12.0, 125.0, 3.33)
    """
    table = Table.of(OWNER, getattr(value, "values", value), cost, allowed)
    _in_domain(budget, roi)
    steps = Steps.of(table)
    arms = steps.start.copy()
    costs, values = chosen(table.cost, arms), chosen(table.value, arms)
    room = ROUNDING * (np.abs(costs).sum() + (abs(budget) if np.isfinite(budget) else 0.0))
    if costs.sum() > budget + room:
        raise ParameterError(
            f"No assignment costs {budget:g} or less: the cheapest arms of all units come to {costs.sum():.10g} together. Give a budget of that at least, or allow cheaper arms.",
            owner=OWNER, parameter="budget", value=budget,
        )  # fmt: skip
    rate = -np.inf if roi is None else float(roi)
    lead = np.inf if roi is None else float(values.sum() - rate * costs.sum())
    near = 0.0 if roi is None else ROUNDING * float(np.abs(values).sum() + rate * np.abs(costs).sum())
    lead, more, multiplier = _take(
        table.value, table.cost, steps.units, steps.arms, steps.before, steps.slopes, arms, budget - costs.sum() + room, lead, rate, near
    )
    bound = float(values.sum()) + more
    costs, values = chosen(table.cost, arms), chosen(table.value, arms)
    if lead < -near:
        raise ParameterError(
            f"No assignment within the budget brings {roi:g} per 1 spent: the best of them comes to a value of {values.sum():.6g} for {costs.sum():.6g}. Ask for less, or allow "
            "cheaper arms.", owner=OWNER, parameter="roi", value=roi,
        )  # fmt: skip
    return Assignment(arms, costs, values, float(budget), roi, float(multiplier), max(bound, float(values.sum())), table.value.shape[1])


def _in_domain(budget: float, roi: float | None) -> None:
    if not isinstance(budget, (int, float, np.integer, np.floating)) or np.isnan(budget):
        raise ParameterError(
            f"The 'budget' of {OWNER} is one number, the most that all units may cost together. Got {budget!r}.",
            owner=OWNER,
            parameter="budget",
        )
    if roi is not None and not (np.isfinite(roi) and roi >= 0):
        raise ParameterError(
            f"The 'roi' of {OWNER} is a value per cost, a finite number of at least 0, or None. Got {roi}.", owner=OWNER, parameter="roi"
        )


def chosen(array: Floats, arms: Int32) -> Float64:
    """(units,) each unit's number of its arm, of (units or 1, arms)."""
    row = array[0][arms] if len(array) == 1 else np.take_along_axis(array, arms[:, None], axis=1)[:, 0]
    return row.astype(np.float64)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Assignment:
    """Who gets which arm, what that costs, and how far from the best it can be at most.

    Args:
        arms: (units,) columns of the arms.
        costs, values: (units,) of the arm that each unit gets.
        budget, roi: what was asked for.
        multiplier: value per cost of the first step that was too dear: what the last money brought, and the next would bring. 0 where no constraint binds. A unit by itself takes the arm of the largest
            value - multiplier * cost.
        bound: no assignment within the constraints is worth more: the value where a share of a unit may be treated.
        count: how many arms there are.
    """

    arms: Int32  # (units,)
    costs: Float64  # (units,)
    values: Float64  # (units,)
    budget: float
    roi: float | None
    multiplier: float
    bound: float
    count: int

    def __len__(self) -> int:
        return len(self.arms)

    @property
    def spent(self) -> float:
        """What all units cost together."""
        return float(self.costs.sum())

    @property
    def value(self) -> float:
        """What all units are worth together."""
        return float(self.values.sum())

    @property
    def gap(self) -> float:
        """How much of the bound is missing, as a share of it, at most; NaN where the bound is 0 and is not reached."""
        missing = self.bound - self.value
        return 0.0 if missing <= 0 else missing / abs(self.bound) if self.bound else float("nan")

    @property
    def table(self) -> pl.DataFrame:
        """A row per arm: arm, units, share, cost and value of all who get it."""
        return self.by(np.zeros(len(self), np.int8)).drop("segment")

    def by(self, segments: Any, names: Sequence[str] | None = None) -> pl.DataFrame:
        """A row per segment and arm: segment, arm, units, share of the segment, cost and value of all its units that get the arm.

        Args:
            segments: (units,) any values.
            names: of the arms; None: their columns.
        """
        of = pl.DataFrame({"segment": segments, "arm": self.arms, "cost": self.costs, "value": self.values})
        rows = of.group_by("segment", "arm").agg(units=pl.len(), cost=pl.col("cost").sum(), value=pl.col("value").sum())
        grid = of.select(pl.col("segment").unique()).join(pl.DataFrame({"arm": np.arange(self.count, dtype=np.int32)}), how="cross")
        rows = grid.join(rows, on=["segment", "arm"], how="left", nulls_equal=True).fill_null(0).sort("segment", "arm")
        rows = rows.with_columns(share=pl.col("units") / pl.col("units").sum().over("segment"))
        arm = pl.col("arm") if names is None else pl.Series("arm", list(names)).gather(rows["arm"])
        return rows.select("segment", arm, "units", "share", "cost", "value")

    def __repr__(self) -> str:
        limit = f" of {short(self.budget)}" if np.isfinite(self.budget) else ""
        return (
            f"Assignment({len(self):,} units; {short(self.spent)}{limit} spent, worth {short(self.value)}, at most {self.gap:.1e} below the best; "
            f"the last money brought {short(self.multiplier)} per 1)"
        )


@kernel
def _take(value, cost, units, arms_to, arms_from, slopes, arms, left, lead, rate, near):  # pragma: no cover
    """Take in `arms` each step that fits; the lead over the rate at the end, what the best mix gains over the start, and the slope where it ends."""
    out = np.zeros(len(arms), np.bool_)  # units one of whose steps didn't fit
    gained, bound, multiplier, most, full = 0.0, 0.0, 0.0, abs(lead), False
    for step in range(len(units)):
        i = units[step]
        if out[i]:
            continue
        row = i if len(cost) > 1 else 0
        more = np.float64(cost[row, arms_to[step]]) - np.float64(cost[row, arms_from[step]])
        gain = np.float64(value[i, arms_to[step]]) - np.float64(value[i, arms_from[step]])
        ahead = gain - rate * more
        spare = lead + near + 1e-12 * most
        if more <= left and (slopes[step] >= rate or ahead + spare >= 0):
            arms[i] = arms_to[step]
            left -= more
            lead += ahead
            most = max(most, abs(lead))
            gained += gain
            continue
        out[i] = True
        if not full:
            share = min(1.0, left / more)
            if slopes[step] < rate:
                share = min(share, max(lead, 0.0) / -ahead)
            full, bound, multiplier = True, gained + share * gain, slopes[step]
    return lead, (bound if full else gained), multiplier
