"""How the arms of a log were drawn, as far as the log says it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl

from vitrina.policy.cells import cells_test
from vitrina.policy.covariates import Covariate, cells_by_name, matrix
from vitrina.policy.randomness import Score, Tested, X, score, together
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
        control: code of the arm that others are compared with.
        clusters: (rows,) codes; None where each row is one of its own.
        assumed: nobody knows the chances, and the design is the share of each arm: what would have been drawn if arms had been drawn alike for all.
    """

    arms: tuple[str, ...]
    actions: Int32
    logged: Float64
    design: Float64 | None
    control: int
    clusters: Int32 | None
    assumed: bool = False

    @classmethod
    def of(cls, log: DecisionLog) -> Drawing:
        clusters = log.clusters if len(log.cluster_ids) < len(log) else None
        if log.propensities is None:
            shares = np.bincount(log.actions, minlength=len(log.arms)) / len(log)
            return cls(log.arms, log.actions, shares[log.actions], shares, log.control, clusters, assumed=True)
        design = log.design if log.design is not None else _told(log.actions, log.propensities, len(log.arms))
        return cls(log.arms, log.actions, log.propensities, design, log.control, clusters)

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
        """Whether the arms go with what `x` gives of rows, beyond their chances, which are known."""
        assert self.design is not None, "chances of all arms are known"
        return score(self.actions, self.design, self.clusters, x, columns, self.groups)

    def by_cells(self, cells: Int64) -> tuple[Tested, Float64]:
        """The same where only the chances of logged arms are known: of the weights of each arm in each cell of rows."""
        return cells_test(self.actions, self.logged, self.clusters, cells, len(self.arms))

    def tests_of(self, features: pl.DataFrame, covariates: list[Covariate]) -> tuple[dict[str, Tested], Tested]:
        """Of each feature by name, and of all together."""
        names = list(dict.fromkeys(c.name for c in covariates))
        if self.design is not None:
            score = self.score(lambda rows: matrix(features[rows], covariates), len(covariates))
            return {name: score.test(np.array([c.name == name for c in covariates])) for name in names}, score.test()
        own = {name: self.by_cells(cells)[0] for name, cells in cells_by_name(features, covariates).items()}
        worst, count = min(own.values(), key=lambda test: test.p), sum(test.freedom for test in own.values())
        p = min(1.0, worst.p / max(worst.freedom, 1) * max(count, 1))
        return own, Tested(worst.statistic, count, p, f"largest of {count:,} z {worst.statistic:.2f}, corrected for their number")


def _told(actions: Int32, logged: Float64, arms: int) -> Float64 | None:
    """The chances of all arms where those of logged ones tell them: of two arms, and where each arm has one chance and these sum to 1."""
    if arms == 2:
        second = np.where(actions == 1, logged, 1 - logged)
        return np.stack([1 - second, second], axis=1)
    most, least = np.zeros(arms), np.ones(arms)
    np.maximum.at(most, actions, logged)
    np.minimum.at(least, actions, logged)
    return most if (most - least <= 1e-9).all() and abs(most.sum() - 1) <= ROUNDED else None
