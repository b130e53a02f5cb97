"""A forecast: not one number per day but ways in which the days may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.base.errors import ParameterError
from vitrina.types import Float32, Float64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """Sample paths of demand: each path is one way in which all the days of a series may go, so that sums over days have the right spread.

    Args:
        samples: (series, paths, days) units.
        start: the first day.
        step: days in one column.
        seed: of the paths.
        notes: sentences on how it was made.

    Raises:
        ParameterError: samples are not (series, paths, days), below 0 or not finite.

    >>> from datetime import date
    >>> forecast = Forecast(np.random.default_rng(0).poisson(2.0, (1, 1000, 28)).astype(np.float32), date(2027, 1, 1))
    >>> forecast.quantile([0.05, 0.95])[:, 0, 0].tolist(), forecast.total().shape
    ([0.0, 4.0], (1, 1000))
    """

    samples: Float32
    start: date
    step: int = 1
    seed: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.samples.ndim != 3 or not self.samples.size:
            raise ParameterError(f"Samples of a forecast are (series, paths, days), one of each at least. Got {self.samples.shape}.")
        if not (np.isfinite(self.samples).all() and (self.samples >= 0).all()):
            raise ParameterError("Samples of a forecast must be numbers from 0 up.")

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        series, paths, days = self.samples.shape
        return f"Forecast({series:,} series, {paths:,} paths, {days:,} days from {self.start})"

    @property
    def paths(self) -> int:
        return self.samples.shape[1]

    @property
    def days(self) -> int:
        return self.samples.shape[2]

    def mean(self) -> Float64:
        """(series, days) expected units."""
        return self.samples.mean(axis=1, dtype=np.float64)

    def quantile(self, levels: ArrayLike) -> Float64:
        """(levels, series, days): the smallest sample that is reached with the chance of the level."""
        return np.quantile(self.samples, np.asarray(levels, np.float64), axis=1, method="inverted_cdf").astype(np.float64)

    def total(self, first: int = 0, last: int | None = None) -> Float64:
        """(series, paths) sums over the days first to last - 1, all by default."""
        return self.samples[:, :, first:last].sum(axis=2, dtype=np.float64)

    def select(self, series: NDArray[Any] | Sequence[int]) -> Forecast:
        """These series, in this order."""
        return replace(self, samples=self.samples[np.asarray(series)])
