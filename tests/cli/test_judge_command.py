"""`vitrina judge`: the file of a judge, what is wrong in it, and what the commands say, keep and write."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from typer.testing import CliRunner
from word_counter import WordCounter

import vitrina as vt
from vitrina.base.errors import VitrinaError
from vitrina.cli.judge_file import Settings, read_judge_file
from vitrina.cli.main import app
from vitrina.cli.sections import Section

ROOT = Path(__file__).parents[2]
FILE = """
[judge]
criteria = "The product is what the shopper asked for."
grades = ["no", "partly", "yes"]

[model]
type = "word_counter:WordCounter"

[items]
path = "goods.csv"
item = "sku"
text = ["name", "maker"]

[pairs]
path = "pairs.csv"
query = "typed"
item = "sku"

[gold]
path = "labels.csv"
query = "typed"
item = "sku"
label = ["ann", "bob"]

[decision]
at_least = 0.6
"""
COLOURS, THINGS = ("red", "blue", "green", "white", "black", "grey"), ("shoes", "hat", "coat", "bag")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 goods, and every query on the six colours of its thing; Ann labels by the words, and Bob is wrong on every twentieth."""
    monkeypatch.chdir(tmp_path)
    WordCounter.answers = 0
    goods = [(f"g{n}", f"{colour} {thing}", "ACME") for n, (colour, thing) in enumerate((c, t) for c in COLOURS for t in THINGS)]
    pl.DataFrame(goods, schema=["sku", "name", "maker"], orient="row").write_csv("goods.csv")
    pairs = [(name, sku, name == other) for _, name, _ in goods for sku, other, _ in goods if other.split()[1] == name.split()[1]]
    table = pl.DataFrame(pairs, schema=["typed", "sku", "same"], orient="row").with_columns(ann=1 + pl.col("same").cast(pl.Int64))
    table = table.with_columns(bob=pl.when(pl.int_range(pl.len()) % 20 == 0).then(0).otherwise("ann"))
    table.select("typed", "sku").write_csv("pairs.csv")
    table.select("typed", "sku", "ann", "bob").write_csv("labels.csv")
    (tmp_path / "judge.toml").write_text(FILE)
    return tmp_path


def typed(*words: object) -> Any:
    return CliRunner().invoke(app, ["judge", *map(str, words)])


