"""SLIM: each item as a sparse, non-negative sum of others, by coordinate descent on the Gram matrix."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread, kernel
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.itemmap import ItemMap
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.sparse_gram import gram_entries, sparse_gram
from vitrina.protocols import Recommender

CLOSE = 1e-4  # of an item's own norm: steps of a coordinate below it are the end
SWEEPS = 100  # at most, for each l1 of the path
SWEPT = 50  # times that an entry of C is come by


@final
class SLIM(ModelConfig):
    """Score items by a sparse regression on the history. [Ning and Karypis 2011](https://doi.org/10.1109/ICDM.2011.134).

    Column j of weight_from_to is the b >= 0 with b[j] = 0 that makes 1/2 |x_j - X b|^2 + l1 sum(b) + l2/2 |b|^2 the least; score = X @ weight_from_to.
    X is the binary matrix of users and items: repeated interactions count once. Where events have weights, an entry of X is the largest of the
    pair's events, at the fit and in the history. A large l1 leaves few weights, which are quick to answer with and can be read.

    It is EASE with weights that are 0 or more and mostly 0: take it where a short list of reasons per item matters, or the catalogue is large and its
    items have few others that they go with.

    Args:
        l1: what a weight costs for its size, in interactions: below so many people in common two items have nothing to say of each other.
        l2: strength of the ridge.
        neighbours: how many items may predict another: those most correlated with it, sqrt((x_i'x_i + l2) (x_j'x_j + l2)) being what x_i'x_j is divided by.
    Returns:
        ItemMap with sparse weights.

    Cost: the sum over users of the squared number of their items, and a few dozen sweeps over each item's neighbours and theirs, in parallel; memory that of
    `Cooccurrence`, up to 64 bytes x items x neighbours, and 4 bytes x neighbours^2 x threads, never items x items.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.SLIM(l1=0.1, l2=1).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    l1: float = Field(default=1, ge=0)
    l2: float = Field(default=50, gt=0)
    neighbours: int = Field(default=400, ge=1)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> ItemMap:
        if not data.catalogue.n_users:
            raise DataError(f"SLIM needs events to learn from, and {data!r} has none.")
        gram = sparse_gram(data, self.l2, self.neighbours, "SLIM", both=False)
        rows, scale = gram.rows, gram.scale
        weights = np.zeros(rows.nnz, np.float32)
        _descend(data.n_items, rows.indptr, rows.indices, rows.data, scale, self.l1, int(np.diff(rows.indptr).max()), weights)
        to_from = sparse.csr_matrix((weights, rows.indices, rows.indptr), shape=rows.get_shape())
        to_from.eliminate_zeros()
        return ItemMap(data.items, data.catalogue, sparse.csr_matrix(to_from.T), notes=gram.notes)

    def cost(self, size: Size) -> Cost:
        entries = gram_entries(size, self.neighbours)
        return Cost(memory=8 * size.entries + 48 * entries, kept=2 * entries, steps=size.pairs + SWEPT * entries)


@kernel
def _sweep(near, costs, idle_too, coefficients, residuals):  # pragma: no cover
    """Set each coordinate to its best, once; returns the largest step. Without `idle_too` those that are 0 stay so."""
    largest, size = 0.0, len(costs)
    for at in range(size):
        before = coefficients[at]
        if before == 0 and not idle_too:
            continue
        after = max(residuals[at] + before - costs[at], 0.0)
        step = after - before
        if step != 0:
            coefficients[at] = after
            largest = max(largest, abs(step))
            for to in range(size):
                residuals[to] -= step * near[at, to]
    return largest


@kernel
def _gathered(candidates, indptr, indices, data, place, near):  # pragma: no cover
    """C among the candidates, where an entry is known if one of the two has it."""
    size = len(candidates)
    near[:size, :size] = 0
    for at in range(size):
        place[candidates[at]] = at
    for at in range(size):
        near[at, at] = 1
        for entry in range(indptr[candidates[at]], indptr[candidates[at] + 1]):
            other = place[indices[entry]]
            if other >= 0:
                near[at, other] = near[other, at] = data[entry]
    for at in range(size):
        place[candidates[at]] = -1


@Spread
def _descend(first, last, indptr, indices, data, scale, l1, room, weights):  # pragma: no cover
    """Weights by the entries of C: those of row j are of the items that predict j. On the path each l1 begins with the solution of twice as large a one."""
    place, near = np.full(len(scale), -1, np.int32), np.empty((room, room), np.float32)
    for item in range(first, last):
        begin, stop = indptr[item], indptr[item + 1]
        candidates, residuals, coefficients = indices[begin:stop], data[begin:stop].astype(np.float64), np.zeros(stop - begin)
        _gathered(candidates, indptr, indices, data, place, near)
        costs, times = l1 * scale[item] * scale[candidates], 1.0
        while l1 > 0 and np.any(times * costs < residuals / 2):
            times *= 2
        while True:
            for _ in range(SWEEPS):
                if _sweep(near, times * costs, True, coefficients, residuals) < CLOSE:
                    break
                for _ in range(SWEEPS):
                    if _sweep(near, times * costs, False, coefficients, residuals) < CLOSE:
                        break
            if times == 1:
                break
            times /= 2
        weights[begin:stop] = coefficients * scale[candidates] / scale[item]
