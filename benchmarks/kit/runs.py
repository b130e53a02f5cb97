"""What the benchmarks of sequence models share: the logs, and one run whose numbers are kept in a file.

A run is known by its config, its data and split, its metrics, and the code that it runs: a hash of the sources of the model's package. What was
finished is read and not run again, so an interrupted script goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri, stdtrit

import vitrina as vt
from benchmarks.kit.places import BENCHMARKS, CACHE, data_folder
from vitrina.base.config import fingerprint
from vitrina.evaluate.fits import spread_of_fits
from vitrina.evaluate.run import evaluate
from vitrina.jobs.folders import split_fingerprint
from vitrina.told import marks_of

RUNS = CACHE / "sequence"
K = 10
UNFILTERED = "nothing left out"
TABLES = {
    "amazon-beauty": {"title": "text", "attributes": "categories"},
    "amazon-sports": {"attributes": "categories"},
    "ml-1m": {"title": "text", "genres": "categories"},
}


def ordered(name: str, *, described: bool = False) -> vt.Dataset:
    """A log whose only time is the order of its rows: amazon-beauty, amazon-sports, ml-1m."""
    folder = data_folder() / name
    log = pl.read_parquet(folder / "interactions.parquet").sort("user_id", "order").select("user_id", "item_id")
    title = "title" if "title" in TABLES[name] else None
    table = {"items": folder / "items.parquet", "item_kinds": TABLES[name], "title": title} if described else {}
    return vt.read_interactions(log, name=name, **table)


def leave_one_out(name: str, *, described: bool = False, strict: bool = False) -> vt.split.Split:
    """Everybody's last item is asked, items of the history are left out, all others are ranked."""
    return ordered(name, described=described).split(vt.split.LeaveOneOut(repeat=False, strict=strict))


def card(split: vt.split.Split, log: str = "", metric: str = "nDCG@10") -> str:
    """The line that stands above every table of quality: what its numbers depend on."""
    judge = vt.metrics.metric(metric)
    return f"Protocol{', ' * bool(log)}{log}: {split.protocol.judged_by(judge.name, judge.definition).line}."


def changed(config: Any, **changes: Any) -> Any:
    """The config with other parameters."""
    return type(config)(**({name: getattr(config, name) for name in type(config).model_fields} | changes))


def capped(model: Any, epochs: int | None) -> Any:
    """A network that trains for no more epochs; None and other models stay as they are."""
    if epochs is None or not trains(model):
        return model
    return changed(model, training=changed(model.training, epochs=min(epochs, model.training.epochs)))


def trains(model: Any) -> bool:
    """Whether it is one of the networks over histories, whose fits report epochs and go on from a checkpoint."""
    return type(model).__module__.startswith("vitrina.sequence.")


@dataclass(frozen=True)
class Run:
    """What one fit and its lists were worth."""

    model: str
    data: str
    numbers: dict[str, tuple[float, float | None, float | None]]  # metric -> value, low, high
    fit: float  # seconds
    answer: float  # seconds
    epochs: int  # 0 where the model has none
    best_epoch: int
    notes: tuple[str, ...]
    commit: str
    load: float
    date: str
    file: str = field(default="", compare=False)
    marks: tuple[str, ...] = ()  # what must stand beside the numbers

    def __getitem__(self, metric: str) -> float:
        return self.numbers[metric][0]

    @property
    def per_query(self) -> pl.DataFrame:
        """query, user and a column for each metric that has a value per query."""
        return pl.read_parquet(Path(self.file).with_suffix(".parquet"))

    def error(self, metric: str) -> float:
        """One standard error of the metric over queries."""
        values = self.per_query[metric].drop_nulls().to_numpy()
        return float(values.std(ddof=1) / np.sqrt(len(values)))


def sources(folder: str) -> str:
    """A short name of the code in a folder of the package."""
    code = hashlib.sha256()
    for file in sorted((Path(vt.__file__).parent / folder).rglob("*.py")):
        code.update(file.name.encode() + file.read_bytes())
    return code.hexdigest()[:12]


