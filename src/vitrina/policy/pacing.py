"""A budget that must last: requests come one by one, and each is decided before the next is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Self, final

import numpy as np
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import kernel
from vitrina.base.printing import short
from vitrina.policy.budget import chosen
from vitrina.policy.hull import Steps, Table
from vitrina.types import Float64, Int32

OWNER = "BudgetPacer"
POINTS = 2048  # prices that are kept of a sample
MEMORY = 0.05  # of the requests: after so many, what was spent beside what was expected counts half


@final
@dataclass(frozen=True, eq=False, repr=False)
class BudgetPacer:
    """Decides requests as they come, so that a budget lasts until the last of them: what is known at a moment. `assign` gives what is known after more requests.

    A sample of earlier requests says what is spent per request at each price of money. A request is decided at the price at which what is left would be spent on those that are still to come; it takes the arm
    of the largest value - price * cost that what is left can pay. Where requests turn out to be dearer or cheaper than the sample, the spend that is expected is corrected by what was spent lately beside what was
    expected: earlier requests count half after a twentieth of the requests. An order of the requests by value, such as dear ones in the evening, isn't foreseen: the price is right where the hours of a day are alike.

    It holds numbers alone: `dataclasses.asdict` gives what a service keeps between two processes, and `BudgetPacer(**kept)` goes on.

    Args:
        prices: (points,) falling.
        spends: (points,) mean cost per request of the sample at each.
        budget: of the whole time.
        requests: that are expected in it.
        spent, seen: until now.
        actual, expected: what was spent lately, and what the sample said, both forgotten alike.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> value = np.column_stack([np.zeros(1000), rng.random(1000)])
    >>> pacer = BudgetPacer.of(value, [0.0, 1.0], budget=100, requests=1000)
    >>> arms, pacer = pacer.assign(value[:500], [0.0, 1.0])
    >>> bool(40 < pacer.spent < 60), pacer.seen
    (True, 500)
    """

    prices: Float64
    spends: Float64
    budget: float
    requests: float
    spent: float = 0.0
    seen: int = 0
    actual: float = 0.0
    expected: float = 0.0

    @classmethod
    def of(cls, value: Any, cost: ArrayLike, budget: float, requests: float, *, allowed: ArrayLike | None = None) -> BudgetPacer:
        """From a sample of requests, such as yesterday's.

        Args:
            value, cost, allowed: of the sample, as in `assign_with_budget`.
            budget: that must last.
            requests: how many are expected until then.

        Raises:
            ParameterError: as in `assign_with_budget`, or there is no request, or the cheapest arms cost more than the budget.
        """
        table = Table.of(OWNER, getattr(value, "values", value), cost, allowed)
        if not len(table.value) or not requests >= 1 or not np.isfinite(budget):
            raise ParameterError(
                f"{OWNER} needs a sample of requests, a finite budget and 1 expected request at least. Got {len(table.value)} requests, a budget of {budget} and "
                f"{requests} expected.", owner=OWNER,
            )  # fmt: skip
        steps = Steps.of(table)
        base = float(chosen(table.cost, steps.start).mean())
        if base * requests > budget:
            raise ParameterError(
                f"A budget of {budget:g} can't last for {requests:g} requests: their cheapest arms cost {base * requests:.6g}. Give more, or allow cheaper arms.",
                owner=OWNER, parameter="budget",
            )  # fmt: skip
        more = (
            table.cost[steps.units if len(table.cost) > 1 else 0, steps.arms].astype(np.float64)
            - table.cost[steps.units if len(table.cost) > 1 else 0, steps.before]
        )
        spends = base + np.append(0.0, np.cumsum(more)) / len(table.value)
        prices = np.append(steps.slopes, 0.0)  # at the price of a step it isn't taken yet
        kept = np.unique(np.linspace(0, len(prices) - 1, min(POINTS, len(prices))).astype(np.int64))
        target = float(budget / requests)
        prior = max(MEMORY * requests, 1.0) * abs(target)
        return cls(prices[kept], spends[kept], float(budget), float(requests), actual=prior, expected=prior)

    @property
    def left(self) -> float:
        """What may still be spent."""
        return self.budget - self.spent

    def price(self, to_come: float | None = None) -> float:
        """The multiplier at which the next request would be decided.

        Args:
            to_come: how many requests are still to come; None: those expected at the beginning, less those seen.
        """
        return _price(self.prices, self.spends, self.left, self._to_come(to_come), self._correction)

    def assign(self, value: Any, cost: ArrayLike, *, allowed: ArrayLike | None = None, to_come: float | None = None) -> tuple[Int32, Self]:
        """Decide these requests, one after another; the same as to decide each alone.

        Args:
            value, cost, allowed: of the requests, in the order in which they came; as in `assign_with_budget`.
            to_come: how many are still to come, these among them, where more is known now than at the beginning.

        Returns:
            (requests,) columns of arms, and the pacer for what comes next.

        Raises:
            ParameterError: as in `assign_with_budget`, or none of the arms of a request is within what is left.

        Cost: one compiled pass, some 100 ns per request.
        """
        table = Table.of(OWNER, getattr(value, "values", value), cost, allowed)
        arms = np.empty(len(table.value), np.int32)
        forget = 0.5 ** (1 / max(MEMORY * self.requests, 1.0))
        left, actual, expected = _pace(
            *table,
            self.prices,
            self.spends,
            self.left,
            self._to_come(to_come),
            self._floor,
            self.actual,
            self.expected,
            forget,
            arms,
        )
        if (arms < 0).any():
            raise ParameterError(
                f"Request {int(np.argmax(arms < 0))} of {OWNER} has no arm that what is left by then can pay. Allow an arm that costs nothing to every request.",
                owner=OWNER, parameter="cost",
            )  # fmt: skip
        known = replace(self, spent=self.budget - left, seen=self.seen + len(arms), actual=actual, expected=expected)
        return arms, known if to_come is None else replace(known, requests=self.seen + float(to_come))

    @property
    def _correction(self) -> float:
        return self.actual / self.expected if self.expected > 0 and self.actual > 0 else 1.0

    def _to_come(self, to_come: float | None) -> float:
        if to_come is not None and not to_come >= 0:
            raise ParameterError(f"The 'to_come' of {OWNER} is a number of requests. Got {to_come}.", owner=OWNER, parameter="to_come")
        return max(self.requests - self.seen if to_come is None else float(to_come), self._floor)

    @property
    def _floor(self) -> float:
        """Requests that are always thought to come: more may come than were expected, and the first of them must not get all that is left."""
        return max(sqrt(self.requests) / 4, 1.0)

    def __repr__(self) -> str:
        return f"BudgetPacer({short(self.spent)} of {short(self.budget)} spent on {self.seen:,} of {self.requests:,.0f} requests; the price of money is {short(self.price())})"


@kernel
def _price(prices, spends, left, to_come, correction):  # pragma: no cover
    """The lowest price at which what is left lasts."""
    target = left / to_come / correction if correction > 0 else left / to_come
    low, high = 0, len(spends) - 1
    if spends[high] <= target:
        return prices[high]
    if spends[low] >= target:
        return prices[low]
    while high - low > 1:
        middle = (low + high) // 2
        if spends[middle] <= target:
            low = middle
        else:
            high = middle
    share = (target - spends[low]) / (spends[high] - spends[low])
    return prices[low] + share * (prices[high] - prices[low])


@kernel
def _spend_at(prices, spends, price):  # pragma: no cover
    """What the sample spends per request at this price."""
    low, high = 0, len(prices) - 1
    if price >= prices[low]:
        return spends[low]
    while high - low > 1:
        middle = (low + high) // 2
        if prices[middle] >= price:
            low = middle
        else:
            high = middle
    if prices[low] == prices[high]:
        return spends[high]
    return spends[low] + (prices[low] - price) / (prices[low] - prices[high]) * (spends[high] - spends[low])


@kernel
def _pace(value, cost, allowed, prices, spends, left, to_come, floor, actual, expected, forget, arms):  # pragma: no cover
    """Fill `arms`; what is left, and what was spent and expected lately. -1 where no arm can be paid."""
    for i in range(len(value)):
        correction = actual / expected if expected > 0 and actual > 0 else 1.0
        price = _price(prices, spends, left, max(to_come - i, floor), correction)
        row, may = (i if len(cost) > 1 else 0), (i if len(allowed) > 1 else 0)
        best, most = -1, -np.inf
        for a in range(value.shape[1]):
            if allowed[may, a] and cost[row, a] <= left:
                worth = value[i, a] - price * cost[row, a]
                if worth > most or (worth == most and best >= 0 and cost[row, a] < cost[row, best]):
                    best, most = a, worth
        arms[i] = best
        if best < 0:
            break
        paid = np.float64(cost[row, best])
        left -= paid
        actual = forget * actual + paid
        expected = forget * expected + _spend_at(prices, spends, price)
    return left, actual, expected
