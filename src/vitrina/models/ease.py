"""EASE: a ridge regression of each item on all others, in closed form."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Protocol, cast, final

import numpy as np
import psutil
from pydantic import Field
from scipy.linalg import get_lapack_funcs

from vitrina.base.arrays import cuts
from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError
from vitrina.base.kernels import Spread
from vitrina.base.rates import product_rate
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Parts, over_parts, workers_of
from vitrina.data.split import Split
from vitrina.forms.itemmap import Basis, ItemMap
from vitrina.models.base import ModelConfig
from vitrina.models.cost import MEMORY_SHARE, Cost, Size
from vitrina.models.entries import users_items
from vitrina.models.news import digest, last_moment, news_of
from vitrina.models.pairs import dealt
from vitrina.models.woodbury import updated
from vitrina.protocols import Recommender
from vitrina.types import Float32, Int32

LAPACK_ITEMS = 26_000  # the largest that one call is known to bear: at 41,000 the LAPACK of SciPy crashes the process
PANEL = 1024
SURELY_FAST = 10_000  # items that are never too many for the time
TILE = 64
BLOCK = 1 << 27  # bytes of the rows of X'X that come back from another process at once


@final
class EASE(ModelConfig):
    """Score items by how well the history predicts them in a ridge regression. [Steck 2019](https://arxiv.org/abs/1905.03375), eq. 8.

    weight_from_to[i, j] = -P[i, j] / P[j, j] with P = (X'X + D)^-1 and a zero diagonal; score = X @ weight_from_to.
    D = l2 I, or with dropout p ([EDLAE, Steck 2020](https://proceedings.neurips.cc/paper/2020/hash/e33d974aae13e4d877477d51d8bafdc4-Abstract.html))
    D = l2 I + p / (1 - p) diag(X'X). X is the binary matrix of users and items: repeated interactions count once.
    Where events have weights, an entry of X is the largest of the pair's events, at the fit and in the history.

    The zero diagonal is what makes it a regression on the *other* items, so an item of the history never speaks for itself. Where people
    take things again, compare `TopPersonal`, `TifuKNN` or `Cooccurrence`, which keeps its diagonal there.

    Args:
        l2: strength of the ridge; the sparser the log, the smaller it should be (50 to 1000 in published results).
        dropout: p; 0 is plain EASE.
        max_items: only the most frequent items; None takes as many as the free memory and `minutes` allow, and the result's
            `notes` say how many these were. Items left out come after all others, by popularity.
        minutes: how long the inverse may take by an estimate, where `max_items` is None.
    Returns:
        ItemMap with dense float32 weights.
    Raises:
        MemoryBudgetError: the weights of `max_items` would not fit; says how much they need, and what to use instead.

    Cost: items^3 flops once and 4 * items^2 bytes (20,000 items: 1.6 GB); a query costs history x items.

    `fit(log_of_now, start=fitted)` adds what came since: P changes by two columns per person whose items changed (Woodbury), 4 * items^2 flops each, to what a fit on all of it gives
    within rounding. Where that wouldn't pay (from a fifth as many people as items on), where a dropout changes the whole diagonal, or where the kept items aren't those of the start and new ones, it is
    such a fit. Events that came late, and other parameters, are refused.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.EASE(l2=1).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    takes_start: ClassVar[bool] = True
    l2: float = Field(default=500, gt=0)
    dropout: float = Field(default=0, ge=0, lt=1)
    max_items: int | None = Field(default=None, ge=2)
    minutes: float = Field(default=2, gt=0)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> ItemMap:
        if not data.catalogue.n_users:
            raise DataError(f"EASE needs events to learn from, and {data!r} has none.")
        kept, notes = kept_items(self, data, data.catalogue.by_popularity)
        news = None if start is None else news_of(self, start, data)
        # a dropout changes the diagonal of all that are taken
        inverse = None if news is None or self.dropout else updated(cast("ItemMap", start), news, kept, self.l2)
        if inverse is None:
            weights = gram(data, kept)
            diagonal = solve(self, data, weights)
        else:
            weights, diagonal = inverse, np.diagonal(inverse).copy()
            to_weights(weights)
        until = last_moment(data)
        basis = None if until is None else Basis(until, digest(data), diagonal)
        return ItemMap(data.items, data.catalogue, weights, kept, notes=notes, basis=basis)

    def cost(self, size: Size) -> Cost:
        items = min(size.items, self.max_items or size.items)
        # the inverse: items^3 at about two thirds of the speed of a product
        return Cost(4 * items**2 + 40 * size.entries, 4 * items**2, flops=1.5 * items**3, steps=0.5 * size.pairs + 4 * items**2)


class Ridge(Protocol):
    """What the closed form is told, by EASE and by models that stack more under its matrix."""

    @property
    def l2(self) -> float: ...
    @property
    def dropout(self) -> float: ...
    @property
    def max_items(self) -> int | None: ...
    @property
    def minutes(self) -> float: ...


def solve(model: Ridge, data: Dataset, weights: Float32) -> Float32:
    """From the lower triangle of X'X to -P[i, j] / P[j, j] everywhere, in place; `data` is named where it can't be. Returns the diagonal of P.

    Raises:
        ParameterError: the matrix can't be inverted in float32.
    """
    diagonal = np.einsum("ii->i", weights)
    diagonal += model.l2 + diagonal * model.dropout / (1 - model.dropout)
    try:
        invert_in_place(weights)
    except ArithmeticError:
        name = type(model).__name__
        raise ParameterError(
            f"The 'l2' parameter of {name} is too small for {data!r} in float32: the matrix can't be inverted. Got {model.l2}; try {10 * model.l2:g}.",
            owner=name,
            parameter="l2",
            value=model.l2,
        ) from None
    diagonal = np.diagonal(weights).copy()
    to_weights(weights)
    return diagonal


def to_weights(inverse: Float32) -> None:
    """From the lower triangle of P to -P[i, j] / P[j, j] everywhere, in place."""
    _to_weights((len(inverse) + TILE - 1) // TILE, inverse, -1 / np.diagonal(inverse))


def kept_items(model: Ridge, data: Dataset, ranked: Int32) -> tuple[Int32, tuple[str, ...]]:
    """Codes of the first of the `ranked` items that memory and time allow, ascending, and what to say about it.

    Raises:
        MemoryBudgetError: `max_items` of them would not fit.
    """
    wanted = len(ranked) if model.max_items is None else min(model.max_items, len(ranked))
    free = psutil.virtual_memory().available
    limit = int(np.sqrt(MEMORY_SHARE * free / 4))
    if model.max_items is not None and wanted > limit:
        raise MemoryBudgetError(
            f"{type(model).__name__} of {wanted:,} items needs {4 * wanted**2 / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free. "
            f"Use max_items={limit // 1000 * 1000 or limit} or Cooccurrence(), which keeps only each item's nearest ones."
        )
    reason = "memory"
    if model.max_items is None and wanted > SURELY_FAST and (fast := items_in(60 * model.minutes)) < limit:
        limit, reason = fast, f"{model.minutes:g} minutes"
    taken = min(wanted, limit)
    if taken == len(ranked):
        return np.sort(ranked), ()
    why = "max_items" if taken == wanted else reason
    share = data.catalogue.users[ranked[:taken]].sum() / data.catalogue.users.sum()
    note = f"Fitted on the {taken:,} most frequent of {len(ranked):,} items ({share:.0%} of the interactions), limited by {why}."
    return np.sort(ranked[:taken]), (note,)


def items_in(seconds: float) -> int:
    """How many items can be inverted in that time on this machine, by a short matrix multiplication; in whole thousands."""
    rate = product_rate() / 2  # the inverse reaches about half of the speed of the multiplication
    return max(int(np.cbrt(seconds * rate)) // 1000 * 1000, SURELY_FAST)


def gram(data: Dataset, kept: Int32) -> Float32:
    """X'X of the (users, kept items) matrix: the lower triangle of a (kept, kept) float32 buffer.

    Without weights X is binary, and counts are exact up to 2^24 users of one item. Several workers take a block of rows each, and go over the
    whole log for it, so that what comes back is never more than the matrix.
    """
    out = np.zeros((len(kept), len(kept)), np.float32)
    if workers_of(data) == 1:
        for shard in data.shards():
            _add_shard(shard, kept, slice(0, len(kept)), out)
        return out
    blocks = list(cuts(np.arange(1, len(kept) + 1), max(min(len(kept) ** 2 // (2 * workers_of(data)), BLOCK // 4), 1)))
    for block, rows in zip(blocks, over_parts(data, partial(_rows_of, kept), blocks), strict=True):
        out[block, : block.stop] = rows
    return out


def _rows_of(kept: Int32, parts: Parts, block: slice) -> Float32:
    """The rows of a block of X'X, up to the diagonal of the last."""
    out = np.zeros((block.stop - block.start, block.stop), np.float32)
    for shard in range(len(parts)):
        _add_shard(parts.load(shard), kept, block, out)
    return out


def _add_shard(shard: Dataset, kept: Int32, block: slice, out: Float32) -> None:
    """Add what the people of a shard have to the rows of a block."""
    rows = users_items(shard)
    rows = rows[:, kept[: block.stop]] if block.stop < shard.n_items else rows
    rows.sort_indices()
    columns = rows.tocsc()
    order = block.start + dealt(np.diff(columns.indptr)[block])
    entries = () if shard.events.weights is None else (rows.data, columns.data)
    add = _add_products if entries else _add_pairs
    by_user, by_item = (rows.indptr, rows.indices), (columns.indptr, columns.indices)
    add(len(order), *by_user, *by_item, *entries, order, block.start, out)


def invert_in_place(matrix: Float32) -> None:
    """Replace the lower triangle of a positive definite matrix by that of its inverse (Cholesky, in the same memory).

    One call of LAPACK up to `LAPACK_ITEMS` rows, which is the faster; panels of matrix products beyond.

    Raises:
        ArithmeticError: the matrix is not positive definite in float32.
    """
    if len(matrix) > LAPACK_ITEMS:
        return _invert_in_panels(matrix)
    fortran = matrix.T  # the same memory in the order of LAPACK: its upper triangle
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (fortran,))
    factor, failed = potrf(fortran, lower=0, overwrite_a=1, clean=0)
    if failed:
        raise ArithmeticError
    inverse, failed = potri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ArithmeticError
    assert np.shares_memory(inverse, matrix)


def _invert_in_panels(matrix: Float32) -> None:
    """The same out of matrix products, which count in 64 bits, and one panel of memory: factor, its inverse, and their product."""
    size = len(matrix)
    cuts = [slice(first, min(first + PANEL, size)) for first in range(0, size, PANEL)]
    room = np.empty((size, min(PANEL, size)), np.float32)
    for c in cuts:  # the Cholesky factor, column panel by column panel; its diagonal blocks are inverted at once
        width, below = c.stop - c.start, slice(c.stop, size)
        if c.start:
            matrix[c.start :, c] -= np.matmul(matrix[c.start :, : c.start], matrix[c, : c.start].T, out=room[c.start :, :width])
        matrix[c, c] = inverse = _inverse_factor(matrix[c, c])
        matrix[below, c] = np.matmul(matrix[below, c], inverse.T, out=room[below, :width])
    for c in reversed(cuts):  # the inverse of the factor: what is below a block waits for what is below and right of it
        width, below = c.stop - c.start, slice(c.stop, size)
        for r in reversed([r for r in cuts if r.start >= c.stop]):
            matrix[r, c] = np.matmul(matrix[r, c.stop : r.stop], matrix[c.stop : r.stop, c], out=room[r, :width])
        np.negative(np.matmul(matrix[below, c], matrix[c, c], out=room[below, :width]), out=matrix[below, c])
    for c in cuts:  # inverse of the matrix = (inverse of the factor)' times itself, row panel by row panel
        matrix[c, : c.stop] = matrix[c.start :, c].T @ matrix[c.start :, : c.stop]


def _inverse_factor(block: Float32) -> Float32:
    """The inverse of the lower Cholesky factor of a block, zeros above."""
    potrf, trtri = get_lapack_funcs(("potrf", "trtri"), (block,))
    factor, failed = potrf(block, lower=1, clean=1)
    if failed:
        raise ArithmeticError
    inverse, _ = trtri(factor, lower=1)
    return np.ascontiguousarray(inverse)


@Spread
def _add_pairs(first, last, users_indptr, users_items, items_indptr, items_users, order, low, out):  # pragma: no cover
    for place in range(first, last):
        item = order[place]
        row = out[item - low]
        for at in range(items_indptr[item], items_indptr[item + 1]):
            user = items_users[at]
            for other in range(users_indptr[user], users_indptr[user + 1]):
                if users_items[other] > item:  # indices are sorted
                    break
                row[users_items[other]] += 1


@Spread
def _add_products(first, last, users_indptr, users_items, items_indptr, items_users, by_user, by_item, order, low, out):  # pragma: no cover
    for place in range(first, last):
        item = order[place]
        row = out[item - low]
        for at in range(items_indptr[item], items_indptr[item + 1]):
            user = items_users[at]
            for other in range(users_indptr[user], users_indptr[user + 1]):
                if users_items[other] > item:
                    break
                row[users_items[other]] += by_item[at] * by_user[other]


@Spread
def _to_weights(first, last, p, inverse_diagonal):  # pragma: no cover
    """From the lower triangle of P to -P[i, j] / P[j, j] everywhere, in tiles, so that the transposed half stays in the cache."""
    size = len(p)
    tiles = (size + TILE - 1) // TILE
    for place in range(first, last):
        tile = place // 2 if place % 2 else tiles - 1 - place // 2  # short and long rows in turn
        for left in range(0, min((tile + 1) * TILE, size), TILE):
            for i in range(tile * TILE, min((tile + 1) * TILE, size)):
                for j in range(left, min(left + TILE, i)):
                    value = p[i, j]
                    p[i, j] = value * inverse_diagonal[j]
                    p[j, i] = value * inverse_diagonal[i]
        for i in range(tile * TILE, min((tile + 1) * TILE, size)):
            p[i, i] = 0
