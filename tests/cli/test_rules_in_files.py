"""Rules and re-rankers of a config file: built, refused with their lines, kept on the board and in artifacts, and previewed."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.base.errors import VitrinaError
from vitrina.board.tune import Search
from vitrina.cli.config import read_config
from vitrina.cli.main import app
from vitrina.rerank.rules import AtMost, Hide, Pin

HEAD = """
[data]
source = "log.csv"
items = "goods.csv"
item = "sku"

[split]
rule = "GlobalTime"
quantile = 0.8

[job]
repeat = true

"""
MODELS = """
[models.EASE]
l2 = 20

[models.varied]
type = "Cooccurrence"
rerank = {type = "MMR", diversity = 0.3}
candidates = 9

"""
RULES = """
[rules.no-g1]
type = "Hide"
where = {group = "g1"}

[rules.one-i5]
type = "Hide"
where = {sku = "i5"}

[rules.first]
type = "Pin"
item = "i2"
place = 1

[rules.two]
type = "AtMost"
n = 2
first = 4
each = "group"
"""
DATA = vt.testing.synthetic(users=40, items=24, groups=4, seed=3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    DATA.frame().select("user_id", pl.col("item_id").alias("sku"), "timestamp").write_csv("log.csv")
    titles = [f"Item {c}" for c in range(24)]
    pl.DataFrame({"sku": DATA.items.ids, "title": titles, "group": [f"g{c % 4}" for c in range(24)], "type": ["a", "b"] * 12}).write_csv(
        "goods.csv"
    )
    (tmp_path / "vitrina.toml").write_text(HEAD + MODELS + RULES)
    return tmp_path


def written(folder: Path, text: str) -> Path:
    (folder / "vitrina.toml").write_text(text)
    return folder / "vitrina.toml"


def refused(folder: Path, text: str) -> str:
    with pytest.raises(VitrinaError) as caught:
        read_config(written(folder, text))
    return str(caught.value)


def test_rerank_makes_one_model_of_a_model_and_a_re_ranker(folder: Path) -> None:
    plan = read_config(folder / "vitrina.toml")
    assert plan.models["varied"] == vt.Reranked(model=vt.Cooccurrence(), reranker=vt.MMR(diversity=0.3), candidates=9)
    assert plan.models["EASE"] == vt.EASE(l2=20)
    assert plan.rules == vt.Rules(rules={
        "no-g1": Hide(where={"group": "g1"}), "one-i5": Hide(where={"item_id": "i5"}), "first": Pin(item="i2", place=1), "two": AtMost(n=2, first=4, each="group"),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ('rerank = {type = "MMR", diversity = [0.1, 0.3]}', 2), ('rerank = ["MMR", {type = "ByHash", seed = 2}, "KeepOrder"]', 3),
        ('rerank = "MMR"\ncandidates = [5, 10]', 2), ('neighbours = [3, 5]\nrerank = "MMR"', 2), ('rerank = {type = "MMR", diversity = {low = 0.1, high = 0.9}}', 4),
    ],
)  # fmt: skip
def test_lists_and_ranges_in_it_are_a_search(folder: Path, lines: str, size: int) -> None:
    text = MODELS.replace('rerank = {type = "MMR", diversity = 0.3}\ncandidates = 9', lines)
    model = read_config(written(folder, HEAD + text)).models["varied"]
    assert isinstance(model, Search)
    tried = model.candidates(4)
    assert len(tried) == size
    assert all(isinstance(one, vt.Reranked) for one in tried)


def test_candidates_of_the_model_are_its_own(folder: Path) -> None:
    text = '[models.both]\ntype = "Blend"\nmodels = ["EASE", "Cooccurrence"]\ncandidates = 30\nrerank = "MMR"\n'
    model: Any = read_config(written(folder, HEAD + text)).models["both"]
    assert (model.model.candidates, model.candidates) == (30, 100)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"MMR", diversity', '"MMR", diversty'), "line 20: There is no MMR parameter 'diversty'. Did you mean 'diversity'"),
        (('"MMR", diversity', '"MRM", diversity'), "line 20: There is no part 'MRM'. Did you mean 'MMR'"),
        (('type = "MMR", diversity', "diversity"), "line 20: A 'rerank' is a table with a type"),
        (("diversity = 0.3", "diversity = 2"), "line 20: The 'diversity' parameter of MMR must be less than or equal to 1. Got 2."),
        (('type = "Hide"\nwhere = {group', 'type = "Hid"\nwhere = {group'), "line 25: There is no rule 'Hid'. Did you mean 'Hide'"),
        (('type = "Hide"\nwhere = {group', "where = {group"), "line 24: The rule 'no-g1' needs a type: AtLeast, AtMost, Boost"),
        (("n = 2", "m = 2"), "line 39: There is no AtMost parameter 'm'"), (("[rules.two]", "[rule.two]"), "There is no table 'rule'. Did you mean 'rules'"),
        (("place = 1", 'place = "one"'), "line 35: The 'place' parameter of Pin must be a whole number. Got 'one'."),
        (('item = "i2"', 'item = "i5"'), "line 32: The rules 'one-i5' and 'first' contradict each other: the item 'i5' is hidden by one and has place 1 by the other"),
        (('each = "group"', 'each = "group"\n[rules.x]\ntype = "HidePairs"\ntable = "none.csv"'), "line 44: There is no file"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(folder: Path, change: tuple[str, str], says: str) -> None:
    text = HEAD + MODELS + RULES
    assert change[0] in text
    assert says in refused(folder, text.replace(*change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('each = "group"', 'each = "grup"'), "line 37: The rule 'two': There is no column of the table of items 'grup'. Did you mean 'group'"),
        (('sku = "i5"', 'sku = "i55"'), "line 28: The rule 'one-i5': No item has the id 'i55' in the column 'item_id'. Did you mean 'i5'"),
        (('item = "i2"', 'item = "i9"'), "line 32: The rules 'no-g1' and 'first' contradict each other: the first hides the item 'i9'."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["compare", "fit", "rules"])
def test_what_only_the_log_shows_is_told_with_its_line_before_anything_runs(
    folder: Path, command: str, change: tuple[str, str], says: str
) -> None:
    written(folder, (HEAD + MODELS + RULES).replace(*change))
    words = {
        "compare": ["compare", "vitrina.toml"],
        "fit": ["fit", "vitrina.toml", "--model", "EASE", "--out", "x"],
        "rules": ["rules", "preview", "vitrina.toml"],
    }
    done = CliRunner().invoke(app, words[command])
    assert done.exit_code == 2
    assert says in done.output


OWN = """
[models.ruled]
type = "Popularity"

