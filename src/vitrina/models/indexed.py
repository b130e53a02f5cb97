"""A model of vectors behind an approximate index, for catalogues past a million items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np
from pydantic import Field

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.by_index import ByIndex
from vitrina.forms.vectors import Vectors
from vitrina.models.base import IGNORED, ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender
from vitrina.retrieve.graph import Graph, usearch_index

NOTE = "Lists come from an approximate index: an item of the best may be missing; scores are exact."


@final
class Indexed(ModelConfig):
    """The lists of a model of vectors, found by an approximate index in place of all products.

    The graph (HNSW of [usearch](https://github.com/unum-cloud/usearch), extra `index`) has the vectors of the items that may be recommended. What it finds
    is scored exactly, and it is asked for more until each list is full of eligible items: see `vitrina.forms.ByIndex`. Exact products answer
    thousands of queries at once nearly as quickly as they multiply; an index pays where few ask at a time, and from about a million items on.

    The graph is built on one core, item by item, so that the same vectors give the same one.

    Args:
        model: a model whose scores are products of a history's vector and an item's: IALS, ELSA, LightGCN, sequence models.
        connectivity: edges of an item in the graph. More find more, and take memory.
        build: how many of the nearest a search keeps while the graph is built. More find more, and take time to build.
        search: the same when it answers, and at least so many items are found. More find more, and take time to answer.
    Returns:
        ByIndex over what the model fits.
    Raises:
        MissingExtraError: usearch isn't installed.
        ParameterError: what the model fits has no vectors whose product is the score.

    Cost: the fit of the model, and items x build x connectivity products of vectors on one core; memory of the item vectors twice more.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.Indexed(model=vt.IALS(dim=4)).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    model: ModelConfig
    connectivity: int = Field(default=24, ge=2)
    build: int = Field(default=256, ge=1)
    search: int = Field(default=512, ge=1)

    @property
    def reads_weights(self) -> bool:  # type: ignore[override]
        return self.model.reads_weights

    @property
    def reads_shards(self) -> bool:  # type: ignore[override]
        return self.model.reads_shards

    @property
    def takes_start(self) -> bool:  # type: ignore[override]
        return self.model.takes_start

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None, **training: Any) -> ByIndex:
        """Fit the model, and index what came of it. `training` is what the fit of the model takes beside it."""
        usearch_index()  # before hours of a fit
        inner = self.model.fit(data, validation=validation, start=start.inner if isinstance(start, ByIndex) else start, **training)
        if not isinstance(inner, Vectors) or not isinstance(inner.item_vectors, np.ndarray):
            raise ParameterError(
                f"Indexed needs a model whose scores are products of dense vectors, such as vt.IALS() or vt.SASRec(). Got {self.model!r}, whose fitted "
                f"form is {type(inner).__name__}; it answers without an index.",
                owner="Indexed",
                parameter="model",
            )
        finite = np.isfinite(inner.item_vectors).all(axis=1)
        items = np.flatnonzero(inner.catalogue.mask & inner.described & finite).astype(np.int32)
        graph = Graph.of(inner.item_vectors, items, self.connectivity, self.build, self.search)
        notes = (*(note for note in inner.notes if note != IGNORED), NOTE)
        return ByIndex(inner.vocabulary, inner.catalogue, inner, graph, self.search, notes=notes)

    def cost(self, size: Size) -> Cost | None:
        """That of the model, and the graph: where the model says how long its vectors are."""
        cost, dim = self.model.cost(size), getattr(self.model, "dim", None)
        if cost is None or dim is None:
            return None
        graph = size.items * (4.0 * (dim + 1) + 10.0 * self.connectivity + 8)
        steps = size.items * float(self.build) * self.connectivity * dim / 16
        return replace(cost, memory=cost.memory + 2 * graph, kept=cost.kept + graph, steps=cost.steps + steps)
