"""What if: other packs, deliveries, shelf lives or rates, each with the levels that are best for it, on the same paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.printing import short, short_interval
from vitrina.base.showing import titled
from vitrina.base.showing import to_pandas as as_pandas
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.goods import YEAR, Goods
from vitrina.plan.stock.optimise import halves, optimise
from vitrina.plan.stock.optimised import Family, Optimised
from vitrina.plan.stock.rules import OrderUpTo
from vitrina.plan.stock.simulated import HALF, Estimate
from vitrina.types import Float64

Setting = Mapping[str, float]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Varied:
    """What each setting of the goods earns, all series together.

    Args:
        settings: what was set, first the one that others are held against.
        found: the best levels of each, judged on the same paths.
    """

    settings: tuple[Setting, ...]
    found: tuple[Optimised, ...]

    def __len__(self) -> int:
        return len(self.found)

    def difference(self, setting: int) -> Estimate:
        """Profit of a setting less that of the first, all series together, with the interval of differences on the same paths."""
        first, other = self.found[0], self.found[setting]
        return other.simulated.interval((other.profit - first.profit).sum(axis=0))

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per setting: profit with its interval, its share of the ideal margin, costs, mean units held, what the money in stock earns per year, and the difference from the first."""
        return pl.DataFrame([self._row(n) for n in range(len(self))])

    def _row(self, n: int) -> dict[str, Any]:
        played = self.found[n].simulated
        total, change = played.total, self.difference(n)
        money = {name: float(part.sum() / played.paths) for name, part in played.money.items()}
        ideal = float(played.ideal.sum() / played.paths)
        bound = float((played.goods.cost * played.mean_stock).sum())
        earned = float(total.mean) + money["deposit"]
        return {
            **self.settings[n], "profit": float(total.mean), "low": float(total.low), "high": float(total.high),
            "share_of_ideal": float(total.mean) / ideal if ideal else None,
            "storage_paid": money["storage"], "deposit_paid": money["deposit"], "written_off": money["write_offs"], "orders_paid": money["orders"],
            "mean_stock": float(played.mean_stock.sum()), "earned_per_year": earned / bound * YEAR / played.days if bound else None,
            "difference": float(change.mean), "difference_low": float(change.low), "difference_high": float(change.high),
        }  # fmt: skip

    @cached_property
    def sentences(self) -> list[str]:
        """What to tell a reader."""
        played, order = self.found[0].simulated, np.argsort(-self.table["profit"].to_numpy(), kind="stable")
        best = int(order[0])
        told = [
            f"With {_words(self.settings[0])} {len(played):,} series earn {short_interval(*map(float, played.total))} over {played.days} days."
        ]
        if best:
            told.append(
                f"The best of {len(self):,} settings is {_words(self.settings[best])}: {short_interval(*map(float, self.difference(best)))} more."
            )
        worst = int(order[-1])
        if worst not in (0, best):
            told.append(
                f"The worst is {_words(self.settings[worst])}: {short_interval(*map(float, self.difference(worst)))} against the first."
            )
        told.append(
            f"Each setting has the levels that are best for it, and all meet the same {played.paths:,} judging paths (seed {played.seed}); "
            f"{HALF * played.paths:,} would halve the intervals."
        )
        return told

    def __repr__(self) -> str:
        return f"Varied({len(self)} settings): " + " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)

    def to_pandas(self) -> Any:
        """`table` as a pandas DataFrame."""
        return as_pandas(self.table)


def vary(
    forecast: Forecast, goods: Goods, family: Family = OrderUpTo, *, lost: bool = True, leftover: float = 1.0, fresh: Forecast | None = None,
    none: bool = False, seed: int = 0, **values: ArrayLike,
) -> Varied:  # fmt: skip
    """Every combination of some values of the goods, each with its best levels, on the same paths.

    Args:
        forecast, goods, family, lost, leftover, fresh, seed: as in `optimise`.
        none: whether to order nothing is a choice; by default it isn't, so that losses are seen.
        values: numbers per argument of Goods, each for all series: `pack=[12, 6, 1]`. The first of each together are what others are held against.

    Raises:
        UnknownNameError: Goods has no such argument.
        ParameterError: there are no values, or as `optimise`.

    Cost: an `optimise` per combination.

    >>> from datetime import date
    >>> forecast = Forecast(np.random.default_rng(0).poisson(0.5, (1, 200, 90)).astype(np.float32), date(2027, 1, 1))
    >>> varied = vary(forecast, Goods(price=10, cost=6, shelf_life=14, lead=2, review=3), pack=[20, 12, 1])
    >>> varied.table["share_of_ideal"].round(2).to_list()
    [-1.34, -0.03, 0.89]
    """
    known = [f.name for f in fields(Goods) if f.name not in ("ids", "notes", "stock", "coming")]
    for name in values:
        if name not in known:
            raise UnknownNameError.of("argument of Goods", name, known)
    lists: dict[str, Float64] = {name: np.atleast_1d(np.asarray(of, np.float64)) for name, of in values.items()}
    if not lists or any(of.ndim != 1 or not len(of) for of in lists.values()):
        raise ParameterError("vary needs values of at least one argument of Goods, numbers each: vary(forecast, goods, pack=[12, 6, 1]).")
    chosen, judging = halves(forecast) if fresh is None else (forecast, fresh)
    settings = tuple(dict(zip(lists, (float(v) for v in combination), strict=True)) for combination in product(*lists.values()))
    found = tuple(
        optimise(chosen, replace(goods, **setting), family, lost=lost, leftover=leftover, fresh=judging, none=none, checked=0, seed=seed)
        for setting in settings
    )
    return Varied(settings, found)


def _words(setting: Setting) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {short(value) if value % 1 else f'{value:g}'}" for name, value in setting.items())
