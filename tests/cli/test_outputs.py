"""What a command reads is never written over, and what somebody else wrote only with --force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Type = Callable[..., Any]
MODELS = "[models.popular]\ntype = 'Popularity'\n\n[models.ease]\ntype = 'EASE'\n"


@pytest.fixture
def fitted(shop: Path, config: Callable[[str], Path], vitrina: Type) -> Path:
    config('items = "goods.csv"\n\n[report]\nout = "results"\n\n' + MODELS)
    assert vitrina("fit", "vitrina.toml", "--model", "popular", "--out", "model").exit_code == 0
    return shop


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("out", ["shop.csv", "goods.csv", "./model/../shop.csv", "link.csv", "people.csv", "some.csv"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_lists_never_replace_what_was_read(fitted: Path, vitrina: Type, out: str, force: tuple[str, ...]) -> None:
    (fitted / "link.csv").symlink_to("shop.csv")
    pl.DataFrame({"customer": ["u1"], "rank": [1], "score": [1.0], "source": ["model"]}).write_csv(fitted / "people.csv")
    pl.DataFrame({"sku": ["i1"]}).write_csv(fitted / "some.csv")
    before = files(fitted)
    told = vitrina("recommend", "model", "--users", "people.csv", "--candidates", "some.csv", "--out", out, *force)
    assert told.exit_code == 2
    assert "reads" in told.stderr
    assert files(fitted) == before


def test_the_log_of_the_fit_stays_when_histories_come_from_another(fitted: Path, vitrina: Type) -> None:
    (fitted / "newer.csv").write_bytes((fitted / "shop.csv").read_bytes())
    for out in ("shop.csv", "newer.csv", "goods.csv"):
        assert "reads" in vitrina("recommend", "model", "--data", "newer.csv", "--out", out, "--force").stderr


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_somebody_elses_file_needs_force_and_our_own_lists_don_t(fitted: Path, vitrina: Type, ending: str) -> None:
    out = fitted / f"prices.{ending}"
    prices = pl.DataFrame({"sku": ["i1"], "price": [3.5]})
    prices.write_csv(out) if ending == "csv" else prices.write_parquet(out)
    told = vitrina("recommend", "model", "--out", out)
    assert told.exit_code == 2
    assert "--force" in told.stderr
    assert vitrina("recommend", "model", "--out", out, "--force").exit_code == 0
    assert vitrina("recommend", "model", "--out", out).exit_code == 0  # lists replace lists


@pytest.mark.parametrize("out", ["shop.csv", "goods.csv"])
def test_init_never_replaces_the_log(shop: Path, vitrina: Type, out: str) -> None:
    before = files(shop)
    words = "--user", "customer", "--item", "sku", "--time", "bought_at", "--items", "goods.csv"
    told = vitrina("init", "shop.csv", *words, "--out", out, "--force")
    assert told.exit_code == 2
    assert "reads" in told.stderr
    assert files(shop) == before


def test_an_artifact_of_another_model_needs_force(fitted: Path, vitrina: Type) -> None:
    before = files(fitted / "model")
    told = vitrina("fit", "vitrina.toml", "--model", "ease", "--out", "model")
    assert told.exit_code == 2
    assert "Popularity and not EASE" in told.stderr
    assert files(fitted / "model") == before
    assert vitrina("fit", "vitrina.toml", "--model", "popular", "--out", "model").exit_code == 0
    assert vitrina("fit", "vitrina.toml", "--model", "ease", "--out", "model", "--force").exit_code == 0


def test_an_artifact_never_takes_the_place_of_a_folder_with_the_log(fitted: Path, config: Callable[..., Path], vitrina: Type) -> None:
    (fitted / "shop.csv").rename(fitted / "model" / "shop.csv")
    config(MODELS, head='[data]\nsource = "model/shop.csv"\nuser = "customer"\nitem = "sku"\ntime = "bought_at"\n\n')
    told = vitrina("fit", "vitrina.toml", "--model", "popular", "--out", "model", "--force")
    assert told.exit_code == 2
    assert (fitted / "model" / "shop.csv").exists()


def test_notes_beside_an_artifact_are_not_lost(fitted: Path, vitrina: Type) -> None:
    (fitted / "model" / "notes.txt").write_text("ask Ann")
    told = vitrina("fit", "vitrina.toml", "--model", "popular", "--out", "model")
    assert told.exit_code == 2
    assert "notes.txt" in told.stderr
    assert (fitted / "model" / "notes.txt").read_text() == "ask Ann"


@pytest.mark.parametrize(("command", "file"), [("compare", "report.html"), ("compare", "board.json"), ("diagnose", "diagnosis.html")])
def test_a_report_of_somebody_else_stays(fitted: Path, vitrina: Type, command: str, file: str) -> None:
    (fitted / "results").mkdir()
    (fitted / "results" / file).write_text("{}")
    told = vitrina(command, "vitrina.toml")
    assert told.exit_code == 2
    assert "--force" in told.stderr
    assert (fitted / "results" / file).read_text() == "{}"


def test_results_replace_results(fitted: Path, vitrina: Type) -> None:
    assert [vitrina("compare", "vitrina.toml").exit_code for _ in range(2)] == [0, 0]
