"""What is known of series at an origin, and what their errors are measured by: scales, weights, classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vitrina.plan.demand.demand import Demand
from vitrina.types import Bool, Float64, Int64

RECENT = 28  # days before the origin that say what a series is worth
INTERVAL, SPREAD = 1.32, 0.49  # between smooth and intermittent, and between these and erratic or lumpy
CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "no sale yet")
Worth = Literal["revenue", "units", "series"]


@dataclass(frozen=True, eq=False)
class Known:
    """Of each series at an origin, from the days before it alone.

    Args:
        squared: (series,) mean squared error of the naive forecast one step ahead, after the first sale; NaN where there is none.
        absolute: (series,) its mean absolute error.
        weight: (series,) share of revenue or units over the last 28 days; they sum to 1 over the series with a scale, or are all 0.
        kind: (series,) place in `CLASSES`.
        age: (series,) columns since the first sale; -1 where there was none.
        price: (series,) what a unit earned over the last 28 days, or before; 1 where weights are not of revenue.
        unpriced: series with sales in these days and no known price; the median price stands in.
    """

    squared: Float64
    absolute: Float64
    weight: Float64
    kind: Int64
    age: Int64
    price: Float64
    unpriced: int = 0

    @classmethod
    def of(cls, train: Demand, worth: Worth, season: int = 1) -> Known:
        """Of the days before an origin; `season` columns lie between a day and its naive forecast."""
        sold = train.units > 0
        first = np.where(sold.any(axis=1), sold.argmax(axis=1), train.days)
        squared, absolute = _scales(train, first, season)
        weight, price, unpriced = _worth(train, worth)
        weight = np.where(np.isfinite(squared), weight, 0.0)
        total = weight.sum()
        weight = weight / total if total > 0 else weight
        age = np.where(first < train.days, train.days - first, -1).astype(np.int64)
        return cls(squared, absolute, weight, kinds_of(train), age, price, unpriced)

    def select(self, series: np.ndarray) -> Known:
        """These series, in this order; weights stay those of all."""
        squared, absolute, weight, price = (array[series] for array in (self.squared, self.absolute, self.weight, self.price))
        return Known(squared, absolute, weight, self.kind[series], self.age[series], price, self.unpriced)

    @property
    def scaled(self) -> Bool:
        """(series,) whether an error has a scale."""
        return np.isfinite(self.squared)


def _scales(train: Demand, first: Int64, season: int) -> tuple[Float64, Float64]:
    """Mean squared and absolute differences to the day `season` columns before, over pairs of seen days from the first sale on; NaN for 0."""
    both = train.seen[:, season:] & train.seen[:, :-season] & (np.arange(max(train.days - season, 0)) >= first[:, None])
    off = np.where(both, train.units[:, season:] - train.units[:, :-season], 0.0).astype(np.float64)
    pairs = both.sum(axis=1)
    squared, absolute = (off**2).sum(axis=1), np.abs(off).sum(axis=1)
    known = (pairs > 0) & (absolute > 0)
    nothing = np.full(len(pairs), np.nan)
    return np.divide(squared, pairs, out=nothing.copy(), where=known), np.divide(absolute, pairs, out=nothing, where=known)


def _worth(train: Demand, worth: Worth) -> tuple[Float64, Float64, int]:
    """(series,) revenue or units over the last 28 days, or 1; (series,) the price of a unit; how many series had sales whose price nobody knows."""
    one = np.ones(len(train))
    if worth == "series":
        return one, one, 0
    last = max(1, round(RECENT / train.step))
    units = train.units[:, -last:].astype(np.float64)
    if worth == "units" or train.price is None:
        return units.sum(axis=1), one, 0
    price = train.price.astype(np.float64)
    known = np.isfinite(price)
    count = known.sum(axis=1)
    usual = np.divide(np.where(known, price, 0.0).sum(axis=1), count, out=np.full(len(price), np.nan), where=count > 0)
    unpriced = int(((units.sum(axis=1) > 0) & np.isnan(usual)).sum())
    usual = np.where(np.isnan(usual), np.nanmedian(usual) if count.any() else 1.0, usual)
    recent = price[:, -last:]
    revenue, sold = (units * np.where(np.isfinite(recent), recent, usual[:, None])).sum(axis=1), units.sum(axis=1)
    return revenue, np.divide(revenue, sold, out=usual, where=sold > 0), unpriced


def kinds_of(demand: Demand) -> Int64:
    """(series,) place in `CLASSES`: how often and how evenly a series sells, by its seen days from the first sale on.

    [Syntetos, Boylan and Croston 2005](https://doi.org/10.1057/palgrave.jors.2601841): the days per day with a sale (ADI, 1.32) and the squared
    coefficient of variation of what is sold on such a day (CV2, .49) divide smooth (below both), erratic (CV2 above), intermittent (ADI
    above) and lumpy (both above).
    """
    sold = demand.units > 0
    since = np.cumsum(sold, axis=1) > 0
    days = (demand.seen & since).sum(axis=1)
    sales = sold & demand.seen
    count = sales.sum(axis=1)
    size = np.where(sales, demand.units, 0.0).astype(np.float64)
    mean = size.sum(axis=1) / np.maximum(count, 1)
    spread = (np.where(sales, size - mean[:, None], 0.0) ** 2).sum(axis=1) / np.maximum(count, 1)
    interval = days / np.maximum(count, 1)
    lumps = np.divide(spread, mean**2, out=np.zeros(len(mean)), where=mean > 0)
    kind = np.where(interval < INTERVAL, 0, 2) + (lumps >= SPREAD)
    return np.where(count > 0, kind, len(CLASSES) - 1).astype(np.int64)
