"""A shop's log under names of its own, and a way to type commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from vitrina.cli.main import app
from vitrina.testing import synthetic

HEAD = '[data]\nsource = "shop.csv"\nuser = "customer"\nitem = "sku"\ntime = "bought_at"\n\n'


def write_shop(folder: Path) -> None:
    """shop.csv with customer, sku, bought_at, amount; goods.csv with sku, title."""
    data = synthetic(users=120, items=24, mean_length=8, groups=4)
    names = {"user_id": "customer", "item_id": "sku", "timestamp": "bought_at", "value": "amount"}
    data.frame().sample(fraction=1, shuffle=True, seed=1).rename(names).write_csv(folder / "shop.csv")
    assert data.item_table is not None
    pl.DataFrame({"sku": data.items.ids, "title": data.item_table.frame["title"]}).write_csv(folder / "goods.csv")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vitrina(one_process: None) -> Callable[..., Any]:
    """Type a command, which runs in this process; returns what the runner saw."""
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture
def config(shop: Path) -> Callable[[str], Path]:
    """Write vitrina.toml with this text after the data section."""

    def write(text: str, head: str = HEAD) -> Path:
        (shop / "vitrina.toml").write_text(head + text)
        return shop / "vitrina.toml"

    return write