def test_every_key_is_documented_and_the_example_is_valid(folder: Path) -> None:
    page = (ROOT / "docs" / "judge-file.md").read_text()
    for name, field in Settings.model_fields.items():
        section = re.search(rf"^## \[+{name}\]+\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        kinds = [cls for cls in (field.annotation, *get_args(field.annotation)) if isinstance(cls, type) and issubclass(cls, Section)]
        assert [key for key in (kinds[0].model_fields if kinds else ()) if f"| `{key}` |" not in section[1]] == []
    assert [key for key in vt.language.Endpoint.model_fields if f"`{key}`" not in page] == []
    for name in ("labels.csv", "pairs.csv"):
        (folder / name).touch()
    (folder / "judge.toml").write_text(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    job = read_judge_file(folder / "judge.toml")
    assert isinstance(job.judge.model, vt.language.Endpoint)
    assert job.price == vt.language.Price(prompt=0.4, answer=1.6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("criteria =", "criterion =", "line 3: There is no [judge] key 'criterion'. Did you mean 'criteria'"),
        ("[decision]", "[decisions]", "There is no table 'decisions'. Did you mean 'decision'"),
        ('type = "word_counter:WordCounter"', 'type = "Endpoin"', "line 7: There is no language model 'Endpoin'. Did you mean 'Endpoint'"),
        (
            'type = "word_counter:WordCounter"',
            'url = "localhost"\nmodel = "m"',
            "line 7: The 'url' parameter of Endpoint is wrong: an address",
        ),
        ('"partly", "yes"', '"no"', "line 2: The 'grades' of Scale are texts of which no two are the same"),
        ("at_least = 0.6", "at_least = 0.6\nmeasure = 'kapa'", "There is no measure of agreement 'kapa'. Did you mean 'kappa'"),
        ("at_least = 0.6", "at_least = 0.6\nbelow_people = 0.1", "a decision needs either at_least or below_people"),
        ("at_least = 0.6", "at_least = 0.6\n[[examples]]\nquery = 'q'\ntext = 't'\nlabl = 1", "There is no [examples] key 'labl'"),
        ("at_least = 0.6", "at_least = 0.6\n[[examples]]\nquery = 'q'\ntext = 't'\nlabel = 9", "must be on the scale [0, 1, 2]. Got 9"),
        ("goods.csv", "good.csv", "line 10: there is no file good.csv. Its folder has 'goods.csv'"),
        ("[judge]", "[[judge]]", "judge must be a"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(folder: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    (folder / "judge.toml").write_text(FILE.replace(old, new))
    with pytest.raises(VitrinaError) as raised:
        read_judge_file(folder / "judge.toml", trust=True)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("labels.csv", "ann,", "anne,", "labels.csv has no column 'ann'"),
        ("labels.csv", "red shoes,g0,2,0", "red shoes,g0,3,0", "must be on the scale 0 to 2. Got 3"),
        ("labels.csv", "red shoes,g0,2,0", "red shoes,g0,yess,0", "There is no grade of [judge], read in row 1 of the labels of people, 'yess'. Did you mean 'yes'"),
        ("labels.csv", "red shoes,g0,2,0", "red shoes,g0,2,0,7", "labels.csv"),
        ("labels.csv", "red shoes,g0,2,0", ",g0,2,0", "the column 'typed' must hold an id in each row"),
        ("goods.csv", "sku", "code", "goods.csv has no column 'sku'"),
        ("goods.csv", "g", "h", "no item of [gold] has a text in [items], the first is 'g0'"),
    ],
)  # fmt: skip
def test_what_only_the_tables_show_is_said_too(folder: Path, file: str, old: str, new: str, said: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    done = typed("agreement", "judge.toml", "--trust", "--yes")
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert not (folder / "vitrina-judge").exists()


def test_the_cost_is_told_first_and_nothing_is_asked_without_a_yes(folder: Path) -> None:
    done = typed("label", "judge.toml", "--trust")
    assert done.exit_code == 2
    assert "This takes 144 calls" in done.stderr
    assert "--yes" in done.stderr
    assert WordCounter.answers == 0
    (folder / "judge.toml").write_text(FILE + "[run]\nmost_calls = 100\n")
    assert "'most_calls' allows 100" in typed("label", "judge.toml", "--trust", "--yes").stderr


def test_labels_are_written_and_never_paid_for_twice(folder: Path) -> None:
    with (folder / "goods.csv").open("a") as file:
        file.write("g99,,\n")
    with (folder / "pairs.csv").open("a") as file:
        file.write("red hat,g99\n")
    done = typed("label", "judge.toml", "--trust", "--yes")
    assert done.exit_code == 0, done.output
    assert "1 of 145 pairs of [pairs] are left out: no text of the item, the first 'g99'" in done.stderr
    made = pl.read_csv(folder / "vitrina-judge" / "labels.csv")
    assert made.columns == ["query", "item", "label", "reason", "error", "judge"]
    assert made.select("query", "item", "label").rows() == pl.read_csv(folder / "labels.csv").select("typed", "sku", "ann").rows()
    again = typed("label", "judge.toml", "--trust", "--json")
    assert again.exit_code == 0, again.output
    told = json.loads(again.stdout)
    assert (told["pairs"], told["calls"], WordCounter.answers) == (144, 0, 144)
    assert [row["pairs"] for row in told["labels"]] == [120, 24]


def test_ctrl_c_keeps_what_was_answered(folder: Path) -> None:
    (folder / "judge.toml").write_text(FILE.replace('WordCounter"', 'WordCounter"\nstop = 50'))
    done = typed("label", "judge.toml", "--trust", "--yes")
    assert done.exit_code == 130, done.output
    assert "50 of 144 are judged and kept" in done.stderr.replace("\n", " ")
    assert not (folder / "vitrina-judge" / "labels.csv").exists()
    (folder / "judge.toml").write_text(FILE)
    done = typed("label", "judge.toml", "--trust", "--yes")
    assert "94 calls (50 more are known)" in done.stderr
    assert pl.read_csv(folder / "vitrina-judge" / "labels.csv")["label"].null_count() == 0


def test_the_judge_is_held_against_people_and_the_verdict_is_an_exit_code(folder: Path) -> None:
    done = typed("agreement", "judge.toml", "--trust", "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["decision"]["verdict"] == "allowed"
    accuracy = {row["who"]: row["value"] for row in told["agreement"] if row["measure"] == "accuracy"}
    assert accuracy["judge and ann"] == 1
    assert accuracy["judge and bob"] == pytest.approx(136 / 144)
    (folder / "judge.toml").write_text(FILE.replace("0.6", "0.99"))
    done = typed("agreement", "judge.toml", "--trust")
    assert done.exit_code == 3, done.output
    assert "The judge is refused" in done.stdout.replace("\n", " ")
    page = folder / "vitrina-judge" / "agreement.html"
    assert "The product is what the shopper asked for." in page.read_text()
    page.write_text("mine")
    assert "was not written by Vitrina" in typed("agreement", "judge.toml", "--trust").stderr


def test_criteria_are_looked_for_and_believed_on_the_test_part_only(folder: Path) -> None:
    text = FILE.replace("WordCounter", "Obedient") + '[reflector]\ntype = "word_counter:Rewriter"\n[tune]\nbudget = 400\n'
    (folder / "judge.toml").write_text(text)
    refused = typed("tune", "judge.toml", "--trust")
    assert refused.exit_code == 2
    assert "at most 400 calls on 144 labels" in refused.stderr
    assert WordCounter.answers == 0
    done = typed("tune", "judge.toml", "--trust", "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["accepted"]
    assert (told["criteria"], told["kappa_after"]["value"]) == ("count the words", 1.0)
    assert told["calls"] <= 400
    written = folder / "vitrina-judge" / "tuned.toml"
    assert tomllib.loads(written.read_text())["judge"]["criteria"] == "count the words"
    (folder / "judge.toml").write_text(text.replace("Rewriter", "Rewriter2"))
    assert "has no class 'Rewriter2'" in typed("tune", "judge.toml", "--trust").stderr


def test_labels_in_words_and_raters_in_rows(folder: Path) -> None:
    rows = pl.read_csv(folder / "labels.csv").unpivot(["ann", "bob"], index=["typed", "sku"], variable_name="who", value_name="said")
    words = {0: "no", 1: " Partly", 2: "YES"}
    rows.with_columns(said=pl.col("said").replace_strict(words, return_dtype=pl.String)).write_csv(folder / "labels.csv")
    (folder / "judge.toml").write_text(FILE.replace('label = ["ann", "bob"]', 'label = "said"\nrater = "who"'))
    gold = read_judge_file(folder / "judge.toml", trust=True).gold()
    assert gold.table.rows() == [(query, item, rater, code) for query, item, rater, code in rows.rows()]


def test_a_result_is_never_written_over_what_is_read(folder: Path) -> None:
    (folder / "judge.toml").write_text(FILE + '[report]\nout = "."\n')
    done = typed("label", "judge.toml", "--trust", "--yes")
    assert done.exit_code == 2
    assert "is what this command reads" in done.stderr
