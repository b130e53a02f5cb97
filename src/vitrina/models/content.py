"""Items whose descriptions resemble those of the history; serves items that nobody has taken yet."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from vitrina.base.config import Names
from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.decay import Decay
from vitrina.forms.embeddings import Embeddings
from vitrina.models.base import ModelConfig
from vitrina.models.content_vectors import item_tfidf
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender

TERMS = 10  # of a description, where the number isn't known


@final
class ContentSimilarity(ModelConfig):
    """Cosine of an item's TF-IDF vector and the mean vector of the history's items.

    score[q, i] = v_i . p_q / |p_q| with p_q = sum over the events e of the history of v_item(e), times the weight of e in the
    log and what the decay leaves of e, and v_i the row of `item_tfidf` of i, of length 1 (Rocchio's profile, as in
    [Pazzani and Billsus 2007](https://doi.org/10.1007/978-3-540-72079-9_10)). Items with a description and without an event
    are in the ranked catalogue. An item that shares no term with the history has no score.

    Args:
        columns: columns of the item table; None takes those of text or categories and the title.
        decay: how old events of the history lose weight, one of `vt.decay`.

    Raises:
        DataError: the log has no item table, or the columns can't be used.

    Cost: fit is linear in the words. A query costs the entries of the item vectors.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.ContentSimilarity(columns=("group",)).fit(data).recommend(data.queries(), k=3).items.shape
    (300, 3)
    """

    reads_weights: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("items",)
    reads_shards: ClassVar[bool] = True
    columns: Names | None = None
    decay: Decay | None = None

    def cost(self, size: Size) -> Cost:
        entries = TERMS * size.items
        return Cost(280 * entries, 8 * entries, steps=600 * entries)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Embeddings:
        if data.item_table is None:
            raise DataError(f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=...")
        if self.decay is not None:
            self.decay.require(data)
        vectors = item_tfidf(data.item_table, self.columns)
        described = np.diff(vectors.indptr) > 0
        cold = np.flatnonzero(described & (data.catalogue.events == 0)).astype(np.int32)
        known = data.catalogue
        catalogue = Catalogue(known.events, known.users, known.n_users, also=cold)
        return Embeddings(data.items, catalogue, vectors, self.decay)
