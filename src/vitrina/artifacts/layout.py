"""What writing and reading an artifact agree on: where things are, and what they are called.

manifest.json             what it is, what made it, and what it is made of
items.parquet             ids of the items
item_table.parquet        what is known of them, where the log had a table
catalogue/*.npy           what may be recommended
config.json               `State.config`
parameters/*.npy          `State.arrays`
files/*                   `State.files`
onnx/*                    graphs of a sequence model, where they were asked for
children/<name>/...       the same for what the recommender is made of; ids and catalogue only where they are others than above
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vitrina.base.errors import ArtifactError
from vitrina.base.exports import member_of
from vitrina.forms import BlendedLists, Form
from vitrina.ranking import RankedLists
from vitrina.rerank import RerankedLists

FORMAT = 2
KIND = "vitrina.artifact"
MANIFEST, CONFIG, ITEMS, ITEM_TABLE = "manifest.json", "config.json", "items.parquet", "item_table.parquet"
CATALOGUE, PARAMETERS, FILES, CHILDREN, ONNX = "catalogue", "parameters", "files", "children", "onnx"
SHARED = "as above"  # ids or a catalogue that are those of what the child is in
FITTED = (
    "vitrina.forms",
    "vitrina.rerank",
    "vitrina.ranking",
    "vitrina.search",
    "vitrina.policy.saved",
    "vitrina.sequence",
)  # packages that export fitted classes; the last needs torch


def exported_name(fitted: Any) -> str | None:
    """The name by which Vitrina exports the class of a fitted thing; None where it doesn't."""
    cls = type(fitted)
    return cls.__name__ if member_of(FITTED, cls.__name__) is cls else None


def knows_model(fitted: Any) -> bool:
    """Whether a fitted thing has in `model` the config that it was fitted by; in what others fitted the name may mean anything."""
    return isinstance(fitted, Form | RerankedLists | BlendedLists | RankedLists)


def check_names(names: Iterable[str], what: str) -> None:
    """Refuse names that are no file names.

    Raises:
        ArtifactError: one has another character than letters, digits, dots, dashes and underscores, or begins with a dot.
    """
    for name in names:
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise ArtifactError(f"The {what} of an artifact are named with letters, digits, '.', '-' and '_'. Got {name!r}.")


def files_in(folder: Path) -> set[str]:
    """Every file below a folder, by its path in it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that people can read; what JSON doesn't have is its text."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
