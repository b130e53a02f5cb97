"""The steps by which money is best spent: for each unit the arms that are worth their cost, for all units the dearest value per cost first.

Of a unit's arms (cost c, value v) only those on the upper left convex hull are ever chosen, from the cheapest on: the others cost more than a mix of two that is
worth as much. A step goes from one arm of the hull to the next; its slope (v' - v) / (c' - c) falls from step to step. So all steps of all units, sorted by slope,
can be taken in one row: no unit's second step comes before its first, and what is reached at any spend is the best that can be had for it
([Kellerer, Pferschy and Pisinger 2004](https://doi.org/10.1007/978-3-540-24777-7), chapter 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread, kernel
from vitrina.types import Bool, Float64, Int32

Floats = NDArray[Any]  # float32 or float64


class Table(NamedTuple):
    """Numbers of units and arms as they are looked at: checked, and not copied where they are floats already.

    Args:
        value: (units, arms).
        cost: (units, arms), or (1, arms) for all units alike.
        allowed: (units, arms), or (1, arms).
    """

    value: Floats
    cost: Floats
    allowed: Bool

    @classmethod
    def of(cls, owner: str, value: Any, cost: Any, allowed: Any, named: str = "value") -> Table:
        """The arrays of the function `owner`, whose first is called `named`.

        Raises:
            ParameterError: shapes don't fit, a number isn't finite where an arm is allowed, or a unit is allowed no arm.
        """
        values = floats(owner, named, value)
        if values.ndim != 2 or not values.shape[1]:
            raise ParameterError(
                f"The {named!r} of {owner} is (units, arms), a column per arm, the control among them. Got the shape {values.shape}.",
                owner=owner, parameter=named,
            )  # fmt: skip
        costs = np.atleast_2d(floats(owner, "cost", cost))
        may = np.atleast_2d(np.ones(values.shape[1], bool) if allowed is None else np.asarray(allowed))
        for name, array in (("cost", costs), ("allowed", may)):
            if array.shape not in (values.shape, (1, values.shape[1])):
                raise ParameterError(
                    f"The {name!r} of {owner} is ({values.shape[1]},), one per arm, or {values.shape}, a row per unit. Got {array.shape}.",
                    owner=owner, parameter=name,
                )  # fmt: skip
        if may.dtype != np.bool_:
            raise ParameterError(
                f"The 'allowed' of {owner} is a mask of True and False. Got {may.dtype}.", owner=owner, parameter="allowed"
            )
        if not may.any(axis=1).all():
            raise ParameterError(
                f"Each unit of {owner} must be allowed one arm at least: allow everybody the control. Unit {int(np.argmin(may.any(axis=1)))} "
                "is allowed none.", owner=owner, parameter="allowed",
            )  # fmt: skip
        table = cls(values, costs, may)
        for name, array in ((named, values), ("cost", costs)):
            table._finite(owner, name, array)
        return table

    def _finite(self, owner: str, name: str, array: Floats) -> None:
        if _sum(array) == 0 or np.isfinite(_sum(array)):
            return
        wrong = ~np.isfinite(array) & self.allowed
        if wrong.any():
            unit, arm = (int(at[0]) for at in np.nonzero(wrong))
            got = array[unit if len(array) > 1 else 0, arm]
            raise ParameterError(
                f"The {name!r} of {owner} must be finite wherever an arm is allowed. Got {got} for unit {unit}, arm {arm}: leave the unit out, or the arm "
                "with allowed=.", owner=owner, parameter=name,
            )  # fmt: skip


def floats(owner: str, name: str, values: ArrayLike) -> Floats:
    """As float32 or float64, not copied where it is one.

    Raises:
        ParameterError: they are no numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ParameterError(f"The {name!r} of {owner} must be numbers. Got {array.dtype}.", owner=owner, parameter=name)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _sum(array: Floats) -> float:
    """Not finite where one of the numbers isn't; quicker than to ask each."""
    with np.errstate(all="ignore"):
        return float(array.sum(dtype=np.float64))


