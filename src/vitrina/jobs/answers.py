"""What a fit leaves: its lists, the lists before they were ranked again, and the tables of what the model knows about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from vitrina.base.files import atomic_folder
from vitrina.types import Int64, Recommendations
from vitrina.vocabulary import Vocabulary

FORM = 2  # of these files, part of the key of finished work: raise it when they are written otherwise
NAMES, ROWS = "names.json", "rows.npy"
NAMED = {"source": "sources", "reasons": "reason_names"}  # columns that a board shows, and what has the names of their values


@dataclass(frozen=True, eq=False)
class Before:
    """The lists of some queries as the model gave them, before a re-ranker.

    Args:
        rows: (asked,) which queries, in their order.
        lists: a list for each.
    """

    rows: Int64
    lists: Recommendations


def write_lists(lists: Recommendations, folder: Path, rows: Int64 | None = None) -> None:
    """Items, scores, sources and reasons; `rows` says which queries they are of, where not of all."""
    arrays = {"items": lists.items.astype(np.int32, copy=False), "scores": lists.scores.astype(np.float32, copy=False)}
    arrays |= {name: lists.extra[name] for name in NAMED if name in lists.extra}
    with atomic_folder(folder) as staging:
        for name, array in arrays.items():
            np.save(staging / f"{name}.npy", array, allow_pickle=False)
        if rows is not None:
            np.save(staging / ROWS, rows, allow_pickle=False)
        (staging / NAMES).write_text(json.dumps({field: getattr(lists, field) for field in NAMED.values()}), encoding="utf-8")


def read_lists(folder: Path, vocabulary: Vocabulary) -> Recommendations:
    """The lists that `write_lists` left, with items of `vocabulary`."""
    names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    arrays = {name: _array(folder / f"{name}.npy") for name in ("items", "scores", *NAMED) if (folder / f"{name}.npy").exists()}
    return Recommendations(
        arrays.pop("items"), arrays.pop("scores"), vocabulary, arrays,
        sources=tuple(names["sources"]), reason_names=tuple(names["reason_names"]),
    )  # fmt: skip


def read_before(folder: Path, vocabulary: Vocabulary) -> Before | None:
    """The same of some queries; None where there is no such folder."""
    return Before(_array(folder / ROWS), read_lists(folder, vocabulary)) if folder.exists() else None


def _array(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """A Parquet file per table; names may hold what no file name does, so files are numbered."""
    with atomic_folder(folder) as staging:
        for number, table in enumerate(tables.values()):
            table.write_parquet(staging / f"{number}.parquet")
        (staging / NAMES).write_text(json.dumps(list(tables)), encoding="utf-8")


def read_tables(folder: Path) -> dict[str, pl.DataFrame]:
    """The tables that `write_tables` left, by name."""
    names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    return {name: pl.read_parquet(folder / f"{number}.parquet") for number, name in enumerate(names)}
