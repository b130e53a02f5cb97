"""Reading an artifact."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

import vitrina
from vitrina.artifacts import check, format_1
from vitrina.artifacts.artifact import Artifact
from vitrina.artifacts.layout import (
    CATALOGUE,
    CHILDREN,
    CONFIG,
    FILES,
    FITTED,
    FORMAT,
    ITEM_TABLE,
    ITEMS,
    KIND,
    MANIFEST,
    ONNX,
    PARAMETERS,
    SHARED,
    check_names,
    files_in,
    knows_model,
)
from vitrina.base.config import from_plain
from vitrina.base.errors import ArtifactError
from vitrina.base.exports import class_at, member_of
from vitrina.base.files import sha256_of
from vitrina.base.printing import sentence_end
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.forms.event_codes import PARTS as PARTS_OF_EVENTS
from vitrina.forms.onnx_encoded import OnnxEncoded
from vitrina.vocabulary import Vocabulary

MAPPED = 1 << 16  # bytes: an empty array can't be mapped, and a small one is faster to read
DAMAGE = (KeyError, ValueError, OSError, TypeError, AttributeError, pl.exceptions.PolarsError)


def load(folder: str | Path, *, trust: bool = False, onnx: bool = False) -> Artifact:
    """Read an artifact. Every file is checked against the manifest first, and at the end the recommender, or the policy, is asked what it was asked when it
    was saved: it must answer the same, but for rounding.

    Args:
        folder: what `save` or `vitrina fit` wrote.
        trust: allow classes that are not Vitrina's own; this imports their modules and so runs their code.
        onnx: let sequence models answer by the ONNX graphs that they were saved with, where there are any, so that PyTorch isn't needed. Such a model
            can't be saved again, or gone on from.

    Raises:
        ArtifactError: the folder is not an artifact, is of a newer format, a file is missing or changed, it answers otherwise than it did, or
            it names a class of somebody's own and is not trusted.
        MissingExtraError: a package that it needs isn't installed.

    Cost: one pass over the files for the checksums, and one query; the parameters are memory-mapped.

    >>> import tempfile, vitrina as vt
    >>> data, model = vt.testing.toy(), vt.Popularity()
    >>> artifact = vt.load(vt.save(model.fit(data), tempfile.mkdtemp() + "/popular", data=data))
    >>> answer = artifact.recommender.recommend(vt.Queries.of_histories(artifact.vocabulary, [["tea"]]), k=2)
    >>> artifact.names(answer.items[0])
    ['Whole milk', 'Plum jam']
    >>> artifact.item_table.frame["aisle"].to_list()
    ['drinks', 'dairy', 'bakery', 'pantry']
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    _check_files(folder, manifest)
    try:
        reader = _Reader(folder, manifest["format"], _item_table(folder, manifest), trust, onnx)
        recommender = reader.fitted(folder, manifest)
    except ArtifactError:
        raise
    except DAMAGE as error:
        raise ArtifactError(
            f"The artifact in {folder} can't be read: {sentence_end(str(error))} Save it again from the fitted model."
        ) from error
    _check_answer(folder, manifest, recommender)
    return Artifact(recommender, manifest, reader.table)


@dataclass(frozen=True)
class _Reader:
    """Makes the fitted things of one artifact."""

    root: Path
    format: int
    table: FeatureTable | None
    trust: bool
    onnx: bool = False

    def fitted(self, folder: Path, record: Mapping[str, Any], vocabulary: Any = None, catalogue: Any = None) -> Any:
        """A fitted thing, after those that it is made of.

        Args:
            folder: where its files are; those of a child are inside the folder of its parent.
            record: what the manifest says of it.
            vocabulary: that of its parent, and so is the `catalogue`.
        """
        graphs = self.onnx and isinstance(record.get("onnx"), list)
        cls: Any = OnnxEncoded if graphs else self.fitted_class(str(record["form"]))
        vocabulary = self.vocabulary(folder, record["vocabulary"], vocabulary)
        catalogue = _catalogue(folder, record.get("catalogue", {}), catalogue)
        parts = record.get("children", {})
        check_names(parts, "parts")
        children = {name: self.fitted(folder / CHILDREN / name, part, vocabulary, catalogue) for name, part in parts.items()}
        state = _state_of_graphs(folder) if graphs else self.state(folder, str(record["form"]), children)
        fitted = cls.of_state(state) if vocabulary is None else cls.of_state(state, vocabulary, catalogue)
        return self.with_facts(fitted, record)

    def fitted_class(self, name: str) -> Any:
        cls = self.own_class(name) if ":" in name else member_of(FITTED, name)
        if cls is None or not hasattr(cls, "of_state") or inspect.isabstract(cls):
            raise ArtifactError(
                f"The artifact in {self.root} is of the form {name!r}, which this version doesn't know. Fit the model again."
            )
        return cls

    def own_class(self, path: str) -> Any:
        """A class that Vitrina doesn't export."""
        if not self.trust:
            raise ArtifactError(
                f"The artifact in {self.root} holds a class that is not one of Vitrina's, {path}, and loading it runs its code. "
                "If you trust it: vt.load(folder, trust=True), on the command line --trust."
            )
        try:
            return class_at(path)
        except (ImportError, AttributeError) as error:
            raise ArtifactError(
                f"The artifact in {self.root} holds the class {path}, which can't be imported: {sentence_end(str(error))} "
                "Install its package, or load the artifact where its file lies."
            ) from error

    def vocabulary(self, folder: Path, record: Any, above: Vocabulary | None) -> Vocabulary | None:
        if record is None or record == SHARED:
            return None if record is None else above
        vocabulary = Vocabulary(pl.read_parquet(folder / ITEMS, columns=["id"])["id"])
        if vocabulary.fingerprint() != record["fingerprint"]:
            raise ArtifactError(
                f"The artifact in {self.root} is damaged: its item ids are not those of its manifest. Save the model again."
            )
        return vocabulary

    def state(self, folder: Path, form: str, children: Mapping[str, Any]) -> State:
        arrays = {path.name.removesuffix(".npy"): _read_array(path) for path in sorted((folder / PARAMETERS).glob("*.npy"))}
        if self.format == 1:
            return format_1.upgraded(form, arrays)
        config = from_plain(json.loads((folder / CONFIG).read_text(encoding="utf-8")), class_at=self.own_class)
        files = {path.name.removesuffix(".parquet"): _read_file(path) for path in sorted((folder / FILES).glob("*"))}
        return State(config, arrays, files, children)

    def with_facts(self, fitted: Any, record: Mapping[str, Any]) -> Any:
        """The same with what is kept beside the state, where it is a dataclass that has fields for it."""
        facts = {"notes": tuple(record.get("notes", ())), "item_table": self.table}
        known = {f.name for f in fields(fitted)} if is_dataclass(fitted) else set()
        facts = {name: value for name, value in facts.items() if name in known}
        if knows_model(fitted):
            facts["model"] = record.get("model")
        return replace(cast(Any, fitted), **facts) if facts else fitted


