"""Commands as a person types them, on a log with column names of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.config import to_plain
from vitrina.batch import lists as batch
from vitrina.cli.config import read_config
from vitrina.forms.static import Static

Type = Callable[..., Any]
NAMES = ("--user", "customer", "--item", "sku", "--time", "bought_at")


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".") or "tmp" in p.name]


# --- inspect, init


def test_inspect_prints_and_finds_columns_by_their_names(shop: Path, vitrina: Type) -> None:
    named, found = vitrina("inspect", "shop.csv", *NAMES), vitrina("inspect", "shop.csv")
    assert named.exit_code == found.exit_code == 0
    assert "120 users" in named.stdout
    assert found.stdout == named.stdout
    assert "--user customer --item sku --time bought_at" in found.stderr
    assert named.stderr == ""


def test_weights_are_named_as_values_are(shop: Path, vitrina: Type) -> None:
    pl.read_csv(shop / "shop.csv").with_columns(strength=pl.lit("0,5")).write_csv(shop / "weighed.csv")
    assert vitrina("inspect", "weighed.csv", "--weight", "strength").exit_code == 0
    assert vitrina("init", "weighed.csv", "--weight", "strength").exit_code == 0
    assert 'weight = "strength"' in Path("vitrina.toml").read_text()
    assert "take it with --weight strength" in vitrina("inspect", "weighed.csv", "--weight", "strenght").stderr


def test_an_empty_name_refuses_a_column(shop: Path, vitrina: Type) -> None:
    told = vitrina("inspect", "shop.csv", "--time", "", "--json")
    assert json.loads(told.stdout)["timing"] is None


def test_inspect_json(shop: Path, vitrina: Type) -> None:
    assert json.loads(vitrina("inspect", "shop.csv", *NAMES, "--json").stdout)["sizes"]["users"] == 120


def test_init_writes_a_config_that_is_valid_and_never_overwrites(shop: Path, vitrina: Type) -> None:
    assert vitrina("init", "shop.csv", *NAMES, "--items", "goods.csv").exit_code == 0
    plan = read_config(shop / "vitrina.toml")
    assert plan.rule == vt.inspect(plan.log()).recommended
    assert {"cooccurrence", "ease"} <= set(plan.models)
    assert plan.log().item_table is not None
    (shop / "vitrina.toml").write_text("mine")
    again = vitrina("init", "shop.csv", *NAMES)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert (shop / "vitrina.toml").read_text() == "mine"
    assert vitrina("init", "shop.csv", *NAMES, "--force").exit_code == 0


def test_init_elsewhere_keeps_paths_right(shop: Path, vitrina: Type) -> None:
    (shop / "deep").mkdir()
    assert vitrina("init", "shop.csv", *NAMES, "--out", "deep/v.toml").exit_code == 0
    assert read_config(shop / "deep" / "v.toml").log().n_users == 120


# --- compare


@pytest.fixture
def compared(config: Callable[..., Path], shop: Path, vitrina: Type) -> Any:
    """A comparison of a search, a model of one's own that breaks, and no baselines."""
    (shop / "broken_shelf.py").write_text(
        "from vitrina.base.config import Config\n"
        "class Shelf(Config):\n    def fit(self, data, *, validation=None, start=None):\n        raise RuntimeError('the shelf fell')\n"
    )
    path = config(
        "[split]\nrule = 'GlobalTime'\nquantile = 0.8\n[job]\nk = 5\nbaselines = false\nrepeat = true\n[models.pop]\ntype = 'Popularity'\n"
        "by = ['users', 'events']\n[models.mine]\ntype = 'broken_shelf:Shelf'\n"
    )
    return vitrina("compare", path, "--trust", "--json")


