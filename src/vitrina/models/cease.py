"""CEASE: EASE's ridge regression with what is known of the items stacked under the interactions."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.arrays import cuts
from vitrina.base.config import Names
from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.itemmap import ItemMap
from vitrina.models.base import ModelConfig
from vitrina.models.content_vectors import item_tfidf
from vitrina.models.cost import Cost, Size
from vitrina.models.ease import gram, kept_items, solve
from vitrina.protocols import Recommender
from vitrina.types import Float32

ENTRIES = 1 << 23  # of the products of descriptions that are made at once, 12 bytes each


@final
class CEASE(ModelConfig):
    """EASE on interactions and descriptions: each term is one more person, who took the items that it describes. [Jeunen et al. 2020](https://doi.org/10.1145/3383313.3418480), collective EASE.

    weight_from_to[i, j] = -P[i, j] / P[j, j] with P = (X'X + weight^2 T'T + D)^-1 and a zero diagonal; score = X @ weight_from_to.
    X and D are those of `EASE`, and column i of T (terms, items) is the TF-IDF vector of item i, of length 1 (`item_tfidf`): a term that describes few items counts more, as the
    inverse frequency of the paper. Items with a description and without an event are in the ranked catalogue, as with `ContentSimilarity`; nobody took them, so they come behind
    items that are as well described and were taken.

    Args:
        columns: columns of the item table; None takes those of text or categories and the title.
        weight: of the descriptions. Two items of equal descriptions look as if weight^2 more people had taken both. On the validation parts of
            MovieLens-100K and Amazon Grocery 0.5 to 3 were within .0002 nDCG@10 of EASE (.0719, .0180), and 10 and more behind it.
        l2, dropout, max_items, minutes: as for `EASE`. Items without an event come last among those that memory and time allow.
    Returns:
        ItemMap with dense float32 weights.
    Raises:
        DataError: the log has no item table, or the columns can't be used.
        MemoryBudgetError: the weights of `max_items` would not fit.

    Cost: that of EASE, and the pairs of items that share a term.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.CEASE(columns=("aisle",), l2=1).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("items",)
    reads_shards: ClassVar[bool] = True
    columns: Names | None = None
    weight: float = Field(default=2, gt=0)
    l2: float = Field(default=500, gt=0)
    dropout: float = Field(default=0, ge=0, lt=1)
    max_items: int | None = Field(default=None, ge=2)
    minutes: float = Field(default=2, gt=0)

    def cost(self, size: Size) -> Cost:
        """That of EASE; how many pairs of items share a term is not in the size."""
        items = min(size.items, self.max_items or size.items)
        return Cost(
            4 * items**2 + 12 * ENTRIES + 40 * size.entries, 4 * items**2, flops=2 * items**3, steps=0.5 * size.pairs + 8 * items**2
        )

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> ItemMap:
        if not data.catalogue.n_users:
            raise DataError(f"CEASE needs events to learn from, and {data!r} has none.")
        if data.item_table is None:
            raise DataError(
                f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=..., or take EASE(l2={self.l2:g})."
            )
        vectors = item_tfidf(data.item_table, self.columns)
        known = data.catalogue
        cold = np.flatnonzero((np.diff(vectors.indptr) > 0) & (known.events == 0)).astype(np.int32)
        kept, notes = kept_items(self, data, np.concatenate([known.by_popularity, cold]))
        weights = gram(data, kept)
        add_products(weights, self.weight * sparse.csr_matrix(vectors[kept]))
        solve(self, data, weights)
        served = Catalogue(known.events, known.users, known.n_users, also=np.intersect1d(cold, kept))
        return ItemMap(data.items, served, weights, kept, notes=notes)


def add_products(lower: Float32, rows: sparse.csr_matrix) -> None:
    """Add the products of all pairs of `rows` to a lower triangle."""
    turned = rows.T.tocsc()
    for block in cuts(np.arange(1, len(lower) + 1), ENTRIES):
        lower[block, : block.stop] += (rows[block] @ turned[:, : block.stop]).toarray()
