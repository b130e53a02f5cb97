"""What each of the pages shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date

import numpy as np
import polars as pl

from vitrina.plan import (
    BestPrices,
    BonusChange,
    BonusCurve,
    Demand,
    DemandBoard,
    Forecast,
    GoalResponse,
    Goals,
    Goods,
    GoodsDiagnosis,
    JudgedGoals,
    OrderList,
    PriceResponse,
    Simulated,
    Varied,
    profit_by_price,
)  # fmt: skip
from vitrina.types import Float64


@dataclass(frozen=True, eq=False)
class DemandStudy:
    """What is known of demand, and how well it can be forecast.

    Args:
        demand: all days, those that judged included.
        board: forecasters on its last days; None where there are too few days to judge.
        judged: by the best of the board, a forecast of the last known days, made before they were known, for the series of `demand` in their order; None where none was judged.
        ahead: the days to come; None where none are forecast.
        settings: facts for the last section.
        show: series whose forecasts are drawn; none for the biggest, those that cost most of the error, and others worth a look.
    """

    demand: Demand
    board: DemandBoard | None = None
    judged: Forecast | None = None
    ahead: Forecast | None = None
    title: str = "Demand"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    show: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class StockStudy:
    """What an ordering rule earns, what loses money, and what to order today.

    Args:
        simulated: the rule that is advised; of the series that are traced the stock is drawn over time.
        names: of its series, as people know them.
        start: the first day.
        today: the rule of today on the same paths; None where nobody told it.
        diagnosis: which items never pay, and what would help; None where nobody asked.
        varied: profit by pack size, by delivery...: one argument each, or two for several lines; the first setting is that of now.
        orders: of today; None where the stock isn't known.
        settings: facts for the last section.
    """

    simulated: Simulated
    names: Sequence[str]
    start: Date
    today: Simulated | None = None
    diagnosis: GoodsDiagnosis | None = None
    varied: Sequence[Varied] = ()
    orders: OrderList | None = None
    title: str = "Stock"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


@dataclass(frozen=True, eq=False)
class GoalsStudy:
    """Which goals are set, what they cost, and what is known of their effect.

    Args:
        goals: the chosen ones.
        start: the first day of their period.
        days: of the period.
        curve: bonuses by ambition; None without a bonus.
        judged: goals of the past; None where no forecast of the past was made.
        response: what a pilot of ambitions brought; None without one.
        change: the bonuses of a pilot of another forecast, taken apart; None without one.
        settings: facts for the last section.
    """

    goals: Goals
    start: Date
    days: int
    curve: BonusCurve | None = None
    judged: JudgedGoals | None = None
    response: GoalResponse | None = None
    change: BonusChange | None = None
    title: str = "Goals"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


@dataclass(frozen=True, eq=False)
class PriceStudy:
    """How demand answers to prices, and which prices earn most.

    Args:
        response: of the items.
        names: of the series, as people know them.
        today: (series,) prices of today.
        start: the first day of the period.
        days: of the period.
        best: a row per series; None where no goods are known.
        profits: series, price, profit, low, high of a few series, as `vitrina.plan.profit_by_price` has them; no row for none.
        confidence: of the intervals of `profits`.
        settings: facts for the last section.
    """

    response: PriceResponse
    names: Sequence[str]
    today: Float64
    start: Date
    days: int
    best: BestPrices | None = None
    profits: pl.DataFrame = field(default_factory=pl.DataFrame)
    confidence: float = 0.9
    title: str = "Prices"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


def profits_of(forecast: Forecast, goods: Goods, response: PriceResponse, best: BestPrices, *, show: Sequence[int] | None = None, seed: int = 0) -> pl.DataFrame:  # fmt: skip
    """Profit by price of the series that are worth a look: those whose better price brings most, up and down, and those that earn most.

    Args:
        forecast, goods, response: a row per series, as `vitrina.plan.best_price` takes them.
        best: what it found.
        show: series that are wanted; None for six of them.
        seed: of what is drawn.
    """
    gain, up = best.difference, best.price > best.today
    orders = [
        np.argsort(-np.where(up, gain, -np.inf), kind="stable")[:2],
        np.argsort(-np.where(best.price < best.today, gain, -np.inf), kind="stable")[:2],
    ]
    orders.append(np.argsort(-best.now.profit.mean(axis=1), kind="stable")[:6])
    few = np.asarray(list(dict.fromkeys(np.concatenate(orders).tolist()))[:6] if show is None else show, np.int64)
    rows = goods if len(goods) == 1 else goods.select(few)
    table = profit_by_price(forecast.select(few), rows, response.select(few), confidence=best.confidence, seed=seed)
    return table.with_columns(pl.Series("series", few[table["series"].to_numpy()]))
