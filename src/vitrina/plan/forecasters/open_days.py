"""Forecasts of a shop that is closed on some weekdays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.opening import closed_weekdays
from vitrina.plan.demand.protocols import DemandModel, Forecaster
from vitrina.plan.forecasters.paths import Horizon
from vitrina.types import Bool, Float32


@final
class OpenDays(Config):
    """Another forecaster, with 0 on the weekdays on which the place of a series sells nothing (`closed_weekdays`).

    For forecasters that don't know weekdays, or not with certainty: a shop orders nothing for a Sunday on which it is closed. Steps of weeks stay as they are.

    Args:
        forecaster: the other one.
        last: days that are looked at.

    >>> from datetime import date
    >>> import numpy as np, vitrina as vt
    >>> units = np.ones((10, 28), np.float32) * (np.arange(28) % 7 < 5)  # from a Monday on
    >>> week = vt.plan.Demand(units, np.ones((10, 28), np.int8), np.arange(10, dtype=np.int32), vt.Vocabulary.of(range(10)), date(2027, 3, 1))
    >>> OpenDays(forecaster=vt.plan.SeasonalNaive()).fit(week).forecast(7, paths=3).mean()[0].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """

    forecaster: Forecaster
    last: int = Field(default=91, ge=7)

    def fit(self, demand: Demand) -> FittedOpenDays:
        """Fit the other forecaster, and look at the weekdays."""
        return FittedOpenDays(self.forecaster.fit(demand), Horizon.of(demand), closed_weekdays(demand, last=self.last))


@final
@dataclass(frozen=True, eq=False, repr=False)
class FittedOpenDays:
    """A fitted forecaster, and (series, 7) the weekdays, from Monday, on which a series has 0."""

    model: DemandModel
    horizon: Horizon
    closed: Bool

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        made = self.model.forecast(days, paths=paths, seed=seed, prices=prices)
        shut = self.closed[:, self.horizon.weekdays(days)]
        if not shut.any():
            return made
        count = int(self.closed.any(axis=1).sum())
        note = f"{count:,} series are of places that are closed on some weekdays, and have 0 on them."
        return replace(made, samples=np.where(shut[:, None, :], np.float32(0), made.samples), notes=(*made.notes, note))