def test_compare_then_fit_what_it_found(compared: Any, shop: Path, vitrina: Type) -> None:
    assert compared.exit_code == 3, compared.stderr
    board = json.loads(compared.stdout)
    entries = {e["name"]: e for e in board["entries"]}
    assert entries["pop"]["status"] == "ok"
    assert entries["pop"]["trials"] == 2
    assert "the shelf fell" in entries["mine"]["error"]
    out = shop / "vitrina-report"
    assert {"report.html", "board.json", "per_query.parquet"} <= {p.name for p in out.iterdir()}
    assert json.loads((out / "board.json").read_text())["primary"] == "nDCG@5"
    assert "nDCG@5" in pl.read_parquet(out / "per_query.parquet").columns

    fitted = vitrina("fit", "vitrina.toml", "--model", "pop", "--out", "model", "--trust", "--json")
    assert fitted.exit_code == 0, fitted.stderr
    manifest = vt.load(shop / "model").manifest
    assert manifest["model"]["by"] == entries["pop"]["config"]["by"]
    assert manifest["metrics"]["nDCG@5"] == next(r["value"] for r in board["numbers"] if r["metric"] == "nDCG@5")
    assert manifest["source"]["repeat"] is True


def test_compare_on_folds_with_several_fits(config: Callable[..., Path], vitrina: Type) -> None:
    split = "[split]\nrule = 'GlobalTime'\ndays = 14\nfolds = 2\n[job]\nfits = 2\nbaselines = false\nrepeat = true\n"
    told = vitrina("compare", config(split + "[models.Popularity]\n[models.RandomItems]\n"), "--json")
    assert told.exit_code == 0, told.stderr
    assert "6 fits: 2 models, 1 of them with 2 seeds, in each of 2 folds." in told.stderr
    board = json.loads(told.stdout)
    assert [(r["model"], r["fold"]) for r in board["folds"]] == [(e["name"], fold) for e in board["entries"] for fold in (1, 2)]
    assert [(r["model"], r["fit"]) for r in board["fits"]] == [("RandomItems", 1), ("RandomItems", 2)]


def test_a_model_of_ones_own_is_fitted_and_asked_where_it_is_trusted(shop: Path, config: Callable[..., Path], vitrina: Type) -> None:
    example = (Path(__file__).parents[2] / "examples" / "own_model.py").read_text()
    (shop / "after_that.py").write_text(example)
    config("[models.mine]\ntype = 'after_that:Because'\n")
    told = vitrina("fit", "vitrina.toml", "--model", "mine", "--out", "model", "--trust")
    assert told.exit_code == 0, told.stderr
    assert [line[-9:] for line in told.stdout.splitlines()[1:]] == ['" --trust', "l --trust"]
    refused = vitrina("recommend", "model", "--history", "i3,i7")
    assert (refused.exit_code, "after_that:Fitted, and loading it runs its code" in refused.stderr) == (2, True)
    assert vitrina("recommend", "model", "--history", "i3,i7", "--trust", "--json").exit_code == 0
    assert "fitted on other" not in vitrina("fit", "vitrina.toml", "--model", "mine", "--out", "model", "--trust").stderr
    refused, looked = vitrina("diagnose", "vitrina.toml"), vitrina("diagnose", "vitrina.toml", "--trust")
    assert (refused.exit_code, "Allow it to run with: --trust" in refused.stderr, looked.exit_code) == (2, True, 0)
    assert vitrina("similar", "model", "i3", "--trust").exit_code != 0  # it says nothing about pairs


def test_fit_refuses_open_parameters_and_unknown_models(config: Callable[..., Path], vitrina: Type) -> None:
    config("[models.pop]\ntype = 'Popularity'\nby = ['users', 'events']\n")
    told = vitrina("fit", "vitrina.toml", "--model", "pop", "--out", "model")
    assert told.exit_code == 2
    assert "vitrina compare" in told.stderr
    told = vitrina("fit", "vitrina.toml", "--model", "pup", "--out", "model")
    assert told.exit_code == 2
    assert "'pop'" in told.stderr


