"""What every forecaster does before and after its own part: the question is looked at, and drawn samples become a Forecast."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import THREADS
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.types import Float32, Int32

WEEK = 7
UNREAD = "Prices that were given are not read by {}."


@final
@dataclass(frozen=True)
class Horizon:
    """Where a fitted forecaster begins: the day after the last one that it saw."""

    series: int
    start: date
    step: int
    priced: bool = False

    @classmethod
    def of(cls, demand: Demand) -> Horizon:
        return cls(len(demand), demand.end, demand.step, demand.price is not None)

    def weekdays(self, days: int) -> Int32:
        """(days,) 0 for Monday to 6 for Sunday; all 0 where a step is no single day."""
        return ((self.start.weekday() + np.arange(days)) % WEEK).astype(np.int32) if self.step == 1 else np.zeros(days, np.int32)

    def dates(self, days: int) -> list[date]:
        return [self.start + timedelta(days=d * self.step) for d in range(days)]

    def check(self, days: int, paths: int, prices: NDArray[Any] | None) -> None:
        """The question can be answered.

        Raises:
            ParameterError: days or paths are below 1, or prices have another shape or are not above 0.
        """
        for name, value in (("days", days), ("paths", paths)):
            if value < 1:
                raise ParameterError(f"A forecast needs {name} of 1 at least. Got {value}.", parameter=name, value=value)
        if prices is None:
            return
        if np.shape(prices) != (self.series, days):
            raise ParameterError(
                f"Prices of a forecast are (series, days): {(self.series, days)}. Got {np.shape(prices)}.", parameter="prices"
            )
        if not (np.isfinite(prices).all() and (np.asarray(prices) > 0).all()):
            raise ParameterError("Prices of a forecast must be numbers above 0. Give the last known price where the next one isn't known.")

    def forecast(self, samples: Float32, seed: int, notes: tuple[str, ...] = ()) -> Forecast:
        return Forecast(samples, self.start, self.step, seed, notes)


BLOCK = (
    64  # series whose paths are drawn with one generator: what is drawn for a series depends on the seed and its place, not on the cores
)


def drawn(draw: Callable[[slice, np.random.Generator], NDArray[Any]], series: int, paths: int, days: int, seed: int) -> Float32:
    """(series, paths, days) samples: `draw` makes those of some series, with the generator that belongs to them."""
    samples = np.empty((series, paths, days), np.float32)
    blocks = [slice(first, min(first + BLOCK, series)) for first in range(0, series, BLOCK)]
    generators = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(len(blocks))]

    def work(at: int) -> None:
        samples[blocks[at]] = draw(blocks[at], generators[at])

    if len(blocks) == 1 or THREADS == 1:
        for at in range(len(blocks)):
            work(at)
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(len(blocks))))
    return samples
