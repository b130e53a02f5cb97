"""What could be agreed otherwise with who delivers, and what stands in the way of an item that loses money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.plan.stock.goods import Goods
from vitrina.types import Bool, Float64


class Change(NamedTuple):
    """Other goods, for one reason."""

    name: str
    make: Callable[[Goods], Mapping[str, Any]]  # arguments of Goods

    def of(self, goods: Goods) -> Goods:
        """The goods after it."""
        return replace(goods, **self.make(goods))

    def touches(self, goods: Goods) -> Bool:
        """(items,) which of them it makes another."""
        touched = np.zeros(len(goods), np.bool_)
        for name, value in self.make(goods).items():
            touched |= _differs(np.asarray(value, np.float64), getattr(goods, name))
        return touched


def _differs(value: Float64, before: Float64) -> Any:
    if value.ndim < 2 and before.ndim < 2:
        return np.broadcast_to(value, before.shape) != before
    wide = max(value.shape[-1], before.shape[-1])
    one, other = (np.pad(v, [(0, 0), (0, wide - v.shape[-1])]) for v in (value, before))
    return np.any(one != other, axis=1)


def half_lead(goods: Goods) -> Float64:
    """Half the days, rounded down; the chances of leads that vary move with them."""
    if goods.lead.ndim == 1:
        return np.floor(goods.lead / 2)
    chances = np.zeros((len(goods), (goods.lead.shape[1] + 1) // 2))
    for days in range(goods.lead.shape[1]):
        chances[:, days // 2] += goods.lead[:, days]
    return chances


def small_pack(goods: Goods) -> Float64:
    """One unit, where packs are larger."""
    return np.minimum(goods.pack, 1.0)


OFFERS = (
    Change("half the pack", lambda g: {"pack": np.where(g.pack > 1, np.ceil(g.pack / 2), g.pack)}),
    Change("packs of 1", lambda g: {"pack": small_pack(g)}),
    Change("twice as many deliveries", lambda g: {"review": np.ceil(g.review / 2)}),
    Change("half the lead", lambda g: {"lead": half_lead(g)}),
    Change("half as much shelf life again", lambda g: {"shelf_life": np.ceil(1.5 * g.shelf_life)}),
)
OBSTACLES = (
    Change("pack too big", lambda g: {"pack": small_pack(g), "minimum": np.minimum(g.minimum, small_pack(g))}),
    Change("too fresh", lambda g: {"shelf_life": np.inf}),
    Change("deliveries too rare or too late", lambda g: {"review": 1.0, "lead": 0.0}),
    Change("storage", lambda g: {"storage": 0.0}),
    Change("deposit", lambda g: {"deposit": 0.0}),
    Change("cost of orders", lambda g: {"order_cost": 0.0}),
    Change("returns", lambda g: {"returns": 0.0}),
)


def changes_of(given: Mapping[str, Mapping[str, ArrayLike]] | None) -> tuple[Change, ...]:
    """The usual offers, or those that somebody names: name -> argument of Goods -> its numbers.

    Raises:
        UnknownNameError: Goods has no such argument.
        ParameterError: a change is no table of arguments.
    """
    if given is None:
        return OFFERS
    known = [f.name for f in fields(Goods) if f.name not in ("ids", "notes", "stock", "coming")]
    for name, arguments in given.items():
        if not isinstance(arguments, Mapping) or not arguments:
            raise ParameterError(
                f"The change {name!r} must be a table of arguments of Goods, such as {{'pack': 6}}. Got {arguments!r}.", parameter="changes"
            )
        for argument in arguments:
            if argument not in known:
                raise UnknownNameError.of("argument of Goods", argument, known)
    return tuple(Change(name, lambda _, arguments=arguments: arguments) for name, arguments in given.items())
