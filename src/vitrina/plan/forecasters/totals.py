"""Totals that are as uncertain as those of the past were: paths of any forecaster, moved to where its own errors of whole periods say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from pydantic import Field, field_validator

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.plan.demand.demand import ABSENT, Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.protocols import DemandModel
from vitrina.plan.forecasters.naive import SeasonalNaive
from vitrina.types import Float32, Float64

KNOWN = 0.75  # of the days of a period: a shop that is closed on a holiday sells 0 on it
FEWEST = 50  # totals of the past, below which their tails are a guess


@final
class CalibratedTotals(Config):
    """Another forecaster, whose paths are moved so that their totals over `days` are off as often and as far as its own were on the past.

    Most forecasters draw days nearly by themselves, so that a total of many days, whose errors are mostly those of the level, spreads too little, and goals that are quantiles of it are missed and beaten too often. At `origins` days of
    the past the forecaster is fitted on what was known and looks `days` ahead; with mean m and standard deviation s of its totals, z = (total - m) / s is kept of every series three quarters of whose days are known (others count as 0). The path of
    rank r among n of a series then gets the total max(m + s Q((r - 1/2) / n), 0), Q the quantiles of all z together, and its days are multiplied so that they come to it. It is split conformal prediction on studentised
    totals ([Lei et al. 2018](https://doi.org/10.1080/01621459.2017.1307116), section 5.2), of periods that follow one another in time: what it promises holds as far as the errors of the next period are like those of the last ones.

    Paths keep their order, so what series share stays. Units are no longer whole numbers. Sums over series (`by=` of `goals`) are not what was calibrated: read a demand whose series are the places.

    Args:
        forecaster: any.
        days: of the period, in steps of the demand.
        origins: how many times the past is forecast.
        every: steps between origins; None: `days`, so that no day is in two of the periods.

    Cost: that of the forecaster, `origins` + 1 times.

    >>> from datetime import date
    >>> from vitrina.vocabulary import Vocabulary
    >>> rng = np.random.default_rng(0)
    >>> level = np.exp(0.02 * rng.standard_normal((60, 400)).cumsum(axis=1))
    >>> demand = Demand(rng.poisson(30 * level).astype(np.float32), np.ones((60, 400), np.int8), np.arange(60, dtype=np.int32), Vocabulary.of(np.arange(60)), date(2026, 1, 1))
    >>> plain, wide = (one.fit(demand).forecast(28).total().std(axis=1).mean() for one in (SeasonalNaive(), CalibratedTotals(days=28)))
    >>> round(float(wide / plain), 1)
    2.9
    """

    forecaster: Any = SeasonalNaive(weeks=8)
    days: int = Field(default=28, ge=1)
    origins: int = Field(default=6, ge=1)
    every: int | None = Field(default=None, ge=1)

    @field_validator("forecaster")
    @classmethod
    def _fits(cls, value: Any) -> Any:
        if not callable(getattr(value, "fit", None)):
            raise ValueError(f"The 'forecaster' of CalibratedTotals is one such as SeasonalNaive(). Got {value!r}")
        return value

    def fit(self, demand: Demand) -> CalibratedModel:
        """Fit it on the whole past, and on shorter ones to see how far off it is."""
        gap = self.days if self.every is None else self.every
        cuts = [demand.days - self.days - at * gap for at in range(self.origins)]
        if cuts[-1] < 1:
            raise ParameterError(
                f"{self.origins} periods of {self.days} days need more than {self.days + (self.origins - 1) * gap} days. Got {demand.days}. Take fewer origins=, or a smaller every=.",
                owner="CalibratedTotals", parameter="origins", value=self.origins,
            )  # fmt: skip
        off = np.concatenate([self._errors(demand, cut) for cut in cuts])
        if len(off) < FEWEST:
            raise DataError(
                f"{len(off)} totals of the past are known, and {FEWEST} are needed to say how far off totals are. Take more origins=, a smaller every=, or more series."
            )
        return CalibratedModel(self.forecaster.fit(demand), np.sort(off), self.days, self.origins)

    def _errors(self, demand: Demand, cut: int) -> Float64:
        """Of the series of which most days after the cut are known, and something before it."""
        seen = demand.state != ABSENT
        known = np.flatnonzero((seen[:, cut : cut + self.days].mean(axis=1) >= KNOWN) & seen[:, :cut].any(axis=1))
        if not len(known):
            return np.empty(0)
        totals = self.forecaster.fit(demand.between(0, cut).select(known)).forecast(self.days, seed=cut).total()
        spread = totals.std(axis=1)
        sold = demand.units[known, cut : cut + self.days].sum(axis=1, dtype=np.float64)
        return ((sold - totals.mean(axis=1)) / np.where(spread > 0, spread, np.nan))[spread > 0]


@final
@dataclass(frozen=True, eq=False, repr=False)
class CalibratedModel:
    """A fitted forecaster and the errors of its totals.

    Args:
        model: the fitted forecaster.
        errors: of the past, in standard deviations of its own totals, rising.
        days: for which they are right.
        origins: of how many periods they are.
    """

    model: DemandModel
    errors: Float64
    days: int
    origins: int

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        """Paths whose totals are those of the model, moved.

        Raises:
            ParameterError: other days than those whose errors are known; and as the model.
        """
        if days != self.days:
            raise ParameterError(
                f"The errors of totals are known for {self.days} days. Got {days}: say CalibratedTotals(days={days}).", parameter="days", value=days
            )  # fmt: skip
        drawn = self.model.forecast(days, paths=paths, seed=seed, prices=prices)
        totals = drawn.total()
        mean, spread = totals.mean(axis=1, keepdims=True), totals.std(axis=1, keepdims=True)
        moved = np.maximum(mean + spread * np.quantile(self.errors, (np.arange(paths) + 0.5) / paths), 0.0)
        wanted = np.empty_like(totals)
        np.put_along_axis(wanted, np.argsort(totals, axis=1, kind="stable"), np.where(spread > 0, moved, mean), axis=1)
        empty = totals == 0  # a path without a sale has no days to multiply: the mean's are
        shape = np.where(empty[:, :, None], drawn.mean()[:, None, :], drawn.samples)
        base = np.where(empty, mean, totals)
        factor = np.divide(wanted, base, out=np.zeros_like(base), where=base > 0)
        note = f"Totals of {days} days are as far from what was expected as {len(self.errors):,} totals of {self.origins} periods of the past were; units are no longer whole numbers."
        return Forecast((shape * factor[:, :, None]).astype(np.float32), drawn.start, drawn.step, drawn.seed, (*drawn.notes, note))
