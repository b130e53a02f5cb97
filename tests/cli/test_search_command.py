"""`vitrina search`: from a CSV to an answer, the file of a search and what is wrong in it, and the board on judged queries."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from letter_encoder import WordAxes
from typer.testing import CliRunner

from vitrina.base.errors import VitrinaError
from vitrina.cli import search_make
from vitrina.cli.main import app
from vitrina.cli.search_file import Settings, read_search_file
from vitrina.cli.search_guess import guess
from vitrina.cli.sections import Section

ROOT = Path(__file__).parents[2]
COLOURS, THINGS, MAKERS = ("red", "scarlet", "blue", "navy", "green"), ("shoes", "boots", "hat", "cap", "bottle"), ("Acme", "Zenith")
SAME = {"scarlet": "red", "navy": "blue", "boots": "shoes", "cap": "hat"}
FILE = """
[items]
path = "goods.csv"
id = "sku"

[index]
columns = {"product name" = 3, maker = 1}

[repair]
synonyms = "synonyms.txt"
pins = "pins.csv"

[judged]
qrels = "judged.csv"
query = "typed"
item = "sku"
gain = "grade"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """50 goods; judged is every query "colour thing": 2 for the words themselves, 1 for what means the same, 0 for the same thing in another colour."""
    monkeypatch.chdir(tmp_path)
    WordAxes.read.clear()
    monkeypatch.setattr(WordAxes, "stop", 0)
    kinds = [(colour, thing, maker) for colour in COLOURS for thing in THINGS for maker in MAKERS]
    goods = [(f"g{n}", f"{colour} {thing}", maker, 10 + n) for n, (colour, thing, maker) in enumerate(kinds)]
    pl.DataFrame(goods, schema=["sku", "product name", "maker", "price"], orient="row").write_csv("goods.csv")
    rows = []
    for colour, thing in ((c, t) for c in COLOURS for t in THINGS):
        for sku, name, _, _ in goods:
            own = name.split()
            alike = [SAME.get(a, a) == SAME.get(b, b) for a, b in zip(own, (colour, thing), strict=True)]
            if own == [colour, thing] or all(alike) or own[1] == thing:
                rows.append((f"{colour} {thing}", sku, 2 if own == [colour, thing] else int(all(alike))))
    pl.DataFrame(rows, schema=["typed", "sku", "grade"], orient="row").write_csv("judged.csv")
    (tmp_path / "synonyms.txt").write_text("sneakers => shoes\n")
    (tmp_path / "pins.csv").write_text("query,item,action\nred hat,g49,pin\nred hat,g4,hide\n")
    (tmp_path / "search.toml").write_text(FILE)
    return tmp_path


def typed(*words: object) -> Any:
    return CliRunner().invoke(app, ["search", *map(str, words)])


