"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.ambition import BonusCurve, ambition_for, cost_by_ambition
from vitrina.plan.arms import arm_response
from vitrina.plan.best_prices import BestPrices
from vitrina.plan.bonus import Bonus
from vitrina.plan.bonus_change import BonusChange, explain_bonuses
from vitrina.plan.chances import Discrete, Normal
from vitrina.plan.closed import Level, MinMaxLevels, QuantityLevels, base_stock, fixed_quantity, min_max, newsvendor
from vitrina.plan.demand import Demand
from vitrina.plan.demand_board import DemandBoard
from vitrina.plan.effort import GoalResponse
from vitrina.plan.elasticity import price_response
from vitrina.plan.fan import fan_table
from vitrina.plan.forecast import Forecast
from vitrina.plan.forecasters.average import Average
from vitrina.plan.forecasters.counts import Counts
from vitrina.plan.forecasters.croston import TSB, Croston
from vitrina.plan.forecasters.likes import ByLikes
from vitrina.plan.forecasters.naive import SeasonalNaive
from vitrina.plan.forecasters.open_days import OpenDays
from vitrina.plan.forecasters.packaged import StatsForecast
from vitrina.plan.forecasters.recalibrated import Recalibrated
from vitrina.plan.forecasters.totals import CalibratedTotals
from vitrina.plan.goal_pilot import plan_pilot, response_to_goals
from vitrina.plan.goal_world import GoalWorld
from vitrina.plan.goals import Goals, goals
from vitrina.plan.goods import Goods
from vitrina.plan.judged_goals import JudgedGoals, judge_goals
from vitrina.plan.mape import MapeFigures, mape_figures, sd_of_mape
from vitrina.plan.opening import closed_weekdays
from vitrina.plan.optimise import optimise
from vitrina.plan.optimised import Optimised
from vitrina.plan.order_list import OrderList, order_now
from vitrina.plan.pricing import best_price, profit_by_price
from vitrina.plan.protocols import DemandModel, Forecaster
from vitrina.plan.read import read_demand
from vitrina.plan.reprice import repriced
from vitrina.plan.response import PriceFactor, PriceResponse
from vitrina.plan.rolling import evaluate_demand
from vitrina.plan.rules import FixedQuantity, MinMax, Newsvendor, OrderRule, OrderUpTo, Targets
from vitrina.plan.series import demand_of
from vitrina.plan.shown import in_stock, item_columns, onto_items
from vitrina.plan.simulated import Simulated
from vitrina.plan.stock import simulate
from vitrina.plan.tables import PriceLog, StockLog
from vitrina.plan.vary import Varied, vary
from vitrina.plan.verdicts import GoodsDiagnosis, diagnose_goods
from vitrina.plan.zeros import ZeroRuns, suspicious_runs

__all__ = [
    "TSB",
    "Average",
    "BestPrices",
    "Bonus",
    "BonusChange",
    "BonusCurve",
    "ByLikes",
    "CalibratedTotals",
    "Counts",
    "Croston",
    "Demand",
    "DemandBoard",
    "DemandModel",
    "Discrete",
    "FixedQuantity",
    "Forecast",
    "Forecaster",
    "GoalResponse",
    "GoalWorld",
    "Goals",
    "Goods",
    "GoodsDiagnosis",
    "JudgedGoals",
    "Level",
    "MapeFigures",
    "MinMax",
    "MinMaxLevels",
    "Newsvendor",
    "Normal",
    "OpenDays",
    "Optimised",
    "OrderList",
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
    "Varied",
    "ZeroRuns",
    "ambition_for",
    "arm_response",
    "base_stock",
    "best_price",
    "closed_weekdays",
    "cost_by_ambition",
    "demand_of",
    "diagnose_goods",
    "evaluate_demand",
    "explain_bonuses",
    "fan_table",
    "fixed_quantity",
    "goals",
    "in_stock",
    "item_columns",
    "judge_goals",
    "mape_figures",
    "min_max",
    "newsvendor",
    "onto_items",
    "optimise",
    "order_now",
    "plan_pilot",
    "price_response",
    "profit_by_price",
    "read_demand",
    "repriced",
    "response_to_goals",
    "sd_of_mape",
    "simulate",
    "suspicious_runs",
    "vary",
]
