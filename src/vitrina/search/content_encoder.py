"""An encoder that is learned from the shop's own descriptions: no network, no package, any language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse.linalg import svds

from vitrina.base.arrays import Float32
from vitrina.base.errors import DataError
from vitrina.base.hashing import IdTable
from vitrina.base.state import State
from vitrina.search.analysis import TextAnalysis
from vitrina.search.encoder import encoded


@final
@dataclass(frozen=True, eq=False)
class ContentEncoder:
    """Latent semantic analysis ([Deerwester et al. 1990](https://doi.org/10.1002/(SICI)1097-4571(199009)41:6%3C391::AID-ASI1%3E3.0.CO;2-9)): words that stand in the same descriptions get vectors that are alike.

    vector(text) = f(text) V, brought to length 1, with f(text) the TF-IDF of its terms, as `vt.ContentSimilarity` weighs them, and V the first right singular
    vectors of the matrix of the descriptions.

    Args:
        analysis: how a text becomes terms.
        names: (terms,) that were in a description.
        rarity: (terms,) 1 + log((1 + texts) / (1 + texts with the term)).
        directions: (terms, dim)

    >>> texts = pl.Series(["red shoe", "red boot", "milk", "milk tea"])
    >>> encoder = ContentEncoder.of(texts, dim=2)
    >>> vectors = encoder.encode(pl.Series(["shoes", "boots", "tea"]))
    >>> np.abs(vectors @ vectors.T).round(2).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    analysis: TextAnalysis
    names: pl.Series
    rarity: Float32
    directions: Float32

    @classmethod
    def of(cls, texts: pl.Series, dim: int = 128, analysis: TextAnalysis | None = None, seed: int = 0) -> ContentEncoder:
        """Learned from descriptions.

        Raises:
            DataError: there are too few different words for so many numbers.

        Cost: the words, and some dozens of products of their matrix and a vector per number.
        """
        analysis = TextAnalysis() if analysis is None else analysis
        rows, names = analysis.texts(texts)
        counts = sparse.csr_matrix((np.ones(len(rows.values), np.float64), rows.values, rows.indptr), shape=(len(texts), len(names)))
        counts.sum_duplicates()
        if dim >= min(len(texts), len(names)):
            raise DataError(
                f"A ContentEncoder of {dim} numbers needs more texts and more words than that. There are {len(texts):,} texts and {len(names):,} words: take a smaller 'dim'."
            )
        with_term = np.bincount(counts.indices, minlength=len(names))
        rarity = (1 + np.log((1 + len(texts)) / (1 + with_term))).astype(np.float32)
        weighted = _unit(counts.multiply(rarity[None, :]).tocsr())
        start = np.random.default_rng(seed).standard_normal(min(len(texts), len(names)))
        _, sizes, directions = svds(weighted, k=dim, v0=start)
        order = np.argsort(-sizes)
        return cls(analysis, names, rarity, np.ascontiguousarray(np.asarray(directions)[order].T, np.float32))

    @property
    def dim(self) -> int:
        return self.directions.shape[1]

    @cached_property
    def _table(self) -> IdTable:
        table = IdTable()
        table.add(self.names)
        return table

    def encode(self, texts: pl.Series) -> Float32:
        """(texts, dim) of each text; zeros where no word is known."""
        return encoded(texts, self.dim, self._vectors)

    def _vectors(self, texts: list[str]) -> Float32:
        rows, names = self.analysis.texts(pl.Series(texts, dtype=pl.String))
        number = self._table.look_up(names)
        known = rows.keep(number[rows.values] >= 0)
        terms = number[known.values]
        weighted = sparse.csr_matrix((self.rarity[terms], terms, known.indptr), shape=(len(texts), len(self.names)))
        return np.asarray(weighted @ self.directions, np.float32)

    def state(self) -> State:
        """What an artifact keeps of it."""
        return State(
            {"analysis": self.analysis},
            {"rarity": self.rarity, "directions": self.directions},
            {"terms": pl.DataFrame({"term": self.names})},
        )

    @classmethod
    def of_state(cls, state: State) -> ContentEncoder:
        """The inverse of `state`."""
        return cls(state.config["analysis"], state.table("terms")["term"], state.arrays["rarity"], state.arrays["directions"])


def _unit(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of length 1, or of zeros."""
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags_array(1 / np.sqrt(np.where(squares > 0, squares, 1))) @ rows)
