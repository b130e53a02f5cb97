"""Models of a scenario: which folders may be loaded, what is checked of one before it serves, and which one served last."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from vitrina.artifacts import Artifact, load
from vitrina.artifacts.layout import MANIFEST
from vitrina.base.config import title_of
from vitrina.base.errors import ArtifactError, VitrinaError
from vitrina.base.files import write_text

HASH = 8  # hexadecimal digits of a version


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
    def created(self) -> str | None:
        """When it was fitted, as its manifest says."""
        return self.artifact.manifest.get("created")


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
        kept: what was written down of it: it keeps its id, where it is still the same.
    Raises:
        ArtifactError: it is damaged, foreign, or answers otherwise than it did.

    Cost: one pass over its files, one query.
    """
    artifact = load(folder, trust=trust)
    assert artifact.vocabulary is not None  # a policy has none, and raises
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:HASH]
    if kept is not None and kept.id.startswith(f"{digest}-"):
        return Version(kept.id, folder, artifact, kept.loaded)
    now = datetime.now(UTC)
    return Version(f"{digest}-{now:%Y%m%dT%H%M%S}", folder, artifact, int(now.timestamp() * 1e6))


def allowed_folder(folder: str, allowed: Sequence[Path]) -> Path:
    """The folder that is meant, where it lies in one of the allowed ones; a name alone is one in the first of them.

    Raises:
        ModelRefusedError: it lies elsewhere, by links too, or there is no such path. It says nothing of what is there.

    >>> allowed_folder("../etc", [Path("/srv/models")])
    Traceback (most recent call last):
    ...
    vitrina.service.registry.ModelRefusedError: Models are loaded from /srv/models. Got '../etc', which is not in it: copy the artifact there.
    """
    places = [place.resolve() for place in allowed]
    if "\0" not in folder and folder.strip():
        for place in places:
            path = (place / folder).resolve()  # an absolute one stays what it is
            if any(path.is_relative_to(base) and path != base for base in places):
                return path
    named = " or ".join(map(str, places))
    raise ModelRefusedError(f"Models are loaded from {named}. Got {folder!r}, which is not in it: copy the artifact there.")


class Registry:
    """Which version serves each scenario, and the one before it: a JSON file in the state folder, whole or as it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[str, list[Kept]] = self._read()

    def _read(self) -> dict[str, list[Kept]]:
        if not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: [Kept(**one) for one in versions] for name, versions in content["scenarios"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(
                f"The {self._path}, which says what model served last, can't be read: {error}. "
                "Remove it, and the artifacts of the settings serve."
            ) from error

    def kept(self, scenario: str) -> list[Kept]:
        """The last two versions of a scenario, the serving one first; empty where none was loaded."""
        return self._kept.get(scenario, [])

    def keep(self, scenario: str, versions: Sequence[Version]) -> None:
        """Write down what serves now; on disk when it returns."""
        with self._lock:
            self._kept[scenario] = [Kept.of(version) for version in versions]
            content = {"scenarios": {name: [asdict(one) for one in kept] for name, kept in self._kept.items()}}
            write_text(self._path, json.dumps(content, indent=2) + "\n")
