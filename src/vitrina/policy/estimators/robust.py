"""Estimators with an outcome model: what it predicts for the policy, corrected by what it missed on what was done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np
from pydantic import Field

from vitrina.policy.estimators.base import Estimator, OneMean, Weighted
from vitrina.policy.estimators.plain import Clip, clipped, quotient
from vitrina.types import Float64


class ModelBased(OneMean, ABC):
    """One column and its mean: planned + w' (r - fitted), with a weight w' that the estimator chooses."""

    needs_model: ClassVar[bool] = True

    @abstractmethod
    def weighed(self, weights: Float64) -> Float64:
        """(n,) what counts in place of the weights."""

    def terms(self, rows: Weighted) -> tuple[Float64, ...]:
        return (rows.plan + self.weighed(rows.weights) * rows.residuals,)


@final
class DM(OneMean):
    """Direct method: the mean of what the model predicts for the policy.

    It believes the model. Where the model is wrong the value is wrong, however many rows there are, and no interval says so: that of DM
    holds only what other units would have changed.
    """

    needs_model: ClassVar[bool] = True

    def terms(self, rows: Weighted) -> tuple[Float64, ...]:
        return (rows.plan,)


@final
class DR(ModelBased):
    """Doubly robust: mean(planned + w (r - fitted)). [Dudik, Langford and Li 2011](https://arxiv.org/abs/1103.4601).

    Unbiased where propensities are known, for any model that didn't see the row; the better the model, the smaller the error.

    Args:
        clip: the largest weight that counts.
    """

    clip: Clip | None = None

    def weighed(self, weights: Float64) -> Float64:
        return clipped(weights, self.clip)


@final
class SNDR(Estimator):
    """Self-normalised doubly robust: mean(planned) + mean(w (r - fitted)) / mean(w).

    Args:
        clip: the largest weight that counts.
    """

    needs_model: ClassVar[bool] = True
    clip: Clip | None = None

    def terms(self, rows: Weighted) -> tuple[Float64, ...]:
        weights = clipped(rows.weights, self.clip)
        return rows.plan, weights * rows.residuals, weights

    def value(self, means: Sequence[Float64]) -> Float64:
        return means[0] + quotient(means[1], means[2])

    def slopes(self, means: Sequence[Float64]) -> tuple[Float64, ...]:
        return np.ones_like(means[0]), quotient(np.ones_like(means[2]), means[2]), -quotient(means[1], means[2] ** 2)


@final
class SwitchDR(ModelBased):
    """Doubly robust where the weight is at most a threshold, the model alone where it is above. [Wang, Agarwal and Dudik 2017](https://arxiv.org/abs/1612.01205).

    Args:
        threshold: the largest weight for which the row corrects the model.
    """

    threshold: float = Field(default=10.0, gt=0)

    def weighed(self, weights: Float64) -> Float64:
        return np.where(weights <= self.threshold, weights, 0.0)


@final
class DRos(ModelBased):
    """Doubly robust with optimistic shrinkage: the weight s w / (s + w^2) in place of w. [Su, Dimakopoulou, Krishnamurthy and Dudik 2020](https://arxiv.org/abs/1907.09623).

    Args:
        shrinkage: s: 0 is the direct method, a very large one is DR.
    """

    shrinkage: float = Field(default=100.0, ge=0)

    def weighed(self, weights: Float64) -> Float64:
        return self.shrinkage * weights / (self.shrinkage + weights**2) if self.shrinkage else np.zeros_like(weights)