@final
@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of all units, the largest slope first, equal ones by unit.

    Args:
        start: (units,) the arm of each unit before any step: the cheapest, of equally cheap ones the most valuable.
        units: (steps,) whose step it is.
        arms: (steps,) where it leads.
        before: (steps,) where it comes from.
        slopes: (steps,) value per cost, above 0.
    """

    start: Int32  # (units,)
    units: Int32  # (steps,)
    arms: NDArray[np.int16]  # (steps,)
    before: NDArray[np.int16]  # (steps,)
    slopes: Float64  # (steps,)

    @classmethod
    def of(cls, table: Table) -> Steps:
        """All steps that gain something.

        Cost: units * arms for the hulls, spread over the cores, and a sort of the steps; beside the answer memory for 20 bytes per step.

        >>> table = Table.of("example", [[0, 30, 10], [0, 40, 50], [0, 10, 55]], [0, 3, 6], None)
        >>> steps = Steps.of(table)
        >>> list(zip(steps.units.tolist(), steps.arms.tolist(), steps.slopes.round(2).tolist()))
        [(1, 1, 13.33), (0, 1, 10.0), (2, 2, 9.17), (1, 2, 3.33)]
        """
        n = len(table.value)
        start, counts = np.empty(n, np.int32), np.zeros(n + 1, np.int64)
        _count(n, *table, start, counts[1:])
        ends = np.cumsum(counts)
        total = int(ends[-1])
        units, slopes = np.empty(total, np.int32), np.empty(total)
        arms, before = np.empty(total, np.int16), np.empty(total, np.int16)
        _fill(n, *table, ends, units, arms, before, slopes)
        order = falling(slopes)
        return cls(start, units[order], arms[order], before[order], slopes[order])

    def __len__(self) -> int:
        return len(self.units)


def falling(keys: Float64) -> NDArray[np.int64]:
    """The order that puts the largest key first, equal ones as they come.

    >>> falling(np.array([1.0, 3.0, 3.0, 2.0])).tolist()
    [1, 2, 3, 0]
    """
    least = -keys
    order = np.argsort(least)  # three times as fast as the stable sort, and the same where no two keys are equal
    if (np.diff(keys[order]) == 0).any():
        return np.argsort(least, kind="stable")
    return order


@kernel
def _hull(value, cost, allowed, i, arms, slopes):  # pragma: no cover
    """Leave in `arms` unit i's arms of the hull from the cheapest on, and in `slopes` those of the steps to them; how many steps they are."""
    priced, may = (i if len(cost) > 1 else 0), (i if len(allowed) > 1 else 0)
    start, low, base = -1, 0.0, 0.0
    for a in range(value.shape[1]):
        c, v = cost[priced, a], value[i, a]
        if allowed[may, a] and (start < 0 or c < low or (c == low and v > base)):
            start, low, base = a, c, v
    arms[0] = start
    count = 1
    for a in range(value.shape[1]):  # by cost, and the most valuable of equally dear ones first
        c, v = cost[priced, a], value[i, a]
        if allowed[may, a] and v > base:
            at = count
            while at > 1 and (cost[priced, arms[at - 1]] > c or (cost[priced, arms[at - 1]] == c and value[i, arms[at - 1]] < v)):
                arms[at] = arms[at - 1]
                at -= 1
            arms[at] = a
            count += 1
    top = 0
    for place in range(1, count):
        a = arms[place]
        c, v = np.float64(cost[priced, a]), np.float64(value[i, a])
        if v <= value[i, arms[top]]:
            continue
        while True:
            slope = (v - value[i, arms[top]]) / (c - cost[priced, arms[top]])
            if top == 0 or slope < slopes[top]:
                break
            top -= 1
        top += 1
        arms[top], slopes[top] = a, slope
    return top


@Spread
def _count(first, last, value, cost, allowed, start, counts):  # pragma: no cover
    arms, slopes = np.empty(value.shape[1], np.int64), np.empty(value.shape[1])
    for i in range(first, last):
        counts[i] = _hull(value, cost, allowed, i, arms, slopes)
        start[i] = arms[0]


@Spread
def _fill(first, last, value, cost, allowed, ends, units, arms_to, arms_from, slope_of):  # pragma: no cover
    arms, slopes = np.empty(value.shape[1], np.int64), np.empty(value.shape[1])
    for i in range(first, last):
        _hull(value, cost, allowed, i, arms, slopes)
        for step in range(ends[i + 1] - ends[i]):
            at = ends[i] + step
            units[at], arms_to[at], arms_from[at], slope_of[at] = i, arms[step + 1], arms[step], slopes[step + 1]
