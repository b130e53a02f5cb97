"""The pages on demand, stock, price and goals: what to order, what loses money, which price earns most, and which goal to set."""

from vitrina.pages.plan.demand import demand_page
from vitrina.pages.plan.goals import goals_page
from vitrina.pages.plan.price import price_page
from vitrina.pages.plan.stock import stock_page
from vitrina.pages.plan.study import DemandStudy, GoalsStudy, PriceStudy, StockStudy, profits_of

__all__ = ["DemandStudy", "GoalsStudy", "PriceStudy", "StockStudy", "demand_page", "goals_page", "price_page", "profits_of", "stock_page"]
