"""The mean of a metric over queries, its interval, and what people say: made of sums that add up over parts of other people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from vitrina.evaluate.bootstrap import Bootstrap, Buckets
from vitrina.evaluate.interval import Ends, intervals_within
from vitrina.evaluate.people import People, persons_of
from vitrina.types import Float64, Int64

NUMBERS = {
    "metric": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "people": pl.Int64, "hits": pl.Int64, "by_person": pl.Float64,
}  # fmt: skip


class Summary(NamedTuple):
    """One metric of one model: the row of `Evaluation.numbers` but its name. None where there is no number."""

    value: float | None
    low: float | None = None
    high: float | None = None
    people: int | None = None
    hits: int | None = None
    by_person: float | None = None


@dataclass(frozen=True, eq=False)
class Means:
    """What queries say of some columns. Those of shards add up with `+`.

    Args:
        buckets: sums of values by people.
        totals: (columns,) sums of values.
        queries: (columns,) how many have a value.
        ends: of the values of each column.
        people: what single people say of each.

    >>> parts = [Means.of([np.array([1.0, 0.0])], np.array([0, 0])), Means.of([np.array([0.5])], np.array([7]))]
    >>> (parts[0] + parts[1]).summaries(["hit"], None)["hit"][:1]
    (0.5,)
    """

    buckets: Buckets
    totals: Float64
    queries: Int64
    ends: tuple[Ends, ...]
    people: tuple[People, ...]

    @classmethod
    def of(cls, columns: Sequence[Float64], users: Any) -> Means:
        """Of columns (queries,), NaN where a query says nothing, and the (queries,) codes of users."""
        persons, known = persons_of(users), [column[~np.isnan(column)] for column in columns]
        return cls(
            Buckets.of(columns, users), np.array([own.sum() for own in known]), np.array([len(own) for own in known], np.int64),
            tuple(Ends.of(column) for column in columns), tuple(People.of(column, persons) for column in columns),
        )  # fmt: skip

    def __add__(self, other: Means) -> Means:
        ends = tuple(a.wider(b) for a, b in zip(self.ends, other.ends, strict=True))
        people = tuple(a + b for a, b in zip(self.people, other.people, strict=True))
        return Means(self.buckets + other.buckets, self.totals + other.totals, self.queries + other.queries, ends, people)

    def summaries(self, names: Sequence[str], bootstrap: Bootstrap | None, more: Mapping[str, float] | None = None) -> dict[str, Summary]:
        """Of each column, whose `names` these are, its row; `bootstrap` and `more` as in `summarise`."""
        nothing = [(float("nan"), float("nan"))] * len(names)
        extra = [(more or {}).get(name, 0.0) for name in names]
        drawn = nothing if bootstrap is None or not names else intervals_within(self.buckets, self.ends, bootstrap.confidence, extra)
        values = np.divide(self.totals, self.queries, out=np.full(len(names), np.nan), where=self.queries > 0)
        return {
            name: Summary(_known(value), _known(low), _known(high), people.people, people.hits, _known(people.by_person))
            for name, value, (low, high), people in zip(names, values.tolist(), drawn, self.people, strict=True)
        }


def summarise(
    columns: Mapping[str, Float64], users: Any, bootstrap: Bootstrap | None = Bootstrap(), more: Mapping[str, float] | None = None
) -> dict[str, Summary]:
    """Of each column (queries,) the mean over the queries that say something, its interval if there is a bootstrap, and what people say.

    Args:
        columns: by metric, NaN where a query says nothing.
        users: (queries,) codes.
        bootstrap: its confidence is that of the intervals; None leaves them out.
        more: further variance of the mean, by metric: that of the seeds a model was fitted with.
    """
    return Means.of(list(columns.values()), users).summaries(list(columns), bootstrap, more)


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
