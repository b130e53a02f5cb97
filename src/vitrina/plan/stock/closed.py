"""Closed forms of stock: what a level costs on average per period, and the best one, without a simulation.

They hold where no unit ages, packs are of one unit, demand is the same in every period and independent of the others, and who finds nothing waits (back-orders). One period goes
like this: what was ordered arrives, an order is placed, demand comes, and holding and shortage are paid on what is left at the end. An order arrives `lead` periods later, before
the demand of that period, so that an order of lead 0 is there for the demand of its own period.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vitrina.base.errors import MemoryBudgetError, ParameterError
from vitrina.plan.stock.chances import Discrete, Normal
from vitrina.types import Float64

MOST_LEVELS = 1_000_000  # between s and S, or in Q


class Level(NamedTuple):
    """Up to which amount to order, and what it costs per period."""

    level: float
    cost: float


class MinMaxLevels(NamedTuple):
    """Order up to `high` when what is there and on the way has fallen to `low` or below; cost per period."""

    low: int
    high: int
    cost: float


class QuantityLevels(NamedTuple):
    """Order `quantity`, more than once where it is needed, when what is there and on the way has fallen to `reorder` or below; cost per period."""

    reorder: int
    quantity: int
    cost: float


def newsvendor(demand: Normal | Discrete | ArrayLike, *, holding: float, shortage: float, level: float | None = None) -> Level:
    """The amount for one period that costs least on average, or the cost of another one.

    cost(S) = holding E(S - D)+ + shortage E(D - S)+, least at the smallest S with P(D <= S) >= shortage / (shortage + holding). [Arrow, Harris and Marschak
    1951](https://doi.org/10.2307/1906813).

    Args:
        demand: of the period; samples count alike.
        holding: money per unit that is left: purchase cost - salvage, or storage and deposit where it can be sold tomorrow.
        shortage: money per unit that was wanted and wasn't there: price - purchase cost where the sale is lost.
        level: an amount whose cost is asked; None for the best one.

    Raises:
        ParameterError: holding or shortage isn't above 0, or there are no samples.
    Cost: the units of the law, or a sort of the samples.

    >>> best = newsvendor(Normal(50, 8), holding=0.18, shortage=0.7)
    >>> f"{best.level:.6f} costs {best.cost:.6f}, 40 {newsvendor(Normal(50, 8), holding=0.18, shortage=0.7, level=40).cost:.6f}"
    '56.603956 costs 1.997605, 40 7.356132'
    """
    _check_costs("newsvendor", holding=holding, shortage=shortage)
    law: Any = demand if isinstance(demand, (Normal, Discrete)) else _Samples(_seen(demand))
    chosen = law.quantile(shortage / (shortage + holding)) if level is None else level
    if isinstance(law, Discrete) and chosen != round(chosen):
        raise ParameterError(
            f"The 'level' of a discrete demand must be whole units. Got {level}.", owner="newsvendor", parameter="level", value=level
        )
    if isinstance(law, Normal) and not law.sd > 0:
        raise ParameterError(
            f"The 'sd' of a normal demand must be above 0; take samples or Discrete for one that is certain. Got {law.sd}."
        )
    amounts: Any = np.array([chosen], np.int64 if isinstance(law, Discrete) else np.float64)
    left = law.left_over(amounts)
    return Level(chosen, float(holding * left[0] + shortage * (law.mean - chosen + left[0])))


def base_stock(
    demand: Discrete | Normal, *, holding: float, shortage: float, lead: int = 0, review: int = 1, level: float | None = None
) -> Level:
    """The level to order up to that costs least per period, or the cost of another one, with back-orders.

    What is ordered today decides the stock at the end of the periods lead ... lead + review - 1 from now, so cost(S) is the mean over n = lead + 1 ... lead + review of the newsvendor's
    cost under the demand of n periods, least at the quantile shortage / (shortage + holding) of the mixture of their laws. Zipkin 2000, Foundations of Inventory Management, 6.3.

    Args:
        demand: of one period, independent of the others.
        holding, shortage: money per unit and period, of what is left and of what is owed.
        lead: periods until an order arrives.
        review: periods between orders.
        level: a level whose cost is asked; None for the best one.

    Raises:
        ParameterError: costs aren't above 0, the lead is below 0, the review below 1, or a normal demand is reviewed more rarely than every period.

    >>> base_stock(Discrete.poisson(6.0), holding=1, shortage=4, lead=2)
    Level(level=22, cost=6.138...)
    """
    _check_periods("base_stock", lead=lead, review=review)
    if isinstance(demand, Discrete):
        law = Discrete.mixed([demand.over(n) for n in range(lead + 1, lead + review + 1)])
    elif review == 1:
        law = Normal(demand.mean * (lead + 1), demand.sd * np.sqrt(lead + 1))
    else:
        raise ParameterError(
            f"A 'review' above 1 needs a Discrete demand: round samples to whole units and use Discrete.of_samples. Got {review}."
        )
    return newsvendor(law, holding=holding, shortage=shortage, level=level)


def min_max(
    demand: Discrete, *, holding: float, shortage: float, order_cost: float, lead: int = 0, levels: tuple[int, int] | None = None
) -> MinMaxLevels:
    """The (s, S) that cost least per period, or the cost of others, with back-orders and a fixed cost per order.

    With G(y) the newsvendor's cost of y under the demand of lead + 1 periods and m the renewal density of demand, m(j) = sum_i P(D = i) m(j - i), m(0) = 1 / (1 - P(D = 0)),

        cost(s, S) = (order_cost + sum_{j < S - s} m(j) G(S - j)) / sum_{j < S - s} m(j)

    and the best is found by the exact algorithm of [Zheng and Federgruen 1991](https://doi.org/10.1287/opre.39.4.654).

    Args:
        demand: of one period, independent of the others.
        holding, shortage: money per unit and period, of what is left and of what is owed.
        order_cost: money per order.
        lead: periods until an order arrives.
        levels: (s, S) whose cost is asked; None for the best. Some programs order below s and not at it: their s is one higher.

    Raises:
        ParameterError: a cost is out of its domain, nothing is ever wanted, or S isn't above s.
        MemoryBudgetError: more than a million levels lie between s and S.
    Cost: (S - s) x units of the law.

    >>> min_max(Discrete.poisson(10.0), holding=1, shortage=9, order_cost=64)
    MinMaxLevels(low=6, high=40, cost=35.02...)
    """
    costs = _Costs(demand, holding, shortage, order_cost, lead, "min_max")
    if levels is not None:
        low, high = levels
        if not high > low:
            raise ParameterError(
                f"The levels (s, S) of min_max need S above s. Got {levels}.", owner="min_max", parameter="levels", value=levels
            )
        return MinMaxLevels(low, high, costs.of(low, high))
    cheapest = costs.least()
    low = high = cheapest
    while True:
        low -= 1
        best = costs.of(low, high)
        if best <= costs.period(low):
            break
    for top in count(high + 1):
        if costs.period(top) > best:
            return MinMaxLevels(low, high, costs.of(low, high))
        if costs.of(low, top) < best:
            high = top
            while costs.of(low, high) <= costs.period(low + 1):
                low += 1
            best = costs.of(low, high)
    raise AssertionError


def fixed_quantity(
    demand: Discrete, *, holding: float, shortage: float, order_cost: float, lead: int = 0, levels: tuple[int, int] | None = None
) -> QuantityLevels:
    """The (r, Q) that cost least per period, or the cost of others, with back-orders and a fixed cost per order, however many Q are in it.

    After an order what is there and on the way is equally often r + 1 ... r + Q, so that cost(r, Q) = (order_cost E min(D, Q) + sum_{i = 1 ... Q} G(r + i)) / Q, G as in `min_max`.
    The r of a Q takes the Q cheapest levels; the search ends where their mean alone costs more than the best. [Zheng and Chen 1992](https://doi.org/10.1002/1520-6750(199206)39:4<447::AID-NAV3220390403>3.0.CO;2-O).

    Args, Raises: as `min_max`; `levels` are (r, Q), Q 1 or more, and demand isn't always a multiple of a number that Q shares.
    Cost: Q.

    >>> fixed_quantity(Discrete.poisson(10.0), holding=1, shortage=9, order_cost=64)
    QuantityLevels(reorder=6, quantity=39, cost=35.18...)
    """
    costs = _Costs(demand, holding, shortage, order_cost, lead, "fixed_quantity")
    shared = int(np.gcd.reduce(np.flatnonzero(demand.chances)))
    if shared > 1:
        raise ParameterError(
            f"Demand of fixed_quantity comes in multiples of {shared} only. Count in these: Discrete(demand.chances[::{shared}]), with costs for {shared} units."
        )
    if levels is not None:
        low, quantity = levels
        if not quantity >= 1:
            raise ParameterError(
                f"The levels (r, Q) of fixed_quantity need a Q of 1 or more. Got {levels}.",
                owner="fixed_quantity",
                parameter="levels",
                value=levels,
            )
        within = sum(costs.period(low + i) for i in range(1, quantity + 1))
        return QuantityLevels(low, quantity, (within + costs.order * costs.within(quantity)) / quantity)
    best: QuantityLevels | None = None
    for low, quantity, within in costs.cheapest_runs():
        if best is not None and within / quantity > best.cost:
            return best
        cost = (within + costs.order * costs.within(quantity)) / quantity
        if best is None or cost < best.cost:
            best = QuantityLevels(low, quantity, cost)
    raise AssertionError


class _Costs:
    """G(y), the renewal density of demand and what both make of (s, S), computed as far as they are asked for."""

    def __init__(self, demand: Discrete, holding: float, shortage: float, order_cost: float, lead: int, owner: str) -> None:
        _check_costs(owner, holding=holding, shortage=shortage)
        _check_periods(owner, lead=lead)
        if not 0 <= order_cost < np.inf:
            raise ParameterError(
                f"The 'order_cost' of {owner} must be 0 or more. Got {order_cost}.", owner=owner, parameter="order_cost", value=order_cost
            )
        if not isinstance(demand, Discrete) or demand.chances[0] >= 1:
            raise ParameterError(
                f"The 'demand' of {owner} must be a Discrete of which something is wanted. Got {demand!r}.", owner=owner, parameter="demand"
            )
        self.demand, self.until, self.order = demand, demand.over(lead + 1), float(order_cost)
        self.holding, self.shortage, self.owner = holding, shortage, owner
        self.density, self.visits = np.array([1 / (1 - demand.chances[0])]), np.zeros(1)
        self.first, self.cost = 0, np.empty(0)
        self._costs_of(0, 2 * len(self.until.chances))

    def least(self) -> int:
        """The level of the least G."""
        return self.until.quantile(self.shortage / (self.shortage + self.holding))

    def period(self, level: int) -> float:
        """G of the level: what the last of the periods costs that it decides."""
        return float(self._costs_of(level, level + 1)[0])

    def of(self, low: int, high: int) -> float:
        """Per period, of (s, S) = (low, high)."""
        n = high - low
        self._renew(n)
        return float((self.order + self.density[:n] @ self._costs_of(low + 1, high + 1)[::-1]) / self.visits[n])

    def within(self, quantity: int) -> float:
        """E min(demand, quantity)."""
        units = np.arange(len(self.demand.chances))
        return float(self.demand.chances @ np.minimum(units, quantity))

    def cheapest_runs(self) -> Iterator[tuple[int, int, float]]:
        """For Q = 1, 2 ... the r whose levels r + 1 ... r + Q cost least, and the sum of their costs."""
        low = self.least() - 1
        high, total = low + 1, self.period(low + 1)
        for quantity in range(1, MOST_LEVELS):
            yield low, quantity, total
            below, above = self.period(low), self.period(high + 1)
            total += min(below, above)
            low, high = (low - 1, high) if below < above else (low, high + 1)
        self._refuse()

    def _costs_of(self, first: int, last: int) -> Float64:
        """G of the levels first ... last - 1."""
        if first < self.first or last > self.first + len(self.cost):
            room = len(self.cost)
            begin, end = min(self.first, first - room * (first < self.first)), max(self.first + room, last + room)
            levels = np.arange(begin, end)
            left = self.until.left_over(levels)
            self.first, self.cost = begin, self.holding * left + self.shortage * (self.until.mean - levels + left)
        return self.cost[first - self.first : last - self.first]

    def _renew(self, n: int) -> None:
        """m(0) ... m(n - 1) and their sums, in steps that double."""
        known = len(self.density)
        if n >= len(self.visits):
            if n > MOST_LEVELS:
                self._refuse()
            more, chances = np.concatenate([self.density, np.empty(max(n, 64))]), self.demand.chances
            for j in range(known, len(more)):
                reach = min(j, len(chances) - 1)
                more[j] = chances[1 : reach + 1] @ more[j - reach : j][::-1] * more[0]
            self.density, self.visits = more, np.concatenate([[0.0], np.cumsum(more)])

    def _refuse(self) -> None:
        raise MemoryBudgetError(
            f"{self.owner} looks at {MOST_LEVELS:,} levels at most, and these costs need more. Count in packs in place of units, "
            f"with holding and shortage per pack, or look at order_cost, {self.order:g}, and holding, {self.holding:g}."
        )


class _Samples(NamedTuple):
    """Demand of one period as it was seen, of any amounts."""

    seen: Float64

    @property
    def mean(self) -> float:
        return float(self.seen.mean())

    def quantile(self, level: float) -> float:
        return float(np.quantile(self.seen, level, method="inverted_cdf"))

    def left_over(self, levels: Float64) -> Float64:
        return np.maximum(levels[:, None] - self.seen, 0).mean(axis=1)


def _seen(samples: Any) -> Float64:
    seen = np.asarray(samples, np.float64).ravel()
    if not len(seen) or not np.isfinite(seen).all():
        raise ParameterError(
            f"The 'demand' of newsvendor must be a Normal, a Discrete, or samples, one at least and all finite. Got {samples!r}."
        )
    return seen


def _check_costs(owner: str, **costs: float) -> None:
    for name, value in costs.items():
        if not 0 < value < np.inf:
            raise ParameterError(f"The {name!r} of {owner} must be above 0. Got {value}.", owner=owner, parameter=name, value=value)


def _check_periods(owner: str, lead: int, review: int = 1) -> None:
    for name, value, least in (("lead", lead, 0), ("review", review, 1)):
        if int(value) != value or value < least:
            raise ParameterError(
                f"The {name!r} of {owner} must be whole periods, {least} or more. Got {value}.", owner=owner, parameter=name, value=value
            )
