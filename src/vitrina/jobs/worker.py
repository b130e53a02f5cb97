"""The process of one model: `python -m vitrina.jobs.worker job.json`. It reads a job, works on memory-mapped data, writes files.

A job of the kind "fit" fits one model on the training part and answers the queries; "tune" tries configurations on the validation
part and adds lines for each trial to a file. The first fit of a process is on a tiny log, so that compiling is in nobody's time.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from vitrina.base.config import fingerprint
from vitrina.base.errors import ParameterError, VitrinaError
from vitrina.base.files import write_text
from vitrina.data.split import Split
from vitrina.data.store import open_split
from vitrina.evaluate.judge import out_of_items
from vitrina.evaluate.run import evaluate
from vitrina.jobs.answers import write_lists, write_tables
from vitrina.jobs.specs import of_spec
from vitrina.jobs.trials import add_trial, finished_trials
from vitrina.models.base import ignored
from vitrina.models.own import completed, fit_on
from vitrina.rerank import RerankedLists
from vitrina.told import marks_of, tables_of
from vitrina.types import Recommendations

RESULT, LISTS, BEFORE, TABLES, READY = "result.json", "lists", "before", "tables", "ready"
MOST_BEFORE = 2000  # queries whose lists are kept as they were before a re-ranker


def main(path: str) -> None:
    """Do the job that the file describes. What a model raises becomes part of the result; a kill doesn't, of course."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    work = {"fit": _fit, "tune": _tune}[job["kind"]]
    try:
        result = work(job) | {"status": "ok", "error": ""}
    except Exception as error:
        result = failure(error)
    write_text(Path(job["out"]) / RESULT, json.dumps(result))


def failure(error: Exception) -> dict[str, str]:
    """What is said of an error: its kind unless it is one of ours, and its sentence."""
    message = str(error).strip() or "no message"
    sentence = message if isinstance(error, VitrinaError) else f"{type(error).__name__}: {message}"
    return {"status": "out of memory" if isinstance(error, MemoryError) else "failed", "error": sentence}


def _fit(job: Mapping[str, Any]) -> dict[str, Any]:
    model = of_spec(job["model"])
    split = open_split(Path(job["split"]))
    _warm_up(model, job)
    (Path(job["out"]) / READY).touch()
    started = time.perf_counter()
    recommender = completed(fit_on(model, split), split.train)
    fitted = time.perf_counter()
    lists = recommender.recommend(split.queries, job["k"], eligible=split.eligible)
    answered, peak = time.perf_counter(), peak_bytes()
    lists = _checked(lists, split, job["k"], model)
    write_lists(lists, Path(job["out"]) / LISTS)
    _write_before(recommender, split, job)
    write_tables(tables_of(recommender), Path(job["out"]) / TABLES)
    return {
        "fit_seconds": fitted - started,
        "answer_seconds": answered - fitted,
        "peak_bytes": peak,
        "fallback_share": float(lists.fallback.mean()) if lists.items.size else 0.0,
        **_answered(lists, split),
        "notes": list(dict.fromkeys([*map(str, recommender.notes), *ignored(model, split.train)])),
        "marks": marks_of(recommender, split),
    }


def _answered(lists: Recommendations, split: Split) -> dict[str, float]:
    """Shares of the queries whose list holds something, and of the people who have such a list."""
    found = (lists.items >= 0).any(axis=1)
    users = split.queries.users
    people = np.where(users < 0, -1 - np.arange(len(users)), users)  # nobody knows whether two visitors are one
    return {"answered": float(found.mean()), "people_answered": len(np.unique(people[found])) / len(np.unique(people))}


def _tune(job: Mapping[str, Any]) -> dict[str, Any]:
    """Try what has no line yet, until the seconds are spent; at least one configuration is tried."""
    path = Path(job["trials"])
    done = finished_trials(path)
    spent = sum(trial["seconds"] for trial in done.values())
    split = open_split(Path(job["split"]))
    metric = of_spec(job["metric"])
    warm = False
    for spec in job["models"]:
        key = fingerprint(spec)
        if key in done:
            continue
        if job["seconds"] is not None and done and spent >= job["seconds"]:
            break
        model = of_spec(spec)
        if not warm:
            _warm_up(model, job)
            warm = True
        add_trial(path, {"key": key, "state": "started"})
        (Path(job["out"]) / READY).touch()
        done[key] = _trial(model, split, metric, job["k"])
        spent += done[key]["seconds"]
        add_trial(path, {"key": key, "state": "finished"} | done[key])
    return {}


def _trial(model: Any, split: Split, metric: Any, k: int) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        lists = fit_on(model, split).recommend(split.queries, k, eligible=split.eligible)
        seconds = time.perf_counter() - started
        lists = _checked(lists, split, k, model)
        value = evaluate(lists, split, [metric], intervals=False).numbers["value"][0]
    except Exception as error:
        return {"value": None, "seconds": time.perf_counter() - started, "error": failure(error)["error"]}
    return {"value": value, "seconds": seconds, "error": ""}


def _warm_up(model: Any, job: Mapping[str, Any]) -> None:
    """Compile what the model needs on a tiny log with the same columns; a model that can't fit so little is timed as it is."""
    with contextlib.suppress(Exception):
        tiny = open_split(Path(job["warm"]))
        model.fit(tiny.train).recommend(tiny.queries, job["k"], eligible=tiny.eligible)


def _checked(lists: Any, split: Split, k: int, model: Any) -> Recommendations:
    """Lists of k places; a model from elsewhere may answer anything."""
    if not isinstance(lists, Recommendations):
        raise ParameterError(f"The recommend of {type(model).__name__} must return vitrina.Recommendations. Got {type(lists).__name__}.")
    if lists.items.ndim == lists.scores.ndim == 2 and lists.k == lists.scores.shape[1] and out_of_items(lists, split.train.catalogue, k):
        lists = lists.padded(k)
    wanted = (len(split.queries), k)
    if lists.items.shape != wanted or lists.scores.shape != wanted:
        raise ParameterError(
            f"The lists of {type(model).__name__} must have the shape (queries, k) = {wanted}. "
            f"Got items {lists.items.shape} and scores {lists.scores.shape}."
        )
    lists.vocabulary.require_compatible(split.queries.vocabulary, "queries of the split")
    return lists


def _write_before(recommender: Any, split: Split, job: Mapping[str, Any]) -> None:
    """What a re-ranked model would have shown without its re-ranker: of all queries, or of some at even steps."""
    if not isinstance(recommender, RerankedLists):
        return
    while isinstance(recommender, RerankedLists):
        recommender = recommender.recommender
    rows = np.unique(np.linspace(0, len(split.queries) - 1, min(len(split.queries), MOST_BEFORE)).astype(np.int64))
    lists = recommender.recommend(split.queries[rows], job["k"], eligible=split.eligible.take(rows)).padded(job["k"])
    write_lists(lists, Path(job["out"]) / BEFORE, rows)


def peak_bytes() -> int:
    """The most memory that this process held. Linux: the kernel's mark since the program began (getrusage may carry the parent's);
    Windows: the peak of the working set; elsewhere getrusage."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    peak = getattr(psutil.Process().memory_info(), "peak_wset", None)
    if peak is not None:
        return int(peak)
    import resource  # noqa: PLC0415  Windows has no such module

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _end_with_parent() -> None:
    """The parent holds the other end of stdin: when it is gone, by whatever end, so is this process."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
