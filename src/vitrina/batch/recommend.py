"""Lists of a model for everybody, by one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from vitrina.base.codes import check_length
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.executor import Executor, InProcess
from vitrina.base.showing import labels_of
from vitrina.batch.aligned import OTHER_LOG, aligned
from vitrina.batch.job import Job, Written, look, now_of
from vitrina.batch.lists import Asking, write_frames
from vitrina.batch.parts import ModelAt, OfShards
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Sharded
from vitrina.protocols import Recommender
from vitrina.request import check_request
from vitrina.types import Eligibility, Queries, Ragged

ENDINGS = (".csv", ".parquet")


def recommend_to(
    path: str | Path,
    recommender: Recommender | str | Path,
    queries: Queries | Dataset,
    labels: Sequence[Any] | pl.Series | None = None,
    k: int = 10,
    *,
    eligible: Eligibility = Eligibility(),
    user_column: str | None = None,
    item_column: str = "item_id",
    explain: bool = False,
    executor: Executor | None = None,
    trust: bool = False,
    done: Callable[[int], None] = lambda queries: None,
) -> int:
    """Write the best k items of every query to a Parquet or CSV file, in blocks of 8,192 queries.

    One row per place: who asks, rank (from 1), item, title (where the log had titles), score, source ("model" or "fallback"), and the other
    columns that the lists have. A place that popularity filled has no score. In CSV the reasons of a place are joined by "|". The file
    appears when it is whole.

    A model that is named by its folder answers as a job, which may have many workers: each loads it once, and what is finished is kept beside the path
    until all is. After a kill the same call goes on; `vitrina recommend --cancel` removes it. Parts are shards of a log larger than memory,
    2,048 queries otherwise, and rows come in their order, however many workers there are.

    Args:
        path: ends with .parquet or .csv. Of a job it may also be a folder, which gets a Parquet file per part and a manifest.
        recommender: a fitted model, or the folder of one that `vt.save` or `vitrina fit` wrote.
        queries: who is asked about; or a log, for everybody in it: in the codes of the model, which leaves out events of items that it doesn't know.
        labels: a name for each query, by default the `labels` of the queries, which are the users' ids when they come from
            `data.queries()`; the name of a series is the name of the column, `query` that of any other list.
        k: length of a list.
        eligible: what may be recommended.
        user_column: the name of the column of who asks; by default that of the labels.
        item_column: the name of the column of items.
        explain: with columns of why, where the model explains: see `vitrina.told.explained`.
        executor: who does the job; by default this process, or whoever goes through the shards of the log (`data.on(...)`).
        trust: allow a folder to name classes of one's own: it runs their code.
        done: called with the number of queries answered so far.
    Returns:
        The number of rows written.
    Raises:
        ParameterError: the path has another ending, there is not one label per query, what is asked can't be answered, as in `recommend`, workers
            are asked for and the model isn't named by its folder, or the path has the job of something else.
        DataError: the model knows none of the items of the log.

    Memory: what is held already (queries, model), one block of scores (about 16 MB) and a few blocks of rows (60 bytes per place
    and the ids); nothing grows with the number of queries or with queries times items. Of a log larger than memory one shard per worker.

    >>> import tempfile, vitrina as vt
    >>> data = vt.testing.toy()
    >>> queries = data.queries()
    >>> # five of six: one person has had everything
    >>> vt.recommend_to(tempfile.mkdtemp() + "/lists.csv", vt.Popularity().fit(data), queries, k=1)
    5
    """
    path = Path(path)
    folder = isinstance(recommender, (str, Path))
    check_ending(path, folder=folder)
    asking = Asking(check_length(k), user_column, item_column, explain, path.suffix == ".csv")
    queries = _checked(queries, labels, k, eligible)
    runner: Executor = executor or (queries.executor if isinstance(queries, Sharded) else InProcess())
    if folder:
        model = ModelAt.of(recommender, trust=trust)
        return write_job(
            Job(path, model, asking, runner, lambda what, number, of: done(number) if what == "Users" else None), queries, eligible
        ).rows
    if not hasattr(recommender, "recommend"):
        raise ParameterError(f"A fitted model answers: model.fit(data), or vt.load(folder).recommender. Got {recommender!r}.")
    if runner.workers > 1:
        raise ParameterError(
            "Workers load the model from its folder: vt.save(fitted, 'model'), and vt.recommend_to(path, 'model', ...). Got a fitted model.",
            parameter="recommender",
        )
    return _write_here(path, recommender, queries, eligible, asking, done)


def write_job(job: Job, queries: Queries | Dataset, eligible: Eligibility) -> Written:
    """What the job of queries, or of everybody in a log, wrote."""
    if isinstance(queries, Sharded):
        return job.of_log(queries, eligible)
    if isinstance(queries, Dataset):
        queries = _known(queries, job.model.recommender).queries()
    return job.of_queries(queries, eligible)


def _write_here(
    path: Path, recommender: Recommender, queries: Queries | Dataset, eligible: Eligibility, asking: Asking, done: Callable[[int], None]
) -> int:
    def frames() -> Iterator[pl.DataFrame]:
        answered = 0
        for part in _parts(recommender, queries):
            for count, frame in asking.frames(recommender, part, eligible):
                yield frame
                done(answered + count)
            answered += len(part)

    return write_frames(frames(), path)


def _parts(recommender: Recommender, queries: Queries | Dataset) -> Iterator[Queries]:
    """Queries, or those of everybody in a log, shard by shard."""
    if isinstance(queries, Queries):
        yield queries
    elif isinstance(queries, Sharded):
        looked = look(recommender.vocabulary, queries, queries.executor, lambda what, number, of: None)
        shards = OfShards(queries.parts, now_of(looked), Eligibility())
        yield from (shards.part(number, recommender.vocabulary)[0] for number, part in enumerate(looked) if part.queries)
    else:
        yield _known(queries, recommender).queries()


def _known(data: Dataset, recommender: Recommender) -> Dataset:
    known = aligned(data, recommender.vocabulary)
    if not known.n_events:
        raise DataError(f"The model knows none of the items of {data.name!r}. {OTHER_LOG}")
    return known


def _checked(queries: Any, labels: Any, k: int, eligible: Eligibility) -> Queries | Dataset:
    """Queries with their labels, or a log whose question has no rows of its own."""
    if not isinstance(queries, Dataset):
        check_request(queries, k, eligible)
        return replace(queries, labels=labels_of(queries.labels if labels is None else labels, len(queries)))
    if labels is not None or any(isinstance(items, Ragged) for items in (eligible.include, eligible.exclude)):
        raise ParameterError(
            "Labels and rows of an Eligibility are for queries, of which they are one each. With a log leave them out, or ask with data.queries()."
        )
    return queries


def check_ending(path: Path, *, folder: bool = False) -> None:
    """Refuse a file that is neither Parquet nor CSV.

    Args:
        folder: a folder will do, which has no ending.
    """
    if path.suffix not in ENDINGS and not (folder and not path.suffix):
        or_folder = ", or be a folder" if folder else ""
        raise ParameterError(f"The file of recommendations must end with {' or '.join(ENDINGS)}{or_folder}. Got {path.name!r}.")
