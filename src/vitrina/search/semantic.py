"""The source that finds items by what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.state import State, Stateful
from vitrina.catalogue import Catalogue
from vitrina.forms.vectors import Vectors
from vitrina.retrieve.products import ItemVectors, Products
from vitrina.search.vector_table import VectorTable
from vitrina.types import Float32, Queries
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class Semantic(Vectors):
    """Items whose vectors are nearest to that of what was typed: the cosine. `vt.search.ItemIndex.semantic` makes one.

    Every item with a vector has a score, so a list is short only where too few are eligible; it is empty where nothing was typed.

    Args:
        table: the vectors of the items.
        encoder: of what is typed.

    Cost: that of the encoder, and all products: the memory of the vectors is read once for a block of queries.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    table: VectorTable
    encoder: Any

    @property
    def item_vectors(self) -> Float32:
        """(items, dim) rows of length 1, or zeros."""
        return self._whole

    @cached_property
    def _whole(self) -> Float32:
        return self.table.whole(len(self.vocabulary))

    @cached_property
    def table_of_items(self) -> ItemVectors:
        return self.table.items(len(self.vocabulary))

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) of what was typed, of length 1; zeros where nothing was."""
        if queries.texts is None:
            return np.zeros((len(queries), self.table.dim), np.float32)
        return self.encoder.encode(queries.texts.cast(pl.String))

    def products(self, queries: Queries) -> Products:
        return Products.of(self.encode(queries), self.table_of_items)

    def state(self) -> State:
        own = self.table.state(len(self.vocabulary))
        learned = isinstance(self.encoder, Stateful)
        config = own.config if learned else {**own.config, "encoder": self.encoder}
        return State(config, own.arrays, own.files, {"encoder": self.encoder} if learned else {})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Semantic:
        return cls(vocabulary, catalogue, VectorTable.of_state(state), state.children.get("encoder") or state.config["encoder"])
