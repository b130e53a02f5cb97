"""The one top-k: eligibility first, then the best k by score, then popularity for the places left.

Exact ties go to the lower item code. A score of -inf or NaN means that the model has no opinion of the item: such
items come after all others, in the order of popularity, and their places have the source `fallback`.
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np

from vitrina.base.heap import best_first, push
from vitrina.base.kernels import Spread, kernel, sum_kernel
from vitrina.catalogue import Catalogue
from vitrina.request import list_width
from vitrina.types import Bool, Eligibility, Float32, Int32, Int64, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

RUN = 64  # scores that are looked at together
BLOCK_BYTES = 16 << 20  # of a block of dense scores: stays within the last-level cache


def block_size(n_items: int) -> int:
    """Queries per block, so that a dense block of float32 scores takes about 16 MB."""
    return int(np.clip(BLOCK_BYTES // (4 * max(n_items, 1)), 16, 4096))


def top_k_dense(
    scores: Float32, queries: Queries, k: int, eligible: Eligibility, catalogue: Catalogue, vocabulary: Vocabulary
) -> Recommendations:
    """The best k of `scores` (queries, items) for each query.

    Cost: one pass over the scores; O(threads x items) of scratch memory.
    """
    best = Best(queries, k, eligible, catalogue, vocabulary)
    start, items = np.arange(len(queries)) * scores.shape[1], np.arange(scores.shape[1], dtype=np.int32)
    best.offer(slice(None), Offered(start, start + scores.shape[1], scores.reshape(-1), items, True), best.allowed)
    return best.lists()


def top_k_ragged(
    candidates: Ragged, scores: Float32, queries: Queries, k: int, eligible: Eligibility, catalogue: Catalogue, vocabulary: Vocabulary
) -> Recommendations:
    """The best k of each query's own `candidates` (each at most once per query) with their `scores` (total,)."""
    best = Best(queries, k, eligible, catalogue, vocabulary)
    best.offer_rows(candidates, scores)
    return best.lists()


class Running(NamedTuple):
    """Heaps of the best so far of some queries, in arrays that are written to."""

    sizes: Int64  # (queries,) places that are taken
    items: Int32  # (queries, k)
    scores: Float32  # (queries, k)


class Offered(NamedTuple):
    """Scores of some queries, `scores[start[q]:stop[q]]` those of q."""

    start: Int64  # (queries,)
    stop: Int64  # (queries,)
    scores: Float32
    items: Int32  # of each score; where it is shared, of each score of every query
    shared: bool


class Slices(NamedTuple):
    """A list of items for each query, `items[start[q]:stop[q]]`."""

    start: Int64  # (queries,)
    stop: Int64  # (queries,)
    items: Int32

    @classmethod
    def of(cls, rows: Ragged, selection: slice = slice(None)) -> Slices:
        return cls(rows.indptr[:-1][selection], rows.indptr[1:][selection], rows.values)


class Exactly(NamedTuple):
    """What is looked at again because scores came of sums in any order: the same product, as `dot` has it."""

    states: Float32  # (queries, dim)
    vectors: Float32  # (offered, dim)
    slack: Float32  # (queries,) how far the two may be apart; of no length where scores are taken as they come


AS_THEY_COME = Exactly(np.empty((0, 0), np.float32), np.empty((0, 0), np.float32), np.empty(0, np.float32))


@final
class Best:
    """The best k eligible items of each query so far. Scores may be offered in parts, each item once."""

    def __init__(self, queries: Queries, k: int, eligible: Eligibility, catalogue: Catalogue, vocabulary: Vocabulary) -> None:
        k = list_width(k, catalogue)
        eligible.check_rows(len(queries))
        queries.vocabulary.require_compatible(vocabulary, "queries")
        self.catalogue, self.vocabulary = catalogue, vocabulary
        self.allowed, self.banned = allowed_mask(eligible, catalogue), eligible.banned(queries)
        self.limited = isinstance(eligible.include, Ragged)
        self.include = eligible.include if isinstance(eligible.include, Ragged) else Ragged.empty(len(queries))
        shape = (len(queries), k)
        self.running = Running(np.zeros(shape[0], np.int64), np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32))

    def offer_rows(self, candidates: Ragged, scores: Float32) -> None:
        """Scores of each query's own candidates."""
        self.offer(slice(None), Offered(candidates.indptr[:-1], candidates.indptr[1:], scores, candidates.values, False), self.allowed)

    def offer(
        self, part: slice, offered: Offered, allowed: Bool, banned: Slices | None = None, ahead: int = 0, exactly: Exactly = AS_THEY_COME
    ) -> None:
        """Scores of a run of the queries.

        Args:
            allowed: of every item; of shared ones, of these.
            banned: what of it each of these queries must not get; None takes all that the lists must not have.
            ahead: what a banned item's number is less by, to be a place in `allowed`.
        """
        running = Running(self.running.sizes[part], self.running.items[part], self.running.scores[part])
        banned = Slices.of(self.banned, part) if banned is None else banned
        include = Slices.of(self.include, part)
        _offer(len(running.sizes), *offered, allowed, *banned, ahead, self.limited, *include, *exactly, *running)

    def lists(self) -> Recommendations:
        """The lists, the best first; places that are left are popularity's, where the catalogue has it fill them."""
        sizes, items, scores = self.running
        source = np.zeros(items.shape, np.uint8)
        _finish(
            len(items), self.allowed, *Slices.of(self.banned), self.limited, *Slices.of(self.include), self.catalogue.filling, sizes,
            items, scores, source,
        )  # fmt: skip
        return Recommendations(items, scores, self.vocabulary, {"source": source})


