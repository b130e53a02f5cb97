"""What a shallow model takes and finds as the log grows to a million items, 2 million people and 50 million interactions.

    python -m benchmarks.scale.shallow MODEL [--set NAME=VALUE ...] [--sizes 1/64 1/16 1/4 1] [--again]
    python -m benchmarks.scale.shallow

MODEL is a public name such as Cooccurrence, and --set gives its parameters as JSON. Each size runs in a fresh process on a log with planted clusters that is drawn once
(`benchmarks.kit.planted`; $VITRINA_CACHE names the folder, so that several checkouts share it), and leaves a record there; a size that has one isn't run again, so an
interrupted script goes on. The block of RESULTS.md is written anew from all records, also without a MODEL. Seconds are of the fit, after one on a small log, so that nothing is
compiled in them. The peak is resident memory of all processes at its most until the fit ends, with the log, whose pages are mapped from the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import ROOT, SHARED
from benchmarks.kit.planted import DEPTH, About, planted

PLACE = SHARED / "scale_shallow"
SIZES = tuple(Fraction(1, of) for of in (64, 16, 4, 1))
WARM = Fraction(1, 1024)
LOOK = 0.1  # seconds


@dataclass(frozen=True)
class Record:
    """One run; where it failed, why, and nothing else.

    Args:
        fit, cpu, answer: seconds of the fit, of the processor in it, and of the lists for the sample.
        peak, base: bytes of all processes at most until the fit ends, and before the log was opened.
        kept: bytes of what is fitted.
        recall: of the held-out interactions, at 100.
    """

    model: str
    size: str
    about: dict[str, Any]
    fit: float = 0
    cpu: float = 0
    answer: float = 0
    peak: int = 0
    base: int = 0
    kept: int = 0
    recall: float = 0
    failed: str = ""
    load: float = 0
    commit: str = ""


def inside(model: Any, size: Fraction) -> Record:
    """The run, in a process of its own."""
    warm, few, *_ = planted(WARM)
    model.fit(warm).recommend(few.queries(codes=range(10)), DEPTH)
    base, load = psutil.Process().memory_info().rss, os.getloadavg()[0]
    forget_peak()
    log, whole, people, held_out, about = planted(size)
    begin, before = time.perf_counter(), time.process_time()
    fitted = model.fit(log)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - before
    print(peak(), flush=True)
    begin = time.perf_counter()
    lists = fitted.recommend(whole.queries(codes=people), DEPTH)
    answer = time.perf_counter() - begin
    recall = float((lists.items == held_out[:, None]).any(axis=1).mean())
    return Record(repr(model), str(size), asdict(about), seconds, cpu, answer, 0, base, _kept(fitted), recall, "", load, commit())


def peak() -> int:
    """The most bytes of this process so far."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else psutil.Process().memory_info().rss


def forget_peak() -> None:
    """Start the most anew, where the system can (Linux): the small fit before isn't part of it."""
    place = Path("/proc/self/clear_refs")
    if place.exists():
        place.write_text("5")


def _kept(fitted: Any) -> int:
    """Bytes of the arrays that an artifact would have, nested forms included."""
    state = fitted.state()
    return sum(np.asarray(array).nbytes for array in state.arrays.values()) + sum(_kept(child) for child in state.children.values())


def outside(name: str, given: Sequence[str], model: Any, size: Fraction) -> Record:
    """Run it in a process, and look at the memory of it and all below it."""
    *_, about = planted(size)
    command = [sys.executable, "-m", "benchmarks.scale.shallow", name, "--sizes", str(size), "--inside"]
    told, peak = PLACE / f"{os.getpid()}.told", 0
    with told.open("w") as out:
        process = subprocess.Popen([*command, *(f"--set={text}" for text in given)], cwd=ROOT, stdout=out)
    while process.poll() is None:
        if not told.stat().st_size:  # it tells when it is fitted
            peak = max(peak, _resident(process.pid))
        time.sleep(LOOK)
    lines = told.read_text(encoding="utf-8").splitlines()
    told.unlink()
    if process.returncode:
        killed = f"killed by signal {-process.returncode}, {peak / 2**30:.1f} GiB" if process.returncode < 0 else "an error"
        return Record(repr(model), str(size), asdict(about), failed=killed)
    return Record(**json.loads(lines[1]) | {"peak": max(peak, int(lines[0]))})


