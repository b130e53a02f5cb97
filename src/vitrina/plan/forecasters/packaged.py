"""The models of statsforecast behind the contract of forecasters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import MissingExtraError, ParameterError, UnknownNameError
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.forecasters.paths import UNREAD, WEEK, Horizon, drawn
from vitrina.types import Float32, Float64

RESIDUALS = 26 * WEEK  # the last errors of a model that has no simulation of its own


@final
class StatsForecast(Config):
    """A model of [statsforecast](https://nixtlaverse.nixtla.io/statsforecast/), one fit per series: AutoETS, AutoTheta, AutoCES, IMAPA, ADIDA, CrostonOptimized ...

    Paths are those of the model's own simulation. A model without one gets errors of its last half year on past days, drawn in whole weeks. What
    falls below 0 is 0, and where demand is of whole units samples are rounded. Before its first known day a series has no history; a day that isn't
    known, or was sold out, takes the units of the same weekday before it, which the notes say. Prices are not read.

    Args:
        model: name of a class in `statsforecast.models`.
        season: days of its season, for models that have one.
        arguments: other arguments of the class, by name.

    Raises:
        MissingExtraError: statsforecast isn't installed.
        UnknownNameError: it has no such model.
        ParameterError: the arguments don't fit the model, or it tells no spread.

    Cost: that of the model: AutoETS some 10 to 100 milliseconds per series.
    """

    model: str = "AutoETS"
    season: int = Field(default=WEEK, ge=1)
    arguments: Mapping[str, Any] = Field(default_factory=dict)

    def fit(self, demand: Demand) -> PackagedModel:
        """Fit each series, one after another."""
        make, whole = self._class(), bool((demand.units == np.rint(demand.units)).all())
        fitted, filled, empty = [], 0, 0
        for units, known in zip(demand.units, demand.seen, strict=True):
            history, gaps = _filled(units, known, self.season)
            filled += gaps
            empty += not len(history)
            fitted.append(_Fitted.of(make(), history) if len(history) else None)
        notes = [
            (filled, f"{filled:,} days that aren't known, or were sold out, took the units of the same weekday before them."),
            (empty, f"{empty:,} of {len(demand):,} series have no seen day, and are forecast as 0."),
        ]
        return PackagedModel(Horizon.of(demand), self.model, tuple(fitted), whole, tuple(text for there, text in notes if there))

    def _class(self) -> Any:
        try:
            from statsforecast import models  # noqa: PLC0415  an extra
        except ImportError as error:
            raise MissingExtraError.of("statsforecast", "plan", "StatsForecast") from error
        known = [name for name in vars(models) if hasattr(getattr(models, name), "predict") and hasattr(getattr(models, name), "fit")]
        if self.model not in known:
            raise UnknownNameError.of("model of statsforecast", self.model, known)
        cls = getattr(models, self.model)
        named = dict(self.arguments)
        if "season_length" in cls.__init__.__code__.co_varnames:
            named = {"season_length": self.season} | named
        try:
            cls(**named)
        except TypeError as error:
            raise ParameterError(
                f"The 'arguments' of StatsForecast don't fit {self.model}: {error}.", owner="StatsForecast", parameter="arguments"
            ) from None
        return lambda: cls(**named)


def _filled(units: Float32, known: np.ndarray, season: int) -> tuple[Float64, int]:
    """Units from the first known day on, with those of the day a season before where a day isn't known; and how many those are."""
    if not known.any():
        return np.zeros(0), 0
    first = int(known.argmax())
    history, seen = units[first:].astype(np.float64), known[first:]
    gaps = np.flatnonzero(~seen)
    mean = history[seen].mean()
    for day in gaps:
        history[day] = history[day - season] if day >= season else mean
    return history, len(gaps)


@final
@dataclass(frozen=True, eq=False)
class _Fitted:
    """One series: the model, and its errors on past days where it can't simulate."""

    model: Any
    errors: Float64 | None = field(default=None)

    @classmethod
    def of(cls, model: Any, history: Float64) -> _Fitted:
        if len(history) < 2 * WEEK or (history == history[0]).all():  # there is nothing to fit: the last days go on
            return cls(float(history.mean()), history - history.mean())
        fitted = model.fit(history)
        if _simulates(fitted):
            return cls(fitted)
        try:
            past = np.asarray(model.forecast(y=history, h=1, fitted=True)["fitted"], np.float64)
        except NotImplementedError:
            raise ParameterError(
                f"{type(model).__name__} of statsforecast tells no spread: it neither simulates nor says what it forecast of past days. Take another model.",
                owner="StatsForecast", parameter="model",
            ) from None  # fmt: skip
        errors = (history - past)[-RESIDUALS:]
        return cls(fitted, errors[np.isfinite(errors)])

    def paths(self, days: int, paths: int, rng: np.random.Generator) -> Float64:
        """(paths, days) before anything is cut or rounded."""
        if self.errors is None:
            return np.asarray(self.model.simulate(days, paths, seed=int(rng.integers(1 << 31))), np.float64)
        mean = np.full(days, self.model) if isinstance(self.model, float) else np.asarray(self.model.predict(h=days)["mean"], np.float64)
        starts = rng.integers(max(len(self.errors), 1), size=(paths, -(-days // WEEK)))
        at = (starts[:, :, None] + np.arange(WEEK)).reshape(paths, -1)[:, :days]
        return mean + (self.errors[at % len(self.errors)] if len(self.errors) else 0.0)


def _simulates(fitted: Any) -> bool:
    try:
        return bool(np.isfinite(fitted.simulate(1, 2, seed=0)).all())
    except (NotImplementedError, ValueError):  # some simulations of 2.1 break for models with a season
        return False


@final
@dataclass(frozen=True, eq=False, repr=False)
class PackagedModel:
    """Fitted models, one per series; None where a series has no seen day."""

    horizon: Horizon
    name: str
    fitted: tuple[_Fitted | None, ...]
    whole: bool
    notes: tuple[str, ...] = ()

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        self.horizon.check(days, paths, prices)

        def draw(rows: slice, rng: np.random.Generator) -> Float64:
            made = [np.zeros((paths, days)) if one is None else one.paths(days, paths, rng) for one in self.fitted[rows]]
            samples = np.maximum(np.nan_to_num(np.stack(made), posinf=0.0, neginf=0.0), 0.0)
            return np.rint(samples) if self.whole else samples

        unread = () if prices is None else (UNREAD.format(f"StatsForecast({self.name})"),)
        return self.horizon.forecast(drawn(draw, len(self.fitted), paths, days, seed), seed, self.notes + unread)
