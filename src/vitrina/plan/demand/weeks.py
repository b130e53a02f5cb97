"""Days put together: weeks that end with the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from vitrina.base.errors import DataError
from vitrina.plan.demand.demand import ABSENT, SEEN, SOLD_OUT, Demand
from vitrina.types import Float32


def in_steps(demand: Demand, step: int) -> Demand:
    """The demand of steps of so many days, counted back from the last day; days before the first whole step are left out and said.

    A step is seen where all its days are; where only some are known, or one was sold out, its units are the least that was wanted. Its price is the mean
    over the units, or over the days that have one where nothing was sold.

    Args:
        demand: in days.
        step: days; 1 changes nothing.
    """
    if step == 1:
        return demand
    count, rest = divmod(demand.days, step)
    if not count:
        raise DataError(f"The log has {demand.days} days, and no step of {step}. Take days: step=1.")
    shape = (len(demand), count, step)
    units = demand.units[:, rest:].reshape(shape)
    state = demand.state[:, rest:].reshape(shape)
    whole = np.where((state == SEEN).all(axis=2), SEEN, np.where((state == ABSENT).all(axis=2), ABSENT, SOLD_OUT)).astype(np.int8)
    price = None if demand.price is None else _price(units, demand.price[:, rest:].reshape(shape))
    lost = float(demand.units[:, :rest].sum())
    notes = [f"The first {rest} days, with {lost:,.0f} units, make no whole step and are left out."] if rest else []
    return replace(
        demand, units=units.sum(axis=2), state=whole, price=price, start=demand.start + timedelta(days=rest), step=step,
        notes=(*demand.notes, *notes),
    )  # fmt: skip


def _price(units: Float32, price: Float32) -> Float32:
    """(series, steps) of (series, steps, days)."""
    known = np.isfinite(price)
    weight = np.where(known, units, 0)
    weight = np.where(weight.sum(axis=2, keepdims=True) > 0, weight, known)
    total = weight.sum(axis=2)
    money = (np.where(known, price, 0) * weight).sum(axis=2)
    return np.divide(money, total, out=np.full(total.shape, np.nan, np.float32), where=total > 0).astype(np.float32)
