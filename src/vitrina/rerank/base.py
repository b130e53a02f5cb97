"""What every re-ranker shares: the candidates that may be shown, in one order whatever order they came in, and lists made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.arrays import Bool, Float32, Float64, Int32, Int64, Ragged
from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.state import Arrays, State
from vitrina.data.dataset import Dataset
from vitrina.models.base import check_log
from vitrina.protocols import Recommender
from vitrina.recommendations import pad_of
from vitrina.request import check_request
from vitrina.rerank.limits import NO_LIMITS, Limits
from vitrina.types import Eligibility, Queries, Recommendations


class RerankerConfig(Config, ABC):
    """The base of a re-ranker: a subclass says what it takes of the log, and which candidates come in which order; the rest is done once.

    One that chooses greedily and asks `Candidates.limits` at each place says `obeys_limits`; another is held to them by `Rules` afterwards.
    """

    obeys_limits: ClassVar[bool] = False

    def of_items(self, data: Dataset) -> Arrays:
        """What is needed of the items, by name, such as (items, dim) vectors; an artifact keeps it. By default nothing."""
        return {}

    def of_fitted(self, data: Dataset, recommender: Recommender | None) -> Arrays:
        """The same where the fitted model has a say, such as by vectors of its own; None where the re-ranker is fitted alone. By default `of_items`."""
        return self.of_items(data)

    def narrowed(self, queries: Queries, eligible: Eligibility, items: Arrays) -> Eligibility:
        """What may still be shown: a re-ranker that forbids items takes them off here, before the model is asked. By default all that is eligible."""
        return eligible

    def wanted(self, queries: Queries, items: Arrays) -> list[tuple[Int32 | Ragged, int]]:
        """Items of which the model is asked for so many by name where fewer are among its candidates: codes for all or a row per query, and how many."""
        return []

    def notes(self, items: Arrays) -> tuple[str, ...]:
        """What is to be said of it beside the lists. By default nothing."""
        return ()

    def lists(self, queries: Queries, candidates: Candidates, items: Arrays) -> Recommendations:
        """The lists, by default those that `order` makes; with other columns where there is more to say."""
        return candidates.listed(*self.order(queries, candidates, items))

    @abstractmethod
    def order(self, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
        """Which candidates are the lists, and by what scores: the arguments of `Candidates.listed`.

        Args:
            queries: who asks; `queries.setting(name, default)` is what a request says of a parameter.
            candidates: what may be shown.
            items: what `of_items` took of the log.
        """

    def fit(self, data: Dataset, *, recommender: Recommender | None = None) -> Ordering:
        """Take of the log what is needed, and of the fitted model whose lists are ranked again, where it is known.

        Raises:
            ParameterError: `data` is no Dataset.
        """
        check_log(type(self).__name__, data)
        return Ordering(self, self.of_fitted(data, recommender))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Ordering:
    """A fitted re-ranker.

    Args:
        reranker: its config.
        items: what it took of the log.
    """

    reranker: RerankerConfig
    items: Arrays

    def __repr__(self) -> str:
        return f"Ordering({self.reranker!r})"

    def narrowed(self, queries: Queries, eligible: Eligibility) -> Eligibility:
        """What may be shown at all, for who asks the model for candidates; `rerank` does the same by itself."""
        return self.reranker.narrowed(queries, eligible, self.items)

    def rerank(
        self, queries: Queries, recommendations: Recommendations, k: int, *, eligible: Eligibility = Eligibility()
    ) -> Recommendations:
        """The best k of the candidates, as `vitrina.protocols.FittedReranker` says."""
        k = check_request(queries, k, eligible)
        candidates = Candidates.of(queries, recommendations, k, self.narrowed(queries, eligible))
        return self.reranker.lists(queries, candidates, self.items)

    def wanted(self, queries: Queries) -> list[tuple[Int32 | Ragged, int]]:
        """What must be among the candidates, as the config says."""
        return self.reranker.wanted(queries, self.items)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.reranker.notes(self.items)

    def state(self) -> State:
        return State({"reranker": self.reranker}, self.items)

    @classmethod
    def of_state(cls, state: State) -> Ordering:
        return cls(state.config["reranker"], state.arrays)


@final
@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of each query that may be shown: first the `counts[q]` that have a score, best first with ties by code, then those of
    the fallback as they stood, then pads. So the order in which scored candidates were given has no part in what is made of them.

    Args:
        lists: items, scores and columns in that order.
        counts: (queries,) how many have a score; a re-ranker orders these.
        totals: (queries,) how many may be shown.
        k: how many places a list has: what was asked for, but no more than there are candidates.
        limits: what whoever chooses one after another must obey; `vitrina.rerank.limits` says how.
    """

    lists: Recommendations
    counts: Int64  # (queries,)
    totals: Int64  # (queries,)
    k: int
    limits: Limits = NO_LIMITS

    @classmethod
    def of(cls, queries: Queries, recommendations: Recommendations, k: int, eligible: Eligibility) -> Candidates:
        """Of lists that a model gave.

        Raises:
            ParameterError: these are no Queries, no lists with one per query, `k` is no length, or `eligible` has other rows than one per query.
            VocabularyError: queries and lists are encoded with other item ids.

        Cost: a sort of the candidates and of what the queries must not get.
        """
        k = check_request(queries, k, eligible)
        if not isinstance(recommendations, Recommendations) or len(recommendations) != len(queries):
            got = recommendations if isinstance(recommendations, Recommendations) else f"a {type(recommendations).__name__}"
            raise ParameterError(
                f"What is ranked again must be Recommendations with a list for each of the {len(queries):,} queries. Got {got!r}."
            )
        queries.vocabulary.require_compatible(recommendations.vocabulary, "queries")
        items, scores = recommendations.items, recommendations.scores
        may, scored = may_be_shown(queries, items, eligible), np.isfinite(scores)
        group = np.where(may, np.where(scored, 0, 1), 2)
        place = np.broadcast_to(np.arange(items.shape[1]), items.shape)
        order = np.lexsort((np.where(scored, items, place), np.where(scored, -scores, 0), group), axis=-1)
        counts, totals = (group == 0).sum(axis=1), may.sum(axis=1)
        order[place >= totals[:, None]] = -1
        return cls(taken(recommendations, order), counts, totals, min(k, items.shape[1]))

    @cached_property
    def relevance(self) -> Float64:
        """(queries, candidates) the scores of each query from 1 of its best to 0 of its last; all 1 where they are equal. What has no score is not read.

        relevance[q, c] = (score[q, c] - worst[q]) / (best[q] - worst[q])
        """
        scores = self.lists.scores.astype(np.float64)
        if not scores.shape[1]:
            return scores
        worst = np.take_along_axis(scores, np.maximum(self.counts - 1, 0)[:, None], axis=1)
        width = scores[:, :1] - worst
        return np.divide(scores - worst, width, out=np.ones(scores.shape), where=width > 0)

    def rows(self, rows: Int64) -> Candidates:
        """Those of some queries, without limits."""
        return Candidates(self.lists[rows], self.counts[rows], self.totals[rows], self.k)

    def best_first(self, scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The k best by other scores, (queries, candidates), ties by code: what `listed` takes. Scores of the fallback and of pads are not read."""
        scored = np.arange(self.lists.k) < self.counts[:, None]
        order = np.lexsort((self.lists.items, -scores, ~scored), axis=-1)[:, : self.k]
        return np.where(np.take_along_axis(scored, order, axis=1), order, -1), np.take_along_axis(scores, order, axis=1)

    def listed(self, chosen: NDArray[Any], scores: NDArray[Any]) -> Recommendations:
        """Lists of the chosen candidates, best first, and of the fallback after them.

        The scores that they had stand in the column `relevance`, unless a re-ranker before has put them there. A score that is above the
        one before it, or equal to it and of a lower code, is lowered to the largest number that puts it in its place.

        Args:
            chosen: (queries, up to k) places in `lists` of candidates with a score; -1 where there are no more. Whoever chooses among the fallback too
                chooses all of the list.
            scores: the same shape, what orders the lists.
        """
        queries, own = chosen.shape
        place = np.full((queries, self.k), -1, np.int64)
        place[:, :own] = chosen
        filled = (chosen >= 0).sum(axis=1)[:, None]
        scored = (chosen < self.counts[:, None]).sum(axis=1)[:, None] - (chosen < 0).sum(axis=1)[:, None]
        after = self.counts[:, None] + np.arange(self.k) - scored  # the fallback goes on where the choice ends
        place = np.where(np.arange(self.k) < filled, place, np.where(after < self.totals[:, None], after, -1))
        ordering = np.full(place.shape, np.nan, np.float32)
        ordering[:, :own] = np.where(chosen >= 0, scores, np.nan)
        whole = replace(self.lists, extra={"relevance": self.lists.scores, **self.lists.extra})
        lists = taken(whole, place)
        return replace(lists, scores=falling(ordering, lists.items))


def may_be_shown(queries: Queries, items: Int32, eligible: Eligibility) -> Bool:
    """(queries, places) which items of each list are eligible; pads are not."""
    may, width = items >= 0, max(len(queries.vocabulary), int(items.max(initial=0)) + 1)
    keys = np.arange(len(items), dtype=np.int64)[:, None] * width + items

    def named(rows: Ragged) -> Bool:
        known = (rows.values >= 0) & (rows.values < width)
        return np.isin(keys, rows.row_of[known] * width + rows.values[known])

    for part, wanted in ((eligible.include, True), (eligible.exclude, False)):
        if part is not None and not isinstance(part, Ragged):
            may &= np.isin(items, part) == wanted
    if isinstance(eligible.include, Ragged):
        may &= named(eligible.include)
    return may & ~named(eligible.banned(queries))  # rows of `exclude` are among what is banned


def taken(lists: Recommendations, place: NDArray[Any]) -> Recommendations:
    """Lists of the places named, -1 for a pad, with all columns."""

    def of(column: NDArray[Any], pad: Any) -> NDArray[Any]:
        picked = np.take_along_axis(column, np.maximum(place, 0), axis=1)
        return np.where(place >= 0, picked, pad).astype(column.dtype)

    extra = {name: of(column, pad_of(name, column)) for name, column in lists.extra.items()}
    return replace(lists, items=of(lists.items, -1), scores=of(lists.scores, np.nan), extra=extra)


def falling(scores: Float32, items: Int32) -> Float32:
    """Scores that never rise along a list, and are equal only where the codes of the items rise; NaN stays."""
    out = scores.copy()
    for at in range(1, out.shape[1]):
        before = out[:, at - 1]
        most = np.where(items[:, at] < items[:, at - 1], np.nextafter(before, np.float32(-np.inf)), before)
        out[:, at] = np.where(np.isnan(most), out[:, at], np.minimum(out[:, at], most))
    return out
