"""A place where items are shown: the model that serves there, the one before it, and the experiment that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vitrina.base.errors import VitrinaError
from vitrina.base.printing import sentence_end
from vitrina.experiments import Experiment
from vitrina.experiments.assign import Assigned
from vitrina.service.registry import Kept, ModelRefusedError, Registry, Version, allowed_folder, check, read_version
from vitrina.wire import ModelAnswer, RecommendRequest

if TYPE_CHECKING:
    from vitrina.service.batcher import Batcher
    from vitrina.service.pipeline import Pipeline
    from vitrina.service.settings import ScenarioSettings, ServedExperiment

Result = TypeVar("Result")
NO_ID = "no id"
OUTSIDE = Assigned(None, None, NO_ID)


@dataclass(frozen=True, eq=False)
class Way:
    """How a request is answered: one version, with the settings of the scenario or of an arm."""

    version: Version
    pipeline: Pipeline
    batcher: Batcher


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


@dataclass(frozen=True, eq=False)
class Serving:
    """What serves now, and what can again: replaced as a whole, so that each request is answered by one version."""

    model: Model
    previous: Model | None = None


@dataclass(frozen=True, eq=False)
class Place:
    """What a scenario needs of the service.

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


class Scenario:
    """A scenario of a tenant. Requests read `serving` once each; only the loader's thread replaces it."""

    def __init__(self, tenant: str, name: str, settings: ScenarioSettings, place: Place, served: ServedExperiment | None = None) -> None:
        self.name = name
        self.settings = settings
        self.served = served
        self._key = f"{tenant}/{name}"
        self._place = place
        arms = {} if served is None else served.arms
        home = settings.artifact.resolve()
        self._following = {arm: one for arm, one in arms.items() if one.artifact.resolve() == home}
        self._own_arms = {arm: one for arm, one in arms.items() if arm not in self._following}
        self._fixed: dict[str, Way] = {}  # ways of arms that have an artifact of their own
        self.serving: Serving | None = None

    @property
    def experiment(self) -> Experiment | None:
        """What runs here."""
        return None if self.served is None else self.served.experiment

    @property
    def version(self) -> Version:
        """What serves now."""
        return self._serving.model.way.version

    @property
    def previous(self) -> Version | None:
        """What it can be rolled back to."""
        before = self._serving.previous
        return None if before is None else before.way.version

    @property
    def ways(self) -> dict[str, Way]:
        """How the arms of the experiment are served now, by their names; "" is how the others are."""
        model = self._serving.model
        return {"": model.way, **{arm: self._fixed.get(arm) or model.arms.get(arm) or model.way for arm in self._arms}}

    def assign(self, request: RecommendRequest) -> Assigned | None:
        """The arm of who asks; None where no experiment runs. The ids are texts by now."""
        if self.served is None:
            return None
        experiment = self.served.experiment
        unit = request.user if experiment.unit == "user" else request.session
        return OUTSIDE if unit is None else experiment.one(str(unit))

    def way(self, assigned: Assigned | None) -> Way:
        """How to answer; taken once per request."""
        model = self._serving.model
        if assigned is None or assigned.arm is None:
            return model.way
        return self._fixed.get(assigned.arm) or model.arms.get(assigned.arm) or model.way

    async def open(self) -> list[str]:
        """Let serve what served last, or the artifact of the settings; what is to be known of it, in sentences.

        Raises:
            ArtifactError: none of them can be read.
        """
        return await self._in_loader(self._open)

    async def load(self, folder: str) -> ModelAnswer:
        """Read, check and warm the artifact in the loader's thread, and let it serve from then on.

        Raises:
            ModelRefusedError: the folder isn't allowed or holds no sound artifact; what served goes on.
        """
        path = allowed_folder(folder, self._place.allowed)
        return await self._in_loader(lambda: self._load(path))

    def settings_of(self, arm: str | None) -> ScenarioSettings:
        """What an arm of the experiment is set to; that of the scenario, where it says nothing of its own."""
        return self.settings if self.served is None or arm is None else self.served.arms.get(arm, self.settings)

    async def tried(self, settings: ScenarioSettings, version: Version | None = None, folder: str | None = None) -> Way:
        """A way to answer that serves nobody: a version with other settings, or the artifact of a folder, for who wants to see what it would do.

        Raises:
            ModelRefusedError: the folder isn't allowed or holds no sound artifact.
            VitrinaError: the settings don't go with the model.
        """
        if folder is None:
            way = await self._in_loader(lambda: self._place.make(version or self.version, settings))
        else:
            path = allowed_folder(folder, self._place.allowed)
            way = await self._in_loader(lambda: self._made(path, settings).way)
        way.pipeline.watch = None  # it is nobody's traffic
        return way

    async def roll_back(self) -> ModelAnswer:
        """Let the version before serve again; the one that served becomes the one before.

        Raises:
            ModelRefusedError: there is none before.
        """
        return await self._in_loader(self._roll_back)

    @property
    def _serving(self) -> Serving:
        assert self.serving is not None  # `open` came first
        return self.serving

    @property
    def _arms(self) -> tuple[str, ...]:
        return () if self.served is None else tuple(self.served.experiment.arms)

    async def _in_loader(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._place.loader, work)

    def _open(self) -> list[str]:
        self._fixed = {arm: self._made(one.artifact, one).way for arm, one in self._own_arms.items()}
        kept = self._place.registry.kept(self._key, self.settings.artifact)
        models, told = [], []
        for one in kept:
            try:
                models.append(self._made(Path(one.folder), self.settings, one))
            except (VitrinaError, OSError) as error:
                told.append(f"The version {one.id} of the scenario {self.name!r} can't be loaded any more: {error}")
        if not models:
            models = [self._made(self.settings.artifact, self.settings)]
        self._serve(Serving(models[0], models[1] if len(models) > 1 else None))
        return told

    def _load(self, folder: Path) -> ModelAnswer:
        before = self._serving
        try:
            model = self._made(folder, self.settings)
        except Exception as error:  # whatever a foreign folder does, the service goes on
            reason = str(error) if isinstance(error, VitrinaError) else f"{type(error).__name__}: {error}"
            raise ModelRefusedError(
                f"{sentence_end(reason)} The scenario {self.name!r} is served by {before.model.way.version.id} as before."
            ) from error
        self._serve(Serving(model, before.model))
        return self._answer()

    def _roll_back(self) -> ModelAnswer:
        serving = self._serving
        if serving.previous is None:
            raise ModelRefusedError(
                f"The scenario {self.name!r} has no version before {serving.model.way.version.id}. Load one: send the folder of an artifact."
            )
        self._serve(Serving(serving.previous, serving.model))
        return self._answer()

    def _made(self, folder: Path, settings: ScenarioSettings, kept: Kept | None = None) -> Model:
        """Read, checked and warm."""
        version = read_version(folder, trust=settings.trust, kept=kept)
        way = self._place.make(version, settings)
        notes = check(way.pipeline, version)
        follow = self._following if settings is self.settings else {}
        arms = {arm: self._place.make(version, one) for arm, one in follow.items()}
        for one in arms.values():
            check(one.pipeline, version)
        return Model(way, arms, tuple(notes))

    def _serve(self, serving: Serving) -> None:
        """First it is written down, then it serves: after a crash between the two the next start has the new one."""
        versions = [model.way.version for model in (serving.model, serving.previous) if model is not None]
        self._place.registry.keep(self._key, self.settings.artifact, versions)
        self.serving = serving
        self._place.serves(self.name, serving.model.way.version)

    def _answer(self) -> ModelAnswer:
        version, previous = self.version, self.previous
        notes = [*self._serving.model.notes, *version.artifact.recommender.notes]
        return ModelAnswer(self.name, version.id, version.model, None if previous is None else previous.id, notes)
