"""How much less a thing counts that is further away: an old event of a history, or a pair of events with a gap between them.

Public as `vt.decay`. The distance is counted in events (0 for the newest event of a history, or for two events with
nothing between them) or in days.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import exp2, inf
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
from pydantic import Field, model_validator

from vitrina.base.config import Config, Days
from vitrina.base.errors import DataError
from vitrina.base.kernels import kernel
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.forms.levels import level_of
from vitrina.types import Bool, Float64, Int64

LARGEST = 1e300  # halvings: an infinite number of them would leave nothing

__all__ = ["All", "Decay", "Exponential", "Hyperbolic", "Linear", "Window", "weights"]


class Factors(NamedTuple):
    """Decays in the form that kernels read; the weight is the product over the parts."""

    shapes: Int64  # (parts,) which curve
    scales: Float64  # (parts,) distance that is 1 on the curve, in events or microseconds
    by_time: Bool  # (parts,)


class Decay(Config, ABC):
    """A weight between 0 and 1 that falls with the distance."""

    @abstractmethod
    def parts(self) -> tuple[Curve, ...]:
        """The curves whose product it is."""

    def factors(self) -> Factors:
        parts = self.parts()
        by_time = np.array([p.days is not None for p in parts], bool)
        scales = np.array([p.events if p.days is None else p.days * DAY for p in parts], np.float64)
        return Factors(np.array([p.shape for p in parts], np.int64), scales, by_time)

    def reach(self) -> float:
        """Events from which on the weight is 0."""
        return min(p.width * p.events if p.events is not None else inf for p in self.parts())

    def halvings(self, events: Int64, microseconds: Int64) -> Float64:
        """How often the exponential curves halve a weight at each distance: the others leave 0, or a number that floats hold."""
        of_events, of_time = (
            sum(1 / (getattr(p, name) or inf) for p in self.parts() if p.shape == Exponential.shape) for name in ("events", "days")
        )
        return np.maximum(events, 0) * of_events + np.maximum(microseconds, 0) / DAY * of_time

    def require(self, data: Dataset) -> None:
        """Raise unless the log has the times that are needed."""
        if any(p.days is not None for p in self.parts()) and data.time_unit != "us":
            raise DataError(f"{self!r} needs events with real time, and {data!r} has none. Count the distance with events=...")


class Curve(Decay, ABC):
    """One curve over one distance: give either `events` or `days`."""

    shape: ClassVar[int]  # its branch in `_curve`
    width: ClassVar[float] = inf  # distance from which on the weight is 0, in units of the scale
    events: float | None = Field(default=None, gt=0)
    days: Days | None = None

    @model_validator(mode="after")
    def _one_distance(self) -> Curve:
        if (self.events is None) == (self.days is None):
            raise ValueError(f"{type(self).__name__} needs either events=... or days=..., and not both.")
        return self

    def parts(self) -> tuple[Curve, ...]:
        return (self,)


@final
class Exponential(Curve):
    """weight = 0.5 ^ (distance / half-life): the number given is the distance at which half is left.

    >>> import vitrina as vt
    >>> vt.decay.weights(vt.decay.Exponential(events=2), events=[0, 2, 4]).tolist()
    [1.0, 0.5, 0.25]
    """

    shape: ClassVar[int] = 0


@final
class Linear(Curve):
    """weight = max(0, 1 - distance / reach): the number given is the distance at which nothing is left.

    >>> import vitrina as vt
    >>> vt.decay.weights(vt.decay.Linear(events=4), events=[0, 1, 5]).tolist()
    [1.0, 0.75, 0.0]
    """

    shape: ClassVar[int] = 1
    width: ClassVar[float] = 1


@final
class Window(Curve):
    """weight = 1 below the distance given, else 0. `Window(events=5)` reads the last five events of a history.

    >>> import vitrina as vt
    >>> vt.decay.weights(vt.decay.Window(events=5), events=[0, 4, 5]).tolist()
    [1.0, 1.0, 0.0]
    """

    shape: ClassVar[int] = 2
    width: ClassVar[float] = 1


@final
class Hyperbolic(Curve):
    """weight = 1 / (1 + distance / half-life): half at the distance given, then ever more slowly.

    >>> import vitrina as vt
    >>> vt.decay.weights(vt.decay.Hyperbolic(days=1), days=[0, 1, 3]).tolist()
    [1.0, 0.5, 0.25]
    """

    shape: ClassVar[int] = 3


@final
class All(Decay):
    """The product of several decays, for example one by events and one by days.

    >>> import vitrina as vt
    >>> both = vt.decay.All(of=(vt.decay.Exponential(events=1), vt.decay.Exponential(days=1)))
    >>> vt.decay.weights(both, events=[1], days=[1]).tolist()
    [0.25]
    """

    of: tuple[Decay, ...] = Field(min_length=1, strict=False)

    def parts(self) -> tuple[Curve, ...]:
        return tuple(part for decay in self.of for part in decay.parts())


def weights(decay: Decay, *, events: Any = 0, days: Any = 0) -> Float64:
    """The weights at some distances.

    >>> import vitrina as vt
    >>> vt.decay.weights(vt.decay.Window(days=1), days=[0.5, 1]).tolist()
    [1.0, 0.0]
    """
    gaps, spans = np.broadcast_arrays(np.asarray(events, np.float64), np.asarray(days, np.float64) * DAY)
    return np.array([faded(*decay.factors(), g, s) for g, s in zip(gaps.ravel(), spans.ravel(), strict=True)]).reshape(gaps.shape)


def factors_of(decay: Decay | None) -> Factors:
    """No decay is a product of nothing."""
    return Factors(np.empty(0, np.int64), np.empty(0), np.empty(0, bool)) if decay is None else decay.factors()


@kernel
def _curve(shape, distance):  # pragma: no cover
    if shape == 0:
        return exp2(-distance)
    if shape == 1:
        return max(0.0, 1.0 - distance)
    if shape == 2:
        return 1.0 if distance < 1.0 else 0.0
    return 1.0 / (1.0 + distance)


@kernel
def faded(shapes, scales, by_time, events, microseconds):  # pragma: no cover
    """The weight at a distance of so many events and microseconds."""
    weight = 1.0
    for part in range(len(shapes)):
        distance = microseconds if by_time[part] else events
        weight *= _curve(shapes[part], max(distance, 0.0) / scales[part])
    return weight


@kernel
def faded_level(shapes, scales, by_time, events, microseconds):  # pragma: no cover
    """As `faded`, the level of the weight: what an exponential leaves is never 0."""
    exponent, weight = 0.0, 1.0
    for part in range(len(shapes)):
        distance = max(microseconds if by_time[part] else events, 0.0) / scales[part]
        if shapes[part] == 0:
            exponent -= min(distance, LARGEST)
        else:
            weight *= _curve(shapes[part], distance)
    whole = np.ceil(exponent)
    return whole + level_of(weight * exp2(exponent - whole))
