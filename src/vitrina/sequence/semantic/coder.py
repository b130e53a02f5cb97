"""What a coder is: a config that gives the items of a log their codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.config import Config
from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.rerank.similarity import ItemVectors, OfContent
from vitrina.sequence.semantic.coded import FittedCoder
from vitrina.sequence.semantic.codes import UNKNOWN, SemanticCodes
from vitrina.types import Bool, Float32
from vitrina.vocabulary import id_hashes


class Coder(Config, ABC):
    """A way to give items semantic codes."""

    @abstractmethod
    def fit(self, data: Dataset, vectors: Float32 | None = None) -> SemanticCodes:
        """The codes of the items of `data`, a row per item of its vocabulary.

        Args:
            data: the log; read for its items and what describes them.
            vectors: (items, dim) to make codes of; zeros for an item that gets none. None takes those that the coder makes itself.

        Raises:
            DataError: the log lacks what the coder reads, or the vectors are not a row per item.
        """

    @abstractmethod
    def covers(self, data: Dataset) -> Bool:
        """(items,) the items that `fit` gives a code."""


class VectorCoder(Coder, ABC):
    """A coder that makes codes of vectors.

    Args:
        vectors: where they come from.
        seed: of what is drawn.
    """

    vectors: ItemVectors = OfContent(dim=128)
    seed: int = Field(default=0, ge=0)

    @abstractmethod
    def learn(self, vectors: Float32) -> FittedCoder:
        """Codebooks of vectors (n, dim)."""

    def fit(self, data: Dataset, vectors: Float32 | None = None) -> SemanticCodes:
        """The codes of the items of `data`; items with a vector of zeros have none. See `Coder.fit`.

        The coder looks at the items in an order of their ids, so that a log with the same items in another order gets the same codes.
        """
        dense = self._dense(data) if vectors is None else np.asarray(vectors, np.float32)
        if dense.ndim != 2 or len(dense) != data.n_items or not np.isfinite(dense).all():
            raise DataError(
                f"The vectors of items must be {data.n_items:,} rows of finite numbers, one per item of {data!r}. Got {dense.shape}."
            )
        order = np.argsort(id_hashes(data.items), kind="stable")
        order = order[(dense[order] != 0).any(axis=1)]
        if not len(order):
            raise DataError(f"{type(self).__name__} needs items with vectors, and all {data.n_items:,} of {data!r} are zeros.")
        learned = self.learn(dense[order])
        codes = np.full((data.n_items, len(learned.sizes)), UNKNOWN, np.int32)
        codes[order] = learned.encode(dense[order])
        made = f"{self!r}" if vectors is None else f"{type(self).__name__} of given vectors"
        return SemanticCodes(data.items, codes, learned.sizes, made, learned)

    def covers(self, data: Dataset) -> Bool:
        made = self.vectors.vectors(data)
        return np.diff(made.indptr) > 0 if isinstance(made, sparse.csr_matrix) else (made != 0).any(axis=1)

    def _dense(self, data: Dataset) -> Float32:
        made = self.vectors.vectors(data)
        return made.toarray() if isinstance(made, sparse.csr_matrix) else made
