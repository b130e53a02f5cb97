"""Where a command may write: never over what it reads, and over a file of somebody else only when told so."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from vitrina.base.config import title_of
from vitrina.base.errors import ParameterError
from vitrina.cli.log import DEMO

COLUMNS = (  # of the tables that Vitrina writes: lists, values of single queries, bad rows, arms, labels of a judge
    {"rank", "score", "source"},
    {"model", "query", "user"},
    {"file", "row", "line", "reason", "text"},
    {"arm", "propensity"},
    {"label", "reason", "judge"},
    {"item", "day", "mean", "q05"},  # of a plan, as are the next ones
    {"item", "order", "packs", "why"},
    {"in_stock", "margin", "expiring", "value"},
    {"item", "profit", "storage", "write_offs"},
    {"item", "elasticity", "own", "base"},
    {"item", "price", "today", "difference"},
    {"name", "expected", "goal", "met"},
)
PLAN = "vitrina.plan"  # what the numbers of a plan say that they are
LISTS = "vitrina.lists"  # what the manifest of a folder of lists says that it is
NUMBERS = ({"primary", "entries"}, {"systems", "pairs", "metric"})  # keys of boards
WRITTEN = "# Written by Vitrina"  # the first words of a TOML
MARK = 'content="Vitrina'  # of the generator, in the head of a page
REPORT = ("report.html", "board.json", "per_query.parquet", "bad_rows.csv")
QUALITY = ("quality.html", "quality.json")


def check_file(path: Path, read: Mapping[str, Any], *also: str | Path | None, force: bool = False) -> None:
    """Refuse to write over what is read, and over a file that Vitrina didn't write.

    Args:
        path: what would be written.
        read: arguments of `read_interactions`, with the paths of the log and its tables.
        also: other files that the command reads.
        force: allow a file that somebody else wrote.

    Raises:
        ParameterError: says which file it is, and what to do.
    """
    for file in inputs(read, *also):
        if _same(path, file) or (file.is_dir() and file.resolve() in path.resolve().parents):
            raise ParameterError(
                f"{path} is {'in ' * (not _same(path, file))}what this command reads, and writing there would destroy it. Name another file."
            )
    if path.is_file() and not force and not _ours(path):
        raise ParameterError(f"{path} exists and was not written by Vitrina. Overwrite it with --force, or name another file.")


def check_folder(folder: Path, names: Iterable[str], read: Mapping[str, Any], *, force: bool = False) -> None:
    """The same for files of these names in a folder."""
    for name in names:
        check_file(folder / name, read, force=force)


def check_artifact(folder: Path, model: str, read: Mapping[str, Any], *, force: bool = False) -> None:
    """Refuse to replace a folder that holds what is read, and an artifact of another model unless `force`.

    Args:
        model: the name of the model's class.
    """
    for file in inputs(read):
        if _same(folder, file) or folder.resolve() in file.resolve().parents:
            raise ParameterError(f"The folder {folder} holds {file}, which this command reads, and would be replaced. Name another folder.")
        if file.is_dir() and file.resolve() in folder.resolve().parents:
            raise ParameterError(f"The folder {folder} is in {file}, which this command reads. Name another folder.")
    before = _model_of(folder)
    if before not in (None, model) and not force:
        raise ParameterError(
            f"{folder} holds an artifact of another model, {before} and not {model}. Replace it with --force, or name another folder."
        )


def check_lists(folder: Path, read: Mapping[str, Any], *also: str | Path | None, force: bool = False) -> None:
    """Refuse to replace a folder that is or holds what is read, and one that has no lists of ours unless `force`."""
    for file in inputs(read, *also):
        if _same(folder, file) or folder.resolve() in file.resolve().parents:
            raise ParameterError(
                f"The folder {folder} is or holds {file}, which this command reads, and would be replaced. Name another folder."
            )
    ours = _kind_of(folder) == LISTS
    if folder.exists() and not ours and not force and (folder.is_file() or any(folder.iterdir())):
        raise ParameterError(f"{folder} exists and has no lists that Vitrina wrote. Replace it with --force, or name another folder.")


def inputs(read: Mapping[str, Any], *also: str | Path | None) -> Iterator[Path]:
    """Every file behind the log, its tables and `also`; globs as the files that they stand for."""
    for given in (read.get("source"), read.get("items"), read.get("users"), *also):
        for one in given if isinstance(given, (list, tuple)) else [given]:
            if one is None or (isinstance(one, str) and (one == "-" or one.startswith(DEMO))):
                continue
            path = Path(one).expanduser()
            yield from [path] if path.exists() else map(Path, glob.glob(str(path), recursive=True))


def _same(path: Path, other: Path) -> bool:
    """One file, also by a link."""
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


def _ours(path: Path) -> bool:
    """Whether a file looks like what Vitrina writes."""
    try:
        if path.suffix == ".html":
            return MARK in path.read_text(encoding="utf-8", errors="replace")[:2000] or _ours(path.with_name("board.json"))
        if path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            return any(wanted <= set(content) for wanted in NUMBERS) or content.get("kind") == PLAN
        if path.suffix == ".toml":
            return path.read_text(encoding="utf-8").startswith(WRITTEN)
        columns = pl.read_parquet_schema(path) if path.suffix == ".parquet" else pl.read_csv(path, n_rows=0).columns
    except (OSError, ValueError, TypeError, pl.exceptions.PolarsError):
        return False
    return any(wanted <= set(columns) for wanted in COLUMNS)


def _kind_of(folder: Path) -> str | None:
    """What the manifest of a folder says that it is."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError):
        return None


def _model_of(folder: Path) -> str | None:
    """The class of the model whose artifact a folder is; None where it is none."""
    try:
        return title_of(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tables_of(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The paths of the log and the tables that a model was fitted on, whatever log its histories come from now."""
    kept = manifest.get("source")
    read = kept.get("read", {}) if isinstance(kept, Mapping) else {}
    for key in ("source", "items", "users"):
        given = read.get(key)
        yield from given if isinstance(given, list) else [given] if given else []
