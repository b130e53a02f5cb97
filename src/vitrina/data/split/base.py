"""What a split is: a training part, the queries that are asked, and what the people really took."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.grades import Grades
from vitrina.types import Eligibility, Int64, Queries, Ragged

if TYPE_CHECKING:
    from vitrina.data.split.protocol import Protocol
    from vitrina.data.split.summary import SplitSummary
    from vitrina.data.split.tally import Tally

R = TypeVar("R")


class Rule(Config, ABC):
    """How to cut a log. A training part keeps its rule, and `data.holdout()` applies it again inside.

    Args:
        repeat: may items of the history be recommended again. None decides from the training part, without a look at the test: yes, when at least a
            tenth of what people took there after their first moment they had taken before. With False targets that were in their histories are
            dropped from the truth and counted.
    """

    remedy: ClassVar[str] = "Take a larger test part."  # where nobody can be asked
    repeat: bool | None = None

    @property
    def asks_at_target(self) -> bool:
        """Whether the `now` of a query is the time at which its targets were taken, and not one that was known before."""
        return True

    @abstractmethod
    def apply(self, data: Dataset) -> Split: ...


@dataclass(frozen=True, eq=False)
class Split:
    """One fold: fit on `train`, answer `queries`, compare with `truth`.

    That of a log larger than memory is a ShardedSplit: its queries and truth are had shard by shard, with `map_shards` or `shards`; a split in
    memory is one shard.

    Args:
        train: the training part; shares the vocabularies of the whole log.
        queries: one a target group; a history is strictly before the query's time.
        truth: item codes that the person took, a row per query, sorted and unique.
        eligible: what may be recommended in this job (repeat or not).
        rule: what made it; None for a published split.
        counts: what was cut, dropped or can't be reached, by name (`new_users`, `cold_targets`, `seen_targets_dropped`, ...).
        warnings: sentences with their consequence.
        validation: a part outside of the training part to tune and to stop by, fitted on the same `train`. None where a part of the training
            data serves, `train.holdout()`.
        grades: what people judged for each query and how good they found it; the truth is then what is relevant by it.

    Raises:
        ParameterError: queries, truth and grades don't speak of the same queries.
    """

    train: Dataset
    queries: Queries
    truth: Ragged
    eligible: Eligibility
    rule: Rule | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    validation: Split | None = None
    grades: Grades | None = None

    def __post_init__(self) -> None:
        rows = {len(self.queries), len(self.truth), len(self.truth if self.grades is None else self.grades)}
        if len(rows) > 1:
            raise ParameterError(
                f"Queries, truth and grades of a Split must have a row per query. Got {sorted(rows)}; split.take(rows) takes of all."
            )

    def __repr__(self) -> str:
        return f"Split({self.origin}: {self.train.n_events:,} training events, {self.n_queries:,} queries, {self.n_targets:,} targets)"

    @property
    def origin(self) -> str:
        """What it was made of, in words."""
        if self.rule is not None:
            return str(self.rule)
        return "a published split" if self.grades is None else "judged queries"

    @property
    def n_queries(self) -> int:
        return len(self.queries)

    @property
    def n_targets(self) -> int:
        return len(self.truth.values)

    @property
    def asks_at_target(self) -> bool:
        """Whether a model that reads the `now` of a query learns from it when its target was taken. Of a split that somebody made that isn't known, so
        that it counts as one that does."""
        return self.train.time_unit == "us" and (self.rule is None or self.rule.asks_at_target)

    def take(self, rows: Int64) -> Self:
        """The split with these of its queries, in this order, and what is true of each."""
        grades = None if self.grades is None else self.grades.take(rows)
        return replace(self, queries=self.queries[rows], truth=self.truth.take(rows), eligible=self.eligible.take(rows), grades=grades)

    def changed(self, **fields: Any) -> Self:
        """The same split with other fields."""
        return replace(self, **fields)

    def shards(self) -> Iterator[Split]:
        """The split of each shard of the log."""
        yield self

    def map_shards(self, function: Callable[[Split], R]) -> Iterator[R]:
        """What `function` gives for the split of each shard, in their order; as for `Dataset.map_shards` it may be run in another process."""
        return map(function, self.shards())

    @cached_property
    def tally(self) -> Tally:
        """What it holds in numbers that add up over shards: `summary` and `protocol` are made of it."""
        from vitrina.data.split.tally import Tally  # noqa: PLC0415  the tally counts a Split, which is defined here

        return Tally.of(self)

    @cached_property
    def summary(self) -> SplitSummary:
        """Sizes, dates, cold and seen shares, leakage and warnings; prints as a table."""
        from vitrina.data.split.summary import SplitSummary  # noqa: PLC0415  the summary describes a Split, which is defined here

        return SplitSummary.of(self)

    @cached_property
    def protocol(self) -> Protocol:
        """How its numbers come about, to stand beside each of them; `split.protocol.line` is one line."""
        from vitrina.data.split.protocol import Protocol  # noqa: PLC0415  the same

        return Protocol.of(self)
