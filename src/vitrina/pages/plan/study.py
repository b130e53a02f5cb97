"""What each of the pages shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date

from vitrina.plan import BonusChange, BonusCurve, Demand, DemandBoard, Forecast, GoalResponse, Goals, JudgedGoals, Simulated


@dataclass(frozen=True, eq=False)
class DemandStudy:
    """What is known of demand, and how well it can be forecast.

    Args:
        demand: all days, those that judged included.
        board: forecasters on its last days; None where there are too few days to judge.
        judged: by the best of the board, a forecast of the last known days, made before they were known, for the series of `demand` in their order; None where none was judged.
        ahead: the days to come; None where none are forecast.
        settings: facts for the last section.
    """

    demand: Demand
    board: DemandBoard | None = None
    judged: Forecast | None = None
    ahead: Forecast | None = None
    title: str = "Demand"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


@dataclass(frozen=True, eq=False)
class StockStudy:
    """What an ordering rule earns, what loses money, and what to order today.

    Args:
        simulated: the rule that is advised; of the series that are traced the stock is drawn over time.
        names: of its series, as people know them.
        start: the first day.
        today: the rule of today on the same paths; None where nobody told it.
        settings: facts for the last section.
    """

    simulated: Simulated
    names: Sequence[str]
    start: Date
    today: Simulated | None = None
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
