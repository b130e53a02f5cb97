"""Answers to the demo's baskets and the first compile, this checkout beside an older one, as rows of Markdown.

    python -m benchmarks.speed.answers_then_and_now --old 285b01e [--rounds 3]

The two take turns, each in a process of its own; the least of the rounds counts. The compile has an empty cache of its own.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT

COLD = """
import time, vitrina as vt
data = vt.testing.synthetic()
started = time.perf_counter()
vt.Cooccurrence().fit(data).recommend(data.queries(), 10)
print(time.perf_counter() - started)
"""
ANSWER = """
import time, vitrina as vt
split = vt.complete_journey().split(vt.split.GlobalTime(days=30, target="basket", repeat=True))
found = {model}.fit(split.train)
found.recommend(split.queries[:64], 10, eligible=split.eligible)
started = time.perf_counter()
found.recommend(split.queries, 10, eligible=split.eligible)
print(time.perf_counter() - started)
"""
ROWS = {
    "co-occurrence, first fit and answer with an empty cache": COLD,
    "co-occurrence (BM25), the demo's baskets": ANSWER.format(model="vt.Cooccurrence(weighting=vt.weighting.BM25())"),
    "TifuKNN, the demo's baskets": ANSWER.format(model="vt.TifuKNN()"),
}


def seconds(script: str, source: Path) -> float:
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPATH": str(source)} | ({"NUMBA_CACHE_DIR": cache} if script is COLD else {})
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="285b01e", help="a commit")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "archive", options.old, "src"], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        sources = (Path(folder) / "src", ROOT / "src")
        print(f"Seconds, least of {options.rounds}. {machine()}.\n\n| work | {options.old} | now |\n|---|---|---|")
        for name, script in ROWS.items():
            rounds = [[seconds(script, source) for source in sources] for _ in range(options.rounds)]
            old, new = (min(times) for times in zip(*rounds, strict=True))
            print(f"| {name} | {old:.1f} | {new:.1f} |", flush=True)


if __name__ == "__main__":
    main()
