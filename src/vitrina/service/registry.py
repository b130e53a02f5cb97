"""Models of a scenario: which folders may be loaded, what is checked of one before it serves, and which one served last."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitrina.artifacts import Artifact, load
from vitrina.artifacts.layout import MANIFEST
from vitrina.base.config import title_of
from vitrina.base.errors import ArtifactError, DataError, VitrinaError
from vitrina.base.files import write_text
from vitrina.wire import RecommendRequest, SimilarRequest

if TYPE_CHECKING:
    from vitrina.service.pipeline import Answered, Pipeline

HASH = 8  # hexadecimal digits of a version
HISTORY, K, BATCH = 3, 10, 32  # of the questions that a model is asked before it serves


class ModelRefusedError(VitrinaError, ValueError):
    """A folder was not taken as a model: what served before goes on."""


@dataclass(frozen=True, eq=False)
class Version:
    """A model that was read from a folder.

    Args:
        id: the first digits of the SHA-256 of its manifest, and when it was loaded: "3f2a9c1b-20261126T140700".
        folder: where it was read.
        artifact: what was read.
        loaded: when, in microseconds since 1970.
    """

    id: str
    folder: Path
    artifact: Artifact
    loaded: int

    def __repr__(self) -> str:
        return f"Version({self.id}: {self.model})"

    @property
    def model(self) -> str:
        """The name of the model's class."""
        return title_of(self.artifact.manifest.get("model") or {"name": type(self.artifact.recommender).__name__})

    @property
    def created(self) -> datetime | None:
        """When it was fitted, as its manifest says."""
        written = self.artifact.manifest.get("created")
        return None if written is None else datetime.fromisoformat(written)


@dataclass(frozen=True)
class Kept:
    """What is written down of a version, so that it serves again after a restart."""

    id: str
    folder: str
    loaded: int

    @classmethod
    def of(cls, version: Version) -> Kept:
        return cls(version.id, str(version.folder), version.loaded)


def read_version(folder: Path, *, trust: bool = False, kept: Kept | None = None) -> Version:
    """Read an artifact, with its hashes and its question; a policy is refused.

    Args:
        kept: what was written down of it: it keeps its id, where the folder still holds the same.
    Raises:
        ArtifactError: it is damaged, foreign, or answers otherwise than it did.

    Cost: one pass over its files, one query.
    """
    artifact = load(folder, trust=trust, onnx=find_spec("onnxruntime") is not None)
    assert artifact.vocabulary is not None  # a policy has none, and raises
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:HASH]
    if kept is not None and kept.id.startswith(f"{digest}-"):
        return Version(kept.id, folder, artifact, kept.loaded)
    now = datetime.now(UTC)
    return Version(f"{digest}-{now:%Y%m%dT%H%M%S}", folder, artifact, int(now.timestamp() * 1e6))


def allowed_folder(folder: str, allowed: Sequence[Path]) -> Path:
    """The folder that is meant, where it lies in one of the allowed ones; a name alone is one in the first of them that has it.

    Raises:
        ModelRefusedError: it lies elsewhere, by links too. It says nothing of what is there.

    >>> allowed_folder("../etc", [Path("/srv/models")])
    Traceback (most recent call last):
    ...
    vitrina.service.registry.ModelRefusedError: Models are loaded from /srv/models. Got '../etc', which is not in it: copy the artifact there.
    """
    places = [place.resolve() for place in allowed]
    found: list[Path] = []
    if "\0" not in folder and folder.strip():
        meant = [_resolved(place, folder) for place in places]
        found = [path for path in meant if path is not None and any(path.is_relative_to(base) and path != base for base in places)]
    if found:
        return next((path for path in found if path.is_dir()), found[0])
    named = " or ".join(map(str, places))
    raise ModelRefusedError(f"Models are loaded from {named}. Got {folder!r}, which is not in it: copy the artifact there.")


def _resolved(place: Path, folder: str) -> Path | None:
    """An absolute path stays what it is; None where the system takes it for none, as a name that is too long."""
    try:
        path = (place / folder).resolve()
        path.exists()
    except (OSError, RuntimeError):
        return None
    return path


def check(pipeline: Pipeline, version: Version) -> list[str]:
    """Ask a pipeline for lists before it serves, which also compiles and loads whatever the first answers need; what couldn't be asked, in sentences.

    A stranger, a history of the most popular items, and a batch of both are asked; an answer holds known items, each once, whose scores are
    finite numbers, or it says why it is empty.

    Raises:
        ModelRefusedError: an answer is none.
    """
    artifact = version.artifact
    catalogue = artifact.recommender.catalogue
    popular = artifact.vocabulary.decode(catalogue.by_popularity[:HISTORY][::-1]).cast(str).to_list()
    asked = [RecommendRequest(k=K), RecommendRequest(history=list(popular), k=K)]
    try:
        for requests in (asked[:1], asked[1:], asked * (BATCH // 2)):
            for answered in pipeline.answer(requests, patient=True):
                _check_answer(answered, artifact)
    except DataError as error:  # rules may need a context, which only a request has
        return [f"It was not asked before it serves: {error}"]
    if popular:
        try:
            _check_answer(pipeline.similar(SimilarRequest(item=popular[-1], k=K)), artifact)
        except VitrinaError as error:  # not every model knows items that are alike
            return [f"It has no similar items: {error}"]
    return []


def _check_answer(answered: Answered, artifact: Artifact) -> None:
    if answered.error is not None:
        raise answered.error
    items = [item.item for item in answered.items]
    wrong = None
    if len(set(items)) < len(items):
        wrong = "names an item twice"
    elif not items and answered.empty is None:
        wrong = "is empty and doesn't say why"
    elif any(item.score is not None and not math.isfinite(item.score) for item in answered.items):
        wrong = "has scores that are no numbers"
    elif [item.rank for item in answered.items] != list(range(1, len(items) + 1)):
        wrong = "has ranks that don't go from 1 up"
    elif (artifact.vocabulary.encode(items) < 0).any():
        wrong = "names items that the model doesn't know"
    if wrong is not None:
        raise ModelRefusedError(f"An answer that it gave to try it {wrong}.")


class Registry:
    """Which version serves each scenario, and the one before it: a JSON file in the state folder, whole or as it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._scenarios: dict[str, dict[str, Any]] = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.exists():
            return {}
        try:
            scenarios = json.loads(self._path.read_text(encoding="utf-8"))["scenarios"]
            return {
                name: {"artifact": one["artifact"], "versions": [Kept(**v) for v in one["versions"]]} for name, one in scenarios.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(
                f"The {self._path}, which says what model served last, can't be read: {error}. Remove it: then the artifacts of the settings serve."
            ) from error

    def kept(self, scenario: str, artifact: Path) -> list[Kept]:
        """The last versions of a scenario, the serving one first; none where the settings name another artifact than then, which counts."""
        one = self._scenarios.get(scenario)
        return [] if one is None or one["artifact"] != str(artifact.resolve()) else one["versions"]

    def keep(self, scenario: str, artifact: Path, versions: Sequence[Version]) -> None:
        """Write down what serves now; on disk when it returns.

        Args:
            artifact: what the settings name.
        """
        with self._lock:
            self._scenarios[scenario] = {"artifact": str(artifact.resolve()), "versions": [Kept.of(version) for version in versions]}
            content = {name: one | {"versions": [asdict(v) for v in one["versions"]]} for name, one in self._scenarios.items()}
            write_text(self._path, json.dumps({"scenarios": content}, indent=2) + "\n")
