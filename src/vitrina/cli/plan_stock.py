"""`vitrina plan stock`: what to order of each item, what it earns, and which items lose money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.cli import build, console, outputs
from vitrina.cli.plan_demand import chosen, distinct_names, forecast, key_columns, read, write_json, write_table

if TYPE_CHECKING:
    from vitrina.cli.plan_file import PlanJob
    from vitrina.plan import Demand, Forecast, Goods, GoodsDiagnosis, Optimised, OrderList, Simulated, Varied
    from vitrina.types import Int64

PAGE, TABLE, ORDERS, ITEMS, NUMBERS = "stock.html", "stock.csv", "orders.csv", "items.csv", "stock.json"
NO_STOCK = (
    "Nothing says what is on hand, so there is no order list, and no table for the list of items: name the column in [goods], "
    'stock = "on_hand", or a number for all.'
)
DRAWN = 6  # series whose stock is drawn over time


@dataclass(frozen=True)
class Found:
    """What the command found, and where it stands."""

    demand: Demand
    ahead: Forecast
    simulated: Simulated
    optimised: Optimised | None  # None where the levels were given
    orders: OrderList | None  # None where nothing says what is on hand
    folder: Path
    diagnosis: GoodsDiagnosis | None = None
    varied: tuple[Varied, ...] = ()
    left: tuple[str, ...] = ()  # sentences on what is not planned


def run(job: PlanJob, out: Path | None, *, force: bool) -> Found:
    """The levels, what they earn, the orders of today and the page.

    Raises:
        DataError: the log or the goods can't be used.
        ParameterError: a value of the file doesn't fit them.
    """
    from vitrina.base.files import write_text
    from vitrina.plan import item_columns, order_now

    folder, given = out or job.out, job.settings.stock
    outputs.check_folder(folder, (PAGE, TABLE, ORDERS, ITEMS, NUMBERS), {"source": job.sources()}, force=force)
    demand, goods, left = priced(job)
    ahead = forecast(job, demand, chosen(job)[1], given.days)
    options = {"lost": given.lost, "leftover": given.leftover, "seed": job.settings.demand.seed}
    with build.located(job.file, ("stock",)), console.working("Finding the levels that earn most"):
        best, rule, simulated = _played(job, ahead, goods, _shown(job, demand, ahead).tolist(), options)
        known = "stock" in (job.settings.goods or {})
        orders = order_now(ahead, goods, rule, names=distinct_names(demand)) if known else None
    found = Found(demand, ahead, simulated, best, orders, folder, *_looked(job, demand, ahead, goods, best, options), left)
    write_text(folder / PAGE, _page(job, found))
    write_table(folder / TABLE, table_of(found))
    if orders is None:
        console.warn(NO_STOCK)
    else:
        write_table(folder / ORDERS, key_columns(demand).hstack(orders_by_series(orders, demand)))
    if orders is not None and demand.place is None:
        write_table(folder / ITEMS, item_columns(goods, ahead, simulated).rename({"item_id": job.settings.sales.item}))
    write_json(folder / NUMBERS, as_json(found))
    return found


def priced(job: PlanJob) -> tuple[Demand, Goods, tuple[str, ...]]:
    """The series whose price and cost are known, their goods, and a sentence on the others.

    Raises:
        ParameterError: none has both.
    """
    demand = read(job)
    goods = job.goods(demand)
    goods = goods if len(goods) == len(demand) else goods.select(np.zeros(len(demand), np.int64))
    goods = replace(goods, ids=demand.items.ids.gather(demand.item))
    known = np.flatnonzero(goods.known)
    if not len(known):
        raise ParameterError(
            f"{job.file.path}: no item has both a price and a cost. Name their columns, or give numbers, in [goods]; prices may also come from [sales]."
        )
    if len(known) == len(demand):
        return demand, goods, ()
    few = ", ".join(demand.select(np.flatnonzero(~goods.known)[:3]).names())
    note = f"{len(demand) - len(known):,} of {len(demand):,} series have no price or no cost and are left out (first: {few})."
    console.warn(note)
    return demand.select(known), goods.select(known), (note,)


def _played(
    job: PlanJob, ahead: Forecast, goods: Goods, shown: list[int], options: dict[str, Any]
) -> tuple[Optimised | None, Any, Simulated]:
    """The best levels, judged on paths that didn't choose them, and the rule; or the levels of the file, which all paths judge. The stock of some series is kept."""
    from vitrina.plan import optimise, simulate

    if not isinstance(job.rule, type):
        return None, job.rule, simulate(ahead, goods, job.rule, trace=shown, **options)
    best = optimise(ahead, goods, job.rule, **options)
    drawn = simulate(ahead, goods, best.rule, trace=shown, **options)
    return best, best.rule, replace(best.simulated, traced=drawn.traced, evenings=drawn.evenings)


