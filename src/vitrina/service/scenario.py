"""A place where items are shown: who is answered by which model there, and what an operator does with its models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrina.experiments import Experiment
from vitrina.experiments.assign import Assigned
from vitrina.service.models import Models, Place, Serving, Way
from vitrina.service.registry import Version, allowed_folder
from vitrina.wire import ModelAnswer, RecommendRequest

if TYPE_CHECKING:
    from vitrina.service.settings import ScenarioSettings, ServedExperiment

NO_ID = "no id"
OUTSIDE = Assigned(None, None, NO_ID)


class Scenario:
    """A scenario of a tenant, called on the event loop.

    Args:
        tenant: whose it is, by name.
        served: the experiment that runs here.
    """

    def __init__(self, tenant: str, name: str, settings: ScenarioSettings, place: Place, served: ServedExperiment | None = None) -> None:
        self.name, self.settings, self.served = name, settings, served
        self._place = place
        self._models = Models(f"{tenant}/{name}", settings, {} if served is None else served.arms, place)

    @property
    def serving(self) -> Serving | None:
        """What serves now and what did before; None until the first model is loaded."""
        return self._models.serving

    @property
    def experiment(self) -> Experiment | None:
        """What runs here."""
        return None if self.served is None else self.served.experiment

    @property
    def version(self) -> Version:
        """What serves now."""
        return self._models.now.model.version

    @property
    def ways(self) -> dict[str, Way]:
        """How the arms of the experiment are served now, by their names; "" is how the others are."""
        now, arms = self._models.now, () if self.experiment is None else self.experiment.arms
        return {"": now.way(None), **{arm: now.way(arm) for arm in arms}}

    def assign(self, request: RecommendRequest) -> Assigned | None:
        """The arm of who asks; None where no experiment runs. The ids are texts by now."""
        experiment = self.experiment
        if experiment is None:
            return None
        unit = request.user if experiment.unit == "user" else request.session
        return OUTSIDE if unit is None else experiment.one(str(unit))

    def way(self, assigned: Assigned | None) -> Way:
        """How to answer; taken once per request."""
        return self._models.now.way(None if assigned is None else assigned.arm)

    def settings_of(self, arm: str | None) -> ScenarioSettings:
        """What an arm of the experiment is set to; that of the scenario, where it says nothing of its own."""
        return self.settings if self.served is None or arm is None else self.served.arms.get(arm, self.settings)

    @property
    def told(self) -> ModelAnswer:
        """What serves now, and what it can go back to."""
        return _told(self.name, self._models.now)

    async def open(self) -> list[str]:
        """Let serve what served last, or the artifact of the settings; what is to be known of it, in sentences.

        Raises:
            ArtifactError: none of them can be read.
        """
        return await self._place.in_loader(self._models.open)

    async def load(self, folder: str) -> ModelAnswer:
        """Read, check and warm the artifact in the loader's thread, and let it serve from then on.

        Raises:
            ModelRefusedError: the folder isn't allowed or holds no sound artifact; what served goes on.
        """
        allowed = self._place.allowed
        now = await self._place.in_loader(lambda: self._models.load(allowed_folder(folder, allowed)))
        return _changed(self.name, now)

    async def roll_back(self) -> ModelAnswer:
        """Let the version before serve again; the one that served becomes the one before.

        Raises:
            ModelRefusedError: there is none before.
        """
        return _changed(self.name, await self._place.in_loader(self._models.roll_back))

    async def tried(self, settings: ScenarioSettings, version: Version | None = None, folder: str | None = None) -> Way:
        """A way to answer that serves nobody: a version with other settings, or the artifact of a folder, for who wants to see what it would do.

        Raises:
            ModelRefusedError: the folder isn't allowed or holds no sound artifact.
            VitrinaError: the settings don't go with the model.
        """
        if folder is None:
            way = await self._place.in_loader(lambda: self._place.make(version or self.version, settings))
        else:
            allowed = self._place.allowed
            way = await self._place.in_loader(lambda: self._models.made(allowed_folder(folder, allowed), settings).way)
        way.pipeline.watch = None  # it is nobody's traffic
        return way


def _told(scenario: str, now: Serving, notes: Sequence[str] = ()) -> ModelAnswer:
    version, previous = now.model.version, now.previous
    return ModelAnswer(scenario, version.id, version.model, None if previous is None else previous.version.id, [*notes])


def _changed(scenario: str, now: Serving) -> ModelAnswer:
    """What serves after a change, with what there is to say of it."""
    return _told(scenario, now, [*now.model.notes, *now.model.version.artifact.recommender.notes])
