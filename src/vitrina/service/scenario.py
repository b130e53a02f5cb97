"""A place where items are shown: the model that serves there, the one before it, and the experiment that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vitrina.experiments import Experiment
from vitrina.service.registry import Registry, Version
from vitrina.wire import ModelAnswer, RecommendRequest

if TYPE_CHECKING:
    from vitrina.service.batcher import Batcher
    from vitrina.service.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class Way:
    """How a request is answered: one version, with the settings of the scenario or of an arm."""

    version: Version
    pipeline: Pipeline
    batcher: Batcher


@dataclass(frozen=True, eq=False)
class Serving:
    """What serves now: replaced as a whole, so that each request is answered by one version.

    Args:
        way: for who is in no experiment, and for arms that change nothing.
        arms: of the running experiment, by their names.
        previous: the version that can be rolled back to.
    """

    way: Way
    arms: Mapping[str, Way] = field(default_factory=dict)
    previous: Version | None = None


@dataclass(frozen=True)
class Assigned:
    """Where a request stands in the experiment; `variant` None: outside, and `outside` says why ("holdout", "layer", "ramp", "no id")."""

    experiment: str
    variant: str | None
    propensity: float | None
    outside: str | None = None


class Scenario:
    """A scenario of a tenant."""

    def __init__(self, name: str, registry: Registry, experiment: Experiment | None = None) -> None:
        self.name = name
        self.experiment = experiment
        self.serving: Serving | None = None
        self._registry = registry

    @property
    def version(self) -> Version:
        """What serves now."""
        raise NotImplementedError

    @property
    def previous(self) -> Version | None:
        """What it can be rolled back to."""
        raise NotImplementedError

    def assign(self, request: RecommendRequest) -> Assigned | None:
        """The arm of who asks; None where no experiment runs."""
        raise NotImplementedError

    def way(self, assigned: Assigned | None) -> Way:
        """How to answer; taken once per request."""
        raise NotImplementedError

    async def load(self, folder: str) -> ModelAnswer:
        """Read, check and warm the artifact in a thread of its own, and let it serve from then on."""
        raise NotImplementedError

    async def roll_back(self) -> ModelAnswer:
        """Let the version before serve again; the one that served becomes the one before."""
        raise NotImplementedError