def test_an_interrupted_fit_of_a_network_goes_on(
    config: Callable[..., Path], vitrina: Type, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config("[models.net]\ntype = 'eSASRec'\ndim = 8\nlayers = 1\nlength = 8\ntraining = {type = 'Training', epochs = 3, patience = 3}\n")
    ask = ("fit", "vitrina.toml", "--model", "net", "--out")
    epochs: list[int] = []

    @contextlib.contextmanager
    def impatient(_: str) -> Iterator[Callable[[Any], None]]:
        def tell(progress: Any) -> None:
            epochs.append(progress.epoch)
            if len(epochs) == 2:
                raise KeyboardInterrupt

        yield tell

    assert vitrina(*ask, "straight").exit_code == 0
    monkeypatch.setattr("vitrina.cli.console.working", impatient)
    told = vitrina(*ask, "model")
    assert told.exit_code == 130
    assert "the same command goes on from there" in told.stderr
    assert not (shop / "model").exists()
    told = vitrina(*ask, "model")
    assert told.exit_code == 0, told.stderr
    assert "Going on" in told.stderr
    assert epochs[:3] == [1, 2, 3]  # not 1 again
    assert not (shop / "model.training").exists()
    straight, resumed = (vt.load(shop / name).recommender for name in ("straight", "model"))
    assert np.array_equal(straight.table, resumed.table)


# --- recommend


@pytest.fixture
def model(config: Callable[..., Path], vitrina: Type, shop: Path) -> Path:
    config("[job]\nrepeat = false\n[models.EASE]\nl2 = 5\n", head=HEAD_WITH_TITLES)
    told = vitrina("fit", "vitrina.toml", "--model", "EASE", "--out", "model")
    assert told.exit_code == 0, told.stderr
    return shop / "model"


HEAD_WITH_TITLES = '[data]\nsource = "shop.csv"\nuser = "customer"\nitem = "sku"\ntime = "bought_at"\nitems = "goods.csv"\n'


def by_hand(shop: Path, k: int, *, repeat: bool = False, include: Any = None) -> pl.DataFrame:
    data = vt.read_interactions(shop / "shop.csv", user="customer", item="sku", time="bought_at", items=shop / "goods.csv")
    queries = data.queries()
    include = None if include is None else data.items.encode(include)
    lists = vt.EASE(l2=5).fit(data).recommend(queries, k, eligible=vt.Eligibility(include=include, repeat=repeat))
    return lists.to_frame(data.users.decode(queries.users).rename("customer")).rename({"item_id": "sku"})


@pytest.mark.parametrize("block", [8192, 50])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_lists_for_everybody_equal_the_python_api(
    model: Path, shop: Path, vitrina: Type, ending: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK", block)
    told = vitrina("recommend", "model", "--out", f"lists.{ending}", "--k", "4")
    assert told.exit_code == 0, told.stderr
    assert told.stderr == ""
    lists = pl.read_parquet("lists.parquet") if ending == "parquet" else pl.read_csv("lists.csv", schema_overrides={"score": pl.Float32})
    expected = by_hand(shop, 4)
    assert lists.drop("score").equals(expected.drop("score"))
    assert (lists["score"].fill_nan(0) - expected["score"].fill_nan(0)).abs().max() < 1e-6
    assert not leftovers(shop)


def test_repeat_candidates_and_users(model: Path, shop: Path, vitrina: Type) -> None:
    (shop / "who.txt").write_text("customer\nu7\nnobody\nu3\nu7\n")
    (shop / "may.csv").write_text("sku\ni1\ni2\ni3\nunheard\n")
    told = vitrina(
        "recommend", "model", "--out", "l.parquet", "-k", 2, "--users", "who.txt", "--candidates", "may.csv", "--repeat", "--json"
    )
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout) == {"out": "l.parquet", "users": 3, "users_not_in_log": 1, "rows": 6, "k": 2, "repeat": True}
    assert "1 of 3 users" in told.stderr
    assert "1 of the 4 items" in told.stderr
    lists = pl.read_parquet("l.parquet")
    assert lists["customer"].unique(maintain_order=True).to_list() == ["u7", "nobody", "u3"]
    known = by_hand(shop, 2, repeat=True, include=["i1", "i2", "i3"])
    assert lists.filter(customer="u3")["sku"].to_list() == known.filter(customer="u3")["sku"].to_list()
    assert lists.filter(customer="nobody")["source"].to_list() == ["fallback"] * 2


def test_a_table_that_makes_texts_of_numbers_is_no_change_of_the_log(config: Callable[..., Path], shop: Path, vitrina: Type) -> None:
    log = pl.read_csv("shop.csv").with_columns(pl.col("sku").str.slice(1).cast(pl.Int64), pl.col("customer").str.slice(1).cast(pl.Int64))
    log.write_csv("shop.csv")
    pl.DataFrame({"sku": ["1", "2.0", "03", "X9"], "title": ["One", "Two", "Another three", "Nine"]}).write_csv("goods.csv")
    config("[job]\nrepeat = false\n[models.EASE]\nl2 = 5\n", head=HEAD_WITH_TITLES)
    told = vitrina("fit", "vitrina.toml", "--model", "EASE", "--out", "model")
    assert told.exit_code == 0, told.stderr
    assert vt.load("model").names(np.array([vt.load("model").vocabulary.encode([2])[0]])) == ["Two"]
    (shop / "who.csv").write_text("\ufeffpeople\n7\n900\n3\n")
    (shop / "may.txt").write_text("1\n3\n007\n")
    told = vitrina("recommend", "model", "--out", "lists.csv", "-k", 1, "--users", "who.csv", "--candidates", "may.txt", "--repeat")
    assert told.exit_code == 0, told.stderr
    said = " ".join(told.stderr.split())
    assert "changed" not in said
    assert "1 of the 3 items in may.txt (the first is '007'). '007' looks like '7' but for" in said
    assert "1 of 3 users are not in the log (the first is '900')." in said
    assert "'people', was taken as the name of its column" in said
    assert pl.read_csv("lists.csv")["customer"].to_list() == [7, 900, 3]
    assert set(pl.read_csv("lists.csv")["sku"].to_list()) <= {1, 3}


def test_seen_items_stay_away_and_come_back(model: Path, shop: Path, vitrina: Type) -> None:
    log = pl.read_csv("shop.csv").select("customer", "sku").unique()
    vitrina("recommend", "model", "--out", "without.csv", "--exclude-seen")
    vitrina("recommend", "model", "--out", "with.csv", "--repeat")
    assert pl.read_csv("without.csv").join(log, on=["customer", "sku"]).is_empty()
    assert not pl.read_csv("with.csv").join(log, on=["customer", "sku"]).is_empty()


def test_another_log_is_read_with_the_models_items(model: Path, shop: Path, vitrina: Type) -> None:
    (shop / "today.csv").write_text("customer,sku,bought_at\nzoe,brand-new,2024-03-01\nzoe,i5,2024-03-02\nann,i1,2024-03-02\n")
    told = vitrina("recommend", "model", "--data", "today.csv", "--out", "l.csv", "-k", 1)
    assert told.exit_code == 0, told.stderr
    assert "1 of 3 events" in told.stderr
    artifact = vt.load(model)
    lists = artifact.recommender.recommend(vt.Queries.of_histories(artifact.vocabulary, [["i5"], ["i1"]]), 1)
    assert pl.read_csv("l.csv")["sku"].to_list() == artifact.vocabulary.decode(lists.items[:, 0]).to_list()
    (shop / "alien.csv").write_text("customer,sku,bought_at\nzoe,x,2024-03-01\n")
    told = vitrina("recommend", "model", "--data", "alien.csv", "--out", "l2.csv")
    assert told.exit_code == 2
    assert "knows none of the items" in told.stderr
    assert vitrina("ingest", "alien.csv", "--user", "customer", "--item", "sku", "--time", "bought_at", "--out", "alien").exit_code == 0
    told = vitrina("recommend", "model", "--data", "alien", "--out", "l2.csv")
    assert told.exit_code == 2
    assert "none of the items of 'alien'. Ask it of people of the log it was fitted on" in told.stderr


def test_a_log_that_changed_is_said(model: Path, shop: Path, vitrina: Type) -> None:
    with (shop / "shop.csv").open("a") as file:
        file.write("u1,i1,2024-03-01,1\n")
    assert "has changed since the fit" in vitrina("recommend", "model", "--out", "l.csv").stderr


def test_an_item_that_only_the_table_has_is_no_change_of_the_log(shop: Path, config: Callable[..., Path], vitrina: Type) -> None:
    with (shop / "goods.csv").open("a") as file:
        columns = (shop / "goods.csv").read_text().splitlines()[0].count(",")
        file.write("never-bought" + "," * columns + "\n")
    config("[job]\nrepeat = false\n[models.Popularity]\n", head=HEAD_WITH_TITLES)
    assert vitrina("fit", "vitrina.toml", "--model", "Popularity", "--out", "model").exit_code == 0
    assert len(vt.load("model").vocabulary) == len(pl.read_csv("shop.csv")["sku"].unique()) + 1
    assert "has changed" not in vitrina("recommend", "model", "--out", "l.csv").stderr


def test_one_history_prints_titles(model: Path, vitrina: Type) -> None:
    told = vitrina("recommend", "model", "--history", "i3, i7", "--k", 3)
    assert told.exit_code == 0
    assert "After Item 3 of group 3, Item 7 of group 3" in told.stdout
    answer = json.loads(vitrina("recommend", "model", "--history", "i3,i7", "-k", 3, "--json").stdout)
    artifact = vt.load(model)
    lists = artifact.recommender.recommend(vt.Queries.of_histories(artifact.vocabulary, [["i3", "i7"]]), 3)
    assert [row["item_id"] for row in answer["items"]] == artifact.vocabulary.decode(lists.items[0]).to_list()
    assert [row["title"] for row in answer["items"]] == artifact.names(lists.items[0])
    assert all(row["title"] in told.stdout for row in answer["items"])


def test_an_unknown_item_of_a_history_gets_a_hint(model: Path, vitrina: Type) -> None:
    told = vitrina("recommend", "model", "--history", "item 5 of,i333", "--json")
    assert told.exit_code == 0
    assert "'i5'" in told.stderr
    assert json.loads(told.stdout)["unknown"] == ["item 5 of", "i333"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_breaks_in_the_middle_leaves_no_half_file(
    config: Callable[..., Path], shop: Path, vitrina: Type, monkeypatch: pytest.MonkeyPatch, ending: str, error: type[BaseException]
) -> None:
    config("[models.Popularity]\n")
    assert vitrina("fit", "vitrina.toml", "--model", "Popularity", "--out", "model").exit_code == 0
    (shop / f"lists.{ending}").write_text("what was there before")
    command = "recommend", "model", "--out", f"lists.{ending}", "--force"
    calls, real = [], Static.recommend

    def breaks(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise error("in the middle")
        return real(*given, **named)

    monkeypatch.setattr(Static, "recommend", breaks)
    monkeypatch.setattr(batch, "BLOCK", 30)
    told = vitrina(*command)
    assert told.exit_code == (130 if error is KeyboardInterrupt else 1), told.stderr
    assert len(calls) == 3
    assert (shop / f"lists.{ending}").read_text() == "what was there before"
    assert not leftovers(shop)


# --- errors and exit codes

REFUSED = [
    (("inspect", "nothing.csv"), "nothing.csv"),
    (("inspect", "shop.csv", "--user", "custmer"), "--user customer"),
    (("compare", "nothing.toml"), "vitrina init"),
    (("recommend", "nothing", "--history", "a"), "There is no folder nothing"),
    (("recommend", "shop.csv", "--history", "a"), "not an artifact"),
    (("recommend", "."), "--history"),
    (("recommend", ".", "--history", "a", "--out", "b.csv"), "--history"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_a_mistake_is_one_sentence_and_code_2(shop: Path, vitrina: Type, words: tuple[str, ...], said: str) -> None:
    told = vitrina(*words)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert said in told.stderr
    assert told.stderr.startswith("Error: ")
    assert "Traceback" not in told.stderr


def test_a_glob_that_the_shell_has_opened_is_told(shop: Path, vitrina: Type) -> None:
    assert 'a glob in quotes: "logs/*.csv"' in " ".join(vitrina("inspect", "shop.csv", "goods.csv").stderr.replace("│", "").split())


def test_bad_rows_that_find_no_place_are_told(shop: Path, vitrina: Type) -> None:
    (shop / "bad.csv").write_text("user_id,item_id\na,b\n,c\n")
    (shop / "bad.bad_rows.csv").mkdir()
    told = vitrina("inspect", "bad.csv", "--on-bad-row", "quarantine")
    assert told.exit_code == 2
    assert told.stderr.startswith("Error: bad.bad_rows.csv can't be written: ")


def test_wrong_usage_is_code_2(vitrina: Type) -> None:
    assert vitrina("inspect").exit_code == 2
    assert vitrina("recommend", "x", "--k", "0", "--history", "a").exit_code == 2
    assert vitrina("nonsense").exit_code == 2


def test_a_wrong_ending_is_refused_before_any_work(model: Path, vitrina: Type) -> None:
    told = vitrina("recommend", "model", "--out", "lists.txt")
    assert told.exit_code == 2
    assert ".parquet" in told.stderr


def test_a_broken_row_is_told_or_set_aside(shop: Path, vitrina: Type) -> None:
    with (shop / "shop.csv").open("a") as file:
        file.write("u1,,2024-03-01,1\n")
    told = vitrina("inspect", "shop.csv", *NAMES)
    assert told.exit_code == 2
    assert "'sku'" in told.stderr
    assert "--on-bad-row quarantine" in told.stderr
    aside = vitrina("inspect", "shop.csv", *NAMES, "--on-bad-row", "quarantine")
    assert aside.exit_code == 0
    assert "1 of" in aside.stderr
    assert (shop / "shop.bad_rows.csv").exists()


def test_an_unexpected_error_is_code_1_and_shows_its_trace_on_request(shop: Path, vitrina: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("vitrina.data.inspect.inspect", breaks)
    told = vitrina("inspect", "shop.csv", *NAMES)
    assert told.exit_code == 1
    assert "--debug" in told.stderr
    assert "Traceback" not in told.stderr
    assert isinstance(vitrina("inspect", "shop.csv", *NAMES, "--debug").exception, ZeroDivisionError)


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys, vitrina.cli.main as m\n"
        "heavy = {'numpy', 'polars', 'numba', 'scipy', 'pydantic', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\nm.app(['--version'], standalone_mode=False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == vt.__version__


def test_the_package_is_the_command(vitrina: Type) -> None:
    done = subprocess.run([sys.executable, "-m", "vitrina", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == vt.__version__
    told = vitrina("--help").stdout
    assert [word for word in ("Data", "inspect", "Board", "compare", "Models", "fit") if word not in told] == []


def test_plain_text_when_piped(shop: Path) -> None:
    command = [sys.executable, "-c", "from vitrina.cli.main import run; run()", "inspect", "shop.csv"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=shop, check=True)
    assert "\x1b" not in done.stdout + done.stderr


def test_people_are_asked_for_by_their_ids_on_the_screen(model: Path, shop: Path, vitrina: Type) -> None:
    wanted = by_hand(shop, 3)
    first, second = wanted["customer"].unique(maintain_order=True).to_list()[:2]
    for ask in (("--user", first), ("--users", first)):
        told = vitrina("recommend", "model", *ask, "-k", 3)
        assert told.exit_code == 0, told.stderr
        assert f"For {first}, after" in told.stdout
        for row in wanted.filter(pl.col("customer") == first).iter_rows(named=True):
            assert row["sku"] in told.stdout
            assert row["title"] in told.stdout
    told = vitrina("recommend", "model", "--users", f"{first},nobody,{second}", "-k", 3, "--json")
    people = json.loads(told.stdout)["users"]
    assert [(p["user"], p["in_log"]) for p in people] == [(first, True), ("nobody", False), (second, True)]
    assert [row["item_id"] for row in people[2]["items"]] == wanted.filter(pl.col("customer") == second)["sku"].to_list()
    assert vitrina("recommend", "model", "--users", f"{first},nobody", "--out", "l.csv", "-k", 3).exit_code == 0
    assert pl.read_csv(shop / "l.csv")["customer"].unique(maintain_order=True).to_list() == [first, "nobody"]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (("--user", "12347"), "No user of the log has the id '12347'"),
        (("--users", "12347"), "No user of the log has the id '12347'"),
        (("--users", "12347", "--out", "l.csv"), "There is no file 12347, and no user of the log has such an id"),
        (("--users", "who.txt"), "There is no file who.txt"),
        (("--users", "all"), "Say what to do"),
        (("--user", "u1", "--history", "i1", "--out", "l.csv"), "Say what to do"),
        (("--users", "u1", "--history", "i1"), "Say what to do"),
    ],
)
def test_people_that_there_are_not(model: Path, vitrina: Type, ask: tuple[str, ...], said: str) -> None:
    told = vitrina("recommend", "model", *ask)
    assert told.exit_code == 2
    assert said in told.stderr


def test_an_id_but_for_its_case_and_a_list_without_items(model: Path, vitrina: Type, shop: Path) -> None:
    user, item = pl.read_csv(shop / "shop.csv").row(0, named=True)["customer"], pl.read_csv(shop / "shop.csv")["sku"][0]
    assert f"Did you mean {user!r}?" in vitrina("recommend", "model", "--user", str(user).upper()).stderr
    (shop / "one.txt").write_text(f"{item}\n")
    told = vitrina("recommend", "model", "--history", item, "--candidates", "one.txt", "--exclude-seen")
    assert told.stdout.endswith("nothing is left that may be shown\n")


def test_similar_items_on_the_screen(model: Path, vitrina: Type, shop: Path) -> None:
    artifact = vt.load(model)
    ids = artifact.vocabulary.ids.to_list()[:2]
    lists = artifact.recommender.similar_items(ids, 3)
    told = vitrina("similar", "model", *ids, "-k", 3)
    assert told.exit_code == 0, told.stderr
    assert f"Like {artifact.names([0])[0]}" in told.stdout
    assert all(name in told.stdout for name in artifact.names(lists.items.ravel()))
    found = json.loads(vitrina("similar", "model", *ids, "-k", 3, "--json").stdout)["similar"]
    assert [row["item_id"] for one in found for row in one["items"]] == lists.to_frame()["item_id"].to_list()
    assert "Did you mean" in vitrina("similar", "model", f"{ids[0]}x").stderr
    assert "keeps nothing about people" in vitrina("similar", "model", "u1", "--people").stderr


def test_similar_people_on_the_screen(config: Callable[..., Path], vitrina: Type, shop: Path) -> None:
    config("[models.TifuKNN]\nneighbours = 5\n")
    assert vitrina("fit", "vitrina.toml", "--model", "TifuKNN", "--out", "model").exit_code == 0
    recommender = vt.load(shop / "model").recommender
    person = recommender.people.ids[0]
    told = vitrina("similar", "model", person, "--people", "-k", 2)
    assert told.exit_code == 0, told.stderr
    assert all(user in told.stdout for user in recommender.similar_users([person], 2).to_frame()["user_id"])


def test_fit_takes_a_baseline_that_the_comparison_added(config: Callable[..., Path], vitrina: Type, shop: Path) -> None:
    config("[models.pop]\ntype = 'Popularity'\nby = 'events'\n")
    told = vitrina("fit", "vitrina.toml", "--model", "EASE", "--out", "model")
    assert told.exit_code == 2
    assert "known after: vitrina compare vitrina.toml" in told.stderr
    board = {"entries": [{"name": "EASE", "status": "ok", "config": to_plain(vt.EASE(l2=7))}], "numbers": []}
    out = read_config(shop / "vitrina.toml").out
    out.mkdir(exist_ok=True, parents=True)
    (out / "board.json").write_text(json.dumps(board))
    told = vitrina("fit", "vitrina.toml", "--model", "EASE", "--out", "model")
    assert told.exit_code == 0, told.stderr
    assert vt.load(shop / "model").manifest["model"]["l2"] == 7
    told = vitrina("fit", "vitrina.toml", "--model", "EASY", "--out", "model")
    assert "Did you mean 'EASE'" in told.stderr


# --- a first look, and one that is interrupted


def test_ctrl_c_says_that_the_same_command_goes_on(config: Callable[..., Path], vitrina: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(vt, "compare", interrupted)
    told = vitrina("compare", config('[split]\nrule = "LeaveOneOut"\n\n[models.Popularity]\n'))
    assert told.exit_code == 130
    assert "the same command goes on from there" in told.stderr
    assert ".cache" in told.stderr


def test_a_quick_comparison_says_so_and_settles_no_parameters(config: Callable[..., Path], shop: Path, vitrina: Type) -> None:
    path = config(
        '[split]\nrule = "LeaveOneOut"\n\n[job]\nbaselines = false\n\n[models.window]\ntype = "Popularity"\ndays = [1, 3, 9, 20, 30]\n'
    )
    told = vitrina("compare", path, "--quick")
    assert told.exit_code == 0, told.output
    assert "A first look (quick)" in told.stdout
    assert "1 of 1: window: the best of 4 configurations" in told.stderr
    assert "A first look (quick)" in (shop / "vitrina-report" / "report.html").read_text()
    refused = vitrina("fit", path, "--model", "window", "--out", shop / "model")
    assert refused.exit_code == 2
    assert "a first look with --quick is none" in refused.stderr


def test_what_is_piped_is_as_wide_as_columns_says(config: Callable[..., Path], vitrina: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = config('[split]\nrule = "LeaveOneOut"\n\n[models.Popularity]\n')
    told = vitrina("compare", path)
    assert max(map(len, told.stdout.splitlines())) <= 60
    assert (
        max(map(len, vitrina("inspect", "shop.csv", "--user", "customer", "--item", "sku", "--time", "bought_at").stdout.splitlines()))
        <= 60
    )


def test_workers_train_a_network_and_are_refused_where_they_have_nothing_to_do(shop, vitrina, config):
    config('[models.net]\ntype = "SASRec"\ndim = 4\ntraining = { epochs = 1 }\n\n[models.Popularity]\n')
    told = vitrina("fit", "vitrina.toml", "--model", "Popularity", "--out", "model", "--workers", 2)
    assert told.exit_code == 2
    assert "is fitted in one process on a log in memory" in told.stderr
    told = vitrina("fit", "vitrina.toml", "--model", "net", "--out", "model", "--cluster", "here:1")
    assert "A cluster is for the engine 'ray'" in told.stderr
    told = vitrina("fit", "vitrina.toml", "--model", "net", "--out", "model", "--workers", 2)
    assert told.exit_code == 0, told.stderr
    assert sorted(path.name for path in shop.iterdir() if path.is_dir()) == ["model"]
    assert vitrina("recommend", "model", "--history", "1").exit_code == 0
