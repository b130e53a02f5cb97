"""A job over parts: finished ones are kept and never redone, another key is refused, what was killed goes on, cancelled it leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError
from vitrina.base.executor import InProcess, Processes
from vitrina.base.parts import alone, cancel, run_parts


@dataclass(frozen=True)
class Written:
    """Writes the part's file and counts how often it was asked."""

    folder: Path
    fails_at: int = -1
    dies_at: int = -1

    def __call__(self, part):
        with (self.folder / "asked.txt").open("a") as file:
            file.write(f"{part}\n")
        if part == self.fails_at:
            raise DataError("no such part")
        if part == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder / f"{part}.txt").write_text(str(part))
        return part * part


def asked(folder):
    return sorted(int(line) for line in (folder / "asked.txt").read_text().split())


@pytest.mark.parametrize("executor", [InProcess(), Processes(2)], ids=["here", "processes"])
def test_results_come_in_order_and_nothing_is_done_twice(tmp_path, executor):
    counts = []
    job = tmp_path / "job"
    assert run_parts(Written(tmp_path), range(7), job, key="a", executor=executor, done=counts.append) == [p * p for p in range(7)]
    assert counts == list(range(8))
    assert run_parts(Written(tmp_path), range(7), job, key="a", executor=executor) == [p * p for p in range(7)]
    assert asked(tmp_path) == list(range(7))


@pytest.mark.parametrize("executor", [InProcess(), Processes(2)], ids=["here", "processes"])
def test_an_error_comes_through_and_the_rest_goes_on_later(tmp_path, executor):
    job = tmp_path / "job"
    with pytest.raises(DataError, match="no such part"):
        run_parts(Written(tmp_path, fails_at=3), range(7), job, key="a", executor=executor)
    kept = {int(path.stem[5:]) for path in job.glob("part-*.json")}
    assert {0, 1, 2} <= kept
    assert 3 not in kept
    before = asked(tmp_path)
    assert run_parts(Written(tmp_path), range(7), job, key="a", executor=executor) == [p * p for p in range(7)]
    assert asked(tmp_path) == sorted(before + [p for p in range(7) if p not in kept])
    assert {path.name for path in job.iterdir()} == {"job.json"} | {f"part-{p:05}.json" for p in range(7)}


def test_a_worker_that_is_killed_is_said_to_be(tmp_path):
    with pytest.raises(MemoryBudgetError, match="ended by the system"):
        run_parts(Written(tmp_path, dies_at=2), range(4), tmp_path / "job", key="a", executor=Processes(2))


def test_another_key_is_refused_and_no_parts_are_no_job(tmp_path):
    assert run_parts(Written(tmp_path), [], tmp_path / "job", key="a") == []
    run_parts(Written(tmp_path), [1], tmp_path / "other", key="a")
    for parts, key in (([1], "b"), ([1, 2], "a")):
        with pytest.raises(ParameterError, match="the parts of another job"):
            run_parts(Written(tmp_path), parts, tmp_path / "other", key=key)


SCRIPT = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
from vitrina.base.executor import local
from vitrina.base.parts import run_parts

@dataclass(frozen=True)
class Slow:
    folder: str
    def __call__(self, part):
        time.sleep(0.05 if part else 0)
        (Path(self.folder) / f".left-{part}").write_text("half")
        time.sleep(0.05 if part else 0)
        (Path(self.folder) / f".left-{part}").rename(Path(self.folder) / f"{part}.txt")
        return part

if __name__ == "__main__":
    print(run_parts(Slow(sys.argv[1]), range(12), Path(sys.argv[1]), key="a", executor=local(int(sys.argv[2]))))
"""


def started(tmp_path, workers):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    job = tmp_path / "job"
    process = subprocess.Popen([sys.executable, script, job, str(workers)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while not (job / "part-00001.json").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.time() < deadline
        time.sleep(0.01)
    return process, job


def all_gone(processes):
    return not psutil.wait_procs(processes, 10)[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_it_goes_on_and_no_worker_stays(tmp_path, workers):
    process, job = started(tmp_path, workers)
    workers_of = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert all_gone(workers_of)
    record = (job / "part-00000.json").stat().st_mtime_ns
    again = subprocess.run([sys.executable, tmp_path / "script.py", job, str(workers)], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == str(list(range(12)))
    assert (job / "part-00000.json").stat().st_mtime_ns == record
    assert {path.name for path in job.iterdir()} == {"job.json"} | {f"part-{p:05}.json" for p in range(12)} | {
        f"{p}.txt" for p in range(12)
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_the_workers_and_keeps_what_is_finished(tmp_path, workers):
    process, job = started(tmp_path, workers)
    workers_of = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert errors.count("Traceback") == 1  # of the driver's own KeyboardInterrupt; workers say nothing
    assert all_gone(workers_of)
    assert not (job / "running.json").exists()
    assert not list(job.glob(".*"))
    assert (job / "part-00001.json").exists()


def test_a_second_one_is_refused_and_cancel_ends_the_first(tmp_path):
    process, job = started(tmp_path, 2)
    workers_of = psutil.Process(process.pid).children(recursive=True)
    with pytest.raises(ParameterError, match="running already"):
        run_parts(abs, range(12), job, key="a")
    assert cancel(job)
    process.communicate(timeout=20)
    assert all_gone(workers_of)
    assert not job.exists()
    assert not cancel(job)


def test_of_two_that_begin_at_one_moment_one_has_the_folder(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from vitrina.base.parts import alone\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "with alone(Path(sys.argv[1])): print('mine'); time.sleep(3)"
    )
    moment = str(time.time() + 5)
    starts = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), moment], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in "ab"
    ]
    said = [process.communicate(timeout=60)[0].decode().strip() for process in starts]
    assert sorted(said) == ["", "mine"]


def test_the_mark_of_a_job_that_came_later_stays(tmp_path):
    job = tmp_path / "job"
    theirs = json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0})
    with alone(job):
        job.rename(tmp_path / "gone")  # as a load does with its work
        job.mkdir()
        (job / "running.json").write_text(theirs)
    assert (job / "running.json").read_text() == theirs


def test_the_mark_of_another_machine_or_of_nobody(tmp_path):
    run_parts(abs, [1], tmp_path, key="a")
    mark = tmp_path / "running.json"
    mark.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0}))
    with pytest.raises(ParameterError, match="on the machine 'elsewhere'"):
        run_parts(abs, [1], tmp_path, key="a")
    mark.unlink()
    me = psutil.Process()
    import socket

    mark.write_text(json.dumps({"host": socket.gethostname(), "pid": me.pid, "started": me.create_time() - 5}))
    assert run_parts(abs, [1], tmp_path, key="a") == [1]


def test_a_clock_that_was_set_lets_nobody_in(tmp_path, monkeypatch):
    """psutil adds the time of the machine's start, which moves with the clock, to that of the process."""
    script = "import sys, time; from pathlib import Path; from vitrina.base.parts import alone\nwith alone(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"in\n"
        real = psutil.Process.create_time
        monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
        with pytest.raises(ParameterError, match="running already"):
            run_parts(abs, [1], tmp_path, key="a")
    finally:
        process.kill()
        process.communicate()
    assert run_parts(abs, [1], tmp_path, key="a") == [1]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks of signals")
def test_workers_are_born_deaf_to_ctrl_c_and_this_process_is_not():
    mask = partial(signal.pthread_sigmask, signal.SIG_BLOCK)
    assert all(signal.SIGINT in inherited for inherited in Processes(2).map(mask, [[], []]))
    assert signal.SIGINT not in mask([])
