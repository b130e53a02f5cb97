"""Recommendations for a whole clientele, written as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from vitrina.base.errors import ParameterError
from vitrina.base.files import atomic_file
from vitrina.base.showing import labels_of
from vitrina.data.dataset import Dataset
from vitrina.protocols import Recommender
from vitrina.request import check_request
from vitrina.told import explained, in_words
from vitrina.types import Eligibility, Queries
from vitrina.vocabulary import Vocabulary

BLOCK, EXPLAINED = 8192, 256  # queries at a time; where each place is explained
ENDINGS = (".csv", ".parquet")


def recommend_to(
    path: str | Path,
    recommender: Recommender,
    queries: Queries,
    labels: Sequence[Any] | pl.Series | None = None,
    k: int = 10,
    *,
    eligible: Eligibility = Eligibility(),
    item_column: str = "item_id",
    explain: bool = False,
    done: Callable[[int], None] = lambda queries: None,
) -> int:
    """Write the best k items of every query to a Parquet or CSV file, in blocks of 8,192 queries.

    One row per place: who asks, rank (from 1), item, title (where the log had titles), score, source ("model" or "fallback"), and the other
    columns that the lists have. A place that popularity filled has no score. In CSV the reasons of a place are joined by "|". The file
    appears when it is whole.

    Args:
        path: ends with .parquet or .csv.
        recommender: a fitted model.
        queries: who is asked about.
        labels: a name for each query, by default the `labels` of the queries, which are the users' ids when they come from
            `data.queries()`; the name of a series is the name of the column, `query` that of any other list.
        k: length of a list.
        eligible: what may be recommended.
        item_column: the name of the column of items.
        explain: with columns of why, where the model explains: see `vitrina.told.explained`.
        done: called with the number of queries answered so far.
    Returns:
        The number of rows written.
    Raises:
        ParameterError: the path has another ending, there is not one label per query, or what is asked can't be answered, as in `recommend`.

    Memory: what is held already (queries, model), one block of scores (about 16 MB) and a few blocks of rows (60 bytes per place
    and the ids); nothing grows with the number of queries or with queries times items.

    >>> import tempfile, vitrina as vt
    >>> data = vt.testing.toy()
    >>> queries = data.queries()
    >>> # five of six: one person has had everything
    >>> vt.recommend_to(tempfile.mkdtemp() + "/lists.csv", vt.Popularity().fit(data), queries, k=1)
    5
    """
    path = Path(path)
    check_ending(path)
    if not hasattr(recommender, "recommend"):
        raise ParameterError(f"A fitted model answers: model.fit(data), or vt.load(folder).recommender. Got {recommender!r}.")
    k = check_request(queries, k, eligible)
    labels = labels_of(queries.labels if labels is None else labels, len(queries))
    rows = 0

    def answered(block: Queries, part: slice) -> pl.DataFrame:
        if not explain:
            lists = recommender.recommend(block, k, eligible=eligible.rows(part))
            return _written(replace(lists, item_column=item_column).to_frame(labels[part]), path)
        table = explained(recommender, replace(block, labels=labels[part]), k, eligible=eligible.rows(part))
        return _written(table.rename({"item_id": item_column}), path)

    def frames() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for part, block in queries.blocks(EXPLAINED if explain else BLOCK):
            frame = answered(block, part)
            rows += len(frame)
            yield frame
            done(part.stop)

    blocks = frames()
    first = next(blocks, None)
    if first is None:
        first = answered(queries, slice(None))
    lazy = register_io_source(lambda *_: chain([first], (_alike(first, frame) for frame in blocks)), schema=first.schema)
    with atomic_file(path) as staging, staging.open("wb") as file:  # an open one: by its name Polars might make it after we have given up
        (lazy.sink_parquet if path.suffix == ".parquet" else lazy.sink_csv)(file)
    return rows


def _written(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The lists of a block as the file has them."""
    return in_words(table) if path.suffix == ".csv" else table


def _alike(first: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Refuse a block with other columns than the first: a file has one set of them."""
    if frame.schema != first.schema:
        raise ParameterError(
            f"A recommender must give the same columns for all queries. The first lists have {dict(first.schema)}, later ones {dict(frame.schema)}."
        )
    return frame


def check_ending(path: Path) -> None:
    """Refuse a file that is neither Parquet nor CSV."""
    if path.suffix not in ENDINGS:
        raise ParameterError(f"The file of recommendations must end with {' or '.join(ENDINGS)}. Got {path.name!r}.")


def aligned(data: Dataset, vocabulary: Vocabulary) -> Dataset:
    """The log in the item codes of a fitted model; events of items that it doesn't know are left out, and so is the item table.

    What a model that was fitted on another log is asked with: `model.recommend(vt.aligned(data, model.vocabulary).queries(), k=10)`.

    Raises:
        ParameterError: these are no Dataset and no Vocabulary.

    >>> import vitrina as vt
    >>> vt.aligned(vt.testing.toy(), vt.Vocabulary.of(["tea", "jam"]))
    Dataset('toy': 11 events, 6 users, 2 items)
    """
    if not isinstance(data, Dataset) or not isinstance(vocabulary, Vocabulary):
        raise ParameterError(
            "A log is put into the codes of a model by its vocabulary: vt.aligned(data, model.vocabulary). "
            f"Got a {type(data).__name__} and a {type(vocabulary).__name__}."
        )
    if len(data.items) == len(vocabulary) and data.items.fingerprint() == vocabulary.fingerprint():
        return data
    codes = vocabulary.encode(data.items.ids)[data.events.items]
    known = data.select(codes >= 0, items=vocabulary, item_table=None)
    return replace(known, events=replace(known.events, items=codes[codes >= 0]))
