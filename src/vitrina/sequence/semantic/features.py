"""What an item is to ActionPiece: a set of features in no order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.sequence.embed.coding import Coding
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.types import Bool, Int32, Int64
from vitrina.vocabulary import Vocabulary, id_hashes


@final
@dataclass(frozen=True, eq=False)
class FeatureSets:
    """The features of each item: digits of its code, values of its columns, and one bucket more, in which no two items of the same other features are together.

    Args:
        sets: (items, most) features, ascending, -1 behind; all -1 for an item that has none.
        base: how many features there are, with one more behind all, which no item has: the end of an item that is said.
    """

    sets: Int32
    base: int

    @classmethod
    def of(cls, data: Dataset, codes: SemanticCodes | None, columns: tuple[str, ...], buckets: int) -> FeatureSets:
        """Each digit of the codes is a kind of feature of its own, and so is each column. Where more than `buckets` items have the same features, there are as many buckets as they are.

        Raises:
            DataError: the log has no table of items, or a column isn't one of categories.
        """
        parts = [] if codes is None else [np.where(codes.codes < 0, -1, codes.codes + np.cumsum((0, *codes.sizes[:-1]), dtype=np.int32))]
        base = 0 if codes is None else sum(codes.sizes)
        if columns:
            values, count = _values(data, columns)
            parts.append(np.where(values < 0, -1, values + base))
            base += count
        sets = np.concatenate(parts, axis=1).astype(np.int32)
        known = np.asarray((sets >= 0).any(axis=1) if codes is None else codes.known)
        group = np.unique(sets, axis=0, return_inverse=True)[1].reshape(-1)
        bucket, buckets = _buckets(group, known, data.items, buckets)
        whole = np.column_stack([sets, base + bucket]).astype(np.int32)
        last = np.iinfo(np.int32).max
        whole = np.sort(np.where(whole < 0, last, whole), axis=1)
        return cls(np.where(known[:, None] & (whole < last), whole, -1).astype(np.int32), base + buckets + 1)

    @property
    def known(self) -> Bool:
        """(items,) which items have features."""
        return self.sets[:, 0] >= 0

    @property
    def even(self) -> bool:
        """Whether all items have as many features, so that the set of one is no part of that of another."""
        sizes = (self.sets[self.known] >= 0).sum(axis=1)
        return bool((sizes == sizes[:1]).all())


def _values(data: Dataset, columns: tuple[str, ...]) -> tuple[Int32, int]:
    """(items, most) the values of columns of categories, numbered, -1 behind, and how many values there are."""
    if data.item_table is None:
        raise DataError(
            f"ActionPiece(columns={columns!r}) needs a table of items, and {data!r} has none. Read the log with items=..., or give 'codes' alone."
        )
    coding = Coding.of(data.item_table, columns, np.arange(data.n_items))
    numbers = [name for name, value in coding.names if value is None]
    if numbers:
        raise DataError(
            f"The features of ActionPiece must be columns of categories. {', '.join(numbers)} holds numbers: leave it out, or read it as a category."
        )
    matrix = sparse.csr_matrix(coding.matrix(data.item_table.frame))
    matrix.sort_indices()
    lengths = np.diff(matrix.indptr)
    out = np.full((data.n_items, max(int(lengths.max(initial=0)), 1)), -1, np.int32)
    out[np.arange(out.shape[1]) < lengths[:, None]] = matrix.indices
    return out, len(coding.names)


def _buckets(group: Int64, known: Bool, items: Vocabulary, buckets: int) -> tuple[Int64, int]:
    """A bucket of each item, another one for each of a group, beginning anywhere, and how many buckets there are; by ids alone."""
    hashes = id_hashes(items)
    order = np.lexsort((hashes, group))
    order = order[known[order]]
    first = np.searchsorted(group[order], group[order])
    place = np.arange(len(order)) - first
    buckets = max(buckets, int(place.max(initial=0)) + 1)
    begin = (hashes[order][first] % np.uint64(buckets)).astype(np.int64)
    out = np.zeros(len(group), np.int64)
    out[order] = (begin + place) % buckets
    return out, buckets
