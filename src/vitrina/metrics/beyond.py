"""What lists are like beyond being right: popular or rare, broad or narrow, alike or different."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread
from vitrina.metrics.base import AtK, PerQuery
from vitrina.metrics.judged import Judged
from vitrina.types import Float64, Int64


@final
class MeanPopularity(PerQuery):
    """Mean over the listed items of the share of people who took the item in training, in [0, 1].

    users[i] / n_users, averaged over the first k places that hold an item; NaN for an empty list. Lower is less of the same.
    Elsewhere: RecTools' `AvgRecPopularity` averages counts of events, and leaves scaling to `normalize`.

    >>> MeanPopularity().name
    'MeanPopularity@10'
    """

    label: ClassVar[str] = "MeanPopularity"
    needs: ClassVar[frozenset[str]] = frozenset({"popularity"})
    in_words: ClassVar[str] = "how many of the people had taken the shown items, as a mean share"
    lower_is_better: ClassVar[bool] = True

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        return _means(judged, self.k, judged.catalogue.users / max(judged.catalogue.n_users, 1), 0.0)


@final
class MIUF(PerQuery):
    """Novelty: mean inverse user frequency, -log2(users[i] / n_users) bits, over the listed items. [Vargas and Castells 2011](https://doi.org/10.1145/2043932.2043955).

    An item that nobody took counts as taken by one person. NaN for an empty list.
    Elsewhere: RePlay's `Surprisal` divides by log2(n_users); its `Novelty` is the share of unseen items, another thing.

    >>> MIUF().name
    'MIUF@10'
    """

    label: ClassVar[str] = "MIUF"
    needs: ClassVar[frozenset[str]] = frozenset({"popularity"})
    in_words: ClassVar[str] = (
        "mean inverse user frequency, how rare the shown items are, in bits: 0 for what everybody has, "
        "and one more for each halving of the people who have it"
    )

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        most = np.log2(max(judged.catalogue.n_users, 1))
        return _means(judged, self.k, most - np.log2(np.maximum(judged.catalogue.users, 1)), most)


@final
class Serendipity(PerQuery):
    """Hits that popularity alone would have placed lower: right and not obvious.

    sum_{j <= k} hit[j] * max(pop_rank[item_j] - j, 0) / items / k, where pop_rank is the place (from 1) in the catalogue
    ordered by popularity and `items` its size; an item outside the catalogue ranks after the last.
    0 for an empty list, NaN where nothing was taken. Equally popular items have places of their own, by code.
    Elsewhere: RecTools' `Serendipity` is smaller where popularities are tied (items of one popularity share a place, and the next popularity has the next
    place), divides by the places of the list that are filled and not by k, and is 0 where nothing was taken and silent about an empty list.
    Evidently measures the distance to the history.

    >>> Serendipity().name
    'Serendipity@10'
    """

    label: ClassVar[str] = "Serendipity"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "popularity"})
    in_words: ClassVar[str] = "hits that the order of popularity alone would have placed lower"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        popular = judged.catalogue.by_popularity
        rank = np.full(len(judged.catalogue.users), len(popular) + 1, np.int64)
        rank[popular] = np.arange(1, len(popular) + 1)
        total = np.zeros(len(judged))
        _rank_gain(len(judged), judged.items, judged.hits, self.k, rank, len(popular) + 1, total)
        return np.where(judged.relevant > 0, total / (max(len(popular), 1) * self.k), np.nan)


@final
class IntraListDiversity(PerQuery):
    """Mean cosine distance between the items of a list, over the item vectors of the catalogue, in [0, 2].

    Mean over pairs of different places of 1 - v_i . v_j for the vectors v scaled to length 1; an item without a vector (zeros) is at distance 1
    from all. NaN for lists of fewer than two items.

    Raises:
        DataError: the catalogue has no vectors.

    Cost: queries * k * dim additions; sum_{i<j} v_i . v_j = (|sum v|^2 - sum |v|^2) / 2, so pairs are never formed.

    >>> IntraListDiversity().name
    'ILD@10'
    """

    label: ClassVar[str] = "ILD"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors"})
    in_words: ClassVar[str] = "intra-list diversity, how unlike each other the items of a list are, from 0 (all alike)"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        vectors = judged.catalogue.directions
        if vectors is None:
            raise DataError(f"{self.name} needs a vector for each item, and the catalogue has none. Give evaluate(..., vectors=...) some.")
        out = np.full(len(judged), np.nan)
        _distance(len(judged), judged.items, self.k, vectors, out)
        return out


class _Exposure(AtK):
    """A number of how often each item of the catalogue is listed; the state is these counts, and shards add up."""

    def state(self, judged: Judged) -> Int64:
        return judged.counts(self.k, self.name)[judged.catalogue.items]

    def merge(self, left: Int64, right: Int64) -> Int64:
        return left + right


@final
class Coverage(_Exposure):
    """Share of the ranked catalogue that at least one list holds.

    Items outside the catalogue don't count, so it never passes 1. It grows with the number of queries: compare only on the same ones.
    Elsewhere: RecTools' `CatalogCoverage` can pass 1 when its catalogue is incomplete.

    >>> Coverage().name
    'Coverage@10'
    """

    label: ClassVar[str] = "Coverage"
    needs: ClassVar[frozenset[str]] = frozenset()
    in_words: ClassVar[str] = "share of all items that anybody was shown"

    def value(self, state: Int64) -> float:
        return float((state > 0).sum() / max(len(state), 1))


@final
class Gini(_Exposure):
    """How unequally the places are shared among all items of the catalogue: 0 equally, near 1 a few items take all.

    With counts c sorted upwards over n items: sum_i (2i - n - 1) c_i / (n sum c); NaN when nothing is listed.
    Elsewhere: Elliot returns 1 - Gini; Evidently counts only listed items, which hides the unlisted.

    >>> Gini().name
    'Gini@10'
    """

    label: ClassVar[str] = "Gini"
    needs: ClassVar[frozenset[str]] = frozenset()
    in_words: ClassVar[str] = "how unevenly the places are shared among the items, from 0 (all are shown alike) to 1 (a few take all)"
    lower_is_better: ClassVar[bool] = True

    def value(self, state: Int64) -> float:
        n, total = len(state), state.sum()
        if not total:
            return float("nan")
        return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(state)).sum() / (n * total))


def _means(judged: Judged, k: int, table: Float64, missing: float) -> Float64:
    """(queries,) mean of table[item] over the first k places that hold an item; codes beyond the table read `missing`."""
    out = np.full(len(judged), np.nan)
    _mean_over_items(len(judged), judged.items, k, table, missing, out)
    return out


@Spread
def _mean_over_items(first, last, items, k, table, missing, out):  # pragma: no cover
    for q in range(first, last):
        total, held = 0.0, 0
        for place in range(k):
            item = items[q, place]
            if item >= 0:
                total += table[item] if item < len(table) else missing
                held += 1
        if held:
            out[q] = total / held


@Spread
def _rank_gain(first, last, items, hits, k, rank, missing, out):  # pragma: no cover
    """(queries,) sum over hits of how many places earlier they stand than in the order of popularity."""
    for q in range(first, last):
        for place in range(k):
            if hits[q, place]:
                item = items[q, place]
                out[q] += max((rank[item] if item < len(rank) else missing) - place - 1, 0)


@Spread
def _distance(first, last, items, k, vectors, out):  # pragma: no cover
    """(queries,) mean over pairs of 1 - v_i . v_j; a code beyond the vectors is a zero vector."""
    for q in range(first, last):
        total, squares, held = np.zeros(vectors.shape[1]), 0.0, 0
        for place in range(k):
            item = items[q, place]
            if item < 0:
                continue
            held += 1
            if item < len(vectors):
                for d in range(vectors.shape[1]):
                    x = np.float64(vectors[item, d])
                    total[d] += x
                    squares += x * x
        if held > 1:
            out[q] = 1 - ((total * total).sum() - squares) / (held * (held - 1))