def found(*words: object) -> Any:
    done = typed("ask", *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def ids(answer: Any) -> list[str]:
    return [row["item_id"] for row in answer["items"]]


def test_every_key_is_documented_and_the_example_is_valid(folder: Path) -> None:
    page = (ROOT / "docs" / "search-file.md").read_text()
    for name, field in Settings.model_fields.items():
        section = re.search(rf"^## \[{name}\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        kinds = [cls for cls in (field.annotation, *get_args(field.annotation)) if isinstance(cls, type) and issubclass(cls, Section)]
        assert [key for key in kinds[0].model_fields if f"| `{key}` |" not in section[1]] == []
    (folder / "search.toml").write_text(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    assert read_search_file(folder / "search.toml").weights == {"name": 3, "description": 1, "brand": 1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("columns =", "colums =", "line 7: There is no [index] key 'colums'. Did you mean 'columns'"),
        ("[repair]", "[repairs]", "line 9: There is no table 'repairs'. Did you mean 'repair'"),
        ("maker = 1", "maker = 0", "line 7: columns are one or more, each with a weight above 0"),
        ("maker = 1}", 'maker = 1}\nlanguage = "rusian"', "Did you mean 'russian'"),
        ("maker = 1}", 'maker = 1}\nencoder = "Packed"', "line 8: There is no encoder 'Packed'. Did you mean 'Packaged'"),
        ("maker = 1}", 'maker = 1}\nmatch = "al"', "line 8: There is no way to match 'al'. Did you mean 'all'"),
        ("[repair]", '[hybrid]\nfusion = {type = "RRF", konstant = 2}\n[repair]', "line 10: There is no RRF parameter 'konstant'"),
        ("[repair]", '[evaluate]\nmetric = "nDGC@10"\n[repair]', "line 10: There is no metric 'nDGC@10'. Did you mean 'nDCG@10'"),
        ("synonyms.txt", "synonym.txt", "line 10: there is no file synonym.txt. Its folder has 'synonyms.txt'"),
        ('path = "goods.csv"\n', "", "the key 'path' in [items] is missing. A whole one: [items] path"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(folder: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    (folder / "search.toml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(VitrinaError) as raised:
        read_search_file(folder / "search.toml")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("goods.csv", "product name", "title", "line 7: There is no column of the table of items 'product name'"),
        ("goods.csv", "sku,", "code,", "goods.csv has no column 'sku'"),
        ("goods.csv", "g1,", "g0,", "must hold each id once"),
        ("goods.csv", "red shoes,Acme,10", "red shoes,Acme,10,5", "goods.csv"),
        ("synonyms.txt", "sneakers => shoes", "sneakers", "line 10"),
        ("pins.csv", "pin\n", "pinn\n", "'pinn'"),
    ],
)
def test_what_only_the_tables_show_is_said_too(folder: Path, file: str, old: str, new: str, said: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    done = typed("build", "search.toml")
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert not (folder / "vitrina-search" / "search").exists()


def test_two_commands_from_a_table_to_an_answer(folder: Path) -> None:
    done = typed("build", "goods.csv")
    assert done.exit_code == 0, done.output
    assert "Ids are in 'sku'; searched in, with weights: product name 3, maker 1; language: english" in done.stderr.replace("\n", " ")
    answer = found("vitrina-search", "Zenith", "red", "hat", "-k", 3, "--facets", "maker")
    assert answer["items"][0]["title"] == "red hat"
    assert ids(answer)[0] == "g5"
    assert {row["value"]: row["count"] for row in answer["facets"]["maker"]} == {"Zenith": 25, "Acme": 9}
    shown = typed("ask", "vitrina-search", "zenith red hat", "--facets", "maker")
    assert "maker: Zenith 25, Acme 9" in shown.stdout
    assert typed("build", "goods.csv").exit_code == 0  # nobody has changed its search.toml
    config = folder / "vitrina-search" / "search.toml"
    config.write_text(config.read_text().replace("= 3", "= 2"))
    again = typed("build", "goods.csv")
    assert again.exit_code == 2
    assert "search.toml exists already, and says something else" in again.stderr
    assert "Its folder has 'goods.csv'" in typed("build", "godos.csv").stderr
    assert "nowhere holds no search" in typed("ask", "nowhere", "hat").stderr
    assert typed("build", Path("vitrina-search") / "search.toml").exit_code == 0
    assert typed("build", "goods.csv", "--column", "maker", "--id", "sku", "--force").exit_code == 0
    assert ids(found("vitrina-search", "hat")) == []
    assert "Did you mean 'maker'" in typed("build", "goods.csv", "--column", "makr", "--out", "other").stderr


def test_what_was_typed_is_mended_and_conditions_are_kept(folder: Path) -> None:
    assert typed("build", "search.toml").exit_code == 0
    answer = found("vitrina-search", "grren botle")
    assert answer["items"][0]["title"] == "green bottle"
    assert {(change["before"], change["after"]) for change in answer["changes"]} == {("grren", "green"), ("botle", "bottle")}
    assert "Searched for 'green' in place of 'grren'" in typed("ask", "vitrina-search", "grren botle").stdout
    assert ids(found("vitrina-search", "grren botle", "--as-typed")) == []
    assert found("vitrina-search", "green sneakers")["items"][0]["title"] == "green shoes"
    assert ids(found("vitrina-search", "red hat"))[0] == "g49"
    assert "g4" not in ids(found("vitrina-search", "red hat", "-k", 50))
    narrow = found("vitrina-search", "hat", "--where", "maker=Acme", "--where", "price<20", "-k", 50)
    table = pl.read_csv(folder / "goods.csv").filter(pl.col("product name").str.contains("hat"), maker="Acme").filter(pl.col("price") < 20)
    assert set(ids(narrow)) == set(table["sku"])
    for where, said in (("makr=Acme", "Did you mean 'maker'"), ("maker=Acm", "Did you mean 'Acme'"), ("price<x", "'x' is none"), ("Acme", "A condition is COLUMN=VALUE")):  # fmt: skip
        done = typed("ask", "vitrina-search", "hat", "--where", where)
        assert done.exit_code == 2
        assert said in done.stderr


def test_an_empty_list_says_why_and_is_kept_in_a_log(folder: Path) -> None:
    assert typed("build", "search.toml").exit_code == 0
    for _ in range(2):
        done = typed("ask", "vitrina-search", "xylophone", "--log", "zero.jsonl")
        assert done.exit_code == 0
        assert "Nothing was found: no item has the word 'xylophone'" in done.stdout
    done = typed("ask", "vitrina-search", "red hat", "--where", "price>1000")
    assert "the conditions leave none; without them there are items, 10 in a list" in done.stdout
    told = json.loads(typed("zeros", "zero.jsonl", "--json").stdout)
    assert [(row["text"], row["times"]) for row in told["shown"]] == [("xylophone", 2)]
    assert "2 searches of 1 texts found nothing" in typed("zeros", "zero.jsonl").stdout
    for file, said in (("goods.csv", "isn't a log of searches"), ("none.jsonl", "There is no file none.jsonl")):
        done = typed("zeros", file)
        assert done.exit_code == 2
        assert said in done.stderr


def ndcg(listed: list[str], grades: dict[str, int]) -> float:
    """Linear nDCG@10 in plain Python."""
    best = sorted(grades.values(), reverse=True)[:10]
    ideal = sum(grade / math.log2(place + 2) for place, grade in enumerate(best))
    return sum(grades.get(item, 0) / math.log2(place + 2) for place, item in enumerate(listed[:10])) / ideal


def test_systems_are_compared_on_judged_queries(folder: Path) -> None:
    (folder / "run.txt").write_text("".join(f"{c} {t}\tQ0\tg0\t1\t1.0\tother\n" for c in COLOURS for t in THINGS))
    text = (
        FILE.replace("maker = 1}", 'maker = 1}\nencoder = "letter_encoder:WordAxes"')
        + '[evaluate]\nruns = {other = "run.txt"}\nfolds = 5\n'
    )
    (folder / "search.toml").write_text(text.replace('pins = "pins.csv"', ""))
    done = typed("evaluate", "search.toml", "--trust", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {row["system"] for row in told["systems"]} == {"words", "vectors", "hybrid", "learned mix", "whole search", "other"}
    values = {row["system"]: row["value"] for row in told["systems"]}
    judged = pl.read_csv(folder / "judged.csv")
    plain = {query: dict(own.select("sku", "grade").iter_rows()) for (query,), own in judged.group_by("typed")}
    (folder / "words.toml").write_text(FILE.replace('pins = "pins.csv"', ""))
    assert typed("build", "words.toml").exit_code == 0
    by_hand = [ndcg(ids(found("vitrina-search", query, "--as-typed")), grades) for query, grades in plain.items()]
    assert values["words"] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-6)
    assert values["other"] == pytest.approx(sum(ndcg(["g0"], grades) for grades in plain.values()) / len(plain), abs=1e-6)
    assert values["hybrid"] > values["words"]
    assert {(row["model"], row["against"]) for row in told["pairs"]} >= {
        ("vectors", "words"),
        ("hybrid", "vectors"),
        ("learned mix", "hybrid"),
    }
    assert json.loads((folder / "vitrina-search" / "search-board.json").read_text())["systems"] == told["systems"]
    page = (folder / "vitrina-search" / "search-board.html").read_text()
    assert "hybrid against words: better by" in page
    assert "Queries that went worst" in page
    done = typed("evaluate", "search.toml", "--trust")
    assert "hybrid against words: better by" in done.stdout
    (folder / "vitrina-search" / "search-board.json").write_text("{}")
    assert "was not written by Vitrina" in typed("evaluate", "search.toml", "--trust").stderr
    (folder / "search.toml").write_text(FILE.partition("[judged]")[0] + '[report]\nout = "other"\n')
    assert "this command needs the table [judged]" in typed("evaluate", "search.toml").stderr


def test_vectors_are_kept_as_they_come(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_make, "PART", 10)
    monkeypatch.setattr(WordAxes, "stop", 35)
    (folder / "search.toml").write_text(FILE.replace("maker = 1}", 'maker = 1}\nencoder = "letter_encoder:WordAxes"'))
    done = typed("build", "search.toml", "--trust")
    assert done.exit_code == 130, done.output
    assert [path.name for path in (folder / "vitrina-search").iterdir()] == [".vectors"]
    monkeypatch.setattr(WordAxes, "stop", 0)
    assert typed("build", "search.toml", "--trust").exit_code == 0
    assert WordAxes.read[35:45] == WordAxes.read[30:35] + WordAxes.read[40:45]  # the part that was cut short is read again, no other
    assert len(list((folder / "vitrina-search" / ".vectors").iterdir())) == 5
    refused = typed("ask", "vitrina-search", "scarlet boots")
    assert refused.exit_code == 2
    assert "--trust" in refused.stderr or "trust" in refused.stderr
    answer = found("vitrina-search", "scarlet boots", "-k", 50, "--trust")
    assert {row["title"] for row in answer["items"]} >= {"scarlet boots", "red shoes"}  # no word of it is in that


def test_what_columns_are_for_is_seen_in_them() -> None:
    table = pl.DataFrame({
        "url": ["https://a.ru/1", "https://a.ru/2"], "Артикул": ["1a", "2b"], "Наименование": ["Красные туфли", "Синяя шляпа"], "когда": ["2024-01-01", "2024-01-02"],
        "цена": ["10", "20"], "цвет": ["красный", "синий"],
    })  # fmt: skip
    seen = guess(table)
    assert (seen.id, seen.title, seen.columns, seen.language) == ("url", "Наименование", {"Наименование": 3}, ("russian", "english"))
    with pytest.raises(VitrinaError, match="No column of the table has each id once"):
        guess(pl.DataFrame({"a": ["x", "x"]}))
    with pytest.raises(VitrinaError, match="Name those that are searched in with --column"):
        guess(pl.DataFrame({"a": ["x", "y"]}))
