"""The nouns that everything shares: ragged lists, events, queries, eligibility, recommendations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.arrays import Bool, Float32, Float64, Int32, Int64, Ragged, cuts, places_of, ranges
from vitrina.base.codes import codes_of, kinds_of, times_of, values_of
from vitrina.base.errors import ParameterError
from vitrina.recommendations import Recommendations
from vitrina.vocabulary import Vocabulary

__all__ = [
    "Bool", "Eligibility", "Events", "Float32", "Float64", "Int32", "Int64", "Queries", "Ragged", "Recommendations", "cuts",
    "ranges",
]  # fmt: skip

BLOCK_EVENTS = 1 << 20  # of the histories of a block: some 100 MB where a form makes arrays of them


@dataclass(frozen=True)
class Events:
    """Read-only columns of interactions, in the order (user, time, row). Absent columns are None.

    A weight says how much an event counts: 1 where the column is absent. An event of weight 0 counts for nothing, and one below 0
    is a dislike: no model reads either as interest, and both stay in the history that says what was seen.
    """

    items: Int32  # (events,)
    times: Int64 | None = None  # microseconds since 1970, or steps
    values: Float32 | None = None
    kinds: NDArray[np.uint8] | None = None
    baskets: Int32 | None = None
    weights: Float32 | None = None

    def __len__(self) -> int:
        return len(self.items)

    def columns(self) -> dict[str, NDArray[Any]]:
        named = {n: getattr(self, n) for n in ("items", "times", "values", "kinds", "baskets", "weights")}
        return {name: column for name, column in named.items() if column is not None}

    @cached_property
    def least_weight(self) -> float:
        """1 where there are no weights."""
        return 1.0 if self.weights is None else float(self.weights.min(initial=1))

    @cached_property
    def least_item(self) -> int:
        """0 where there are no events."""
        return int(self.items.min(initial=0))

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
    context: pl.DataFrame | None = None  # one row per query: request context, user features, and what a request may change (`setting`)
    kind_names: tuple[str, ...] = ()
    unknown: int = 0  # items of ad-hoc histories that the vocabulary doesn't hold
    people: Vocabulary | None = None  # of the users' codes; None where they are those of the model's own log
    labels: pl.Series | None = None  # (queries,) what people call those who ask; its name is that of the column in tables
    whole: Queries | None = None  # set by `counted`: these queries with every event, for what was seen and disliked
    texts: pl.Series | None = None  # (queries,) what was typed, of a search; null where nothing was
    request_ids: pl.Series | None = None  # (queries,) what the answers are called in logs, as `vt.Impressions` has it
    first_user: int = 0  # of a shard with user codes of its own: how many people the shards before it have

    @classmethod
    def of_histories(
        cls, vocabulary: Vocabulary, histories: Sequence[Sequence[Any]], times: Sequence[Sequence[int]] | None = None, *,
        kinds: Sequence[Sequence[str]] | None = None, values: Sequence[Sequence[float | None]] | None = None,
    ) -> Queries:  # fmt: skip
        """Queries for histories that come from outside; unknown items are skipped and counted in `unknown`.

        Args:
            times: a list per history, one per event, oldest first.
            kinds: the names of the kinds of events, a list per history, for models that read them.
            values: the same of values; None is an unknown one.

        Raises:
            ParameterError: a history is no list of ids, such as a text, which would be taken letter by letter; times, kinds or values are not one per event.
        """
        if not isinstance(vocabulary, Vocabulary):
            raise ParameterError(
                f"Histories are read with a Vocabulary of items: data.items, or the vocabulary of a fitted model. Got a {type(vocabulary).__name__}."
            )
        if (
            isinstance(histories, str)
            or not hasattr(histories, "__len__")
            or any(isinstance(history, str) or not hasattr(history, "__len__") for history in histories)
        ):
            raise ParameterError(f"Histories are a list of lists of ids: [['tea', 'milk'], ['salt']]. Got {histories!r}.")
        codes = [vocabulary.encode(list(history)) for history in histories]
        known = [c >= 0 for c in codes]
        ragged = Ragged.of([c[k] for c, k in zip(codes, known, strict=True)])
        every = np.concatenate([np.empty(0, bool), *known])
        names, of_kinds = ((), None) if kinds is None else kinds_of(histories, kinds)
        events = Events(
            ragged.values, None if times is None else times_of(histories, times)[every],
            None if values is None else values_of(histories, values)[every], None if of_kinds is None else of_kinds[every],
        )  # fmt: skip
        users = np.full(len(histories), -1, np.int32)
        return cls(events, ragged.indptr[:-1], ragged.indptr[1:], vocabulary, users, kind_names=names, unknown=int((~every).sum()))

    @classmethod
    def of_texts(cls, vocabulary: Vocabulary, texts: Sequence[str | None], histories: Sequence[Sequence[Any]] | None = None) -> Queries:
        """Queries of a search: what was typed, and by whom it was, as a history of ids; nothing where nobody is known.

        >>> import vitrina as vt
        >>> vt.Queries.of_texts(vt.Vocabulary.of(["tea", "milk"]), ["green tea"]).texts.to_list()
        ['green tea']
        """
        if isinstance(texts, str):
            raise ParameterError(f"The texts of Queries are a list: [{texts!r}]. Got {texts!r}.")
        queries = cls.of_histories(vocabulary, [[]] * len(texts) if histories is None else histories)
        return replace(queries, texts=pl.Series("text", list(texts), pl.String))

    def __post_init__(self) -> None:
        start, stop = self.start, self.stop
        if len(stop) != len(start) or (start < 0).any() or (stop < start).any() or (stop > len(self.events)).any():
            raise ParameterError(
                f"A history of Queries must lie within the {len(self.events):,} events, 0 <= start <= stop, with as many stops as starts."
            )
        for name in ("context", "labels", "texts", "request_ids"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self):
                raise ParameterError(f"The {name!r} of Queries must have a row per query ({len(self):,}). Got {len(column):,}.")
        if self.texts is not None and self.texts.dtype != pl.String:
            raise ParameterError(
                f"The 'texts' of Queries must be a series of text, pl.Series(['red shoes', None]). Got {self.texts.dtype}."
            )
        if self.events.least_item < 0:
            raise ParameterError(
                f"The items of events are codes from 0 on, and -1 is an id that isn't known: leave such events out. Got {self.events.least_item}."
            )

    def __len__(self) -> int:
        return len(self.start)

    def __repr__(self) -> str:
        strangers = 0 if self.people is None else int((self.users < 0).sum())
        warning = f"; {strangers:,} are asked for people who are not in the log" if strangers else ""
        return f"Queries({len(self):,} queries, {int(self.lengths.sum()):,} events of {len(self.vocabulary):,} items{warning})"

    def __getitem__(self, selection: int | slice | NDArray[Any]) -> Queries:
        if isinstance(selection, slice) and selection.indices(len(self)) == (0, len(self), 1):
            return self
        selection = places_of(selection)

        def of(column: pl.Series | None) -> pl.Series | None:
            if column is None or isinstance(selection, slice):
                return None if column is None else column[selection]
            return column.gather(np.arange(len(self))[selection])

        return replace(
            self,
            start=self.start[selection],
            stop=self.stop[selection],
            users=self.users[selection],
            now=None if self.now is None else self.now[selection],
            context=None if self.context is None else self.context[selection],
            labels=of(self.labels),
            texts=of(self.texts),
            request_ids=of(self.request_ids),
            whole=None if self.whole is None else self.whole[selection],
        )

    def blocks(self, size: int, events: int = BLOCK_EVENTS) -> Iterator[tuple[slice, Queries]]:
        """Runs of at most `size` queries whose histories have at most `events` events together; a longer history is alone.

        So that memory is bounded although one person with half of the log asks half of the queries.
        """
        for part in cuts(self.lengths, events, size):
            yield part, self[part]

    @property
    def lengths(self) -> Int64:
        return self.stop - self.start

    @property
    def persons(self) -> Int64:
        """(queries,) the users' codes in the whole log, which differ between shards; -1 for an unknown visitor."""
        return np.where(self.users < 0, -1, self.users + np.int64(self.first_user))

    def last(self, n: int) -> Queries:
        """The same queries with at most the last `n` events of each history."""
        return replace(self, start=np.maximum(self.start, self.stop - n))

    def counted(self) -> Queries:
        """The same queries with only events of weights above 0 in their histories: what a model reads.

        The fitted forms do this by themselves. What was seen or disliked is still known to an Eligibility.

        Cost: nothing where all events count, else a copy of the histories.
        """
        if self.events.least_weight > 0:
            return self
        assert self.events.weights is not None
        place = ranges(self.start, self.lengths)
        counts = self.events.weights[place] > 0
        rows = np.repeat(np.arange(len(self)), self.lengths)[counts]
        stop = np.cumsum(np.bincount(rows, minlength=len(self)))
        start = np.append(0, stop)[:-1]
        return replace(self, events=self.events.take(place[counts]), start=start, stop=stop, whole=self)

    def setting(self, name: str, default: float) -> Float64:
        """(queries,) a number that a request may change, such as `diversity`: from the column `name` of the context, else `default`.

        Raises:
            ParameterError: the column holds no finite numbers.

        >>> import polars as pl, vitrina as vt
        >>> from dataclasses import replace
        >>> asked = replace(vt.testing.toy().queries()[:3], context=pl.DataFrame({"diversity": [0.2, None, 0.9]}))
        >>> asked.setting("diversity", 0.5).tolist()
        [0.2, 0.5, 0.9]
        """
        if self.context is None or name not in self.context.columns:
            return np.full(len(self), default, np.float64)
        column = self.context[name]
        if not column.dtype.is_numeric() or not np.isfinite(column.drop_nulls().to_numpy()).all():
            raise ParameterError(f"The {name!r} in the context of Queries must be finite numbers, or null where the default holds.")
        return column.cast(pl.Float64).fill_null(default).to_numpy()

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

    A list is short only when fewer than k eligible items exist. Items are codes, as `data.items.encode(ids)` gives them. A code that
    the model doesn't know (-1 for an unknown id, or a newer item) is an item that can't be shown anyway, and says nothing.
    What the person disliked (an event of a weight below 0) and didn't take again after it is never eligible, with `repeat` or without.

    Args:
        include: only these items: one list of codes for all queries, or a row per query (`vt.Ragged`).
        exclude: never these items: one list of codes for all queries, or a row per query (`vt.Ragged`).
        repeat: may items of the history come back. Seen means the whole history that the query carries.
        seen_kinds: names of the kinds of event that count as seen; None means every kind.

    Raises:
        ParameterError: the items are ids or no list of codes. Rows that are not one per query are refused when it is asked with.
    """

    include: Int32 | Ragged | None = None
    exclude: Int32 | Ragged | None = None
    repeat: bool = False
    seen_kinds: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("include", "exclude"):
            items = getattr(self, name)
            if items is not None and not isinstance(items, Ragged):
                object.__setattr__(self, name, codes_of(items, f"The {name!r} of an Eligibility"))
        if not isinstance(self.repeat, (bool, np.bool_)):
            raise ParameterError(
                f"The 'repeat' of an Eligibility must be True or False. Got {self.repeat!r}.", parameter="repeat", value=self.repeat
            )
        if isinstance(self.seen_kinds, str) or not isinstance(self.seen_kinds, Iterable | None):
            raise ParameterError(
                f"The 'seen_kinds' of an Eligibility are a list: [{self.seen_kinds!r}]. Got {self.seen_kinds!r}.",
                parameter="seen_kinds",
                value=self.seen_kinds,
            )

    def check_rows(self, queries: int) -> None:
        """Refuse rows that are not one per query."""
        for name in ("include", "exclude"):
            items = getattr(self, name)
            if isinstance(items, Ragged) and len(items) != queries:
                raise ParameterError(
                    f"The {name!r} of an Eligibility with a row per query must have as many rows as there are queries ({queries:,}). "
                    f"Got {len(items):,}; one list of codes is for all queries.",
                    parameter=name,
                )

    def rows(self, selection: slice) -> Eligibility:
        """The part of it that concerns a run of queries."""

        def part(items: Int32 | Ragged | None) -> Int32 | Ragged | None:
            return items.rows(selection) if isinstance(items, Ragged) else items

        return replace(self, include=part(self.include), exclude=part(self.exclude))

    def take(self, index: Int64) -> Eligibility:
        """The part of it that concerns these queries, in this order."""

        def part(items: Int32 | Ragged | None) -> Int32 | Ragged | None:
            return items.take(index) if isinstance(items, Ragged) else items

        return replace(self, include=part(self.include), exclude=part(self.exclude))

    def banned(self, queries: Queries) -> Ragged:
        """Items that each query must not get: seen and disliked ones and the ragged part of `exclude` (may hold duplicates)."""
        self.check_rows(len(queries))
        queries = queries if queries.whole is None else queries.whole
        parts = [] if self.repeat else [self._seen(queries)]
        if isinstance(self.exclude, Ragged):
            parts.append(self.exclude)
        if queries.events.least_weight < 0:
            parts.append(disliked(queries.events, queries.start, queries.stop))
        return reduce(_join, parts) if parts else Ragged.empty(len(queries))

    def _seen(self, queries: Queries) -> Ragged:
        seen = queries.histories()
        kinds = queries.events.kinds
        if self.seen_kinds is None:
            return seen
        unknown = set(self.seen_kinds) - set(queries.kind_names)
        if kinds is None or unknown:
            had = ", ".join(queries.kind_names) or "no kinds at all"
            raise ParameterError(
                f"The 'seen_kinds' of an Eligibility must be kinds of event in the log ({had}). Got {', '.join(self.seen_kinds)}.",
                parameter="seen_kinds",
            )
        wanted = np.isin(queries.kind_names, self.seen_kinds)
        return seen.keep(wanted[kinds[ranges(queries.start, queries.lengths)]])


def disliked(events: Events, start: Int64, stop: Int64) -> Ragged:
    """Items of which the last word in `events[start[q]:stop[q]]` is a dislike, sorted. What has weight 0 says nothing."""
    if events.least_weight >= 0:
        return Ragged.empty(len(start))
    assert events.weights is not None
    place = ranges(start, stop - start)
    speaks = events.weights[place] != 0
    rows, place = np.repeat(np.arange(len(start)), stop - start)[speaks], place[speaks]
    items, width = events.items[place], int(events.items.max()) + 1
    _, from_end = np.unique((rows * width + items)[::-1], return_index=True)
    last = len(place) - 1 - from_end
    last = last[events.weights[place[last]] < 0]
    return Ragged.of_lengths(np.bincount(rows[last], minlength=len(start)), items[last])


def _join(left: Ragged, right: Ragged) -> Ragged:
    order = np.argsort(np.concatenate([left.row_of, right.row_of]), kind="stable")
    return Ragged.of_lengths(left.lengths + right.lengths, np.concatenate([left.values, right.values])[order])
