"""Where the vectors come from that say how alike two items are. Public as `vt.similarity`.

Likeness is the cosine of two vectors: 1 for items that are described alike, taken by the same people, or close in a model; 0 for nothing in common.
An item of which nothing is known has a vector of zeros, and is like no other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np
import polars as pl
from pydantic import Field
from scipy import sparse

from vitrina.base.config import Config, Names
from vitrina.base.errors import DataError, ParameterError
from vitrina.catalogue import unit_rows
from vitrina.data.dataset import Dataset
from vitrina.forms.matrices import columns_of
from vitrina.models.content_vectors import is_described, item_tfidf
from vitrina.types import Float32
from vitrina.vocabulary import id_hashes

__all__ = ["ItemVectors", "OfCategories", "OfContent", "OfInteractions", "OfModel", "chosen_vectors"]

OVERSAMPLED, POWERS = 16, 4  # directions that are thrown away, and iterations: how near the projections come to the decomposition
Vectors = sparse.csr_matrix | Float32


class ItemVectors(Config, ABC):
    """A source of item vectors."""

    @abstractmethod
    def vectors(self, data: Dataset, recommender: Any = None) -> Vectors:
        """(items, dim) float32 vectors of the items of `data`, rows of length 1, or of zeros where nothing is known of the item.

        Args:
            data: the log that is fitted on.
            recommender: the fitted model whose lists are ranked again, where there is one.

        Raises:
            DataError: the log doesn't hold what the vectors are made of.
            ParameterError: the model has no vectors.
        """


def chosen_vectors(source: ItemVectors | None, data: Dataset, recommender: Any = None) -> Vectors:
    """The vectors of `source`; of None, those of content where items are described, and those of the interactions otherwise.

    >>> import vitrina as vt
    >>> chosen_vectors(None, vt.testing.toy()).shape
    (4, 12)
    """
    source = source or (OfContent() if is_described(data) else OfInteractions())
    return source.vectors(data, recommender)


@final
class OfContent(ItemVectors):
    """The words and categories of the item table: their TF-IDF, brought down to `dim` by a singular value decomposition.

    Items described in like words are alike, even where they share none. More dimensions tell finer differences apart.

    Args:
        columns: columns of the item table; None takes those of text or categories and the title.
        dim: length of the vectors, at most.

    Cost: fit needs the entries of the (items, terms) matrix x dim, a few times.

    >>> import vitrina as vt
    >>> vt.similarity.OfContent(dim=2).vectors(vt.testing.toy()).shape
    (4, 2)
    """

    columns: Names | None = None
    dim: int = Field(default=64, ge=1)

    def vectors(self, data: Dataset, recommender: Any = None) -> Vectors:
        if data.item_table is None or not is_described(data):
            raise DataError(
                f"{self!r} needs a table that describes items by text or categories, and {data!r} has none. Read the log with items=..., or "
                "take vt.similarity.OfInteractions(), which needs none."
            )

        return _brought_down(item_tfidf(data.item_table, self.columns), self.dim, data)


@final
class OfCategories(ItemVectors):
    """The categories of the item table: how alike two items are is the cosine of what they are filed under, 1 for the same and 0 for nothing shared.

    Args:
        columns: columns of kind category or categories; None takes all of them.

    >>> import vitrina as vt
    >>> vectors = vt.similarity.OfCategories(columns=("aisle",)).vectors(vt.testing.toy())
    >>> (vectors @ vectors.T).toarray()[0].tolist()  # four goods of four aisles
    [1.0, 0.0, 0.0, 0.0]
    """

    columns: Names | None = None

    def vectors(self, data: Dataset, recommender: Any = None) -> Vectors:
        members = self.members(data)
        return _unit(members)

    def members(self, data: Dataset) -> sparse.csr_matrix:
        """(items, categories) float32 shares: those of an item are equal and add up to 1; none where the item has no category.

        Raises:
            DataError: the item table has no such column.
        """
        table = data.item_table
        usable = [] if table is None else [c for c in table.frame.columns if table.kinds.get(c) in ("category", "categories")]
        chosen = usable if self.columns is None else list(self.columns)
        wrong = [name for name in chosen if name not in usable]
        if table is None or wrong or not chosen:
            got = f"Got {', '.join(wrong)}." if wrong else "There is none."
            raise DataError(
                f"{self!r} needs columns of categories of the item table ({', '.join(usable) or 'none'}). {got} "
                "Read the log with items=..., where item_kinds={'genres': 'categories'} says the kind of a column."
            )
        return _shares(pl.concat([_named(table.frame[name]) for name in chosen]), len(table.frame))


@final
class OfInteractions(ItemVectors):
    """Who took an item: the people of each, brought down to `dim` by a singular value decomposition. Needs no table of items.

    With x_i the 0/1 vector of the people of item i, divided by its length, the vectors are U S of the matrix of the x_i: the product of two is close
    to the cosine co-occurrence of the items. Substitutes that nobody takes together are not alike here; their descriptions say so better.

    Args:
        dim: length of the vectors, at most.

    Cost: fit needs the distinct (user, item) pairs x dim, a few times.

    >>> import vitrina as vt
    >>> vt.similarity.OfInteractions(dim=2).vectors(vt.testing.toy()).shape
    (4, 2)
    """

    dim: int = Field(default=64, ge=1)

    def vectors(self, data: Dataset, recommender: Any = None) -> Vectors:
        if not data.in_memory:
            raise DataError(
                f"{self!r} reads a log as a whole, and {data!r} comes in shards, as it is larger than memory. Take vt.similarity.OfContent(), "
                "or OfModel() where the model has vectors; or fit on some of the people: fit(next(data.shards())) takes those of one shard."
            )
        return _brought_down(_unit(data.counted().csr().T.tocsr()), self.dim, data)


@final
class OfModel(ItemVectors):
    """The item vectors of the model whose lists are ranked again, of length 1: of a sequence model, or of `ContentSimilarity`.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.similarity.OfModel().vectors(data, vt.ContentSimilarity().fit(data)).shape
    (4, 12)
    """

    def vectors(self, data: Dataset, recommender: Any = None) -> Vectors:
        made = getattr(recommender, "item_vectors", None)
        if made is None:
            lacks = "it was fitted without one" if recommender is None else f"{type(recommender).__name__} has none"
            raise ParameterError(
                f"{self!r} takes the item vectors of the model inside vt.Reranked, and {lacks}. Sequence models and ContentSimilarity have some; "
                "for others take vt.similarity.OfInteractions(), or OfContent() where items are described."
            )
        if made.shape[0] != data.n_items:
            raise ParameterError(
                f"The model has vectors of {made.shape[0]:,} items, and the log {data.n_items:,}. Fit both on the same log."
            )
        return _unit(made) if sparse.issparse(made) else unit_rows(np.asarray(made, np.float32))


def _brought_down(rows: sparse.csr_matrix, dim: int, data: Dataset) -> Vectors:
    """(items, dim) U S of a truncated singular value decomposition of the rows, of length 1 or 0; the rows themselves where they are not longer.

    By random projections and power iterations ([Halko et al. 2011](https://doi.org/10.1137/090771806)) of the items in the order of their ids' hashes,
    from a fixed start: so the same log gives the same vectors, whatever the codes.
    """
    columns = columns_of(rows)
    if columns <= dim:
        return rows.toarray()
    order = np.argsort(id_hashes(data.items), kind="stable")
    wide = rows[order].astype(np.float64)
    basis = wide @ np.random.default_rng(0).standard_normal((columns, min(dim + OVERSAMPLED, *wide.get_shape())))
    for _ in range(POWERS):
        basis = np.linalg.qr(basis)[0]
        basis = wide @ (wide.T @ basis)
    basis = np.linalg.qr(basis)[0]
    left, sizes, _ = np.linalg.svd((wide.T @ basis).T, full_matrices=False)
    down = np.empty((len(order), min(dim, len(sizes))), np.float32)
    down[order] = unit_rows(((basis @ left) * sizes)[:, :dim].astype(np.float32))
    down[np.diff(rows.indptr) == 0] = 0  # rounding would make a direction of nothing
    return down


def _unit(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Sparse rows of length 1, indices sorted."""
    rows = sparse.csr_matrix(rows, dtype=np.float32, copy=True)
    rows.sort_indices()
    of_row = np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr))
    lengths = np.sqrt(np.bincount(of_row, rows.data.astype(np.float64) ** 2, len(rows.indptr) - 1))
    rows.data /= np.maximum(lengths, np.finfo(np.float32).tiny)[of_row].astype(np.float32)
    return rows


def _named(column: pl.Series) -> pl.DataFrame:
    """(item, aspect) of each category that an item has in a column."""
    frame = pl.DataFrame({"item": np.arange(len(column), dtype=np.uint32), "aspect": column})
    if isinstance(column.dtype, pl.List):
        frame = frame.explode("aspect")
    return frame.drop_nulls().with_columns(aspect=pl.lit(f"{column.name}=") + pl.col("aspect").cast(pl.String)).unique()


def _shares(named: pl.DataFrame, items: int) -> sparse.csr_matrix:
    aspects = named.select("aspect").unique().sort("aspect").with_row_index("code")
    pairs = named.join(aspects, on="aspect").sort("item", "code")
    rows = pairs["item"].to_numpy().astype(np.int64)
    counts = np.bincount(rows, minlength=items)
    indptr = np.append(0, np.cumsum(counts))
    values = (1 / counts[rows]).astype(np.float32)
    return sparse.csr_matrix((values, pairs["code"].to_numpy().astype(np.int32), indptr), shape=(items, len(aspects)))
