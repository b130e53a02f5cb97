"""A search engine as a model, so that it stands on a board beside recommenders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from vitrina.base.config import Names
from vitrina.base.errors import DataError, ParameterError
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.base import Form
from vitrina.models.base import ModelConfig
from vitrina.protocols import Recommender
from vitrina.rerank.rules.conditions import ITEM
from vitrina.search.analysis import TextAnalysis
from vitrina.search.changes import with_rows
from vitrina.search.index import Fields, ItemIndex
from vitrina.search.inverted import Inverted
from vitrina.search.rows import check_columns, joined_text


@final
class TextSearch(ModelConfig):
    """Items of the log's table that answer what was typed, by words (BM25) or by vectors; of the log itself it reads how often each item was taken.

    Items without events are found too, and popularity fills no place: a list is short where few items have the words, and empty where nothing was typed.

    Args:
        columns: of the item table, and how often each counts.
        languages: whose stemmers and stop words, see `vt.search.TextAnalysis`.
        source: "lexical" or "semantic".
        encoder: what makes vectors, such as `vt.search.Packaged()`; "semantic" needs one.
        encoded: the columns whose text the encoder reads; None takes `columns`.
        k1: see `vt.search.ItemIndex.lexical`, and so are `b` and `share`.

    Raises:
        DataError: the log has no item table.
        UnknownNameError: the table hasn't these columns.

    Cost: that of the index.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> fitted = vt.search.TextSearch(columns={"title": 1}).fit(data)
    >>> fitted.recommend(vt.Queries.of_texts(data.items, ["milk"]), 2).to_frame()["title"].to_list()
    ['Whole milk']
    """

    reads_weights: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("items",)
    reads_shards: ClassVar[bool] = True
    columns: Mapping[str, float]
    languages: Names = ("english",)
    source: Literal["lexical", "semantic"] = "lexical"
    encoder: Any = None
    encoded: Names | None = None
    k1: float = Field(default=1.5, ge=0)
    b: float = Field(default=0.75, ge=0, le=1)
    share: float = Field(default=0.0, ge=0, le=1)

    @field_validator("columns")
    @classmethod
    def _weighted(cls, columns: Mapping[str, float]) -> Mapping[str, float]:
        if not columns or not all(weight > 0 for weight in columns.values()):
            raise ValueError("at least one column and how often it counts, above 0: {'title': 3, 'description': 1}")
        return columns

    def index(self, data: Dataset) -> ItemIndex:
        """The index of the items of a log."""
        table = data.item_table
        if table is None:
            raise DataError(f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=...")
        fields = Fields(
            id=ITEM, columns=self.columns, analysis=TextAnalysis(languages=self.languages), encoder=self.encoder, encoded=self.encoded
        )
        check_columns([*fields.columns, *fields.read], table.frame)
        known = data.catalogue
        empty = ItemIndex(data.items, Catalogue(known.events, known.users, known.n_users, fills=False), fields, Inverted(), None, table)
        described = (joined_text(table.frame, list(dict.fromkeys([*fields.columns, *fields.read]))).fill_null("") != "").arg_true()
        return with_rows(empty, described.to_numpy().astype(np.int32), table.frame[described.cast(pl.Int64)], None)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Form:
        if self.source == "semantic" and self.encoder is None:
            raise ParameterError(
                "TextSearch by vectors needs an encoder: TextSearch(source='semantic', encoder=vt.search.Packaged(), ...).",
                owner="TextSearch",
                parameter="encoder",
            )
        index = self.index(data)
        return index.semantic() if self.source == "semantic" else index.lexical(k1=self.k1, b=self.b, match=self.share)
