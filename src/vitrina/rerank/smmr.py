"""Sampled marginal relevance: batches that grow, so that a long list takes a few rounds."""

from __future__ import annotations

from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.arrays import Float64, Int64
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.forms.shuffled import mixed, query_keys
from vitrina.protocols import Recommender
from vitrina.rerank.base import Candidates
from vitrina.rerank.greedy import ByVectors, cosines, known_items, rows_of
from vitrina.rerank.limits import may_take, opened, take
from vitrina.types import Queries
from vitrina.vocabulary import id_hashes

TINY = 2.0**-25


@final
class SMMR(ByVectors):
    """Items by the value of `MMR`, drawn a batch at a time: each round multiplies the list by `scale`, so that k places take log(k) / log(scale) rounds.

    In a round each candidate has the value (1 - diversity) * relevance - diversity * (largest likeness to the list before the round) + diversity * temperature * g,
    with g of a Gumbel distribution, and the largest make the batch: a draw without replacement by the softmax of value / (diversity * temperature).
    g is a hash of the seed, the person and history, the item and the round, so that a query gets the same list again, alone or among others.

    As published, the items of a batch are not compared with each other, and near-copies come in together. With `within` an item that falls, by its likeness
    to those drawn before it in the batch, below the best that was not drawn waits for the next round.

    Args:
        diversity: 0 keeps the order, 1 looks at likeness alone; a request says another in the column `diversity` of its context.
        scale: by how much a round multiplies the list.
        temperature: how much chance there is; 0 is none.
        within: whether the items of a batch are compared with each other.
        seed: another seed gives other draws.
        vectors: how alike items are, one of `vt.similarity`; None takes content where items are described, else interactions.

    Raises:
        DataError, ParameterError: the log, or the model, doesn't hold what the vectors are made of.
        ParameterError: a request's diversity is not between 0 and 1.

    Cost: per query at most candidates x k / scale products of vectors, and with `within` those of pairs of a batch.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Reranked(model=vt.EASE(), reranker=vt.SMMR(diversity=0.5)).fit(data).recommend(data.queries(), k=5).items.shape
    (300, 5)
    """

    scale: float = Field(default=4.0, gt=1)
    temperature: float = Field(default=0.01, ge=0)
    within: bool = True
    seed: int = Field(default=0, ge=0, lt=2**31)

    def of_fitted(self, data: Dataset, recommender: Recommender | None) -> Arrays:
        return {**super().of_fitted(data, recommender), "hashes": id_hashes(data.items)}

    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        codes, hashes = known_items(candidates, items), np.asarray(items["hashes"])
        keys = mixed(query_keys(queries, hashes, self.seed)[:, None] + hashes[codes])
        how = (self.scale, self.temperature, self.within)
        limits = candidates.limits
        _choose(len(queries), codes, candidates.relevance, candidates.counts, diversity, how, keys, rows_of(items), limits, chosen, values)


@Spread
def _choose(first, last, items, relevance, counts, diversity, how, keys, rows, limits, chosen, values):  # pragma: no cover
    scale, temperature, within = how
    for q in range(first, last):
        count, weight, codes, size, round_ = counts[q], diversity[q], items[q], 0, 0
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        listed, closest, compared = np.empty(count, np.int32), np.full(count, np.float32(-1)), np.zeros(count, np.int64)
        gain, worth, likeness = (1 - weight) * relevance[q, :count], np.empty(count), np.empty(count, np.float32)
        width = min(chosen.shape[1], count)
        while size < width:
            batch = max(1, int(size * (scale - 1)))
            for c in range(count):
                noise = weight * temperature * _gumbel(keys[q, c], round_) if size and temperature > 0 else 0.0
                worth[c] = gain[c] + noise
            order = _best_first(
                batch if not len(limits.bounds) else count, size, weight, codes, rows, left, listed, closest, compared, worth, likeness
            )
            floor = worth[order[batch]] if batch < len(order) and within and size else -np.inf
            waits, began = np.zeros(count, np.bool_), size
            head = 0
            while size < width and size - began < batch:
                may_take(q, size, left, limits, account, may)
                while head < len(order) and (waits[order[head]] or not left[order[head]]):
                    head += 1
                best = -1
                for at in range(head, len(order)):
                    c = order[at]
                    if not may[c] or waits[c] or (at >= batch and size > began):
                        continue
                    value = worth[c]
                    if size > began and within and weight > 0:
                        cosines(rows, codes[c], listed[began:size], likeness)
                        value -= weight * max(likeness[: size - began].max() - (closest[c] if began else np.float32(0)), np.float32(0))
                    if value >= floor or size == began:
                        best = c
                        chosen[q, size], values[q, size] = c, value
                        break
                    waits[c] = True
                if best < 0:
                    break
                left[best], listed[size] = False, codes[best]
                take(q, best, limits, account)
                size += 1
            round_ += 1


@kernel
def _best_first(batch, size, weight, codes, rows, left, listed, closest, compared, worth, likeness):  # pragma: no cover
    """The candidates that are left, by their worth beside the list, best first; exact in the first `batch` and one more. `worth` has gain and noise, and gets the rest.

    What a candidate was worth before is a bound of what it is worth now, so one below the worst of `batch` + 1 exact ones is not looked at.
    """
    places = np.flatnonzero(left)
    if not size or weight == 0:
        return places[np.argsort(-worth[places], kind="mergesort")]
    for c in places:
        worth[c] -= weight * closest[c]
    order, least, done = places[np.argsort(-worth[places], kind="mergesort")], np.inf, 0
    for c in order:
        if done > batch and worth[c] < least:
            break
        cosines(rows, codes[c], listed[compared[c] : size], likeness)
        before = closest[c]
        for at in range(size - compared[c]):
            closest[c] = max(closest[c], likeness[at])
        compared[c] = size
        worth[c] -= weight * (closest[c] - before)
        least, done = min(least, worth[c]) if done <= batch else least, done + 1
    head = order[:done]
    return head[np.argsort(-worth[head], kind="mergesort")]


@kernel
def _gumbel(key, round_):  # pragma: no cover
    """-log(-log u) with u a hash of the key and the round, in (0, 1)."""
    value = key + np.uint64(round_) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    u = np.float64((value ^ (value >> np.uint64(31))) >> np.uint64(40)) * 2.0**-24 + TINY
    return -np.log(-np.log(u))
