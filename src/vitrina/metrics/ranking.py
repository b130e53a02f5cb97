"""How well lists hold what people took. All are per query, in [0, 1], float64.

R is the number of different items that the person took, hit[j] whether the item at place j (from 1) is one of them.
A query without recommendations scores 0; one with nothing taken says nothing (NaN) and is left out of the mean.
"""

from __future__ import annotations

from abc import ABC
from typing import ClassVar, final

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.metrics.base import PerQuery
from vitrina.metrics.judged import Judged
from vitrina.types import Bool, Float64, Int64


class OfHits(PerQuery, ABC):
    """A metric of accuracy: it reads the hits and how much there was to hit."""

    needs: ClassVar[frozenset[str]] = frozenset({"truth"})


@final
class Precision(OfHits):
    """Share of the k places that hold a hit: sum_{j <= k} hit[j] / k.

    Elsewhere: implicit's `precision_at_k` divides by min(k, R); a list shorter than k divides by k here, as in trec_eval.

    >>> Precision(k=10).name
    'Precision@10'
    """

    label: ClassVar[str] = "Precision"
    in_words: ClassVar[str] = "share of the list that the person then took"

    def per_query(self, judged: Judged) -> Float64:
        return _share(_hit_count(judged, self), np.full(len(judged), self.k), judged)


@final
class Recall(OfHits):
    """Share of what was taken that the first k places hold: sum_{j <= k} hit[j] / R.

    Elsewhere: recpack's CalibratedRecall divides by min(k, R); then 1 can be reached by people who took more than k.

    >>> Recall(k=20).name
    'Recall@20'
    """

    label: ClassVar[str] = "Recall"
    in_words: ClassVar[str] = "share of what the person then took that the list holds"

    def per_query(self, judged: Judged) -> Float64:
        return _share(_hit_count(judged, self), judged.relevant, judged)


@final
class HitRate(OfHits):
    """1 if any of the first k places is a hit, else 0.

    >>> HitRate().name
    'HitRate@10'
    """

    label: ClassVar[str] = "HitRate"
    in_words: ClassVar[str] = "share of the lists with at least one thing that the person then took"

    def per_query(self, judged: Judged) -> Float64:
        return _share(np.minimum(_hit_count(judged, self), 1), np.ones(len(judged)), judged)


@final
class MRR(OfHits):
    """One over the place of the first hit, 0 if there is none among the first k.

    >>> MRR().name
    'MRR@10'
    """

    label: ClassVar[str] = "MRR"
    in_words: ClassVar[str] = "one over the place of the first hit"

    def per_query(self, judged: Judged) -> Float64:
        hits = judged.hits[:, judged.first(self.k, self.name)]
        place = np.argmax(hits, axis=1)
        return _share(hits[np.arange(len(hits)), place], place + 1, judged)


@final
class MAP(OfHits):
    """Mean of the precision at each hit: sum_{j <= k} hit[j] * (hits up to j / j) / min(k, R).

    Elsewhere: RecTools and ranx divide by R, so that 1 can't be reached by people who took more than k; RePlay as here.

    >>> MAP().name
    'MAP@10'
    """

    label: ClassVar[str] = "MAP"
    in_words: ClassVar[str] = "mean precision at the places of the hits"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        precisions = np.zeros(len(judged))
        _precision_sum(len(judged), judged.hits, self.k, precisions)
        return _share(precisions, np.minimum(judged.relevant, self.k), judged)


@final
class NDCG(OfHits):
    """Discounted gain over that of the best list possible, binary gains. [Järvelin and Kekäläinen 2002](https://doi.org/10.1145/582415.582418).

    sum_{j <= k} hit[j] / log2(j + 1)  /  sum_{j <= min(k, R)} 1 / log2(j + 1)

    Elsewhere: RecTools divides by the gain of k hits unless `divide_by_achievable=True`; RePlay, recpack, ranx and trec_eval as here.

    >>> NDCG().name
    'nDCG@10'
    """

    label: ClassVar[str] = "nDCG"
    in_words: ClassVar[str] = "how high in the list stands what the person then took, from 0 (nowhere) to 1 (all of it on top)"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        discount = 1 / np.log2(np.arange(2, self.k + 2))
        ideal = np.append(0.0, np.cumsum(discount))[np.minimum(judged.relevant, self.k)]
        gain = np.zeros(len(judged))
        _weighted(len(judged), judged.hits, discount, gain)
        return _share(gain, ideal, judged)


@final
class RPrecision(OfHits):
    """Hits among the first min(k, R) places, over min(k, R): the precision where a perfect list would just be complete.

    Elsewhere: RecTools' `Precision(r_precision=True)` counts hits among the first k and divides by min(k, R);
    trec_eval has no k: it looks at R places, as here when k is at least R.

    >>> RPrecision().name
    'RPrecision@10'
    """

    label: ClassVar[str] = "RPrecision"
    in_words: ClassVar[str] = "share of hits among the first places, as many as the person then took items"

    def per_query(self, judged: Judged) -> Float64:
        depth = np.minimum(judged.relevant, self.k)
        hits = judged.hits[:, judged.first(self.k, self.name)]
        within = np.arange(self.k) < depth[:, None]
        return _share((hits & within).sum(axis=1), depth, judged)


def _hit_count(judged: Judged, metric: PerQuery) -> Int64:
    """(queries,) hits among the first k."""
    hits = judged.hits[:, judged.first(metric.k, metric.name)]
    return judged.once(("hit count", metric.k), lambda: hits.sum(axis=1))


def _share(top: Float64 | Int64 | Bool, bottom: Float64 | Int64, judged: Judged) -> Float64:
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
        hit = 0
        for place in range(k):
            if hits[q, place]:
                hit += 1
                out[q] += hit / (place + 1)
