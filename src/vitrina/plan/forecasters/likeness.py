"""Which items are like which, by the columns of their table: categories from narrow to wide, words, vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.catalogue import unit_rows
from vitrina.data.features import guess_kind
from vitrina.types import Bool, Int64

WORD = r"[\p{L}\p{N}]{2,}"


def likes_of(table: pl.DataFrame | None, by: Sequence[str], new: Int64, known: Int64, peers: int) -> Bool:
    """(new, known) whether a known item is a like of a new one.

    The first column that gives `peers` likes decides: a category those with the same value, words and vectors the `peers` nearest by the cosine (of words: of
    their counts, a word weighs log(items / items with it)). Where none does, all known items are likes.

    Args:
        table: of the items.
        by: columns of it.
        new: codes.
        known: codes.
        peers: how many likes are enough.

    Raises:
        UnknownNameError: there is no such column.
        DataError: a column has neither categories, words nor vectors.
    """
    likes, open_ = np.zeros((len(new), len(known)), bool), np.ones(len(new), bool)
    if by and table is None:
        raise ParameterError(
            f"Likes by {', '.join(by)} need a table of items, and the demand has none. Read it with items=, or leave 'by' empty."
        )
    for name in by:
        assert table is not None
        if name not in table.columns:
            raise UnknownNameError.of("column of the table of items", name, table.columns)
        found = _of_column(table[name], new[open_], known, peers)
        enough = found.sum(axis=1) >= peers
        at = np.flatnonzero(open_)[enough]
        likes[at], open_[at] = found[enough], False
    likes[open_] = True
    return likes


def _of_column(column: pl.Series, new: Int64, known: Int64, peers: int) -> Bool:
    if isinstance(column.dtype, (pl.List, pl.Array)) and column.dtype.inner.is_numeric():
        return _nearest(_vectors(column.gather(new), column), _vectors(column.gather(known), column), peers)
    if column.dtype == pl.String and guess_kind(column) == "text":
        counts = _words(column.gather(np.concatenate([new, known])))
        return _nearest(counts[: len(new)], counts[len(new) :], peers)
    if isinstance(column.dtype, pl.List) or column.dtype.is_float():
        raise DataError(f"Likes go by categories, words or vectors. The column {column.name!r} holds {column.dtype}.")
    _, codes = np.unique(column.cast(pl.String).fill_null("").to_numpy(), return_inverse=True)
    empty = column.is_null().to_numpy()
    return (codes[new][:, None] == codes[known][None, :]) & ~empty[new][:, None]


def _vectors(rows: pl.Series, column: pl.Series) -> sparse.csr_matrix:
    """Rows of length 1; zeros where there is no vector."""
    lists = rows.cast(pl.List(pl.Float64))
    width = max((len(vector) for vector in column.drop_nulls()), default=0)
    dense = np.array([vector if vector is not None and len(vector) == width else [0.0] * width for vector in lists.to_list()], np.float32)
    return sparse.csr_matrix(unit_rows(dense.reshape(len(rows), width)))


def _words(texts: pl.Series) -> sparse.csr_matrix:
    """(texts, words) counts times log(texts / texts with the word), rows of length 1."""
    frame = (
        texts.to_frame("text").with_row_index("row").select("row", pl.col("text").str.to_lowercase().str.extract_all(WORD).alias("word"))
    )
    pairs = frame.explode("word").drop_nulls().group_by("row", "word").len().sort("row", "word")
    _, code = np.unique(pairs["word"].to_numpy(), return_inverse=True)
    rare = np.log(len(texts) / np.maximum(np.bincount(code), 1)) if len(code) else np.empty(0)
    values = pairs["len"].to_numpy() * rare[code] if len(code) else np.empty(0)
    matrix = sparse.csr_matrix((values, (pairs["row"].to_numpy(), code)), shape=(len(texts), max(len(rare), 1)))
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.where(norms > 0, norms, 1)) @ matrix)


def _nearest(new: sparse.csr_matrix, known: sparse.csr_matrix, peers: int) -> Bool:
    """The nearest of cosine above 0, ties to the lower place."""
    rows, columns = len(new.indptr) - 1, len(known.indptr) - 1
    found = np.zeros((rows, columns), bool)
    for row in range(rows):
        cosine = (new[row] @ known.T).toarray().ravel()
        best = np.argsort(-cosine, kind="stable")[:peers]
        found[row, best[cosine[best] > 0]] = True
    return found
