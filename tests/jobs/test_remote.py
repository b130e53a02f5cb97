"""The run of a model on another machine: what is the same as here, and what its end does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
from polars.testing import assert_frame_equal

import vitrina as vt
from vitrina.base.errors import MemoryBudgetError, ParameterError
from vitrina.base.executor import Processes
from vitrina.board.compare import _spread
from vitrina.jobs import processes, remote
from vitrina.jobs.remote import OnNode, run_on


@dataclass(frozen=True)
class Elsewhere:
    """A cluster whose only worker is this process."""

    workers: int = 1

    def map(self, function, items) -> Iterator:
        return map(function, items)


@dataclass(frozen=True)
class Lost:
    """A cluster that raises."""

    error: Exception
    workers: int = 1

    def map(self, function, items) -> Iterator:
        raise self.error


def started(monkeypatch, run):
    """Where jobs were started, with `run` in place of a process."""
    outs: list[Path] = []

    def run_job(job, out, stop, *, threads, limit=None):
        outs.append(out)
        return run(job, out, stop)

    monkeypatch.setattr(processes, "run_job", run_job)
    return outs


def test_a_try_has_a_folder_of_its_own_and_gives_the_result_of_its_process(monkeypatch, tmp_path):
    outs = started(monkeypatch, lambda job, out, stop: {"status": "ok", "job": job["kind"]})
    first, second = (run_on(Elsewhere(), {"kind": "fit"}, tmp_path, Event(), None) for _ in range(2))
    assert first[0] == second[0] == {"status": "ok", "job": "fit"}
    assert [first[1], second[1]] == outs
    assert first[1] != second[1]
    assert {out.parent for out in outs} == {tmp_path}


def test_a_stop_ends_the_job_where_it_runs(monkeypatch, tmp_path):
    ended = Event()

    def until_stopped(job, out, stop):
        while not stop.wait(0.01):
            pass
        ended.set()
        return {}

    started(monkeypatch, until_stopped)
    stop = Event()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(processes.StoppedError):
        run_on(Elsewhere(), {}, tmp_path, stop, None)
    assert ended.is_set()


def test_a_cluster_that_never_answers_is_left(monkeypatch, tmp_path):
    monkeypatch.setattr(remote, "LEAVE", 0.05)
    gate, stop = Event(), Event()
    started(monkeypatch, lambda *_: gate.wait(20))
    stop.set()
    before = time.monotonic()
    with pytest.raises(processes.StoppedError):
        run_on(Elsewhere(), {}, tmp_path, stop, None)
    gate.set()
    assert time.monotonic() - before < 5


def test_a_node_without_the_folder_says_what_to_do(tmp_path):
    result, _ = OnNode(tmp_path / "away" / "fit-1", None)({})
    assert result["status"] == "failed"
    assert f"doesn't see the folder {tmp_path / 'away'}" in result["error"]


def test_memory_that_ran_out_is_of_one_model_and_a_lost_cluster_of_all(tmp_path):
    result, _ = run_on(Lost(MemoryBudgetError("killed")), {}, tmp_path, Event(), None)
    assert result == {"status": "out of memory", "error": "killed"}
    with pytest.raises(ParameterError, match="lost"):
        run_on(Lost(ParameterError("lost")), {}, tmp_path, Event(), None)


def test_workers_are_said_once():
    budget, executor = _spread(vt.Budget(), Processes(3))
    assert budget.workers == 3
    assert executor.workers == 1  # processes are started from here
    assert _spread(vt.Budget(workers=2), Elsewhere(2))[1] == Elsewhere(2)
    with pytest.raises(ParameterError, match="3 workers, and the budget 2"):
        _spread(vt.Budget(workers=2), Processes(3))


@pytest.mark.usefixtures("one_process")
def test_the_board_is_the_same_and_its_cache_too(tmp_path, monkeypatch):
    split = vt.testing.synthetic(users=80, items=30).split(vt.split.GlobalTime(quantile=0.7))
    models = {"popular": vt.Popularity(), "searched": vt.tune(vt.TopPersonal, decay=[None, vt.decay.Exponential(days=9)])}

    def compared(**more):
        return vt.compare(models, split, baselines=False, progress=False, **more)

    here, there = compared(), compared(cache=tmp_path, executor=Elsewhere())
    assert_frame_equal(there.numbers, here.numbers)
    assert_frame_equal(there.per_query, here.per_query)
    assert_frame_equal(there.trials, here.trials)
    assert (here.settings["engine"], there.settings["engine"]) == ("this machine", "Elsewhere(workers=1)")
    monkeypatch.setattr(processes, "run_job", lambda *a, **k: pytest.fail("a process was started"))
    assert all(entry.cached for entry in compared(cache=tmp_path).entries)
