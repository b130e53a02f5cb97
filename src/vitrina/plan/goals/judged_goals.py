"""Whether goals were met as often as the forecast said that they would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.evaluate.interval import mean_interval
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.goals.goals import Goals, check_levels, goals

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@final
@dataclass(frozen=True, eq=False, repr=False)
class JudgedGoals:
    """Chances that goals are met, and how often they were.

    Args:
        table: a row per ambition: ambition, goals (how many were set), promised (mean chance that they are met), met (share that were) with low and high, verdict.
        periods: of how many forecasts.
        confidence: of the intervals, which are over those who have goals.
    """

    table: pl.DataFrame
    periods: int
    confidence: float

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Whether the promise is kept at all ambitions together, and what that can't say."""
        promised, met = self.table["promised"].mean(), self.table["met"].mean()
        off = [f"{verdict} at an ambition of {at}" for verdict, at in self._off()]
        kept = (
            f"Goals of the past would have been met {' and '.join(off)}"
            if off
            else "Goals of the past would have been met as often as promised at every ambition"
        )
        one = "one period, in which a good or a bad month moves all goals together: the intervals don't have that" if self.periods == 1 else f"{self.periods} periods"  # fmt: skip
        return (f"{kept}: {met:.1%} where {promised:.1%} were promised, over all of them.", f"This is of {one}.")

    def _off(self) -> list[tuple[str, str]]:
        """Verdicts other than the good one, each with its ambitions."""
        words = {"more than promised": "more often than promised", "fewer than promised": "less often than promised"}
        told = [(words[v], self.table.filter(pl.col("verdict") == v)["ambition"].to_list()) for v in words]
        return [(verdict, ", ".join(f"{a:g}" for a in at)) for verdict, at in told if at]

    def __repr__(self) -> str:
        return f"JudgedGoals({self.periods} periods): {self.sentences[0]}"

    def __str__(self) -> str:
        return as_text(self, 160)

    def _repr_html_(self) -> str:
        return html_of(self)


def judge_goals(
    demand: Demand,
    forecasts: Sequence[Forecast],
    *,
    levels: Sequence[float] = LEVELS,
    by: Any = None,
    price: ArrayLike = 1.0,
    confidence: float = 0.95,
) -> JudgedGoals:
    """Set goals by forecasts that were made before days which are known now, and count how many would have been met.

    An outcome is what was sold, on sold-out days too: that is what goals are held against. Nobody was told these goals, so this judges the forecast and not the people.
    Intervals are `vt.evaluate.mean_interval` over those who have a goal, each with all periods.

    Args:
        demand: of all days, known ones included.
        forecasts: for its series in their order, one per period; each ends with the demand, or before.
        levels: ambitions, each between 0 and 1.
        by, price: as in `goals`.
        confidence: of the intervals.

    Raises:
        ParameterError: a forecast is of other series, or of days that the demand doesn't have; and as `goals`.

    >>> from datetime import date
    >>> from vitrina.vocabulary import Vocabulary
    >>> rng = np.random.default_rng(0)
    >>> sold = rng.poisson(9, (300, 56)).astype(np.float32)
    >>> demand = Demand(sold, np.ones(sold.shape, np.int8), np.arange(300, dtype=np.int32), Vocabulary.of(np.arange(300)), date(2027, 1, 1))
    >>> ahead = Forecast(rng.poisson(9, (300, 400, 28)).astype(np.float32), date(2027, 1, 29))
    >>> print(judge_goals(demand, [ahead], levels=[0.5]).table["verdict"][0])
    as promised
    """
    check_levels("levels", levels)
    if not forecasts:
        raise ParameterError("Goals are judged on one forecast or more. Got none.", parameter="forecasts")
    outcomes = [_sold(demand, one, by, price) for one in forecasts]
    rows = []
    for level in sorted(levels):
        found = [goals(one, level, by=by, price=price, confidence=confidence) for one in forecasts]
        met = np.concatenate([sold >= one.table["goal"].to_numpy() for sold, one in zip(outcomes, found, strict=True)]).astype(np.float64)
        who = np.concatenate([np.arange(len(one)) for one in found])
        rows.append(_row(level, found, met, mean_interval(met, who, confidence)))
    return JudgedGoals(pl.DataFrame(rows), len(forecasts), confidence)


def _sold(demand: Demand, forecast: Forecast, by: Any, price: ArrayLike) -> np.ndarray:
    """(rows,) what came of the days of a forecast, in the order of `goals`."""
    cut, off = divmod((forecast.start - demand.start).days, demand.step)
    if len(forecast) != len(demand) or forecast.step != demand.step or off or cut < 0 or cut + forecast.days > demand.days:
        last = forecast.start + timedelta(days=forecast.days * forecast.step - 1)
        raise ParameterError(
            f"A forecast that judges goals is of the series of the demand and of days that it has. Got {len(forecast):,} series from {forecast.start} to {last} beside {demand}.",
            parameter="forecasts",
        )
    sold = demand.units[:, cut : cut + forecast.days].sum(axis=1, dtype=np.float64) * np.asarray(price, np.float64)
    if by is None:
        return sold
    labels = pl.Series("name", by)
    return pl.DataFrame({"name": labels, "sold": sold}).group_by("name", maintain_order=True).agg(pl.col("sold").sum())["sold"].to_numpy()


def _row(level: float, found: Sequence[Goals], met: np.ndarray, ends: tuple[float, float]) -> dict[str, Any]:
    promised = float(np.mean(np.concatenate([one.table["met"].to_numpy() for one in found])))
    low, high = ends
    verdict = "more than promised" if low > promised else "fewer than promised" if high < promised else "as promised"
    return {
        "ambition": level,
        "goals": len(met),
        "promised": promised,
        "met": float(met.mean()),
        "low": low,
        "high": high,
        "verdict": verdict,
    }
