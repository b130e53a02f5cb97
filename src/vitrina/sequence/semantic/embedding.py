"""An item's vector out of its semantic code."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from scipy import sparse
from scipy.sparse.linalg import lsmr
from torch import Tensor, nn

from vitrina.data.dataset import Dataset
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.embed.base import Embed, FittedTable, Rows, Table
from vitrina.sequence.semantic.coder import Coder
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.types import Bool, Int64


@final
class SemanticIds(Embed):
    """The sum of learned vectors of an item's code: one for each value of each digit, v = sum_d w[d, code_d].

    Items with alike codes share vectors, so that what few events say of an item is helped by what others say of its kind; an item with a code and without
    an event gets a vector too, and is recommended. Beside ids: `SumOf(parts=(Ids(), SemanticIds(codes=ResidualKMeans())))`.

    Args:
        codes: what gives items their codes.
        prefixes: also learn a vector for each group of items that share more than the first digit, one for every number of digits from two.
        dropout: share that is dropped of every item's vector.

    Raises:
        DataError: the coder can't give the items of the log their codes.

    >>> import vitrina as vt
    >>> codes = vt.sequence.ResidualKMeans(sizes=(2, 2), vectors=vt.similarity.OfContent(dim=3))
    >>> embed = vt.sequence.SumOf(parts=(vt.sequence.Ids(), vt.sequence.SemanticIds(codes=codes)))
    >>> model = vt.SequenceModel(embed=embed, dim=8, training=vt.sequence.Training(epochs=1, patience=None))
    >>> data = vt.testing.toy()
    >>> model.fit(data).recommend(data.queries(), k=1).items.shape
    (6, 1)
    """

    codes: Coder
    prefixes: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)

    def build(self, data: Dataset, rows: Rows, dim: int) -> Table:
        tokens, size = _tokens(self.codes.fit(data), self.prefixes)
        return _Coded(rows, torch.from_numpy(tokens[rows.codes]), size, dim, self.dropout)

    def covers(self, data: Dataset) -> Bool:
        return self.codes.covers(data)


def _tokens(codes: SemanticCodes, prefixes: bool) -> tuple[Int64, int]:
    """(items, tokens) the number of each vector that an item sums up, and how many vectors there are; that number stands for none."""
    parts = [codes.codes[:, digit].astype(np.int64) for digit in range(len(codes.sizes))]
    sizes = list(codes.sizes)
    for digits in range(2, len(codes.sizes) + 1) if prefixes else ():
        parts.append(codes.prefixes(digits))
        sizes.append(int(parts[-1].max(initial=-1)) + 1)
    starts = np.cumsum([0, *sizes])
    tokens = np.column_stack([part + first for part, first in zip(parts, starts, strict=False)])
    tokens[~codes.known] = starts[-1]
    return tokens, int(starts[-1])


@final
class _Coded(Table):
    tokens: Tensor

    def __init__(self, rows: Rows, tokens: Tensor, size: int, dim: int, dropout: float) -> None:
        super().__init__(rows)
        self.vectors, self.none = nn.Embedding(size + 1, dim), size
        self.drop = Dropout(dropout)
        self.register_buffer("tokens", tokens, persistent=False)

    def head(self, n: int) -> Tensor:
        return self.drop(F.embedding_bag(self.tokens[:n], self.vectors.weight, mode="sum", padding_idx=self.none))

    def continue_from(self, fitted: FittedTable) -> None:
        """The vectors of codes that give the known items what they had, by least squares; those of codes that no known item has are zeros.

        Codes may be others than before: the coder looked at other items.
        """
        known = fitted.known & (self.tokens[:, 0] < self.none)
        tokens, wanted = self.tokens[known].numpy(), fitted.vectors[fitted.row[known]].double().numpy()
        indptr = np.arange(0, tokens.size + 1, tokens.shape[1])
        sums = sparse.csr_matrix((np.ones(tokens.size), tokens.ravel(), indptr), shape=(len(tokens), self.none + 1))
        solution = np.column_stack([lsmr(sums, column, atol=1e-8, btol=1e-8)[0] for column in wanted.T])
        self.vectors.weight.copy_(torch.from_numpy(solution))