def commit() -> str:
    """Of the working tree; `-dirty` where code is not committed. The pages that scripts write are no code."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=BENCHMARKS, capture_output=True, text=True, check=False).stdout.strip()

    return git("describe", "--always", "--exclude", "*") + "-dirty" * bool(git("status", "--porcelain", "--", "*.py", "../src"))


CODE = {folder: sources(folder) for folder in ("sequence", "models")}  # now, when it is imported, and not when a run ends
COMMIT = commit()


def measured(model: Any, split: vt.split.Split, metrics: Sequence[str], *, resume: bool = False, unfiltered: bool = False) -> Run:
    """Fit, answer and judge, or read what an earlier run of the same kept.

    Args:
        model: any config of Vitrina.
        split: where it is fitted and asked.
        metrics: by name.
        resume: take a run of other code as well, the latest one.
        unfiltered: ask once more with nothing of the history left out; these numbers are named "nDCG@10, nothing left out".
    """
    run = finished(model, split, metrics, resume=resume, unfiltered=unfiltered)
    return _run(model, split, metrics, _file(model, split, metrics, unfiltered), unfiltered) if run is None else run


def finished(model: Any, split: vt.split.Split, metrics: Sequence[str], *, resume: bool = False, unfiltered: bool = False) -> Run | None:
    """The run that an earlier one of the same kept, as `measured` reads it; None where there is none."""
    file = _file(model, split, metrics, unfiltered)
    job = file.name.rpartition("-")[0]
    kept = [file] if file.exists() else sorted(RUNS.glob(f"{job}-*.json"), key=lambda f: f.stat().st_mtime) if resume else []
    return read(kept[-1]) if kept else None


def _file(model: Any, split: vt.split.Split, metrics: Sequence[str], unfiltered: bool) -> Path:
    kind = "sequence" if trains(model) else "models"
    job = fingerprint(model, split_fingerprint(split), list(metrics), *([UNFILTERED] if unfiltered else []))
    return RUNS / f"{job}-{CODE[kind]}.json"


def read(file: Path) -> Run:
    values = json.loads(file.read_text(encoding="utf-8"))
    values["numbers"] = {metric: tuple(numbers) for metric, numbers in values["numbers"].items()}
    return Run(**(values | {"notes": tuple(values["notes"]), "marks": tuple(values.get("marks", ())), "file": str(file)}))


def _run(model: Any, split: vt.split.Split, metrics: Sequence[str], file: Path, unfiltered: bool) -> Run:
    progress_of: dict[bool, Any] = {}
    begin = time.perf_counter()
    more = {"report": _reporter(progress_of), "checkpoint": file.with_suffix(".state")} if trains(model) else {}
    fitted = model.fit(split.train, validation=split.validation, **more)
    between = time.perf_counter()
    lists = fitted.recommend(split.queries, K, eligible=split.eligible)
    spent = sum(progress.seconds for progress in progress_of.values())  # also before a kill
    seconds = max(between - begin, spent), time.perf_counter() - between
    search = progress_of.get(True) or progress_of.get(False)
    found = evaluate(lists, split, metrics)
    numbers = rows_of(found.numbers)
    if unfiltered:
        again = fitted.recommend(split.queries, K, eligible=replace(split.eligible, repeat=True))
        numbers |= {f"{metric}, {UNFILTERED}": row for metric, row in rows_of(evaluate(again, split, metrics).numbers).items()}
    run = Run(
        repr(model), split.train.name, numbers, *seconds, search.epoch if search else 0, search.best_epoch if search else 0,
        tuple(getattr(fitted, "notes", ())), COMMIT, os.getloadavg()[0], datetime.now(UTC).date().isoformat(), str(file),
        marks_of(fitted, split),
    )  # fmt: skip
    _keep(run, found.per_query, file)
    return run


def rows_of(numbers: pl.DataFrame) -> dict[str, tuple[float, float | None, float | None]]:
    """Value, low and high of each metric."""
    return {row["metric"]: (row["value"], row["low"], row["high"]) for row in numbers.iter_rows(named=True)}


def _keep(run: Run, per_query: pl.DataFrame, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    per_query.write_parquet(file.with_suffix(".parquet"))
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({name: value for name, value in asdict(run).items() if name != "file"}), encoding="utf-8")
    partial.rename(file)


def _reporter(progress_of: dict[bool, Any]) -> Callable[[Any], None]:
    """Remembers how far the search (True) and the training on everything after it (False) are, and says it on the error stream."""

    def tell(progress: Any) -> None:
        progress_of[bool(progress.metrics)] = progress
        print(f"    {progress}", file=sys.stderr, flush=True)

    return tell


def tuned(candidates: Iterable[Any], split: vt.split.Split, metric: str = "nDCG@10", *, resume: bool = False) -> Any:
    """The config that is best in validation, on the split's own part or the holdout of the training part; the runs are kept like all others."""
    validation = split.validation or split.train.holdout()
    return max(candidates, key=lambda model: measured(model, validation, [metric], resume=resume)[metric])


def spread(values: Sequence[float]) -> str:
    """Mean of the seeds, and the least and the most."""
    return f"{np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else f"{values[0]:.4f}"


def when_and_where(runs: Iterable[Run]) -> str:
    """Where and when runs were made: machines differ less than the load, so both ends of the load are said."""
    runs = list(runs)
    loads, commits = [run.load for run in runs], sorted({run.commit for run in runs})
    dates = sorted({run.date for run in runs})
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{days}, load {min(loads):.1f} to {max(loads):.1f}, commit {', '.join(commits)}"


def verdicts(values: Mapping[str, Any], baseline: str, users: Any) -> pl.DataFrame:
    """Each model against the baseline, of (fits, queries) values of each, one fit per seed: over people and seeds, corrected for the number of models.

    Seeds are taken to move all models alike, as `vt.evaluate.quality_of` does: three fits of one say little of how far they spread, those of a whole table do.
    """
    spreads = [spread_of_fits(fits, users) for fits in values.values() if len(fits) > 1]
    freedom = sum(one.fits - 1 for one in spreads)
    own = sum(one.own * (one.fits - 1) for one in spreads) / max(freedom, 1) * (stdtrit(max(freedom, 1), 0.975) / ndtri(0.975)) ** 2
    more = {name: own / len(fits) if len(fits) > 1 else 0.0 for name, fits in values.items()}
    return vt.evaluate.compare_paired({name: fits.mean(axis=0) for name, fits in values.items()}, baseline, users, more=more)


def compared(runs: Mapping[str, Sequence[Run]], baseline: str, metric: str = "nDCG@10") -> dict[str, str]:
    """The paired verdict on the runs of each model, one per seed, against those of the baseline."""
    values = {
        name: np.stack([run.per_query[metric].cast(pl.Float64).fill_null(float("nan")) for run in fits]) for name, fits in runs.items()
    }
    table = verdicts(values, baseline, runs[baseline][0].per_query["user"].to_numpy())
    return dict(zip(table["model"], table["verdict"], strict=True)) | {baseline: "the baseline"}


def brief(verdict: str) -> str:
    """A verdict short enough for a cell."""
    sentence, _, detectable = verdict.partition("; a difference of ")
    return f"{sentence} ({detectable.partition(' ')[0]} would have been seen)" if detectable else sentence
