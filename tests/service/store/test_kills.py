"""A process that is killed takes nothing with it that it has acknowledged: the long proof, for a few rounds, and the order of its calls to the system."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import vitrina as vt

ROOT = Path(__file__).parents[3]


def test_kills_lose_and_double_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.speed.service_kills import rounds

    found = rounds(4, 3, tmp_path)
    assert {name: found[name] for name in ("rounds", "migrations", "lost", "doubled", "came back", "not erased", "leftovers", "wrong model")} == {
        "rounds": 4, "migrations": 1, "lost": 0, "doubled": 0, "came back": 0, "not erased": 0, "leftovers": 0, "wrong model": 0,
    }  # fmt: skip
    assert found["acknowledged"] > 0


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (apt-get install strace)")
def test_the_disk_has_an_event_before_the_answer_leaves(tmp_path):
    model, data = vt.Popularity(), vt.testing.toy()
    vt.save(model.fit(data), tmp_path / "model", model=model, data=data)
    (tmp_path / "serve.toml").write_text(f'[service]\nhistories = "store"\n[scenarios.default]\nartifact = "{tmp_path / "model"}"\n')
    trace = tmp_path / "trace"
    calls = "trace=read,recvfrom,recvmsg,write,sendto,sendmsg,writev,pwrite64,fdatasync,fsync"
    serve = ["vitrina", "serve", str(tmp_path / "serve.toml"), "--port", "0", "--admin-port", "0", "--state", str(tmp_path / "state")]
    command = ["strace", "-f", "-y", "-s", "24", "--seccomp-bpf", "-o", str(trace), "-e", calls, sys.executable, "-m", *serve]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as traced:
        try:
            for number in range(3):
                tell(tmp_path / "log", number)
        finally:
            for served in Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split():
                os.kill(int(served), signal.SIGTERM)
    steps = order(trace.read_text(encoding="utf-8", errors="replace"))
    told = re.findall(r"S([wf]*)T", steps)
    assert len(told) == 3, steps
    for one in told:
        assert "wf" in one, steps  # written, and flushed; the service's own upkeep may write after it


def tell(log: Path, number: int) -> None:
    """Send an event to the service of a log, which may only just start."""
    for _ in range(600):
        if ready := re.search(r"Ready: (http://[\w.]+:\d+)", log.read_text()):
            break
        if "ptrace" in log.read_text():
            pytest.skip(f"strace may not look at processes here: {log.read_text()[:200]}")
        time.sleep(0.05)
    assert ready, log.read_text()
    body = json.dumps({"event_id": f"e{number}", "kind": "click", "user": "ann", "item": "tea"}).encode()
    asked = urllib.request.Request(f"{ready[1]}/v1/events", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert json.loads(answer.read())["stored"] == 1


SENT, TOLD = re.compile(r'"POST /v1/events'), re.compile(r'"HTTP/1.1 200')


def order(trace: str) -> str:
    """The calls in the order in which they ended: S the request is read, T the answer is written, w and f: the database's log is written, and flushed."""
    begun: dict[str, str] = {}
    steps = []
    for line in trace.splitlines():
        process, _, call = line.partition(" ")
        if "<unfinished" in call:
            begun[process] = call
            continue
        if "resumed>" in call:
            call = begun.pop(process, "") + call
        if SENT.search(call) or TOLD.search(call):
            steps.append("S" if SENT.search(call) else "T")
        elif "store.sqlite-wal>" in call and re.search(r"= \d+$", call):
            steps.append("f" if "sync(" in call else "w")
    return "".join(steps)
