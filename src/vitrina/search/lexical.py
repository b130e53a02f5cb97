"""The source that finds items by the words in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from vitrina.base.arrays import Float32, Ragged
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.retrieve.top_k import Best
from vitrina.search.analysis import TextAnalysis
from vitrina.search.bm25 import Matches, matches
from vitrina.search.inverted import Inverted
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class Lexical(Form):
    """Items that have the words of what was typed, by BM25: see `vitrina.search.bm25.matches`. `vt.search.ItemIndex.lexical` makes one.

    A list is short where fewer eligible items have the words, and empty where nothing was typed: popularity fills no place.

    Cost: the postings of the words, and a pass over the catalogue that says what is eligible.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    inverted: Inverted
    analysis: TextAnalysis
    k1: float = 1.5
    b: float = 0.75
    share: float = 0.0  # of the distinct terms of a query, how many an item must have; one at least

    def queries_per_block(self) -> int:
        return SPARSE_QUERIES

    def matches(self, queries: Queries) -> list[tuple[slice, Matches]]:
        """What has the words of each query, in no order, with its scores; runs of queries."""
        texts = [None] * len(queries) if queries.texts is None else queries.texts.to_list()
        return matches(self.inverted, [self.analysis.terms(text) if text else [] for text in texts], self.k1, self.b, self.share)

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        parts = [(slice(0, 0), Matches(Ragged.empty(0), np.empty(0, np.float32)))] if not len(queries) else self.matches(queries)
        lists = []
        for run, found in parts:
            best = Best(queries[run], k, eligible.rows(run), self.catalogue, self.vocabulary)
            best.offer_rows(found.items, found.scores)
            lists.append(best.lists())
        return Recommendations.concat(lists)

    def score_block(self, queries: Queries) -> Float32:
        out = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        for run, found in self.matches(queries):
            out[run][found.items.row_of, found.items.values] = found.scores
        return out

    def pairs_block(self, queries: Queries, items: Ragged) -> Float32:
        out = np.full(len(items.values), -np.inf, np.float32)
        n = len(self.vocabulary)
        for run, found in self.matches(queries):
            keys = found.items.row_of * n + found.items.values
            order = np.argsort(keys)
            own = items.rows(run)
            wanted = own.row_of * n + own.values
            at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1) if len(keys) else None
            if at is not None:
                there = keys[order[at]] == wanted
                first = items.indptr[run.start]
                out[first : first + len(wanted)][there] = found.scores[order[at[there]]]
        return out

    def state(self) -> State:
        own = self.inverted.state()
        return State({**own.config, "analysis": self.analysis, "k1": self.k1, "b": self.b, "share": self.share}, own.arrays, own.files)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Lexical:
        config = state.config
        return cls(vocabulary, catalogue, Inverted.of_state(state), config["analysis"], config["k1"], config["b"], config["share"])
