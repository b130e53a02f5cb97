"""`vitrina ingest --load`, `vitrina compact`: what they say, and what the folder has then."""

import json

import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.cli.main import app

LOG = "customer,sku,bought_at,receipt\nann,tea,2024-01-02,r1\nbob,jam,2024-01-05,r2\nann,jam,2024-01-01,r3\n"
DAY = "customer,sku,bought_at,receipt\nbob,jam,2024-01-05,r2\ncy,tea,2024-01-04,r4\nbob,tea,2024-01-06,r5\nann,tea,2024-01-01,r6\n"


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "day.csv").write_text(DAY)
    assert run("ingest", "log.csv", "--out", "log", "--event-id", "receipt", "--shards", 2).exit_code == 0
    return tmp_path


def test_a_day_is_added_and_the_same_file_adds_nothing(here):
    done = run("ingest", "day.csv", "--load", "append", "--lateness", "2d", "--out", "log")
    assert done.exit_code == 0, done.output
    assert done.stdout == "log has 5 events of 3 users, 2 more than before\n"
    assert "Note: 1 row of 2024-01-03 00:00 or earlier left out as late, the oldest of 2024-01-01 00:00" in done.stderr
    assert "1 row left out whose event ids the log has." in done.stderr
    assert "Columns taken by their names" not in done.stderr, "columns are those of the log"
    assert run("ingest", "day.csv", "--load", "append", "--lateness", "2d", "--out", "log").stdout.endswith(", 0 more than before\n")


def test_events_are_corrected_and_pieces_compacted(here):
    (here / "mended.csv").write_text("receipt,customer,sku,bought_at,gone\nr1,,,,yes\nr2,zoe,jam,2024-01-05,no\n")
    done = run("ingest", "mended.csv", "--load", "upsert", "--deleted", "gone", "--out", "log")
    assert done.stdout == "log has 2 events of 2 users, 1 fewer than before\n"
    assert "Note: 1 events replaced, 1 events deleted." in done.stderr
    fingerprint = vt.Dataset.open("log").fingerprint
    said = json.loads(run("compact", "log", "--json").stdout)
    assert said == {"log": "log", "events": 2, "users": 2, "items": 2}
    assert vt.Dataset.open("log").fingerprint == fingerprint
    assert "2 events" in run("compact", "log").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingest", "day.csv", "--load", "append", "--lateness", "two days", "--out", "log"], "'lateness' must be a length of time: '90m', '36h', '2d'"),
        (["ingest", "day.csv", "--load", "append", "--deleted", "gone", "--out", "log"], "is for load='upsert'"),
        (["ingest", "day.csv", "--load", "more", "--out", "log"], "must be 'full', 'append' or 'upsert'"),
        (["ingest", "day.csv", "--load", "append", "--out", "none"], "holds no ingested log"),
        (["compact", "none"], "holds no ingested log"),
    ],
)  # fmt: skip
def test_mistakes_are_a_sentence(here, arguments, said):
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