[models.ruled.rerank]
type = "Rules"

[models.ruled.rerank.rules]
first = {type = "Pin", item = "i2", place = 1}
two = {type = "AtMost", n = 2, first = 4, each = "grup"}
"""


@pytest.mark.parametrize("command", ["compare", "fit"])
def test_rules_of_one_model_are_held_against_the_log_before_anything_runs(folder: Path, command: str) -> None:
    text = HEAD + MODELS + OWN
    written(folder, text)
    words = ["compare", "vitrina.toml"] if command == "compare" else ["fit", "vitrina.toml", "--model", "ruled", "--out", "x"]
    done = CliRunner().invoke(app, words)
    line = text.splitlines().index('two = {type = "AtMost", n = 2, first = 4, each = "grup"}') + 1
    assert done.exit_code == 2
    assert f"line {line}: The rule 'two': There is no column of the table of items 'grup'. Did you mean 'group'" in done.output
    done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "EASE", "--out", "x"])  # those of others are not asked for
    assert done.exit_code == 0, done.output


def test_a_metric_that_the_log_has_no_values_for_is_told_with_its_line(folder: Path) -> None:
    text = HEAD.replace("repeat = true", 'repeat = true\nmetrics = ["nDCG@10", "Value@10"]')
    written(folder, text + MODELS)
    done = CliRunner().invoke(app, ["compare", "vitrina.toml"])
    assert done.exit_code == 2
    assert "line 13: Value@10 needs to know what items are worth, and the log has no values." in done.output


def test_two_sources_of_one_name_are_told_with_their_line(folder: Path) -> None:
    sources = 'sources = [{type = "Source", model = "EASE"}, {type = "Source", model = {type = "EASE", l2 = 5}}]'
    said = refused(folder, HEAD + f'[models.two]\ntype = "TwoStage"\nqueries = 20\n{sources}\n')
    assert "line 17: Each source has a name of its own, and two are called 'EASE'. Give one a name: Source(model=..., name='...')" in said


def test_a_column_may_be_called_type(folder: Path) -> None:
    text = RULES.replace('where = {group = "g1"}', 'where = {type = "b"}')
    assert read_config(written(folder, HEAD + MODELS + text)).rules.rules["no-g1"] == Hide(where={"type": "b"})  # type: ignore[union-attr]


def test_a_model_with_rules_of_its_own_beside_rules_for_all_is_refused(folder: Path) -> None:
    own = 'rerank = {type = "Rules", rules = {mine = {type = "Pin", item = "i2", place = 1}}}'
    written(folder, HEAD + MODELS.replace('rerank = {type = "MMR", diversity = 0.3}', own) + RULES)
    done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "varied", "--out", "x"])
    assert done.exit_code == 2
    assert "line 20: A model has rules of its own (mine), and there are rules for all (no-g1, one-i5, first, two)." in done.output


def test_the_board_is_made_under_the_rules_and_the_artifact_keeps_them(folder: Path, one_process: None) -> None:
    done = CliRunner().invoke(app, ["compare", "vitrina.toml", "--json"])
    assert done.exit_code == 0, done.output
    board = json.loads(done.stdout)
    assert "all lists under the rules no-g1, one-i5, first, two" in board["protocol"]["line"]
    assert board["settings"]["rules"]["first"] == "Pin(item='i2', place=1)"
    assert {entry["name"]: entry["config"]["name"] for entry in board["entries"]}["EASE"] == "EASE"
    assert {row["model"] for row in board["reasons"]} == {entry["name"] for entry in board["entries"]}  # baselines too
    assert "no-g1" in (folder / "vitrina-report" / "report.html").read_text()
    for model in ("varied", "Popularity, all time"):
        done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", model, "--out", "kept", "--force"])
        assert done.exit_code == 0, done.output
        kept = vt.load(folder / "kept").recommender
        queries = vt.aligned(DATA, kept.vocabulary).queries()
        lists = kept.recommend(queries, 4, eligible=vt.Eligibility(repeat=True)).to_frame()
        assert lists.filter(rank=1)["item_id"].unique().to_list() == ["i2"]
        assert not lists["item_id"].is_in(["i1", "i5", "i9"]).any()
        assert "reasons" in lists.columns


def test_the_winner_of_a_search_is_fitted_under_the_rules_of_now(folder: Path, one_process: None) -> None:
    text = HEAD + '[models.EASE]\nl2 = [5, 50]\nrerank = {type = "MMR", diversity = [0.0, 0.2]}\n[tune]\ntrials = 2\n'
    written(folder, text + RULES)
    assert CliRunner().invoke(app, ["compare", "vitrina.toml"]).exit_code == 0
    written(folder, text + RULES.replace('item = "i2"', 'item = "i3"'))
    done = CliRunner().invoke(app, ["fit", "vitrina.toml", "--model", "EASE", "--out", "kept"])
    assert done.exit_code == 0, done.output
    model: Any = vt.load(folder / "kept").recommender
    lists = model.recommend(vt.aligned(DATA, model.vocabulary).queries(), 3, eligible=vt.Eligibility(repeat=True)).to_frame()
    assert lists.filter(rank=1)["item_id"].unique().to_list() == ["i3"]
    assert model.reranker.reranker.then.diversity in (0.0, 0.2)


def test_a_preview_is_printed_and_is_json(folder: Path) -> None:
    done = CliRunner().invoke(app, ["rules", "preview", "vitrina.toml", "--people", "30"])
    assert done.exit_code == 0, done.output
    assert "Item 2 to place 1 of" in done.stdout
    assert "before: " in done.stdout
    done = CliRunner().invoke(app, ["rules", "preview", "vitrina.toml", "--model", "varied", "--json"])
    shown = json.loads(done.stdout)
    assert [rule["name"] for rule in shown["rules"]] == ["no-g1", "one-i5", "first", "two"]
    assert shown["rules"][0]["items"] == 6
    assert shown["people"] == 40
    assert any(rule["examples"] for rule in shown["rules"])
    written(folder, HEAD + MODELS)
    done = CliRunner().invoke(app, ["rules", "preview", "vitrina.toml"])
    assert done.exit_code == 2
    assert "has no rules: add a table [rules.NAME]" in done.output
    done = CliRunner().invoke(app, ["rules", "preview", str(written(folder, HEAD + MODELS + RULES)), "--model", "EASY"])
    assert "There is no model 'EASY'. Did you mean 'EASE'" in done.output


def test_a_model_of_ones_own_keeps_the_rules_too(one_process: None) -> None:
    from rule_takers import Plain

    split = DATA.split(vt.split.GlobalTime(quantile=0.8, repeat=True))
    board = vt.compare({"mine": Plain()}, split, baselines=False, rules=vt.Rules(rules={"two": AtMost(n=1, each="group")}))
    assert board.entry("mine").status == "ok", board.entry("mine").error
    assert set(board.reasons["model"]) == {"mine"}
    with pytest.raises(VitrinaError, match=r"The 'rules' of compare must be a vt\.Rules"):
        vt.compare([vt.EASE()], split, rules=[AtMost(n=1, each="group")])  # type: ignore[arg-type]
