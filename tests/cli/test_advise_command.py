"""`vitrina advise` as somebody types it who has never seen it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import vitrina as vt

Type = Callable[..., Any]
NAMES = ("--user", "customer", "--item", "sku", "--time", "bought_at")


def test_it_says_which_models_fit(shop: Path, vitrina: Type) -> None:
    named, found = vitrina("advise", "shop.csv", *NAMES), vitrina("advise", "shop.csv")
    assert named.exit_code == found.exit_code == 0
    assert "120 people" in named.stdout
    assert "Cooccurrence()" in named.stdout
    assert "--user customer --item sku --time bought_at" in found.stderr
    assert sorted(p.name for p in shop.iterdir()) == sorted({p.name for p in shop.iterdir()} - {"vitrina.toml"})


def test_json_and_wishes(shop: Path, vitrina: Type) -> None:
    told = json.loads(vitrina("advise", "shop.csv", *NAMES, "--memory", "500MB", "--minutes", "2", "--json").stdout)
    assert told["memory"] == 5e8
    assert told["minutes"] == 2
    assert {row["name"]: row["fits"] for row in told["estimates"]}["EASE"] == "yes"
    assert told["size"]["users"] == 120


def test_an_ingested_log_is_named_by_its_folder(shop: Path, vitrina: Type) -> None:
    assert vitrina("ingest", "shop.csv", *NAMES, "--out", "log").exit_code == 0
    whole, shards = (json.loads(vitrina("advise", *where, "--json").stdout) for where in (("shop.csv", *NAMES), ("log",)))
    assert shards["size"] == whole["size"]


def test_mistakes_are_said_in_a_sentence(shop: Path, vitrina: Type) -> None:
    typo = vitrina("advise", "shop.csv", "--user", "custmer")
    assert typo.exit_code == 2
    assert "customer" in typo.stderr
    pl.read_csv(shop / "shop.csv").head(0).write_csv("empty.csv")
    for mistake, said in (
        (("advise", "empty.csv", *NAMES), "empty.csv"), (("advise", "nowhere.csv"), "nowhere.csv"), (("advise", "shop.csv", *NAMES, "--memory", "8"), "such as 8GB"),
        (("advise", "shop.csv", *NAMES, "--minutes", "-1"), "above 0"),
    ):  # fmt: skip
        told = vitrina(*mistake)
        assert told.exit_code == 2, mistake
        assert said in told.stderr
        assert "Traceback" not in told.stderr


def test_a_fit_goes_on_from_an_artifact(shop: Path, vitrina: Type) -> None:
    whole = pl.read_csv(shop / "shop.csv").sort("bought_at")
    whole.filter(pl.col("bought_at") < whole["bought_at"][-50]).write_csv("shop.csv")
    assert vitrina("init", "shop.csv", *NAMES).exit_code == 0
    config = Path("vitrina.toml")
    config.write_text(config.read_text() + '\n[models.pairs]\ntype = "Cooccurrence"\nkeep_pairs = true\n')
    assert vitrina("fit", "vitrina.toml", "--model", "pairs", "--out", "model").exit_code == 0
    whole.write_csv("shop.csv")
    on = vitrina("fit", "vitrina.toml", "--model", "pairs", "--out", "model", "--start", "model")
    assert on.exit_code == 0, on.stderr
    assert vitrina("fit", "vitrina.toml", "--model", "pairs", "--out", "again").exit_code == 0
    got, wanted = (vt.load(folder).recommender.weight_from_to for folder in ("model", "again"))
    assert (got != wanted).nnz == 0
    whole.tail(whole.height - 1).write_csv("shop.csv")
    late = vitrina("fit", "vitrina.toml", "--model", "pairs", "--out", "model", "--start", "model")
    assert late.exit_code == 2
    assert "Leave 'start' out" in late.stderr
