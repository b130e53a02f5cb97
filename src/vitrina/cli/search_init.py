"""The file of a search, written from what a table of items seems to hold."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitrina.base.errors import DataError, ParameterError
from vitrina.cli import console, outputs
from vitrina.cli.tables import near

if TYPE_CHECKING:
    from vitrina.cli.search_guess import Guess

FILE = "search.toml"
TEXT = """# Every key is described in docs/search-file.md; a wrong one is refused with its line. Paths are relative to this file.
[items]
path = {path}
id = {id}
{title}
[index]
columns = {columns}   # those that are searched in, and how often each counts
language = {language}
# encoder = "Packaged"   # finds by meaning, too (extra `encoder`, English); a core reads some 3,000 tokens per second

# [hybrid]               # how words and vectors become one list
# fusion = "RRF"

# [repair]               # typing errors are mended, rare words are given up where nothing has all; synonyms and pins are files
# synonyms = "synonyms.txt"
# pins = "pins.csv"

# [judged]               # what people judged, for: vitrina search evaluate {name}
# qrels = "judged.csv"

[report]
out = {out}
"""


def write(table: Path, file: Path, id: str | None, columns: Sequence[str] | None, *, force: bool, out: str = "vitrina-search") -> Guess:
    """The file for a table.

    Raises:
        ParameterError: the file is there, and says something else.
        DataError: the table can't be read, or says too little of itself.
    """
    from vitrina.base.errors import UnknownNameError
    from vitrina.base.files import write_text
    from vitrina.cli.search_guess import guess
    from vitrina.data.read.sources import AS_FOUND
    from vitrina.data.read.tables import read_table

    with console.working("Looking at the items"):
        label, frame, _ = read_table(str(table), "items", AS_FOUND)
        for name in [*([id] if id else []), *(columns or [])]:
            if name not in frame.columns:
                raise UnknownNameError.of(f"column of {label}", name, frame.columns)
        found = guess(frame, id, columns)
    outputs.check_file(file, {"source": str(table)}, force=True)
    text = _text(found, Path(os.path.relpath(table.expanduser(), file.parent)).as_posix(), file.name, out)
    if file.exists() and not force and file.read_text(encoding="utf-8") != text:  # somebody's own words
        raise ParameterError(
            f"{file} exists already, and says something else. Build from it with: vitrina search build {file}; or overwrite it with --force."
        )
    write_text(file, text)
    return found


def _text(found: Guess, path: str, name: str, out: str) -> str:
    weights = ", ".join(f"{_key(column)} = {weight}" for column, weight in found.columns.items())
    language = found.language[0] if len(found.language) == 1 else list(found.language)
    title = f"title = {_value(found.title)}\n" if found.title else ""
    return TEXT.format(
        path=_value(path), id=_value(found.id), title=title, columns=f"{{{weights}}}", language=_value(language), name=name, out=_value(out)
    )


def config_of(given: Path, out: Path | None, id: str | None, columns: Sequence[str] | None, *, force: bool) -> tuple[Path, Path | None]:
    """The file of a search, which is written first where a table of items is given; and the folder of the results.

    Raises:
        ParameterError: columns are named, and a file that names them too.
    """
    if given.suffix == ".toml":
        if id is not None or columns:
            raise ParameterError(f"{given} says which columns there are. Change it there, or give the table in its place.")
        return given, out
    if not given.exists():
        raise DataError(
            f"There is no file {given}. {near(given)}Give a table of items, or a config: vitrina search init goods.csv writes one."
        )
    folder = out or Path("vitrina-search")
    found = write(given, folder / FILE, id, columns, force=force, out=".")
    console.note(f"{found} To change that, edit {folder / FILE} and build from it.")
    return folder / FILE, None


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
