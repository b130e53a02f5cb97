"""What stands around a source: the same items, and lists that say more."""

from __future__ import annotations

import polars as pl

from vitrina.catalogue import Catalogue
from vitrina.protocols import Recommender
from vitrina.search.answering import Answered
from vitrina.told import tables_of
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.vocabulary import Vocabulary


class Around:
    """A recommender made of one other, its `source`, which answers by `answer` alone."""

    source: Recommender

    @property
    def vocabulary(self) -> Vocabulary:
        return self.source.vocabulary

    @property
    def catalogue(self) -> Catalogue:
        return self.source.catalogue

    @property
    def notes(self) -> tuple[str, ...]:
        return self.source.notes

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        return tables_of(self.source)

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The lists of `answer`."""
        return self.answer(queries, k, eligible=eligible).lists

    def answer(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Answered:
        """The lists, and what is told beside them."""
        raise NotImplementedError
