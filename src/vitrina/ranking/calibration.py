"""From scores to numbers that can be multiplied by money: what an outcome is on average where the score is this.

An order survives any rising distortion of its scores, and so does every metric of order; a product with a price doesn't.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.types import Float64

STEPS = 100  # of Newton at most; ten are usual
HALVINGS = 30  # of one step
CONVERGED = 1e-12  # what a step gains, as a share of the loss


class FittedCalibration(Protocol):
    """What a calibration gives: scores of any shape in, float64 of the same shape out. NaN stays NaN."""

    def __call__(self, scores: NDArray[Any]) -> Float64: ...

    def state(self) -> State: ...


class Calibration(Config, ABC):
    """The base of a calibration: `fit` learns from scores and what came of them."""

    @abstractmethod
    def fit(self, scores: NDArray[Any], outcomes: NDArray[Any], weights: NDArray[Any] | None = None) -> FittedCalibration: ...


@final
class Isotonic(Calibration):
    """The rising steps that are nearest to the outcomes: the least weighted sum of squares among all functions that never fall.

    By pool-adjacent-violators, with straight lines between the steps; beyond the lowest and highest score the value there holds. Equal scores are one point.
    What is learned is a mean, so outcomes may be of any unit: 0 and 1, or minutes. [Zadrozny and Elkan 2002](https://doi.org/10.1145/775047.775151).

    It needs many outcomes (a thousand and more): at the ends a few decide, and give 0 or 1. Different scores may become equal;
    sort by the score where the order matters.

    Cost: a sort of the scores; memory for as many points as steps have ends.

    >>> fitted = Isotonic().fit([1, 2, 3, 4], [0, 1, 0, 1])
    >>> fitted([0, 1.5, 2.5, 9]).tolist()
    [0.0, 0.25, 0.5, 1.0]
    """

    def fit(self, scores: NDArray[Any], outcomes: NDArray[Any], weights: NDArray[Any] | None = None) -> IsotonicCurve:
        """Learn from scores (n,), outcomes (n,) and, if they don't count alike, weights (n,) of at least 0.

        Raises:
            ParameterError: they are not of one length, not finite, or nothing has a weight.
        """
        scores, outcomes, weights = checked(type(self).__name__, scores, outcomes, weights)
        points, place = np.unique(scores, return_inverse=True)
        weight = np.bincount(place, weights)
        values = np.bincount(place, weights * outcomes) / weight
        values = np.asarray(isotonic_regression(values, weights=weight).x)
        inner = np.zeros(len(points), bool)
        inner[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
        return IsotonicCurve(points[~inner], values[~inner])


@final
@dataclass(frozen=True, eq=False)
class IsotonicCurve:
    """Points of a line that never falls.

    Args:
        points: (n,) scores, rising.
        values: (n,) the mean outcome at each.
    """

    points: Float64
    values: Float64

    def __call__(self, scores: NDArray[Any]) -> Float64:
        return np.interp(np.asarray(scores, np.float64), self.points, self.values)

    def state(self) -> State:
        return State(arrays={"points": self.points, "values": self.values})

    @classmethod
    def of_state(cls, state: State) -> IsotonicCurve:
        return cls(state.arrays["points"], state.arrays["values"])


@final
class Platt(Calibration):
    """A chance by a logistic curve: p = 1 / (1 + exp(-(slope * score + intercept))), of the largest likelihood.

    As [Platt 1999](https://www.researchgate.net/publication/2594015) proposes, an outcome of 1 is taken for (n1 + 1) / (n1 + 2) and one of 0 for 1 / (n0 + 2), where n1 and n0 are
    the weights of either: so scores that part them perfectly still give a finite curve. Two numbers are learned, so a hundred outcomes
    will do where the curve is of the right form; scores that are chances themselves are put on the scale of log(p / (1 - p)) first. The slope is below 0
    where the outcomes fall with the score.

    Cost: some ten passes over the scores.

    >>> fitted = Platt().fit([-2, -1, 0, 1, 2, 3], [0, 0, 1, 0, 1, 1])
    >>> fitted([-2, 0, 3]).round(2).tolist()
    [0.21, 0.43, 0.79]
    """

    def fit(self, scores: NDArray[Any], outcomes: NDArray[Any], weights: NDArray[Any] | None = None) -> PlattCurve:
        """Learn from scores (n,), outcomes (n,) within [0, 1] and, if they don't count alike, weights (n,) of at least 0.

        Raises:
            ParameterError: they are not of one length, not finite, an outcome is outside, or nothing has a weight.
        """
        scores, outcomes, weights = checked(type(self).__name__, scores, outcomes, weights)
        require_chances(type(self).__name__, outcomes)
        ones, zeros = float(weights @ outcomes), float(weights @ (1 - outcomes))
        targets = outcomes * (ones + 1) / (ones + 2) + (1 - outcomes) / (zeros + 2)
        centre = float(np.average(scores, weights=weights))
        spread = float(np.sqrt(np.average((scores - centre) ** 2, weights=weights))) or 1.0
        slope, intercept = _logistic_line((scores - centre) / spread, targets, weights)
        return PlattCurve(slope=slope / spread, intercept=intercept - slope * centre / spread)


@final
class PlattCurve(Config):
    """A logistic curve of scores: p = 1 / (1 + exp(-(slope * score + intercept))).

    >>> PlattCurve(slope=2.0, intercept=-1.0)([0.5]).tolist()
    [0.5]
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, scores: NDArray[Any]) -> Float64:
        return expit(self.slope * np.asarray(scores, np.float64) + self.intercept)

    def state(self) -> State:
        return State({"slope": self.slope, "intercept": self.intercept})

    @classmethod
    def of_state(cls, state: State) -> PlattCurve:
        return cls(slope=float(state.config["slope"]), intercept=float(state.config["intercept"]))


def _logistic_line(x: Float64, targets: Float64, weights: Float64) -> tuple[float, float]:
    """Slope and intercept of the largest likelihood, by Newton's steps, each halved until it gains."""

    def loss(line: Float64) -> float:
        z = line[0] * x + line[1]
        return float(weights @ (np.logaddexp(0, z) - targets * z))

    columns = np.column_stack([x, np.ones(len(x))])
    line = np.array([0.0, logit(np.average(targets, weights=weights))])
    now = loss(line)
    for _ in range(STEPS):
        p = expit(columns @ line)
        gradient = columns.T @ (weights * (p - targets))
        curvature = (columns * (weights * p * (1 - p))[:, None]).T @ columns
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]  # the slope of scores that are all equal stays 0
        before = now
        for halving in range(HALVINGS):
            tried = line - step * 0.5**halving
            if (now := loss(tried)) <= before:
                line = tried
                break
        if before - now <= CONVERGED * abs(before):
            break
    return float(line[0]), float(line[1])


