"""Demand of the coming days, as a rule of ordering sees it: means and quantiles of sums over the forecast."""

from __future__ import annotations

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.goods import Goods
from vitrina.types import Float32, Float64, Int64

WEEK = 7  # last days of a forecast, whose mean stands for the days beyond it


def protected(goods: Goods) -> Int64:
    """(items,) days that an order has to last: lead, rounded up, and review."""
    return (np.ceil(goods.mean_lead - 1e-9) + goods.review).astype(np.int64)


def window_means(forecast: Forecast, goods: Goods) -> Float64:
    """(series, looks) expected demand of the days that the order of each look has to last."""
    return _windows(forecast.mean()[:, None], goods, np.ones(len(forecast)))


def window_quantiles(forecast: Forecast, goods: Goods, levels: Float64) -> Float64:
    """The same, with quantiles over the paths at the level (series,) of each: the smallest sum that is reached with that chance; 0 at level 0."""
    return _windows(forecast.samples, goods, levels)


def _windows(samples: Float32 | Float64, goods: Goods, levels: Float64) -> Float64:
    review = goods.review.astype(np.int64)
    looks = -(-samples.shape[2] // review)
    out = np.zeros((len(samples), int(looks.max())))
    _sums(len(samples), samples, review, protected(goods), levels, out)
    return out


@Spread
def _sums(first: int, last: int, samples: Float32 | Float64, review: Int64, length: Int64, levels: Float64, out: Float64) -> None:
    paths, days = samples.shape[1:]
    before, sums = np.empty((paths, days + 1)), np.empty(paths)
    tail = min(WEEK, days)
    for i in range(first, last):
        if levels[i] <= 0:
            continue
        place = max(int(np.ceil(levels[i] * paths - 1e-9)) - 1, 0)
        for p in range(paths):
            total = 0.0
            before[p, 0] = 0.0
            for t in range(days):
                total += samples[i, p, t]
                before[p, t + 1] = total
        for look in range((days + review[i] - 1) // review[i]):
            start = look * review[i]
            end = min(start + length[i], days)
            beyond = start + length[i] - end
            for p in range(paths):
                sums[p] = before[p, end] - before[p, start] + beyond * (before[p, days] - before[p, days - tail]) / tail
            if paths > 1:
                sums.sort()
            out[i, look] = sums[place]
