"""Rules of ordering: when and how much, from what is forecast and what is on the shelf and on its way."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from pydantic import BeforeValidator, Field

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.windows import window_means, window_quantiles
from vitrina.types import Float64


def _plain(value: Any) -> Any:
    """Arrays and lists as tuples of numbers."""
    return tuple(np.asarray(value).tolist()) if isinstance(value, (np.ndarray, list)) and np.ndim(value) == 1 else value


Amount = Annotated[float | tuple[float, ...], BeforeValidator(_plain)]
Units = Annotated[Annotated[float, Field(ge=0)] | tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_plain)]
Share = Annotated[Annotated[float, Field(gt=0, lt=1)] | tuple[Annotated[float, Field(gt=0, lt=1)], ...], BeforeValidator(_plain)]
Lot = Annotated[Annotated[float, Field(gt=0)] | tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_plain)]


class Targets(NamedTuple):
    """What a rule says for each look at the stock, in units: where what is on the shelf and on its way is at `point` or below, order.

    As many lots of `lot` as bring it above the point; or up to `level`, where the lot is 0. A table of one column holds for all looks.
    """

    point: Float64  # (series, looks)
    level: Float64  # (series, looks)
    lot: Float64  # (series,)


@runtime_checkable
class OrderRule(Protocol):
    """A frozen config that says what to order. It is told what is forecast, never the path that will come."""

    def targets(self, forecast: Forecast, goods: Goods) -> Targets:
        """Look j of a series is on the morning of day j * review, the first day being 0."""
        ...


@final
class OrderUpTo(Config):
    """Order up to the demand of the coming lead and review days, and a safety stock on top (R, S).

    level = mean demand of the days t .. t + lead + review - 1, plus `safety`; with `service` the quantile of that demand over the paths of the forecast instead of the
    mean. A lead that varies counts with its mean, rounded up.

    Args:
        safety: units on top, one number or one per series; below 0 to hold less.
        service: chance that the demand until the next order's arrival is met, one number or one per series; None for the mean.

    >>> from datetime import date
    >>> forecast = Forecast(np.ones((1, 3, 7), np.float32), date(2027, 1, 1))
    >>> OrderUpTo(safety=0.5).targets(forecast, Goods(price=2, cost=1, lead=1, review=4)).level.tolist()
    [[5.5, 5.5]]
    """

    safety: Amount = 0.0
    service: Share | None = None

    def targets(self, forecast: Forecast, goods: Goods) -> Targets:
        if self.service is None:
            level = window_means(forecast, goods)
        else:
            level = window_quantiles(forecast, goods, per_series(self.service, len(forecast), "service"))
        level = level + per_series(self.safety, len(forecast), "safety")[:, None]
        return Targets(level, level, np.zeros(len(forecast)))


@final
class MinMaxStock(Config):
    """Order up to `high` where what is on the shelf and on its way is at `low` or below: (s, S).

    Args:
        low: s, units, one number or one per series.
        high: S, at least as much.
    """

    low: Amount
    high: Amount

    def targets(self, forecast: Forecast, goods: Goods) -> Targets:
        low, high = per_series(self.low, len(forecast), "low"), per_series(self.high, len(forecast), "high")
        if (high < low).any():
            at = int(np.flatnonzero(high < low)[0])
            raise ParameterError(
                f"The 'high' of MinMaxStock must be at least its 'low'. Got {high[at]:g} below {low[at]:g} for series {at}."
            )
        return Targets(low[:, None], high[:, None], np.zeros(len(forecast)))


@final
class FixedQuantity(Config):
    """Order lots of `quantity`, as many as bring what is on the shelf and on its way above `point`: (r, nQ).

    Args:
        point: r, units, one number or one per series.
        quantity: Q, above 0.
    """

    point: Amount
    quantity: Lot

    def targets(self, forecast: Forecast, goods: Goods) -> Targets:
        point = per_series(self.point, len(forecast), "point")[:, None]
        return Targets(point, point, per_series(self.quantity, len(forecast), "quantity"))


@final
class Newsvendor(Config):
    """Order up to the quantile of demand at which one more unit costs as much as it earns: what is left over counts as written off.

    Ratio = (price - cost) / (price - cost + over), over = cost * (1 - salvage) + holding * review days; the demand is that of the coming lead and review days. For
    goods that keep, what is left over is sold later, and this orders too little: find the safety stock with `vt.plan.optimise`.

    Args:
        ratio: above 0 and below 1, one number or one per series, instead of the ratio of the goods.
    """

    ratio: Share | None = None

    def targets(self, forecast: Forecast, goods: Goods) -> Targets:
        ratio = self.critical(goods) if self.ratio is None else per_series(self.ratio, len(forecast), "ratio")
        level = window_quantiles(forecast, goods, ratio)
        return Targets(level, level, np.zeros(len(forecast)))

    @staticmethod
    def critical(goods: Goods) -> Float64:
        """(items,) the ratio, 0 where a unit earns nothing."""
        under = np.maximum(goods.margin, 0)
        over = goods.cost * (1 - goods.salvage) + goods.holding * goods.review
        return np.divide(under, under + over, out=np.zeros(len(goods)), where=under > 0)


def per_series(value: float | tuple[float, ...], series: int, name: str) -> Float64:
    """(series,) numbers.

    Raises:
        ParameterError: there is neither one nor one per series.
    """
    values = np.asarray(value, np.float64)
    if values.ndim and len(values) != series:
        raise ParameterError(
            f"The {name!r} of a rule must be one number, or one per series ({series:,}). Got {len(values):,}.", parameter=name
        )
    return np.ascontiguousarray(np.broadcast_to(values, series))
