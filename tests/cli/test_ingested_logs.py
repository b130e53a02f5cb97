"""Commands that are given the folder of an ingested log where they take a file."""

import json
import shutil
from types import SimpleNamespace

import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.cli import serve_logs
from vitrina.cli.log import read_log

COLUMNS = {"user": "customer", "item": "sku", "time": "bought_at", "value": "amount"}
MODELS = '[models.top]\ntype = "TopPersonal"\n[models.co]\ntype = "Cooccurrence"\n\n[split]\nrule = "GlobalTime"\nquantile = 0.8\n'
OPENED = '[data]\nsource = "log"\n\n'
FILE = (
    OPENED.replace("log", "shop.csv", 1).rstrip()
    + "\n"
    + "".join(f'{role} = "{name}"\n' for role, name in COLUMNS.items())
    + 'items = "goods.csv"\n\n'
)


@pytest.fixture
def log(shop):
    """The shop's log, ingested into three shards."""
    vt.ingest("shop.csv", "log", shards=3, items="goods.csv", **COLUMNS)
    return shop / "log"


@pytest.fixture
def fitted(log, vitrina, config):
    config(MODELS, OPENED)
    assert vitrina("fit", "vitrina.toml", "--model", "co", "--out", "model").exit_code == 0
    return log.parent / "model"


def test_inspect_says_of_a_folder_what_it_says_of_the_file(log, vitrina):
    of_folder, of_file = (
        json.loads(vitrina("inspect", *words, "--json").stdout)
        for words in (["log"], ["shop.csv", "--user", "customer", "--item", "sku", "--time", "bought_at", "--value", "amount"])
    )
    for part in ("sizes", "histories", "timing", "duplicates"):
        assert of_folder[part] == of_file[part], part


def test_init_writes_a_config_that_compares(log, vitrina):
    result = vitrina("init", "log")
    assert result.exit_code == 0, result.stderr
    text = (log.parent / "vitrina.toml").read_text()
    assert 'source = "log"' in text
    assert "customer" not in text
    assert vitrina("compare", "vitrina.toml", "--quick").exit_code == 0


def test_compare_has_the_board_of_the_file(log, vitrina, config):
    boards = []
    for head in (OPENED, FILE):
        path = config(MODELS, head)
        result = vitrina("compare", path, "--json", "--out", f"out-{len(boards)}")
        assert result.exit_code == 0, result.stderr
        boards.append(json.loads(result.stdout))
    numbers = [{(r["model"], r["metric"]): r["value"] for r in board["numbers"]} for board in boards]
    assert numbers[0].keys() == numbers[1].keys()
    for key, value in numbers[0].items():
        assert value == pytest.approx(numbers[1][key], abs=1e-9), key
    assert [e["status"] for e in boards[0]["entries"]] == ["ok"] * len(boards[0]["entries"])
    page = (log.parent / "out-0" / "report.html").read_text()
    assert "The data" in page


def test_recommend_reads_the_shards_of_who_is_asked_alone(log, fitted, vitrina, monkeypatch):
    data = vt.Dataset.open(log)
    person = str(next(data.shards()).users.ids[0])
    opened = []
    load = type(data.parts).load
    monkeypatch.setattr(type(data.parts), "load", lambda self, index: opened.append(index) or load(self, index))
    result = vitrina("recommend", fitted, "--user", person, "--json")
    assert result.exit_code == 0, result.stderr
    assert set(opened) == {0}
    [shown] = json.loads(result.stdout)["users"]
    assert shown["in_log"]
    assert len(shown["items"]) == 10


def test_lists_of_a_folder_are_those_of_the_file(log, fitted, vitrina):
    data = read_log({"source": "shop.csv", **COLUMNS})
    people = ",".join(map(str, data.users.ids.head(5).to_list()))
    options = ["--user", "customer", "--item", "sku", "--time", "bought_at", "--value", "amount"]
    of_folder = vitrina("recommend", fitted, "--users", people, "--json")
    of_file = vitrina("recommend", fitted, "--users", people, "--json", "--data", "shop.csv", *options)
    assert json.loads(of_folder.stdout) == json.loads(of_file.stdout)


