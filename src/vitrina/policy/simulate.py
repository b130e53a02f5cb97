"""A world of discounts whose truth is known: what a log of it teaches, and what each policy would really have earned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from vitrina.base.config import Config
from vitrina.policy.policies import arm_code, chances_of, one_hot
from vitrina.types import Float64, Int32

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog
    from vitrina.policy.units import Units

CITIES = ("north", "river", "hill")
FARE = {"north": 9.0, "river": 11.0, "hill": 14.0}  # the mean fare of each
TAIL = 0.9  # sigma of the logarithm of a fare: one in a hundred is above 5.5 means
FEATURES = ("rides", "promo_share", "city", "age")
LEAST = 0.05  # orders per month that anybody is expected to make
REWARDS = ("orders", "fares", "profit")
PLENTY = 200_000  # clients over whom the value of a policy is a mean


@final
class OfferWorld(Config):
    """Clients of a taxi company, one discount each per month, and a marketing department that gives large discounts to those who order little.

    Client i has an activity A_i ~ Gamma(activity^2 / spread^2, scale spread^2 / activity), orders per month, which is nowhere in the log. What is: rides ~ Poisson(A_i) of the
    month before; promo_share ~ U(0, 1), the share of rides with a promo code; a city and an age (unknown for one in ten), which don't matter for orders. Under arm a the client
    makes Poisson(max(A_i + effects[a] + slopes[a] * (promo_share - 1/2), 0.05)) orders, each with a lognormal fare of its city; profit = fares * (margin - discount[a]), and
    the discount costs fares * discount[a]. So the clients with much to gain are those who use codes, and per order those who order little.

    Marketing knows A_i, but for a relative error of `blur`, and gives the largest discount to the tenth, third or what it is per arm who order least, and none to those who order most.

    Args:
        discounts: of each arm; the first is the control.
        effects: what an arm adds to the orders per month, on average.
        slopes: how much more it adds for promo_share 1 than for 0.
        activity: mean of A.
        spread: standard deviation of A.
        blur: of the marketing department's knowledge: sigma of the logarithm of its error.
        margin: what is left of a fare before the discount.
        months: decisions per client, who is a cluster; each decision is drawn anew.
        seed: added to the seeds of logs.

    >>> from vitrina.policy import Always
    >>> world = OfferWorld()
    >>> log = world.log(3000, seed=1)
    >>> log.arms, len(log)
    (('0%', '5%', '10%'), 3000)
    >>> [round(world.value(policy), 2) for policy in (Always("0%"), Always("10%"), world.oracle())]
    [4.99, 5.49, 5.62]
    """

    discounts: tuple[float, ...] = Field(default=(0.0, 0.05, 0.10), strict=False, min_length=2)
    effects: tuple[float, ...] = Field(default=(0.0, 0.30, 0.50), strict=False)
    slopes: tuple[float, ...] = Field(default=(0.0, 0.40, 2.15), strict=False)
    activity: float = Field(default=5.0, gt=0)
    spread: float = Field(default=2.3, gt=0)
    blur: float = Field(default=0.1, ge=0)
    margin: float = Field(default=0.6, gt=0, le=1)
    months: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if not len(self.discounts) == len(self.effects) == len(self.slopes):
            raise ValueError("The 'discounts', 'effects' and 'slopes' of OfferWorld must have a value per arm each")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"The 'discounts' of OfferWorld must be different percentages. Got {self.discounts}")
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(f"{discount:.4g}%" for discount in 100 * np.array(self.discounts))

    def table(self, n: int, seed: int = 0, *, random: float = 1.0, arms: Sequence[str] | pl.Series | None = None) -> pl.DataFrame:
        """The raw log: `n` clients with their months, of whom about the share `random` is decided on by lot; or all get the `arms` that somebody has decided on, one per row.

        Columns: client, month, the four features, arm, propensity (null where marketing decided, which keeps no record of its chances), randomised, orders, fares, cost, profit.
        """
        clients, activity = self._clients(n, seed)
        rng = np.random.default_rng([self.seed, seed, 1])
        rows = np.repeat(np.arange(n), self.months)
        lot = rng.random(n)[rows] < random
        action = np.where(lot, rng.integers(0, len(self.arms), len(rows)), _marketing(activity, self.blur, len(self.arms), rng)[rows])
        if arms is not None:
            lot, action = np.zeros(len(rows), bool), np.array([arm_code(arm, self.arms) for arm in arms])
        orders = rng.poisson(self.mean_orders(clients, activity)[rows, action])
        mean_fare = _mean_fare(clients)[rows]
        fares = _sums_of_fares(orders, mean_fare, rng)
        discount = np.array(self.discounts)[action]
        return clients[rows].with_columns(
            month=np.tile(np.arange(self.months), n), arm=pl.Series(self.arms).gather(action),
            propensity=pl.when(pl.Series(lot)).then(1 / len(self.arms)), randomised=lot, orders=orders, fares=fares, cost=fares * discount,
            profit=fares * (self.margin - discount),
        )  # fmt: skip

    def log(self, n: int, seed: int = 0) -> DecisionLog:
        """Decisions on `n` clients, all by lot."""
        return self.log_of(self.table(n, seed))

    def log_of(self, table: pl.DataFrame) -> DecisionLog:
        """The rows of a raw log that were decided by lot, as a log that can be learned and judged from."""
        from vitrina.policy.log import DecisionLog  # noqa: PLC0415  a log knows policies, too

        return DecisionLog.of_frame(
            table.filter("randomised").with_row_index("row"), unit="row", action="arm", reward=list(REWARDS), propensity="propensity",
            cluster="client", cost="cost", features=list(FEATURES), arms=self.arms,
        )  # fmt: skip

    def value(self, policy: Any, reward: str = "orders", n: int = PLENTY) -> float:
        """What a client brings per month when `policy` decides: the mean of the expected reward of `n` clients, always the same ones, so that differences are nearly exact.

        Cost: 0.1 s, and what the policy takes for so many units.
        """
        units, means = self.population(n) if n != PLENTY else self._plenty
        return float((chances_of(policy, units) * means[reward]).sum(axis=1).mean())

    def oracle(self, reward: str = "orders") -> Oracle:
        """The best policy of what can be seen of a client."""
        return Oracle(self, reward)

    def mean_orders(self, clients: pl.DataFrame, activity: Float64) -> Float64:
        """(clients, arms) orders per month to be expected of clients with this activity."""
        more = np.array(self.effects) + np.outer(clients["promo_share"].to_numpy() - 0.5, self.slopes)
        return np.maximum(activity[:, None] + more, LEAST)

    def of_reward(self, orders: Float64, clients: pl.DataFrame, reward: str) -> Float64:
        """(clients, arms) the mean reward where so many orders are made on average."""
        if reward == "orders":
            return orders
        fares = orders * _mean_fare(clients)[:, None]
        return fares if reward == "fares" else fares * (self.margin - np.array(self.discounts))

    @cached_property
    def _plenty(self) -> tuple[Units, dict[str, Float64]]:
        return self.population(PLENTY)

    def population(self, n: int) -> tuple[Units, dict[str, Float64]]:
        """`n` clients, always the same ones, and reward -> (clients, arms) what each arm would bring each on average."""
        from vitrina.policy.units import Units  # noqa: PLC0415

        clients, activity = self._clients(n, 1 << 30)
        orders = self.mean_orders(clients, activity)
        return Units.of_frame(clients, unit="client", features=list(FEATURES), arms=self.arms), {
            reward: self.of_reward(orders, clients, reward) for reward in REWARDS
        }

    def _clients(self, n: int, seed: int) -> tuple[pl.DataFrame, Float64]:
        """What is known of `n` clients, and their activity."""
        rng = np.random.default_rng([self.seed, seed, 0])
        activity = rng.gamma((self.activity / self.spread) ** 2, self.spread**2 / self.activity, n)
        age = pl.Series("age", rng.integers(18, 80, n))
        return pl.DataFrame({
            "client": pl.Series([f"c{seed}-{i}" for i in range(n)]), "rides": rng.poisson(activity), "promo_share": rng.random(n).round(3),
            "city": pl.Series(CITIES).gather(rng.integers(0, len(CITIES), n)), "age": pl.select(pl.when(pl.Series(rng.random(n) > 0.1)).then(age).alias("age"))["age"],
        }), activity  # fmt: skip


@final
class Oracle:
    """Each client's best arm, by the truth about all that can be seen of the client."""

    def __init__(self, world: OfferWorld, reward: str) -> None:
        self.world, self.reward, self.arms = world, reward, world.arms

    def probabilities(self, units: Units) -> Float64:
        seen = units.features
        orders = self.world.mean_orders(seen, self.seen_activity(seen))
        return one_hot(self.world.of_reward(orders, seen, self.reward).argmax(axis=1), len(self.arms))

    def seen_activity(self, clients: pl.DataFrame) -> Float64:
        """(clients,) the mean activity of those who made as many rides: the posterior mean of a Gamma after a Poisson."""
        world = self.world
        rate = world.activity / world.spread**2
        return (world.activity * rate + clients["rides"].to_numpy()) / (rate + 1)


def _marketing(activity: Float64, blur: float, arms: int, rng: np.random.Generator) -> Int32:
    """(clients,) arms: the less a client seems to order, the larger the discount."""
    order = np.argsort(np.argsort(-activity * rng.lognormal(0, blur, len(activity))))
    return (order * arms // max(len(activity), 1)).astype(np.int32)


def _mean_fare(clients: pl.DataFrame) -> Float64:
    return clients["city"].replace_strict(FARE, return_dtype=pl.Float64).to_numpy()


def _sums_of_fares(orders: Any, mean_fare: Float64, rng: np.random.Generator) -> Float64:
    """(rows,) the fares of so many orders together."""
    row = np.repeat(np.arange(len(orders)), orders)
    fares = mean_fare[row] * rng.lognormal(-(TAIL**2) / 2, TAIL, len(row))
    return np.bincount(row, fares, len(orders)).astype(np.float64).round(2)
