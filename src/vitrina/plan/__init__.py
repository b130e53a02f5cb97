"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.bonus import Bonus
from vitrina.plan.demand import Demand
from vitrina.plan.forecast import Forecast
from vitrina.plan.goals import Goals, goals
from vitrina.plan.protocols import DemandModel, Forecaster

__all__ = [
    "Bonus",
    "Demand",
    "DemandModel",
    "Forecast",
    "Forecaster",
    "Goals",
    "goals",
]
