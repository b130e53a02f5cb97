"""k-means: centroids that are near to vectors."""

from __future__ import annotations

import numpy as np

from vitrina.types import Float32, Int64

BLOCK = 1 << 13  # vectors whose distances to all centroids are looked at at a time


def kmeans(vectors: Float32, size: int, rng: np.random.Generator, *, rounds: int = 100) -> Float32:
    """(size, dim) centroids with a small sum of squared distances from each vector to its nearest one.

    The start is k-means++ ([Arthur and Vassilvitskii 2007](https://theory.stanford.edu/~sergei/papers/kMeansPP-soda.pdf)): each centroid is one of the vectors, drawn
    with a chance in proportion to its squared distance from those before. Then Lloyd's rounds: every centroid becomes the mean of its vectors, and one without
    any the vector that is furthest from its own, until nothing changes.

    Cost: vectors x size x dim per round.
    """
    return lloyd(vectors, start(vectors, size, rng), rounds)


def start(vectors: Float32, size: int, rng: np.random.Generator) -> Float32:
    """The centroids of k-means++. Where there are fewer different vectors, the others are drawn alike and stay without vectors."""
    chosen = [int(rng.integers(len(vectors)))]
    squares = _squares(vectors)
    distance = np.full(len(vectors), np.inf)
    for _ in range(size - 1):
        last = vectors[chosen[-1]]
        distance = np.minimum(distance, np.maximum(squares + squares[chosen[-1]] - 2 * (vectors @ last).astype(np.float64), 0))
        distance[chosen[-1]] = 0
        total = distance.cumsum()
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right").clip(max=len(vectors) - 1)))
    return vectors[chosen].copy()


def lloyd(vectors: Float32, centroids: Float32, rounds: int) -> Float32:
    """The centroids after so many rounds at most."""
    before = None
    for _ in range(rounds):
        place, distance = nearest(vectors, centroids)
        if before is not None and np.array_equal(place, before):
            break
        before = place.copy()
        empty = np.flatnonzero(np.bincount(place, minlength=len(centroids)) == 0)
        furthest = np.argsort(-distance, kind="stable")[: len(empty)]
        furthest = furthest[distance[furthest] > 0]  # of fewer different vectors than centroids some stay empty
        place[furthest] = empty[: len(furthest)]
        centroids = means(vectors, place, centroids)
    return centroids


def means(vectors: Float32, place: Int64, centroids: Float32) -> Float32:
    """The mean of each centroid's vectors; what it was where it has none."""
    counts = np.bincount(place, minlength=len(centroids))
    order = np.argsort(place, kind="stable")
    taken = np.flatnonzero(counts)
    sums = np.add.reduceat(vectors[order].astype(np.float64), np.searchsorted(place[order], taken), axis=0)
    out = centroids.copy()
    out[taken] = sums / counts[taken, None]
    return out


def nearest(vectors: Float32, centroids: Float32) -> tuple[Int64, Float32]:
    """(vectors,) the nearest centroid of each, and the squared distance to it; the first of equally near ones."""
    place, distance = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    squares = _squares(centroids).astype(np.float32)
    for first in range(0, len(vectors), BLOCK):
        part = vectors[first : first + BLOCK]
        far = squares - 2 * (part @ centroids.T)
        best = far.argmin(axis=1)
        place[first : first + BLOCK] = best
        distance[first : first + BLOCK] = np.maximum(far[np.arange(len(part)), best] + _squares(part), 0)
    return place, distance


def _squares(vectors: Float32) -> np.ndarray:
    return np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
