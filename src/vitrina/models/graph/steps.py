"""The steps of LightGCN: what the graph spreads, what is drawn, and the training of the first vectors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn.functional import normalize

from vitrina.base.device import repeatable, training_device
from vitrina.models.graph.base import Step
from vitrina.types import Float32, Int64

if TYPE_CHECKING:
    from vitrina.models.lightgcn import LightGCN

TRIES = 8  # draws until a negative is none of the person's items


@dataclass(frozen=True, eq=False)
class Graph:
    """R~ as a tensor, and turned round."""

    people_items: Tensor
    items_people: Tensor

    @classmethod
    def of(cls, normal: sparse.csr_matrix, device: torch.device) -> Graph:
        return cls(_tensor(normal, device), _tensor(sparse.csr_matrix(normal.T), device))

    def layers(self, people: Tensor, items: Tensor, count: int, noise: float = 0) -> list[tuple[Tensor, Tensor]]:
        """The vectors of each layer from the first on; with noise each is moved in its own orthant by so much."""
        out = [(people, items)]
        for _ in range(count):
            people, items = (
                _Product.apply(self.people_items, self.items_people, items),
                _Product.apply(self.items_people, self.people_items, people),
            )
            if noise:
                people, items = _moved(people, noise), _moved(items, noise)
            out.append((people, items))
        return out


def mean_of(layers: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The mean of people and of items over layers."""
    people, items = zip(*layers, strict=True)
    return torch.stack(people).mean(0), torch.stack(items).mean(0)


class _Product(torch.autograd.Function):
    """matrix @ vectors of a sparse matrix whose transposed is at hand, so that no gradient of the matrix is ever made."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, turned: Tensor, vectors: Tensor) -> Tensor:
        ctx.turned = turned
        return matrix @ vectors

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return None, None, ctx.turned @ grads[0]


def _tensor(matrix: sparse.csr_matrix, device: torch.device) -> Tensor:
    parts = (torch.from_numpy(part.copy()) for part in (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")  # is in beta; products are all that is asked of it
        return torch.sparse_csr_tensor(*parts, size=matrix.get_shape(), device=device, check_invariants=False)


def _moved(vectors: Tensor, noise: float) -> Tensor:
    return vectors + noise * vectors.sign() * normalize(torch.rand_like(vectors))


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of a log, and what was not taken."""

    users: Int64  # (pairs,)
    items: Int64  # (pairs,)
    keys: Int64  # (pairs,) ascending
    n_items: int

    @classmethod
    def of(cls, people_items: sparse.csr_matrix) -> Pairs:
        n_people, n_items = people_items.get_shape()
        users, items = np.repeat(np.arange(n_people), np.diff(people_items.indptr)), people_items.indices.astype(np.int64)
        return cls(users, items, users * n_items + items, n_items)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[Int64, Int64, Int64, Int64]]:
        """Users, positives and two negatives each, of all pairs once."""
        order = rng.permutation(len(self.users))
        for first in range(0, len(order), size):
            users, items = self.users[order[first : first + size]], self.items[order[first : first + size]]
            yield users, items, self.not_taken(users, rng), self.not_taken(users, rng)

    def not_taken(self, users: Int64, rng: np.random.Generator) -> Int64:
        """An item for each that the person didn't take; after some tries any, as some people take everything."""
        drawn = rng.integers(0, self.n_items, len(users))
        for _ in range(TRIES):
            keys = users * self.n_items + drawn
            taken = np.flatnonzero(self.keys[np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)] == keys)
            if not len(taken):
                break
            drawn[taken] = rng.integers(0, self.n_items, len(taken))
        return drawn


def trained(
    model: LightGCN, normal: sparse.csr_matrix, people: Float32, items: Float32, prepared: Any
) -> list[tuple[Float32, Float32]]:  # the vectors of people and of items, layer by layer
    """Adam over the first vectors, which everything else is made of."""
    device, rng = training_device(), np.random.default_rng(model.seed)
    graph, pairs = Graph.of(normal, device), Pairs.of(normal)
    tables = [torch.nn.Parameter(torch.from_numpy(table).to(device)) for table in (people, items)]
    optimiser = torch.optim.Adam(tables, lr=model.learning_rate)
    with repeatable(device), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(model.seed)
        for _ in range(model.epochs):
            for batch in pairs.batches(model.batch, rng):
                optimiser.zero_grad()
                _loss(model, graph, tables, [torch.from_numpy(part).to(device) for part in batch], prepared).backward()
                optimiser.step()
        with torch.inference_mode():
            return [(p.cpu().numpy(), i.cpu().numpy()) for p, i in graph.layers(tables[0], tables[1], model.layers)]


def _loss(model: LightGCN, graph: Graph, tables: list[Any], batch: list[Tensor], prepared: Any) -> Tensor:
    people, items = tables

    def view(noise: float) -> tuple[Tensor, Tensor]:
        return mean_of(graph.layers(people, items, model.layers, noise)[1:])

    spread = mean_of(graph.layers(people, items, model.layers))
    users, positives, negatives, others = batch
    loss = model.loss.of(Step(*spread, users, positives, negatives, others, view, prepared))
    squares = people[users].square().sum() + items[positives].square().sum() + items[negatives].square().sum()
    return loss + model.l2 / 2 * squares / len(users)