def allowed_mask(eligible: Eligibility, catalogue: Catalogue) -> Bool:
    """(items,) which items are eligible for every query: the catalogue and the parts of `eligible` that are not per query."""
    allowed = catalogue.mask.copy()
    if eligible.include is not None and not isinstance(eligible.include, Ragged):
        chosen = np.zeros(len(allowed), bool)
        chosen[_inside(eligible.include, len(allowed))] = True
        allowed &= chosen
    if eligible.exclude is not None and not isinstance(eligible.exclude, Ragged):
        allowed[_inside(eligible.exclude, len(allowed))] = False
    return allowed


def known_candidates(include: Ragged, known: Bool) -> Ragged:
    """Each query's own `include`, once each, without what is not `known`."""
    rows = include.keep((include.values >= 0) & (include.values < len(known)))
    return rows.keep(known[rows.values]).unique()


def _inside(items: Int32, n_items: int) -> Int32:
    items = np.asarray(items)
    return items[(items >= 0) & (items < n_items)]


@kernel
def _some_from(scores, begin, end, least):  # pragma: no cover
    """Whether one of a run of scores reaches the least that counts."""
    found = 0
    for at in range(begin, end):
        found += scores[at] >= least
    return found > 0


@sum_kernel
def dot(left, right):  # pragma: no cover
    """The product of two vectors, summed in float64: the same wherever the two stand in a table."""
    total = 0.0
    for at in range(len(left)):
        total += np.float64(left[at]) * np.float64(right[at])
    return np.float32(total)


@kernel
def _mark(stamp, ahead, value, start, stop, items):  # pragma: no cover
    for at in range(start, stop):
        if 0 <= items[at] - ahead < len(stamp):
            stamp[items[at] - ahead] = value


@Spread
def _offer(
    first, last, start, stop, scores, items, shared, allowed, ban_start, ban_stop, ban_items, ahead, limited, include_start, include_stop,
    include_items, states, vectors, slack, sizes, out_items, out_scores,
):  # fmt: skip  # pragma: no cover
    """Push what may be among the best into the heaps. A stamp of 2q marks what is included for query q, 2q + 1 what is banned."""
    k, exactly = out_items.shape[1], len(slack) > 0
    stamp = np.full(len(allowed), -1, np.int64)
    for q in range(first, last):
        if limited:
            _mark(stamp, ahead, 2 * q, include_start[q], include_stop[q], include_items)
        _mark(stamp, ahead, 2 * q + 1, ban_start[q], ban_stop[q], ban_items)
        size, best, value = sizes[q], out_items[q], out_scores[q]
        apart = slack[q] if exactly else np.float32(0)
        for begin in range(start[q], stop[q], RUN):
            end = min(begin + RUN, stop[q])
            if size == k and not _some_from(scores, begin, end, value[0] - apart):  # nearly always: a run is compared eight at a time
                continue
            for at in range(begin, end):
                score = scores[at]
                full = size == k
                if (full and not score >= value[0] - apart) or (not full and not score > -np.inf):
                    continue
                place = at - start[q] if shared else items[at]
                mark = stamp[place]
                if not allowed[place] or mark == 2 * q + 1 or (limited and mark != 2 * q):
                    continue
                if exactly:
                    score = dot(states[q], vectors[place])
                if score > -np.inf:
                    size = push(best, value, size, k, items[place] if shared else place, score)
        sizes[q] = size


@Spread
def _finish(
    first, last, allowed, ban_start, ban_stop, ban_items, limited, include_start, include_stop, include_items, popular, sizes, out_items,
    out_scores, source,
):  # fmt: skip  # pragma: no cover
    """Put the heaps in order, and what popularity has into the places that are left. Stamps are those of `_offer`."""
    k = out_items.shape[1]
    short = (sizes[first:last] < k).any()
    stamp = np.full(len(allowed) if short else 0, -1, np.int64)
    for q in range(first, last):
        size, best = sizes[q], out_items[q]
        best_first(best, out_scores[q], size)
        if size == k:
            continue
        if limited:
            _mark(stamp, 0, 2 * q, include_start[q], include_stop[q], include_items)
        _mark(stamp, 0, 2 * q + 1, ban_start[q], ban_stop[q], ban_items)
        for place in range(size):
            stamp[best[place]] = 2 * q + 1
        for item in popular:
            if size == k:
                break
            mark = stamp[item]
            if allowed[item] and mark != 2 * q + 1 and (not limited or mark == 2 * q):
                best[size], source[q, size] = item, 1
                size += 1
