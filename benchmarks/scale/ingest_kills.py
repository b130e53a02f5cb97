"""`vitrina ingest` killed at any moment, fifty times: the same command goes on, and the folder is that of a load nobody disturbed.

    python -m benchmarks.scale.ingest_kills [--rounds N] [--events N]

A round kills the process that loads, with all its workers, by SIGKILL after a random time, again and again until a try comes to its end; blocks are small, so that many
are there to be killed between. Then every file of the folder, and the file of bad rows, is compared with those of the undisturbed load, byte by byte.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.scale.generate import generate

PLACE = CACHE / "ingest_kills"
CHILD = """
import sys
from vitrina.data.ingest import blocks
from vitrina.data.read import sources
from vitrina.cli.main import run
blocks.ROWS, sources.CHUNK = 60_000, 20_000
if __name__ == "__main__":
    run()
"""
SHARDS, WORKERS = 6, 2


@dataclass(frozen=True)
class Run:
    """One way to load: from where, to where."""

    source: Path
    out: Path

    @property
    def command(self) -> list[str]:
        columns = ["--user", "user", "--item", "item", "--time", "time", "--time-unit", "s", "--event-id", "event"]
        how = ["--on-bad-row", "quarantine", "--shards", str(SHARDS), "--workers", str(WORKERS)]
        return [sys.executable, str(PLACE / "child.py"), "ingest", f"{self.source}/*.parquet", "--out", str(self.out), *columns, *how]

    def start(self) -> subprocess.Popen[bytes]:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            self.command, cwd=self.out.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )

    def contents(self) -> dict[str, bytes]:
        """Every file, hidden ones too; but for the names of what lies elsewhere."""
        return {str(path.relative_to(self.out.parent)): path.read_bytes() for path in sorted(self.out.parent.rglob("*")) if path.is_file()}


def killed(run: Run, after: float) -> bool:
    """Start the load and kill it, and all that it started, after so many seconds; False where it had ended well before."""
    process = run.start()
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    if process.returncode:
        sys.exit(f"The load ended with {process.returncode}: {process.stderr.read().decode()[-2000:] if process.stderr else ''}")
    return False


def finish(run: Run) -> float:
    """Let it come to its end; its seconds."""
    started = time.perf_counter()
    killed(run, 3600)
    return time.perf_counter() - started


def rounds(count: int, events: int) -> str:
    """The table of the page."""
    source = generate(events)
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    (PLACE / "child.py").write_text(CHILD)
    whole = Run(source, PLACE / "whole" / "log")
    finish(whole)
    shutil.rmtree(whole.out.parent)
    seconds = finish(whole)
    wanted, kills, gone_on, wrong = whole.contents(), 0, 0, 0
    drawn = random.Random(0)
    for number in range(count):
        run = Run(source, PLACE / f"round-{number}" / "log")
        work = run.out / ".work" / "blocks"
        before = kills
        while (was_killed := killed(run, drawn.uniform(0.2, 1.1) * seconds)) or kills == before:
            if was_killed:
                kills += 1
                gone_on += work.exists() and any(work.iterdir())
            else:  # it was over before its moment came: a round has at least one kill
                shutil.rmtree(run.out.parent)
        same = run.contents() == wanted
        wrong += not same
        print(f"round {number + 1}: {kills} kills so far, {'the same' if same else 'DIFFERENT'}", file=sys.stderr, flush=True)
        if same:
            shutil.rmtree(run.out.parent)
    return (
        "| rounds | kills | with finished blocks or shards to go on from | folders that differ from the undisturbed one |\n|---|---|---|---|\n"
        f"| {count} | {kills} | {gone_on} | {wrong} |\n\n"
        f"{events:,} rows of a Zipf log in blocks of 60,000, {SHARDS} shards made by {WORKERS} processes; SIGKILL to all of them after 0.2 to 1.1 of the {seconds:.1f} seconds of an "
        f"undisturbed load, until a try ends. {machine()}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--events", type=int, default=600_000)
    given = parser.parse_args()
    text = rounds(given.rounds, given.events)
    keep(RESULTS, "scale.ingest_kills", text)
    print(text)


if __name__ == "__main__":
    main()
