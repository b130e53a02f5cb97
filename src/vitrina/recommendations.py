"""Ranked lists: what everything that recommends returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.arrays import Bool, Float32, Int32, places_of
from vitrina.base.errors import ParameterError
from vitrina.base.showing import labels_of, titled, to_pandas
from vitrina.vocabulary import Vocabulary

SOURCES = ("model", "fallback")  # where the place of a list comes from, unless the lists say otherwise
SHOWN = 10  # lists that a print shows
TAKEN = ("rank", "title", "score")  # columns of tables that are no extra ones


@dataclass(frozen=True, repr=False)
class Recommendations:
    """Ranked lists: item codes and scores, best first; -1 pads a list that ran out of eligible items.

    A place filled from popularity because the model had no opinion has the source `fallback` and score NaN.

    Args:
        items: (queries, k) codes. k is never more than the items that can be recommended at all, however many were asked for.
        scores: (queries, k) what orders a list. What a model said before lists were ranked again is the extra column `relevance`.
        vocabulary: of the items.
        extra: named columns of the same shape, which every selection, table and file keeps. Those of fixed meaning: `source`, places in
            `sources`; `reasons`, unsigned whole numbers of which bit b says that `reason_names[b]` holds; `relevance`; `propensity`, the
            chance of the item at its place given those above it. NaN is unknown.
        labels: (queries,) what people call those who ask; None numbers them. Its name is that of the column in tables.
        titles: (items,) what to show to people; None where the log had no titles.
        item_column: the name of the column of items in tables.
        sources: what the column `source` means.
        reason_names: what the bits of the column `reasons` mean, at most 64.

    Raises:
        ParameterError: an extra column has another shape or a taken name, or `source` or `reasons` have values without a name.

    >>> import numpy as np, vitrina as vt
    >>> lists = vt.testing.toy()
    >>> tea = vt.Recommendations(np.array([[0]], np.int32), np.ones((1, 1), np.float32), lists.items, {"reasons": np.array([[3]], np.uint8)},
    ...     reason_names=("new", "discount"))
    >>> tea.to_frame()["reasons"].to_list()
    [['new', 'discount']]
    """

    items: Int32  # (queries, k)
    scores: Float32  # (queries, k)
    vocabulary: Vocabulary
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    labels: pl.Series | None = None
    titles: pl.Series | None = None
    item_column: str = "item_id"
    sources: tuple[str, ...] = SOURCES
    reason_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, column in self.extra.items():
            _check_column(name, column, self.items.shape)
        if "source" in self.extra:
            _check_codes("source", self.extra["source"], len(self.sources), self.sources)
        if "reasons" in self.extra:
            _check_codes("reasons", self.extra["reasons"], 2 ** len(self.reason_names), self.reason_names)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Recommendations({len(self):,} lists of {self.k})"

    def __str__(self) -> str:
        return f"{self!r}\n{self[:SHOWN].to_frame()}"

    def _repr_html_(self) -> str:
        return titled(repr(self), self[:SHOWN].to_frame())

    def __getitem__(self, selection: int | slice | NDArray[Any]) -> Recommendations:
        selection = places_of(selection)
        extra = {name: column[selection] for name, column in self.extra.items()}
        labels = None if self.labels is None else self.labels.gather(np.arange(len(self))[selection])
        return replace(self, items=self.items[selection], scores=self.scores[selection], extra=extra, labels=labels)

    @property
    def k(self) -> int:
        return self.items.shape[1]

    @property
    def fallback(self) -> Bool:
        """Which places the fallback filled, (queries, k)."""
        source = self.extra.get("source")
        if source is None or "fallback" not in self.sources:
            return np.zeros(self.items.shape, bool)
        return source == self.sources.index("fallback")

    @classmethod
    def concat(cls, parts: Sequence[Recommendations]) -> Recommendations:
        """One below the other. Sources and reasons keep their names, whatever their numbers in each part; shorter lists are padded.

        Raises:
            ParameterError: there are no parts, or they have other extra columns than the first (a missing `source` is the first of `sources`).
            VocabularyError: their codes are of other items.
        """
        if not parts:
            raise ParameterError("Recommendations are put together from at least one part. Got none.")
        if len(parts) == 1:
            return parts[0]
        longest = max(parts, key=lambda part: len(part.vocabulary))
        for part in parts:
            longest.vocabulary.require_compatible(part.vocabulary, "parts of the recommendations")
        parts = _with_one_meaning([part.padded(max(p.k for p in parts)) for part in parts])
        extra = {name: np.concatenate([part.extra[name] for part in parts]) for name in parts[0].extra}
        labels = [part.labels for part in parts if part.labels is not None]
        return replace(
            parts[0],
            items=np.concatenate([part.items for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            vocabulary=longest.vocabulary,
            titles=longest.titles,
            extra=extra,
            labels=pl.concat(labels) if len(labels) == len(parts) else None,
        )

    def padded(self, k: int) -> Recommendations:
        """Lists of `k` places; those that are missing are pads: NaN in columns of fractions, no reason, the first source, -1 elsewhere."""
        if k <= self.k:
            return self
        extra = {name: _wider(column, k, pad_of(name, column)) for name, column in self.extra.items()}
        return replace(self, items=_wider(self.items, k, -1), scores=_wider(self.scores, k, np.nan), extra=extra)

    def to_frame(self, query: Sequence[Any] | pl.Series | None = None) -> pl.DataFrame:
        """One row per place: who asks, rank (from 1), item_id, title (where the log had titles), score, source, the other extra columns.

        Pads are left out. Who asks is a column `user_id` of people's own ids where they are known (as from `data.queries()`), else `query`,
        a number from 0. The score of a place that popularity filled is null, and so is each NaN. An item without a title has null there.
        `source` has names, and `reasons` are lists of names.

        Args:
            query: other labels, one per query; the name of a series is the name of the column.

        Raises:
            ParameterError: an extra column has the name of the column of who asks or of the items.
        """
        rows, places = np.nonzero(self.items >= 0)
        label = labels_of(self.labels if query is None else query, len(self))
        codes = self.items[rows, places]
        columns = {label.name: label.gather(rows), "rank": places + 1, self.item_column: self.vocabulary.decode(codes)}
        if self.titles is not None:
            columns["title"] = self.titles.gather(codes)
        # of arrays: an expression of Polars waits for threads that a process made by fork doesn't have
        columns["score"] = pl.Series(self.scores[rows, places], nan_to_null=True)
        extra = {"source": np.zeros(self.items.shape, np.uint8)} | dict(self.extra)
        for name, column in extra.items():
            if name in columns:
                raise ParameterError(f"A table of recommendations can't have two columns {name!r}. Give the extra column another name.")
            columns[name] = _readable(self, name, column[rows, places])
        return pl.DataFrame(columns)

    def to_pandas(self, query: Sequence[Any] | pl.Series | None = None) -> Any:
        """The same as a pandas DataFrame."""
        return to_pandas(self.to_frame(query))


def _readable(lists: Recommendations, name: str, values: NDArray[Any]) -> pl.Series:
    """A column as people read it."""
    if name == "source":
        return pl.Series(lists.sources).gather(values.astype(np.uint32))
    if name == "reasons":
        masks, place = np.unique(values, return_inverse=True)
        names = [[reason for bit, reason in enumerate(lists.reason_names) if int(mask) >> bit & 1] for mask in masks]
        return pl.Series(names, dtype=pl.List(pl.String)).gather(place.astype(np.uint32))
    return pl.Series(values, nan_to_null=True)


def _check_column(name: str, column: Any, shape: tuple[int, ...]) -> None:
    if name in TAKEN:
        raise ParameterError(f"An extra column of Recommendations can't be called {name!r}, as tables have a column of that name.")
    if not isinstance(column, np.ndarray) or column.shape != shape:
        got = f"the shape {column.shape}" if isinstance(column, np.ndarray) else f"a {type(column).__name__}"
        raise ParameterError(f"The column {name!r} of Recommendations must be an array of the shape of the items, {shape}. Got {got}.")


def _check_codes(name: str, column: NDArray[Any], count: int, names: tuple[str, ...]) -> None:
    """Refuse sources or masks of reasons that have no name."""
    field_name = "sources" if name == "source" else "reason_names"
    if len(names) > 64 or len(set(names)) < len(names) or any(not isinstance(n, str) or not n or "|" in n for n in names):
        raise ParameterError(f"The {field_name!r} of Recommendations must be at most 64 different texts without a '|'. Got {names!r}.")
    if column.dtype.kind not in ("u" if name == "reasons" else "ui"):
        raise ParameterError(f"The column {name!r} of Recommendations must hold unsigned whole numbers. Got {column.dtype}.")
    if column.size and not 0 <= int(column.min()) <= int(column.max()) < count:
        wrong = int(column.min()) if int(column.min()) < 0 else int(column.max())
        raise ParameterError(
            f"The column {name!r} of Recommendations must be of what {field_name!r} names ({', '.join(names)}). Got {wrong}."
        )


def _with_one_meaning(parts: Sequence[Recommendations]) -> list[Recommendations]:
    """The same lists with one table of sources, one of reasons, and the same columns."""
    sources = tuple(dict.fromkeys(name for part in parts for name in part.sources))
    reasons = tuple(dict.fromkeys(name for part in parts for name in part.reason_names))
    columns = list(dict.fromkeys(name for part in parts for name in part.extra))
    renumbered = []
    for part in parts:
        extra = dict(part.extra)
        if "source" in columns:
            source = extra.get("source", np.zeros(part.items.shape, np.uint8))
            extra["source"] = source if sources == part.sources else np.array([sources.index(n) for n in part.sources], np.uint8)[source]
        if "reasons" in extra and reasons != part.reason_names:
            extra["reasons"] = _renumbered(extra["reasons"], [reasons.index(name) for name in part.reason_names], len(reasons))
        if set(extra) != set(columns):
            raise ParameterError(
                f"Recommendations are put together from parts with the same columns ({', '.join(columns)}). One has no "
                f"{', '.join(name for name in columns if name not in extra)}: add it, with NaN where it isn't known."
            )
        renumbered.append(replace(part, extra={name: extra[name] for name in columns}, sources=sources, reason_names=reasons))
    return renumbered


def with_reasons(lists: Recommendations, flags: Mapping[str, Bool]) -> Recommendations:
    """The same lists with more reasons: (queries, k) where each holds, by name. Those that are there stay, and one of the same name is joined.

    Raises:
        ParameterError: there are more than 64 reasons together.
    """
    names = tuple(dict.fromkeys((*lists.reason_names, *flags)))
    none = np.zeros(lists.items.shape, np.uint8)
    masks = _renumbered(lists.extra.get("reasons", none), range(len(lists.reason_names)), len(names))
    for name, holds in flags.items():
        masks |= holds.astype(masks.dtype) << masks.dtype.type(names.index(name))
    return replace(lists, extra={**lists.extra, "reasons": masks}, reason_names=names)


def _renumbered(masks: NDArray[Any], bits: Sequence[int], count: int) -> NDArray[Any]:
    """Masks of which bit b becomes bit `bits[b]`, wide enough for `count` of them."""
    if count > 64:
        raise ParameterError(
            f"Recommendations have at most 64 reasons, and the parts have {count} together. Drop some of the reasons first."
        )
    dtype = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if np.iinfo(kind).bits >= count)
    moved = np.zeros(masks.shape, dtype)
    for old, new in enumerate(bits):
        moved |= ((masks >> masks.dtype.type(old)) & masks.dtype.type(1)).astype(dtype) << dtype(new)
    return moved


def pad_of(name: str, column: NDArray[Any]) -> Any:
    """What stands in a pad."""
    if column.dtype.kind == "f":
        return np.nan
    return -1 if column.dtype.kind == "i" and name != "source" else np.zeros((), column.dtype)[()]


def _wider(column: NDArray[Any], k: int, pad: Any) -> NDArray[Any]:
    return np.pad(column, ((0, 0), (0, k - column.shape[1])), constant_values=pad)
