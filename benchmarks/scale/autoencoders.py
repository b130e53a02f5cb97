"""What a step of an autoencoder takes as the catalogue grows to 200,000 items, over all items and over a sample of them.

    python -m benchmarks.scale.autoencoders [--items 50000 200000] [--models MultVAE RecVAE VASP]

Each run is a process of its own: 2,000 people with 50 draws of Zipf popularity each and every item once, two epochs of
batches of 500, of which the second is timed. The peak is resident memory of the process, with the log and PyTorch. A run is kept, so an interrupted
script goes on; the block of RESULTS.md is written at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import ROOT, SHARED
from vitrina.base.config import fingerprint

KEPT = SHARED / "autoencoders"
ALL = 10**9
PEOPLE, BATCH = 2000, 500
MODELS = ("MultVAE", "RecVAE", "VASP")


def made(name: str, negatives: int | None) -> Any:
    return getattr(vt, name)(epochs=2, patience=None, batch=BATCH, negatives=negatives, hidden=200, dim=64)


def of_size(items: int) -> vt.Dataset:
    """Every item once, with somebody, and 50 draws per person in which the item of rank r comes in proportion to 1 / r."""
    rng = np.random.default_rng(0)
    draws = np.floor(items ** rng.random(50 * PEOPLE)).astype(np.int64) - 1
    users = np.concatenate([rng.integers(0, PEOPLE, items), np.repeat(np.arange(PEOPLE), 50)])
    return vt.read_interactions(pl.DataFrame({"user_id": users, "item_id": np.concatenate([np.arange(items), draws])}), name="every item")


def inside(name: str, items: int, negatives: int | None) -> None:
    """The run, whose record is printed."""
    log = of_size(items)
    marks: list[float] = []
    model = made(name, negatives)
    fitted = model.fit(log, report=lambda progress: marks.append(time.process_time()))
    steps = -(-PEOPLE // BATCH) * type(model).passes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    kept = sum(array.nbytes for array in fitted.state().arrays.values())
    print(json.dumps({"step": (marks[1] - marks[0]) / steps, "peak": peak, "kept": kept}))


def outside(name: str, items: int, negatives: int | None) -> dict[str, Any]:
    """The record, of this run or of one before."""
    file = KEPT / f"scale-{fingerprint(made(name, negatives), items, PEOPLE)}.json"
    if not file.exists():
        command = [sys.executable, "-m", "benchmarks.scale.autoencoders", "--inside", name, str(items), str(negatives or 0)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(done.stdout.splitlines()[-1])
    return json.loads(file.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        name, items, negatives = given.inside
        return inside(name, int(items), int(negatives) or None)
    lines = []
    for name in given.models:
        for items in given.items:
            for told, negatives in (("own and 20,000", 20_000), ("all", ALL)):
                found = outside(name, items, negatives)
                cells = f"{found['step']:.2f} | {found['peak'] / 2**30:.2f} | {found['kept'] / 2**20:.0f}"
                lines.append(f"| `{name}` | {items:,} | {told} | {cells} |")
                print(lines[-1], flush=True)
    head = (
        f"{processor()}, one thread, load {os.getloadavg()[0]:.1f}, commit {commit()}; batches of {BATCH} of {PEOPLE:,} people who have every item once and 50 draws each, hidden 200, dim 64.\n\n"
        "| model | items | scored on | processor per step, s | peak, GiB | kept, MiB |\n|---|---|---|---|---|---|"
    )
    keep(RESULTS, "scale.autoencoders", "\n".join([head, *lines]))


if __name__ == "__main__":
    main()
