"""xQuAD: each category that a person likes gets its place, until it has had enough."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.arrays import Float64, Int64
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import Arrays
from vitrina.rerank.aspects import ByCategories, shares_of
from vitrina.rerank.base import Candidates
from vitrina.rerank.greedy import bring_up, leave, lower, opened_queue
from vitrina.rerank.limits import may_take, opened, take
from vitrina.types import Queries


@final
class XQuAD(ByCategories):
    """The next item is the one with the largest (1 - diversity) * relevance + diversity * sum_a P(a) P(i, a) prod_j (1 - P(j, a)), j over the list.

    [Santos et al. 2010](https://doi.org/10.1145/1772690.1772780), with categories as aspects: P(a) is the share of category a in the history of who asks, and
    P(i, a) = satisfies * (share of a among the categories of item i), the chance that item i is enough for who wants a. A stranger wants the categories of the
    candidates, by their shares. Relevance is the scores of each query from 1 of its best candidate to 0 of its last.

    Args:
        diversity: 0 keeps the order, 1 looks at categories alone; a request says another in the column `diversity` of its context.
        satisfies: the chance that an item of one category is enough for who wants it; with 1 a category has had enough after one item.
        categories: which columns of the item table.

    Raises:
        DataError: the log has no such columns.
        ParameterError: a request's diversity is not between 0 and 1.

    Cost: per query k x candidates x categories of an item, at most.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Reranked(model=vt.EASE(), reranker=vt.XQuAD(diversity=0.5)).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    satisfies: float = Field(default=0.5, gt=0, le=1)

    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        members, wanted, aspects = shares_of(queries, items)
        codes = np.where(candidates.lists.items < len(members.indptr) - 1, candidates.lists.items, -1)
        how = (self.satisfies, aspects)
        relevance, limits = candidates.relevance, candidates.limits
        _choose(len(queries), codes, relevance, candidates.counts, diversity, how, members, wanted, limits, chosen, values)


@Spread
def _choose(first, last, items, relevance, counts, diversity, how, members, wanted, limits, chosen, values):  # pragma: no cover
    satisfies, aspects = how
    for q in range(first, last):
        count, weight, codes = counts[q], diversity[q], items[q]
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        open_wish = _wishes(q, count, codes, members, wanted, aspects)
        gain = (1 - weight) * relevance[q, :count]
        (queue, keys), waiting = opened_queue(gain + weight), count  # no wish is above 1
        for place in range(min(chosen.shape[1], count)):
            may_take(q, place, left, limits, account, may)
            out = 0
            while True:
                waiting, out = bring_up(queue, keys, waiting, out, may)
                best = -queue[0]
                value = gain[best] + weight * satisfies * _covered(codes[best], members, open_wish)
                if value == -keys[0]:
                    break
                lower(queue, keys, waiting, value)
            chosen[q, place], values[q, place], left[best] = best, -keys[0], False
            take(q, best, limits, account)
            waiting = leave(queue, keys, waiting, out)
            if codes[best] >= 0:
                for at in range(members.indptr[codes[best]], members.indptr[codes[best] + 1]):
                    open_wish[members.indices[at]] *= 1 - satisfies * members.values[at]


@kernel
def _wishes(q, count, codes, members, wanted, aspects):  # pragma: no cover
    """(aspects,) what is wanted of each category before the list begins."""
    wish = np.zeros(aspects)
    for at in range(wanted.indptr[q], wanted.indptr[q + 1]):
        wish[wanted.indices[at]] = wanted.values[at]
    if wanted.indptr[q] == wanted.indptr[q + 1]:
        for c in range(count):
            if codes[c] >= 0:
                for at in range(members.indptr[codes[c]], members.indptr[codes[c] + 1]):
                    wish[members.indices[at]] += members.values[at] / count
    return wish


@kernel
def _covered(code, members, wish):  # pragma: no cover
    total = 0.0
    if code >= 0:
        for at in range(members.indptr[code], members.indptr[code + 1]):
            total += wish[members.indices[at]] * members.values[at]
    return total
