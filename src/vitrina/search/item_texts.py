"""Item vectors by an encoder of texts."""

from __future__ import annotations

from typing import Any, final

import polars as pl

from vitrina.base.config import Names
from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.rerank.similarity import ItemVectors
from vitrina.search.encoder import TextEncoder
from vitrina.search.packaged import Packaged
from vitrina.search.rows import joined_text
from vitrina.types import Float32

DESCRIBING = ("text", "category", "categories")


@final
class OfTexts(ItemVectors):
    """What an encoder makes of the texts of the item table: for re-rankers and for semantic codes, `vt.sequence.ResidualKMeans(vectors=vt.search.OfTexts())`.

    Args:
        encoder: makes vectors of texts; the packaged one needs the extra `encoder`.
        columns: columns of the item table, joined in this order; None takes the title and those of text or categories.

    Raises:
        DataError: the log has no item table, or the table hasn't these columns.
        MissingExtraError: the encoder's package isn't installed.

    Cost: the encoder over all items; the packaged one reads some 3,000 tokens per second and core.
    """

    encoder: TextEncoder = Packaged()
    columns: Names | None = None

    def vectors(self, data: Dataset, recommender: Any = None) -> Float32:
        return self.encoder.encode(self.texts(data))

    def texts(self, data: Dataset) -> pl.Series:
        """(items,) what is read of each item; null or empty where the table says nothing."""
        table = data.item_table
        if table is None:
            raise DataError(f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=...")
        titled = [table.title] if table.title else []
        usable = list(dict.fromkeys([*titled, *(n for n in table.frame.columns if table.kinds.get(n) in DESCRIBING)]))
        chosen = usable if self.columns is None else list(self.columns)
        wrong = [name for name in chosen if name not in table.frame.columns]
        if wrong or not chosen:
            got = f"Got {', '.join(wrong)}." if wrong else "There is none."
            raise DataError(f"The texts of items must be columns of the item table ({', '.join(table.frame.columns)}). {got}")
        return joined_text(table.frame, chosen)
