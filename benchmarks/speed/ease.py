"""EASE on Amazon Beauty (all but the last item of each user, l2 = 500): fit, and the best 10 for everybody, beside RecTools and irspack.

    python -m benchmarks.speed.ease [--repeat 2]

Each library runs in its own environment and process (see peers/setup.sh), in turn, `--repeat` times; the best counts.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.peers import agreement, beauty_without_last, best, run_item_model

LIBRARIES = {"vitrina": "Vitrina", "rectools": "RecTools 0.19 EASEModel", "irspack": "irspack DenseSLIM"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=2)
    repeat = parser.parse_args().repeat
    limits = machine()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        beauty_without_last().write_parquet(log)
        runs = {name: [] for name in (*LIBRARIES, "lapack")}
        for _ in range(repeat):
            for name, done in runs.items():
                done.append(run_item_model(name, "ease", log, 0))
    mine, inverse = best(runs["vitrina"]), best(runs["lapack"])[0]
    print(f"EASE, l2 = 500, 12,092 items, 22,363 people, best of {repeat}. {limits}.\n")
    print("| library | fit, s | top 10 of all, s | in all, s | Vitrina is faster by |\n|---|---|---|---|---|")
    for name, title in LIBRARIES.items():
        fit, recommend = best(runs[name])
        print(f"| {title} | {fit:.2f} | {recommend:.2f} | {fit + recommend:.2f} | {(fit + recommend) / sum(mine):.1f}x |")
    print(f"| spotrf + spotri alone, same matrix | {inverse:.2f} | | | fit is {mine[0] / inverse:.2f} of it |\n")
    for name in ("rectools", "irspack"):
        print(f"{LIBRARIES[name]}: {agreement(runs['vitrina'][0]['lists'], runs[name][0]['lists'])}.")


if __name__ == "__main__":
    main()
