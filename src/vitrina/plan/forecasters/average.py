"""Several forecasters as one: each draws its share of the paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, final

import numpy as np
from pydantic import Field, model_validator

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.protocols import DemandModel
from vitrina.plan.forecasters.counts import Counts
from vitrina.plan.forecasters.croston import TSB
from vitrina.types import Float32


@final
class Average(Config):
    """The mean of the distributions of several forecasters (a linear opinion pool): each draws a share of the paths.

    Its mean is the mean of the means, and its spread has what they disagree on. A path is of one forecaster, so that sums over days stay
    those of a forecaster. By default `Counts`, which knows level, week and year, and a slow `TSB`, which draws sizes that were sold: packs and
    wholesale orders.

    Args:
        forecasters: configs.
        weights: their shares of the paths; None: alike.

    >>> from datetime import date
    >>> from vitrina.plan import SeasonalNaive
    >>> from vitrina.vocabulary import Vocabulary
    >>> demand = Demand(np.float32([[1] * 7 + [3] * 7]), np.ones((1, 14), np.int8), np.zeros(1, np.int32), Vocabulary.of(["tea"]), date(2027, 1, 4))
    >>> both = Average(forecasters=(SeasonalNaive(weeks=1), TSB(alpha_chance=0.9, alpha_size=0.99)), weights=(0.75, 0.25))
    >>> float(both.fit(demand).forecast(7, paths=4).mean()[0, 0])
    3.0
    """

    forecasters: Annotated[tuple[Any, ...], Field(strict=False, min_length=1)] = (Counts(), TSB(alpha_chance=0.03, alpha_size=0.05))
    weights: Annotated[tuple[float, ...] | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def _fits(self) -> Average:
        weights = self.weights
        if weights is not None and (len(weights) != len(self.forecasters) or min(weights) < 0 or not sum(weights)):
            raise ValueError(
                f"The weights of Average are one per forecaster, from 0 up and not all 0: {len(self.forecasters)} of them. Got {weights}"
            )
        for one in self.forecasters:
            if not hasattr(one, "fit"):
                raise ValueError(f"Forecasters of Average are configs with a fit(demand), such as Counts(). Got {one!r}")
        return self

    def fit(self, demand: Demand) -> AverageModel:
        """Fit each."""
        weights = np.ones(len(self.forecasters)) if self.weights is None else np.array(self.weights)
        return AverageModel(tuple(one.fit(demand) for one in self.forecasters), tuple((weights / weights.sum()).tolist()))


@final
@dataclass(frozen=True, eq=False, repr=False)
class AverageModel:
    """Fitted forecasters, and their shares."""

    models: tuple[DemandModel, ...]
    weights: tuple[float, ...]

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        if paths < 1:
            raise ParameterError(f"A forecast needs paths of 1 at least. Got {paths}.", parameter="paths", value=paths)
        ends = np.rint(np.cumsum((0.0, *self.weights)) * paths).astype(int)
        counts = np.diff(ends)
        parts = [
            model.forecast(days, paths=int(count), seed=seed + place, prices=prices)
            for place, (model, count) in enumerate(zip(self.models, counts, strict=True))
            if count
        ]
        samples = parts[0].samples if len(parts) == 1 else np.concatenate([part.samples for part in parts], axis=1)
        order = np.random.default_rng(seed).permutation(samples.shape[1])  # so that the first paths are of all forecasters
        notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
        return Forecast(samples[:, order], parts[0].start, parts[0].step, seed, notes)
