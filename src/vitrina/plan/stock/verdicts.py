"""Which items never pay and why, and what other packs, deliveries, leads or shelf lives would bring, in money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.base.printing import short, short_interval
from vitrina.base.showing import titled
from vitrina.base.showing import to_pandas as as_pandas
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.changes import OBSTACLES, Change, changes_of
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.optimise import halves, optimise
from vitrina.plan.stock.optimised import Family, Optimised, rule_of_rows
from vitrina.plan.stock.rules import OrderUpTo
from vitrina.plan.stock.simulate import fitting, simulate
from vitrina.plan.stock.simulated import HALF
from vitrina.types import Float64, Int64

NUMBERS = {"gain": pl.Float64, "low": pl.Float64, "high": pl.Float64}
TIMES = (2, 4, 8)  # as much demand, with which an item that is too slow is tried
SHOWN = 5  # items that sentences name


class Trial(NamedTuple):
    """How the levels of a verdict are found and judged."""

    chosen: Forecast
    judging: Forecast
    family: Family
    lost: bool
    leftover: float
    seed: int

    def best(self, goods: Goods, rows: Int64, checked: int = 0, times: int = 1) -> Optimised:
        """The best levels of some series, which are held whatever comes of it; with so many times the demand."""
        chosen, judging = _times(self.chosen.select(rows), times), _times(self.judging.select(rows), times)
        return optimise(
            chosen,
            goods.select(rows),
            self.family,
            lost=self.lost,
            leftover=self.leftover,
            fresh=judging,
            none=False,
            checked=checked,
            seed=self.seed,
        )

    def again(self, found: Optimised, goods: Goods, rows: Int64) -> Float64:
        """(rows, paths) profit of levels that were found before, with draws that belong to the places of these series among themselves."""
        rule = rule_of_rows(found.rule, rows)
        chosen, judging = self.chosen.select(rows), self.judging.select(rows)
        return simulate(chosen, goods.select(rows), rule, lost=self.lost, actual=judging, leftover=self.leftover, seed=self.seed).profit


@final
@dataclass(frozen=True, eq=False, repr=False)
class GoodsDiagnosis:
    """Verdicts on items, and what would help.

    Args:
        now: the best levels of each series, held even where they lose.
        table: a row per series, the largest loss first: `item`, `verdict` ("pays", "never pays", "unclear"), `profit` per day with `low` and `high`, `demand` per day,
            `why` (what stands in the way of one that never pays: without it the item would pay), `pays_from` (units per day with which it would), and the change that brings most
            (`best_change`, `gain` per day).
        offers: a row per series and change that brings something or takes it, the most money first: `change`, `gain` per day with `low` and `high`.
        totals: a row per change: `series` that it touches, `gain` per day of all of them with `low` and `high`.
    """

    now: Optimised
    table: pl.DataFrame
    offers: pl.DataFrame
    totals: pl.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    @property
    def losing(self) -> pl.DataFrame:
        """The rows of what never pays."""
        return self.table.filter(pl.col("verdict") == "never pays")

    @cached_property
    def sentences(self) -> list[str]:
        """What to tell a reader."""
        counts, losing, played = dict(self.table["verdict"].value_counts().iter_rows()), self.losing, self.now.simulated
        told = [
            f"Of {len(self):,} series {counts.get('pays', 0):,} pay, {counts.get('never pays', 0):,} never do, even with their best levels, and of {counts.get('unclear', 0):,} the paths can't tell."
        ]
        if len(losing):
            told.append(f"Those that never pay take {short(-float(losing['profit'].sum()))} per day where they are held all the same.")
            told += [_about(row) for row in losing.head(SHOWN).iter_rows(named=True)]
        for row in self.totals.iter_rows(named=True):
            told.append(
                f"{row['change'].capitalize()} would bring {short_interval(row['gain'], row['low'], row['high'])} per day over {row['series']:,} series."
            )
        told.append(
            f"Levels are chosen on {self.now.paths:,} paths and judged on {played.paths:,} others (seed {played.seed}), the same with each change; intervals hold at 95% for "
            f"one row at a time, and {HALF * played.paths:,} judging paths would halve them. An item whose best levels lose counts as not held."
        )
        return told

    def __repr__(self) -> str:
        return f"GoodsDiagnosis({len(self):,} series): " + " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)

    def to_pandas(self) -> Any:
        """`table` as a pandas DataFrame."""
        return as_pandas(self.table)


def diagnose_goods(
    forecast: Forecast, goods: Goods, family: Family = OrderUpTo, *, changes: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    lost: bool = True, leftover: float = 1.0, fresh: Forecast | None = None, names: Sequence[str] | None = None, seed: int = 0,
) -> GoodsDiagnosis:  # fmt: skip
    """Say of each item whether it can pay at all, what stands in its way, and what another agreement with who delivers would bring.

    Every question is answered by the levels that are best under it (`optimise`), on the same paths, so that a gain is what a change brings after the orders are adapted to it. An item whose best
    levels lose money could as well not be held: gains count it with 0. One never pays where the interval of its best profit is below 0; then each obstacle is taken away by itself (packs of 1, no
    shelf life, a delivery each day at once, no storage, no deposit, orders and returns for nothing), and demand is doubled up to three times, as if that many such shops shared the
    item, and what makes it pay is named, the most profitable first.

    Stock on hand and on the way is left out: the verdict is about buying the item, not about what has been bought.

    Args:
        forecast, goods, family, lost, leftover, fresh, seed: as in `optimise`.
        changes: name -> argument of Goods -> numbers, for instance {"packs of 6": {"pack": 6}}; None for half the pack, packs of 1, twice as many deliveries, half the lead and half as much
            shelf life again, where they change something.
        names: what to show of each series, such as `demand.names()`; None for the ids of the goods.

    Raises:
        UnknownNameError: Goods has no argument of that name.
        ParameterError: as `optimise`; or names aren't one per series.

    Cost: an `optimise` per change, of the series that it touches, and ten of those that never pay.

    >>> from datetime import date
    >>> forecast = Forecast(np.random.default_rng(0).poisson([[[0.5]], [[5.0]]], (2, 200, 90)).astype(np.float32), date(2027, 1, 1))
    >>> verdicts = diagnose_goods(forecast, Goods(price=10, cost=6, pack=20, shelf_life=14, lead=2, review=3), names=["saffron", "milk"])
    >>> verdicts.losing.select("item", "why").rows()
    [('saffron', 'too fresh, pack too big, too slow')]
    """
    chosen, judging = halves(forecast) if fresh is None else (forecast, fresh)
    goods = replace(fitting(chosen, goods, judging, leftover), stock=0.0, coming=None)
    if names is not None and len(names) != len(forecast):
        raise ParameterError(f"The 'names' of diagnose_goods must be one per series ({len(forecast):,}). Got {len(names):,}.")
    shown = pl.Series(np.arange(len(forecast)) if names is None and goods.ids is None else goods.ids if names is None else list(names))
    trial = Trial(chosen, judging, family, lost, leftover, seed)
    now = trial.best(goods, np.arange(len(forecast)), checked=min(32, len(forecast)))
    offers, totals = _offers(trial, goods, now, changes_of(changes), shown)
    profit = now.simulated.interval(now.profit / now.simulated.days)
    verdict = np.where(profit.high < 0, "never pays", np.where(profit.low > 0, "pays", "unclear"))
    table = pl.DataFrame(
        {
            "item": shown,
            "verdict": verdict,
            "profit": profit.mean,
            "low": profit.low,
            "high": profit.high,
            "demand": now.simulated.units("demand").mean(axis=1) / now.simulated.days,
        }
    )
    why, enough = _obstacles(trial, goods, np.flatnonzero(verdict == "never pays"))
    best = (
        offers.filter(pl.col("gain") > 0).unique("row", keep="first", maintain_order=True).select("row", best_change="change", gain="gain")
    )
    table = table.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64), why=pl.Series(why, dtype=pl.String), pays_from=pl.Series(enough, dtype=pl.Float64)
    )
    table = table.join(best, on="row", how="left").sort("profit", maintain_order=True).drop("row")
    return GoodsDiagnosis(now, table, offers.drop("row"), totals)


def _offers(trial: Trial, goods: Goods, now: Optimised, changes: Sequence[Change], shown: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What each change brings per day: a row per series that it touches, and a row per change."""
    single, together = [], []
    for change in changes:
        rows = np.flatnonzero(change.touches(goods))
        if not len(rows):
            continue
        after = trial.best(change.of(goods), rows)
        held, was_held = after.chosen_at > 0, now.chosen_at[rows] > 0
        gain = held[:, None] * after.profit - was_held[:, None] * trial.again(now, goods, rows)
        each, all_of = (now.simulated.interval(of / now.simulated.days) for of in (gain, gain.sum(axis=0)))
        single.append(
            pl.DataFrame({"row": rows, "change": [change.name] * len(rows), "gain": each.mean, "low": each.low, "high": each.high})
        )
        together.append((change.name, len(rows), *map(float, all_of)))
    offers = pl.concat(single) if single else pl.DataFrame(schema={"row": pl.Int64, "change": pl.String, **NUMBERS})
    offers = offers.with_columns(item=shown.gather(offers["row"])).select("row", "item", "change", *NUMBERS).filter(pl.col("gain") != 0)
    totals = pl.DataFrame(together, schema={"change": pl.String, "series": pl.Int64, **NUMBERS}, orient="row")
    return offers.sort("gain", descending=True, maintain_order=True), totals.sort("gain", descending=True, maintain_order=True)


