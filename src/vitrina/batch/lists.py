"""Tables of lists, block by block, and a file of them that is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import final

import polars as pl
from polars.io.plugins import register_io_source

from vitrina.base.errors import ParameterError
from vitrina.base.files import atomic_file
from vitrina.base.showing import labels_of
from vitrina.protocols import Recommender
from vitrina.told import explained, in_words
from vitrina.types import Eligibility, Queries

BLOCK, EXPLAINED = 8192, 256  # queries at a time; where each place is explained


@final
@dataclass(frozen=True)
class Asking:
    """What is asked about everybody, and how the table of the lists is.

    Args:
        k: length of a list.
        user_column: the name of the column of who asks; None: that of the queries' labels.
        item_column: the name of the column of items.
        explain: with columns of why.
        words: columns of lists and structs are text, as a CSV file needs it.
    """

    k: int
    user_column: str | None = None
    item_column: str = "item_id"
    explain: bool = False
    words: bool = False

    def frames(self, recommender: Recommender, queries: Queries, eligible: Eligibility) -> Iterator[tuple[int, pl.DataFrame]]:
        """How many queries are answered so far, and the table of a block of them: at least one, which is empty where there are no queries."""
        labels = labels_of(queries.labels, len(queries))
        queries = replace(queries, labels=labels if self.user_column is None else labels.alias(self.user_column))
        if not len(queries):
            yield 0, self._frame(recommender, queries, eligible)
        for part, block in queries.blocks(EXPLAINED if self.explain else BLOCK):
            yield part.stop, self._frame(recommender, block, eligible.rows(part))

    def _frame(self, recommender: Recommender, queries: Queries, eligible: Eligibility) -> pl.DataFrame:
        if self.explain:
            table = explained(recommender, queries, self.k, eligible=eligible).rename({"item_id": self.item_column})
        else:
            lists = recommender.recommend(queries, self.k, eligible=eligible)
            table = replace(lists, item_column=self.item_column).to_frame(queries.labels)
        return in_words(table) if self.words else table


def write_frames(frames: Iterator[pl.DataFrame], path: Path) -> int:
    """Write tables one after another into a file, .csv or .parquet, which appears when it is whole; the number of rows.

    Raises:
        ParameterError: a table has other columns than the first.
    """
    rows = 0
    first = next(frames)

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for frame in chain([first], frames):
            rows += len(frame)
            yield _alike(first, frame)

    lazy = register_io_source(lambda *_: counted(), schema=first.schema)
    with atomic_file(path) as staging, staging.open("wb") as file:  # an open one: by its name Polars might make it after we have given up
        (lazy.sink_csv if path.suffix == ".csv" else lazy.sink_parquet)(file)
    return rows


def _alike(first: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Refuse a block with other columns than the first: a file has one set of them."""
    if frame.schema != first.schema:
        raise ParameterError(
            f"A recommender must give the same columns for all queries. The first lists have {dict(first.schema)}, later ones {dict(frame.schema)}."
        )
    return frame
