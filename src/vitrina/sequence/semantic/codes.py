"""Semantic codes: a few small numbers that say what an item is, the first one coarse, each further one finer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.quality import CodeQuality, quality_of
from vitrina.types import Bool, Int32, Int64
from vitrina.vocabulary import Vocabulary, id_hashes

UNKNOWN = -1  # in every digit of an item without a code


@final
@dataclass(frozen=True, eq=False, repr=False)
class SemanticCodes:
    """Codes of items: digit d of item i is `codes[i, d]`, one of `sizes[d]`; -1 in every digit of an item that has no code.

    They come from a coder, `vt.sequence.ResidualKMeans(...).fit(data)`, or are given: `SemanticCodes.of_table`. `vt.save` keeps them.

    Args:
        vocabulary: of the items, a row each.
        codes: (items, digits).
        sizes: how many values each digit has.
        made: what made them, in words.
        coder: what gives codes to further vectors, where it is known.

    Raises:
        DataError: the shapes don't go together, a code is outside its size, or a row is known in part.

    >>> from vitrina.vocabulary import Vocabulary
    >>> codes = SemanticCodes(Vocabulary.of(["tea", "mate", "milk"]), np.array([[0, 1], [0, 1], [1, 0]], np.int32), (2, 2))
    >>> codes
    SemanticCodes(3 of 3 items, 2 digits of 2, 2)
    >>> codes.distinct.codes.shape, codes.distinct.sizes
    ((3, 3), (2, 2, 2))
    """

    vocabulary: Vocabulary
    codes: Int32  # (items, digits)
    sizes: tuple[int, ...]
    made: str = "given"
    coder: FittedCoder | None = None

    def __post_init__(self) -> None:
        wanted = (len(self.vocabulary), len(self.sizes))
        if self.codes.shape != wanted or not self.sizes:
            raise DataError(
                f"The codes must be a row per item and a digit per size, {wanted} with 1 digit or more. Got {self.codes.shape}."
            )
        missing, sizes = self.codes < 0, np.array(self.sizes)
        outside = (self.codes < UNKNOWN) | (self.codes >= sizes) | (missing & ~missing.all(axis=1, keepdims=True))
        if outside.any():
            item = int(outside.any(axis=1).argmax())
            raise DataError(
                f"The digits of a code are from 0 to {', '.join(str(size - 1) for size in self.sizes)}, or all -1 where an item has no code. "
                f"Got {self.codes[item].tolist()} for the item {self.vocabulary.ids[item]!r}."
            )

    @classmethod
    def of_table(
        cls, table: pl.DataFrame | str | Path, *, item: str, column: str, sizes: Sequence[int] | None = None, made: str | None = None
    ) -> SemanticCodes:
        """Codes that somebody else made.

        Args:
            table: a row per item, or a Parquet file with it.
            item: the column of ids.
            column: the column of codes, lists of whole numbers from 0, all of one length; null for an item without a code.
            sizes: how many values each digit has; None takes one more than the largest that is there.
            made: what made them, in words; None says that they were given.

        Raises:
            DataError: a column is missing or holds something else, or an id is there twice.

        >>> table = pl.DataFrame({"sku": ["tea", "milk"], "code": [[0, 2], [1, 0]]})
        >>> SemanticCodes.of_table(table, item="sku", column="code").sizes
        (2, 3)
        """
        frame = table if isinstance(table, pl.DataFrame) else _read(Path(table))
        missing = [name for name in (item, column) if name not in frame.columns]
        if missing:
            raise DataError(f"The table of codes has no column {missing[0]!r}. Its columns: {', '.join(frame.columns)}.")
        ids, digits = frame[item], _digits(frame[column])
        vocabulary = Vocabulary.of(ids)
        if len(vocabulary) != len(ids):
            raise DataError(
                f"The column {item!r} of the table of codes must hold each id once. {len(ids) - len(vocabulary):,} are there again."
            )
        largest = digits.max(axis=0, initial=0) + 1
        return cls(vocabulary, digits, tuple(largest.tolist() if sizes is None else sizes), made or f"given in the column {column!r}")

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        made = "" if self.made == "given" else f", {self.made}"
        return f"SemanticCodes({int(self.known.sum()):,} of {len(self):,} items, {len(self.sizes)} digits of {sizes}{made})"

    def __len__(self) -> int:
        return len(self.vocabulary)

    @cached_property
    def known(self) -> Bool:
        """(items,) whether an item has a code."""
        return self.codes[:, 0] >= 0

    def prefixes(self, digits: int | None = None) -> Int64:
        """(items,) a number for each of the first `digits` together (None: all), from 0 in the order of the codes; -1 for items without a code."""
        keys = self.codes[self.known, :digits]
        out = np.full(len(self), UNKNOWN, np.int64)
        out[self.known] = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        return out

    @cached_property
    def distinct(self) -> SemanticCodes:
        """The same with one more digit, so that each item has a code of its own; the same codes where they have that already.

        Items that share a code are counted in an order of their ids, which is no order of the log.
        """
        group = self.prefixes()
        order = np.lexsort((id_hashes(self.vocabulary), group))
        order = order[self.known[order]]
        first = np.searchsorted(group[order], group[order])
        more = np.full(len(self), UNKNOWN, np.int32)
        more[order] = np.arange(len(order)) - first
        size = int(more.max(initial=0)) + 1
        if size == 1:
            return self
        return replace(self, codes=np.column_stack([self.codes, more]), sizes=(*self.sizes, size))

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per item that has a code: `item` and `code`, a list."""
        return pl.DataFrame({"item": self.vocabulary.ids.filter(self.known), "code": pl.Series(self.codes[self.known].tolist())})

    def of(self, vocabulary: Vocabulary) -> SemanticCodes:
        """The rows of another log's items, matched by id; items that have no code here have none there."""
        if vocabulary is self.vocabulary:
            return self
        at = self.vocabulary.encode(vocabulary.ids)
        codes = np.where(at[:, None] >= 0, self.codes[at], UNKNOWN) if len(self) else np.full((len(vocabulary), len(self.sizes)), UNKNOWN)
        return replace(self, vocabulary=vocabulary, codes=codes.astype(np.int32))

    def quality(
        self, item_table: FeatureTable | None = None, *, columns: Sequence[str] | None = None, confidence: float = 0.95, seed: int = 0
    ) -> CodeQuality:
        """Collisions, the use of each codebook, and how far items with the same first digits are alike.

        Args:
            item_table: what the items are, a row each: `data.item_table`. None leaves the likeness out.
            columns: columns of categories to compare items by; None takes all in which items share values: others are names.
            confidence: of the intervals of the likeness, which are over groups of items.
            seed: of the pairs of items that are drawn.

        Raises:
            DataError: no item has a code, or the table hasn't these columns or other rows.

        >>> import vitrina as vt
        >>> data = vt.testing.toy()
        >>> codes = vt.sequence.ResidualKMeans(sizes=(2, 2), vectors=vt.similarity.OfContent(dim=3)).fit(data)
        >>> codes.quality().table.select("digits", "groups", "largest").rows()
        [(1, 2, 3), (2, 3, 2)]
        """
        return quality_of(self, item_table, columns, confidence, seed)

    def state(self) -> State:
        children: dict[str, Any] = {} if self.coder is None else {"coder": self.coder}
        return State({"sizes": self.sizes, "made": self.made}, {"codes": self.codes}, children=children)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, _catalogue: Catalogue | None = None) -> SemanticCodes:
        config = state.config
        return cls(vocabulary, state.arrays["codes"], tuple(config["sizes"]), config["made"], state.children.get("coder"))


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The table of codes {path} can't be read: {error}. Name a Parquet file with ids and lists of whole numbers."
        ) from error


def _digits(column: pl.Series) -> Int32:
    """(rows, digits) of lists of one length; -1 for null."""
    inner = getattr(column.dtype, "inner", None)
    if inner is None or not inner.is_integer():
        raise DataError(f"The column {column.name!r} must hold lists of whole numbers, a code per item. It holds {column.dtype}.")
    lists = column.cast(pl.List(pl.Int64))
    lengths = lists.drop_nulls().list.len().unique().sort().to_list()
    if len(lengths) != 1 or lengths == [0]:
        raise DataError(f"The codes in the column {column.name!r} must all have the same number of digits, 1 or more. Got {lengths}.")
    known, values = lists.is_not_null().to_numpy(), lists.drop_nulls().explode()
    smallest = UNKNOWN if values.null_count() else int(values.to_numpy().min())
    if smallest < 0:
        raise DataError(f"The codes in the column {column.name!r} must be whole numbers from 0, none of them missing. Got {smallest}.")
    out = np.full((len(lists), lengths[0]), UNKNOWN, np.int32)
    out[known] = values.to_numpy().reshape(-1, lengths[0])
    return out
