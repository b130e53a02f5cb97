"""The fitted form of every sequence model: encode the history, multiply with the item table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
import torch

from vitrina.catalogue import Catalogue
from vitrina.models.forms import Arrays, Form
from vitrina.sequence.batches import Batch, Sequences, token_batches
from vitrina.sequence.bonus import PersonalPopularity
from vitrina.sequence.network import Body, Similarity
from vitrina.sequence.objectives import Objective
from vitrina.types import Float32, Int32, Int64, Queries, ranges
from vitrina.vocabulary import Vocabulary


@dataclass(frozen=True)
class Answering:
    """The parts of a sequence model that are still needed once it is trained."""

    objective: Objective
    similarity: Similarity
    personal: PersonalPopularity | None
    length: int
    tokens: int = 16_384  # real tokens a batch when answering


@final
@dataclass(frozen=True, eq=False)
class Encoded(Form):
    """score = state(history) . item. Items of a history that the table doesn't hold are skipped; a history without a known item gets the fallback.

    Args:
        codes: item codes of the table's rows, ascending; other items have no score.
        table: the raw item table, which is also the input of the body.
        vectors: what a state is multiplied with, (rows, dim).
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    codes: Int32  # (rows,)
    table: Float32  # (rows, dim)
    vectors: Float32  # (rows, dim)
    body: Body
    answering: Answering
    record: Arrays = field(default_factory=dict)  # what `fit(start=...)` and an artifact need to go on
    notes: tuple[str, ...] = ()

    @cached_property
    def row_of_item(self) -> Int64:
        rows = np.full(len(self.vocabulary), -1, np.int64)
        rows[self.codes] = np.arange(len(self.codes))
        return rows

    @cached_property
    def item_vectors(self) -> Float32:
        """(items, dim) over the whole vocabulary; zeros where the table has no row."""
        out = np.zeros((len(self.vocabulary), self.vectors.shape[1]), np.float32)
        out[self.codes] = self.vectors
        return out

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) states; zeros for a history without a known item. Batches of similar length, order restored."""
        histories = Sequences.of(queries, self.row_of_item).last(self.answering.length)
        out = np.zeros((len(queries), self.vectors.shape[1]), np.float32)
        known = np.flatnonzero(histories.lengths > 0)
        table = torch.from_numpy(self.table)
        self.body.eval()
        with torch.inference_mode():
            for chosen in token_batches(histories.lengths[known], self.answering.tokens, None):
                batch = self.answering.objective.question(histories.take(known[chosen]))
                states = self.body(table, batch, self.answering.objective.causal)
                out[known[chosen]] = self.answering.similarity.states(states).numpy()
        return out

    def score_block(self, queries: Queries) -> Float32:
        states = self.encode(queries)
        scores = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        answered = np.flatnonzero(np.abs(states).sum(1) > 0)
        found = states[answered] @ self.vectors.T
        if self.answering.personal is not None:
            found += self._bonus(queries[answered])
        scores[np.ix_(answered, self.codes)] = found
        return scores

    def _bonus(self, queries: Queries) -> Float32:
        """The visitor's own counts over the history, (queries, rows)."""
        assert self.answering.personal is not None
        histories = Sequences.of(queries, self.row_of_item).last(self.answering.length)
        counts = np.zeros((len(queries), len(self.codes)), np.float32)
        owner = np.repeat(np.arange(len(queries)), histories.lengths)
        np.add.at(counts, (owner, histories.rows[ranges(histories.start, histories.lengths)]), 1)
        eps = self.answering.personal.eps
        return np.log((counts + eps) / eps)

    def arrays(self) -> Arrays:
        return self.record

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Encoded:
        from vitrina.sequence.model import rebuild

        return rebuild(vocabulary, catalogue, arrays)
