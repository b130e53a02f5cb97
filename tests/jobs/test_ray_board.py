"""A comparison whose models run on a Ray cluster: interrupted, gone on with, and the same as here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import vitrina as vt

pytest.importorskip("ray")

SCRIPT = """
import json
import sys

sys.path.insert(0, sys.argv[1])
import rogues
import vitrina as vt
from vitrina.jobs.ray import Ray

class Local(rogues.Config):
    def fit(self, data, *, validation=None, start=None):
        return vt.Popularity().fit(data)

if __name__ == "__main__":
    cache, gate, pid = sys.argv[2:]
    split = vt.testing.synthetic(users=60, items=30).split(vt.split.GlobalTime(quantile=0.8))
    models = {"local": Local(), "waits": rogues.Favourite(first=2, gate=gate, pid_file=pid)}
    board = vt.compare(models, split, baselines=False, cache=cache, metrics=["nDCG@10"], executor=Ray(workers=2))
    print(json.dumps({"ends": sorted((e.name, e.status, e.cached) for e in board.entries), "numbers": board.numbers.to_dicts()}))
"""


def _start(folder: Path) -> subprocess.Popen:
    (folder / "script.py").write_text(SCRIPT)
    rogues = Path(__file__).parents[1] / "board"
    command = [sys.executable, str(folder / "script.py"), str(rogues), *(str(folder / name) for name in ("cache", "gate", "pid"))]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.05)


def test_ctrl_c_ends_the_processes_of_a_cluster_and_the_next_run_gives_the_board_of_this_machine(tmp_path):
    gate, pid, cache = tmp_path / "gate", tmp_path / "pid", tmp_path / "cache"
    gate.touch()
    process = _start(tmp_path)
    _until(lambda: pid.exists() and pid.read_text() and any(cache.glob("model-*")))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode
    # on a busy machine Ray aborts itself where a task ends while it is cancelled
    assert "KeyboardInterrupt" in said or "task_manager.cc" in said
    _until(lambda: not psutil.pid_exists(int(pid.read_text())), 10)
    assert [path.name.split("-")[0] for path in cache.iterdir()] == ["model"]

    gate.unlink()
    again = _start(tmp_path)
    printed, said = again.communicate(timeout=90)
    assert again.returncode == 0, said
    found = json.loads(printed)
    assert found["ends"] == [["local", "ok", True], ["waits", "ok", False]]
    split = vt.testing.synthetic(users=60, items=30).split(vt.split.GlobalTime(quantile=0.8))
    popular = vt.Popularity().fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
    wanted = vt.evaluate.evaluate(popular, split, ["nDCG@10"])["nDCG@10"]
    assert next(row["value"] for row in found["numbers"] if row["model"] == "local") == wanted
