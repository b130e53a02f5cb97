"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.ambition import BonusCurve, ambition_for, cost_by_ambition
from vitrina.plan.bonus import Bonus
from vitrina.plan.bonus_change import BonusChange, explain_bonuses
from vitrina.plan.chances import Discrete, Normal
from vitrina.plan.closed import Level, MinMaxLevels, QuantityLevels, base_stock, fixed_quantity, min_max, newsvendor
from vitrina.plan.demand import Demand
from vitrina.plan.effort import GoalResponse
from vitrina.plan.forecast import Forecast
from vitrina.plan.goal_pilot import plan_pilot, response_to_goals
from vitrina.plan.goal_world import GoalWorld
from vitrina.plan.goals import Goals, goals
from vitrina.plan.protocols import DemandModel, Forecaster

__all__ = [
    "Bonus",
    "BonusChange",
    "BonusCurve",
    "Demand",
    "DemandModel",
    "Discrete",
    "Forecast",
    "Forecaster",
    "GoalResponse",
    "GoalWorld",
    "Goals",
    "Level",
    "MinMaxLevels",
    "Normal",
    "QuantityLevels",
    "ambition_for",
    "base_stock",
    "cost_by_ambition",
    "explain_bonuses",
    "fixed_quantity",
    "goals",
    "min_max",
    "newsvendor",
    "plan_pilot",
    "response_to_goals",
]
