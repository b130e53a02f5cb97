"""Rankers that somebody else wrote: one that says what there is to keep, and one that doesn't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrina.base.state import State
from vitrina.ranking import Examples, Ranker


def slopes_of(examples: Examples) -> Any:
    """Least squares of what came on the features."""
    rows = np.repeat(~examples.held_out, examples.lengths)
    return np.linalg.lstsq(np.nan_to_num(examples.features[rows]).astype(np.float64), examples.gains[rows].astype(np.float64), rcond=None)[
        0
    ]


class Line(Ranker):
    """A straight line that can be kept."""

    def fit(self, examples: Examples) -> KeptLine:
        return KeptLine(slopes_of(examples))


@dataclass(frozen=True, eq=False)
class KeptLine:
    slopes: Any

    def score(self, features: Any) -> Any:
        return np.nan_to_num(features) @ self.slopes

    def state(self) -> State:
        return State(arrays={"slopes": self.slopes})

    @classmethod
    def of_state(cls, state: State) -> KeptLine:
        return cls(state.arrays["slopes"])


class LostLine(Ranker):
    """The same, that can't be kept."""

    def fit(self, examples: Examples) -> ForgottenLine:
        return ForgottenLine(slopes_of(examples))


@dataclass(frozen=True, eq=False)
class ForgottenLine:
    slopes: Any

    def score(self, features: Any) -> Any:
        return np.nan_to_num(features) @ self.slopes


class Broken(Ranker):
    """Scores that are no numbers."""

    def fit(self, examples: Examples) -> Any:
        class Nothing:
            def score(self, features: Any) -> Any:
                return np.full(len(features), np.nan)

        return Nothing()
