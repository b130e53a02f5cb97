"""`vitrina recommend --out` as a job over parts: by workers, into a folder, or for everybody in an ingested log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrina.artifacts import Artifact
from vitrina.base.errors import ParameterError
from vitrina.base.executor import Executor, InProcess
from vitrina.batch.job import Job, Written, cancel_job
from vitrina.batch.lists import Asking
from vitrina.batch.parts import ModelAt
from vitrina.batch.recommend import check_ending
from vitrina.cli import answers, console
from vitrina.cli.log import column_of, is_opened
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Sharded
from vitrina.jobs.engine import engine
from vitrina.types import Eligibility


def spread(name: str, workers: int, cluster: str | None, out: Path | None) -> Executor:
    """Who makes the lists.

    Raises:
        ParameterError: workers are asked for, and no file.
    """
    if out is None and (name, workers, cluster) != ("local", 1, None):
        raise ParameterError(
            "Workers write lists for many people: name their file or folder with --out, or leave --engine and --workers out."
        )
    return engine(name, workers, cluster)


def is_job(source: Mapping[str, Any], users: str, out: Path, spread: Executor) -> bool:
    """Whether the lists are made part by part; else they are made at once, here."""
    return not isinstance(spread, InProcess) or not out.suffix or (users == "all" and is_opened(source["read"]["source"]))


def write_lists(
    artifact: Artifact, model: ModelAt, source: Mapping[str, Any], users: str, k: int, eligible: Eligibility, out: Path, spread: Executor,
    *, explain: bool, json: bool,
) -> None:  # fmt: skip
    """Answer everybody, part by part. After Ctrl-C or a kill the same command goes on."""
    check_ending(out, folder=True)
    user_column, item_column = column_of(source["read"], "user"), column_of(source["read"], "item")
    asking = Asking(k, user_column, item_column, explain, out.suffix == ".csv")
    log, strangers = answers.log_of(source), 0
    try:
        with console.steps() as progress:
            job = Job(out, model, asking, spread, progress)
            if users == "all" and isinstance(log, Sharded):
                written = job.of_log(_filtered(log, source), eligible)
            else:
                queries = answers.questions(artifact, source, log, users)
                strangers = int((queries.users < 0).sum())
                written = job.of_queries(queries, eligible)
    except KeyboardInterrupt:
        console.note("Stopped. The same command goes on from here; with --cancel it removes what is finished.")
        raise
    _say(written, out, strangers, k, eligible, json=json)


def _filtered(log: Sharded, source: Mapping[str, Any]) -> Sharded:
    data: Dataset = answers.filtered(log, source)
    assert isinstance(data, Sharded)
    return data


def _say(written: Written, out: Path, strangers: int, k: int, eligible: Eligibility, *, json: bool) -> None:
    if written.known < written.events:
        answers.warn_of_unknown(written.events - written.known, written.events)
    answers.say_written(out, written.queries, strangers, written.rows, k, eligible, json=json)


def cancel(out: Path | None, *, json: bool) -> None:
    """End the job of a file or folder, and remove what it left.

    Raises:
        ParameterError: no file or folder is named.
    """
    if out is None:
        raise ParameterError("Say which job is cancelled: --out with the file or folder that it writes.")
    found = cancel_job(out)
    if json:
        console.print_json({"out": out, "cancelled": found})
    else:
        console.note(f"Cancelled; nothing of the job of {out} is left." if found else f"There is no job of {out}.")
