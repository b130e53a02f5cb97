"""Titles that stand in the log itself: the first one of each item."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from vitrina.data.features import FeatureTable
from vitrina.types import Int32
from vitrina.vocabulary import Vocabulary


@dataclass
class LogTitles:
    """Titles gathered chunk by chunk; of several titles of one item the first is shown.

    >>> titles = LogTitles("name")
    >>> titles.take([0, 1, 0], pl.Series(["Green tea", " ", "Tea"]))
    >>> titles.table(Vocabulary.of(["tea", "jam"])).titles([0, 1]), titles.note()
    (['Green tea', None], "1 item has more than one 'name' in the log: the first is shown.")
    """

    column: str
    pairs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"code": pl.Int32, "title": pl.String}))  # distinct, in order

    def take(self, items: Int32, titles: pl.Series) -> None:
        """The titles of some events, one each."""
        text = titles.cast(pl.String).str.strip_chars()
        new = pl.DataFrame({"code": pl.Series(items, dtype=pl.Int32), "title": text}).filter(pl.col("title") != "")
        self.pairs = pl.concat([self.pairs, new.unique(maintain_order=True)]).unique(maintain_order=True)

    def table(self, items: Vocabulary) -> FeatureTable:
        """A table of items that has the titles alone."""
        first = self.pairs.unique("code", keep="first", maintain_order=True)
        named = pl.DataFrame({"id": items.decode(first["code"].to_numpy()), self.column: first["title"]})
        return FeatureTable.of(named.rename({"id": "item id"}), "item id", items, title=self.column)

    def note(self) -> str:
        """A word on items with several titles; empty where there is none."""
        count = int((self.pairs["code"].value_counts()["count"] > 1).sum())
        several = "1 item has" if count == 1 else f"{count:,} items have"
        return f"{several} more than one {self.column!r} in the log: the first is shown." if count else ""
