"""Items as TF-IDF vectors of their text and categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import polars as pl
from pydantic import Field
from scipy import sparse
from scipy.sparse.linalg import svds

from vitrina.base.config import Config, Names
from vitrina.base.errors import DataError
from vitrina.catalogue import unit_rows
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.types import Float32

DESCRIBING = ("category", "categories", "text")


@final
class Content(Config):
    """How much the likeness of two items' descriptions adds to the weight between them: weight * cosine of their TF-IDF vectors.

    Args:
        weight: what a pair of items with equal descriptions gets.
        columns: columns of the item table; None takes every column of text or categories, and the title.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.Cooccurrence(content=vt.Content(weight=0.3, columns=("aisle",))).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    weight: float = Field(default=0.3, gt=0)
    columns: Names | None = None

    def vectors(self, data: Dataset) -> sparse.csr_matrix:
        """(items, terms) float32 vectors of the items of `data`.

        Raises:
            DataError: the log has no item table, or the table hasn't these columns.
        """
        if data.item_table is None:
            raise DataError(f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=..., or leave content out.")
        return item_tfidf(data.item_table, self.columns)


def item_tfidf(table: FeatureTable, columns: Sequence[str] | None = None) -> sparse.csr_matrix:
    """TF-IDF of the words and categories of each item, rows of length 1 (or 0 where an item has no description).

    entry[i, t] = count of t in the description of i * (1 + log((1 + items) / (1 + items with t))), the smooth form of
    [scikit-learn](https://scikit-learn.org/stable/modules/feature_extraction.html#tfidf-term-weighting). A term is a
    lower-case word of a text column (of two characters or more), or a value of a category column; the same word in two
    columns makes two terms.

    Args:
        table: the item table of a Dataset.
        columns: which columns; None takes those of text or categories and the title.
    Returns:
        (items, terms) float32, indices sorted.
    Raises:
        DataError: a column is missing or holds numbers, or there is none to take.

    Cost: the number of words.

    >>> import vitrina as vt
    >>> item_tfidf(vt.testing.toy().item_table, ["title"]).shape
    (4, 8)
    """
    chosen = list(columns) if columns is not None else [c for c in table.frame.columns if _describes(table, c)]
    wrong = [c for c in chosen if not _describes(table, c)]
    if wrong or not chosen:
        usable = ", ".join(c for c in table.frame.columns if _describes(table, c)) or "none"
        asked = f"Got {', '.join(wrong)}." if wrong else "There is none."
        raise DataError(f"The content of items must be columns of text or categories of the item table ({usable}). {asked}")
    entries = pl.concat([_terms(table, name) for name in chosen]).group_by("item", "term").len("count")
    vocabulary = entries.select("term").unique().sort("term").with_row_index("code")
    entries = entries.join(vocabulary, on="term").sort("item", "code")
    return _tfidf(entries, (len(table.frame), len(vocabulary)))


def is_described(data: Dataset) -> bool:
    """Whether a column of the item table describes the items, by text or categories."""
    table = data.item_table
    return table is not None and any(_describes(table, c) for c in table.frame.columns)


def _describes(table: FeatureTable, column: str) -> bool:
    return column in table.frame.columns and (table.kinds.get(column) in DESCRIBING or column == table.title)


def _terms(table: FeatureTable, column: str) -> pl.DataFrame:
    """One row for each occurrence of a term: item (row of the table), term."""
    values = table.frame[column]
    if column == table.title or table.kinds.get(column) == "text":
        values = values.cast(pl.String).str.to_lowercase().str.extract_all(r"\w\w+")
    elif not isinstance(values.dtype, pl.List):
        values = values.cast(pl.String)
    frame = pl.DataFrame({"item": np.arange(len(values), dtype=np.uint32), "term": values})
    if isinstance(values.dtype, pl.List):
        frame = frame.explode("term")
    return frame.drop_nulls().with_columns(term=pl.lit(f"{column}=") + pl.col("term").cast(pl.String))


def _tfidf(entries: pl.DataFrame, shape: tuple[int, int]) -> sparse.csr_matrix:
    rows, terms = entries["item"].to_numpy().astype(np.int64), entries["code"].to_numpy().astype(np.int64)
    frequency = np.bincount(terms, minlength=shape[1])
    values = entries["count"].to_numpy() * (1 + np.log((1 + shape[0]) / (1 + frequency[terms])))
    norms = np.sqrt(np.bincount(rows, values**2, minlength=shape[0]))
    indptr = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=shape[0]), out=indptr[1:])
    return sparse.csr_matrix(((values / norms[rows]).astype(np.float32), terms.astype(np.int32), indptr), shape=shape)


def likeness(data: Dataset, dim: int = 64) -> Float32 | None:
    """(items, dim) vectors whose products say how alike the descriptions of two items are; None where nothing describes them.

    U S of the truncated singular value decomposition of `item_tfidf`, rows of length 1.

    >>> import vitrina as vt
    >>> likeness(vt.testing.toy(), dim=2).shape
    (4, 2)
    """
    table = data.item_table
    if table is None or not is_described(data):
        return None
    terms = item_tfidf(table)
    smaller = min(len(terms.indptr) - 1, int(terms.indices.max(initial=0)) + 1)
    dim = min(dim, smaller - 1)
    if dim < 1:
        return None
    left, sizes, _ = svds(terms.astype(np.float64), k=dim, v0=np.random.default_rng(0).standard_normal(min(terms.get_shape())))
    return unit_rows((left * sizes).astype(np.float32))
