"""How SANSA comes to a sparse inverse of X'X + l2 I. Public as `vt.inverse`; a new one is one small class.

All give P ~ S W' D^-1 W S with W sparse, D diagonal, and S the scale of the Gram matrix, on which the diagonal of C = S (X'X + l2 I) S is 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.config import Config
from vitrina.base.errors import MissingExtraError
from vitrina.models.incomplete import approximate_inverse, incomplete_factor, largest_of_columns
from vitrina.models.regressions import regress
from vitrina.models.sparse_gram import SparseGram
from vitrina.types import Float64, Int64

__all__ = ["Complete", "Incomplete", "Inverse", "Regressions"]


class Inverted(NamedTuple):
    """C^-1 ~ W' D^-1 W."""

    rows: sparse.csr_matrix  # W, (items, items) float32, columns by item code
    pivots: Float64  # (items,) the diagonal of D
    notes: tuple[str, ...] = ()


class Inverse(Config, ABC):
    """A way to W and D."""

    @abstractmethod
    def of(self, gram: SparseGram, room: int) -> Inverted:
        """W with about items x `room` entries beside its diagonal."""


@final
class Regressions(Inverse):
    """Row j of W is 1 at j and -y at the `room` most correlated of the more popular items, with y = C[S, S]^-1 C[S, j]; D[j] = 1 - y'C[S, j].

    The factorised sparse approximate inverse of [Kolotilina and Yeremin 1993](https://doi.org/10.1137/0614004): of all W with these entries the one that is
    nearest to the inverse of the exact factor, in the sense that trace(W C W') is the least. Each row is a small Cholesky of its own, which can't break down and needs
    no factor of the whole.

    Cost: items x room^3 / 6 products, in parallel.

    >>> import vitrina as vt
    >>> vt.SANSA(inverse=vt.inverse.Regressions())
    SANSA()
    """

    def of(self, gram: SparseGram, room: int) -> Inverted:
        n_items = len(gram.scale)
        rank = np.empty(n_items, np.int32)
        rank[np.lexsort((_ties(gram), gram.scale))] = np.arange(n_items, dtype=np.int32)
        room = min(room, n_items)
        items, values = np.empty((n_items, room + 1), np.int32), np.empty((n_items, room + 1), np.float32)
        sizes, left = np.empty(n_items, np.int64), np.empty(n_items)
        regress(n_items, gram.rows.indptr, gram.rows.indices, gram.rows.data, rank, items[:, 1:], values[:, 1:], sizes, left)
        np.negative(values, out=values)
        items[:, 0], values[:, 0] = np.arange(n_items), 1
        filled = np.arange(room + 1) <= sizes[:, None]
        indptr = np.append(0, np.cumsum(sizes + 1))
        return Inverted(sparse.csr_matrix((values[filled], items[filled], indptr), shape=(n_items, n_items)), left)


@final
class Incomplete(Inverse):
    """W = M P with M ~ L^-1 by residual minimisation, and L the incomplete factor of P C P' ~ L D L'; items with few entries of X'X come first.

    Both L and M keep the largest `room` entries of each column. Where a pivot comes out too small, the diagonal is made larger until none does,
    and the notes say by how much: such a factor is one of another matrix.

    Cost: items x room^2 steps for the factor, one after another, and for each scan, in parallel.

    Args:
        scans: steps of all columns of M.
        finetune: more steps of the tenth of the columns that are the farthest from the inverse.

    >>> import vitrina as vt
    >>> vt.SANSA(inverse=vt.inverse.Incomplete(scans=2))
    SANSA(inverse=Incomplete(scans=2))
    """

    scans: int = Field(default=1, ge=0)
    finetune: int = Field(default=5, ge=0)

    def of(self, gram: SparseGram, room: int) -> Inverted:
        order = np.lexsort((_ties(gram), -gram.scale, np.diff(gram.rows.indptr)))
        permuted = sparse.csr_matrix(gram.rows[order][:, order])
        permuted.sort_indices()
        factor, shift = incomplete_factor(permuted, room)
        notes = (f"The incomplete factor is one of X'X with {shift:.0%} more on its diagonal.",) if shift else ()
        return Inverted(_columns_back(approximate_inverse(factor, room, self.scans, self.finetune), order), factor.pivots, notes)


@final
class Complete(Inverse):
    """As `Incomplete`, with the complete factor by CHOLMOD (extra `cholmod`), of which the largest `room` entries of each column are kept afterwards.

    For very sparse logs: of most X'X the complete factor is nearly dense, and takes up to 12 bytes x items^2 / 2. Its order is the approximate minimum degree.

    Raises:
        MissingExtraError: scikit-sparse isn't installed.

    >>> import vitrina as vt
    >>> vt.SANSA(inverse=vt.inverse.Complete(scans=2))
    SANSA(inverse=Complete(scans=2))
    """

    scans: int = Field(default=1, ge=0)
    finetune: int = Field(default=5, ge=0)

    def of(self, gram: SparseGram, room: int) -> Inverted:
        try:
            from sksparse import cholmod  # noqa: PLC0415 - an extra  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise MissingExtraError.of("scikit-sparse", "cholmod", "Complete()") from None
        lower, pivots, order = _complete_factor(cholmod, gram.rows)
        factor = largest_of_columns(lower, pivots, room)
        return Inverted(_columns_back(approximate_inverse(factor, room, self.scans, self.finetune), order), pivots)


def _ties(gram: SparseGram) -> Float64:
    """(items,) what puts items of one popularity into an order that doesn't hang on their codes: the sum of their correlations, the largest first."""
    return -np.round(np.asarray(gram.rows.sum(axis=1, dtype=np.float64), np.float64).ravel(), 6)


def _complete_factor(cholmod: Any, rows: sparse.csr_matrix) -> tuple[sparse.csc_matrix, Float64, Int64]:
    """L and the diagonal of D of P C P', and the order P."""
    matrix = sparse.csc_matrix(rows + sparse.identity(len(rows.indptr) - 1), dtype=np.float64)
    factor = cholmod.cholesky(matrix, mode="simplicial", ordering_method="amd")
    lower, diagonal = factor.L_D()
    return sparse.csc_matrix(lower), np.asarray(diagonal.diagonal()), np.asarray(factor.P(), np.int64)


def _columns_back(inverse_columns: sparse.csr_matrix, order: Int64) -> sparse.csr_matrix:
    """W of the columns of M, with its own columns by item code; its rows stay in the order of the pivots."""
    rows = sparse.csr_matrix(inverse_columns.T)
    rows.indices = order[rows.indices].astype(np.int32)
    rows.has_sorted_indices = False
    rows.sort_indices()
    return rows
