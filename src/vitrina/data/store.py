"""Datasets and splits in folders that many processes open at once: arrays are mapped from the disk, not read.

A folder holds `.npy` arrays, Parquet vocabularies and tables, and one JSON file, which is written last. Of a log over shards it says how the shards are
made (`vitrina.data.recipe`), and copies none. These folders pass data between processes and cache it; what is kept for long is an artifact
(`vitrina.artifacts`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import ArtifactError, ParameterError, UnknownNameError
from vitrina.base.files import atomic_folder
from vitrina.data.dataset import Dataset, Step
from vitrina.data.features import FeatureTable
from vitrina.data.recipe import Recipe
from vitrina.data.sharded import Sharded
from vitrina.data.split import Rule, Split
from vitrina.data.versions import Versions
from vitrina.grades import Grades
from vitrina.types import Eligibility, Events, Queries, Ragged
from vitrina.vocabulary import Vocabulary

FORMAT = 1
PARTS, PEOPLE = "parts", "people.parquet"  # what a log over shards is made of; who is asked of it
COLUMNS = tuple(f.name for f in fields(Events))


def save_dataset(data: Dataset, folder: str | Path) -> None:
    """Write a Dataset to a folder, whole or not at all; an older one there is replaced.

    >>> import tempfile, vitrina as vt
    >>> with tempfile.TemporaryDirectory() as place:
    ...     save_dataset(vt.testing.toy(), place + "/toy")
    ...     open_dataset(place + "/toy")
    Dataset('toy': 20 events, 6 users, 4 items)
    """
    with atomic_folder(Path(folder)) as staging:
        _write_dataset(data, staging)


def open_dataset(folder: str | Path) -> Dataset:
    """Open a Dataset that `save_dataset` wrote. The arrays are mapped: opening costs the vocabularies and tables only.

    Raises:
        ArtifactError: there is no such folder, or it isn't a Dataset of this version.
    """
    return _read_dataset(Path(folder))


def save_split(split: Split, folder: str | Path) -> None:
    """Write a Split to a folder, whole or not at all; an older one there is replaced. A validation part with the same training part shares it."""
    with atomic_folder(Path(folder)) as staging:
        _write_dataset(split.train, staging / "train")
        _write_asked(split, staging)
        validation = split.validation
        if validation is not None:
            if validation.train is not split.train:
                _write_dataset(validation.train, staging / "validation" / "train")
            _write_asked(validation, staging / "validation")


def _write_asked(split: Split, folder: Path) -> None:
    """Everything of a split but its training and its validation part."""
    queries = split.queries
    shared = split.train.in_memory and queries.events is split.train.events
    if not shared:
        _write_arrays(folder / "queries", queries.events.columns())
    own = {"start": queries.start, "stop": queries.stop, "users": queries.users, "now": queries.now}
    _write_arrays(folder, {name: column for name, column in own.items() if column is not None} | _ragged("truth", split.truth))
    _write_arrays(folder, _items("include", split.eligible.include) | _items("exclude", split.eligible.exclude))
    if split.grades is not None:
        numbers = {"gain": split.grades.gains, **split.grades.more}
        own = {f"judged.{number}": column for number, column in enumerate(numbers.values())}
        _write_arrays(folder, _ragged("judged", split.grades.items) | own)
    if queries.context is not None:
        queries.context.write_parquet(folder / "context.parquet")
    if not split.train.in_memory and queries.people is not None:
        queries.people.ids.to_frame("id").write_parquet(folder / PEOPLE)
    asked = {name: column for name, column in (("text", queries.texts), ("request_id", queries.request_ids)) if column is not None}
    if asked:
        pl.DataFrame(asked).write_parquet(folder / "asked.parquet")
    _write_json(folder / "split.json", {
        "format": FORMAT, "shared_events": shared, "unknown": queries.unknown, "kind_names": queries.kind_names,
        "repeat": split.eligible.repeat, "seen_kinds": split.eligible.seen_kinds,
        "rule": to_plain(split.rule), "counts": split.counts, "warnings": split.warnings, "validation": split.validation is not None,
        "above": None if split.grades is None else split.grades.above, "judged": [] if split.grades is None else list(split.grades.more),
    })  # fmt: skip


def open_split(folder: str | Path) -> Split:
    """Open a Split that `save_split` wrote; its training part and its queries share their item vocabulary.

    Raises:
        ArtifactError: there is no such folder, or it isn't a Split of this version.
    """
    return _read_split(Path(folder), None)


def _read_split(folder: Path, shared_train: Dataset | None) -> Split:
    """A split; its training part is the shared one where the folder has none of its own."""
    meta = _read_json(folder / "split.json", "split")
    train = shared_train if shared_train is not None and not (folder / "train").exists() else _read_dataset(folder / "train")
    arrays = _read_arrays(folder)
    events = train.events if meta["shared_events"] else Events(**_read_arrays(folder / "queries"))
    context = folder / "context.parquet"
    asked = pl.read_parquet(folder / "asked.parquet") if (folder / "asked.parquet").exists() else pl.DataFrame()
    queries = Queries(
        events, arrays["start"], arrays["stop"], train.items, arrays["users"], arrays.get("now"),
        pl.read_parquet(context) if context.exists() else None, tuple(meta["kind_names"]), meta["unknown"], _people(folder, train),
        texts=asked.get_column("text", default=None), request_ids=asked.get_column("request_id", default=None),
    )  # fmt: skip
    seen_kinds = None if meta["seen_kinds"] is None else tuple(meta["seen_kinds"])
    eligible = Eligibility(_items_of("include", arrays), _items_of("exclude", arrays), meta["repeat"], seen_kinds)
    truth = Ragged(arrays["truth.indptr"], arrays["truth"])
    validation = _read_split(folder / "validation", train) if meta.get("validation") else None
    above, grades = meta.get("above"), None
    if above is not None:
        more = {name: arrays[f"judged.{number}"] for number, name in enumerate(meta["judged"], 1)}
        grades = Grades(Ragged(arrays["judged.indptr"], arrays["judged"]), arrays["judged.0"], above, more)
    return Split(train, queries, truth, eligible, _rule(meta["rule"]), meta["counts"], tuple(meta["warnings"]), validation, grades)


def _people(folder: Path, train: Dataset) -> Vocabulary | None:
    """Of the users' codes: those who are asked where the log has shards, else those of the log."""
    own = folder / PEOPLE
    return Vocabulary(pl.read_parquet(own).to_series()) if own.exists() else train.users if train.in_memory else None


