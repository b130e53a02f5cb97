"""Writing an artifact."""

from __future__ import annotations

import importlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vitrina
from vitrina.artifacts import check
from vitrina.artifacts.layout import (
    CATALOGUE,
    CHILDREN,
    CONFIG,
    FILES,
    FORMAT,
    ITEM_TABLE,
    ITEMS,
    KIND,
    MANIFEST,
    ONNX,
    PARAMETERS,
    SHARED,
    check_names,
    exported_name,
    files_in,
    knows_model,
    write_json,
)
from vitrina.base.config import to_plain
from vitrina.base.errors import ArtifactError, ParameterError
from vitrina.base.exports import path_of
from vitrina.base.files import atomic_folder, sha256_of
from vitrina.base.state import Arrays, State, Stateful
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.policy.learn import LearnedPolicy
from vitrina.policy.policies import Policy
from vitrina.protocols import Recommender
from vitrina.vocabulary import Vocabulary


def save(
    recommender: Recommender | Policy | LearnedPolicy | Stateful,
    folder: str | Path,
    *,
    model: Any = None,
    data: Dataset | None = None,
    metrics: Mapping[str, float] | None = None,
    source: Any = None,
    onnx: bool = False,
) -> Path:
    """Write a fitted recommender, a policy or semantic codes as an artifact, with all that it is made of; an old artifact in that place is replaced in one step.

    Args:
        recommender: what `fit` returned: one of the fitted forms, or any recommender with a `state() -> vt.State` and a classmethod
            `of_state(state, vocabulary, catalogue)`; or a fitted policy, or semantic codes.
        folder: where; made if missing. A folder that holds something else is refused.
        model: the config that was fitted, kept as plain values; None takes the one that a fitted form knows (null where it knows none).
        data: the log it was fitted on: its sizes and fingerprint are kept, and its item table in place of the one that the recommender knows.
        metrics: numbers of the comparison that chose this model.
        source: where the log can be read again (a path, or a record of path and columns), in values that JSON has.
        onnx: write sequence models as ONNX graphs too, with which `vt.load(folder, onnx=True)` answers without PyTorch. Where a part of one can't be, the
            manifest says why under "onnx", and PyTorch answers.

    Raises:
        ArtifactError: the recommender says nothing of its state, or the folder holds something that is not an artifact.
        MissingExtraError: with `onnx`, where its packages aren't installed.

    >>> import tempfile, vitrina as vt
    >>> data, model = vt.testing.toy(), vt.Popularity()
    >>> folder = vt.save(model.fit(data), tempfile.mkdtemp() + "/popular")
    >>> vt.load(folder).manifest["model"]["name"]
    'Popularity'
    """
    folder = Path(folder)
    recommender = recommender.policy if isinstance(recommender, LearnedPolicy) else recommender
    state_of(recommender)
    if data is not None and isinstance(recommender, Policy):
        raise ArtifactError("A policy is learned from a log of decisions, and 'data' is a log of interactions. Leave it out.")
    vocabulary = getattr(recommender, "vocabulary", None)
    _refuse_foreign(folder)
    with atomic_folder(folder) as staging:
        writer = _Writer(onnx)
        if data is not None and data.item_table is not None and vocabulary is not None:
            data.items.require_compatible(vocabulary, "item titles")
            writer.tables.append(data.item_table)
        manifest = writer.fitted(recommender, staging, None)
        if model is not None:
            manifest["model"] = to_plain(model)
        manifest["own_classes"] = sorted(writer.own_classes)
        manifest["item_table"] = _write_item_table(writer.tables, vocabulary, staging)
        manifest |= {"check": check.ask(recommender)} | _record(data, metrics, source)
        files = {name: sha256_of(staging / name) for name in sorted(files_in(staging))}
        write_json(staging / MANIFEST, {"kind": KIND, "format": FORMAT} | manifest | {"files": files})
    return folder


def state_of(fitted: Any) -> State:
    """What a fitted thing says of itself.

    Raises:
        ArtifactError: it says nothing; says what to write.
    """
    name = type(fitted).__name__
    state = fitted.state() if callable(getattr(fitted, "state", None)) and hasattr(type(fitted), "of_state") else None
    if isinstance(state, State):
        return state
    if hasattr(fitted, "fit"):
        raise ArtifactError(
            f"What is saved is a fitted model, and {name} is not fitted yet. Fit it first: vt.save({name}(...).fit(data), folder)."
        )
    arguments = "state, vocabulary, catalogue" if hasattr(fitted, "vocabulary") else "state"
    raise ArtifactError(
        f"What is saved is a fitted model that says what there is to keep, and {name} doesn't. Give it a method "
        "state(self), which returns vt.State(config={...}, arrays={...}), and a classmethod "
        f"of_state(cls, {arguments}), which makes it again. Or let fit return one of the fitted forms, such as vt.ItemMap."
    )