def checked(owner: str, scores: Any, outcomes: Any, weights: Any) -> tuple[Float64, Float64, Float64]:
    """Scores, outcomes and weights as float64 (n,), without those of weight 0.

    Raises:
        ParameterError: they are not of one length, not finite, a weight is below 0, or nothing has a weight.
    """
    given = {"scores": scores, "outcomes": outcomes} | ({} if weights is None else {"weights": weights})
    columns = {name: np.asarray(column, np.float64) for name, column in given.items()}
    shape = columns["scores"].shape
    for name, column in columns.items():
        if column.ndim != 1 or column.shape != shape:
            raise ParameterError(
                f"{owner} takes one score and one outcome per observation, lists of one length. Got {name} of the shape {column.shape}, "
                f"scores of {shape}.", owner=owner, parameter=name,
            )  # fmt: skip
        if not np.isfinite(column).all():
            raise ParameterError(
                f"The {name!r} that {owner} is fitted on must be finite. Got {column[~np.isfinite(column)][0]}: leave such rows out.",
                owner=owner, parameter=name,
            )  # fmt: skip
    weight = columns.get("weights", np.ones(shape))
    if (weight < 0).any() or not weight.sum() > 0:
        got = f"the weight {weight.min()}" if (weight < 0).any() else "none"
        raise ParameterError(f"{owner} is fitted on observations with weights of at least 0, one of them above. Got {got}.", owner=owner)
    counts = weight > 0
    return columns["scores"][counts], columns["outcomes"][counts], weight[counts]


def require_chances(owner: str, outcomes: Float64) -> None:
    """Refuse outcomes outside [0, 1].

    Raises:
        ParameterError: one is.
    """
    wrong = outcomes[(outcomes < 0) | (outcomes > 1)]
    if len(wrong):
        raise ParameterError(
            f"The 'outcomes' of {owner} must be within [0, 1]: 1 for a success, 0 for none. Got {wrong[0]:g}. Means of other units are learned by Isotonic.",
            owner=owner, parameter="outcomes", value=float(wrong[0]),
        )  # fmt: skip
