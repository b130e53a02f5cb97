"""Lists with what is to be said of each beside them, also of one that is empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl

from vitrina.protocols import Recommender
from vitrina.types import Eligibility, Queries, Recommendations


@final
@dataclass(frozen=True, eq=False, repr=False)
class Answered:
    """What a search answers: lists, and a row per query of what is told beside.

    Args:
        lists: as `recommend` gives them.
        told: a row per query, in their order: `query`, `typed`, `found` (items in its list), and what each part of the search adds: `searched`,
            `changes` and `told` where a query was read otherwise than typed, `why`, `relaxed` and `without` where a list was empty, `pinned` and `hidden`.
    """

    lists: Recommendations
    told: pl.DataFrame

    def __repr__(self) -> str:
        return f"Answered({len(self.lists):,} lists of {self.lists.k}; {', '.join(self.told.columns)})"

    def beside(self, queries: Queries, said: pl.DataFrame) -> Answered:
        """The same with more columns, and what was typed as these queries have it; of a column that is there already the newer holds."""
        own = self.told.drop([name for name in said.columns if name in self.told.columns])
        typed = pl.Series("typed", [None] * len(queries), pl.String) if queries.texts is None else queries.texts.alias("typed")
        return Answered(self.lists, own.with_columns(typed).hstack(said))

    def with_lists(self, lists: Recommendations) -> Answered:
        """What was told, beside other lists."""
        return Answered(lists, self.told.with_columns(found=pl.Series((lists.items >= 0).sum(axis=1))))

    def to_frame(self) -> pl.DataFrame:
        """What was told, with the labels of those who ask in place of their numbers."""
        labels = self.lists.labels
        return self.told if labels is None else self.told.with_columns(query=labels).rename({"query": labels.name})


def answer_of(source: Recommender, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Answered:
    """The answer of a source: its own, where it has `answer`, else its lists and how much they hold.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> answer_of(vt.Popularity().fit(data), data.queries()[:1], 2).told.columns
    ['query', 'typed', 'found']
    """
    own = getattr(source, "answer", None)
    if own is not None:
        return own(queries, k, eligible=eligible)
    lists = source.recommend(queries, k, eligible=eligible)
    typed = pl.Series([None] * len(queries), dtype=pl.String) if queries.texts is None else queries.texts
    told = pl.DataFrame({"query": np.arange(len(queries)), "typed": typed, "found": (lists.items >= 0).sum(axis=1)})
    return Answered(lists, told)
