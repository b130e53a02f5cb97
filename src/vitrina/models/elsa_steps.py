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

LEAST = 1e-12  # of a squared length: vectors that cancel out leave no direction


def trained(model: ELSA, rows: sparse.csr_matrix, vectors: Float32, people_per_step: int) -> Float32:
    """(items, dim) the vectors that the model makes of these rows (people, items), which are 2 items long at least, from the given ones."""
    device, rng = training_device(), np.random.default_rng(model.seed)
    kept = torch.nn.Parameter(_unit(torch.from_numpy(vectors).to(device)), requires_grad=False)
    optimiser = torch.optim.NAdam([kept], model.learning_rate, foreach=False)
    people = len(rows.indptr) - 1
    batches = [slice(first, first + people_per_step) for first in range(0, people, people_per_step)]
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 1 / (model.epochs * len(batches) or 1), model.epochs * len(batches))
    with repeatable(device):
        for _ in range(model.epochs):
            order = rng.permutation(people)
            for batch in batches:
                _, gradient = losses_and_gradient(kept, rows[order[batch]])
                if model.lengths == "one":
                    gradient.sub_((gradient * kept).sum(1, keepdim=True) * kept)  # along the sphere
                kept.grad = gradient
                optimiser.step()
                falling.step()
                if model.lengths == "one":
                    _unit(kept)
    return kept.cpu().numpy()


def _unit(vectors: Tensor) -> Tensor:
    """The rows at length 1, in place."""
    return vectors.div_(torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min_(LEAST))


def losses_and_gradient(vectors: Tensor, rows: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
    """(people,) |x / |x| - y / |y||^2 with y = x (A A' - T), and (items, dim) the gradient of their sum by A, without a row of items for anybody.

    T is the diagonal of A A', t_i = |a_i|^2. With z = x A and w = x T A the loss is 2 - 2 p / sqrt(n q), n = x.x and

        p = y.x = z.z - sum of x_i^2 t_i,    q = y.y = z A'A z' - 2 z.w + sum of x_i^2 t_i^2

        dp = 2 z.dz - sum of x_i^2 dt_i,    dq = 2 (z A'A - w).dz - 2 z.dw + 2 <A z'z, dA> + 2 sum of x_i^2 t_i dt_i

    so that the gradient is sparse parts, the rows of the items of these people, and A times a (dim, dim) matrix.

    Args:
        vectors: A, (items, dim).
        rows: x, (people, items).

    Cost: 4 * items * dim^2 flops, and 8 * entries * dim.
    """
    squares = (vectors * vectors).sum(1)
    x, turned = _on(rows, vectors), _on(rows.T.tocsr(), vectors)
    x2 = rows.multiply(rows).tocsr()
    own, own_turned = _on(x2, vectors), _on(x2.T.tocsr(), vectors)
    z, w = x @ vectors, _on(_scaled(rows, squares), vectors) @ vectors
    through_square = z @ (vectors.T @ vectors)
    n = torch.from_numpy(x2.sum(axis=1).A1).to(vectors)
    p = (z * z).sum(1) - own @ squares
    q = ((through_square - 2 * w) * z).sum(1).add_(own @ squares**2).clamp_min_(LEAST)
    scale = (n * q).rsqrt()
    by_p, by_q = -2 * scale, p * scale / q
    pulled = turned @ (-2 * by_q[:, None] * z)  # of w, without the t of the item
    by_squares = (vectors * pulled).sum(1) - own_turned @ by_p + 2 * squares * (own_turned @ by_q)
    gradient = pulled.mul_(squares[:, None]).addcmul_(vectors, 2 * by_squares[:, None])
    gradient.addmm_(vectors, (2 * by_q[:, None] * z).T @ z)
    gradient.addmm_(turned, 2 * by_p[:, None] * z + 2 * by_q[:, None] * (through_square - w))
    return 2 - 2 * p * scale, gradient


def _scaled(rows: sparse.csr_matrix, by_item: Tensor) -> sparse.csr_matrix:
    """The rows with each entry times the number of its item."""
    return sparse.csr_matrix((rows.data * by_item.cpu().numpy()[rows.indices], rows.indices, rows.indptr), rows.shape)


def _on(rows: sparse.csr_matrix, like: Tensor) -> Tensor:
    """A sparse matrix as a tensor, of the type and on the device of another."""
    indptr, indices, values = (torch.from_numpy(array) for array in (rows.indptr, rows.indices, rows.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr, indices, values, rows.get_shape(), check_invariants=False).to(like)
