"""Item and user tables aligned with a vocabulary: row c describes code c."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError
from vitrina.base.ids import without_zero_fraction
from vitrina.data.columns import IS_EMPTY, id_text
from vitrina.data.versions import Versions
from vitrina.vocabulary import Vocabulary

FeatureKind = Literal["category", "categories", "number", "text"]
TITLE_NAMES = ("title", "name", "item_name", "product_name", "description")


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Typed features of items or users; codes without a row have nulls.

    Args:
        frame: one row per code, in the order of the vocabulary; no id column.
        kinds: the kind of each column that models may use.
        title: the column to show to people, if there is one.
        versions: what the rows said at other times, where that was kept; the frame is the latest of them.
    """

    frame: pl.DataFrame
    kinds: Mapping[str, FeatureKind]
    title: str | None = None
    versions: Versions | None = None

    @classmethod
    def of(cls, table: pl.DataFrame, id_column: str, vocabulary: Vocabulary, *, kinds: Mapping[str, FeatureKind] | None = None, title: str | None = None) -> FeatureTable:  # fmt: skip
        """Align `table` with `vocabulary`; kinds are guessed from the types where not given.

        A declared kind makes the type: "categories" splits text at "|", "category" and "text" make text, "number" makes
        numbers. NaN becomes null: unknown.

        Raises:
            DataError: the id column is missing, holds what is no id or repeats one; a "number" column holds text or infinity.
        """
        if id_column not in table.columns:
            raise DataError(f"the table has no column {id_column!r}. Its columns: {', '.join(table.columns)}.")
        known = vocabulary.encode(table_ids(table[id_column]))
        place = np.full(len(vocabulary), -1, np.int64)
        place[known[known >= 0]] = np.flatnonzero(known >= 0)
        index = pl.Series(place).replace(-1, None)
        rows = index.cast(pl.UInt32)
        declared: Mapping[str, FeatureKind] = kinds or {}
        frame = pl.DataFrame([as_kind(c.gather(rows), declared.get(c.name)) for c in table.drop(id_column)])
        chosen: dict[str, FeatureKind | None] = {c: declared.get(c) or guess_kind(frame[c]) for c in frame.columns}
        title = title or next((c for n in TITLE_NAMES for c in frame.columns if c.lower() == n), None)
        return cls(frame, {c: k for c, k in chosen.items() if k is not None}, title)

    @cached_property
    def title_column(self) -> pl.Series | None:
        """(ids,) what to show to people, null where it isn't known; None without such a column."""
        return None if self.title is None else self.frame[self.title].cast(pl.String).alias("title")

    def titles(self, codes: NDArray[Any]) -> Sequence[str | None]:
        if self.title_column is None:
            return [None] * len(codes)
        return self.title_column.gather(np.asarray(codes, np.uint32)).to_list()

    def take(self, codes: NDArray[Any]) -> FeatureTable:
        """The rows of these codes, in their order: what a smaller vocabulary needs."""
        versions = None if self.versions is None else self.versions.take(codes)
        return FeatureTable(self.frame[np.asarray(codes, np.int64)], self.kinds, self.title, versions)

    @classmethod
    def joined(cls, tables: Sequence[FeatureTable | None]) -> FeatureTable | None:
        """The rows of one table after those of the other, as vocabularies are put one behind the other; None where one is lacking. Without versions."""
        known = [table for table in tables if table is not None]
        if not known or len(known) < len(tables):
            return None
        return cls(pl.concat([table.frame for table in known]), known[0].kinds, known[0].title)

    def at(self, time: int) -> FeatureTable:
        """The table as of a time, in the unit of the log's times: what began later is unknown. The same table where no versions were kept.

        Cost: a sort of the versions once, then a pass over them per time; a time that was asked for before costs nothing.
        """
        if self.versions is None or not (later := self.versions.since > time).any():
            return self
        if time not in self._asked:
            self._asked[time] = FeatureTable(
                self.versions.at(time, length=len(self.frame)), self.kinds, self.title, self.versions.select(~later)
            )
        return self._asked[time]

    @cached_property
    def _asked(self) -> dict[int, FeatureTable]:
        return {}

    def columns(self, kind: FeatureKind) -> list[str]:
        return [name for name, k in self.kinds.items() if k == kind]

    @cached_property
    def fingerprint(self) -> str:
        hashes = self.frame.hash_rows(seed=0).to_numpy()
        versions = "" if self.versions is None else self.versions.fingerprint
        return hashlib.sha256(hashes.tobytes() + repr(self.frame.schema).encode() + versions.encode()).hexdigest()[:16]


def table_ids(column: pl.Series) -> pl.Series:
    """The ids of a table that has each once, as text.

    Raises:
        DataError: one is empty, no id, or there twice.
    """
    ids = plain_ids(column)
    wrong = ids.is_null() | ids.is_duplicated() | (ids.str.strip_chars() == "")
    if wrong.any():
        shown = ", ".join(f"{at + 1} ({column[at]!r})" for at in wrong.arg_true().head(3))
        raise DataError(f"the column {column.name!r} must hold each id once and no empty ones. See rows {shown}; keep one row per id.")
    return ids


def plain_ids(column: pl.Series) -> pl.Series:
    """The ids of a table as text, null where one is empty.

    Raises:
        DataError: one is no id.
    """
    text, problems = id_text(column, column.name)
    for problem in problems:
        if problem.fault != IS_EMPTY and problem.mask.any():
            at = int(problem.mask.arg_max() or 0)
            raise DataError(f"the column {column.name!r} must {problem.must}, but {problem.fault} in row {at + 1} ({column[at]!r}).")
    return without_zero_fraction(text)


def as_kind(column: pl.Series, kind: FeatureKind | None) -> pl.Series:
    """The column in the type that its declared kind has; None leaves the type.

    Raises:
        DataError: it can't be read as numbers.

    >>> as_kind(pl.Series("genre", ["war|drama", None]), "categories").to_list()
    [['war', 'drama'], None]
    """
    if kind == "categories" and not isinstance(column.dtype, pl.List):
        return column.cast(pl.String).str.split("|").list.eval(pl.element().str.strip_chars().filter(pl.element() != ""))
    if kind in ("category", "text") and column.dtype != pl.String:
        return column.list.join(" ") if isinstance(column.dtype, pl.List) else column.cast(pl.String)
    if kind == "number" or (kind is None and column.dtype.is_float()):
        numbers = column.cast(pl.Float64, strict=False).fill_nan(None)
        wrong = (numbers.is_infinite() | (numbers.is_null() & column.is_not_null() & (column.cast(pl.String) != "NaN"))).fill_null(
            value=False
        )
        if wrong.any():
            raise DataError(f"the column {column.name!r} must hold finite numbers. It holds {column.filter(wrong)[0]!r}.")
        return numbers
    return column


def guess_kind(column: pl.Series) -> FeatureKind | None:
    """List -> categories; number -> number; text with many words or mostly distinct -> text; other text -> category."""
    if isinstance(column.dtype, pl.List):
        return "categories"
    if column.dtype.is_numeric():
        return "number"
    if column.dtype == pl.String:
        known = column.drop_nulls()
        words = known.str.count_matches(r"\s+").mean() if len(known) else 0.0
        return "text" if isinstance(words, float) and words >= 1.5 and known.n_unique() > 0.2 * len(known) else "category"
    if column.dtype in (pl.Categorical, pl.Boolean) or isinstance(column.dtype, pl.Enum):
        return "category"
    return None
