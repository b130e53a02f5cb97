"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.bonus import Bonus
from vitrina.plan.chances import Discrete, Normal
from vitrina.plan.closed import Level, MinMaxLevels, QuantityLevels, base_stock, fixed_quantity, min_max, newsvendor
from vitrina.plan.demand import Demand
from vitrina.plan.forecast import Forecast
from vitrina.plan.goals import Goals, goals
from vitrina.plan.protocols import DemandModel, Forecaster

__all__ = [
    "Bonus",
    "Demand",
    "DemandModel",
    "Discrete",
    "Forecast",
    "Forecaster",
    "Goals",
    "Level",
    "MinMaxLevels",
    "Normal",
    "QuantityLevels",
    "base_stock",
    "fixed_quantity",
    "goals",
    "min_max",
    "newsvendor",
]
