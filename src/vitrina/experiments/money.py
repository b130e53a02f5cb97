"""What an experiment costs, at worst too, and what the decision after it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, final

from pydantic import Field

from vitrina.base.config import Config, Days


@final
class Money(Config):
    """What units and treatments are worth, in one currency.

    Args:
        value: of one more of the metric per unit: 1 where the metric is money already, else such as the margin of an order.
        costs: of each arm, per unit that is in it while the experiment lasts, such as the mean of the discounts that a unit takes; 0 for arms that aren't named.
        worst: the difference from control per unit in the worst case, in the metric; by default as far on the wrong side as the experiment could just see.
        horizon: days for which the decision is made.

    >>> Money(value=0.3, costs={"ten": 0.8})
    Money(value=0.3, costs={'ten': 0.8})
    """

    value: Annotated[float, Field(gt=0)] = 1.0
    costs: Mapping[str, float] = Field(default_factory=dict)
    worst: float | None = None
    horizon: Days = 365.0
