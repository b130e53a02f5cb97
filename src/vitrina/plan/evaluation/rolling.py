"""Forecasters on the same past days: each origin is a day from which they look ahead, and what came true judges them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vitrina.base.errors import DataError, ParameterError
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.protocols import Forecaster
from vitrina.plan.evaluation.board import DemandBoard
from vitrina.plan.evaluation.boarding import board_of
from vitrina.plan.evaluation.scales import Known, Worth
from vitrina.plan.evaluation.scores import Scores, scores_of
from vitrina.plan.forecasters.naive import SeasonalNaive
from vitrina.types import Float32

BASELINE = "SeasonalNaive"
BYTES = 1 << 29  # of samples that are held at once


@dataclass(frozen=True, eq=False)
class Round:
    """One origin, judged.

    Args:
        origin: the column where the forecasts begin.
        known: what is known of the series before it.
        scores: of each forecaster.
        seconds: that each took to fit and to forecast.
        notes: sentences of the forecasts.
    """

    origin: int
    known: Known
    scores: Mapping[str, Scores]
    seconds: Mapping[str, float]
    notes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Task:
    """How to judge: the arguments of `evaluate_demand`."""

    days: int
    origins: int
    every: int
    paths: int
    seed: int
    weights: Worth
    season: int
    interval: float
    block: int | None
    prices: Float32 | None = None

    def starts(self, columns: int) -> list[int]:
        """The columns where forecasts begin, the earliest first."""
        return [columns - self.days - i * self.every for i in reversed(range(self.origins))]


def evaluate_demand(
    demand: Demand,
    forecasters: Mapping[str, Forecaster],
    *,
    days: int = 28,
    origins: int = 4,
    every: int | None = None,
    paths: int = 200,
    seed: int = 0,
    weights: Worth = "revenue",
    season: int = 1,
    interval: float = 0.9,
    category: str | None = None,
    prices: Float32 | None = None,
    block: int | None = None,
    bootstrap: Bootstrap = Bootstrap(),
) -> DemandBoard:
    """Forecasters on the last days of a demand, from several origins, beside the seasonal naive one that is always on the board.

    At each origin a forecaster is fitted on a copy of the days before it and sees nothing after; its paths of the next days are judged by
    what came true. Of series i and its n seen days t, with the demand y, the mean of the paths m and their quantiles q_u:

    - WRMSSE = sum_i w_i sqrt(1/n sum_t (y - m)^2 / S_i), S_i the mean squared error of the naive forecast one step ahead, after the first sale
      ([Makridakis, Spiliotis and Assimakopoulos 2022](https://doi.org/10.1016/j.ijforecast.2021.11.013), the M5 competition). w_i is the share of revenue, or units, over
      the 28 days before the origin.
    - WSPL = sum_i w_i mean_u 1/n sum_t max(u (y - q_u), (u - 1) (y - q_u)) / A_i, A_i the mean absolute error of the naive forecast, at the nine levels
      of [M5 on uncertainty](https://doi.org/10.1016/j.ijforecast.2021.10.009): .005, .025, .165, .25, .5, .75, .835, .975, .995.
    - coverage: of days whose demand lies within the 90% interval. Demand is of whole units: no interval from quantile to quantile holds just 90%,
      and one of a slow item holds nearly all whatever the forecast. So each day counts with the share of its step of the distribution
      function that is within 5% and 95% ([Czado, Gneiting and Held 2009](https://doi.org/10.1111/j.1541-0420.2009.01191.x), the randomised probability integral transform without
      the noise of drawing): 90% if the forecast is true, whatever the numbers. `coverage, ends included` is of the interval from quantile to quantile.
    - coverage of totals: the same of the sums over the days of the forecast.
    - bias = (sum of m - sum of y) / sum of y over all seen days; where weights are of revenue, in money by the price of the days before the origin.
    - MAPE: over the days with a sale. Shown with its warning: it leaves out the days without one, and the forecast with the best MAPE is too low.

    A day that ended sold out, or of which nothing is known, counts in none of these. Of a sold-out day the demand is only known to be at least the
    sales: `sold out above` is the share of them with sales above the upper end, which were certainly missed; a true forecast has at most 5%.

    Intervals and verdicts are over items, each with all its places and origins; those of WRMSSE and WSPL compare with the baseline as `compare_paired` does.

    Args:
        demand: of all days.
        forecasters: by the name to show. One that is a `SeasonalNaive` is the baseline; without one, `SeasonalNaive()` is added.
        days: columns of each forecast.
        origins: how many.
        every: columns from an origin to the next; `days` by default, so that no day is judged twice.
        paths: samples per series.
        seed: of the paths.
        weights: what a series counts: its "revenue", which is units where there are no prices, "units", or each "series" the same.
        season: columns to the day of the naive forecast that scales errors: 1 as in M5.
        interval: the chance that an interval promises.
        category: a column of the table of items to slice by.
        prices: (series, days of the demand) what one unit was planned to cost: forecasters are told those of the days ahead. Give what was known before, such as a
            calendar of promotions: mean prices of the sales themselves tell when there were any. None for none.
        block: series that are fitted together; all by default, or as many as keep samples under 512 MB. Series of one item stay together.
        bootstrap: its confidence is that of the intervals, and of all verdicts on one metric together.

    Raises:
        ParameterError: origins don't fit in the days, or an argument can't be.
        DataError: a forecast isn't of the series and days that were asked for, or no series can be scored.

    Cost: fitting and forecasting; beside it some 3 seconds per forecaster for 5,000 series, 4 origins, 28 days and 200 paths. Memory: the samples of a block,
    a copy of the days before an origin, and 300 bytes per series, origin and forecaster.
    """
    task = Task(days, origins, days if every is None else every, paths, seed, weights, season, interval, block, prices)
    _check(demand, task, category)
    named, baseline = _with_baseline(forecasters)
    rounds = [_round(demand, named, origin, task) for origin in task.starts(demand.days)]
    return board_of(demand, rounds, task, baseline, category, bootstrap)


def _with_baseline(forecasters: Mapping[str, Forecaster]) -> tuple[dict[str, Forecaster], str]:
    """The forecasters, the baseline first, and its name."""
    for name, one in forecasters.items():
        if not isinstance(one, Forecaster):
            raise ParameterError(
                f"A forecaster is a config with a fit(demand) that returns a model. '{name}' is {type(one).__name__}.",
                parameter="forecasters",
            )
    given = next((name for name, one in forecasters.items() if isinstance(one, SeasonalNaive)), None)
    if given is None and BASELINE in forecasters:
        raise ParameterError(
            f"'{BASELINE}' is the name of the baseline, which is added. Give {type(forecasters[BASELINE]).__name__} another name.",
            parameter="forecasters",
        )
    baseline = BASELINE if given is None else given
    first = SeasonalNaive() if given is None else forecasters[given]
    return {baseline: first} | {name: one for name, one in forecasters.items() if name != baseline}, baseline


def _check(demand: Demand, task: Task, category: str | None) -> None:
    for name in ("days", "origins", "every", "paths", "season", *(["block"] if task.block is not None else [])):
        if getattr(task, name) < 1:
            raise ParameterError(f"The '{name}' of evaluate_demand must be 1 or more. Got {getattr(task, name)}.", parameter=name)
    if not 0 < task.interval < 1:
        raise ParameterError(f"The 'interval' of evaluate_demand is between 0 and 1. Got {task.interval}.", parameter="interval")
    if task.weights not in ("revenue", "units", "series"):
        raise ParameterError(f"The 'weights' are 'revenue', 'units' or 'series'. Got {task.weights!r}.", parameter="weights")
    if task.prices is not None and np.shape(task.prices) != demand.units.shape:
        raise ParameterError(
            f"The 'prices' of evaluate_demand are (series, days) as the demand has them, {demand.units.shape}. Got {np.shape(task.prices)}.",
            parameter="prices",
        )
    if not len(demand):
        raise DataError("There is no series to forecast. Give a Demand of one or more.")
    first, fewest = task.starts(demand.days)[0], max(2, task.season + 1)
    if first < fewest:
        raise ParameterError(
            f"Origins: {task.origins}, {task.every} columns from one to the next, and {task.days} columns to forecast leave {max(first, 0)} of {demand.days} to learn from "
            f"before the first, and it takes {fewest}. Give {_remedy(demand.days - fewest, task)}a longer history.",
            parameter="origins",
        )
    columns = [] if demand.table is None else demand.table.columns
    if category is not None and category not in columns:
        raise ParameterError(
            f"The category '{category}' is no column of the table of items. There are: {', '.join(columns) or 'none'}.",
            parameter="category",
        )


def _remedy(columns: int, task: Task) -> str:
    """What to give so that the forecasts fit in so many columns, and no fewer are left to learn from than are forecast."""
    fit = (columns - task.days) // task.every + 1
    if fit > 0:
        return f"origins={fit} or fewer, or "
    days = columns // (task.origins + 1)
    if task.every != task.days:  # it stays when the days are fewer
        days = min(days, columns - (task.origins - 1) * task.every)
    return f"days={days} or fewer, or " if days > 0 else ""


def _round(demand: Demand, forecasters: Mapping[str, Forecaster], origin: int, task: Task) -> Round:
    truth = demand.between(origin, origin + task.days)
    known = Known.of(demand.between(0, origin), task.weights, task.season)
    scores, seconds, notes = {}, {}, {}
    for name, forecaster in forecasters.items():
        began = time.perf_counter()
        parts, said, judging = [], dict[str, None](), 0.0
        blocks = blocks_of(demand, task)
        for series in blocks:
            train = before(demand, origin, None if len(blocks) == 1 else series)
            ahead = None if task.prices is None else task.prices[series, origin : origin + task.days]
            forecast = _forecast(forecaster, train, ahead, task, name)
            said |= dict.fromkeys(forecast.notes)
            judged = time.perf_counter()
            parts.append((series, scores_of(forecast.samples, truth.select(series), known.select(series), task.interval)))
            judging += time.perf_counter() - judged
        seconds[name] = time.perf_counter() - began - judging
        scores[name], notes[name] = (
            Scores.joined([part for _, part in parts]).select(np.argsort(np.concatenate([s for s, _ in parts]))),
            tuple(said),
        )
    return Round(origin, known, scores, seconds, notes)


def before(demand: Demand, origin: int, series: Any = None) -> Demand:
    """The days before the origin, and nothing by which what follows could be reached: arrays are copies, and have no base."""
    part = demand.between(0, origin)
    part = part if series is None else part.select(series)
    price = None if part.price is None else np.array(part.price, order="C")
    return replace(part, units=np.array(part.units, order="C"), state=np.array(part.state, order="C"), price=price)


def blocks_of(demand: Demand, task: Task) -> list[np.ndarray]:
    """Series that are fitted together: those of an item in one block."""
    most = task.block or max(1, BYTES // (4 * task.paths * task.days))
    if len(demand) <= most:
        return [np.arange(len(demand))]
    order = np.argsort(demand.item, kind="stable")
    starts = np.flatnonzero(np.diff(demand.item[order], prepend=-1))  # of items
    blocks, begin = [], 0
    for end in [*starts[1:], len(order)]:
        if end - begin > most and begin < (last := starts[np.searchsorted(starts, end) - 1]):
            blocks.append(order[begin:last])
            begin = last
    return [*blocks, order[begin:]]


def _forecast(forecaster: Forecaster, train: Demand, prices: Float32 | None, task: Task, name: str) -> Forecast:
    forecast = forecaster.fit(train).forecast(task.days, paths=task.paths, seed=task.seed, prices=prices)
    found = len(forecast), forecast.days
    if found != (len(train), task.days) or forecast.start != train.end:
        raise DataError(
            f"'{name}' was asked for {len(train):,} series and {task.days} days from {train.end}, and forecast {found[0]:,} series and {found[1]} days "
            f"from {forecast.start}. A forecast has the series that the model was fitted on, in their order, and begins on the day after the last."
        )
    return forecast
