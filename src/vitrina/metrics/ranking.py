"""How well lists hold what people took. All are per query, in [0, 1], float64.

R is the number of different items that the person took, hit[j] whether the item at place j (from 1) is one of them.
A query without recommendations scores 0; one with nothing taken says nothing (NaN) and is left out of the mean.
"""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.metrics.base import PerQuery
from vitrina.metrics.judged import Judged
from vitrina.types import Bool, Float64, Int64


@final
class Precision(PerQuery):
    """Share of the k places that hold a hit: sum_{j <= k} hit[j] / k.

    Elsewhere: implicit's `precision_at_k` divides by min(k, R); a list shorter than k divides by k here, as in trec_eval.

    >>> Precision(k=10).name
    'Precision@10'
    """

    label: ClassVar[str] = "Precision"

    def per_query(self, judged: Judged) -> Float64:
        return _over(_found(judged, self), np.full(len(judged), self.k), judged)


@final
class Recall(PerQuery):
    """Share of what was taken that the first k places hold: sum_{j <= k} hit[j] / R.

    Elsewhere: recpack's CalibratedRecall divides by min(k, R); then 1 can be reached by people who took more than k.

    >>> Recall(k=20).name
    'Recall@20'
    """

    label: ClassVar[str] = "Recall"

    def per_query(self, judged: Judged) -> Float64:
        return _over(_found(judged, self), judged.relevant, judged)


@final
class HitRate(PerQuery):
    """1 if any of the first k places is a hit, else 0.

    >>> HitRate().name
    'HitRate@10'
    """

    label: ClassVar[str] = "HitRate"

    def per_query(self, judged: Judged) -> Float64:
        return _over(np.minimum(_found(judged, self), 1), np.ones(len(judged)), judged)


@final
class MRR(PerQuery):
    """One over the place of the first hit, 0 if there is none among the first k.

    >>> MRR().name
    'MRR@10'
    """

    label: ClassVar[str] = "MRR"

    def per_query(self, judged: Judged) -> Float64:
        hits = judged.hits[:, judged.first(self.k, self.name)]
        place = np.argmax(hits, axis=1)
        return _over(hits[np.arange(len(hits)), place], place + 1, judged)


@final
class MAP(PerQuery):
    """Mean of the precision at each hit: sum_{j <= k} hit[j] * (hits up to j / j) / min(k, R).

    Elsewhere: RecTools and ranx divide by R, so that 1 can't be reached by people who took more than k; RePlay as here.

    >>> MAP().name
    'MAP@10'
    """

    label: ClassVar[str] = "MAP"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        precisions = np.zeros(len(judged))
        _precision_sum(len(judged), judged.hits, self.k, precisions)
        return _over(precisions, np.minimum(judged.relevant, self.k), judged)


@final
class NDCG(PerQuery):
    """Discounted gain over that of the best list possible, binary gains. [Järvelin and Kekäläinen 2002](https://doi.org/10.1145/582415.582418).

    sum_{j <= k} hit[j] / log2(j + 1)  /  sum_{j <= min(k, R)} 1 / log2(j + 1)

    Elsewhere: RecTools divides by the gain of k hits unless `divide_by_achievable=True`; RePlay, recpack, ranx and trec_eval as here.

    >>> NDCG().name
    'nDCG@10'
    """

    label: ClassVar[str] = "nDCG"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        discount = 1 / np.log2(np.arange(2, self.k + 2))
        ideal = np.append(0.0, np.cumsum(discount))[np.minimum(judged.relevant, self.k)]
        gain = np.zeros(len(judged))
        _weighted(len(judged), judged.hits, discount, gain)
        return _over(gain, ideal, judged)


@final
class RPrecision(PerQuery):
    """Hits among the first min(k, R) places, over min(k, R): the precision where a perfect list would just be complete.

    Elsewhere: RecTools' `Precision(r_precision=True)` counts hits among the first k and divides by min(k, R);
    trec_eval has no k: it looks at R places, as here when k is at least R.

    >>> RPrecision().name
    'RPrecision@10'
    """

    label: ClassVar[str] = "RPrecision"

    def per_query(self, judged: Judged) -> Float64:
        depth = np.minimum(judged.relevant, self.k)
        hits = judged.hits[:, judged.first(self.k, self.name)]
        within = np.arange(self.k) < depth[:, None]
        return _over((hits & within).sum(axis=1), depth, judged)


def _found(judged: Judged, metric: PerQuery) -> Int64:
    """(queries,) hits among the first k."""
    hits = judged.hits[:, judged.first(metric.k, metric.name)]
    return judged.once(("found", metric.k), lambda: hits.sum(axis=1))


def _over(top: Float64 | Int64 | Bool, bottom: Float64 | Int64, judged: Judged) -> Float64:
    """top / bottom where something was taken, NaN elsewhere."""
    return np.divide(top, bottom, out=np.full(len(judged), np.nan), where=judged.relevant > 0)


@Spread
def _weighted(first, last, hits, weights, out):  # pragma: no cover
    """(queries,) sum of the weights of the places that are hits."""
    for q in range(first, last):
        for place in range(len(weights)):
            if hits[q, place]:
                out[q] += weights[place]


@Spread
def _precision_sum(first, last, hits, k, out):  # pragma: no cover
    """(queries,) sum over hits of the precision at their place."""
    for q in range(first, last):
        found = 0
        for place in range(k):
            if hits[q, place]:
                found += 1
                out[q] += found / (place + 1)
