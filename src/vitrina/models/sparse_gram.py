"""X'X of a log as a sparse matrix on the scale of correlations: each item's largest entries, from shards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import psutil
from scipy import sparse

from vitrina.base.errors import MemoryBudgetError
from vitrina.data.dataset import Dataset
from vitrina.models.cooccurrence import content_columns
from vitrina.models.cost import MEMORY_SHARE, Size
from vitrina.models.histories import Histories, Reader, Sums, summed
from vitrina.models.rows import Rows, fit_here
from vitrina.models.weighting import Count, Denominator
from vitrina.types import Float64

ENTRY = 32  # bytes per entry that is kept: both triangles of it, and both again while they are put together


@final
@dataclass(frozen=True, eq=False)
class SparseGram:
    """C = S (X'X + l2 I) S with S = diag(X'X + l2 I)^-1/2, so that the diagonal is 1.

    Args:
        rows: (items, items) float32 CSR without the diagonal, symmetric with sorted indices unless it was made otherwise.
        scale: (items,) the diagonal of S; 0 for items without events.
        notes: what is kept of X'X, and what memory that may take.
    """

    rows: sparse.csr_matrix
    scale: Float64
    notes: tuple[str, ...]


def sparse_gram(data: Dataset, l2: float, neighbours: int, owner: str, wider: int = 1, dropout: float = 0, both: bool = True) -> SparseGram:
    """C of a log; an entry is kept if it is among the neighbours x wider largest of its row or of its column, and 0 takes the place of others.

    X is binary; where events have weights, an entry of X is the largest of the pair's events.

    Args:
        owner: whose `neighbours` they are.
        dropout: p, with p / (1 - p) diag(X'X) beside l2 I.
        both: an entry that is large for one of two items is in both rows; else in its own, the largest first.

    Raises:
        MemoryBudgetError: that many entries may not fit; says which `neighbours` do.

    Cost: the sum over users of the squared number of their items, in parallel; memory 8 bytes per pair of user and item (24 with weights) and up to
    32 bytes x items x neighbours x wider, never items x items. Of a log in shards a worker holds histories of 2 GiB and sums of 2 GiB.
    """
    reader = Reader(Count(), {}, np.empty(0, np.int64), None, 1.0, False, False, data.has_weights, data.n_items)
    keep = fit_here(data, reader)
    kept, sums = summed(data.map_shards(replace(reader, keep=keep)))
    room = min(neighbours * wider, data.n_items)
    needed = _require(owner, sums, neighbours, wider)
    roots = np.sqrt(sums.squares / (1 - dropout) + l2)
    rest = content_columns(None, data), 0.0, Denominator.product(roots, roots).plain, np.empty(0), data.catalogue.mask
    rows = Rows(reader, room, sums, rest)
    best = rows.of_histories(Histories.joined(kept)) if keep else rows.of_log(data)
    full = int((np.diff(best.indptr) == room).sum()) if room < data.n_items - 1 else 0
    rows = symmetric(best) if both else sparse.csr_matrix(best, dtype=np.float32)
    note = f"{rows.nnz:,} entries of X'X are kept ({rows.nnz / max(data.n_items, 1) ** 2:.2%} of its square), and at most {needed / 2**30:.1f} GiB are taken for them."
    cut = f"Smaller entries of X'X count as 0 beside the {room:,} largest of an item, which {full:,} items have."
    scale = np.divide(1, roots, where=data.catalogue.mask, out=np.zeros(len(roots)))
    return SparseGram(rows, scale, (note, cut) if full else (note,))


def symmetric(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """What is in one of the two triangles is in both; float32, indices sorted."""
    both = sparse.csr_matrix(rows.maximum(rows.T), dtype=np.float32)
    both.sort_indices()
    return both


def gram_entries(size: Size, room: int) -> float:
    """How many entries of X'X are kept at most of a log of this size."""
    return min(size.items * float(min(room, size.items)), size.pairs)


def _require(owner: str, sums: Sums, neighbours: int, wider: int) -> float:
    """Bytes for so many neighbours, which must be free."""

    def needed(neighbours: int) -> float:
        return ENTRY * float(np.minimum(sums.work, neighbours * wider).sum()) * (1 + 1 / wider)

    free = psutil.virtual_memory().available
    if needed(neighbours) <= MEMORY_SHARE * free:
        return needed(neighbours)
    fits, many = 0, neighbours
    while many - fits > 1:
        between = (fits + many) // 2
        fits, many = (between, many) if needed(between) <= MEMORY_SHARE * free else (fits, between)
    remedy = f"Use neighbours={fits}" if fits else "Filter items that few people took (vt.filters.k_core)"
    raise MemoryBudgetError(
        f"{owner} with neighbours={neighbours:,} needs up to {needed(neighbours) / 2**30:.1f} GiB of memory for X'X of {len(sums.work):,} items and its weights, and "
        f"{free / 2**30:.1f} GiB are free. {remedy} or Cooccurrence(), which keeps only each item's nearest ones."
    )
