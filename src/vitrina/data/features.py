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

from vitrina.errors import DataError
from vitrina.vocabulary import Vocabulary

FeatureKind = Literal["category", "categories", "number", "text"]
TITLE_NAMES = ("title", "name", "item_name", "product_name", "description")


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Typed features of items or users; codes without a row have nulls.

    Args:
        frame: one row a code, in the order of the vocabulary; no id column.
        kinds: the kind of each column that models may use.
        title: the column to show to people, if there is one.
    """

    frame: pl.DataFrame
    kinds: Mapping[str, FeatureKind]
    title: str | None = None

    @classmethod
    def of(cls, table: pl.DataFrame, id_column: str, vocabulary: Vocabulary, *, kinds: Mapping[str, FeatureKind] | None = None, title: str | None = None) -> FeatureTable:  # fmt: skip
        """Align `table` with `vocabulary`; kinds are guessed from the types where not given.

        Raises:
            DataError: the id column is missing, holds nulls or repeats an id.
        """
        if id_column not in table.columns:
            raise DataError(f"The table has no column {id_column!r}. Its columns: {', '.join(table.columns)}.")
        ids = table[id_column]
        if ids.null_count() or ids.is_duplicated().any():
            rows = (ids.is_null() | ids.is_duplicated()).arg_true().head(3) + 1
            raise DataError(f"The column {id_column!r} of the table must hold each id once and no nulls. See rows {rows.to_list()}.")
        known = vocabulary.encode(ids)
        place = np.full(len(vocabulary), -1, np.int64)
        place[known[known >= 0]] = np.flatnonzero(known >= 0)
        index = pl.Series(place).replace(-1, None)
        frame = table.drop(id_column).select(pl.all().gather(index.cast(pl.UInt32)))
        chosen = {c: guess_kind(frame[c]) for c in frame.columns} | dict(kinds or {})
        title = title or next((c for n in TITLE_NAMES for c in frame.columns if c.lower() == n), None)
        return cls(frame, {c: k for c, k in chosen.items() if k is not None}, title)

    def titles(self, codes: NDArray[Any]) -> Sequence[str | None]:
        if self.title is None:
            return [None] * len(codes)
        return self.frame[self.title].cast(pl.String).gather(np.asarray(codes, np.uint32)).to_list()

    def columns(self, kind: FeatureKind) -> list[str]:
        return [name for name, k in self.kinds.items() if k == kind]

    @cached_property
    def fingerprint(self) -> str:
        hashes = self.frame.hash_rows(seed=0).to_numpy()
        return hashlib.sha256(hashes.tobytes() + repr(self.frame.schema).encode()).hexdigest()[:16]


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
