"""Re-rankers beside pyversity, on one thread: 100 to 10, 500 to 50 and 1,000 to 200 places, vectors of 64 and 256 numbers.

    python -m benchmarks.speed.rerankers [--repeat 3]

The two run in turn, each in its own environment and process (see peers/setup.sh); of each case and re-ranker the least counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks.kit.machine import machine
from benchmarks.kit.peers import PEERS, peer_python

CASES = [(n, k, dim) for n, k in ((100, 10), (500, 50), (1000, 200)) for dim in (64, 256)]
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
AGAINST = {"MMR": "MMR", "SMMR": "MMR", "SMMR, batches not compared": "MMR", "DPP": "DPP", "SSD": "SSD", "SSD, window 10": "SSD, window 10"}


def run(library: str, python: str) -> dict[str, dict[str, float]]:
    command = [python, str(PEERS / "rerankers.py"), library, json.dumps(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE, check=False)
    if done.returncode:
        sys.exit(f"{library} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    limits, peer = machine(), peer_python("pyversity")
    mine, theirs = [], []
    for _ in range(repeat):
        mine.append(run("vitrina", sys.executable))
        theirs.append(run("pyversity", peer))

    def least(runs: list[dict[str, dict[str, float]]], case: str, name: str) -> float:
        return min(found[case][name] for found in runs)

    print(f"Milliseconds per query, one thread, the least of {repeat} processes, diversity .5. {limits}.\n")
    heads = [f"{n:,} to {k}, {dim}" for n, k, dim in CASES]
    print(f"| re-ranker, against pyversity 0.2's | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for name, other in AGAINST.items():
        cells = []
        for n, k, dim in CASES:
            case = f"{n} {k} {dim}"
            own, batch, peer_ms = least(mine, case, name), least(mine, case, f"{name}, in a batch"), least(theirs, case, other)
            cells.append(f"{own:.3f} against {peer_ms:.3f}: {peer_ms / own:.1f}x (batch {batch:.3f})")
        print(f"| {name}, against {other} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
