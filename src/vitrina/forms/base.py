"""What every fitted form can do: answer, score, say what is alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.forms.similar import similar_items
from vitrina.request import check_items, check_pairs, check_request, list_width
from vitrina.retrieve.top_k import block_size, top_k_dense
from vitrina.types import Eligibility, Float32, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

SPARSE_QUERIES = 8192  # queries per block, for the forms that make no dense scores


@dataclass(frozen=True, eq=False, repr=False)
class Form(ABC):
    """A fitted recommender that can score any item of its vocabulary.

    Args:
        model: the config that was fitted, or its plain values; None for a form that was put together by hand.
        item_table: what is known of the items, a row each; None where the log had no table.
        notes: what the model says of itself.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    model: Any = field(default=None, kw_only=True)
    item_table: FeatureTable | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.catalogue.items):,} items)"

    @property
    def titles(self) -> pl.Series | None:
        """(items,) what to show to people, null where it isn't known; None where the log had no titles."""
        return None if self.item_table is None else self.item_table.title_column

    @abstractmethod
    def score_block(self, queries: Queries) -> Float32:
        """(queries, items) float32, C-contiguous; -inf where the form has no opinion. Called with few queries at a time."""

    @abstractmethod
    def state(self) -> State:
        """What an artifact keeps of it, beside its fields that every form has."""

    @classmethod
    @abstractmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Form:
        """The inverse of `state`."""

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible items for each query. Memory: one block, of 16 MB of scores and a million events of histories, whatever the queries.

        Lists are no longer than the ranked catalogue: of 24 items the shape is (queries, 24) from k = 24 on.

        Raises:
            ParameterError: these are no Queries, `k` is no length, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the model.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        blocks = queries.blocks(self.queries_per_block())
        parts = [self.answer_block(block.counted(), k, eligible.rows(part)) for part, block in blocks]
        parts = parts or [self.answer_block(queries, k, eligible)]
        return replace(Recommendations.concat(parts), labels=queries.labels, titles=self.titles)

    def item_relations(self, items: Int32) -> Float32:
        """(asked, items) how alike each item of the vocabulary is to those asked for; -inf where nothing is known. Few items at a time.

        Raises:
            ParameterError: the form holds nothing about pairs of items.
        """
        raise ParameterError(
            f"{type(self).__name__} holds nothing about pairs of items. Similar items come from co-occurrence, EASE, content and sequence models."
        )

    def similar_items(self, items: Sequence[Any] | pl.Series, k: int = 10, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The `k` items most like each of `items`, which are given by their ids, without itself; short where no more are related.

        Likeness is the weight from the item to the other (item-to-item models), or the cosine of their vectors.

        Raises:
            ParameterError: an id is not known, or the form holds nothing about pairs of items.
        """
        return similar_items(self, items, k, eligible)

    def similar_users(self, users: Sequence[Any] | pl.Series, k: int = 10, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The `k` people of the fit most like each of `users`, who are given by their ids, without themselves.

        Raises:
            ParameterError: an id is not known, or the form keeps nothing about people.
        """
        raise ParameterError(f"{type(self).__name__} keeps nothing about people. Similar users come from TifuKNN and UpCF.")

    def queries_per_block(self) -> int:
        """How many queries `answer_block` takes at a time."""
        return block_size(len(self.vocabulary))

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        return top_k_dense(self.score_block(queries), queries, k, eligible, self.catalogue, self.vocabulary)

    def score(self, queries: Queries, items: Int32) -> Float32:
        """(queries, items) scores of the given item codes.

        Raises:
            ParameterError: a code stands for no item of the vocabulary.
            VocabularyError: the queries were encoded with other item ids.
        """
        codes = check_items(queries, items, self.vocabulary)
        out = np.empty((len(queries), len(codes)), np.float32)
        for part, block in queries.blocks(block_size(len(self.vocabulary))):
            out[part] = self.score_block(block.counted())[:, codes]
        return out

    def score_pairs(self, queries: Queries, items: Ragged) -> Float32:
        """Scores of each query's own items, (pairs,).

        Raises:
            ParameterError: a code stands for no item of the vocabulary, or there is not one row per query.
            VocabularyError: the queries were encoded with other item ids.
        """
        check_pairs(queries, items, self.vocabulary)
        out = np.empty(len(items.values), np.float32)
        for part, block in queries.blocks(block_size(len(self.vocabulary))):
            out[items.indptr[part.start] : items.indptr[part.stop]] = self.pairs_block(block.counted(), items.rows(part))
        return out

    def pairs_block(self, queries: Queries, items: Ragged) -> Float32:
        """The same for a block of queries, of codes that are known to be right."""
        return self.score_block(queries)[items.row_of, items.values]
