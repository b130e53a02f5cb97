"""The one top-k: eligibility first, then the best k by score, then popularity for the places left.

Exact ties go to the lower item code. A score of -inf or NaN means that the model has no opinion of the item: such
items come after all others, in the order of popularity, and their places have the source `fallback`.
"""

from __future__ import annotations

import numpy as np

from vitrina.base.heap import best_first, push
from vitrina.base.kernels import Spread, kernel
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
    rows = np.arange(len(queries) + 1, dtype=np.int64) * scores.shape[1]
    return _top_k(rows, np.empty(0, np.int32), scores.reshape(-1), queries, k, eligible, catalogue, vocabulary)


def top_k_ragged(
    candidates: Ragged, scores: Float32, queries: Queries, k: int, eligible: Eligibility, catalogue: Catalogue, vocabulary: Vocabulary
) -> Recommendations:
    """The best k of each query's own `candidates` (each at most once per query) with their `scores` (total,)."""
    return _top_k(candidates.indptr, candidates.values, scores, queries, k, eligible, catalogue, vocabulary)


def _top_k(
    indptr: Int64,
    items: Int32,
    scores: Float32,
    queries: Queries,
    k: int,
    eligible: Eligibility,
    catalogue: Catalogue,
    vocabulary: Vocabulary,
) -> Recommendations:
    k = list_width(k, catalogue)
    eligible.check_rows(len(queries))
    queries.vocabulary.require_compatible(vocabulary, "queries")
    banned, own = eligible.banned(queries), eligible.include
    limited = isinstance(own, Ragged)
    include = own if isinstance(own, Ragged) else Ragged.empty(0)
    shape = (len(queries), k)
    out_items, out_scores = np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32)
    source = np.zeros(shape, np.uint8)
    _select(
        len(queries), indptr, items, scores, allowed_mask(eligible, catalogue), banned.indptr, banned.values, limited, include.indptr,
        include.values, catalogue.by_popularity, out_items, out_scores, source,
    )  # fmt: skip
    return Recommendations(out_items, out_scores, vocabulary, {"source": source})


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


@Spread
def _select(
    first, last, indptr, items, scores, allowed, ban_indptr, ban_items, limited, include_indptr, include_items, popular, out_items,
    out_scores, source,
):  # fmt: skip  # pragma: no cover
    """Fill `out_*`. A stamp of 2q marks an item included for query q, 2q + 1 one that is banned or taken already."""
    n_items, k, dense = len(allowed), out_items.shape[1], len(items) == 0
    stamp = np.full(n_items, -1, np.int64)
    for q in range(first, last):
        if limited:
            for at in range(include_indptr[q], include_indptr[q + 1]):
                if 0 <= include_items[at] < n_items:
                    stamp[include_items[at]] = 2 * q
        for at in range(ban_indptr[q], ban_indptr[q + 1]):
            if 0 <= ban_items[at] < n_items:
                stamp[ban_items[at]] = 2 * q + 1
        size, best, value = 0, out_items[q], out_scores[q]
        for begin in range(indptr[q], indptr[q + 1], RUN):
            end = min(begin + RUN, indptr[q + 1])
            if size == k and not _some_from(scores, begin, end, value[0]):  # nearly always: a run is compared eight at a time
                continue
            for at in range(begin, end):
                score = scores[at]
                full = size == k
                if (full and not score >= value[0]) or (not full and not score > -np.inf):
                    continue
                item = at - indptr[q] if dense else items[at]
                mark = stamp[item]
                if not allowed[item] or mark == 2 * q + 1 or (limited and mark != 2 * q):
                    continue
                size = push(best, value, size, k, item, score)
        best_first(best, value, size)
        for place in range(size):
            stamp[best[place]] = 2 * q + 1
        for item in popular:
            if size == k:
                break
            mark = stamp[item]
            if allowed[item] and mark != 2 * q + 1 and (not limited or mark == 2 * q):
                best[size], source[q, size] = item, 1
                size += 1
