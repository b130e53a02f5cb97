"""`vitrina recommend` as a job: the same lists by any engine, from an ingested log or a file; killed, stopped, cancelled."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import vitrina as vt
from vitrina.batch.job import folder_of
from vitrina.cli.main import app

KEYS = ["user_id", "rank"]


def run(*words, code=0):
    done = CliRunner().invoke(app, ["recommend", *map(str, words)])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A log as a file and ingested in shards, a model that reads times, and the lists of all at once."""
    folder = tmp_path_factory.mktemp("place")
    log = vt.testing.synthetic(users=300, items=40, mean_length=8, groups=4, seed=5)
    log.frame().write_parquet(folder / "log.parquet")
    data = vt.read_interactions(folder / "log.parquet")
    vt.ingest(folder / "log.parquet", out=folder / "log", shards=12)
    vt.save(vt.Cooccurrence(decay=vt.decay.Exponential(days=5)).fit(data), folder / "model", data=data)
    run(folder / "model", "--data", folder / "log.parquet", "--out", folder / "all.parquet", "--k", 5)
    return folder


def lists(path):
    return pl.read_parquet(path / "*.parquet" if path.is_dir() else path)


@pytest.mark.parametrize("words", [("log",), ("log", "--workers", "2"), ("log.parquet", "--workers", "2"), ("log.parquet",)], ids=" ".join)
@pytest.mark.parametrize("out", ["lists.parquet", "lists"])
def test_any_engine_writes_the_same_lists(place, tmp_path, words, out):
    words = (place / words[0], *words[1:])
    said = json.loads(run(place / "model", "--data", *words, "--out", tmp_path / out, "--k", 5, "--json").stdout)
    expected = lists(place / "all.parquet")
    assert_frame_equal(lists(tmp_path / out).sort(KEYS), expected.sort(KEYS), abs_tol=1e-6)
    assert (said["rows"], said["users"], said["users_not_in_log"]) == (len(expected), expected["user_id"].n_unique(), 0)
    assert [path.name for path in tmp_path.iterdir()] == [out]


def test_some_people_of_an_ingested_log(place, tmp_path):
    some = lists(place / "all.parquet")["user_id"].unique(maintain_order=True)[:3].to_list()
    run(place / "model", "--data", place / "log", "--out", tmp_path / "some", "--k", 5, "--users", ",".join([*some, "nobody"]))
    found = lists(tmp_path / "some")
    assert found["user_id"].unique().sort().to_list() == sorted([*some, "nobody"])
    assert_frame_equal(
        found.filter(pl.col("user_id") != "nobody").sort(KEYS),
        lists(place / "all.parquet").filter(pl.col("user_id").is_in(some)).sort(KEYS),
        abs_tol=1e-6,
    )


def test_what_would_have_no_effect_or_destroy_is_refused(place, tmp_path):
    model = place / "model"
    assert "Workers write lists for many people" in run(model, "--user", "u1", "--workers", 2, code=2).output
    assert "Workers write lists for many people" in run(model, "--history", "i1", "--engine", "ray", code=2).output
    assert "for the engine 'ray'" in run(model, "--out", tmp_path / "a.csv", "--cluster", "auto", code=2).output
    assert "no engine 'spark'" in run(model, "--out", tmp_path / "a.csv", "--engine", "spark", code=2).output
    assert "must be 1 or more" in run(model, "--out", tmp_path / "a.csv", "--workers", 0, code=2).output
    shutil.copytree(place / "log", tmp_path / "log")
    for force in ((), ("--force",)):
        assert "is or holds" in run(model, "--data", tmp_path / "log", "--out", tmp_path / "log", *force, code=2).output
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.txt").write_text("")
    assert "has no lists that Vitrina wrote" in run(model, "--data", tmp_path / "log", "--out", tmp_path / "own", code=2).output
    assert (tmp_path / "own" / "mine.txt").exists()
    assert "Say which job" in run(model, "--cancel", code=2).output


SLOW = """
import sys, time
from vitrina.batch import lists
from vitrina.cli.main import run

frame = lists.Asking._frame

def slow(self, *given):
    time.sleep(0.5)
    return frame(self, *given)

lists.Asking._frame = slow

if __name__ == "__main__":
    run()
"""  # spawned workers import it too, and are as slow


@pytest.fixture
def started(place, tmp_path):
    """Begins the command in a process of its own, and gives it when two parts are there."""
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "lists.parquet"
    words = [sys.executable, script, "recommend", place / "model", "--data", place / "log", "--out", out, "--k", "5"]

    def start(*more, wait=True):
        process = subprocess.Popen([*words, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
        deadline = time.time() + 100
        while wait and len(list(folder_of(out).glob("part-*.json"))) < 2:
            assert process.poll() is None, process.communicate()
            assert time.time() < deadline
            time.sleep(0.01)
        return process, psutil.Process(process.pid).children(recursive=True) if wait else []

    return start, out


def finished(place, process, out):
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert_frame_equal(lists(out).sort(KEYS), lists(place / "all.parquet").sort(KEYS), abs_tol=1e-6)
    assert [path.name for path in out.parent.iterdir()] == ["lists.parquet"]


def test_killed_it_goes_on_with_nobody_left(place, started):
    start, out = started
    process, workers = start("--workers", "2")
    process.kill()
    process.communicate()
    assert len(workers) >= 2
    assert not psutil.wait_procs(workers, 10)[1]
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in folder_of(out).glob("part-*.json")}
    again, _ = start("--workers", "1")  # another number of workers makes the same parts
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    finished(place, again, out)


def test_ctrl_c_says_how_to_go_on_and_cancel_leaves_nothing(place, started):
    start, out = started
    process, workers = start("--workers", "2")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The same command goes on from here" in errors
    assert "Traceback" not in errors
    assert not psutil.wait_procs(workers, 10)[1]
    assert not list(folder_of(out).rglob(".*"))
    assert "is left" in run(place / "model", "--out", out, "--cancel").output
    assert list(out.parent.iterdir()) == []
    assert json.loads(run(place / "model", "--out", out, "--cancel", "--json").stdout) == {"out": str(out), "cancelled": False}


def test_cancel_ends_a_running_job(place, started):
    start, out = started
    process, workers = start("--workers", "2")
    assert "is left" in run(place / "model", "--out", out, "--cancel").output
    said, _ = process.communicate(timeout=60)
    assert said == ""
    assert not psutil.wait_procs(workers, 10)[1]
    assert list(out.parent.iterdir()) == []


def test_ray_writes_the_same_and_nothing_on_stdout(place, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "lists.parquet"
    words = ["recommend", place / "model", "--data", place / "log", "--out", out, "--k", "5", "--engine", "ray", "--workers", "1", "--json"]
    done = subprocess.run([sys.executable, "-m", "vitrina", *words], capture_output=True, text=True, check=True, cwd=Path("/"))
    assert json.loads(done.stdout)["users"] == lists(place / "all.parquet")["user_id"].n_unique()
    assert done.stderr == ""
    assert_frame_equal(lists(out).sort(KEYS), lists(place / "all.parquet").sort(KEYS), abs_tol=1e-6)
