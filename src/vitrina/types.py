"""The nouns that everything shares: ragged lists, events, queries, eligibility, recommendations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from vitrina.errors import ParameterError
from vitrina.vocabulary import Vocabulary

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

SOURCES = ("model", "fallback")


@dataclass(frozen=True)
class Ragged:
    """Lists of different lengths in two arrays: row r is `values[indptr[r]:indptr[r + 1]]`.

    >>> Ragged.of([[3, 1], [], [2]]).lengths.tolist()
    [2, 0, 1]
    """

    indptr: Int64  # (rows + 1,)
    values: Int32  # (total,)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | NDArray[Any]]) -> Ragged:
        """The lists as they are.

        Raises:
            ParameterError: a value is no integer of 32 bits.
        """
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        flat = [np.asarray(row) for row in rows if len(row)]
        odd = next((part.tolist() for part in flat if part.dtype.kind not in "iu"), None)
        if odd is not None:
            raise ParameterError(
                f"The rows of a Ragged are lists of codes, which are integers. Got {odd!r}; ids become codes with encode([...])."
            )
        values = np.concatenate(flat).astype(np.int64) if flat else np.empty(0, np.int32)
        if len(values) and (values.min() < -(2**31) or values.max() >= 2**31):
            raise ParameterError(f"The codes in a Ragged are integers of 32 bits. Got {values[np.abs(values).argmax()]}.")
        return cls.of_lengths(lengths, values)

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
        return self.values[self.indptr[row] : self.indptr[row + 1]]

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


def ranges(starts: NDArray[Any], lengths: NDArray[Any]) -> Int64:
    """Concatenation of `arange(starts[i], starts[i] + lengths[i])`."""
    total = int(lengths.sum())
    before = np.cumsum(lengths) - lengths
    return np.arange(total, dtype=np.int64) + np.repeat(np.asarray(starts, np.int64) - before, lengths)


@dataclass(frozen=True)
class Events:
    """Read-only columns of interactions, in the order (user, time, row). Absent columns are None."""

    items: Int32  # (events,)
    times: Int64 | None = None  # microseconds since 1970, or steps
    values: Float32 | None = None
    kinds: NDArray[np.uint8] | None = None
    baskets: Int32 | None = None

    def __len__(self) -> int:
        return len(self.items)

    def columns(self) -> dict[str, NDArray[Any]]:
        named = {n: getattr(self, n) for n in ("items", "times", "values", "kinds", "baskets")}
        return {name: column for name, column in named.items() if column is not None}

    def take(self, index: NDArray[Any] | slice) -> Events:
        return Events(**{name: column[index] for name, column in self.columns().items()})


@dataclass(frozen=True, repr=False)
class Queries:
    """Who is asked about, with which history: views into shared events, never copies.

    The history of query q is `events[start[q]:stop[q]]`, oldest first. Overlapping histories cost nothing.

    >>> import vitrina as vt
    >>> queries = vt.Queries.of_histories(vt.Vocabulary.of(["tea", "milk", "salt"]), [["tea", "milk"], ["salt"]])
    >>> queries.lengths.tolist()
    [2, 1]
    """

    events: Events
    start: Int64  # (queries,)
    stop: Int64  # (queries,)
    vocabulary: Vocabulary  # of items
    users: Int32  # (queries,), -1 for an unknown visitor
    now: Int64 | None = None  # (queries,), the moment of asking; same unit as events.times
    context: pl.DataFrame | None = None  # one row a query: request context and user features
    kind_names: tuple[str, ...] = ()
    unknown: int = 0  # items of ad-hoc histories that the vocabulary doesn't hold
    people: Vocabulary | None = None  # of the users' codes; None where they are those of the model's own log

    @classmethod
    def of_histories(
        cls, vocabulary: Vocabulary, histories: Sequence[Sequence[Any]], times: Sequence[Sequence[int]] | None = None
    ) -> Queries:
        """Queries for histories that come from outside; unknown items are skipped and counted in `unknown`.

        Raises:
            ParameterError: a history is a text, which would be taken letter by letter.
        """
        if isinstance(histories, str) or any(isinstance(history, str) for history in histories):
            raise ParameterError(f"Histories are a list of lists of ids: [['tea', 'milk'], ['salt']]. Got {histories!r}.")
        codes = [vocabulary.encode(list(history)) for history in histories]
        known = [c >= 0 for c in codes]
        ragged = Ragged.of([c[k] for c, k in zip(codes, known, strict=True)])
        flat = None
        if times is not None:
            kept = [np.asarray(t, np.int64)[k] for t, k in zip(times, known, strict=True)]
            flat = np.concatenate(kept) if kept else np.empty(0, np.int64)
        unknown = int(sum((~k).sum() for k in known))
        users = np.full(len(histories), -1, np.int32)
        return cls(Events(ragged.values, flat), ragged.indptr[:-1], ragged.indptr[1:], vocabulary, users, unknown=unknown)

    def __len__(self) -> int:
        return len(self.start)

    def __repr__(self) -> str:
        return f"Queries({len(self):,} queries, {int(self.lengths.sum()):,} events of {len(self.vocabulary):,} items)"

    def __getitem__(self, selection: slice | NDArray[Any]) -> Queries:
        return replace(
            self,
            start=self.start[selection],
            stop=self.stop[selection],
            users=self.users[selection],
            now=None if self.now is None else self.now[selection],
            context=None if self.context is None else self.context[selection],
        )

    def blocks(self, size: int) -> Iterator[tuple[slice, Queries]]:
        for first in range(0, len(self), size):
            part = slice(first, min(first + size, len(self)))
            yield part, self[part]

    @property
    def lengths(self) -> Int64:
        return self.stop - self.start

    def last(self, n: int) -> Queries:
        """The same queries with at most the last `n` events of each history."""
        return replace(self, start=np.maximum(self.start, self.stop - n))

    def histories(self) -> Ragged:
        """Item codes of each history, oldest first; a view when the histories follow one another."""
        if len(self) and np.array_equal(self.start[1:], self.stop[:-1]):
            base = self.start[0]
            indptr = np.append(self.start, self.stop[-1]) - base
            return Ragged(indptr, self.events.items[base : self.stop[-1]])
        return Ragged.of_lengths(self.lengths, self.events.items[ranges(self.start, self.lengths)])

    def csr(self, *, binary: bool = True) -> sparse.csr_matrix:
        """(queries, items) matrix of the histories; duplicates become one, or a count."""
        history = self.histories()
        shape = (len(self), len(self.vocabulary))
        ones = np.ones(len(history.values), dtype=np.float32)
        matrix = sparse.csr_matrix((ones, history.values.copy(), history.indptr.copy()), shape=shape)
        matrix.sum_duplicates()
        if binary:
            matrix.data[:] = 1
        return matrix


@dataclass(frozen=True)
class Eligibility:
    """Which items may be shown; applied before the top-k, never after.

    A list is short only when fewer than k eligible items exist.

    Args:
        include: only these items: one array for all queries, or a row a query.
        exclude: never these items: one array for all queries, or a row a query.
        repeat: may items of the history come back. Seen means the whole history that the query carries.
        seen_kinds: names of the kinds of event that count as seen; None means every kind.
    """

    include: Int32 | Ragged | None = None
    exclude: Int32 | Ragged | None = None
    repeat: bool = False
    seen_kinds: tuple[str, ...] | None = None

    def rows(self, selection: slice) -> Eligibility:
        """The part of it that concerns a run of queries."""

        def part(items: Int32 | Ragged | None) -> Int32 | Ragged | None:
            return items.rows(selection) if isinstance(items, Ragged) else items

        return replace(self, include=part(self.include), exclude=part(self.exclude))

    def banned(self, queries: Queries) -> Ragged:
        """Items that each query must not get: seen ones and the ragged part of `exclude` (may hold duplicates)."""
        parts = [] if self.repeat else [self._seen(queries)]
        if isinstance(self.exclude, Ragged):
            parts.append(self.exclude)
        if not parts:
            return Ragged.empty(len(queries))
        return parts[0] if len(parts) == 1 else _join(parts[0], parts[1])

    def _seen(self, queries: Queries) -> Ragged:
        seen = queries.histories()
        kinds = queries.events.kinds
        if self.seen_kinds is None:
            return seen
        unknown = set(self.seen_kinds) - set(queries.kind_names)
        if kinds is None or unknown:
            had = ", ".join(queries.kind_names) or "no kinds at all"
            raise ParameterError(
                f"The 'seen_kinds' of an Eligibility must be kinds of event in the log ({had}). Got {', '.join(self.seen_kinds)}."
            )
        wanted = np.isin(queries.kind_names, self.seen_kinds)
        return seen.keep(wanted[kinds[ranges(queries.start, queries.lengths)]])


def _join(left: Ragged, right: Ragged) -> Ragged:
    if len(left) != len(right):
        raise ParameterError(
            f"An Eligibility with a row a query must have as many rows as there are queries ({len(left)}). Got {len(right)}."
        )
    order = np.argsort(np.concatenate([left.row_of, right.row_of]), kind="stable")
    return Ragged.of_lengths(left.lengths + right.lengths, np.concatenate([left.values, right.values])[order])


@dataclass(frozen=True, repr=False)
class Recommendations:
    """Ranked lists: item codes and scores, best first; -1 pads a list that ran out of eligible items.

    A place filled from popularity because the model had no opinion has `source` 1 (`fallback`) and score NaN.
    """

    items: Int32  # (queries, k)
    scores: Float32  # (queries, k)
    vocabulary: Vocabulary
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # each (queries, k)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Recommendations({len(self):,} lists of {self.k})"

    def __getitem__(self, selection: slice | NDArray[Any]) -> Recommendations:
        extra = {name: column[selection] for name, column in self.extra.items()}
        return Recommendations(self.items[selection], self.scores[selection], self.vocabulary, extra)

    @property
    def k(self) -> int:
        return self.items.shape[1]

    @property
    def fallback(self) -> Bool:
        """Which places the fallback filled, (queries, k)."""
        source = self.extra.get("source")
        return np.zeros(self.items.shape, bool) if source is None else source == SOURCES.index("fallback")

    @classmethod
    def concat(cls, parts: Sequence[Recommendations]) -> Recommendations:
        extra = {name: np.concatenate([p.extra[name] for p in parts]) for name in parts[0].extra}
        items, scores = (np.concatenate([getattr(p, n) for p in parts]) for n in ("items", "scores"))
        return cls(items, scores, parts[0].vocabulary, extra)

    def to_frame(self, query: pl.Series | None = None) -> pl.DataFrame:
        """One row a place: query, rank (from 1), item_id, score, source; pads are left out."""
        rows, places = np.nonzero(self.items >= 0)
        label = pl.Series("query", np.arange(len(self))) if query is None else query
        frame = pl.DataFrame({label.name: label[rows], "rank": places + 1})
        codes = self.items[rows, places]
        source = pl.Series(self.fallback[rows, places].astype(np.uint8)).replace_strict(dict(enumerate(SOURCES)), return_dtype=pl.String)
        return frame.with_columns(item_id=self.vocabulary.decode(codes), score=pl.Series(self.scores[rows, places]), source=source)