def _state_of_graphs(folder: Path) -> State:
    """Of a sequence model that answers by ONNX: its config stays in plain values, as its classes need PyTorch."""
    of_events = [name for name in PARTS_OF_EVENTS if (folder / PARAMETERS / f"{name}.npy").exists()]
    arrays = {name: _read_array(folder / PARAMETERS / f"{name}.npy") for name in ("codes", "table", "body.mask", *of_events)}
    graphs = {path.name: path.read_bytes() for path in sorted((folder / ONNX).glob("*.onnx"))}
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return State({**config, "events": from_plain(config.get("events"))}, arrays, graphs)


def _catalogue(folder: Path, record: Any, above: Catalogue | None) -> Catalogue | None:
    if record is None or record == SHARED:
        return None if record is None else above
    return Catalogue.of_arrays({path.stem: _read_array(path) for path in sorted((folder / CATALOGUE).glob("*.npy"))})


def _item_table(folder: Path, manifest: Mapping[str, Any]) -> FeatureTable | None:
    if manifest["format"] == 1:
        return format_1.item_table(pl.read_parquet(folder / ITEMS))
    about = manifest.get("item_table")
    return None if about is None else FeatureTable(pl.read_parquet(folder / ITEM_TABLE), about["kinds"], about["title"])


def _read_array(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r" if path.stat().st_size > MAPPED else None, allow_pickle=False))


def _read_file(path: Path) -> pl.DataFrame | bytes:
    return pl.read_parquet(path) if path.suffix == ".parquet" else path.read_bytes()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What an artifact says of itself.

    Raises:
        ArtifactError: the folder is not an artifact, or of a newer format.
    """
    path = folder / MANIFEST
    if not folder.exists():
        raise ArtifactError(
            f"There is no folder {folder} (looked from {Path.cwd()}). Name the one that vitrina fit, or vitrina policy learn, wrote."
        )
    if not path.is_file():
        raise ArtifactError(f"{folder} is not an artifact of Vitrina: it has no {MANIFEST}. Make one with vitrina fit.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"The {path} is damaged: {error}. Save the model again.") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise ArtifactError(f"The {path} is not of an artifact of Vitrina. Make one with vitrina fit.")
    version = manifest.get("format")
    if not isinstance(version, int) or not 1 <= version <= FORMAT:
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
    present = files_in(folder)
    for name, digest in named.items():
        if name not in present:
            raise ArtifactError(f"The artifact in {folder} is damaged: {name} is missing. Copy the whole folder again.")
        if sha256_of(folder / name) != digest:
            raise ArtifactError(f"The artifact in {folder} is damaged: {name} is not the file that was saved. Copy the whole folder again.")
    strange = sorted(name for name in present - set(named) if name.endswith((".npy", ".onnx")) or f"/{FILES}/" in f"/{name}")
    if strange:
        raise ArtifactError(f"The artifact in {folder} holds {strange[0]}, which its manifest doesn't know. Copy the whole folder again.")


def _check_answer(folder: Path, manifest: Mapping[str, Any], recommender: Any) -> None:
    before = manifest.get("check")
    now = None if before is None else check.ask(recommender, before)
    if before is None or now is None:  # format 1, or it answers nobody
        return
    changed = check.difference(before, now)
    if changed is not None:
        raise ArtifactError(
            f"The artifact in {folder} answers otherwise than when it was saved: {changed}. Its files or the code of its model have changed: "
            "fit the model again."
        )
