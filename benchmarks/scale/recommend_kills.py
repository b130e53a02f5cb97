"""`vitrina recommend` over an ingested log is killed at random moments and begun again: the tally, as a line for RESULTS.md.

    python -m benchmarks.scale.recommend_kills [--rounds 50] [--seed 0]

Each round begins the command and sends SIGKILL to it (the driver, not its workers) at a moment that is drawn over its whole run, late ones more often, once or twice, then lets it
finish. After each kill no worker may be alive 20 seconds later; at the end the file or folder must equal the uninterrupted one, file by file to the byte, nothing else may lie beside it, and no part that had a record
may have been made again. One round in ten is on Ray; the others have 1, 2 or 3 processes, also another number after the kill. A process that is killed is not a power cut.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from vitrina.batch.job import folder_of

PATIENCE = 20.0  # seconds for workers to end


def begun(folder: Path, out: Path, engine: str, workers: int) -> subprocess.Popen[bytes]:
    """The command, as a user would type it."""
    words = ["recommend", folder / "model", "--data", folder / "log", "--out", out, "--k", "10", "--engine", engine, "--workers", workers]
    return subprocess.Popen([sys.executable, "-m", "vitrina", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Its workers, and the processes of its cluster but for Ray's agents, which end by themselves a minute later."""
    try:
        return [one for one in psutil.Process(process.pid).children(recursive=True) if not one.name().endswith("Agent")]
    except psutil.NoSuchProcess:
        return []


def content(out: Path) -> str:
    """A hash of a file, or of all Parquet files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(out.glob("*.parquet")) if out.is_dir() else [out]:
        digest.update((path.name if out.is_dir() else "").encode() + path.read_bytes())
    return digest.hexdigest()


def records(out: Path) -> dict[str, int]:
    """When each finished part was finished."""
    return {path.name: path.stat().st_mtime_ns for path in folder_of(out).glob("part-*.json")}


def played(folder: Path, number: int, chance: random.Random, whole: dict[str, str], longest: dict[str, float]) -> Counter[str]:
    """One round; what was seen."""
    seen: Counter[str] = Counter(rounds=1)
    engine = "ray" if number % 10 == 9 else "local"
    out = folder / "out" / ("lists" if number % 2 else "lists.parquet")
    for _ in range(chance.choice((1, 1, 2))):
        before = records(out)
        process = begun(folder, out, engine, chance.choice((1, 2) if engine == "ray" else (1, 2, 3)))
        deadline, workers = time.monotonic() + chance.random() ** 0.5 * longest[engine], []
        while time.monotonic() < deadline and process.poll() is None:
            workers = below(process)
            time.sleep(0.02)
        workers += below(process)
        process.kill()
        process.communicate()
        seen["kills"] += process.returncode == -9
        seen["kills after some parts"] += process.returncode == -9 and bool(records(out))
        seen["workers that stayed"] += len(psutil.wait_procs(workers, PATIENCE)[1])
        seen["parts made again"] += sum(records(out).get(name, 0) not in (0, moment) for name, moment in before.items())
    last = begun(folder, out, engine, chance.choice((1, 2)))
    errors = last.communicate()[1].decode()
    seen["failed"] += last.returncode != 0
    if last.returncode:
        print(errors, file=sys.stderr)
    seen["other results"] += not out.exists() or content(out) != whole[out.name]
    seen["things left beside"] += sum(path != out for path in out.parent.iterdir())
    shutil.rmtree(out.parent)
    out.parent.mkdir()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    limits, tally, chance = machine(), Counter[str](), random.Random(given.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "out").mkdir()
        data = vt.testing.synthetic(users=60_000, items=3_000, mean_length=20, groups=20, seed=3)
        data.frame().write_parquet(folder / "log.parquet")
        vt.ingest(folder / "log.parquet", folder / "log", shards=24)
        vt.save(vt.Cooccurrence().fit(data), folder / "model")
        whole, longest = {}, {}
        for name, engine in (("lists.parquet", "ray"), ("lists", "local"), ("lists.parquet", "local")):
            started = time.monotonic()
            assert begun(folder, folder / "out" / name, engine, 2).wait() == 0
            longest[engine], whole[name] = time.monotonic() - started, content(folder / "out" / name)
            shutil.rmtree(folder / "out")
            (folder / "out").mkdir()
        for number in range(given.rounds):
            tally += played(folder, number, chance, whole, longest)
            print(number + 1, dict(tally), file=sys.stderr, flush=True)
    wrong = ("workers that stayed", "parts made again", "failed", "other results", "things left beside")
    line = ", ".join(f"{tally[name]} {name}" for name in ("rounds", "kills", "kills after some parts", *wrong))
    block = f"`vitrina recommend` killed by SIGKILL and begun again (seed {given.seed}): {line}. {limits}."
    keep(RESULTS, "scale.recommend_kills", block)
    print(block)
    if any(tally[name] for name in wrong):
        sys.exit(1)


if __name__ == "__main__":
    main()
