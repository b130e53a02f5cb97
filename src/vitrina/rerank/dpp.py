"""Determinantal point process: the list whose relevances and whose volume are largest, one item after another."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.arrays import Float64, Int64
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import Arrays
from vitrina.rerank.base import Candidates
from vitrina.rerank.greedy import ByVectors, bring_up, known_items, leave, lower, opened_again, opened_queue, rows_of, second
from vitrina.rerank.limits import may_take, opened, take
from vitrina.rerank.span import FLOOR, empty_span, narrow, opened_span, widen
from vitrina.types import Queries


@final
class DPP(ByVectors):
    """The next item is the one with the largest (1 - diversity) * relevance + diversity * log(what of its vector the list doesn't span, squared).

    This is the greedy choice of the most likely list of a determinantal point process with the kernel diag(e^(a r)) S diag(e^(a r)), where r is relevance,
    S the cosines of the item vectors and 2 a = (1 - diversity) / diversity ([Chen et al. 2018](https://arxiv.org/abs/1709.05135)): all items of the list
    count at once, where MMR looks at the most similar one. Relevance is the scores of each query from 1 of its best candidate to 0 of its last.

    No more items than the vectors have dimensions can lie outside of each other's span. The square is taken as no less than .0001, so that a copy costs
    9.2 * diversity and not infinitely much; when nothing that is left has more, the list goes on as if it began, with a span that is empty again.

    Args:
        diversity: 0 keeps the order, 1 looks at the volume alone; a request says another in the column `diversity` of its context.
        vectors: how alike items are, one of `vt.similarity`; None takes content where items are described, else interactions.

    Raises:
        DataError, ParameterError: the log, or the model, doesn't hold what the vectors are made of.
        ParameterError: a request's diversity is not between 0 and 1.

    Cost: per query at most k x candidates products of vectors, less as only those are computed that could be the best; 4 * k * (candidates + dim) bytes per thread.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Reranked(model=vt.EASE(), reranker=vt.DPP(diversity=0.5)).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        codes, relevance = known_items(candidates, items), candidates.relevance
        _choose(len(queries), codes, relevance, candidates.counts, diversity, rows_of(items), candidates.limits, chosen, values)


@Spread
def _choose(first, last, items, relevance, counts, diversity, vectors, limits, chosen, values):  # pragma: no cover
    for q in range(first, last):
        count, weight, codes = counts[q], diversity[q], items[q]
        gain = (1 - weight) * relevance[q, :count]
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        span = opened_span(count, min(chosen.shape[1], count), vectors.dim)
        (queue, keys), waiting, size = opened_queue(gain), count, 0
        for place in range(min(chosen.shape[1], count)):
            may_take(q, place, left, limits, account, may)
            if weight > 0 and size > 0 and not _any_outside(span, size, left, vectors, codes):
                empty_span(span)
                size = 0
                queue, keys, waiting = opened_again(gain, left)
            out = 0
            while True:
                waiting, out = bring_up(queue, keys, waiting, out, may)
                best = -queue[0]
                value = gain[best] + weight * np.log(max(span.outside[best], FLOOR))
                if span.known[best] == size and -keys[0] == value:
                    break
                least = np.exp((second(keys, waiting) - gain[best]) / weight) * (1 - 1e-5)
                narrow(span, best, codes[best], size, least, vectors)
                lower(queue, keys, waiting, gain[best] + weight * np.log(max(span.outside[best], FLOOR)))
            chosen[q, place], values[q, place], left[best] = best, -keys[0], False
            take(q, best, limits, account)
            waiting = leave(queue, keys, waiting, out)
            if weight > 0:
                widen(span, best, codes[best], size, vectors)
                size += 1


@kernel
def _any_outside(span, size, left, vectors, codes):  # pragma: no cover
    """Whether something of any item that is left lies outside of the span."""
    for c in range(len(left)):
        if left[c] and span.outside[c] > FLOOR:
            narrow(span, c, codes[c], size, FLOOR, vectors)
            if span.outside[c] > FLOOR:
                return True
    return False