@dataclass
class _Writer:
    """Writes fitted things, and remembers what it met on the way."""

    onnx: bool = False
    tables: list[FeatureTable] = field(default_factory=list)  # of items
    own_classes: set[str] = field(default_factory=set)  # that are not exported by Vitrina

    def fitted(self, fitted: Any, folder: Path, above: Any) -> dict[str, Any]:
        """Write a fitted thing and what it is made of, which is in folders inside it; the record of it for the manifest.

        Args:
            above: what it is a part of.
        """
        state = state_of(fitted)
        folder.mkdir(exist_ok=True, parents=True)
        write_json(folder / CONFIG, to_plain(dict(state.config), path_of=self.own_class))
        _write_arrays(folder / PARAMETERS, state.arrays)
        _write_files(folder / FILES, state.files)
        if getattr(fitted, "item_table", None) is not None:
            self.tables.append(fitted.item_table)
        check_names(state.children, "parts")
        graphs = {"onnx": _write_graphs(fitted, folder)} if self.onnx and exported_name(fitted) == "Encoded" else {}
        return graphs | {
            "form": exported_name(fitted) or self.own_class(type(fitted)),
            "model": _model_of(fitted),
            "notes": list(getattr(fitted, "notes", ())),
            "vocabulary": _write_ids(getattr(fitted, "vocabulary", None), getattr(above, "vocabulary", None), folder),
            "catalogue": _write_catalogue(getattr(fitted, "catalogue", None), getattr(above, "catalogue", None), folder),
            "children": {name: self.fitted(child, folder / CHILDREN / name, fitted) for name, child in state.children.items()},
        }

    def own_class(self, cls: type) -> str:
        """`package.module:Class` of a class that another process can import.

        Raises:
            ArtifactError: it is inside a function, or in a notebook.
        """
        path = path_of(cls)
        if "<locals>" in path or path.startswith("__main__:"):
            raise ArtifactError(
                f"The class {cls.__name__} can't be found again by whoever loads the artifact. Put it at the top of a .py file and import it "
                "from there."
            )
        self.own_classes.add(path)
        return path


def _model_of(fitted: Any) -> Any:
    """The config that a form was fitted by; one that was read from an artifact is in plain values already."""
    model = fitted.model if knows_model(fitted) else None
    return dict(model) if isinstance(model, Mapping) else to_plain(model)


def _write_ids(vocabulary: Vocabulary | None, above: Vocabulary | None, folder: Path) -> Any:
    if vocabulary is None:
        return None
    if above is not None and (above is vocabulary or (len(above) == len(vocabulary) and above.fingerprint() == vocabulary.fingerprint())):
        return SHARED
    pl.DataFrame({"id": vocabulary.ids}).write_parquet(folder / ITEMS)
    return {"items": len(vocabulary), "fingerprint": vocabulary.fingerprint()}


def _write_catalogue(catalogue: Catalogue | None, above: Catalogue | None, folder: Path) -> Any:
    if catalogue is None:
        return None
    arrays = catalogue.arrays()
    if above is not None and (above is catalogue or _same(above.arrays(), arrays)):
        return SHARED
    _write_arrays(folder / CATALOGUE, arrays)
    return {"items": len(catalogue.items)}


def _same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(array, other[name]) for name, array in one.items())


def _write_item_table(tables: list[FeatureTable], vocabulary: Vocabulary | None, folder: Path) -> Any:
    """The first of the tables, a row for each item of the vocabulary."""
    if not tables or vocabulary is None:
        return None
    frame = tables[0].frame.head(len(vocabulary))
    missing = len(vocabulary) - len(frame)
    (pl.concat([frame, frame.clear(missing)]) if missing else frame).write_parquet(folder / ITEM_TABLE)
    return {"kinds": dict(tables[0].kinds), "title": tables[0].title}


def _write_arrays(folder: Path, arrays: Arrays) -> None:
    check_names(arrays, "arrays")
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(array, order="C"), allow_pickle=False)


def _write_files(folder: Path, files: Mapping[str, pl.DataFrame | bytes]) -> None:
    check_names(files, "files")
    for name, content in files.items():
        folder.mkdir(exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(folder / f"{name}.parquet")
        elif name.endswith(".parquet"):
            raise ArtifactError(f"A file of bytes can't be called {name!r}: give the table itself, a Polars DataFrame, or another name.")
        else:
            (folder / name).write_bytes(content)


def _write_graphs(encoded: Any, folder: Path) -> list[str] | str:
    """The names of the graphs of a sequence model; why there are none, where it can't be one."""
    exporter = importlib.import_module("vitrina.sequence.onnx")  # needs PyTorch
    try:
        made = exporter.graphs(encoded)
    except ParameterError as error:
        return str(error)
    (folder / ONNX).mkdir()
    for name, graph in made.items():
        (folder / ONNX / name).write_bytes(graph)
    return sorted(made)


def _record(data: Dataset | None, metrics: Mapping[str, float] | None, source: Any) -> dict[str, Any]:
    """What made the artifact."""
    versions = {"vitrina": vitrina.__version__, "python": platform.python_version(), "numpy": np.__version__, "polars": pl.__version__}
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": None if data is None else _data_record(data),
        "source": source,
        "metrics": {name: float(value) for name, value in (metrics or {}).items()},
        "versions": versions,
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
    return sorted(files_in(folder) - named)


def _is_artifact(folder: Path) -> bool:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["kind"] == KIND
    except (OSError, ValueError, KeyError, TypeError):
        return False
