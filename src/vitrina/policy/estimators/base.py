"""The contract of an estimator: columns of which it takes means, and the value as a function of these means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.types import Float64


class Weighted(NamedTuple):
    """All that an estimator knows of a policy on a log.

    Args:
        weights: (n,) the policy's chance of what was done over the chance with which it was done.
        rewards: (n,) what came of it.
        fitted: (n,) prediction of the reward of what was done; None without a model.
        planned: (n,) mean prediction over what the policy would do; None without a model.
    """

    weights: Float64
    rewards: Float64
    fitted: Float64 | None = None
    planned: Float64 | None = None

    @property
    def residuals(self) -> Float64:
        """(n,) rewards minus what was predicted."""
        if self.fitted is None:
            raise ParameterError("This estimator needs predictions of an outcome model. Give predictions=, or judge by IPS and SNIPS.")
        return self.rewards - self.fitted

    @property
    def plan(self) -> Float64:
        """(n,) mean predictions, which must be there."""
        if self.planned is None:
            raise ParameterError("This estimator needs predictions of an outcome model. Give predictions=, or judge by IPS and SNIPS.")
        return self.planned


class Estimator(Config, ABC):
    """The base of an estimator of a policy's value.

    The value is `value` of the means over rows of the columns that `terms` gives. Nothing else is said by an estimator: errors, clusters,
    bootstrap and paired differences are made of that, once for all.
    """

    needs_model: ClassVar[bool] = False

    @abstractmethod
    def terms(self, rows: Weighted) -> tuple[Float64, ...]:
        """Columns (n,) whose means are taken."""

    @abstractmethod
    def value(self, means: Sequence[Float64]) -> Float64:
        """The value, of one array of means for each column, all of one shape; NaN where the means say nothing."""

    @abstractmethod
    def slopes(self, means: Sequence[Float64]) -> tuple[Float64, ...]:
        """By how much the value rises with each mean, there: one array for each column."""


class OneMean(Estimator, ABC):
    """The base of estimators that are the mean of one column."""

    def value(self, means: Sequence[Float64]) -> Float64:
        return np.asarray(means[0])

    def slopes(self, means: Sequence[Float64]) -> tuple[Float64, ...]:
        return (np.ones_like(means[0]),)
