"""Codes that somebody else made, as a coder."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.sequence.semantic.coder import Coder
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.types import Bool, Float32


@final
class GivenCodes(Coder):
    """Codes out of a Parquet file, matched to the log's items by their ids.

    Args:
        path: the file.
        item: its column of ids.
        column: its column of codes, lists of whole numbers of one length.
        digits: how many of them to take, from the first one; None takes all. A last digit that only tells items with the same code apart says nothing of what
            an item is.

    Raises:
        DataError: the file or a column can't be used, or no item of the log has a code.
    """

    path: str
    item: str = "item_id"
    column: str
    digits: int | None = None

    def fit(self, data: Dataset, vectors: Float32 | None = None) -> SemanticCodes:
        """The codes of the items of `data`. `vectors` are refused: the codes are there."""
        if vectors is not None:
            raise ParameterError("GivenCodes takes no vectors: its codes are there already.", owner="GivenCodes", parameter="vectors")
        given = SemanticCodes.of_table(self.path, item=self.item, column=self.column)
        if self.digits is not None:
            if not 0 < self.digits <= len(given.sizes):
                raise ParameterError(
                    f"The 'digits' of GivenCodes must be 1 to {len(given.sizes)}, as many as the codes in {self.path} have. Got {self.digits}.",
                    owner="GivenCodes",
                    parameter="digits",
                    value=self.digits,
                )
            given = SemanticCodes(given.vocabulary, given.codes[:, : self.digits], given.sizes[: self.digits], given.made)
        codes = given.of(data.items)
        if not codes.known.any():
            raise DataError(f"No item of {data!r} has a code in {self.path}: the ids in its column {self.item!r} must be those of the log.")
        return codes

    def covers(self, data: Dataset) -> Bool:
        return np.array(self.fit(data).known)
