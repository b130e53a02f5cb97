"""A price of money as a policy: what a budget decided once, applied to whoever comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, final, runtime_checkable

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.policy.policies import one_hot
from vitrina.policy.units import Units
from vitrina.types import Float64


@runtime_checkable
class PredictsArms(Protocol):
    """What says a number per unit and arm: a fitted `vt.policy.Outcome`."""

    @property
    def arms(self) -> tuple[str, ...]: ...

    def predict(self, units: Units) -> Float64:
        """(units, arms)"""
        ...


@final
@dataclass(frozen=True, eq=False)
class Priced:
    """A policy: each unit gets the arm of the largest predicted value - multiplier * cost, the cheaper one of two alike.

    The multiplier is that of an `Assignment` of a sample; on units that are like the sample it spends, per unit, what that spent. A budget that must never be overrun needs `assign_with_budget` where
    all units are known, and a `BudgetPacer` where they come one by one.

    Args:
        values: what predicts the value of each arm: `Outcome(...).fit(...)`.
        cost: one number per arm, in the order of the model's arms, or what predicts the cost of each arm.
        multiplier: the price of money.

    Raises:
        ParameterError: there isn't one cost per arm, or the costs are predicted for other arms, or the multiplier is below 0.
    """

    values: PredictsArms
    cost: tuple[float, ...] | PredictsArms
    multiplier: float

    def __post_init__(self) -> None:
        priced = self.cost.arms if isinstance(self.cost, PredictsArms) else self.cost
        if isinstance(self.cost, PredictsArms) and self.cost.arms != self.values.arms:
            raise ParameterError(
                f"Costs and values of Priced are predicted for the same arms. Got {self.cost.arms} and {self.values.arms}.", owner="Priced"
            )
        if len(priced) != len(self.values.arms):
            raise ParameterError(
                f"The 'cost' of Priced is one number per arm ({', '.join(self.values.arms)}), or what predicts them. Got {self.cost!r}.",
                owner="Priced",
                parameter="cost",
            )
        if not (np.isfinite(self.multiplier) and self.multiplier >= 0):
            raise ParameterError(
                f"The 'multiplier' of Priced is a finite number of at least 0. Got {self.multiplier}.",
                owner="Priced",
                parameter="multiplier",
            )

    @property
    def arms(self) -> tuple[str, ...]:
        return self.values.arms

    def probabilities(self, units: Units) -> Float64:
        cost = self.cost.predict(units) if isinstance(self.cost, PredictsArms) else np.broadcast_to(self.cost, (len(units), len(self.arms)))
        worth = np.asarray(self.values.predict(units), np.float64) - self.multiplier * cost
        if units.allowed is not None:
            worth = np.where(units.allowed[:, [units.arms.index(arm) for arm in self.arms]], worth, -np.inf)
        dear = np.where(worth == worth.max(axis=1, keepdims=True), cost, np.inf)
        return one_hot(dear.argmin(axis=1), len(self.arms))

    def examples(self) -> Units | None:
        """Units that nobody is, about which a saved policy is asked when it is read; None where the model makes up none."""
        view = getattr(self.values, "view", None)
        return None if view is None else view.encoder.examples(self.arms)

    def state(self) -> State:
        children: dict[str, Any] = {"values": self.values}
        if isinstance(self.cost, PredictsArms):
            return State({"multiplier": self.multiplier}, children=children | {"cost": self.cost})
        return State({"multiplier": self.multiplier, "cost": tuple(float(c) for c in self.cost)}, children=children)

    @classmethod
    def of_state(cls, state: State) -> Self:
        return cls(state.children["values"], state.children.get("cost", state.config.get("cost")), state.config["multiplier"])
