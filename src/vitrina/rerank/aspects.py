"""What a person's items are filed under: the categories that XQuAD covers and Calibrated keeps in proportion."""

from __future__ import annotations

from abc import ABC
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.arrays import Float32, Int64
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.forms.history import known_only
from vitrina.forms.matrices import sparse_arrays, sparse_of_arrays
from vitrina.rerank.greedy import Greedy
from vitrina.rerank.similarity import OfCategories
from vitrina.types import Queries


class ByCategories(Greedy, ABC):
    """The base of those that read the categories of items."""

    categories: OfCategories = OfCategories()

    def of_items(self, data: Dataset) -> Arrays:
        return sparse_arrays(self.categories.members(data))


class Shares(NamedTuple):
    """Rows of shares that add up to 1, or of nothing: a sparse matrix in the form that kernels read."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Float32


def shares_of(queries: Queries, items: Arrays) -> tuple[Shares, Shares, int]:
    """The categories of each item, those of each query's history (an event counts once for each time), and how many categories there are."""
    members = sparse_of_arrays(items)
    rows, columns = members.get_shape()
    known = known_only(queries.counted(), rows)
    history = sparse.csr_matrix(known.csr(binary=False)[:, :rows] @ members)
    sums = np.asarray(history.sum(axis=1)).ravel()
    history.data /= np.maximum(np.repeat(sums, np.diff(history.indptr)), np.finfo(np.float32).tiny)
    return _shares(members), _shares(history), columns


def _shares(matrix: sparse.csr_matrix) -> Shares:
    matrix.sort_indices()
    indptr: Int64 = matrix.indptr.astype(np.int64)
    return Shares(indptr, matrix.indices.astype(np.int32), matrix.data.astype(np.float32))
