"""Lists for a million people and 100,000 items: seconds and memory of `vitrina recommend`, as rows of Markdown.

    python -m benchmarks.speed.lists_to_file [--users 1_000_000] [--items 100_000] [--events 20_000_000]

A log is drawn once into `benchmarks/.cache` (Zipf, seeded, text ids), the models are fitted and saved in a process of their own.
What is measured is in fresh processes: the whole command, from the artifact and the log to the Parquet file of lists; and how much
the memory grows while lists are made, alone and with the file, for a tenth of the people and for all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.places import CACHE
from benchmarks.kit.zipf import log_file

MEMORY = """
import json, os, sys, time
from pathlib import Path

def of_status(name):
    text = Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(name)).split()[1]) / 1024
"""
FIT = """
import sys
import vitrina as vt
log, folder, name = sys.argv[1:]
data = vt.read_interactions(log)
model = {"Cooccurrence": vt.Cooccurrence(), "Popularity": vt.Popularity()}[name]
vt.save(model.fit(data), folder, model=model)
"""
COMMAND = (
    MEMORY
    + """
started = time.perf_counter()
from vitrina.cli.main import run
sys.argv = ["vitrina", "recommend", sys.argv[1], "--data", sys.argv[2], "--out", sys.argv[3], "--json", "--exclude-seen"]
try:
    run()
except SystemExit as end:
    if end.code:
        raise
print(json.dumps({"seconds": time.perf_counter() - started, "peak": of_status("VmHWM")}))
"""
)
GROWTH = (
    MEMORY
    + """
import gc
import vitrina as vt
from vitrina.batch import aligned, recommend_to
folder, log, out, share = sys.argv[1:]
found = vt.load(folder)
queries = aligned(vt.read_interactions(log), found.vocabulary).queries()
asked = int(len(queries) * float(share))
recommend_to(out, found.recommender, queries[:64], k=10)
gc.collect()
held = of_status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
for part, block in queries[:asked].blocks(8192):
    found.recommender.recommend(block, 10)
alone = of_status("VmHWM") - held
Path("/proc/self/clear_refs").write_text("5")
started = time.perf_counter()
rows = recommend_to(out, found.recommender, queries[:asked], k=10)
seconds = time.perf_counter() - started
print(json.dumps({"asked": asked, "rows": rows, "seconds": seconds, "held": held, "alone": alone, "peak": of_status("VmHWM")}))
"""
)


def fresh(script: str, *arguments: object) -> dict[str, float]:
    """The last line of a script that runs in a process of its own."""
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}


def row(name: str, log: Path) -> str:
    folder, out = CACHE / f"{log.stem}_{name}", CACHE / f"{log.stem}_{name}_lists.parquet"
    fresh(FIT, log, folder, name)
    tenth, every = (fresh(GROWTH, folder, log, out, share) for share in (0.1, 1.0))
    whole = fresh(COMMAND, folder, log, out)
    cells = [
        name, f"{every['asked']:,}", f"{every['rows']:,}", f"{every['seconds']:.1f}", f"{every['held']:,.0f}",
        f"{every['alone']:,.0f}",
        f"{tenth['peak'] - tenth['held']:,.0f}", f"{every['peak'] - every['held']:,.0f}", f"{whole['seconds']:.1f}", f"{whole['peak']:,.0f}",
        f"{out.stat().st_size / 1e6:,.0f}",
    ]  # fmt: skip
    out.unlink()
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=20_000_000)
    options = parser.parse_args()
    limits = machine()
    log = log_file(options.events, options.users, options.items)
    print(
        f"`vitrina recommend` to Parquet, k = 10, seen items left out, {options.items:,} items, {options.events:,} events with text ids. {limits}.\n"
    )
    print(
        "| model | people | rows | lists, s | log and model, MiB | growth by lists alone, MiB | and the file, a tenth of the people, MiB | all people, MiB "
        "| whole command, s | its peak, MiB | file, MB |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for name in ("Cooccurrence", "Popularity"):
        print(row(name, log), flush=True)


if __name__ == "__main__":
    main()
