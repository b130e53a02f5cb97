"""Recommendations for a whole clientele, written as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from vitrina.data.dataset import Dataset
from vitrina.errors import ParameterError
from vitrina.files import atomic_file
from vitrina.protocols import Recommender
from vitrina.types import Eligibility, Int32, Queries
from vitrina.vocabulary import Vocabulary

BLOCK = 8192  # queries at a time
ENDINGS = (".csv", ".parquet")


def recommend_to(
    path: str | Path,
    recommender: Recommender,
    queries: Queries,
    labels: pl.Series,
    k: int,
    *,
    eligible: Eligibility = Eligibility(),
    item_column: str = "item_id",
    done: Callable[[int], None] = lambda queries: None,
) -> int:
    """Write the best k items of every query to a Parquet or CSV file, a block of 8,192 queries at a time.

    One row a place: the label, rank (from 1), item, score, source ("model" or "fallback"). The file appears when it is whole.

    Args:
        path: ends with .parquet or .csv.
        recommender: a fitted model.
        queries: who is asked about.
        labels: a name for each query, for example user ids; the name of the series is the name of the column.
        k: length of a list.
        eligible: what may be recommended.
        item_column: the name of the column of items.
        done: called with the number of queries answered so far.
    Returns:
        The number of rows written.
    Raises:
        ParameterError: the path has another ending, or there is not one label a query.

    Memory: what is held already (queries, model), one block of scores (about 16 MB) and a few blocks of rows (60 bytes a place
    and the ids); nothing grows with the number of queries or with queries times items.

    >>> import tempfile, vitrina as vt
    >>> data = vt.testing.toy()
    >>> queries = data.queries()
    >>> users = data.users.decode(queries.users).rename("user_id")
    >>> # five of six: one person has had everything
    >>> vt.recommend_to(tempfile.mkdtemp() + "/lists.csv", vt.Popularity().fit(data), queries, users, k=1)
    5
    """
    path = Path(path)
    check_ending(path)
    if len(labels) != len(queries):
        raise ParameterError(f"There must be one label a query ({len(queries)}). Got {len(labels)}.")
    rows = 0

    def frames() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for part, block in queries.blocks(BLOCK):
            lists = recommender.recommend(block, k, eligible=eligible.rows(part))
            frame = lists.to_frame(labels[part]).rename({"item_id": item_column})
            rows += len(frame)
            yield frame
            done(part.stop)

    blocks = frames()
    first = next(blocks, None)
    if first is None:
        first = recommender.recommend(queries, k, eligible=eligible).to_frame(labels).rename({"item_id": item_column})
    lazy = register_io_source(lambda *_: chain([first], blocks), schema=first.schema)
    with atomic_file(path) as staging:
        (lazy.sink_parquet if path.suffix == ".parquet" else lazy.sink_csv)(staging)
    return rows


def check_ending(path: Path) -> None:
    """Refuse a file that is neither Parquet nor CSV."""
    if path.suffix not in ENDINGS:
        raise ParameterError(f"The file of recommendations must end with {' or '.join(ENDINGS)}. Got {path.name!r}.")


def aligned(data: Dataset, vocabulary: Vocabulary) -> Dataset:
    """The log in the item codes of a model; events of items that the model doesn't know are left out.

    >>> import vitrina as vt
    >>> aligned(vt.testing.toy(), vt.Vocabulary.of(["tea", "jam"]))
    Dataset('toy': 11 events, 6 users, 2 items)
    """
    if len(data.items) == len(vocabulary) and data.items.fingerprint() == vocabulary.fingerprint():
        return data
    codes = vocabulary.encode(data.items.ids)[data.events.items]
    kept = data.select(codes >= 0, items=vocabulary, item_table=None)
    return replace(kept, events=replace(kept.events, items=codes[codes >= 0]))


def queries_of(data: Dataset, ids: Sequence[Any] | pl.Series | None = None) -> tuple[Queries, pl.Series]:
    """A query for each of these users, asked after the end of the log, and their ids; None takes all users of the log.

    A user whom the log doesn't know gets an empty history, and so is served from popularity.

    >>> import vitrina as vt
    >>> queries, users = queries_of(vt.testing.toy(), ["ann", "zoe"])
    >>> queries.lengths.tolist(), users.to_list()
    ([4, 0], ['ann', 'zoe'])
    """
    if ids is None:
        queries = data.queries()
        return queries, data.users.decode(queries.users).rename("user_id")
    labels = ids if isinstance(ids, pl.Series) else pl.Series("user_id", list(ids))
    codes: Int32 = data.users.encode(labels)
    known = np.maximum(codes, 0)
    queries = data.queries(known)
    stop = np.where(codes >= 0, queries.stop, queries.start)
    return replace(queries, stop=stop, users=codes), labels
