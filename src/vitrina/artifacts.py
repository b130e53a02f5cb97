"""Artifacts: a fitted recommender as a folder that another process, or another year, can read and trust.

A folder holds `manifest.json` (what it is, what made it, a sha256 of each file), parameters as `.npy` files that are memory-mapped
when read, and ids with titles as Parquet. Nothing in it is code. It is written beside, flushed and renamed.
"""

from __future__ import annotations

import importlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

import vitrina
from vitrina.base.config import to_plain
from vitrina.base.errors import ArtifactError
from vitrina.base.files import atomic_folder, sha256_of
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.forms.base import Form
from vitrina.protocols import Recommender
from vitrina.vocabulary import Vocabulary

FORMAT = 1
KIND = "vitrina.artifact"
MANIFEST = "manifest.json"

FORMS: Mapping[str, str] = {  # the one table: the name in a manifest, and the module that holds the class of that name
    "Embeddings": "vitrina.forms.embeddings",
    "Encoded": "vitrina.sequence.recommender",
    "ItemMap": "vitrina.forms.itemmap",
    "Neighbours": "vitrina.forms.neighbours",
    "Personal": "vitrina.forms.personal",
    "Shuffled": "vitrina.forms.shuffled",
    "Static": "vitrina.forms.static",
}


@final
@dataclass(frozen=True, eq=False, repr=False)
class Artifact:
    """A recommender read from a folder, and what the folder says of it.

    Args:
        recommender: answers queries; its large arrays are mapped from the files, not read.
        manifest: model config, fingerprints, metrics at fit time, versions; see the file.
        titles: (items,) names to show, or None where the log had none.
    """

    recommender: Recommender
    manifest: Mapping[str, Any]
    titles: pl.Series | None = None

    def __repr__(self) -> str:
        name = (self.manifest.get("model") or {}).get("name", "a model")
        return f"Artifact({name} of {self.manifest.get('created', 'an unknown day')[:10]}: {self.recommender!r})"

    def __getattr__(self, name: str) -> Any:
        """Say where the methods of the model are."""
        if name.startswith("_") or not hasattr(self.recommender, name):
            raise AttributeError(f"An Artifact has no {name!r}.", name=name, obj=self)
        raise AttributeError(f"An Artifact holds the fitted model: artifact.recommender.{name}.", name=name, obj=self)

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the items."""
        return self.recommender.vocabulary

    def names(self, codes: NDArray[Any]) -> list[str]:
        """Titles of items where there are any, ids otherwise."""
        ids = self.vocabulary.decode(codes).cast(pl.String).to_list()
        if self.titles is None:
            return ids
        return [title or item for title, item in zip(self.titles.gather(np.asarray(codes, np.uint32)), ids, strict=True)]


def save(
    recommender: Recommender,
    folder: str | Path,
    *,
    model: Any = None,
    data: Dataset | None = None,
    metrics: Mapping[str, float] | None = None,
    source: Any = None,
) -> Path:
    """Write a fitted recommender as an artifact; an old artifact in that place is replaced in one step.

    Args:
        recommender: what `fit` returned; one of the fitted forms.
        folder: where; made if missing. A folder that holds something else is refused.
        model: the config that was fitted, kept as plain values; None takes the one that the recommender knows (null where it knows none).
        data: the log it was fitted on: its sizes and fingerprint are kept, and its titles in place of those that the recommender knows.
        metrics: numbers of the comparison that chose this model.
        source: where the log can be read again (a path, or a record of path and columns), in plain values.

    Raises:
        ArtifactError: the recommender is not one of the fitted forms, or the folder holds something that is not an artifact.

    >>> import tempfile, vitrina as vt
    >>> data, model = vt.testing.toy(), vt.Popularity()
    >>> folder = vt.save(model.fit(data), tempfile.mkdtemp() + "/popular")
    >>> vt.load(folder).manifest["model"]["name"]
    'Popularity'
    """
    folder, form = Path(folder), _form_of(recommender)
    _refuse_foreign(folder)
    with atomic_folder(folder) as staging:
        _write_arrays(staging / "parameters", form.arrays())
        _write_arrays(staging / "catalogue", form.catalogue.arrays())
        _items_table(form, data).write_parquet(staging / "items.parquet")
        files = {path.relative_to(staging).as_posix(): sha256_of(path) for path in sorted(staging.rglob("*")) if path.is_file()}
        manifest = _manifest(form, form.model if model is None else model, data, metrics, source) | {"files": files}
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return folder


def load(folder: str | Path) -> Artifact:
    """Read an artifact; every file is checked against the manifest first.

    Raises:
        ArtifactError: the folder is not an artifact, is of a newer format, or a file is missing or changed.

    Cost: one pass over the files for the checksums; the parameters are memory-mapped after it.

    >>> import tempfile, vitrina as vt
    >>> data, model = vt.testing.toy(), vt.Popularity()
    >>> artifact = vt.load(vt.save(model.fit(data), tempfile.mkdtemp() + "/popular", data=data))
    >>> answer = artifact.recommender.recommend(vt.Queries.of_histories(artifact.vocabulary, [["tea"]]), k=2)
    >>> artifact.names(answer.items[0])
    ['Whole milk', 'Plum jam']
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    _check_files(folder, manifest)
    try:
        table = pl.read_parquet(folder / "items.parquet")
        vocabulary = Vocabulary(table["id"])
        catalogue = Catalogue.of_arrays(_read_arrays(folder / "catalogue"))
        form = _form_class(manifest["form"], folder).of_arrays(vocabulary, catalogue, _read_arrays(folder / "parameters"))
    except (KeyError, ValueError, OSError, TypeError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"The artifact in {folder} can't be read: {error}. Save it again from the fitted model.") from error
    _check_vocabulary(folder, vocabulary, manifest)
    titles = table["title"] if "title" in table.columns else None
    form = replace(form, model=manifest.get("model"), titles=titles, notes=tuple(manifest.get("notes", ())))
    return Artifact(form, manifest, titles)