def _obstacles(trial: Trial, goods: Goods, rows: Int64) -> tuple[list[str | None], list[float | None]]:
    """Of each series what stands in the way, and the units per day with which it would pay; None where it pays as it is."""
    why: list[str | None] = [None] * len(goods)
    enough: list[float | None] = [None] * len(goods)
    if not len(rows):
        return why, enough
    daily = trial.judging.samples[rows].mean(axis=(1, 2), dtype=np.float64)
    freed = {o.name: trial.best(o.of(goods), rows).profit.mean(axis=1) for o in OBSTACLES if o.touches(goods)[rows].any()}
    grown = {times: trial.best(goods, rows, times=times).profit.mean(axis=1) for times in TIMES}
    for place, row in enumerate(rows.tolist()):
        times = next((t for t, profit in grown.items() if profit[place] > 0), None)
        helps = sorted(((profit[place], name) for name, profit in freed.items() if profit[place] > 0), reverse=True)
        reasons = [name for _, name in helps] + (["too slow"] if times else [])
        if goods.margin[row] <= 0:
            reasons = ["the price isn't above the cost"]
        why[row] = ", ".join(reasons) or "several together: nothing alone would make it pay"
        enough[row] = None if times is None else float(times * daily[place])
    return why, enough


def _times(forecast: Forecast, times: int) -> Forecast:
    """So many times the demand: other paths of the same series are added."""
    return (
        forecast
        if times == 1
        else replace(forecast, samples=sum((np.roll(forecast.samples, n, axis=1) for n in range(1, times)), forecast.samples))
    )


def _about(row: dict[str, Any]) -> str:
    """A sentence on an item that never pays."""
    pays = "" if row["pays_from"] is None else f" It would pay from {short(row['pays_from'])} per day; {short(row['demand'])} are wanted."
    return f"{row['item']}: {short_interval(row['profit'], row['low'], row['high'])} per day ({row['why']}).{pays}"
