"""The pages on demand, stock, price and goals: what to order, what loses money, which price earns most, and which goal to set."""

from vitrina.pages.plan.demand import demand_page
from vitrina.pages.plan.goals import goals_page
from vitrina.pages.plan.stock import stock_page
from vitrina.pages.plan.study import DemandStudy, GoalsStudy, StockStudy

__all__ = ["DemandStudy", "GoalsStudy", "StockStudy", "demand_page", "goals_page", "stock_page"]
