"""Every command, option and key of a config is documented, and the configs of the docs are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from vitrina.cli.config import Section, Settings, read_config
from vitrina.cli.main import app
from vitrina.cli.names import filters
from vitrina.testing import synthetic

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def section_of(command: str) -> str:
    found = re.search(rf"^## vitrina {command}\n(.*?)(?=^## |\Z)", (DOCS / "cli.md").read_text(), re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_and_its_options_are_documented(command: str) -> None:
    text = section_of(command) + section_of("options of the log")
    inner = getattr(COMMANDS[command], "commands", {})  # of a group, such as `vitrina rules preview`
    parameters = [p for one in (COMMANDS[command], *inner.values()) for p in one.params]
    options = [name for p in parameters for name in (*p.opts, *p.secondary_opts) if name.startswith("--")]
    assert [name for name in inner if f"vitrina {command} {name}" not in text] == []
    assert section_of(command)
    assert [name for name in options if f"`{name}" not in text and name != "--help"] == []


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "cli.md").read_text()
    assert all(f"| {code} |" in text for code in (0, 1, 2, 3, 4, 130))


def keys() -> list[str]:
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    inner = [f"{s}.{k}" for s, cls in sections.items() if isinstance(cls, type) and issubclass(cls, Section) for k in cls.model_fields]
    return [*sections, *inner]


@pytest.mark.parametrize("key", keys())
def test_a_key_is_documented(key: str) -> None:
    section, _, name = key.partition(".")
    found = re.search(rf"^## \[{section}.*?\]\n(.*?)(?=^## |\Z)", (DOCS / "config.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found
    assert not name or f"| `{name}` |" in found[1]


def test_every_filter_is_documented() -> None:
    assert [name for name in filters() if f"`{name}`" not in (DOCS / "config.md").read_text()] == []


def test_configs_of_the_docs_are_valid(tmp_path: Path) -> None:
    names = {"user_id": "customer", "item_id": "sku", "timestamp": "bought_at", "value": "amount"}
    synthetic(users=30, items=12).frame().rename(names).write_csv(tmp_path / "purchases.csv")
    (tmp_path / "goods.csv").write_text("sku,title\n")
    blocks = re.findall(r"^```toml\n(.*?)^```", (DOCS / "config.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        text = block if "[data]" in block else '[data]\nsource = "purchases.csv"\n' + block
        text = text if "[models" in text else text + "\n[models.EASE]\n"
        (tmp_path / "vitrina.toml").write_text(text)
        read_config(tmp_path / "vitrina.toml")
