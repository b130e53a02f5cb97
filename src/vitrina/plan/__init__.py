"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.demand import Demand
from vitrina.plan.forecast import Forecast
from vitrina.plan.opening import closed_weekdays
from vitrina.plan.protocols import DemandModel, Forecaster
from vitrina.plan.read import read_demand
from vitrina.plan.series import demand_of
from vitrina.plan.tables import PriceLog, StockLog
from vitrina.plan.zeros import ZeroRuns, suspicious_runs

__all__ = [
    "Demand",
    "DemandModel",
    "Forecast",
    "Forecaster",
    "PriceLog",
    "StockLog",
    "ZeroRuns",
    "closed_weekdays",
    "demand_of",
    "read_demand",
    "suspicious_runs",
]
