"""Calibrated recommendations: a list holds the categories of a history in its proportions."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.arrays import Float64, Int64
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import Arrays
from vitrina.rerank.aspects import ByCategories, shares_of
from vitrina.rerank.base import Candidates
from vitrina.rerank.limits import may_take, opened, take
from vitrina.types import Queries

MIXED = 0.01  # of the history in the list's shares, so that a category that the list lacks costs something finite


@final
class Calibrated(ByCategories):
    """The next item is the one with the largest (1 - diversity) * relevance - diversity * KL(p || q), q the shares of categories in the list with it.

    KL(p || q) = sum_a p(a) log(p(a) / (.99 q(a) + .01 p(a))), p the shares in the history of who asks ([Steck 2018](https://doi.org/10.1145/3240323.3240372), greedily).
    So who watched seven dramas and three comedies is shown about as many of each: what is restored is the person's own breadth, not the most there is. Who has no
    history of categories keeps the order. Relevance is the scores of each query from 1 of its best candidate to 0 of its last.

    Args:
        diversity: 0 keeps the order, 1 looks at proportions alone; a request says another in the column `diversity` of its context.
        categories: which columns of the item table.

    Raises:
        DataError: the log has no such columns.
        ParameterError: a request's diversity is not between 0 and 1.

    Cost: per query k x candidates x categories of an item.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Reranked(model=vt.EASE(), reranker=vt.Calibrated(diversity=0.5)).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        members, wanted, aspects = shares_of(queries, items)
        codes = np.where(candidates.lists.items < len(members.indptr) - 1, candidates.lists.items, -1)
        relevance, limits = candidates.relevance, candidates.limits
        _choose(len(queries), codes, relevance, candidates.counts, diversity, aspects, members, wanted, limits, chosen, values)


@Spread
def _choose(first, last, items, relevance, counts, diversity, aspects, members, wanted, limits, chosen, values):  # pragma: no cover
    p, held = np.zeros(aspects), np.zeros(aspects)
    for q in range(first, last):
        count, weight, codes = counts[q], diversity[q], items[q]
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        p[:], held[:] = 0, 0
        for at in range(wanted.indptr[q], wanted.indptr[q + 1]):
            p[wanted.indices[at]] = wanted.values[at]
        for place in range(min(chosen.shape[1], count)):
            may_take(q, place, left, limits, account, may)
            best, most = -1, -np.inf
            without = 0.0  # what the list lacks whichever comes, but for the categories of what comes
            for at in range(wanted.indptr[q], wanted.indptr[q + 1]):
                without += _lack(p[wanted.indices[at]], held[wanted.indices[at]] / (place + 1))
            for c in range(count):
                if may[c]:
                    value = (1 - weight) * relevance[q, c] - weight * (without + _change(codes[c], place, p, held, members))
                    if value > most:
                        best, most = c, value
            chosen[q, place], values[q, place], left[best] = best, most, False
            take(q, best, limits, account)
            if codes[best] >= 0:
                for at in range(members.indptr[codes[best]], members.indptr[codes[best] + 1]):
                    held[members.indices[at]] += members.values[at]


@kernel
def _lack(p, q):  # pragma: no cover
    return p * np.log(p / ((1 - MIXED) * q + MIXED * p)) if p > 0 else 0.0


@kernel
def _change(code, place, p, held, members):  # pragma: no cover
    """By how much the categories of an item change the divergence of a list of `place` items and one that has none."""
    change = 0.0
    if code >= 0:
        for at in range(members.indptr[code], members.indptr[code + 1]):
            a = members.indices[at]
            change += _lack(p[a], (held[a] + members.values[at]) / (place + 1)) - _lack(p[a], held[a] / (place + 1))
    return change
