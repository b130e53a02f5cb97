"""Turbo-CF: a polynomial of a reweighted graph of items as a low-pass filter, without training or decomposition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.factored import FactoredMap
from vitrina.forms.paths import Path
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.entries import entries_of
from vitrina.models.graph_filter import normalise
from vitrina.models.histories import indptr_of
from vitrina.protocols import Recommender
from vitrina.types import Int64, cuts

ENTRIES = 1 << 23  # of a block of P: some 300 MB while its strongest are found


@final
class TurboCF(ModelConfig):
    """Score items by the history through a polynomial of the graph of items. [Park et al. 2024](https://arxiv.org/abs/2404.14243).

        R~ = D_u^-asymmetry R D_i^-(1 - asymmetry), P = (R~'R~)^power, entry by entry
        score = x (c_1 P + c_2 P P + ...)

    R is the binary matrix of people and items (where events have weights, the largest of the pair's), D_u and D_i its sums by person and by item. A power of entries can't be chained, so P is made, and each
    item keeps the `neighbours` strongest: this is the paper's model where that is all of them. Then it is a cosine-like co-occurrence whose powers of popularity and of strength are set apart.

    Args:
        asymmetry: how much of the normalisation is by person, 0 to 1.
        power: of the entries; below 1 it takes from the strongest.
        coefficients: c_1, c_2, ...; (1,) is the linear filter, (2, -1) the one of second order, 1 - (1 - l)^2.
        neighbours: entries that a row of P keeps.
    Returns:
        FactoredMap of a sparse path for each coefficient.

    Cost: the sum over people of the square of their items, once; 12 bytes x items x neighbours are kept. A query costs history x neighbours ^ the number of coefficients at most.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.TurboCF().fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    asymmetry: float = Field(default=0.6, ge=0, le=1)
    power: float = Field(default=0.7, gt=0)
    coefficients: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] = (1.0,)
    neighbours: int = Field(default=500, ge=1)

    def cost(self, size: Size) -> Cost:
        kept = 8 * min(float(size.items * min(self.neighbours, size.items)), size.pairs)
        return Cost(memory=24 * size.entries + 40 * ENTRIES + 2 * kept, kept=kept, steps=20 * size.pairs)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> FactoredMap:
        if not data.catalogue.n_users:
            raise DataError(f"TurboCF needs events to learn from, and {data!r} has none.")
        people_items = entries_of(data)
        normalise(people_items, self.asymmetry)
        graph = sparse.csr_matrix(sparse.vstack(list(_rows(people_items, self.neighbours)), format="csr"))
        graph.data **= np.float32(self.power)
        paths = tuple(Path((graph,) * order, c) for order, c in enumerate(self.coefficients, 1) if c)
        return FactoredMap(data.items, data.catalogue, paths or (Path((graph,), 0.0),))


def _rows(people_items: sparse.csr_matrix, neighbours: int) -> Iterator[sparse.csr_matrix]:
    """Blocks of rows of R~'R~, each with its strongest entries."""
    items_people = sparse.csr_matrix(people_items.T)
    lengths = np.append(0, np.cumsum(np.diff(people_items.indptr)[items_people.indices]))
    work = np.minimum(lengths[items_people.indptr[1:]] - lengths[items_people.indptr[:-1]], len(items_people.indptr) - 1)
    for block in cuts(work.astype(np.int64), ENTRIES):
        yield _strongest(sparse.csr_matrix(items_people[block] @ people_items), neighbours)


def _strongest(rows: sparse.csr_matrix, neighbours: int) -> sparse.csr_matrix:
    """The largest entries of each row, ties to the lower column."""
    row_of = np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr))
    order = np.lexsort((rows.indices, np.negative(rows.data), row_of))
    place: Int64 = np.arange(len(order)) - rows.indptr[:-1][row_of]
    kept = order[place < neighbours]
    counts = np.minimum(np.diff(rows.indptr), neighbours).astype(np.int64)
    return sparse.csr_matrix((rows.data[kept], rows.indices[kept], indptr_of(counts)), shape=rows.get_shape())
