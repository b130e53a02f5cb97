"""How ELSA is trained: the loss and its gradient from sparse batches and the square of the vectors, and the steps of an optimiser."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from vitrina.base.device import repeatable, training_device
from vitrina.types import Float32

if TYPE_CHECKING:
    from vitrina.models.elsa import ELSA

LEAST = 1e-6  # of a squared length: vectors that cancel out leave no direction


def trained(model: ELSA, rows: sparse.csr_matrix, vectors: Float32, people_per_step: int) -> Float32:
    """(items, dim) the vectors that the model makes of these rows (people, items), which are 2 items long at least, from the given ones."""
    device, rng = training_device(), np.random.default_rng(model.seed)
    kept = torch.nn.Parameter(_unit(torch.from_numpy(vectors).to(device)), requires_grad=False)
    optimiser = torch.optim.NAdam([kept], model.learning_rate, foreach=False)
    batches = [slice(first, first + people_per_step) for first in range(0, rows.shape[0], people_per_step)]
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 1 / (model.epochs * len(batches) or 1), model.epochs * len(batches))
    with repeatable(device):
        for _ in range(model.epochs):
            order = rng.permutation(rows.shape[0])
            for batch in batches:
                wanted = rows[order[batch]]
                read = _thinned(wanted, model.dropout, rng)
                _, gradient = losses_and_gradient(kept, wanted, read)
                kept.grad = gradient.sub_((gradient * kept).sum(1, keepdim=True) * kept)  # along the sphere
                optimiser.step()
                falling.step()
                _unit(kept)
    return kept.cpu().numpy()


def _thinned(rows: sparse.csr_matrix, dropout: float, rng: np.random.Generator) -> sparse.csr_matrix:
    """The rows with that share of their entries 0."""
    if not dropout:
        return rows
    return sparse.csr_matrix((rows.data * (rng.random(rows.nnz) >= dropout), rows.indices, rows.indptr), rows.shape)


def _unit(vectors: Tensor) -> Tensor:
    """The rows at length 1, in place."""
    return vectors.div_(torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min_(LEAST))


def losses_and_gradient(vectors: Tensor, wanted: sparse.csr_matrix, read: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
    """(people,) |x / |x| - y / |y||^2 with y = r A A' - r, and (items, dim) the gradient of their sum by A, without a row of items for anybody.

    x are the rows that are wanted and r what is read of them, z = x A, s = r A. The loss is 2 - 2 p / sqrt(n q) with n = x.x and

        p = y.x = s.z - r.x,    q = y.y = s A'A s' - 2 s.s + r.r

        dp = s.dz + z.ds,    dq = 2 (s A'A - 2 s).ds + 2 <A s's, dA>

    so that the gradient is a sparse part, the rows of the items of these people, and A times a (dim, dim) matrix.

    Args:
        vectors: A, (items, dim).
        wanted, read: (people, items).

    Cost: 4 * items * dim^2 flops, and 8 * entries * dim.
    """
    x, r = (_on(rows, vectors) for rows in (wanted, read))
    z, s = x @ vectors, r @ vectors
    through_square = s @ (vectors.T @ vectors)
    n, own, shared = (_sums(rows, vectors) for rows in (wanted.multiply(wanted), read.multiply(read), read.multiply(wanted)))
    p = (s * z).sum(1) - shared
    q = ((through_square - 2 * s) * s).sum(1).add_(own).clamp_min_(LEAST)
    scale = (n * q).rsqrt()
    by_p, by_q = (-2 * scale)[:, None], (p * scale / q)[:, None]
    gradient = vectors @ ((2 * by_q * s).T @ s)
    gradient.addmm_(_on(wanted.T.tocsr(), vectors), by_p * s)
    gradient.addmm_(_on(read.T.tocsr(), vectors), by_p * z + 2 * by_q * (through_square - 2 * s))
    return 2 - 2 * p * scale, gradient


def _on(rows: sparse.csr_matrix, like: Tensor) -> Tensor:
    """A sparse matrix as a tensor, of the type and on the device of another."""
    arrays = (torch.from_numpy(array) for array in (rows.indptr, rows.indices, rows.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*arrays, rows.shape, check_invariants=False).to(like)


def _sums(rows: sparse.csr_matrix, like: Tensor) -> Tensor:
    return torch.from_numpy(rows.sum(axis=1).A1).to(like)
