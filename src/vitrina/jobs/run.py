"""Fits and searches in processes of their own, each done once: what the cache has is not done again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl

from vitrina.base.config import fingerprint
from vitrina.base.executor import Executor, InProcess
from vitrina.jobs import processes
from vitrina.jobs.answers import FORM, Before, read_before, read_lists, read_tables
from vitrina.jobs.cache import code_stamp, key_of
from vitrina.jobs.remote import run_on
from vitrina.jobs.trials import finished_trials, mark_dead
from vitrina.jobs.worker import BEFORE, LISTS, RESULT, TABLES
from vitrina.types import Recommendations
from vitrina.vocabulary import Vocabulary


@dataclass(frozen=True)
class Workplace:
    """Where jobs run, and what they all read.

    Args:
        work: folder of this piece of work alone, as `write_folders` left it; gone after it.
        store: where finished work is kept: the cache, or `work`.
        stamp: fingerprint of the split.
        validation: fingerprint of the validation part; empty where nothing is tuned.
        vocabulary: of the queries.
        k: length of the lists.
        threads: that a process may use.
        limit: seconds for one fit with its answers, or None.
        executor: on whose workers the processes run, which see both folders; InProcess starts them from here.
    """

    work: Path
    store: Path
    stamp: str
    validation: str
    vocabulary: Vocabulary
    k: int
    threads: int
    limit: float | None = None
    executor: Executor = field(default_factory=InProcess)

    def folder(self, name: str) -> Path:
        """An empty folder for one job."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def run(self, job: Mapping[str, Any], name: str, stop: Event) -> tuple[dict[str, Any], Path]:
        """A job in a process of its own: its result, and the folder with its files."""
        out = self.folder(name)
        if not isinstance(self.executor, InProcess):
            return run_on(self.executor, job, out, stop, self.limit)
        return processes.run_job(job, out, stop, threads=self.threads, limit=self.limit), out


@dataclass(frozen=True)
class FitResult:
    """What became of one fit.

    Args:
        record: status and error, and of a fit that came to an end: seconds, memory, notes (see `worker`).
        lists: for the queries of the split; None where it failed.
        cached: whether it was done before.
        tables: what the model knows about itself, by name.
        before: of a re-ranked model, lists as they were without the re-ranker.
    """

    record: Mapping[str, Any]
    lists: Recommendations | None
    cached: bool
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    before: Before | None = None


def fit_and_answer(spec: Any, name: str, place: Workplace, stop: Event) -> FitResult:
    """Fit one model on the training part and answer the queries, or take what the cache has of it.

    Args:
        spec: the model in plain values.
        name: of the job's folder, different for each job that runs at the same time.
        place: where.
        stop: ends it when set.

    Raises:
        StoppedError: `stop` was set.
    """
    finished = place.store / f"model-{key_of(spec, code_stamp(spec), place.stamp, place.k, FORM)}"
    cached = (finished / RESULT).exists()
    if cached:
        record = json.loads((finished / RESULT).read_text(encoding="utf-8"))
    else:
        job = {"kind": "fit", "model": spec, "split": str(place.work / "split"), "warm": str(place.work / "warm"), "k": place.k}
        record, out = place.run(job, f"fit-{fingerprint(name)}", stop)
        if record["status"] == "ok" and not finished.exists():  # the same config under two names may have been quicker
            out.rename(finished)
    if record["status"] != "ok":
        return FitResult(record, None, cached)
    lists, before = read_lists(finished / LISTS, place.vocabulary), read_before(finished / BEFORE, place.vocabulary)
    return FitResult(record, lists, cached, read_tables(finished / TABLES), before)


def run_trials(
    specs: Sequence[Any], metric: Any, seconds: float | None, place: Workplace, stop: Event, step: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """Try models on the validation part, until all are tried or the seconds are spent; one process after another where one dies.

    Args:
        specs: models in plain values, in the order to try.
        metric: that values are of, in plain values.
        seconds: of fitting and answering in all, or None.
        place: where.
        stop: ends it when set.
        step: called for each trial that ends.

    Returns:
        By the fingerprint of each spec that was tried: value (None where it failed), seconds, error.

    Raises:
        StoppedError: `stop` was set.
    """
    keys = [fingerprint(spec) for spec in specs]
    named = key_of(keys[0], [code_stamp(spec) for spec in (*specs, metric)], place.validation, metric, place.k)
    path = place.store / f"trials-{named}.jsonl"
    job = {
        "kind": "tune", "models": list(specs), "split": str(place.work / "validation"), "warm": str(place.work / "warm"),
        "k": place.k, "metric": metric, "seconds": seconds, "trials": str(path),
    }  # fmt: skip
    while set(keys) - set(finished_trials(path)):
        before = len(finished_trials(path))
        result, _ = place.run(job, f"tune-{named}", stop)
        died = result["status"] != "ok"
        if died:
            mark_dead(path, keys, result["error"])
        for _ in range(len(finished_trials(path)) - before):
            step()
        if not died:
            break
    return finished_trials(path)
