"""What a step of an autoencoder takes as the catalogue grows to 200,000 items, over all items and over a sample of them.

    python -m benchmarks.scale.autoencoders [--items 50000 200000] [--models MultVAE RecVAE VASP]

Each run is a process of its own: 2,000 people of about 50 events on a log with Zipf popularity and groups (`vt.testing.synthetic`), two epochs of
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

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE, ROOT
from vitrina.base.config import fingerprint

KEPT = CACHE / "autoencoders"
ALL = 10**9
PEOPLE, BATCH = 2000, 500
MODELS = ("MultVAE", "RecVAE", "VASP")


def made(name: str, negatives: int | None) -> Any:
    return getattr(vt, name)(epochs=2, patience=None, batch=BATCH, negatives=negatives, hidden=200, dim=64)


def inside(name: str, items: int, negatives: int | None) -> None:
    """The run, whose record is printed."""
    log = vt.testing.synthetic(users=PEOPLE, items=items, mean_length=50, groups=200, text=False)
    marks: list[float] = []
    model = made(name, negatives)
    fitted = model.fit(log, report=lambda progress: marks.append(time.process_time()))
    steps = -(-PEOPLE // BATCH) * type(model).passes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    kept = sum(array.nbytes for array in fitted.state().arrays.values())
    print(json.dumps({"step": (marks[1] - marks[0]) / steps, "peak": peak, "kept": kept, "items": len(log.catalogue.items)}))


def outside(name: str, items: int, negatives: int | None) -> dict[str, Any]:
    """The record, of this run or of one before."""
    file = KEPT / f"scale-{fingerprint(made(name, negatives), items)}.json"
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
                lines.append(f"| `{name}` | {items:,} ({found['items']:,} with events) | {told} | {cells} |")
                print(lines[-1], flush=True)
    head = (
        f"{processor()}, one thread, load {os.getloadavg()[0]:.1f}, commit {commit()}; batches of {BATCH} people with about 50 events, hidden 200, dim 64.\n\n"
        "| model | items | scored on | processor per step, s | peak, GiB | kept, MiB |\n|---|---|---|---|---|---|"
    )
    keep(RESULTS, "scale.autoencoders", "\n".join([head, *lines]))


if __name__ == "__main__":
    main()
