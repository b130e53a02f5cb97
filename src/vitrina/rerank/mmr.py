"""Maximal marginal relevance: the next item is relevant, and unlike the one most like it that is already there."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.arrays import Float64, Int64
from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.rerank.base import Candidates
from vitrina.rerank.greedy import ByVectors, bring_up, cosines, known_items, leave, lower, opened_queue, rows_of
from vitrina.rerank.limits import may_take, opened, take
from vitrina.types import Queries


@final
class MMR(ByVectors):
    """The next item is the one with the largest (1 - diversity) * relevance - diversity * (its largest likeness to an item of the list).

    [Carbonell and Goldstein 1998](https://doi.org/10.1145/290941.291025). The first item is the most relevant; ties go to the more relevant,
    then to the lower code. Relevance is the scores of each query from 1 of its best candidate to 0 of its last, so neither the
    scale of the scores nor a constant in them matters; likeness is the cosine of two item vectors, in [-1, 1].

    Args:
        diversity: 0 keeps the order, 1 looks at likeness alone; a request says another in the column `diversity` of its context.
        vectors: how alike items are, one of `vt.similarity`. None takes what describes the items (`OfContent`), and who took them (`OfInteractions`)
            where nothing does.

    Raises:
        DataError, ParameterError: the log, or the model, doesn't hold what the vectors are made of.
        ParameterError: a request's diversity is not between 0 and 1.

    Cost: per query at most k x candidates products of vectors; less, as a candidate is only compared further while it could still be the best.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Reranked(model=vt.EASE(), reranker=vt.MMR(diversity=0.5)).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        codes, relevance = known_items(candidates, items), candidates.relevance
        _choose(len(queries), codes, relevance, candidates.counts, diversity, rows_of(items), candidates.limits, chosen, values)


@Spread
def _choose(first, last, items, relevance, counts, diversity, rows, limits, chosen, values):  # pragma: no cover
    for q in range(first, last):
        count, weight = counts[q], diversity[q]
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        queue, keys = opened_queue((1 - weight) * relevance[q, :count])
        closest, compared, size = np.full(count, np.float32(-1)), np.zeros(count, np.int64), count
        listed, likeness = np.empty(count, np.int32), np.empty(count, np.float32)
        for place in range(min(chosen.shape[1], count)):
            may_take(q, place, left, limits, account, may)
            out = 0
            while True:
                size, out = bring_up(queue, keys, size, out, may)
                best = -queue[0]
                if weight == 0 or compared[best] == place:
                    break
                cosines(rows, items[q, best], listed[compared[best] : place], likeness)
                for n in range(place - compared[best]):
                    closest[best] = max(closest[best], likeness[n])
                compared[best] = place
                lower(queue, keys, size, (1 - weight) * relevance[q, best] - weight * closest[best])
            chosen[q, place], values[q, place], left[best], listed[place] = best, -keys[0], False, items[q, best]
            take(q, best, limits, account)
            size = leave(queue, keys, size, out)
            if place == 0:
                keys[:size] -= weight  # the least likeness is -1
