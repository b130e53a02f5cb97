"""The models of one scenario: read, checked and warmed beside the one that serves, which they replace as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vitrina.base.errors import VitrinaError
from vitrina.base.printing import sentence_end
from vitrina.service.registry import Kept, ModelRefusedError, Registry, Version, check, read_version

if TYPE_CHECKING:
    from vitrina.service.answering import Answering
    from vitrina.service.batcher import Batcher
    from vitrina.service.pipeline import Pipeline
    from vitrina.service.settings import ScenarioSettings

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Way:
    """How a request is answered: one version, with the settings of the scenario or of an arm."""

    version: Version
    pipeline: Pipeline
    batcher: Batcher
    answering: Answering | None = None  # of questions, where the scenario answers them


@dataclass(frozen=True, eq=False)
class Model:
    """One version with all that is made of it.

    Args:
        way: for who is in no experiment, and for arms that change nothing.
        arms: those that have the scenario's artifact and settings of their own.
        notes: what couldn't be asked of it before it served.
    """

    way: Way
    arms: Mapping[str, Way]
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> Version:
        return self.way.version


@dataclass(frozen=True, eq=False)
class Serving:
    """What serves now, and what can again: replaced as a whole, so that each request is answered by one version.

    Args:
        fixed: ways of arms that have an artifact of their own.
    """

    model: Model
    previous: Model | None = None
    fixed: Mapping[str, Way] = field(default_factory=dict)

    def way(self, arm: str | None) -> Way:
        """How an arm is answered, or who is in none."""
        if arm is None:
            return self.model.way
        return self.fixed.get(arm) or self.model.arms.get(arm) or self.model.way


@dataclass(frozen=True, eq=False)
class Place:
    """What the models of a scenario need of the service.

    Args:
        registry: remembers what serves.
        allowed: folders in which artifacts may lie.
        make: a pipeline and its batcher for a version with these settings.
        loader: one thread, in which models are read, checked and warmed, one after the other.
        serves: told whenever another version serves.
    """

    registry: Registry
    allowed: Sequence[Path]
    make: Callable[[Version, ScenarioSettings], Way]
    loader: Executor
    serves: Callable[[str, Version], None] = lambda scenario, version: None

    async def in_loader(self, work: Callable[[], Result]) -> Result:
        """What the loader's thread makes of it, while requests go on."""
        return await asyncio.get_running_loop().run_in_executor(self.loader, work)


class Models:
    """Which versions a scenario has. Every method is called in the loader's thread, the only one that replaces `serving`; requests read it once each.

    Args:
        key: tenant and scenario, in the registry.
        settings: of the scenario.
        arms: settings of the arms of its experiment. Those with the artifact of the scenario go along when another one is loaded.
    """

    def __init__(self, key: str, settings: ScenarioSettings, arms: Mapping[str, ScenarioSettings], place: Place) -> None:
        home = settings.artifact.resolve()
        self.settings = settings
        self.serving: Serving | None = None
        self._key, self._place = key, place
        self._following = {arm: one for arm, one in arms.items() if one.artifact.resolve() == home}
        self._own_arms = {arm: one for arm, one in arms.items() if arm not in self._following}

    @property
    def now(self) -> Serving:
        assert self.serving is not None  # `open` came first
        return self.serving

    def open(self) -> list[str]:
        """Let serve what served last, or the artifact of the settings; what is to be known of it, in sentences."""
        fixed = {arm: self._arm(arm, one) for arm, one in self._own_arms.items()}
        models, told = [], []
        for one in self._place.registry.kept(self._key, self.settings.artifact):
            try:
                models.append(self.made(Path(one.folder), self.settings, one))
            except (VitrinaError, OSError) as error:
                told.append(f"The version {one.id} of {self._key!r} can't be loaded any more: {error}")
        if not models:
            models = [self.made(self.settings.artifact, self.settings)]
        self._serve(Serving(models[0], models[1] if len(models) > 1 else None, fixed))
        return told

    def _arm(self, arm: str, settings: ScenarioSettings) -> Way:
        """An arm with an artifact of its own; the same artifact is the same version after a restart, as what was shown names it."""
        key, registry = f"{self._key}/{arm}", self._place.registry
        kept = next(iter(registry.kept(key, settings.artifact)), None)
        way = self.made(settings.artifact, settings, kept).way
        registry.keep(key, settings.artifact, [way.version])
        return way

    def load(self, folder: Path) -> Serving:
        """Let the artifact of a folder serve.

        Raises:
            ModelRefusedError: it isn't sound; what served goes on.
        """
        try:
            model = self.made(folder, self.settings)
        except Exception as error:  # whatever a foreign folder does, the service goes on
            reason = str(error) if isinstance(error, VitrinaError) else f"{type(error).__name__}: {error}"
            raise ModelRefusedError(f"{sentence_end(reason)} {self.now.model.version.id} serves {self._key!r} as before.") from error
        return self._serve(Serving(model, self.now.model, self.now.fixed))

    def roll_back(self) -> Serving:
        """Let the version before serve again; the one that served becomes the one before.

        Raises:
            ModelRefusedError: there is none before.
        """
        now = self.now
        if now.previous is None:
            raise ModelRefusedError(
                f"{self._key!r} has no version before {now.model.version.id}. Load one: send the folder of an artifact."
            )
        return self._serve(Serving(now.previous, now.model, now.fixed))

    def made(self, folder: Path, settings: ScenarioSettings, kept: Kept | None = None) -> Model:
        """Read, checked and warm.

        Raises:
            VitrinaError: it isn't sound.
        """
        version = read_version(folder, trust=settings.trust, kept=kept)
        way = self._place.make(version, settings)
        notes = check(way.pipeline, version)
        follow = self._following if settings is self.settings else {}
        arms = {arm: self._place.make(version, one) for arm, one in follow.items()}
        for one in arms.values():
            check(one.pipeline, version)
        return Model(way, arms, tuple(notes))

    def _serve(self, serving: Serving) -> Serving:
        """First it is written down, then it serves: after a crash between the two the next start has the new one."""
        versions = [model.version for model in (serving.model, serving.previous) if model is not None]
        self._place.registry.keep(self._key, self.settings.artifact, versions)
        self.serving = serving
        self._place.serves(self._key, serving.model.version)
        return serving
