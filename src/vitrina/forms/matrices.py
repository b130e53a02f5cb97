"""Sparse matrices as the arrays that an artifact keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.state import Arrays
from vitrina.types import Float32


def columns_of(matrix: sparse.csr_matrix | Float32) -> int:
    """The width of a matrix."""
    _, columns = matrix.shape  # type: ignore[misc]
    return int(columns)


def sparse_arrays(matrix: sparse.csr_matrix) -> dict[str, NDArray[Any]]:
    """What an artifact keeps of a sparse matrix."""
    return {"indptr": matrix.indptr, "indices": matrix.indices, "data": matrix.data, "dim": np.array([columns_of(matrix)])}


def sparse_of_arrays(arrays: Arrays) -> sparse.csr_matrix:
    """The inverse of `sparse_arrays`."""
    shape = (len(arrays["indptr"]) - 1, int(arrays["dim"][0]))
    return sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
