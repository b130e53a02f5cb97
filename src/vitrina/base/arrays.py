"""Array types, and lists of different lengths in two arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.codes import codes_of
from vitrina.base.errors import ParameterError

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Ragged:
    """Lists of different lengths in two arrays: row r is `values[indptr[r]:indptr[r + 1]]`.

    Raises:
        ParameterError: `indptr` doesn't rise from 0 to the number of values, or the values are no codes.

    >>> Ragged.of([[3, 1], [], [2]]).lengths.tolist()
    [2, 0, 1]
    """

    indptr: Int64  # (rows + 1,)
    values: Int32  # (total,)

    def __post_init__(self) -> None:
        values, indptr = codes_of(self.values, "The 'values' of a Ragged"), np.asarray(self.indptr)
        whole = indptr.ndim == 1 and indptr.dtype.kind in "iu" and len(indptr) > 0
        if not whole or indptr[0] != 0 or indptr[-1] != len(values) or (indptr[1:] < indptr[:-1]).any():
            raise ParameterError(
                f"The 'indptr' of a Ragged must rise from 0 to the number of values ({len(values)}); vt.Ragged.of(rows) makes it. "
                f"Got {np.asarray(self.indptr).tolist()[:8] if indptr.ndim else indptr}.",
                parameter="indptr",
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "indptr", indptr.astype(np.int64, copy=False))

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | NDArray[Any]]) -> Ragged:
        """Of a list of lists of codes."""
        if isinstance(rows, str) or not all(hasattr(row, "__len__") for row in rows):
            raise ParameterError(f"A Ragged is made of a list of lists of codes: [[0, 3], [2]]. Got {rows!r}.")
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        flat = [codes_of(row, "A row of a Ragged") for row in rows if len(row)]
        return cls.of_lengths(lengths, np.concatenate(flat) if flat else np.empty(0, np.int32))

    @classmethod
    def of_lengths(cls, lengths: NDArray[Any], values: NDArray[Any]) -> Ragged:
        indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=indptr[1:])
        return cls(indptr, np.ascontiguousarray(values, dtype=np.int32))

    @classmethod
    def empty(cls, rows: int) -> Ragged:
        return cls(np.zeros(rows + 1, np.int64), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, row: int) -> Int32:
        return self.values[self.indptr[:-1][row] : self.indptr[1:][row]]

    def rows(self, selection: slice) -> Ragged:
        """A run of consecutive rows, as views."""
        start, stop, _ = selection.indices(len(self))
        indptr = self.indptr[start : stop + 1]
        return Ragged(indptr - indptr[0], self.values[indptr[0] : indptr[-1]])

    def take(self, rows: NDArray[Any]) -> Ragged:
        """Any rows in any order, copied."""
        lengths = self.lengths[rows]
        return Ragged.of_lengths(lengths, self.values[ranges(self.indptr[rows], lengths)])

    @cached_property
    def lengths(self) -> Int64:
        return np.diff(self.indptr)

    @cached_property
    def row_of(self) -> Int64:
        """The row of each value, (total,)."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def unique(self) -> Ragged:
        """Each row sorted, duplicates dropped."""
        order = np.lexsort((self.values, self.row_of))
        rows, values = self.row_of[order], self.values[order]
        keep = np.ones(len(values), dtype=bool)
        keep[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
        return Ragged.of_lengths(np.bincount(rows[keep], minlength=len(self)), values[keep])

    def keep(self, mask: Bool) -> Ragged:
        """The values where `mask` (one flag a value) holds; rows stay."""
        return Ragged.of_lengths(np.bincount(self.row_of[mask], minlength=len(self)), self.values[mask])


def places_of(selection: int | slice | NDArray[Any]) -> slice | NDArray[Any]:
    """What is selected of rows as something that keeps their axis: one row is a list of one."""
    return np.array([selection]) if isinstance(selection, (int, np.integer)) else selection


def ranges(starts: NDArray[Any], lengths: NDArray[Any]) -> Int64:
    """Concatenation of `arange(starts[i], starts[i] + lengths[i])`."""
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    return np.arange(total, dtype=np.int64) + np.repeat(np.asarray(starts, np.int64) - before, lengths)


def cuts(costs: Int64, budget: int, most: int | None = None) -> Iterator[slice]:
    """Consecutive runs of at most `most` rows that cost at most `budget` together; a row that costs more is alone.

    >>> [(part.start, part.stop) for part in cuts(np.array([3, 3, 9, 1, 1, 1]), budget=6, most=2)]
    [(0, 2), (2, 3), (3, 5), (5, 6)]
    """
    ends, first = np.cumsum(costs), 0
    while first < len(costs):
        within = int(np.searchsorted(ends, (ends[first - 1] if first else 0) + budget, side="right"))
        last = max(min(within, len(costs) if most is None else first + most), first + 1)
        yield slice(first, last)
        first = last
