"""Estimators that need no model: each reward counts by how much likelier the policy would have done what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import numpy as np
from pydantic import Field

from vitrina.policy.estimators.base import Estimator, OneMean, Weighted
from vitrina.types import Float64

Clip = Annotated[float, Field(gt=0)]


def clipped(weights: Float64, clip: float | None) -> Float64:
    """Weights of at most `clip`."""
    return weights if clip is None else np.minimum(weights, clip)


def quotient(above: Float64, below: Float64) -> Float64:
    """above / below; NaN where `below` is 0: no row speaks of the policy."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


@final
class IPS(OneMean):
    """Inverse propensity score: mean(w r). [Horvitz and Thompson 1952](https://doi.org/10.1080/01621459.1952.10483446).

    Unbiased where propensities are known, whatever the rewards are; its error grows with the weights and with the level of the rewards.

    Args:
        clip: the largest weight that counts: less variance, and a bias towards 0 for what is clipped.
    """

    clip: Clip | None = None

    def terms(self, rows: Weighted) -> tuple[Float64, ...]:
        return (clipped(rows.weights, self.clip) * rows.rewards,)


@final
class SNIPS(Estimator):
    """Self-normalised inverse propensity score: mean(w r) / mean(w). [Swaminathan and Joachims 2015](https://papers.nips.cc/paper/5748).

    A constant added to all rewards is added to the value. Its bias vanishes as 1 / n.

    Args:
        clip: the largest weight that counts.
    """

    clip: Clip | None = None

    def terms(self, rows: Weighted) -> tuple[Float64, ...]:
        weights = clipped(rows.weights, self.clip)
        return weights * rows.rewards, weights

    def value(self, means: Sequence[Float64]) -> Float64:
        return quotient(means[0], means[1])

    def slopes(self, means: Sequence[Float64]) -> tuple[Float64, ...]:
        return quotient(np.ones_like(means[1]), means[1]), -quotient(means[0], means[1] ** 2)
