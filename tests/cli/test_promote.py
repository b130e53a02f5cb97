"""Who serves after a comparison."""

from __future__ import annotations

import json

import pytest

import vitrina as vt

JOB = '[job]\nbaselines = false\nbaseline = "serves"\n'
MODELS = '[models.serves]\ntype = "RandomItems"\nseed = {seed}\n[models.own]\ntype = "TopPersonal"\n[models.weak]\ntype = "RandomItems"\nseed = 2\n'


@pytest.fixture
def compared(config, vitrina):
    """A shop whose board has two challengers of a model that serves: one far better, one not."""
    path = config(JOB + MODELS.format(seed=1))
    assert vitrina("compare", path).exit_code == 0
    for name in ("serves", "own", "weak"):
        assert vitrina("fit", path, "--model", name, "--out", name).exit_code == 0
    return path


def verdict_of(shop, model):
    board = json.loads((shop / "vitrina-report" / "board.json").read_text())
    return next(r["verdict"] for r in board["comparisons"] if (r["model"], r["metric"]) == (model, board["primary"]))


def test_only_what_is_measurably_better_takes_the_place(compared, shop, vitrina):
    def promote(name):
        return vitrina("promote", compared, "--model", name, "--artifact", name, "--to", "serving", "--json")

    def serving():
        return vt.load(shop / "serving").manifest["model"]

    first = promote("serves")
    assert (first.exit_code, json.loads(first.stdout)["why"]) == (0, "serves serves from now on: nothing did before.")
    again = promote("serves")
    assert (again.exit_code, json.loads(again.stdout)["why"]) == (0, "serves serves on, fitted on newer data.")

    before = serving()
    stays = promote("weak")
    assert stays.exit_code == 4
    assert json.loads(stays.stdout) == {"promoted": False, "why": json.loads(stays.stdout)["why"], "serves": "serving"}
    assert json.loads(stays.stdout)["why"].endswith("serves stays.")
    assert verdict_of(shop, "weak") in json.loads(stays.stdout)["why"]
    assert serving() == before

    better = promote("own")
    assert better.exit_code == 0
    assert verdict_of(shop, "own").startswith("better by")
    assert serving()["name"] == "TopPersonal"
    assert vt.load(shop / "serving").manifest == vt.load(shop / "own").manifest

    other = promote("weak")  # now another model serves than all were compared with
    assert other.exit_code == 2
    assert "another model serves" in other.stderr


def test_what_was_not_compared_is_refused(compared, config, shop, vitrina):
    def refused(*words):
        told = vitrina("promote", compared, *words)
        assert told.exit_code == 2, told.output
        return told.stderr

    assert "is not the 'own'" in refused("--model", "own", "--artifact", "weak", "--to", "serving")
    assert "'owl'" in refused("--model", "owl", "--artifact", "own", "--to", "serving")
    assert "serves already" in refused("--model", "own", "--artifact", "own", "--to", "own")
    assert "no folder" in refused("--model", "own", "--artifact", "nothing", "--to", "serving")
    config(JOB + MODELS.format(seed=5))
    assert "not those that were compared" in refused("--model", "serves", "--artifact", "serves", "--to", "serving")
    for file in (shop / "vitrina-report").glob("board.json"):
        file.unlink()
    assert "no finished comparison" in refused("--model", "own", "--artifact", "own", "--to", "serving")
    assert not (shop / "serving").exists()
