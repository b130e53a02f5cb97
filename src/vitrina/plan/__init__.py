"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.demand import Demand
from vitrina.plan.demand_board import DemandBoard
from vitrina.plan.forecast import Forecast
from vitrina.plan.mape import MapeFigures, mape_figures, sd_of_mape
from vitrina.plan.protocols import DemandModel, Forecaster
from vitrina.plan.rolling import evaluate_demand

__all__ = [
    "Demand",
    "DemandBoard",
    "DemandModel",
    "Forecast",
    "Forecaster",
    "MapeFigures",
    "evaluate_demand",
    "mape_figures",
    "sd_of_mape",
]
