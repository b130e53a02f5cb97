"""`vitrina answer`: sentences with what they rest on, or why there are none; with a model of one's own, and without."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.base.errors import VitrinaError
from vitrina.cli.answer_file import Settings, read_answer_file
from vitrina.cli.main import app
from vitrina.cli.sections import Section

ROOT = Path(__file__).parents[2]
GOODS = {
    "sku": ["k1", "k2", "t1"],
    "name": ["Moka kettle", "Pour kettle", "Green tea"],
    "text": [
        "It boils 1.5 l of water in 4 minutes. Its handle stays cool.",
        "A swan neck pours the water very slowly.",
        "Whole leaves from the south of Japan.",
    ],
    "maker": ["Acme", "Zenith", "Acme"],
}
MODEL = '[model]\ntype = "sentence_chooser:Chooser"\n'


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("goods")
    pl.DataFrame(GOODS).write_csv(folder / "goods.csv")
    done = CliRunner().invoke(app, ["search", "build", str(folder / "goods.csv"), "--out", str(folder / "shop")])
    assert done.exit_code == 0, done.output
    return folder / "shop"


@pytest.fixture
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return built


def typed(folder: Path, *words: object) -> Any:
    return CliRunner().invoke(app, ["answer", str(folder), *map(str, words)])


def test_every_key_is_documented_and_the_example_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "answer-file.md").read_text()
    for name, field in Settings.model_fields.items():
        section = re.search(rf"^## \[{name}\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        kinds = [cls for cls in (field.annotation, *get_args(field.annotation)) if isinstance(cls, type) and issubclass(cls, Section)]
        assert [key for key in (kinds[0].model_fields if kinds else ()) if f"| `{key}` |" not in section[1]] == []
    (tmp_path / "answer.toml").write_text(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    job = read_answer_file(tmp_path / "answer.toml")
    assert isinstance(job.model, vt.language.Endpoint)
    assert job.style == vt.answers.Select()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[answer]\nstile = 'Select'\n", "line 2: There is no [answer] key 'stile'. Did you mean 'style'"),
        ("[answer]\nstyle = 'Selekt'\n", "line 2: There is no style 'Selekt'. Did you mean 'Select'"),
        ("[answer]\nleast = 2\n", "line 2: answer.least must be"),
        ("[model]\ntype = 'Endpont'\n", "line 2: There is no language model 'Endpont'. Did you mean 'Endpoint'"),
        ("[guard]\n", "line 1: There is no table 'guard'. Did you mean 'guards'"),
        (MODEL, "--trust"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "answer.toml").write_text(text)
    with pytest.raises(VitrinaError) as raised:
        read_answer_file(tmp_path / "answer.toml")
    assert said in str(raised.value)


def test_without_a_model_the_answer_is_extracted(folder: Path) -> None:
    done = typed(folder, "How", "fast", "does", "the", "Moka", "kettle", "boil", "water?")
    assert done.exit_code == 0, done.output
    assert done.stdout == "It boils 1.5 l of water in 4 minutes. [1]\n[1] Moka kettle (k1)\n"
    told = json.loads(typed(folder, "How fast does the Moka kettle boil water?", "--json").stdout)
    assert (told["status"], told["items"], told["by"]) == ("answered", ["k1"], "extraction")
    assert told["sentences"][0]["citations"][0]["quote"] == "It boils 1.5 l of water in 4 minutes."
    assert "trace" not in told
    traced = typed(folder, "How fast does the Moka kettle boil water?", "--trace").stdout
    assert [line.split()[0] for line in traced.partition("\n\n")[2].splitlines()] == ["understand", "retrieve", "check", "write", "verify"]
    read = typed(folder, "How fast does the Moka kettle boil water?", "--context").stdout
    assert '"text": "It boils 1.5 l of water in 4 minutes."' in read


def test_what_is_not_answered_says_why(folder: Path) -> None:
    done = typed(folder, "Does it rain in Lisbon?")
    assert done.exit_code == 0
    assert "Refused (" in done.stderr
    assert json.loads(typed(folder, "Does it rain in Lisbon?", "--json").stdout)["status"] == "refused"
    Path("answer.toml").write_text('[guards]\nblocked = {"kettles" = ["kettle"]}\n')
    done = typed(folder, "How fast does the Moka kettle boil water?", "--config", "answer.toml")
    assert "Refused (blocked)" in done.stderr


def test_a_model_chooses_sentences_and_columns_can_be_kept_back(folder: Path) -> None:
    Path("answer.toml").write_text(MODEL + "[answer]\ncolumns = ['name', 'text']\n")
    done = typed(folder, "Which kettle has a cool handle?", "--config", "answer.toml", "--trust", "--json", "--trace")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["by"], [one["text"] for one in told["sentences"]]) == ("chooser", ["Its handle stays cool."])
    assert any(step["calls"] for step in told["trace"])
    read = typed(folder, "Which kettle has a cool handle?", "--context", "--config", "answer.toml", "--trust").stdout
    assert "Moka kettle" in read
    assert "Acme" not in read
    Path("answer.toml").write_text("[answer]\ncolumns = ['nam']\n")
    done = typed(folder, "kettle", "--config", "answer.toml")
    assert done.exit_code == 2
    assert "line 2" in done.stderr
    assert "'name'" in done.stderr


def test_a_folder_that_is_no_search_is_refused(folder: Path, tmp_path: Path) -> None:
    data = vt.testing.toy()
    vt.save(vt.Popularity().fit(data), tmp_path / "popular")
    done = typed(tmp_path / "popular", "tea")
    assert done.exit_code == 2
    assert "holds no search" in done.stderr
    assert typed(tmp_path / "nothing", "tea").exit_code == 2
