"""SANSA: EASE with a sparse approximate inverse in the place of the dense one."""

from __future__ import annotations

from typing import Any, ClassVar, final

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
from vitrina.models.inverse import Inverse, Inverted, Regressions
from vitrina.models.sparse_gram import gram_entries, sparse_gram
from vitrina.protocols import Recommender
from vitrina.types import Float32, Float64

WIDER = 16  # entries of X'X that are kept for each of a row of the inverse: on Gowalla 4 cost 2% of Recall@20 in validation


@final
class SANSA(ModelConfig):
    """Score items as EASE does, by a sparse approximate inverse. [Spisak et al. 2023](https://doi.org/10.1145/3604915.3608827).

    P = (X'X + l2 I)^-1 ~ W' D^-1 W with W sparse and D diagonal, as `inverse` makes them; score = x W' V + x with V[i, j] = -W[i, j] / (D[i] P[j, j]), so that an item of
    the history says nothing of itself, as in EASE. Two sparse factors lead farther than one sparse matrix of as many entries. X is the binary matrix of users and items:
    repeated interactions count once. Where events have weights, an entry of X is the largest of the pair's events, at the fit and in the history.

    It is EASE for catalogues of tens of thousands to a million items. Where people take things again, compare `TopPersonal`, `TifuKNN` or `Cooccurrence`.

    Args:
        l2: strength of the ridge; the sparser the log, the smaller it should be (20 to 500 in published results).
        dropout: p, which puts p / (1 - p) diag(X'X) beside l2 I, as EASE's does.
        neighbours: entries of a row of W (of a column of L, with a factor). Few are often better than many, as they leave out what is only noise; 20 and l2 50 to 100 were
            the best of few trials on Gowalla.
        inverse: an object of `vt.inverse`.
    Returns:
        FactoredMap of W' and V.
    Raises:
        MemoryBudgetError: the entries of X'X and of W would not fit; says how much they need, and which `neighbours` do.

    Cost: the sum over users of the squared number of their items, and that of `inverse`; memory 8 bytes per pair of user and item (24 with weights), and up to 540 bytes x items x
    neighbours for X'X with 16 entries for each of W, never items x items; the notes say what it came to. A query costs the entries that are come by on two steps.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.SANSA(l2=1).fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    l2: float = Field(default=100, gt=0)
    dropout: float = Field(default=0, ge=0, lt=1)
    neighbours: int = Field(default=20, ge=1)
    inverse: Inverse = Regressions()

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> FactoredMap:
        if not data.catalogue.n_users:
            raise DataError(f"SANSA needs events to learn from, and {data!r} has none.")
        gram = sparse_gram(data, self.l2, self.neighbours, "SANSA", WIDER, self.dropout)
        inverted = self.inverse.of(gram, self.neighbours)
        path, own = _chain(inverted, gram.scale)
        return FactoredMap(data.items, data.catalogue, (path,), own, notes=(*gram.notes, *inverted.notes))

    def cost(self, size: Size) -> Cost:
        entries = size.items * min(self.neighbours, size.items)
        wide = gram_entries(size, WIDER * self.neighbours)
        steps = size.pairs + wide * self.neighbours + entries * self.neighbours**2 / 6
        return Cost(memory=8 * size.entries + 32 * wide + 32 * entries, kept=16 * entries, steps=steps)


def _chain(inverted: Inverted, scale: Float64) -> tuple[Path, Float32]:
    """W' and V on the scale of X, without the items that have no events, and the 1 that takes a history's own items out again."""
    known = scale > 0
    squares = inverted.rows.multiply(inverted.rows).T @ (1 / inverted.pivots)  # the diagonal of C^-1
    towards = np.divide(-1, scale * squares, where=known, out=np.zeros(len(scale)))
    first = inverted.rows @ sparse.diags(scale)
    second = sparse.diags(1 / inverted.pivots) @ inverted.rows @ sparse.diags(towards)
    factors = tuple(_float32(matrix) for matrix in (first.T, second))
    return Path(factors), known.astype(np.float32)


def _float32(matrix: Any) -> sparse.csr_matrix:
    rows = sparse.csr_matrix(matrix, dtype=np.float32)
    rows.eliminate_zeros()
    return rows
