"""Weighted least squares of many rows at once, each on few of the same vectors: what a factor model solves at its fit and at answer time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrina.base.kernels import Spread, kernel, sum_kernel
from vitrina.types import Float32, Float64, Int32, Int64

ROWS = 1 << 16  # of vectors that are multiplied at a time
EXACT = 32  # unknowns of a system that is solved by Cholesky; larger ones by conjugate gradients
TOLERANCE = np.float32(1e-5)
CHUNK = 256  # vectors of a row that are added to its matrix at a time


@dataclass(frozen=True)
class Penalty:
    """What a row's vector w pays beside its errors: unobserved * sum over all vectors v of (w v)^2 + l2 * (n + unobserved * size)^nu * |w|^2.

    n is the sum of the row's weights, `size` the number of all vectors: the regularisation by frequency of
    [Rendle et al. 2022](https://arxiv.org/abs/2110.14037), eq. 8.
    """

    unobserved: float
    l2: float
    nu: float


def straightened(vectors: Float32) -> Float64:
    """Turn the rows of `vectors` (rows, dim), in place, into the axes in which their V'V is diagonal; that diagonal, (dim,).

    Products of rows stay as they were, and so do solutions on them, but for being turned as well.

    Cost: 2 * rows * dim^2 multiplications and dim^3; memory 65,536 rows.

    >>> vectors = np.array([[1, 1], [1, 1], [1, -1]], np.float32)
    >>> straightened(vectors).round(4).tolist(), (vectors.T @ vectors).round(4).tolist()
    ([2.0, 4.0], [[2.0, 0.0], [0.0, 4.0]])
    """
    squares, axes = np.linalg.eigh(_squares(vectors))
    axes = axes.astype(np.float32)

    for first in range(0, len(vectors), ROWS):
        vectors[first : first + ROWS] = vectors[first : first + ROWS] @ axes
    return np.maximum(squares, 0)


def _squares(vectors: Float32) -> Float64:
    """V'V, (dim, dim)."""
    out = np.zeros((vectors.shape[1],) * 2)
    for first in range(0, len(vectors), ROWS):
        part = vectors[first : first + ROWS]
        out += part.T @ part
    return out


def solved(
    indptr: Int64,
    columns: Int32,
    weights: Float32,
    vectors: Float32,
    squares: Float64,
    size: int,
    penalty: Penalty,
    order: Int32 | None = None,
) -> Float32:
    """(rows, dim) the w of each row that makes sum over its columns c of weight * (1 - w v_c)^2 + its penalty least; zeros for a row without columns.

    It solves (V_S' C V_S + D) w = V_S' C 1, D = unobserved * V'V + l2 (n + unobserved * size)^nu I, which is diagonal as the vectors are
    straightened. With U = C^.5 V_S D^-.5 this is w = D^-.5 (I + U'U)^-1 U' c^.5 = D^-.5 U' (I + U U')^-1 c^.5. The smaller of the two systems has at
    most min(n, dim) unknowns: up to 32 are solved by Cholesky, more by conjugate gradients until the residual is 1e-5 of the right side, which
    takes few steps, because all that rows have in common is in D.

    Args:
        indptr, columns: (rows + 1,), (entries,) the vectors of each row.
        weights: (entries,) above 0, or empty where all are 1.
        vectors: (columns, dim) C-contiguous, of which V'V is diagonal.
        squares: (dim,) that diagonal.
        size: how many vectors there are for the penalty: those that are not 0.
        order: in which the threads take the rows.

    Cost: some 10 passes over the vectors of each row: 20 * n * dim multiplications; memory 1 kB * (dim + 32) per thread.
    """
    rows = len(indptr) - 1
    out = np.zeros((rows, vectors.shape[1]), np.float32)
    order = np.arange(rows, dtype=np.int32) if order is None else order
    ridge = penalty.l2, penalty.nu, penalty.unobserved * size
    _solve(rows, order, indptr, columns, weights, vectors, penalty.unobserved * squares, *ridge, EXACT, out)
    return out


@Spread
def _solve(first, last, order, indptr, columns, weights, vectors, base, l2, nu, offset, exact, out):  # pragma: no cover
    dim = vectors.shape[1]
    gathered, scale = np.empty((CHUNK, dim), np.float32), np.empty(dim, np.float32)
    roots = np.ones(CHUNK, np.float32)
    for place in range(first, last):
        row = order[place]
        begin, end = indptr[row], indptr[row + 1]
        n = end - begin
        if n == 0:
            continue
        total = float(n)
        if len(weights):
            total = 0.0
            for at in range(begin, end):
                total += weights[at]
        ridge = l2 * (total + offset) ** nu
        for j in range(dim):
            scale[j] = 1 / np.sqrt(base[j] + ridge)
        if min(n, dim) > exact:
            _by_gradients(begin, end, columns, weights, vectors, scale, out[row])
        elif n < dim:
            _gather(begin, end, columns, weights, vectors, scale, gathered, roots)
            _by_columns(n, gathered, roots, out[row])
        else:
            matrix, right, product = np.zeros((dim, dim), np.float32), np.zeros(dim, np.float32), np.empty((dim, dim), np.float32)
            for start in range(begin, end, CHUNK):
                stop = min(start + CHUNK, end)
                _gather(start, stop, columns, weights, vectors, scale, gathered, roots)
                part = gathered[: stop - start]
                np.dot(part.T, part, product)
                matrix += product
                right += np.dot(roots[: stop - start], part)
            _of_positive(matrix, right)
            out[row] = right
        for j in range(dim):
            out[row, j] *= scale[j]


@kernel
def _by_gradients(begin, end, columns, weights, vectors, scale, out):  # pragma: no cover
    """out = (I + U'U)^-1 U' c^.5 by conjugate gradients from 0, until the residual is TOLERANCE of the right side."""
    dim = len(scale)
    residual, at, turned = np.zeros(dim, np.float32), np.empty(dim, np.float32), np.empty(dim, np.float32)
    for e in range(begin, end):
        _add(residual, weights[e] if len(weights) else np.float32(1), vectors[columns[e]])
    residual *= scale
    at[:] = residual
    rest = _product(residual, residual, dim)
    enough = TOLERANCE * TOLERANCE * rest
    for _ in range(dim):
        if rest <= enough:
            break
        scaled = at * scale
        turned[:] = 0
        for e in range(begin, end):
            vector = vectors[columns[e]]
            _add(turned, (weights[e] if len(weights) else np.float32(1)) * _product(vector, scaled, dim), vector)
        turned = turned * scale + at
        step = rest / _product(at, turned, dim)
        _add(out, step, at)
        _add(residual, -step, turned)
        before, rest = rest, _product(residual, residual, dim)
        at = residual + (rest / before) * at


@kernel
def _add(to, factor, other):  # pragma: no cover
    for j in range(len(to)):
        to[j] += factor * other[j]


@kernel
def _gather(begin, end, columns, weights, vectors, scale, gathered, roots):  # pragma: no cover
    """Rows of U = C^.5 V_S D^-.5, and c^.5."""
    for at in range(begin, end):
        one = np.float32(1)
        if len(weights):
            one = np.float32(np.sqrt(weights[at]))
        roots[at - begin] = one
        vector, row = vectors[columns[at]], gathered[at - begin]
        for j in range(len(scale)):
            row[j] = one * scale[j] * vector[j]


@kernel
def _by_columns(n, gathered, roots, out):  # pragma: no cover
    """out = U' (I + U U')^-1 c^.5."""
    matrix, right = np.empty((n, n), np.float32), roots[:n].copy()
    for i in range(n):
        for j in range(i + 1):
            matrix[i, j] = _product(gathered[i], gathered[j], gathered.shape[1])
    _of_positive(matrix, right)
    for i in range(n):
        for j in range(gathered.shape[1]):
            out[j] += right[i] * gathered[i, j]


@kernel
def _of_positive(matrix, right):  # pragma: no cover
    """Put the solution of (I + matrix) x = right, of which the lower triangle is read, into `right`."""
    n = len(right)
    for i in range(n):
        matrix[i, i] += np.float32(1)
    factor = np.linalg.cholesky(matrix)  # in the order of Fortran
    turned = factor.T
    for i in range(n):  # by columns of the factor, which are together in memory
        right[i] /= turned[i, i]
        for j in range(i + 1, n):
            right[j] -= right[i] * turned[i, j]
    for i in range(n - 1, -1, -1):
        right[i] = (right[i] - _product(turned[i, i + 1 :], right[i + 1 :], n - i - 1)) / turned[i, i]


@sum_kernel
def _product(one, other, size):  # pragma: no cover
    total = np.float32(0)
    for j in range(size):
        total += one[j] * other[j]
    return total
