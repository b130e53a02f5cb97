"""Cosine co-occurrence, 100 neighbours, on Amazon Beauty: fit, and the best 10 for everybody, beside RecTools with implicit.

    python -m benchmarks.speed.cooccurrence [--repeat 3]

Each library runs in its own environment and process (see peers/setup.sh), in turn; in each process the first run is reported apart, and the
best of five later ones. `cold` is a first run where no compiled kernel was on the disk.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.peers import agreement, beauty_without_last, best, run_item_model

NEIGHBOURS, ALL = "100", "5000"  # with all neighbours no tie at the cut decides which are kept
LIBRARIES = {"vitrina": "Vitrina", "rectools": "RecTools 0.19, implicit CosineRecommender"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    limits = machine()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        beauty_without_last().write_parquet(log)
        cold = run_item_model("vitrina", NEIGHBOURS, log, 0, cold=True)["first"]
        runs = {name: [] for name in LIBRARIES}
        for _ in range(repeat):
            for name, done in runs.items():
                done.append(run_item_model(name, NEIGHBOURS, log, 5))
        whole = [run_item_model(name, ALL, log, 0)["lists"] for name in LIBRARIES]
    mine = best(runs["vitrina"])
    print(f"Cosine co-occurrence, 100 neighbours, 22,363 people, best of {repeat} processes. {limits}.\n")
    print(
        "| library | fit, s | top 10 of all, s | in all, s | first run of a process, s | Vitrina is faster by |\n|---|---|---|---|---|---|"
    )
    for name, title in LIBRARIES.items():
        fit, recommend = best(runs[name])
        first, ratio = sum(best(runs[name], "first")), (fit + recommend) / sum(mine)
        print(f"| {title} | {fit:.3f} | {recommend:.3f} | {fit + recommend:.3f} | {first:.3f} | {ratio:.1f}x |")
    print(f"| Vitrina, kernels not yet compiled | {cold[0]:.1f} | {cold[1]:.1f} | {sum(cold):.1f} | | |\n")
    print(f"With 100 neighbours {agreement(runs['vitrina'][0]['lists'], runs['rectools'][0]['lists'])}.")
    print(f"With all neighbours {agreement(*whole)}.")


if __name__ == "__main__":
    main()
