"""Codes by product quantisation, with a rotation that suits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.coder import VectorCoder
from vitrina.sequence.semantic.kmeans import lloyd, nearest, start
from vitrina.sequence.semantic.residual import Sizes
from vitrina.types import Float32, Int32

SETTLED = 1e-5  # share of the error by which a round must make it smaller, or the last one was


@final
class ProductQuantisation(VectorCoder):
    """Vectors are rotated and cut into as many parts as there are digits; a digit is the nearest of the centroids of its part.

    min over the rotation R and centroids of sum |x R - q(x R)|^2, by turns: centroids as in k-means, then R = U V' with X'Y = U S V', the rotation that brings X nearest to
    what it was quantised to, Y: optimised product quantisation ([Ge et al. 2013](https://doi.org/10.1109/CVPR.2013.379), the non-parametric form, from the
    identity). No digit is coarser than another, so that a prefix names no kind of item: for codes that are summed up or read together.

    Args:
        sizes: how many centroids each part has.
        rotation: turn the vectors; without it the parts are the coordinates as they come.
        rounds: of centroids and rotation, at most.
        vectors: where the items' vectors come from.
        seed: of the start.

    Raises:
        ParameterError: the vectors have fewer numbers than there are digits.

    Cost: items x dim x size per round, and dim^3 for the rotation.

    >>> import vitrina as vt
    >>> vt.sequence.ProductQuantisation(sizes=(2, 2), vectors=vt.similarity.OfContent(dim=3)).fit(vt.testing.toy()).sizes
    (2, 2)
    """

    sizes: Sizes = (256, 256, 256, 256)
    rotation: bool = True
    rounds: int = Field(default=50, ge=1)

    def learn(self, vectors: Float32) -> ProductCodebooks:
        dim = vectors.shape[1]
        if dim < len(self.sizes):
            raise ParameterError(
                f"The 'sizes' of ProductQuantisation must be no more digits than the vectors have numbers, {dim}. Got {len(self.sizes)}.",
                owner="ProductQuantisation",
                parameter="sizes",
                value=self.sizes,
            )
        rng = np.random.default_rng(self.seed)
        rotation = np.eye(dim, dtype=np.float32)
        parts = np.array_split(vectors, len(self.sizes), axis=1)
        books = ProductCodebooks(rotation, tuple(start(part, size, rng) for part, size in zip(parts, self.sizes, strict=True)))
        error = np.inf
        for _ in range(self.rounds):
            books, now = self._round(books, vectors)
            if now > error * (1 - SETTLED):
                break
            error = now
        return books

    def _round(self, books: ProductCodebooks, vectors: Float32) -> tuple[ProductCodebooks, float]:
        """Better codebooks, and the mean squared error with them before the vectors are turned again."""
        parts = books.parts(vectors)
        centroids = tuple(lloyd(part, book, 1) for part, book in zip(parts, books.centroids, strict=True))
        better = ProductCodebooks(books.rotation, centroids)
        turned = better.quantised(better.encode(vectors))
        error = float(((vectors @ better.rotation - turned).astype(np.float64) ** 2).sum(axis=1).mean())
        if not self.rotation:
            return better, error
        left, _, right = np.linalg.svd(vectors.T.astype(np.float64) @ turned)
        return ProductCodebooks((left @ right).astype(np.float32), centroids), error


@final
@dataclass(frozen=True, eq=False)
class ProductCodebooks(FittedCoder):
    """A rotation (dim, dim), and the centroids (size, dim of the part) of each part of a rotated vector."""

    rotation: Float32
    centroids: tuple[Float32, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(map(len, self.centroids))

    def parts(self, vectors: Float32) -> list[Float32]:
        """The rotated vectors, cut into one part per digit."""
        return np.array_split(np.asarray(vectors, np.float32) @ self.rotation, len(self.centroids), axis=1)

    def encode(self, vectors: Float32) -> Int32:
        places = [nearest(part, book)[0] for part, book in zip(self.parts(vectors), self.centroids, strict=True)]
        return np.column_stack(places).astype(np.int32)

    def quantised(self, codes: Int32) -> Float32:
        """(n, dim) rotated vectors that codes stand for."""
        return np.hstack([book[codes[:, digit]] for digit, book in enumerate(self.centroids)])

    def decode(self, codes: Int32) -> Float32:
        return self.quantised(codes) @ self.rotation.T

    def state(self) -> State:
        books = {f"centroids.{digit}": array for digit, array in enumerate(self.centroids)}
        return State({"digits": len(self.centroids)}, {"rotation": self.rotation, **books})

    @classmethod
    def of_state(cls, state: State) -> ProductCodebooks:
        arrays = state.arrays
        return cls(arrays["rotation"], tuple(arrays[f"centroids.{digit}"] for digit in range(state.config["digits"])))