def _shown(job: PlanJob, demand: Demand, ahead: Forecast) -> Int64:
    """The series whose stock is drawn: those of the file, or the biggest and some between."""
    from vitrina.base.errors import UnknownNameError

    if job.settings.demand.show is None:
        order = np.argsort(-ahead.total().mean(axis=1), kind="stable")
        return np.unique(order[np.unique(np.geomspace(1, len(order), DRAWN).astype(int) - 1)])
    codes = demand.items.encode(job.settings.demand.show)
    for name, code in zip(job.settings.demand.show, codes, strict=True):
        if code < 0 or code not in demand.item:
            with build.located(job.file, ("demand", "show")):
                raise UnknownNameError.of("item in the sales", name, demand.items.ids.gather(demand.item).cast(pl.String))
    return np.flatnonzero(np.isin(demand.item, codes))


def _looked(
    job: PlanJob, demand: Demand, ahead: Forecast, goods: Goods, best: Optimised | None, options: dict[str, Any]
) -> tuple[GoodsDiagnosis | None, tuple[Varied, ...]]:
    """Why items lose and what would help; profit by pack and by delivery. Of the items of the most units."""
    from vitrina.plan import diagnose_goods, vary

    given = job.settings.stock
    if best is None or not given.diagnose:
        return None, ()
    top = np.sort(np.argsort(-ahead.total().mean(axis=1), kind="stable")[: given.diagnose])
    part, own = ahead.select(top), goods.select(top)
    with build.located(job.file, ("stock",)), console.working("Asking what loses money, and what would help"):
        diagnosis = diagnose_goods(part, own, job.rule, names=distinct_names(demand.select(top)), **options)
        tried = {"pack": given.packs, "review": given.reviews}
        varied = tuple(vary(part, own, job.rule, **{name: _from(name, own, values)}, **options) for name, values in tried.items() if values)
    return diagnosis, varied


def _from(name: str, goods: Goods, values: Sequence[float]) -> list[float]:
    """The values, that of now first where all items share one."""
    now = np.unique(getattr(goods, name))
    first = [float(now[0])] if len(now) == 1 else []
    return list(dict.fromkeys([*first, *values]))


def table_of(found: Found) -> pl.DataFrame:
    """A row per series: its levels, what it earns, and what a list may know of it."""
    table = found.simulated.table if found.optimised is None else found.optimised.table
    return key_columns(found.demand).hstack(table.drop("item"))


def orders_by_series(orders: OrderList, demand: Demand) -> pl.DataFrame:
    """The orders in the order of the series."""
    row_of = {name: row for row, name in enumerate(distinct_names(demand))}
    return orders.table.with_columns(series=pl.col("item").replace_strict(row_of)).sort("series").drop("series", "item")


def _page(job: PlanJob, found: Found) -> str:
    from vitrina.pages.plan import StockStudy, stock_page
    from vitrina.pages.policy.answer import today

    return stock_page(StockStudy(
        found.simulated, distinct_names(found.demand), found.ahead.start, None, found.diagnosis, found.varied, found.orders, job.title("stock"), job.facts(chosen(job)[1]), today(),
    ))  # fmt: skip


def as_json(found: Found) -> dict[str, Any]:
    """What is earned in all, the verdicts, and where the tables are."""
    best = found.optimised
    return {
        "kind": outputs.PLAN, "series": len(found.demand), "days": found.simulated.days, "sentences": sentences(found),
        "profit": found.simulated.total._asdict(), "gap": None if best is None or best.gap is None else best.gap._asdict(),
        "losing": None if found.diagnosis is None else found.diagnosis.losing, "changes": None if found.diagnosis is None else found.diagnosis.totals,
        "page": found.folder / PAGE, "table": found.folder / TABLE, "orders": None if found.orders is None else found.folder / ORDERS,
        "items": None if found.orders is None or found.demand.place is not None else found.folder / ITEMS,
    }  # fmt: skip


def sentences(found: Found) -> list[str]:
    """What to tell a reader."""
    told = [*found.left, *(found.simulated if found.optimised is None else found.optimised).sentences]
    return [
        *told,
        *(() if found.diagnosis is None else found.diagnosis.sentences),
        *(() if found.orders is None else found.orders.sentences),
    ]


def show(found: Found) -> None:
    """The sentences, and where the rest stands."""
    for sentence in sentences(found):
        console.out().print(sentence, markup=False, soft_wrap=True)
    told = {"Report": PAGE, "Levels and profit per item": TABLE}
    if found.orders is not None:
        told |= {"Orders of today": ORDERS} | ({"What a list may know of items": ITEMS} if found.demand.place is None else {})
    console.note("\n".join(f"{what}: {found.folder / name}" for what, name in told.items()))
