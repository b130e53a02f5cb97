"""Tables that a file of a search or of a judge names: each column by its role, and what is wrong said with its rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from vitrina.base.errors import DataError
from vitrina.cli import build
from vitrina.cli.toml import Keys, TomlFile

if TYPE_CHECKING:
    from vitrina.data.columns import Column
    from vitrina.data.read.sources import Source

Role = Literal["id", "text", "number"]


def located_path(file: TomlFile, keys: Keys, given: str | list[str]) -> list[str]:
    """The paths of a section as they are from anywhere.

    Raises:
        DataError: there is no such file; a glob is left to the reader.
    """
    found = []
    for path in [given] if isinstance(given, str) else given:
        whole = (file.folder / Path(path).expanduser()).resolve()
        if not any(c in path for c in "*?[") and not whole.exists():
            raise DataError(f"{file.where(keys)}: there is no file {path}. {near(whole)}Paths are relative to the config.")
        found.append(str(whole))
    return found


def read_roles(file: TomlFile, keys: Keys, paths: list[str], roles: Mapping[str, tuple[str, Role]]) -> pl.DataFrame:
    """A table with a column per role.

    Args:
        keys: the section of the file, for errors.
        roles: role -> the column, and what it holds: ids, text (null where it is empty), or numbers.

    Raises:
        DataError: a column is missing, or a row can't be used; names the rows.
    """
    from vitrina.data.read.sources import find_sources
    from vitrina.policy.reading import Ids, Numbers, Wanted, read_columns

    ids: dict[str, Ids] = {role: Ids() for role, (_, kind) in roles.items() if kind == "id"}
    readers: dict[str, Any] = {"text": _texts}
    wanted = {
        role: Wanted(role, column, ids[role] if kind == "id" else readers[kind] if kind in readers else Numbers(role))
        for role, (column, kind) in roles.items()
    }
    with build.located(file, keys):
        read = read_columns(find_sources(paths, f"the table of [{keys[0]}]"), wanted)
    return pl.DataFrame([values.alias(role) for role, values in read.values.items()])


def _texts(column: pl.Series, name: str, source: Source) -> Column:
    """Any column as text, null where there is none."""
    from vitrina.data.columns import Column
    from vitrina.rerank.rules.conditions import texts_of

    lists = isinstance(column.dtype, pl.List)
    text = column.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True) if lists else texts_of(column)
    text = text.str.strip_chars()
    return Column(text.set((text == "").fill_null(value=False), None), [])


def near(path: Path) -> str:
    """A sentence on files of its folder that are called about so; empty where there are none."""
    from difflib import get_close_matches

    found = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=2) if path.parent.is_dir() else []
    return f"Its folder has {' and '.join(map(repr, found))}. " if found else ""
