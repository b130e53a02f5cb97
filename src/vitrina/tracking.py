"""Boards and artifacts as runs of MLflow (extra `mlflow`): one way, out of Vitrina.

A board is a run with its page, its tables and its protocol line, and inside it a run per model with the parameters and the numbers. An artifact is a run with its
folder. MLflow's rules for names hold: "nDCG@10" is "nDCG_at_10" there.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, final

from vitrina.artifacts.read import read_manifest
from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.base.printing import sentence_end
from vitrina.board.result import Board, Entry

__all__ = ["connect", "log_artifact", "log_board"]

EXPERIMENT = "vitrina"
FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"
COSTS = ("fit_seconds", "answer_seconds", "peak_bytes", "fallback_share", "answered", "tuning_seconds", "trials", "fits")
VERDICT = ("difference", "low", "high", "p_adjusted")
AT_A_TIME = 100  # values per call: more are refused
MOST_LETTERS = 5000  # of a value


@final
@dataclass(frozen=True)
class Tracker:
    """An experiment in an MLflow store, made where it is missing.

    Args:
        client: an `MlflowClient`.
        experiment: its id.
        uri: of the store.
    """

    client: Any
    experiment: str
    uri: str

    @contextmanager
    def run(self, name: str, tags: Mapping[str, Any], inside: str | None = None) -> Iterator[str]:
        """A run, which ends as "FINISHED", or as "FAILED" where an error passes through."""
        with speaking_of(self.uri):
            parent = {} if inside is None else {"mlflow.parentRunId": inside}
            made = self.client.create_run(self.experiment, run_name=name, tags=parent | _as_text(tags)).info.run_id
            try:
                yield made
            except BaseException:
                self.client.set_terminated(made, "FAILED")
                raise
            self.client.set_terminated(made)

    def log(self, run: str, params: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """Parameters, and the metrics that have a value: MLflow knows no null."""
        from mlflow.entities import Metric, Param  # noqa: PLC0415  an extra

        with_value = {name: value for name, value in metrics.items() if value is not None and not isnan(value)}
        values = {named(name): float(value) for name, value in with_value.items()}
        if len(values) < len(with_value):
            raise ParameterError(f"Two metrics have one name in MLflow, where only letters, digits and _-.:/ stand: {', '.join(metrics)}.")
        entities = [Metric(name, value, 0, 0) for name, value in values.items()]
        for first in range(0, max(len(params), len(entities)), AT_A_TIME):
            some = [Param(named(name), value) for name, value in list(_as_text(params).items())[first : first + AT_A_TIME]]
            self.client.log_batch(run, metrics=entities[first : first + AT_A_TIME], params=some)


def connect(uri: str, experiment: str = EXPERIMENT) -> Tracker:
    """The store, before anything is made that should go there.

    Args:
        uri: of a server ("http://mlflow:5000"), a database ("sqlite:///mlflow.db", which needs the whole package `mlflow`) or a folder ("file:///srv/mlruns").
        experiment: its name there.

    Raises:
        MissingExtraError: MLflow isn't installed.
        ParameterError: the store can't be opened; says why.
    """
    try:
        from mlflow import MlflowClient  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        raise MissingExtraError.of("mlflow-skinny", "mlflow", "Logging to MLflow") from None
    with speaking_of(uri):
        client = MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(experiment)
        return Tracker(client, client.create_experiment(experiment) if known is None else known.experiment_id, uri)


@contextmanager
def speaking_of(uri: str) -> Iterator[None]:
    """What MLflow raises, as a sentence that names the store and what can be done."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  an extra

    try:
        yield
    except (MlflowException, OSError, ImportError) as error:
        said = sentence_end((str(error).strip().splitlines() or [type(error).__name__])[0])
        remedy = "Name a server that runs (http://host:5000), or install the whole package mlflow for a database (sqlite:///mlflow.db)."
        if "://" not in uri or uri.startswith("file:"):
            remedy = f"For a folder MLflow wants {FILE_STORE}=true in the environment (it is {os.environ.get(FILE_STORE, 'not set')}); it advises a server or a database."
        raise ParameterError(f"MLflow can't log to {uri!r}: {said} {remedy}", parameter="uri", value=uri) from error


