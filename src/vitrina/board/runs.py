"""One contender, from its config to its lists: tuned where it is a search, fitted in its own process, kept in the cache."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

import vitrina
from vitrina.base.config import fingerprint, to_plain
from vitrina.board.edges import edge_notes
from vitrina.board.result import Entry
from vitrina.board.tune import Search
from vitrina.jobs.processes import run_job
from vitrina.jobs.specs import to_spec, written
from vitrina.jobs.worker import LISTS, RESULT, add_trial, finished_trials, trial_lines
from vitrina.types import Recommendations
from vitrina.vocabulary import Vocabulary

# Part of every key of the cache. Raise it when a model of Vitrina's answers otherwise than it did, so that nobody's board holds lists of
# former code; tests/test_answers.py fails until that is done.
ANSWERS = 3


@dataclass(frozen=True)
class Contender:
    """A model that takes part: a config, or a search over configs."""

    name: str
    model: Any
    baseline: bool = False


@dataclass(frozen=True)
class Ground:
    """What all contenders share.

    Args:
        work: folder of this comparison alone; gone after it.
        store: where finished models and trials are kept: the cache, or `work`.
        stamp: fingerprint of data and split.
        validation: its split folder, and its own stamp; empty where nothing is tuned.
        metric: primary metric, as a spec; None where nothing is tuned.
        lower_is_better: whether the smallest value of it wins.
        seconds: for the trials of each model, or None.
        limit: seconds for one fit with its answers, or None.
    """

    work: Path
    store: Path
    stamp: str
    validation: str
    metric: Any
    lower_is_better: bool
    k: int
    trials: int
    seconds: float | None
    limit: float | None
    seed: int
    threads: int
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Outcome:
    """A row for the board, and the lists if there are any."""

    entry: Entry
    lists: Recommendations | None = None
    trials: tuple[Mapping[str, Any], ...] = ()  # config, value, error


class TuningError(Exception):
    """Every configuration that was tried failed; the message is the first one's."""

    def __init__(self, tried: Sequence[Mapping[str, Any]]) -> None:
        first = next((t["error"] for t in tried), "no trial came to an end")
        super().__init__(f"None of its {len(tried)} trials gave a value. The first: {first}")
        self.tried = len(tried)


def run_contender(contender: Contender, ground: Ground, stop: Event, step: Callable[[], None]) -> Outcome:
    """Tune, fit, answer. `step` is called after each trial and after the fit.

    Raises:
        StoppedError: `stop` was set.
    """
    search, trials, notes = contender.model, (), ()
    model: Any = search
    try:
        if isinstance(search, Search):
            model, trials, notes = _best_of(search, ground, stop, step, own=not contender.baseline)
        outcome = _fitted(contender, model, trials, ground, stop)
        return replace(outcome, entry=replace(outcome.entry, notes=(*outcome.entry.notes, *notes)))
    except TuningError as error:
        config = {"name": search.model.__name__, "search": repr(search)}
        return Outcome(Entry(contender.name, config, "failed", str(error), contender.baseline, trials=error.tried))
    finally:
        step()


def _fitted(contender: Contender, model: Any, trials: Sequence[Mapping[str, Any]], ground: Ground, stop: Event) -> Outcome:
    spec = to_spec(model)
    kept = ground.store / f"model-{fingerprint(spec, code_stamp(spec), ground.stamp, ground.k, ANSWERS, vitrina.__version__)}"
    cached = (kept / RESULT).exists()
    result = json.loads((kept / RESULT).read_text(encoding="utf-8")) if cached else _run_fit(spec, contender.name, kept, ground, stop)
    entry = Entry(
        contender.name, to_plain(model), result["status"], result["error"], contender.baseline,
        trials=max(len(trials), 1), cached=cached, call=written(model),
        notes=tuple(result.get("notes", ())), **{n: result[n] for n in _MEASURED if n in result},
    )  # fmt: skip
    lists = _read_lists(kept / LISTS, ground.vocabulary) if entry.status == "ok" else None
    return Outcome(entry, lists, tuple(trials))


_MEASURED = ("fit_seconds", "answer_seconds", "peak_bytes", "fallback_share")


