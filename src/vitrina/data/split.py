"""Splits: a training part, the queries that are asked, and what the people really took."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.types import Eligibility, Queries, Ragged


class Rule(Config, ABC):
    """How to cut a log. A training part keeps its rule, and `data.holdout()` applies it again inside."""

    @abstractmethod
    def apply(self, data: Dataset) -> Split: ...


@dataclass(frozen=True, eq=False)
class Split:
    """One fold: fit on `train`, answer `queries`, compare with `truth`.

    Args:
        train: the training part; shares the vocabularies of the whole log.
        queries: one a target group; a history is strictly before the query's time.
        truth: item codes that the person took, a row a query, sorted and unique.
        eligible: what may be recommended in this job (repeat or not).
        rule: what made it.
        counts: what was cut, dropped or can't be reached, by name (`cold_users`, `cold_targets`, `seen_targets_dropped`, ...).
        warnings: sentences with their consequence.
    """

    train: Dataset
    queries: Queries
    truth: Ragged
    eligible: Eligibility
    rule: Rule | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
