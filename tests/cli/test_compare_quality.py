"""`vitrina compare --quality`: a page and numbers beside the report, within the seconds that it may take; what has no order is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import vitrina as vt
from vitrina.cli.main import app

pytestmark = pytest.mark.usefixtures("one_process")
CONFIG = """
[data]
source = "log.csv"
user = "customer"
item = "sku"
time = "bought_at"
[split]
rule = "GlobalTime"
days = 10
[job]
baselines = false
metrics = ["nDCG@10"]
[report]
out = "out"
[models.Popularity]
"""


def run(folder: Path, config: str, *options: str) -> Result:
    (folder / "vitrina.toml").write_text(config)
    return CliRunner().invoke(app, ["compare", str(folder / "vitrina.toml"), *options])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = vt.testing.synthetic(users=120, items=30).frame()
    log.select(customer="user_id", sku="item_id", bought_at="timestamp").write_csv(tmp_path / "log.csv")
    return tmp_path


def test_the_page_and_the_numbers_are_written_and_the_board_stays(folder: Path) -> None:
    done = run(folder, CONFIG + "[models.RandomItems]\n", "--quality", "--quality-seconds", "0", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["quality"]["primary"] == "nDCG@10"
    assert printed["quality"] == json.loads((folder / "out" / "quality.json").read_text())
    assert "3 seeds of RandomItems" in done.stderr
    assert "Left out" in done.stderr
    page = (folder / "out" / "quality.html").read_text()
    assert "Which benchmark to believe" in page
    assert "Left out of 0 s: 3 seeds of RandomItems." in page
    assert json.loads((folder / "out" / "board.json").read_text())["entries"] == printed["entries"]


def test_one_model_has_no_quality_and_a_first_look_neither(folder: Path) -> None:
    alone = run(folder, CONFIG, "--quality")
    assert alone.exit_code == 0
    assert "takes two models that have answered. Got Popularity" in alone.stderr
    assert not (folder / "out" / "quality.html").exists()
    quick = run(folder, CONFIG, "--quality", "--quick")
    assert quick.exit_code == 2
    assert "Leave one of --quick and --quality out" in quick.stderr
