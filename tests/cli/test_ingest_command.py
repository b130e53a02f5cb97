"""`vitrina ingest`: what it says, what it leaves, and that the same command goes on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.cli.main import app

LOG = "customer,sku,bought_at,amount\nann,tea,2024-01-02,1\nbob,jam,2024-01-05,2\nann,jam,2024-01-01,3\n"


def run(*arguments):
    return CliRunner().invoke(app, ["ingest", *map(str, arguments)])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(LOG)
    return tmp_path


def test_it_says_what_it_takes_and_what_it_wrote(here):
    done = run("log.csv", "--out", "log", "--shards", 2)
    assert done.exit_code == 0, done.output
    assert "About 4 rows into 2 shards. Disk: " in done.stderr
    assert "Columns taken by their names: --user customer --item sku --time bought_at" in done.stderr
    assert done.stdout == "Wrote 3 events of 2 users to log\n"
    assert vt.Dataset.open(here / "log").shard_count == 2
    assert run("log.csv", "--out", "log").stdout == "log has this log: 3 events of 2 users\n"


def test_json(here):
    said = json.loads(run("log.csv", "--out", "log", "--json").stdout)
    assert (said["events"], said["users"], said["items"], said["shards"]) == (3, 2, 2, 1)
    assert said["fingerprint"] == vt.Dataset.open(here / "log").fingerprint


def test_rows_that_were_left_out_are_said(here):
    (here / "log.csv").write_text(LOG + ",milk,2024-01-05,1\nann,tea,2024-01-02,1\n")
    done = run("log.csv", "--out", "log", "--on-bad-row", "quarantine", "--event-id", "amount")
    assert "Note: 1 of 5 rows were left out. 1 bad row set aside in log.bad_rows.csv (1 customer is empty)." in done.stderr
    assert "Note: 1 of 4 rows were left out. 1 row with the id of an event that had come before." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "log"], "Say which log to ingest: vitrina ingest DATA --out DIR"),
        (["none.csv", "--out", "log"], "There is no file 'none.csv'."),
        (["log.csv", "--out", "log", "--user", "nobody"], "has no column 'nobody' for the user"),
        (["log.csv", "--out", ".", "--user", "customer"], "holds other things"),
        (["log.csv", "--out", "log", "--engine", "spark"], "There is no engine 'spark'"),
    ],
)
def test_mistakes(here, arguments, said):
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (here / "log").exists()


def test_cancel(here):
    assert run("--out", "log", "--cancel").stderr == "There is no unfinished load in log.\n"
    (here / "log" / ".work").mkdir(parents=True)
    assert run("--out", "log", "--cancel").stderr == "The load is cancelled.\n"
    assert not (here / "log").exists()


SLOW = """
import sys, time
from vitrina.data.ingest import blocks
from vitrina.cli.main import run
from vitrina.data.read import sources
blocks.ROWS = sources.CHUNK = 1000
write = blocks._write_block
def slowly(*given):
    time.sleep(0.3)
    write(*given)
blocks._write_block = slowly
sys.argv = ["vitrina", "ingest", "big.csv", "--out", "log", "--shards", "3"]
run()
"""


def slow_load(here):
    """A load that takes its time, in a process of its own, some blocks into its work."""
    rows = "".join(f"{n % 37},{n % 11},{1_700_000_000 + n * 7919 % 1000}\n" for n in range(12_000))
    (here / "big.csv").write_text("user_id,item_id,timestamp\n" + rows)
    (here / "slow.py").write_text(SLOW)
    process = subprocess.Popen([sys.executable, "slow.py"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    while not (here / "log" / ".work" / "blocks" / "00002").exists():
        assert time.monotonic() - started < 60
        assert process.poll() is None
        time.sleep(0.01)
    return process


def test_cancel_ends_a_load_that_runs(here):
    process = slow_load(here)
    assert run("big.csv", "--out", "log", "--shards", 3).exit_code == 2  # it runs already
    assert run("--out", "log", "--cancel").stderr == "The load is cancelled.\n"
    process.wait(20)  # its exit code went to who ended it
    assert not (here / "log").exists()


def test_interrupted_it_keeps_what_is_finished(here):
    process = slow_load(here)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert b"Interrupted." in process.stderr.read()
    assert (here / "log" / ".work" / "blocks" / "00002" / "block.json").exists()
    assert run("big.csv", "--out", "log", "--shards", 3).exit_code == 0
    assert vt.Dataset.open(here / "log").n_events == 12_000


def test_killed_it_goes_on_and_ends_in_the_same_folder(here):
    process = slow_load(here)
    assert run("big.csv", "--out", "whole", "--shards", 3).exit_code == 0
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    refused = CliRunner().invoke(app, ["inspect", "log"])
    assert refused.exit_code == 2
    assert run("big.csv", "--out", "log", "--shards", 3).exit_code == 0
    names = sorted(path.relative_to(here / "whole") for path in (here / "whole").rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(here / "log") for path in (here / "log").rglob("*") if path.is_file())
    assert all((here / "whole" / name).read_bytes() == (here / "log" / name).read_bytes() for name in names)
