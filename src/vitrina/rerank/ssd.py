"""Sliding spectrum decomposition: what is relevant and lies outside of what the last places of the list span."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.arrays import Float64, Int64
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import Arrays
from vitrina.rerank.base import Candidates
from vitrina.rerank.greedy import ByVectors, bring_up, known_items, leave, lower, opened_again, opened_queue, rows_of, second
from vitrina.rerank.limits import may_take, opened, take
from vitrina.rerank.span import FLOOR, empty_span, narrow, opened_span, widen
from vitrina.types import Queries


@final
class SSD(ByVectors):
    """The next item is the one with the largest (1 - diversity) * relevance + diversity * (length of its vector outside of what the window spans).

    The window is the last `window` items of the list: what somebody who scrolls has before the eyes, so that a thing may come back further down
    ([Huang et al. 2021](https://arxiv.org/abs/2107.05204), eq. 12, the stabilised form, without the product of all lengths before, which
    would let diversity fade along the list). Relevance is the scores of each query from 1 of its best candidate to 0 of its last.
    A length below .01 counts as none, and where nothing of any item that is left lies outside, relevance alone decides.

    Args:
        diversity: 0 keeps the order, 1 looks at the span alone; a request says another in the column `diversity` of its context.
        window: how many of the last items count; a list no longer than it is compared as a whole.
        vectors: how alike items are, one of `vt.similarity`; None takes content where items are described, else interactions.

    Raises:
        DataError, ParameterError: the log, or the model, doesn't hold what the vectors are made of.
        ParameterError: a request's diversity is not between 0 and 1.

    Cost: per query and place beyond the window at most candidates x window products of vectors, less as only those are computed that could be the
        best; within the window as `DPP`.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Reranked(model=vt.EASE(), reranker=vt.SSD(diversity=0.5)).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    window: int = Field(default=10, ge=1)

    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        codes, relevance, vectors = known_items(candidates, items), candidates.relevance, rows_of(items)
        _choose(len(queries), codes, relevance, candidates.counts, diversity, self.window, vectors, candidates.limits, chosen, values)


@Spread
def _choose(first, last, items, relevance, counts, diversity, window, vectors, limits, chosen, values):  # pragma: no cover
    for q in range(first, last):
        count, weight, codes = counts[q], diversity[q], items[q]
        gain = (1 - weight) * relevance[q, :count]
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        span = opened_span(count, min(chosen.shape[1], count, window), vectors.dim)
        (queue, keys), waiting, size = opened_queue(gain + weight), count, 0
        for place in range(min(chosen.shape[1], count)):
            may_take(q, place, left, limits, account, may)
            if size > window:
                size = _slide(span, chosen[q, place - window : place], codes, vectors)
                queue, keys, waiting = opened_again(gain + weight, left)
            out = 0
            while True:
                waiting, out = bring_up(queue, keys, waiting, out, may)
                best = -queue[0]
                if weight == 0 or span.known[best] == size:
                    break
                least = max((second(keys, waiting) - gain[best]) / weight, 0) ** 2 * (1 - 1e-5)
                narrow(span, best, codes[best], size, least, vectors)
                lower(queue, keys, waiting, gain[best] + weight * (np.sqrt(span.outside[best]) if span.outside[best] > FLOOR else 0))
            chosen[q, place], values[q, place], left[best] = best, -keys[0], False
            take(q, best, limits, account)
            waiting = leave(queue, keys, waiting, out)
            if weight > 0:
                size += 1
                if size <= window:
                    widen(span, best, codes[best], size - 1, vectors)


@kernel
def _slide(span, listed, codes, vectors):  # pragma: no cover
    """The span of these items alone. How many they are."""
    empty_span(span)
    for size, c in enumerate(listed):
        narrow(span, c, codes[c], size, 0, vectors)
        widen(span, c, codes[c], size, vectors)
    return len(listed)
