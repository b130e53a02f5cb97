"""Lists for everybody in an ingested log by Ray with one worker and with two, and by the local executor: a job of two minutes, in turn.

    python -m benchmarks.scale.recommend_workers [--people 800_000] [--rounds 2]

Each run is a fresh process; all workers compute in one thread. The clock runs from the call to the whole file, after Ray has started and its workers have imported Vitrina ("start of Ray
excluded"); the local executor's process has imported it too. All files must be the same to the byte. A run that is finished is not done again, so an interrupted
script goes on; the block of RESULTS.md is written at the end. Some 11 minutes where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.kit.zipf import log_file
from vitrina.base.files import sha256_of
from vitrina.base.threads import THREAD_VARIABLES

PLACE = CACHE / "recommend_workers"
ITEMS, PER_PERSON, SHARDS = 20_000, 20, 24
ARMS = {"local, 1 worker": ("local", 1), "Ray, 1 worker": ("ray", 1), "Ray, 2 workers": ("ray", 2)}
PREPARE = """
import sys
import vitrina as vt
source, log, model, shards = sys.argv[1:]
data = vt.ingest(source, log, shards=int(shards))
vt.save(vt.Cooccurrence(neighbours=200).fit(vt.read_interactions(source)), model)
"""
RUN = """
import json, sys, time
import vitrina as vt
from vitrina.jobs.engine import engine
log, model, out, name, workers = sys.argv[1:]

def imported(number):
    import vitrina.batch
    time.sleep(0.2)
    return number

if __name__ == "__main__":
    data, executor = vt.Dataset.open(log), engine(name, int(workers))
    list(executor.map(imported, range(2 * int(workers))))
    started = time.perf_counter()
    rows = vt.recommend_to(out, model, data, k=10, executor=executor)
    print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))
"""


def fresh(script: str, *arguments: object) -> str:
    """The last line of a script in a process of its own, whose kernels have one thread."""
    path = PLACE / "script.py"
    path.write_text(script)
    limits = dict.fromkeys(THREAD_VARIABLES, "1")
    done = subprocess.run(
        [sys.executable, str(path), *map(str, arguments)], capture_output=True, text=True, check=False, env=os.environ | limits
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def prepared(people: int) -> tuple[Path, Path]:
    """The ingested log and the model of it, made where they aren't there yet."""
    log, model, ready = PLACE / f"log_{people}", PLACE / f"model_{people}", PLACE / f"ready_{people}"
    if not ready.exists():
        shutil.rmtree(log, ignore_errors=True)
        fresh(PREPARE, log_file(PER_PERSON * people, people, ITEMS), log, model, SHARDS)
        ready.touch()
    return log, model


def measured(people: int, number: int, arm: str) -> dict[str, float | str]:
    """One run, or what is kept of it."""
    record = PLACE / f"{people}_{number}_{arm.replace(', ', '_').replace(' ', '_')}.json"
    if not record.exists():
        out = PLACE / "lists.parquet"
        said = json.loads(fresh(RUN, *prepared(people), out, *ARMS[arm]))
        record.write_text(json.dumps(said | {"sha256": sha256_of(out)}))
        out.unlink()
    found = json.loads(record.read_text())
    print(f"{arm}: {found['seconds']:.1f} s", file=sys.stderr, flush=True)
    return found


def table(people: int, runs: dict[str, list[dict[str, float | str]]], limits: str) -> str:
    """The block of the page."""
    seconds = {arm: [float(run["seconds"]) for run in own] for arm, own in runs.items()}
    local, one, two = seconds.values()
    quicker = [a / b for a, b in zip(one, two, strict=True)]
    dearer = [a / b - 1 for a, b in zip(one, local, strict=True)]
    same = len({run["sha256"] for own in runs.values() for run in own}) == 1
    rows = [f"| {arm} | {', '.join(f'{s:.1f}' for s in own)} | {people / median(own):,.0f} |" for arm, own in seconds.items()]
    return (
        f"Lists of 10 for {people:,} people of an ingested log ({PER_PERSON * people / 1e6:,.0f} million events, {ITEMS:,} items, {SHARDS} shards) by `Cooccurrence`, one thread per worker, in turn. {limits}.\n\n"
        "| who | seconds per round | people per second |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Two workers of Ray are {median(quicker):.2f} times as quick as one ({', '.join(f'{q:.2f}' for q in quicker)}; target 1.7). "
        f"Ray takes {median(dearer):+.1%} of the local executor's time, its start excluded ({', '.join(f'{d:+.1%}' for d in dearer)}; target under 10%). "
        f"{'All files are the same to the byte.' if same else 'THE FILES DIFFER.'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=800_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="forget what is finished")
    given = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    for old in PLACE.glob(f"{given.people}_*.json") if given.again else ():
        old.unlink()
    limits = machine()
    runs = {arm: [measured(given.people, number, arm)] for number in (0,) for arm in ARMS}
    for number in range(1, given.rounds):
        for arm in reversed(ARMS) if number % 2 else ARMS:
            runs[arm].append(measured(given.people, number, arm))
    block = table(given.people, runs, limits)
    keep(RESULTS, "scale.recommend_workers", block)
    print(block)


if __name__ == "__main__":
    main()