def log_board(board: Board, uri: str, *, experiment: str = EXPERIMENT) -> str:
    """Log a comparison: a run with report.html, board.json and per_query.parquet, and inside it a run per model.

    A model's run has its parameters, each metric with the ends of its interval ("nDCG_at_10", "nDCG_at_10.low", "nDCG_at_10.high"), the difference from the baseline
    on the primary metric with its interval ("against_baseline.difference"), what it cost, and the verdict as a tag. The protocol line is a tag of all.

    Args:
        board: finished.
        uri: of the store, see `connect`.
        experiment: its name there.

    Returns:
        The id of the board's run.

    Raises:
        MissingExtraError: MLflow isn't installed.
        ParameterError: the store can't be opened, or refuses; says why.
    """
    tracker = connect(uri, experiment)
    protocol = {} if board.protocol is None else {"protocol": board.protocol.line}
    about = protocol | {"primary": board.primary, "baseline": board.baseline, "split_fingerprint": board.settings.get("split_fingerprint")}
    with tracker.run(board.title, about | {"headline": " ".join(board.headline)}) as run:
        tracker.log(run, {name: board.settings[name] for name in ("k", "seed", "folds") if name in board.settings}, {})
        with tempfile.TemporaryDirectory() as folder:
            board.save(folder)
            tracker.client.log_artifacts(run, folder)
        for place, entry in enumerate(board.entries, 1):
            _log_entry(tracker, board, entry, about | {"place": place}, run)
    return run


def log_artifact(folder: str | Path, uri: str, *, experiment: str = EXPERIMENT) -> str:
    """Log a fitted model: a run with the folder of the artifact, the parameters of its model and the metrics that its manifest keeps.

    Args:
        folder: what `vt.save` or `vitrina fit` wrote.
        uri: of the store, see `connect`.
        experiment: its name there.

    Returns:
        The id of the run.

    Raises:
        ArtifactError: it is no artifact.
        MissingExtraError: MLflow isn't installed.
        ParameterError: the store can't be opened, or refuses; says why.
    """
    manifest = read_manifest(Path(folder))
    model, data = manifest.get("model") or {}, manifest.get("data") or {}
    tags = {
        "form": manifest["form"],
        "created": manifest.get("created"),
        "versions": manifest.get("versions"),
        "notes": manifest.get("notes"),
    }
    tracker = connect(uri, experiment)
    with tracker.run(Path(folder).name, tags | {"data": data.get("name"), "data_fingerprint": data.get("fingerprint")}) as run:
        sizes = {f"data.{name}": data[name] for name in ("events", "users", "items") if name in data}
        tracker.log(run, flat(model) | sizes, manifest.get("metrics") or {})
        tracker.client.log_artifacts(run, str(folder), "artifact")
    return run


def _log_entry(tracker: Tracker, board: Board, entry: Entry, tags: Mapping[str, Any], run: str) -> None:
    """One model, inside the run of its board."""
    rows = [row for row in board.numbers.to_dicts() if row["model"] == entry.name]
    metrics = {f"{row['metric']}{end}": row[column] for row in rows for end, column in (("", "value"), (".low", "low"), (".high", "high"))}
    beside = [row for row in board.comparisons.to_dicts() if (row["model"], row["metric"]) == (entry.name, board.primary)]
    metrics |= {f"against_baseline.{name}": row[name] for row in beside for name in VERDICT}
    costs = {name: getattr(entry, name) for name in COSTS} if entry.status == "ok" else {}
    verdict = {"verdict": beside[0]["verdict"]} if beside else {}
    about = {"status": entry.status, "error": entry.error, "call": entry.call, "own_baseline": entry.baseline, "notes": list(entry.notes)}
    with tracker.run(entry.name, dict(tags) | about | verdict, inside=run) as its:
        tracker.log(its, flat(entry.config), metrics | costs)


def flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A config as parameters: the names inside a part stand after a point, lists are JSON.

    >>> flat({"name": "EASE", "decay": {"name": "Exponential", "days": 30.0}, "columns": ["title"]})
    {'name': 'EASE', 'decay.name': 'Exponential', 'decay.days': 30.0, 'columns': ['title']}
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) and value else {f"{above}{name}": value}
    return found


def named(name: str) -> str:
    """A name that MLflow takes.

    >>> named("nDCG@10")
    'nDCG_at_10'
    """
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"), flags=re.ASCII)


def _as_text(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags and parameters are text; of one that is too long the end is cut, and that is said in it."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, default=str) for name, value in values.items() if value is not None
    }
    return {name: text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ... ({len(text)} letters)" for name, text in texts.items()}
