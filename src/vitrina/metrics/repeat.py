"""The same metrics against a part of the truth: what people repeat, what is new to them, what isn't just popular."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, final

import numpy as np

from vitrina.base.config import Config
from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread
from vitrina.base.printing import first_paragraph
from vitrina.metrics.base import PerQuery, parameters_of_name
from vitrina.metrics.judged import Judged
from vitrina.types import Bool, Float64, Queries, Ragged


class Part(Config, ABC):
    """A part of the truth. Lists stay as they are; queries whose part is empty say nothing (NaN). Its name is its word, with its parameters."""

    word: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    in_words: ClassVar[str]  # what stands after the words of a metric

    @property
    def name(self) -> str:
        return self.word + parameters_of_name(self)

    @abstractmethod
    def truth(self, judged: Judged) -> Ragged: ...


@final
class Repeat(Part):
    """What the person took and had taken before: items of the truth that are in the query's history.

    The Recall over it is Recall_rep of [Li et al. 2023](https://arxiv.org/abs/2109.14233).
    """

    word: ClassVar[str] = "repeat"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "history"})
    in_words: ClassVar[str] = ", asked of what the person had taken before"

    def truth(self, judged: Judged) -> Ragged:
        return judged.truth.keep(_in_history(judged, judged.truth, self.word))


@final
class Explore(Part):
    """What the person took for the first time: items of the truth that are not in the query's history."""

    word: ClassVar[str] = "explore"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "history"})
    in_words: ClassVar[str] = ", asked of what was new to the person"

    def truth(self, judged: Judged) -> Ragged:
        return judged.truth.keep(~_in_history(judged, judged.truth, self.word))


@final
class Debiased(Part):
    """The truth with its most popular items thinned out, so that following the crowd pays less. [eSASRec 2025](https://arxiv.org/abs/2508.06450).

    An item that was taken in more than b = floor(Q3 + 1.5 (Q3 - Q1)) queries keeps b of them, drawn at random, where the
    quartiles are over the numbers of queries that took each item taken at all. As RecTools' `DebiasConfig(iqr_coef=1.5)`.

    Args:
        iqr: how many interquartile ranges above Q3 the limit lies.
        seed: of the draw, which depends on it, the query's row and the item, and not on the model.
    """

    word: ClassVar[str] = "debiased"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "queries"})
    in_words: ClassVar[str] = " (debiased)"

    iqr: float = 1.5
    seed: int = 0

    def truth(self, judged: Judged) -> Ragged:
        truth = judged.truth.unique()
        counts = np.bincount(truth.values[truth.values >= 0])
        if not counts.any():
            return truth
        low, high = np.quantile(counts[counts > 0], (0.25, 0.75))
        limit = max(int(high + self.iqr * (high - low)), 1)
        draw = np.random.default_rng(self.seed).random(len(truth.values))
        order = np.lexsort((draw, truth.values))
        grouped = truth.values[order]
        start = np.searchsorted(grouped, grouped, side="left")
        keep = np.ones(len(order), np.bool_)
        keep[order] = (np.arange(len(order)) - start < limit) | (grouped < 0)
        return truth.keep(keep)


@final
class Within(Config):
    """A metric of the whole truth, asked of a part of it: "repeat Recall@10", "debiased nDCG@10".

    >>> from vitrina.metrics.ranking import Recall
    >>> Within(part=Explore(), metric=Recall(k=10)).name
    'explore Recall@10'
    """

    part: Part
    metric: PerQuery

    @property
    def name(self) -> str:
        return f"{self.part.name} {self.metric.name}"

    @property
    def k(self) -> int:
        return self.metric.k

    @property
    def lower_is_better(self) -> bool:
        return self.metric.lower_is_better

    @property
    def needs(self) -> frozenset[str]:
        return self.metric.needs | self.part.needs

    @property
    def definition(self) -> str:
        return f"{self.metric.definition} Asked of one part only: {first_paragraph(type(self.part))}"

    @property
    def in_words(self) -> str:
        return self.metric.in_words and self.metric.in_words + self.part.in_words

    def per_query(self, judged: Judged) -> Float64:
        part = judged.once(("part", self.part), lambda: judged.against(self.part.truth(judged)))
        return self.metric.per_query(part)


@final
class RepeatShare(PerQuery):
    """Share of the listed items that the person had taken before, over the first k places that hold an item.

    >>> RepeatShare().name
    'RepeatShare@10'
    """

    label: ClassVar[str] = "RepeatShare"
    needs: ClassVar[frozenset[str]] = frozenset({"history"})
    in_words: ClassVar[str] = "share of the places that hold what the person had before"

    def per_query(self, judged: Judged) -> Float64:
        places = judged.items[:, judged.first(self.k, self.name)]
        held = places >= 0
        lists = Ragged.of_lengths(held.sum(axis=1), places[held])
        seen = np.bincount(lists.row_of, weights=_in_history(judged, lists, self.name), minlength=len(judged))
        return np.divide(seen, lists.lengths, out=np.full(len(judged), np.nan), where=lists.lengths > 0)


def _in_history(judged: Judged, lists: Ragged, metric: str) -> Bool:
    """(values,) which values of `lists` are in the history of their query."""
    queries = judged.queries
    if queries is None:
        raise DataError(f"The metric {metric} needs the histories of the queries. Judge with Judged(..., queries=...).")
    return _contained(lists, queries)


def _contained(lists: Ragged, queries: Queries) -> Bool:
    top = max(int(lists.values.max(initial=-1)), int(queries.events.items.max(initial=-1)))
    out = np.zeros(len(lists.values), np.bool_)
    _mark_seen(len(queries), lists.indptr, lists.values, queries.start, queries.stop, queries.events.items, top + 1, out)
    return out


@Spread
def _mark_seen(first, last, indptr, values, start, stop, history, n_items, out):  # pragma: no cover
    """Set out[at] where values[at] is in the history of its row."""
    stamp = np.full(n_items, -1, np.int64)
    for q in range(first, last):
        for at in range(start[q], stop[q]):
            stamp[history[at]] = q
        for at in range(indptr[q], indptr[q + 1]):
            out[at] = values[at] >= 0 and stamp[values[at]] == q
