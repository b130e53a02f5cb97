"""What forms share whose scores are products of two vectors: of a history and of an item."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.forms.similar import vector_cosines
from vitrina.retrieve.products import ItemVectors, Products, top_k_product
from vitrina.types import Bool, Eligibility, Float32, Int32, Queries, Ragged, Recommendations


@dataclass(frozen=True, eq=False, repr=False)
class Vectors(Form):
    """score = state of the history . vector of the item, and what is added to some of them.

    A form says what is multiplied (`products`); scores, lists and likeness of items come of it here.

    Cost: queries x items x dim; memory for 16 MB of scores, whatever the queries and the items.
    """

    @property
    @abstractmethod
    def item_vectors(self) -> Float32:
        """(items, dim) over the whole vocabulary; zeros where an item has none."""

    @abstractmethod
    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) state of each history; zeros where nothing is known of it."""

    @abstractmethod
    def products(self, queries: Queries) -> Products:
        """What is multiplied to answer: the states, the items (`self.table_of_items`), and what is added. `queries` have only events that count."""

    @property
    def adds(self) -> str:
        """What a score has beside the product, in words."""
        return ""

    @cached_property
    def table_of_items(self) -> ItemVectors:
        """The item vectors, of which a row of zeros is none."""
        return ItemVectors.of(self.item_vectors)

    @property
    def described(self) -> Bool:
        """(items,) which items have a vector; the others have no score."""
        return self.table_of_items.described

    def queries_per_block(self) -> int:
        return SPARSE_QUERIES

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        return top_k_product(self.products(queries), queries, k, eligible, self.catalogue, self.vocabulary)

    def score_block(self, queries: Queries) -> Float32:
        return self.products(queries).scores()

    def pairs_block(self, queries: Queries, items: Ragged) -> Float32:
        return self.products(queries).pairs(items)

    def item_relations(self, items: Int32) -> Float32:
        """Cosines of the item vectors."""
        return vector_cosines(self.item_vectors, items)
