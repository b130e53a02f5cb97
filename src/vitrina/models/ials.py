"""iALS: a vector per person and per item by alternating least squares over all pairs, the unobserved ones too."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, final

import numpy as np
import psutil
from pydantic import Field

from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.folded_in import FoldedIn
from vitrina.forms.least_squares import Penalty, solved, straightened
from vitrina.models.base import ModelConfig
from vitrina.models.cost import MEMORY_SHARE, Cost, Size
from vitrina.models.drawn import drawn
from vitrina.models.entries import Entries
from vitrina.models.pairs import columns_of, dealt
from vitrina.protocols import Recommender
from vitrina.types import Float32, Int32, Int64

SHARE = 10  # what all pairs weigh together, in units of the seen ones
WORK = 100  # products of a BLAS per pair and dimension that an epoch takes as long as, measured


@final
class IALS(ModelConfig):
    """Factor the matrix of people and items, every pair that was not seen a weak no. [Rendle et al. 2022](https://arxiv.org/abs/2110.14037).

    The vectors w of people and h of items make least

        sum over seen pairs c (1 - w h)^2 + unobserved * sum over all pairs (w h)^2
        + l2 * (sum over people (n_u + unobserved * |I|)^nu |w_u|^2 + sum over items (n_i + unobserved * |U|)^nu |h_i|^2)

    with c = 1, or where events have weights the largest of the pair's (confidences, as in
    [Hu et al. 2008](https://doi.org/10.1109/ICDM.2008.22)), and n the sum of c. Each half-sweep solves one side given the other, to 5 digits.
    Vectors of people are not kept: whoever asks has his solved from his history (`FoldedIn`), so new people are served as known ones.

    What is right for `unobserved` goes with the log: all pairs together should weigh about 10 times what the seen ones do (7 to 16 times in the published
    settings of MovieLens and MSD), which is the default. Tune both it and `l2` with few dimensions, and then take as many as the time allows.
    With a `start` the item vectors are those of a fitted one, items that it doesn't know begin at 0, and `epochs` sweeps go on from there; a day of
    new events needs one or two.

    Args:
        dim: length of a vector.
        unobserved: weight of a pair that was not seen, beside the 1 of one that was; None takes 10 times the share of the pairs that were seen, and at most
            the mean weight of these.
        l2: strength of the regularisation.
        nu: how much more often seen people and items are regularised more: 0 is all alike, 1 by their share of the loss.
        epochs: sweeps over people and items.
        seed: of the first vectors, which are normal with the standard deviation .1 / sqrt(dim).
    Returns:
        FoldedIn with the items' vectors.
    Raises:
        MemoryBudgetError: the pairs and the vectors would not fit.
        ParameterError: the `start` has vectors of another length, or is no fitted IALS.

    Cost: an epoch costs about 40 * dim multiplications per pair. Memory 8 bytes per distinct pair of person and item
    (16 with weights), of a log in shards too, and 4 * dim bytes per person and item; beside it one shard, or 8 bytes per event of a log in memory.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.IALS(dim=4).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    takes_start: ClassVar[bool] = True
    dim: int = Field(default=128, ge=1)
    unobserved: float | None = Field(default=None, ge=0)
    l2: float = Field(default=0.005, gt=0)
    nu: float = Field(default=1, ge=0)
    epochs: int = Field(default=12, ge=1)
    seed: int = Field(default=0, ge=0)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> FoldedIn:
        if not data.catalogue.n_users:
            raise DataError(f"IALS needs events to learn from, and {data!r} has none.")
        self._require_room(data)
        items, by_person = self._first(data, start), _Pairs(*Entries.of(data))
        by_item, n_items, n_people = by_person.turned(data.n_items), int(np.count_nonzero(data.catalogue.users)), data.catalogue.n_users
        unobserved = (
            by_person.total * min(SHARE / n_items / n_people, 1 / len(by_person.columns)) if self.unobserved is None else self.unobserved
        )
        penalty = Penalty(unobserved, self.l2, self.nu)
        for _ in range(self.epochs):
            people = by_person.half_sweep(items, n_items, penalty)
            items = by_item.half_sweep(people, n_people, penalty)
        return FoldedIn(data.items, data.catalogue, items, straightened(items), penalty)

    def cost(self, size: Size) -> Cost:
        """A sweep goes over the vectors of all pairs some times, and turns all vectors."""
        rows, entries, dim = size.users + size.items, size.entries, self.dim
        flops = WORK * entries * dim + 4 * rows * dim**2
        kept = 4.0 * dim * size.items
        return Cost(memory=8.0 * entries + 4.0 * dim * rows + kept, kept=kept, flops=self.epochs * flops, steps=20 * self.epochs * entries)

    def _first(self, data: Dataset, start: Recommender | None) -> Float32:
        """(items, dim) the vectors to begin with; zeros for items without events."""
        vectors = drawn(data.items, self.dim, self.seed, 0.1 / np.sqrt(self.dim)) if start is None else self._of_start(data, start)
        vectors[data.catalogue.users == 0] = 0
        return vectors

    def _of_start(self, data: Dataset, start: Recommender) -> Float32:
        """Those of a fitted one, by the ids; zeros for items that it doesn't know."""
        if not isinstance(start, FoldedIn):
            raise ParameterError(
                f"The 'start' of IALS.fit must be what an IALS's fit returned, or an artifact of it. Got a {type(start).__name__}.",
                parameter="start",
            )
        if start.vectors.shape[1] != self.dim:
            raise ParameterError(
                f"The 'start' of IALS.fit has vectors of {start.vectors.shape[1]} numbers, and this one's 'dim' is {self.dim}. Go on with "
                f"IALS(dim={start.vectors.shape[1]}), or leave 'start' out.",
                parameter="start",
            )
        codes = start.vocabulary.encode(data.items.ids)
        return np.where(codes[:, None] >= 0, start.vectors[codes], np.float32(0))

    def _require_room(self, data: Dataset) -> None:
        entries, rows = int(data.catalogue.users.sum()), data.n_users + 2 * data.n_items
        needed, free = (16 if data.has_weights else 8) * entries + 4 * self.dim * rows, psutil.virtual_memory().available
        if needed > MEMORY_SHARE * free:
            raise MemoryBudgetError(
                f"{self!r} needs {needed / 2**30:.1f} GiB of memory for {entries:,} pairs of person and item and the vectors of both, and "
                f"{free / 2**30:.1f} GiB are free. Take a smaller 'dim', or fit on some of the people: fit(next(data.shards())) answers for all."
            )


class _Pairs(NamedTuple):
    """The entries of a sparse matrix: people by items, or items by people."""

    indptr: Int64  # (rows + 1,)
    columns: Int32
    weights: Float32  # empty where all are 1

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return float(self.weights.sum(dtype=np.float64)) if len(self.weights) else float(len(self.columns))

    def half_sweep(self, vectors: Float32, size: int, penalty: Penalty) -> Float32:
        """(rows, dim) the best vectors given those of the columns, which are turned in place."""
        squares = straightened(vectors)
        return solved(*self, vectors, squares, size, penalty, dealt(np.diff(self.indptr)))

    def turned(self, columns: int) -> _Pairs:
        """The columns as rows."""
        indptr, rows, weights = columns_of(0, columns, *self)
        return _Pairs(indptr, rows, weights.astype(np.float32))
