"""A forecast beside what came true, as a table: what a fan chart is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.plan.demand.demand import ABSENT, SEEN, SOLD_OUT, Demand
from vitrina.plan.demand.forecast import Forecast

BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
STATES = {ABSENT: "unknown", SEEN: "seen", SOLD_OUT: "sold out"}


def fan_table(
    forecast: Forecast,
    demand: Demand,
    series: NDArray[Any] | Sequence[int] | None = None,
    *,
    levels: Sequence[float] = BANDS,
    before: int = 0,
) -> pl.DataFrame:
    """A row per series and day: quantiles of the forecast, and what came true where it is known.

    Args:
        forecast: for the series of the demand, in their order; it may begin within the demand or right after it.
        demand: names the series, and knows what came true up to its end.
        series: rows of the demand; all by default.
        levels: of the quantiles.
        before: columns before the forecast that are shown too, without quantiles.

    Returns:
        series (row of the demand), name, day (the first of its column), units (null where nothing is known), state ("seen", "sold out": the units are the least that was wanted,
        "unknown"), mean, and a column per level: "q0.05".

    Raises:
        ParameterError: forecast and demand are of other series, steps or days, or a level can't be.

    >>> from datetime import date
    >>> from vitrina.vocabulary import Vocabulary
    >>> demand = Demand(np.float32([[3, 0, 5]]), np.ones((1, 3), np.int8), np.zeros(1, np.int32), Vocabulary.of(["tea"]), date(2027, 1, 1))
    >>> forecast = Forecast(np.float32([[[1, 4], [3, 2]]]), date(2027, 1, 3))
    >>> fan_table(forecast, demand, levels=[0.5, 0.9]).select("day", "units", "mean", "q0.5", "q0.9").rows()[0]
    (datetime.date(2027, 1, 3), 5.0, 2.0, 1.0, 3.0)
    """
    first = _column(forecast, demand)
    if not all(0 < level < 1 for level in levels):
        raise ParameterError(f"The 'levels' of quantiles are between 0 and 1. Got {list(levels)}.", parameter="levels")
    if before < 0:
        raise ParameterError(f"The 'before' of fan_table is 0 or more columns. Got {before}.", parameter="before")
    rows = np.arange(len(demand)) if series is None else np.asarray(series, np.int64)
    begin, end = max(first - before, 0), first + forecast.days
    count, wide = len(rows), end - begin
    of, known = demand.select(rows), min(end, demand.days) - begin
    units, state = np.full((count, wide), np.nan), np.full((count, wide), ABSENT, np.int8)
    units[:, :known], state[:, :known] = of.units[:, begin : begin + known], of.state[:, begin : begin + known]
    ahead = forecast.select(rows)
    columns = {"mean": ahead.mean()} | {f"q{level:g}": own for level, own in zip(levels, ahead.quantile(levels), strict=True)}
    blank = np.full((count, first - begin), np.nan)
    days = [demand.start + timedelta(days=(begin + i) * demand.step) for i in range(wide)]
    table = {
        "series": np.repeat(rows, wide), "name": np.repeat(np.array(of.names(), object), wide), "day": pl.Series(days * count, dtype=pl.Date),
        "units": np.where(state == ABSENT, np.nan, units).ravel(), "state": pl.Series(state.ravel()).replace_strict(STATES, return_dtype=pl.String),
    }  # fmt: skip
    shown = {name: np.concatenate([blank, own], axis=1).ravel() for name, own in columns.items()}
    return pl.DataFrame(table | shown, schema_overrides={"name": pl.String}).with_columns(pl.selectors.float().fill_nan(None))


def _column(forecast: Forecast, demand: Demand) -> int:
    """The column of the demand where the forecast begins."""
    apart = (forecast.start - demand.start).days
    fits = (
        len(forecast) == len(demand)
        and forecast.step == demand.step
        and apart % demand.step == 0
        and 0 <= apart // demand.step <= demand.days
    )
    if not fits:
        raise ParameterError(
            f"A forecast stands beside the demand of its own series and days. Got {forecast!r} in steps of {forecast.step}, and {demand!r} up to {demand.end}. "
            "Give the demand that the forecaster was fitted on, or one of the same series that goes on."
        )
    return apart // demand.step