def _resident(pid: int) -> int:
    """Bytes of a process and all below it."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.Error:
        pass
    return total


def exponent(records: Sequence[Record], values: Sequence[float]) -> str:
    """b of size^b, by least squares of logarithms."""
    if len(records) < 2 or min(values) <= 0:
        return ""
    return f"{np.polyfit(np.log([float(Fraction(r.size)) for r in records]), np.log(values), 1)[0]:.2f}"


def table() -> str:
    """The block of the page, of all records."""
    records = [Record(**json.loads(path.read_text(encoding="utf-8"))) for path in PLACE.glob("*.json")]
    records.sort(key=lambda record: (record.model, Fraction(record.size)))
    rows, fits = [], []
    for r in records:
        about = About(**r.about)
        first = f"| `{r.model}` | {about.items:,} | {about.people:,} | {about.events / 1e6:.2f} million | "
        if r.failed:
            rows.append(f"{first}{r.failed} | | | | | | | |")
            continue
        rows.append(
            f"{first}{r.fit:,.1f} | {r.cpu:,.1f} | {r.peak / 2**30:.2f} | {r.kept / 2**20:,.0f} | {r.recall:.3f} | {about.best:.3f} | {about.popular:.3f} | "
            f"{1000 * r.answer * 1000 / _asked(about):,.0f} |"
        )
    for model in dict.fromkeys(record.model for record in records):
        own = [r for r in records if r.model == model and not r.failed]
        if len(own) > 1:
            numbers = (
                exponent(own, [r.fit for r in own]),
                exponent(own, [r.cpu for r in own]),
                exponent(own, [float(r.peak - r.base) for r in own]),
            )
            fits.append(f"| `{model}` | {len(own)} | {' | '.join(numbers)} |")
    head = "| model | items | people | interactions | fit, s | of the processor, s | peak, GiB | kept, MiB | Recall@100 | the best there can be | popularity | 1,000 lists, ms |\n"
    grow = "\n\nFitted exponents b of size^b (items, people and interactions grow together; memory beyond what the process had before):\n\n| model | sizes | fit | of the processor | memory |\n|---|---|---|---|---|\n"
    loads = [record.load for record in records if not record.failed] or [0.0]
    return (
        f"Protocol: Zipf items and people, planted clusters, one interaction held out of each of 4,000 people, all items ranked but those of the history. {processor()}, load "
        f"{min(loads):.1f} to {max(loads):.1f}, commits {', '.join(sorted({r.commit for r in records if r.commit}))}.\n\n{head}|{'---|' * 12}\n"
        + "\n".join(rows) + (grow + "\n".join(fits) if fits else "")
    )  # fmt: skip


def _asked(about: About) -> int:
    return min(4000, about.people)


def model_of(name: str, given: Sequence[str]) -> Any:
    """The config of a public name with its parameters, NAME=JSON each."""
    pairs = (text.partition("=") for text in given)
    return getattr(vt, name)(**{key: json.loads(value) for key, _, value in pairs})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="MODEL")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--sizes", type=Fraction, nargs="+", default=list(SIZES))
    parser.add_argument("--again", action="store_true", help="forget the records of these sizes")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    model = None if given.model is None else model_of(given.model, given.set)
    if given.inside:
        print(json.dumps(asdict(inside(model, given.sizes[0]))), flush=True)
        return
    for size in given.sizes if model is not None else ():
        of_model = hashlib.sha256(repr(model).encode()).hexdigest()[:10]
        file = PLACE / f"{given.model}_{of_model}_{size.denominator}.json"
        if given.again or not file.exists() or json.loads(file.read_text(encoding="utf-8"))["failed"]:
            print(f"{model!r}, {size} ...", file=sys.stderr, flush=True)
            file.write_text(json.dumps(asdict(outside(given.model, given.set, model, size))), encoding="utf-8")
        print(file.read_text(encoding="utf-8"), file=sys.stderr, flush=True)
    keep(RESULTS, "scale.shallow", table())


if __name__ == "__main__":
    main()
