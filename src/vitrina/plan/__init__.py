"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.demand import Demand
from vitrina.plan.elasticity import price_response
from vitrina.plan.forecast import Forecast
from vitrina.plan.protocols import DemandModel, Forecaster
from vitrina.plan.response import PriceFactor, PriceResponse

__all__ = [
    "Demand",
    "DemandModel",
    "Forecast",
    "Forecaster",
    "PriceFactor",
    "PriceResponse",
    "price_response",
]
