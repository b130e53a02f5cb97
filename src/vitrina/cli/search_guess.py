"""What a table of items seems to hold: which column has the ids, which ones people search in, and in which language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from vitrina.base.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 5000  # that are looked at
IDS = ("itemid", "item", "sku", "id", "productid", "docid", "product", "articleid", "article", "asin", "code", "gtin", "ean", "documentid")
TITLES = ("title", "name", "producttitle", "productname", "itemtitle", "itemname", "headline", "label", "название", "наименование")
TEXTS = (
    "description",
    "text",
    "body",
    "brand",
    "maker",
    "category",
    "producttype",
    "type",
    "keywords",
    "tags",
    "описание",
    "бренд",
    "категория",
)
TITLE_WEIGHT = 3
NEVER = r"(?i)^(https?://|www\.|\d{4}-\d\d-\d\d)"  # an address, a date


@dataclass(frozen=True)
class Guess:
    """Columns of a table of items.

    Args:
        id: of the ids.
        title: to show to people.
        columns: that are searched in, with their weights.
        language: of their texts.
    """

    id: str
    title: str | None
    columns: dict[str, int]
    language: tuple[str, ...]

    def __str__(self) -> str:
        weights = ", ".join(f"{name} {weight}" for name, weight in self.columns.items())
        return f"Ids are in {self.id!r}; searched in, with weights: {weights}; language: {', '.join(self.language)}."


def guess(table: pl.DataFrame, id: str | None = None, columns: Sequence[str] | None = None) -> Guess:
    """What the columns of a table are for, by their names and what they hold.

    Args:
        id, columns: where they are known.

    Raises:
        DataError: no column has each id once, or none has words; says what to name.

    >>> table = pl.DataFrame({"sku": ["1", "2"], "name": ["red shoes", "blue hat"], "url": ["http://a", "http://b"]})
    >>> guess(table)
    Guess(id='sku', title='name', columns={'name': 3}, language=('english',))
    """
    found = id or _id(table)
    part = table.head(ROWS)
    title = _first(part.columns, TITLES)
    texts = list(columns) if columns is not None else [name for name in part.columns if name != found and _is_text(part[name], name)]
    if not texts:
        raise DataError(
            f"No column of the table seems to have words. Name those that are searched in with --column. There are: {', '.join(table.columns)}."
        )
    title = title if title in table.columns and title != found else texts[0]
    texts = [name for name in texts if name == title] + [name for name in texts if name != title]
    return Guess(found, title, {name: TITLE_WEIGHT if name == title else 1 for name in texts}, _language(part, texts))


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _first(names: Sequence[str], usual: Sequence[str]) -> str | None:
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[name] for name in usual if name in plain), None)


def _id(table: pl.DataFrame) -> str:
    usual = _first(table.columns, IDS)
    for name in [*([usual] if usual else []), *table.columns]:
        column = table[name]
        if not (column.dtype.is_integer() or column.dtype == pl.String) or column.null_count() or column.is_duplicated().any():
            continue
        return name
    raise DataError(f"No column of the table has each id once. Name that of the ids with --id. There are: {', '.join(table.columns)}.")


def _is_text(column: pl.Series, name: str) -> bool:
    """Whether it has words: text or lists of it, usual names, or more than one word in most rows."""
    if isinstance(column.dtype, pl.List):
        return column.dtype.inner == pl.String
    if column.dtype != pl.String or column.null_count() == len(column):
        return False
    known = column.drop_nulls()
    if _share(known, NEVER) > 0.5 or _share(known, r"^[\d.,\s%-]*$") > 0.5:
        return False
    return _plain(name) in (*TITLES, *TEXTS) or _share(known, r"\pL+\s+\S*\pL") > 0.3


def _share(texts: pl.Series, pattern: str) -> float:
    """Of texts that have the pattern in them."""
    return int(texts.str.contains(pattern).sum()) / max(len(texts), 1)


def _language(table: pl.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    """English, or Russian and English where a tenth of the letters are Cyrillic."""
    letters = {kind: sum(int(table[name].cast(pl.String, strict=False).str.count_matches(kind).sum() or 0) for name in columns if table[name].dtype == pl.String) for kind in (r"\p{Cyrillic}", r"\pL")}  # fmt: skip
    return ("russian", "english") if letters[r"\p{Cyrillic}"] > 0.1 * letters[r"\pL"] else ("english",)
