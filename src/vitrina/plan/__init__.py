"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.bonus import Bonus
from vitrina.plan.chances import Discrete, Normal
from vitrina.plan.closed import Level, MinMaxLevels, QuantityLevels, base_stock, fixed_quantity, min_max, newsvendor
from vitrina.plan.demand import Demand
from vitrina.plan.demand_board import DemandBoard
from vitrina.plan.elasticity import price_response
from vitrina.plan.fan import fan_table
from vitrina.plan.forecast import Forecast
from vitrina.plan.forecasters.average import Average
from vitrina.plan.forecasters.counts import Counts
from vitrina.plan.forecasters.croston import TSB, Croston
from vitrina.plan.forecasters.naive import SeasonalNaive
from vitrina.plan.forecasters.packaged import StatsForecast
from vitrina.plan.forecasters.recalibrated import Recalibrated
from vitrina.plan.goals import Goals, goals
from vitrina.plan.goods import Goods
from vitrina.plan.mape import MapeFigures, mape_figures, sd_of_mape
from vitrina.plan.opening import closed_weekdays
from vitrina.plan.protocols import DemandModel, Forecaster
from vitrina.plan.read import read_demand
from vitrina.plan.reprice import repriced
from vitrina.plan.response import PriceFactor, PriceResponse
from vitrina.plan.rolling import evaluate_demand
from vitrina.plan.rules import FixedQuantity, MinMax, Newsvendor, OrderRule, OrderUpTo, Targets
from vitrina.plan.series import demand_of
from vitrina.plan.simulated import Simulated
from vitrina.plan.stock import simulate
from vitrina.plan.tables import PriceLog, StockLog
from vitrina.plan.zeros import ZeroRuns, suspicious_runs

__all__ = [
    "TSB",
    "Average",
    "Bonus",
    "Counts",
    "Croston",
    "Demand",
    "DemandBoard",
    "DemandModel",
    "Discrete",
    "FixedQuantity",
    "Forecast",
    "Forecaster",
    "Goals",
    "Goods",
    "Level",
    "MapeFigures",
    "MinMax",
    "MinMaxLevels",
    "Newsvendor",
    "Normal",
    "OrderRule",
    "OrderUpTo",
    "PriceFactor",
    "PriceLog",
    "PriceResponse",
    "QuantityLevels",
    "Recalibrated",
    "SeasonalNaive",
    "Simulated",
    "StatsForecast",
    "StockLog",
    "Targets",
    "ZeroRuns",
    "base_stock",
    "closed_weekdays",
    "demand_of",
    "evaluate_demand",
    "fan_table",
    "fixed_quantity",
    "goals",
    "mape_figures",
    "min_max",
    "newsvendor",
    "price_response",
    "read_demand",
    "repriced",
    "sd_of_mape",
    "simulate",
    "suspicious_runs",
]
