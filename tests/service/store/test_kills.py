"""A process that is killed takes nothing with it that it has acknowledged: the long proof, for a few rounds, and the order of its calls to the system."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ASKING = """
import asyncio, os, sys, time
from pathlib import Path
from vitrina.service.records import Event
from vitrina.service.store.store import Store

async def run():
    store = Store.open(Path(sys.argv[1]))
    for i in range(5):
        os.write(1, b"sent")
        stored = await store.append("shop", [Event(f"{i}-{j}", "click", "ann", "tea", 1, 1) for j in range(20)])
        os.write(1, b"told" if all(stored) else b"lost")
    await store.close()

asyncio.run(run())
"""


def test_kills_lose_and_double_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.speed.service_kills import rounds

    found = rounds(4, 3, tmp_path)
    assert {name: found[name] for name in ("rounds", "migrations", "lost", "doubled", "came back", "not erased", "leftovers", "wrong model")} == {
        "rounds": 4, "migrations": 1, "lost": 0, "doubled": 0, "came back": 0, "not erased": 0, "leftovers": 0, "wrong model": 0,
    }  # fmt: skip
    assert found["acknowledged"] > 0


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (apt-get install strace)")
def test_the_disk_has_an_event_before_anybody_is_told(tmp_path):
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(trace),
        "-e",
        "trace=write,pwrite64,fdatasync,fsync",
        sys.executable,
        "-c",
        ASKING,
        str(tmp_path / "state"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not look at processes here: {done.stderr.splitlines()[0]}")
    assert done.stdout == "senttold" * 5
    steps = order(trace.read_text(encoding="utf-8", errors="replace"))
    for one in re.findall(r"S(.*?)T", steps):
        assert re.fullmatch(r"w+(fw*)*f", one), steps  # the log is written, and flushed after the last byte, before it is told
    assert steps.count("S") == steps.count("T") == 5


def order(trace: str) -> str:
    """The calls in the order in which they ended: S sent, T told, w and f: the database's log is written, and flushed."""
    begun: dict[str, str] = {}
    steps = []
    for line in trace.splitlines():
        process, _, call = line.partition(" ")
        if "<unfinished" in call:
            begun[process] = call
            continue
        if "resumed>" in call:
            call = begun.pop(process, "") + call
        if '"sent"' in call or '"told"' in call:
            steps.append("S" if '"sent"' in call else "T")
        elif "store.sqlite-wal>" in call and re.search(r"= \d+$", call):
            steps.append("f" if "sync(" in call else "w")
    return "".join(steps)
