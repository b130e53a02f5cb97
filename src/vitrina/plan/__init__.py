"""Stock, price and plan: how much will be wanted, how much of it to hold, at which price, and which goal to set.

For whoever must answer for what the list sells: that it is there, and worth selling.
"""

from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.opening import closed_weekdays
from vitrina.plan.demand.protocols import DemandModel, Forecaster
from vitrina.plan.demand.read import read_demand
from vitrina.plan.demand.series import demand_of
from vitrina.plan.demand.tables import PriceLog, StockLog
from vitrina.plan.demand.zeros import ZeroRuns, suspicious_runs
from vitrina.plan.evaluation.board import DemandBoard
from vitrina.plan.evaluation.fan import fan_table
from vitrina.plan.evaluation.rolling import evaluate_demand
from vitrina.plan.forecasters.average import Average
from vitrina.plan.forecasters.counts import Counts
from vitrina.plan.forecasters.croston import TSB, Croston
from vitrina.plan.forecasters.likes import ByLikes
from vitrina.plan.forecasters.naive import SeasonalNaive
from vitrina.plan.forecasters.open_days import OpenDays
from vitrina.plan.forecasters.packaged import StatsForecast
from vitrina.plan.forecasters.recalibrated import Recalibrated
from vitrina.plan.forecasters.totals import CalibratedTotals
from vitrina.plan.goals.ambition import BonusCurve, ambition_for, cost_by_ambition
from vitrina.plan.goals.bonus import Bonus
from vitrina.plan.goals.bonus_change import BonusChange, explain_bonuses
from vitrina.plan.goals.effort import GoalResponse
from vitrina.plan.goals.goals import Goals, goals
from vitrina.plan.goals.judged_goals import JudgedGoals, judge_goals
from vitrina.plan.goals.mape import MapeFigures, mape_figures, sd_of_mape
from vitrina.plan.goals.pilot import plan_pilot, response_to_goals
from vitrina.plan.goals.world import GoalWorld
from vitrina.plan.price.arms import arm_response
from vitrina.plan.price.best_prices import BestPrices
from vitrina.plan.price.elasticity import price_response
from vitrina.plan.price.pricing import best_price, profit_by_price
from vitrina.plan.price.reprice import repriced
from vitrina.plan.price.response import PriceFactor, PriceResponse
from vitrina.plan.stock.chances import Discrete, Normal
from vitrina.plan.stock.closed import Level, MinMaxLevels, QuantityLevels, base_stock, fixed_quantity, min_max, newsvendor
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.optimise import optimise
from vitrina.plan.stock.optimised import Optimised
from vitrina.plan.stock.order_list import OrderList, order_now
from vitrina.plan.stock.rules import FixedQuantity, MinMaxStock, Newsvendor, OrderRule, OrderUpTo, Targets
from vitrina.plan.stock.shown import in_stock, item_columns, onto_items
from vitrina.plan.stock.simulate import simulate
from vitrina.plan.stock.simulated import Simulated
from vitrina.plan.stock.vary import Varied, vary
from vitrina.plan.stock.verdicts import GoodsDiagnosis, diagnose_goods

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
    "MinMaxLevels",
    "MinMaxStock",
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
