"""LightGCN: vectors that the graph of people and items spreads, and a loss that trains the first of them."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.errors import DataError, MissingExtraError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.factored import FactoredEncoder
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.models.drawn import drawn
from vitrina.models.entries import entries_of
from vitrina.models.graph.base import GraphLoss
from vitrina.models.graph.pairwise import Pairwise
from vitrina.models.graph_filter import normalise
from vitrina.protocols import Recommender
from vitrina.types import Float32
from vitrina.vocabulary import id_hashes

START = 0.1  # standard deviation of the first vectors


@final
class LightGCN(ModelConfig):
    """Vectors of people and items, each the mean over layers of what its neighbours in the graph have. [He et al. 2020](https://arxiv.org/abs/2002.02126).

        people(l + 1) = R~ items(l), items(l + 1) = R~' people(l), R~ = D_u^-1/2 R D_i^-1/2
        score[u, i]   = mean over l of people(l)[u] . mean over l of items(l)[i]

    The vectors of layer 0 are trained by the `loss` over pairs, with Adam and an l2 on those of the batch. R is the matrix of people and items (where events have weights, the largest of the
    pair's, which the graph reads and the draws of pairs don't).

    Vectors of people are not kept: who asks, known or new, is put into the graph with the history, as a person whose layer 0 is zero. For the order of items that leaves out the person's own
    trained vector of layer 0 alone.

    Args:
        loss: an object of `vt.graph`.
        dim: length of a vector.
        layers: how often the graph is gone through.
        epochs: how often all pairs come.
        learning_rate: of Adam.
        l2: strength of the regularisation, divided among the pairs of a batch.
        batch: pairs of a step.
        seed: the same seed gives the same result on the same machine with as many threads.
    Returns:
        FactoredEncoder of the items' vectors.
    Raises:
        MissingExtraError: PyTorch is not installed.
        DataError: the log has no event, or not what the loss needs.

    Cost: each step of `batch` pairs goes through the whole graph: epochs x entries / batch x 8 layers x dim x entries operations, which is what bounds the log on a CPU (100 thousand pairs: minutes;
    a million: an hour and more). Memory some 20 (layers + 1) x dim bytes per person and item. A query costs history x dim, and items x dim.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic(users=60, items=30)
    >>> vt.LightGCN(dim=8, epochs=2).fit(data).recommend(data.queries(), k=3).items.shape
    (60, 3)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("torch",)
    loss: GraphLoss = Pairwise()
    dim: int = Field(default=64, ge=1)
    layers: int = Field(default=3, ge=1)
    epochs: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=0.005, gt=0)
    l2: float = Field(default=1e-4, ge=0)
    batch: int = Field(default=2048, ge=1)
    seed: int = Field(default=0, ge=0)

    def cost(self, size: Size) -> Cost:
        rows, steps = size.users + size.items, self.epochs * (size.entries // self.batch + 1)
        memory = 36 * size.entries + 20 * (self.layers + 1) * self.dim * rows
        return Cost(memory=memory, kept=8 * self.dim * size.items, steps=steps * self.layers * self.dim * (4 * size.entries + 8 * rows))

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> FactoredEncoder:
        if not data.catalogue.n_users:
            raise DataError(f"LightGCN needs events to learn from, and {data!r} has none.")
        layers, roots = self.spread(data)
        vectors = np.mean([items for _, items in layers], axis=0, dtype=np.float32)
        before = np.sum([items for _, items in layers[:-1]], axis=0, dtype=np.float32)
        known = roots > 0
        history = np.divide(before, len(layers) * roots, out=np.zeros_like(before), where=known)
        return FactoredEncoder(data.items, data.catalogue, np.where(known, vectors, np.float32(0)), (history,))

    def spread(self, data: Dataset) -> tuple[list[tuple[Float32, Float32]], Float32]:
        """The trained vectors of people and items, layer by layer, and (items, 1) the roots of the sums of the items' columns.

        Items stand in the order of their ids' hashes while it trains, so that other codes give the same result.
        """
        try:
            from vitrina.models.graph.steps import trained  # noqa: PLC0415  PyTorch is an extra
        except ModuleNotFoundError as missing:
            if missing.name != "torch":
                raise
            raise MissingExtraError.of("PyTorch", "torch", "LightGCN") from None
        codes = np.argsort(id_hashes(data.items), kind="stable").astype(np.int32)
        normal = sparse.csr_matrix(entries_of(data)[:, codes])
        normal.sort_indices()
        roots = normalise(normal)
        prepared = self.loss.prepared(data, normal, codes)
        rng = np.random.default_rng(self.seed)
        people = START * rng.standard_normal((normal.get_shape()[0], self.dim), np.float32)
        layers = trained(self, normal, people, drawn(data.items, self.dim, self.seed, START)[codes], prepared)
        back = np.argsort(codes)
        return [(people, np.ascontiguousarray(items[back])) for people, items in layers], roots[back].astype(np.float32)[:, None]