def _write_dataset(data: Dataset, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = None
    if isinstance(data, Sharded):
        parts = Recipe(folder / PARTS, _write_dataset, _read_dataset).plain(data.parts)
    else:
        also = {} if data.also is None else {"also": data.also}
        _write_arrays(folder, {"indptr": data.indptr} | data.events.columns() | also)
        data.users.ids.to_frame("id").write_parquet(folder / "users_ids.parquet")
    data.items.ids.to_frame("id").write_parquet(folder / "items_ids.parquet")
    tables = {"item_table": data.item_table, "user_table": data.user_table}
    for name, table in tables.items():
        if table is not None:
            table.frame.write_parquet(folder / f"{name}.parquet")
            if table.versions is not None:
                table.versions.table().write_parquet(folder / f"{name}_versions.parquet")
    _write_json(folder / "dataset.json", {
        "format": FORMAT, "time_unit": data.time_unit, "kind_names": data.kind_names, "name": data.name, "shard_count": data.shard_count,
        "repeat": data.repeat, "first_user": data.first_user, "parts": parts,
        "steps": [asdict(step) for step in data.steps], "rule": to_plain(data.rule), "fingerprint": data.fingerprint,
        "tables": {name: {"kinds": dict(t.kinds), "title": t.title} for name, t in tables.items() if t is not None},
    })  # fmt: skip


def _read_dataset(folder: Path) -> Dataset:
    meta = _read_json(folder / "dataset.json", "dataset")
    tables: dict[str, Any] = {name: _table(folder, name, about) for name, about in meta["tables"].items()}
    about: dict[str, Any] = tables | {
        "items": _ids(folder, "items"), "time_unit": meta["time_unit"], "kind_names": tuple(meta["kind_names"]), "rule": _rule(meta["rule"]),
        "steps": tuple(Step(**step) for step in meta["steps"]), "name": meta["name"], "repeat": meta.get("repeat"),
    }  # fmt: skip
    if meta.get("parts") is not None:
        data: Dataset = Sharded(Recipe(folder / PARTS, _write_dataset, _read_dataset).made(meta["parts"]), about)
    else:
        arrays = _read_arrays(folder)
        indptr, also, users = arrays.pop("indptr"), arrays.pop("also", None), _ids(folder, "users")
        data = Dataset(
            Events(**arrays), indptr, users, also=also, shard_count=meta["shard_count"], first_user=meta.get("first_user", 0), **about
        )
    data.__dict__["fingerprint"] = meta["fingerprint"]  # the cached property: hashing would read the whole log
    return data


def _table(folder: Path, name: str, about: Mapping[str, Any]) -> FeatureTable:
    """A table of items or of users, with its versions where it has them."""
    kept = folder / f"{name}_versions.parquet"
    versions = Versions.of_table(pl.read_parquet(kept)) if kept.exists() else None
    return FeatureTable(pl.read_parquet(folder / f"{name}.parquet"), about["kinds"], about["title"], versions)


def _ids(folder: Path, name: str) -> Vocabulary:
    return Vocabulary(pl.read_parquet(folder / f"{name}_ids.parquet").to_series())


def _write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, column in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(column), allow_pickle=False)


def _read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    return {path.name.removesuffix(".npy"): _mapped(path) for path in sorted(folder.glob("*.npy"))}


def _mapped(path: Path) -> NDArray[Any]:
    """Copy-on-write and plain: kernels are compiled for writable arrays, and would compile again for read-only ones."""
    try:
        return np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)
    except (ValueError, OSError, EOFError) as error:
        raise ArtifactError(f"{path} is damaged: {error}. Write the folder again.") from None


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, default=_plain, indent=1), encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


def _read_json(path: Path, what: str) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path.parent} is no {what} folder: it has no {path.name}. Write it with save_{what}.") from None
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged: {error}. Write the folder again.") from None
    if meta.get("format") != FORMAT:
        raise ArtifactError(f"{path} has format {meta.get('format')!r}, and this version reads {FORMAT}. Write the folder again.")
    return meta


def _ragged(name: str, rows: Ragged) -> dict[str, NDArray[Any]]:
    return {name: rows.values, f"{name}.indptr": rows.indptr}


def _items(name: str, items: Any) -> dict[str, NDArray[Any]]:
    if items is None:
        return {}
    return _ragged(name, items) if isinstance(items, Ragged) else {name: np.asarray(items)}


def _items_of(name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if f"{name}.indptr" in arrays:
        return Ragged(arrays[f"{name}.indptr"], arrays[name])
    return arrays.get(name)


def _rule(plain: Mapping[str, Any] | None) -> Rule | None:
    """A rule from its `to_plain` form."""
    try:
        return from_plain(plain)
    except (UnknownNameError, ParameterError) as error:
        raise ArtifactError(f"The split rule of the folder can't be made again: {error} Write the folder again.") from error
