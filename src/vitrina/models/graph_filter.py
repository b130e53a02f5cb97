"""GF-CF: the graph of people and items as a low-pass filter, without training."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.factored import FactoredMap
from vitrina.forms.paths import Path
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.drawn import drawn
from vitrina.models.entries import entries_of
from vitrina.models.spectrum import BLOCK, REACH, right_singular
from vitrina.protocols import Recommender
from vitrina.types import Float32, Float64


@final
class GFCF(ModelConfig):
    """Score items by the history that is smoothed over the graph of people and items. [Shen et al. 2021](https://arxiv.org/abs/2108.07567).

        R~       = D_u^-1/2 R D_i^-1/2, P = R~'R~ = V diag(l) V' + rest, V the `dim` strongest right singular vectors
        smooth   = x (P + alpha D_i^-1/2 V V' D_i^1/2)
        score    = smooth exp(-sharpening V diag(l) V')

    R is the binary matrix of people and items (where events have weights, the largest of the pair's), D_u and D_i its sums by person and by item, x the history. With sharpening 0 this is GF-CF, `GFCF(alpha=0.3, sharpening=0)` as published.
    A sharpening above 0 takes back what blurs, most of all popularity: the process dy/dt = -y P up to t = sharpening of
    [Choi et al. 2023](https://arxiv.org/abs/2211.09324) (BSPM), solved exactly and in the space of V alone, where P is largest.

    P is never made: its chain R~', R~ is kept, which are the histories of the people of the fit without their ids, beside
    4 dim numbers per item. Answers use every item that a person of the fit shares with the history, and new people are served.

    Args:
        dim: singular vectors; 256 in the paper on GF-CF, 448 in that on sharpening. There are never more than the rank.
        alpha: weight of the ideal low-pass filter; 0 leaves it out.
        sharpening: t; 0 sharpens nothing. In validation 1 to 2 were best on Gowalla and on MovieLens-100K, at each dimension that was tried.
        seed: start of the singular vectors of more than 2,000 items.
    Returns:
        FactoredMap of two paths, one sparse and one dense.

    Cost: 12 entries x dim + 36 items x dim^2 operations, and 32 bytes x items x dim + 24 x entries of memory, half of it kept. A query costs the histories of the people who share an item with it
    and 4 x items x dim operations.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.GFCF(dim=2).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    dim: int = Field(default=256, ge=1)
    alpha: float = Field(default=0.2, ge=0)
    sharpening: float = Field(default=1, ge=0)
    seed: int = Field(default=0, ge=0)

    def cost(self, size: Size) -> Cost:
        dim = min(self.dim, size.items)
        kept = 16 * size.entries + 16 * size.items * dim
        return Cost(
            memory=kept + 8 * size.entries + 4 * (REACH + 1) * size.items * dim, kept=kept, flops=4 * size.items * (REACH * dim) ** 2,
            steps=4 * REACH * size.entries * dim,
        )  # fmt: skip

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> FactoredMap:
        if not data.catalogue.n_users:
            raise DataError(f"GFCF needs events to learn from, and {data!r} has none.")
        return self.of_spectrum(data, Spectrum.of(data, self.dim if self.alpha or self.sharpening else 0, self.seed))

    def of_spectrum(self, data: Dataset, spectrum: Spectrum) -> FactoredMap:
        """The same of a decomposition that is at hand: many filters may be tried on one."""
        paths = (Path((sparse.csr_matrix(spectrum.people_items.T), spectrum.people_items)),)
        if self.alpha or self.sharpening:
            paths += (self._dense(spectrum.squares, spectrum.vectors, spectrum.roots.astype(np.float32)[:, None]),)
        return FactoredMap(data.items, data.catalogue, paths)

    def _dense(self, squares: Float64, vectors: Float32, roots: Float32) -> Path:
        """What alpha and the sharpening add to P, of 2 dim columns where there are both."""
        change = np.expm1(-self.sharpening * squares).astype(np.float32)
        left, right = [], []
        if self.sharpening:
            left.append(vectors * (squares.astype(np.float32) * change))
            right.append(vectors.T)
        if self.alpha:
            weighed = (vectors * roots).T  # V' D_i^1/2, (dim, items)
            left.append(np.float32(self.alpha) * np.divide(vectors, roots, out=np.zeros_like(vectors), where=roots > 0))
            right.append(weighed + ((weighed @ vectors) * change) @ vectors.T)
        return Path((np.hstack(left), np.vstack(right)))


class Spectrum(NamedTuple):
    """The normalised graph of a log, and its strongest directions."""

    people_items: sparse.csr_matrix  # R~
    roots: Float64  # (items,) of the sums by item
    squares: Float64  # (dim,) the largest first
    vectors: Float32  # (items, dim)

    @classmethod
    def of(cls, data: Dataset, dim: int, seed: int) -> Spectrum:
        people_items = entries_of(data)
        roots = normalise(people_items)
        if not dim:
            return cls(people_items, roots, np.empty(0), np.empty((data.n_items, 0), np.float32))
        values, vectors = right_singular(people_items, dim, drawn(data.items, BLOCK, seed, 1.0))
        return cls(people_items, roots, values**2, vectors)

    def first(self, dim: int) -> Spectrum:
        """With so many directions."""
        return self._replace(squares=self.squares[:dim], vectors=np.ascontiguousarray(self.vectors[:, :dim]))


def normalise(people_items: sparse.csr_matrix, of_people: float = 0.5) -> Float64:
    """Divide each entry, in place, by powers of the sums of its row (`of_people`) and of its column (the rest to 1); (items,) the latter powers come back."""
    columns = np.asarray(people_items.sum(axis=0, dtype=np.float64)).ravel() ** (1 - of_people)
    rows = np.add.reduceat(people_items.data, people_items.indptr[:-1], dtype=np.float64) ** of_people
    people_items.data[:] = people_items.data / (np.repeat(rows, np.diff(people_items.indptr)) * columns[people_items.indices])
    return columns
