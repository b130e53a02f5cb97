"""How the arms of a log were drawn, as far as the log says it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl

from vitrina.policy.covariates import Covariate, matrix
from vitrina.policy.randomness import Score, X, score, score_of_logged, together
from vitrina.policy.units import ROUNDED
from vitrina.types import Float64, Int32, Int64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


@final
@dataclass(frozen=True, eq=False)
class Drawing:
    """Arms, and the chances that they had.

    Args:
        arms: names.
        actions: (rows,) code of the logged arm.
        logged: (rows,) its chance.
        design: (arms,) or (rows, arms) chances of all arms; None where only those of logged ones are known.
        clusters: (rows,) codes; None where each row is one of its own.
        assumed: nobody knows the chances, and the design is the share of each arm: what would have been drawn if arms had been drawn alike for all.
    """

    arms: tuple[str, ...]
    actions: Int32
    logged: Float64
    design: Float64 | None
    clusters: Int32 | None
    assumed: bool = False

    @classmethod
    def of(cls, log: DecisionLog) -> Drawing:
        clusters = log.clusters if len(log.cluster_ids) < len(log) else None
        if log.propensities is None:
            shares = np.bincount(log.actions, minlength=len(log.arms)) / len(log)
            return cls(log.arms, log.actions, shares[log.actions], shares, clusters, assumed=True)
        design = log.design if log.design is not None else _told(log.actions, log.propensities, len(log.arms))
        return cls(log.arms, log.actions, log.propensities, design, clusters)

    def __len__(self) -> int:
        return len(self.actions)

    @cached_property
    def counts(self) -> Int64:
        """(arms,) rows of each."""
        return np.bincount(self.actions, minlength=len(self.arms))

    @cached_property
    def expected(self) -> Float64:
        """(arms,) rows of each on average; of an arm whose chances aren't all known, the rows that it has."""
        if self.design is None:
            return self.counts.astype(np.float64)
        return self.design * len(self) if self.design.ndim == 1 else self.design.sum(axis=0)

    @cached_property
    def groups(self) -> Int32:
        """(arms,) in which group each is counted: rare arms are one."""
        return together(self.expected)

    def score(self, x: X, columns: int) -> Score:
        """Whether the arms go with what `x` gives of rows, beyond their chances."""
        if self.design is None:
            return score_of_logged(self.actions, self.logged, self.clusters, x, columns, self.groups)
        return score(self.actions, self.design, self.clusters, x, columns, self.groups)

    def score_of(self, features: pl.DataFrame, covariates: list[Covariate]) -> Score:
        """The same for standardised features."""
        return self.score(lambda rows: matrix(features[rows], covariates), len(covariates))


def _told(actions: Int32, logged: Float64, arms: int) -> Float64 | None:
    """The chances of all arms where those of logged ones tell them: of two arms, and where each arm has one chance and these sum to 1."""
    if arms == 2:
        second = np.where(actions == 1, logged, 1 - logged)
        return np.stack([1 - second, second], axis=1)
    most, least = np.zeros(arms), np.ones(arms)
    np.maximum.at(most, actions, logged)
    np.minimum.at(least, actions, logged)
    return most if (most - least <= 1e-9).all() and abs(most.sum() - 1) <= ROUNDED else None
