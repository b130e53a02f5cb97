"""Codes by residual k-means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, final

import numpy as np
from pydantic import Field

from vitrina.base.state import State
from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.coder import VectorCoder
from vitrina.sequence.semantic.kmeans import kmeans, nearest
from vitrina.types import Float32, Int32

Sizes = Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1, strict=False)]


@final
class ResidualKMeans(VectorCoder):
    """The first digit is the nearest of the centroids of k-means; each further one is that of what the digits before it leave over.

    r_0 = x, code_d = argmin_k |r_d - c_dk|^2, r_(d+1) = r_d - c_d,code_d: the residual quantisation of
    [Chen et al. 2010](https://doi.org/10.3390/s101211259), of which [GRID](https://arxiv.org/abs/2507.22224) makes semantic ids.

    Args:
        sizes: how many centroids each digit has.
        rounds: of k-means, at most.
        vectors: where the items' vectors come from.
        seed: of the start.

    Cost: items x dim x the sum of the sizes per round.

    >>> import vitrina as vt
    >>> vt.sequence.ResidualKMeans(sizes=(2, 2), vectors=vt.similarity.OfContent(dim=3)).fit(vt.testing.toy())
    SemanticCodes(4 of 4 items, 2 digits of 2, 2, ResidualKMeans(vectors=OfContent(dim=3), sizes=(2, 2)))
    """

    sizes: Sizes = (256, 256, 256)
    rounds: int = Field(default=100, ge=1)

    def learn(self, vectors: Float32) -> ResidualCodebooks:
        return ResidualCodebooks(residual_centroids(vectors, self.sizes, np.random.default_rng(self.seed), self.rounds))


def residual_centroids(vectors: Float32, sizes: Sequence[int], rng: np.random.Generator, rounds: int) -> tuple[Float32, ...]:
    """(size, dim) centroids of each digit."""
    centroids: list[Float32] = []
    left = np.array(vectors, np.float32)
    for size in sizes:
        centroids.append(kmeans(left, size, rng, rounds=rounds))
        left -= centroids[-1][nearest(left, centroids[-1])[0]]
    return tuple(centroids)


@final
@dataclass(frozen=True, eq=False)
class ResidualCodebooks(FittedCoder):
    """The centroids of each digit, (size, dim)."""

    centroids: tuple[Float32, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(map(len, self.centroids))

    def encode(self, vectors: Float32) -> Int32:
        left, codes = np.array(vectors, np.float32), np.empty((len(vectors), len(self.centroids)), np.int32)
        for digit, centroids in enumerate(self.centroids):
            codes[:, digit], _ = nearest(left, centroids)
            left -= centroids[codes[:, digit]]
        return codes

    def decode(self, codes: Int32) -> Float32:
        return np.sum([centroids[codes[:, digit]] for digit, centroids in enumerate(self.centroids)], axis=0)

    def state(self) -> State:
        return State({"digits": len(self.centroids)}, {f"centroids.{digit}": array for digit, array in enumerate(self.centroids)})

    @classmethod
    def of_state(cls, state: State) -> ResidualCodebooks:
        return cls(tuple(state.arrays[f"centroids.{digit}"] for digit in range(state.config["digits"])))
