"""Policies that give each unit the arm of the largest predicted reward, or effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from vitrina.base.state import State
from vitrina.policy.encoder import Encoder
from vitrina.policy.expected import FittedOutcome, Outcome
from vitrina.policy.policies import one_hot
from vitrina.policy.units import Units
from vitrina.types import Float64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Effects:
    """What each arm adds to the reward of the control: (units, arms), 0 for the control.

    Args:
        correction: fitted on scores of a log; where there is no prior it is the whole effect.
        prior: fitted on biased decisions, whose differences to the control are corrected.
        control: code of the control.
    """

    correction: FittedOutcome
    prior: FittedOutcome | None
    control: int

    @classmethod
    def of(cls, units: Units, scores: Float64, control: int, outcome: Outcome, prior: FittedOutcome | None) -> Effects:
        """Regress scores (n, arms) less those of the control on features."""
        wanted = scores - scores[:, [control]]
        if prior is not None:
            wanted = wanted - _against(prior.predict(units), control)
        return cls(FittedOutcome.of_columns(units, wanted, outcome), prior, control)

    def __repr__(self) -> str:
        return f"Effects({self.correction!r}{', and what biased decisions say' * (self.prior is not None)})"

    @property
    def encoder(self) -> Encoder:
        """Of the features that the correction sees."""
        return self.correction.encoder

    @property
    def arms(self) -> tuple[str, ...]:
        return self.correction.arms

    def predict(self, units: Units) -> Float64:
        """(units, arms) effects."""
        own = self.correction.predict(units)
        return own if self.prior is None else own + _against(self.prior.predict(units), self.control)

    def errors(self, units: Units) -> Float64:
        """(units, arms) standard errors of the correction; a prior is taken as known."""
        return self.correction.errors(units)

    def state(self) -> State:
        prior = {} if self.prior is None else {"prior": self.prior}
        return State({"control": self.control}, children={"correction": self.correction} | prior)

    @classmethod
    def of_state(cls, state: State) -> Effects:
        return cls(state.children["correction"], state.children.get("prior"), state.config["control"])


def _against(values: Float64, control: int) -> Float64:
    return values - values[:, [control]]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Greedy:
    """Each unit gets, of the arms that it may get, the one with the largest prediction; of equal ones the first.

    Args:
        model: predicts (units, arms).
    """

    model: FittedOutcome | Effects

    @property
    def arms(self) -> tuple[str, ...]:
        return self.model.arms

    def __repr__(self) -> str:
        return f"Greedy({self.model!r})"

    def probabilities(self, units: Units) -> Float64:
        """(units, arms) 1 for the arm of the largest prediction."""
        values = self.model.predict(units)
        best = values if units.allowed is None else np.where(units.allowed, values, -np.inf)
        return one_hot(best.argmax(axis=1), len(self.arms))

    def values(self, units: Units) -> tuple[Float64, Float64]:
        """(units, arms) predictions, and their errors where the model knows them."""
        return self.model.predict(units), self.model.errors(units)

    def examples(self) -> Units:
        """Units that nobody is, to ask it about."""
        return self.model.encoder.examples(self.arms)

    def state(self) -> State:
        return State(children={"model": self.model})

    @classmethod
    def of_state(cls, state: State) -> Greedy:
        return cls(state.children["model"])
