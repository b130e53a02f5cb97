"""ELSA: item-to-item weights of low rank, the product of unit vectors of the items, learned so that each person's row gives itself back."""

from __future__ import annotations

from typing import ClassVar, Literal, final

import numpy as np
import psutil
from pydantic import Field

from vitrina.base.errors import DataError, MemoryBudgetError, MissingExtraError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.factored import FactoredEncoder
from vitrina.models.base import ModelConfig
from vitrina.models.cost import MEMORY_SHARE, Cost, Size
from vitrina.models.drawn import drawn
from vitrina.models.entries import entries_of
from vitrina.protocols import Recommender
from vitrina.vocabulary import id_hashes

TABLES = 7  # of (items, dim) float32 while it is trained: vectors, gradient, two moments, and what a step makes of them
ENTRY = 24  # bytes of a pair of person and item while the log is put together


@final
class ELSA(ModelConfig):
    """Weights from item to item of low rank, with a zero diagonal: x A A' - x. [Vančura et al. 2022](https://doi.org/10.1145/3523227.3551482).

    A (items, dim) makes least the sum over the people of

        |x / |x| - y / |y||^2,  y = x (A A' - diag(A A'))

    with x the row of a person. The authors keep the rows of A at length 1, so that the diagonal is I. Then a catalogue of thousands of rare items crowds the few
    dimensions, each item as loud as any other; with `lengths="free"` a rare item may be short, and its own square is what is taken off. The scores are y of the history.
    It is trained on sparse batches of people: through A'A no row of items is made for anybody, and memory is linear in the items, where EASE's is
    quadratic. Repeated interactions count once. Where events have weights, an entry of x is the largest of the pair's events, at the fit and in the history.

    Args:
        dim: length of a vector; the sparser the log, the more it takes.
        epochs: how often it goes through the people.
        batch: people of a step; None takes a fiftieth of them, at least 128 and at most 8192.
        learning_rate: of NAdam at the beginning; it falls to 0 in a line.
        lengths: of the vectors: "free", or "one" as published.
        seed: of the first vectors, which belong to the ids of the items, and of the order of the people.

    Returns:
        FactoredEncoder of the item vectors. Items without events have none.

    Raises:
        DataError: there is nothing to learn from.
        MemoryBudgetError: the tables would not fit; says how much they need.
        MissingExtraError: PyTorch isn't installed. It is needed for the fit, not for the answers.

    Cost: 4 * items * dim^2 flops and some passes over items x dim a step; memory 28 bytes * items * dim and 24 per pair of person and item. It trains on a GPU where there is one.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.ELSA(dim=4).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    dim: int = Field(default=256, ge=1)
    epochs: int = Field(default=10, ge=1)
    batch: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=0.03, gt=0)
    lengths: Literal["free", "one"] = "free"
    seed: int = 0

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> FactoredEncoder:
        kept = np.flatnonzero(data.catalogue.users)
        if not len(kept):
            raise DataError(f"ELSA needs events to learn from, and {data!r} has none.")
        self._require_room(data, len(kept))
        try:
            from vitrina.models.elsa_steps import trained  # noqa: PLC0415  PyTorch is an extra
        except ImportError:
            raise MissingExtraError.of("PyTorch", "torch", "The fit of ELSA") from None
        kept = kept[np.argsort(id_hashes(data.items)[kept])]  # sums and what is dropped don't depend on the codes
        rows = entries_of(data)[:, kept]
        rows.sort_indices()
        rows = rows[np.diff(rows.indptr) > 1]  # an item alone predicts nothing: its loss is 2 whatever A is
        if data.has_weights and rows.nnz:  # the loss takes a person's weights as shares, and float32 has no fourth power of large ones
            rows.data /= np.repeat(np.maximum(np.maximum.reduceat(rows.data, rows.indptr[:-1]), np.float32(1e-30)), np.diff(rows.indptr))
        vectors = np.zeros((data.n_items, self.dim), np.float32)
        vectors[kept] = trained(
            self, rows, drawn(data.items, self.dim, self.seed, self.dim**-0.5)[kept], self._people_per_step(rows.shape[0])
        )
        return FactoredEncoder(data.items, data.catalogue, vectors, own=-np.einsum("id,id->i", vectors, vectors))

    def cost(self, size: Size) -> Cost:
        table = 4.0 * size.items * self.dim
        steps = self.epochs * np.ceil(size.users / self._people_per_step(size.users))
        passes = 30 * steps * size.items * self.dim / 8  # of the optimiser, eight numbers at a time
        gathered = 4 * self.epochs * size.entries * self.dim / 8
        return Cost(TABLES * table + ENTRY * size.entries, table, 4 * steps * size.items * self.dim**2, passes + gathered)

    def _people_per_step(self, people: int) -> int:
        return self.batch or int(np.clip(people // 50, 128, 8192))

    def _require_room(self, data: Dataset, items: int) -> None:
        needed, free = TABLES * 4 * items * self.dim + ENTRY * int(data.catalogue.users.sum()), psutil.virtual_memory().available
        if needed > MEMORY_SHARE * free:
            raise MemoryBudgetError(
                f"ELSA of {items:,} items with dim={self.dim} needs {needed / 2**30:.1f} GiB of memory to be trained, and {free / 2**30:.1f} GiB are "
                "free. Take a smaller 'dim', or Cooccurrence(), which keeps only each item's nearest ones."
            )