def _run_fit(spec: Any, name: str, kept: Path, ground: Ground, stop: Event) -> dict[str, Any]:
    out = _fresh(ground.work / f"fit-{fingerprint(name)}")
    job = {"kind": "fit", "model": spec, "split": str(ground.work / "split"), "warm": str(ground.work / "warm"), "k": ground.k}
    result = run_job(job, out, stop, threads=ground.threads, limit=ground.limit)
    if result["status"] == "ok" and not kept.exists():  # the same config under two names may have been quicker
        out.rename(kept)
    return result


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _read_lists(folder: Path, vocabulary: Vocabulary) -> Recommendations:
    items, scores, fallback = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("items", "scores", "fallback"))
    return Recommendations(items, scores, vocabulary, {"source": fallback.astype(np.uint8)})


def _best_of(
    search: Search, ground: Ground, stop: Event, step: Callable[[], None], *, own: bool
) -> tuple[Any, tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """The configuration with the best value on validation, all that were tried, and what to say of where the best one lies."""
    candidates = search.candidates(ground.trials, ground.seed)
    specs = [to_spec(model) for model in candidates]
    path = _run_trials(specs, ground, stop, step)
    done = finished_trials(path)
    tried = [(model, done[fingerprint(spec)]) for model, spec in zip(candidates, specs, strict=True) if fingerprint(spec) in done]
    trials = tuple({"config": json.dumps(to_plain(m)), "value": t["value"], "error": t["error"]} for m, t in tried)
    known = [(m, t["value"]) for m, t in tried if t["value"] is not None]
    if not known:
        raise TuningError(trials)
    sign = -1 if ground.lower_is_better else 1
    best = max(known, key=lambda pair: sign * pair[1])[0]
    return best, trials, edge_notes(search, [m for m, _ in known], best, own=own)


def _run_trials(specs: Sequence[Any], ground: Ground, stop: Event, step: Callable[[], None]) -> Path:
    """Run the tuning process until every trial has an end; one that dies is a failed trial, and the rest goes on in a new process."""
    keys = [fingerprint(spec) for spec in specs]
    named = fingerprint(
        keys[0],
        [code_stamp(spec) for spec in (*specs, ground.metric)],
        ground.validation,
        ground.metric,
        ground.k,
        ANSWERS,
        vitrina.__version__,
    )
    path = ground.store / f"trials-{named}.jsonl"
    job = {
        "kind": "tune", "models": list(specs), "split": str(ground.work / "validation"), "warm": str(ground.work / "warm"),
        "k": ground.k, "metric": ground.metric, "seconds": ground.seconds, "trials": str(path),
    }  # fmt: skip
    while set(keys) - set(finished_trials(path)):
        out = _fresh(ground.work / f"tune-{named}")
        before = len(finished_trials(path))
        result = run_job(job, out, stop, threads=ground.threads, limit=ground.limit)
        died = result["status"] != "ok"
        if died:
            _mark_dead(path, keys, result["error"])
        for _ in range(len(finished_trials(path)) - before):
            step()
        if not died:
            break
    return path


def _mark_dead(path: Path, keys: Sequence[str], error: str) -> None:
    """The trial that was running when the process ended has failed; a process that began none fails the first one left."""
    done = finished_trials(path)
    started = [line["key"] for line in trial_lines(path) if line["state"] == "started" and line["key"] not in done]
    key = started[-1] if started else next(k for k in keys if k not in done)
    add_trial(path, {"key": key, "state": "finished", "value": None, "seconds": 0.0, "error": error})


def code_stamp(spec: Any) -> str:
    """sha256 over the source files of the classes in a spec that are not Vitrina's: a changed model is another model."""
    digest = hashlib.sha256()
    for module in sorted(set(_modules(spec))):
        digest.update(_source_of(module))
    return digest.hexdigest()[:16]


def _modules(spec: Any) -> Iterator[str]:
    if isinstance(spec, list):
        for part in spec:
            yield from _modules(part)
    elif isinstance(spec, dict):
        if "class" in spec:
            yield spec["class"].rpartition(":")[0]
        for part in spec.values():
            yield from _modules(part)


def _source_of(module: str) -> bytes:
    if module.startswith("vitrina."):
        return b""
    found = None if module.endswith(".py") else importlib.util.find_spec(module)
    path = Path(module) if found is None else Path(found.origin or "")
    return path.read_bytes() if path.is_file() else b""
