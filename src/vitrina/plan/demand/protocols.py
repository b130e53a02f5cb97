"""What a forecaster is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.types import Float32


@runtime_checkable
class DemandModel(Protocol):
    """A fitted forecaster: it begins on the day after the last one that it was fitted on."""

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        """Paths of the next days, for the series that it was fitted on, in their order.

        Args:
            days: columns of the forecast.
            paths: samples per series.
            seed: of the samples.
            prices: (series, days) what one unit will cost; None for the last known price. Who doesn't read prices says so in the notes of the forecast.
        """
        ...


@runtime_checkable
class Forecaster(Protocol):
    """A frozen config; `fit` returns the fitted one."""

    def fit(self, demand: Demand) -> DemandModel:
        """Learn from days that are seen; what was sold out counts as "at least that", or not at all."""
        ...