def _manifest(form: Form, model: Any, data: Dataset | None, metrics: Mapping[str, float] | None, source: Any) -> dict[str, Any]:
    return {
        "kind": KIND,
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "form": type(form).__name__,
        "model": to_plain(model),
        "notes": list(form.notes),
        "vocabulary": {"items": len(form.vocabulary), "fingerprint": form.vocabulary.fingerprint()},
        "data": None if data is None else _data_record(data),
        "source": str(source) if isinstance(source, Path) else to_plain(source),
        "metrics": dict(metrics or {}),
        "versions": {
            "vitrina": vitrina.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "polars": pl.__version__,
        },
    }


def _data_record(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "events": data.n_events,
        "users": data.n_users,
        "items": len(data.catalogue.items),
        "repeat": getattr(data.rule, "repeat", None),
    }


def _items_table(form: Form, data: Dataset | None) -> pl.DataFrame:
    """Ids and, where the log or the recommender knows them, titles."""
    table = pl.DataFrame({"id": form.vocabulary.ids})
    titles = None if data is None or data.item_table is None else data.item_table.title_column
    if data is not None and titles is not None:
        data.items.require_compatible(form.vocabulary, "item titles")
    titles = form.titles if titles is None else titles
    if titles is None:
        return table
    missing = max(len(table) - len(titles), 0)
    return table.with_columns(titles.head(len(table)).extend_constant(None, missing).alias("title"))


def _form_of(recommender: Recommender) -> Form:
    name = type(recommender).__name__
    if FORMS.get(name) != type(recommender).__module__:
        unfitted = f" Fit it first: vt.save({name}(...).fit(data), folder)." if hasattr(recommender, "fit") else ""
        raise ArtifactError(f"What is saved is a fitted model, one of the forms {', '.join(FORMS)}. Got {name}.{unfitted}")
    return cast(Form, recommender)


def _form_class(name: str, folder: Path) -> type[Form]:
    if name not in FORMS:
        raise ArtifactError(
            f"The artifact in {folder} is of the form {name!r}, which this version doesn't know. Known: {', '.join(FORMS)}."
        )
    return getattr(importlib.import_module(FORMS[name]), name)


def _write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def _read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    return {path.stem: _read_array(path) for path in sorted(folder.glob("*.npy"))}


def _read_array(path: Path) -> NDArray[Any]:
    """Mapped where it pays: an empty array can't be mapped, and a small one is faster to read."""
    large = path.stat().st_size > 1 << 16
    return np.asarray(np.load(path, mmap_mode="r" if large else None, allow_pickle=False))


def _refuse_foreign(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not _is_artifact(folder):
        raise ArtifactError(f"The folder {folder} holds something that is not an artifact of Vitrina. Choose another folder, or empty it.")
    strange = _strange_files(folder)
    if strange:
        raise ArtifactError(
            f"The folder {folder} holds {strange[0]}, which is no part of the artifact in it and would be lost. Move it first."
        )
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"The path {folder} is a file, and an artifact is a folder. Choose another path.")


def _strange_files(folder: Path) -> list[str]:
    """Files in an artifact's folder that its manifest doesn't name."""
    try:
        named = {MANIFEST, *json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted({path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - named)


def _is_artifact(folder: Path) -> bool:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["kind"] == KIND
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.exists():
        raise ArtifactError(f"There is no folder {folder} (looked from {Path.cwd()}). Name the one that vitrina fit wrote.")
    if not path.is_file():
        raise ArtifactError(f"{folder} is not an artifact of Vitrina: it has no {MANIFEST}. Make one with vitrina fit.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"The {path} is damaged: {error}. Save the model again.") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise ArtifactError(f"The {path} is not of an artifact of Vitrina. Make one with vitrina fit.")
    version = manifest.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise ArtifactError(
            f"The artifact in {folder} has format {version}, and this version of Vitrina ({vitrina.__version__}) reads up to {FORMAT}. "
            "Upgrade Vitrina, or fit the model again."
        )
    missing = {"form", "files", "vocabulary"} - set(manifest)
    if missing:
        raise ArtifactError(f"The {path} is damaged: it has no {', '.join(sorted(missing))}. Save the model again.")
    return manifest


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    named = manifest["files"]
    if not isinstance(named, dict):
        raise ArtifactError(f"The {folder / MANIFEST} is damaged: its files are no table of names and checksums. Save the model again.")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name, digest in named.items():
        if name not in found:
            raise ArtifactError(f"The artifact in {folder} is damaged: {name} is missing. Copy the whole folder again.")
        if sha256_of(folder / name) != digest:
            raise ArtifactError(f"The artifact in {folder} is damaged: {name} is not the file that was saved. Copy the whole folder again.")
    strange = sorted(name for name in found - set(named) if name.endswith(".npy"))
    if strange:
        raise ArtifactError(f"The artifact in {folder} holds {strange[0]}, which its manifest doesn't know. Copy the whole folder again.")


def _check_vocabulary(folder: Path, vocabulary: Vocabulary, manifest: Mapping[str, Any]) -> None:
    if vocabulary.fingerprint() != manifest["vocabulary"]["fingerprint"]:
        raise ArtifactError(f"The artifact in {folder} is damaged: its item ids are not those of its manifest. Save the model again.")