def test_a_file_of_people_is_looked_up_in_their_shards(log, fitted, vitrina):
    data = vt.Dataset.open(log)
    known = [str(shard.users.ids[0]) for shard in data.shards()]
    (log.parent / "who.txt").write_text("customer\n" + "\n".join([*known, "stranger"]) + "\n")
    result = vitrina("recommend", fitted, "--users", "who.txt", "--out", "lists.parquet", "--k", "3")
    assert result.exit_code == 0, result.stderr
    assert "1 of 4 users are not in the log" in result.stderr
    table = pl.read_parquet(log.parent / "lists.parquet")
    assert set(table["customer"].cast(pl.String)) == {*known, "stranger"}
    assert "sku" in table.columns


def test_a_log_that_changed_since_the_fit_is_said(log, fitted, vitrina):
    vt.ingest("shop.csv", "log", shards=2, force=True, user="customer", item="sku")
    assert "The log has changed since the fit" in vitrina("recommend", fitted, "--users", "u1,u2").stderr


def test_diagnose_looks_at_everybody_of_a_small_log(log, vitrina, config):
    result = vitrina("diagnose", config(MODELS, OPENED), "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["asked_of"] == "the validation part of the training data"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["inspect", "log", "--user", "customer"],
            "log is an ingested log, which was read by what was said when it was ingested: the option --user",
        ),
        (
            ["init", "log", "--item", "sku", "--time", "bought_at", "--out", "new.toml"],
            "the options --item and --time would change nothing. Leave them out",
        ),
        (["inspect", "lgo"], "Its folder has 'log'"),
        (["inspect", "empty"], "empty is a folder. Name its files with a glob"),
        (["inspect", "model"], "model is an artifact: it holds what was fitted, and no log"),
        (["recommend", "model", "--users", "all", "--out", "log/lists.parquet"], "is in what this command reads"),
        (["recommend", "model", "--data", "log", "--item", "sku", "--user", "u1", "--out", "x.csv"], "the options --item and --user"),
        (["fit", "vitrina.toml", "--model", "co", "--out", "log/model"], "is in"),
        (["recommend", "model", "--user", "nobody"], "No user of the log has the id 'nobody'"),
    ],
)
def test_a_mistake_is_a_sentence(fitted, vitrina, words, said):
    (fitted.parent / "empty").mkdir()
    result = vitrina(*words)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_config_of_a_folder_takes_no_columns(log, vitrina, config):
    result = vitrina("compare", config(MODELS, '[data]\nsource = "log"\nuser = "customer"\n\n'))
    assert result.exit_code == 2
    assert "line 3" in result.stderr
    assert "the key user would change nothing" in result.stderr


def test_a_log_that_is_not_finished_says_how_to_go_on(log, vitrina):
    (log / "manifest.json").unlink()
    (log / ".work").mkdir(exist_ok=True)
    result = vitrina("inspect", "log")
    assert result.exit_code == 2
    assert "isn't finished" in result.stderr


def test_a_log_that_is_gone_is_no_file(log, fitted, vitrina):
    shutil.rmtree(log)
    result = vitrina("recommend", fitted, "--user", "u1")
    assert result.exit_code == 2
    assert "There is no file" in result.stderr


def test_a_service_holds_the_histories_of_a_folder_where_they_fit(log, monkeypatch, capsys):
    opened = vt.Dataset.open(log)
    assert serve_logs._in_memory(opened).n_events == opened.n_events
    assert "Histories of" in capsys.readouterr().err
    monkeypatch.setattr(serve_logs.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(DataError, match="--histories store"):
        serve_logs._in_memory(opened)
