"""How the scores of different models are made to add up. Public as `vt.scale`.

Each takes the scores of one model for one query, (items,), and gives what the model says of each item; of an item that it has no opinion of, or
doesn't list, it says 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.kernels import Spread
from vitrina.types import Float32

__all__ = ["AsIs", "MinMax", "ReciprocalRank", "Scale", "Shares", "Sigmas", "Softmax"]


class Scale(Config, ABC):
    """From the scores of a model to what it adds to a blend."""

    @abstractmethod
    def of(self, scores: Float32) -> Float32:
        """(queries, items) parts of a blend, of scores that are -inf where the model has no opinion: those parts are 0."""


@final
class AsIs(Scale):
    """part = score: for scores that mean something together, such as weights of co-occurrence and cosines.

    >>> import numpy as np, vitrina as vt
    >>> vt.scale.AsIs().of(np.array([[3, 1, -np.inf]], np.float32)).tolist()
    [[3.0, 1.0, 0.0]]
    """

    def of(self, scores: Float32) -> Float32:
        return np.where(np.isfinite(scores), scores, np.float32(0))


@final
class MinMax(Scale):
    """part = (score - least) / (largest - least) over the items that the query's model has an opinion of; 1 where all are equal.

    The least of them gets 0, as an item without an opinion does.

    >>> import numpy as np, vitrina as vt
    >>> vt.scale.MinMax().of(np.array([[3, 1, 2, -np.inf]], np.float32)).tolist()
    [[1.0, 0.0, 0.5, 0.0]]
    """

    def of(self, scores: Float32) -> Float32:
        known = np.isfinite(scores)
        least = np.min(scores, axis=1, keepdims=True, initial=np.inf, where=known)
        width = np.max(scores, axis=1, keepdims=True, initial=-np.inf, where=known) - least
        parts = np.divide(scores - np.where(np.isfinite(least), least, 0), width, out=np.ones_like(scores), where=known & (width > 0))
        return np.where(known, parts, np.float32(0))


@final
class Sigmas(Scale):
    """part = (score - mean + width * deviation) / (2 * width * deviation), cut to 0 and 1, over the items that the query's model has an opinion of; 0.5 where all are equal.

    One item far ahead of the rest doesn't press the rest together, as it does with MinMax, and the least of a list is still worth more than an item that isn't in it.
    With a width of 3 it is what others call distribution-based score fusion.

    >>> import numpy as np, vitrina as vt
    >>> vt.scale.Sigmas(width=2).of(np.array([[3, 1, 2, -np.inf]], np.float32)).round(3).tolist()
    [[0.8059999942779541, 0.1940000057220459, 0.5, 0.0]]
    """

    width: float = Field(default=3.0, gt=0)

    def of(self, scores: Float32) -> Float32:
        known = np.isfinite(scores)
        values, counts = np.where(known, scores, 0).astype(np.float64), np.maximum(known.sum(axis=1, keepdims=True), 1)
        off = np.where(known, values - values.sum(axis=1, keepdims=True) / counts, 0)
        reach = self.width * np.sqrt((off**2).sum(axis=1, keepdims=True) / counts)
        parts = 0.5 + np.divide(off, 2 * reach, out=np.zeros_like(off), where=reach > 0)
        return np.where(known, np.clip(parts, 0, 1), 0).astype(np.float32)


@final
class Softmax(Scale):
    """part = exp(score / temperature) / sum over items of the same: how likely the model finds the item to be the next one.

    For models whose scores are logits, as those of networks trained with a softmax are. Beside `Shares` of counts the sum is a mixture of distributions:
    a model that is sure counts more than one that isn't, which ranks and MinMax forget.

    Args:
        temperature: above 1 flattens what the model says, below 1 sharpens it.

    >>> import numpy as np, vitrina as vt
    >>> vt.scale.Softmax().of(np.array([[np.log(3), 0, -np.inf]], np.float32)).round(3).tolist()
    [[0.75, 0.25, 0.0]]
    """

    temperature: float = Field(default=1.0, gt=0)

    def of(self, scores: Float32) -> Float32:
        known = np.isfinite(scores)
        most = np.max(scores, axis=1, keepdims=True, initial=-np.inf, where=known)
        parts = np.exp(np.where(known, scores - np.where(np.isfinite(most), most, 0), -np.inf) / np.float32(self.temperature))
        sums = parts.sum(axis=1, keepdims=True)
        return np.divide(parts, sums, out=np.zeros_like(parts), where=sums > 0)


@final
class Shares(Scale):
    """part = score / sum of the scores above 0 over items, 0 for others: for counts and other weights of evidence.

    A history with much evidence says no more than one with little, but says it of fewer items or of more.

    >>> import numpy as np, vitrina as vt
    >>> vt.scale.Shares().of(np.array([[3, 1, 0, -np.inf]], np.float32)).tolist()
    [[0.75, 0.25, 0.0, 0.0]]
    """

    def of(self, scores: Float32) -> Float32:
        parts = np.where(np.isfinite(scores), np.maximum(scores, 0), np.float32(0))
        sums = parts.sum(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        return np.divide(parts, sums, out=np.zeros_like(parts), where=sums > 0)


@final
class ReciprocalRank(Scale):
    """part = 1 / (constant + rank), rank = 1 + number of better items, so equal scores share the best of their ranks. [Cormack et al. 2009](https://doi.org/10.1145/1571941.1572114).

    It needs nothing of the scores but their order. The larger the constant, the more a place far down counts beside the first.

    >>> import numpy as np, vitrina as vt
    >>> vt.scale.ReciprocalRank(constant=1).of(np.array([[1, 3, -np.inf]], np.float32)).round(3).tolist()
    [[0.3330000042915344, 0.5, 0.0]]
    """

    constant: float = Field(default=60, gt=0)

    def of(self, scores: Float32) -> Float32:
        parts = np.zeros(scores.shape, np.float32)
        _reciprocal_ranks(len(scores), np.ascontiguousarray(scores), self.constant, parts)
        return parts


@Spread
def _reciprocal_ranks(first, last, scores, constant, parts):  # pragma: no cover
    for q in range(first, last):
        known = np.flatnonzero(np.isfinite(scores[q]))
        order = np.argsort(-scores[q][known], kind="mergesort")
        better = 0
        for place in range(len(order)):
            if scores[q, known[order[place]]] < scores[q, known[order[better]]]:
                better = place
            parts[q, known[order[place]]] = 1.0 / (constant + better + 1)
