"""What is paid for an outcome beside its goal."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self, final

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.types import Float64

Amount = Annotated[float, Field(ge=0)]
Step = Annotated[tuple[Annotated[float, Field(gt=0)], Amount], Field(strict=False)]


@final
class Bonus(Config):
    """What is paid for an outcome: a rule of the share r = outcome / goal that was reached, which never pays less for more.

    paid(r) = min(cap, fixed 1{r >= 1} + linear max(r - 1, 0) + amount of the highest step that r has reached). Several parts add up.

    Args:
        fixed: paid once the goal is met.
        linear: paid per 1.00 of r above 1, in proportion: 500 pays 50 for 110%.
        steps: (share, amount) in rising order: from each share on its amount is paid in place of the one before it. A share may be below 1.
        cap: the most that is paid.

    Raises:
        ParameterError: an amount is below 0, nothing is ever paid, or steps don't rise.

    >>> bonus = Bonus(fixed=100, linear=500, cap=200)
    >>> bonus.paid([90, 100, 112.5, 150], 100).tolist()
    [0.0, 100.0, 162.5, 200.0]
    """

    fixed: Amount = 0.0
    linear: Amount = 0.0
    steps: tuple[Step, ...] = Field(default=(), strict=False)
    cap: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _pays(self) -> Self:
        for (share, amount), (next_share, next_amount) in pairwise(self.steps):
            if not (share < next_share and amount <= next_amount):
                raise ValueError(
                    f"The 'steps' of Bonus must rise, (share, amount) after (share, amount). Got {(share, amount)} before {(next_share, next_amount)}"
                )
        if not (self.fixed or self.linear or any(amount for _, amount in self.steps)):
            raise ValueError("A Bonus pays something: give it a 'fixed', a 'linear' or 'steps' above 0")
        return self

    @property
    def most(self) -> float:
        """The most that is ever paid; infinite where it rises without a cap."""
        whole = np.inf if self.linear else self.fixed + (self.steps[-1][1] if self.steps else 0.0)
        return float(whole if self.cap is None else min(whole, self.cap))

    @property
    def from_share(self) -> bool:
        """Whether more is asked than if the goal is met, so that there must be a goal above 0."""
        return self.linear > 0 or any(share != 1 for share, _ in self.steps)

    def paid(self, outcome: ArrayLike, goal: ArrayLike) -> Float64:
        """What each outcome brings, in the shape that outcomes and goals have together.

        A goal of 0 is met by any outcome, and no share of it can be told.

        Args:
            outcome: of a period, 0 or more.
            goal: of the same period.

        Raises:
            ParameterError: a goal is below 0, or it is 0 and more is asked than whether it was met.
        """
        goal, outcome = np.asarray(goal, np.float64), np.asarray(outcome, np.float64)
        least = float(goal.min(initial=np.inf))
        if not np.isfinite(goal).all() or least < 0 or (least == 0 and self.from_share):
            raise ParameterError(
                f"Goals must be numbers above 0 for a bonus that asks which share of them was reached. Got one of {least:g}. Add items up per place (by=), take a longer period or a "
                "higher ambition, or a Bonus with fixed= alone.", owner="Bonus", parameter="goal", value=least,
            )  # fmt: skip
        if not np.isfinite(outcome).all():
            raise ParameterError(
                "Outcomes must be numbers: one is missing or infinite. Leave its unit out, or wait until it is complete.",
                parameter="outcome",
            )
        share = np.divide(outcome, goal, out=np.ones(np.broadcast_shapes(outcome.shape, goal.shape)), where=goal > 0)
        paid = self.fixed * (share >= 1) + self.linear * np.maximum(share - 1, 0)
        if self.steps:
            shares, amounts = np.array([(0.0, 0.0), *self.steps]).T
            paid += amounts[np.searchsorted(shares, share, side="right") - 1]
        return np.minimum(paid, np.inf if self.cap is None else self.cap)
