"""`vitrina plan price`: how demand answers to prices, and the price that earns most after storage and write-offs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.cli import build, console, outputs
from vitrina.cli.plan_demand import chosen, distinct_names, forecast, key_columns, read, write_json, write_table
from vitrina.cli.plan_file import last_prices
from vitrina.cli.plan_stock import priced
from vitrina.cli.tables import located_path

if TYPE_CHECKING:
    from vitrina.cli.plan_file import PlanJob
    from vitrina.plan import BestPrices, Demand, Forecast, Goods, PriceResponse

PAGE, ELASTICITIES, PRICES, NUMBERS = "price.html", "elasticities.csv", "prices.csv", "price.json"


@dataclass(frozen=True)
class Found:
    """What the command found, and where it stands."""

    demand: Demand
    response: PriceResponse
    folder: Path
    ahead: Forecast | None = None
    goods: Goods | None = None
    best: BestPrices | None = None  # None where nothing is known of the goods


def run(job: PlanJob, out: Path | None, *, force: bool) -> Found:
    """The response, the best prices where the goods are known, and the page.

    Raises:
        DataError: the log, the goods or the drawn prices can't be used.
        ParameterError: a value of the file doesn't fit them.
    """
    from vitrina.base.files import write_text

    folder = out or job.out
    outputs.check_folder(folder, (PAGE, ELASTICITIES, PRICES, NUMBERS), {"source": job.sources()}, force=force)
    if job.settings.goods is None:
        demand = read(job)
        found = Found(demand, _response(job, demand), folder)
        console.warn("Nothing is known of the goods, so no price is looked for: add [goods] with what they cost.")
    else:
        found = _best(job, folder)
    write_text(folder / PAGE, _page(job, found))
    write_table(folder / ELASTICITIES, found.response.table)
    if found.best is not None:
        write_table(folder / PRICES, key_columns(found.demand).hstack(found.best.table.drop("item")))
    write_json(folder / NUMBERS, as_json(found))
    return found


def _best(job: PlanJob, folder: Path) -> Found:
    from vitrina.plan import best_price

    given = job.settings.price
    demand, goods, _ = priced(job)
    response = _response(job, demand)
    known = np.isin(demand.item, response.item)
    sold = np.where(known, demand.units.sum(axis=1), -1.0)
    top = np.sort(np.argsort(-sold, kind="stable")[: min(given.top, int(known.sum()))])
    demand, goods = demand.select(top), goods.select(top)
    ahead = forecast(job, demand, chosen(job)[1], given.days)
    family = job.rule if isinstance(job.rule, type) else type(job.rule)
    with build.located(job.file, ("price",)), console.working("Looking for the prices that earn most"):
        best = best_price(
            ahead, goods, response.of(demand.item), family=family, lowest=given.lowest * goods.price, highest=given.highest * goods.price, least_margin=given.least_margin, tick=given.tick, ending=given.ending, beyond=given.beyond,
            lost=job.settings.stock.lost, leftover=job.settings.stock.leftover, draws=given.draws, confidence=job.settings.report.confidence, seed=job.settings.demand.seed,
        )  # fmt: skip
    return Found(demand, response, folder, ahead, goods, best)


def _response(job: PlanJob, demand: Demand) -> PriceResponse:
    from vitrina.plan import price_response

    given, items = job.settings.price, job.settings.items
    by = given.by or (None if items is None else items.category)
    drawn = None
    if given.randomised is not None:
        (path,) = located_path(job.file, ("price", "randomised"), given.randomised)
        drawn = pl.read_parquet(path) if path.endswith((".parquet", ".pq")) else pl.read_csv(path, try_parse_dates=True)
    with build.located(job.file, ("price",)), console.working("Learning how demand answers to prices"):
        return price_response(demand, by=by, randomised=drawn, confidence=job.settings.report.confidence)


def _page(job: PlanJob, found: Found) -> str:
    from vitrina.pages.plan import PriceStudy, price_page, profits_of
    from vitrina.pages.policy.answer import today

    start, days = found.demand.end, job.settings.price.days
    profits = pl.DataFrame()
    if found.best is not None and found.ahead is not None and found.goods is not None:
        profits = profits_of(found.ahead, found.goods, found.response.of(found.demand.item), found.best, seed=job.settings.demand.seed)
    return price_page(PriceStudy(
        found.response, distinct_names(found.demand), last_prices(found.demand), start, days, found.best, profits, job.settings.report.confidence, job.title("prices"),
        job.facts(chosen(job)[1]), today(),
    ))  # fmt: skip


def sentences(found: Found) -> list[str]:
    """What to tell a reader: the warning first, where prices were chosen."""
    return [*found.response.sentences, *(() if found.best is None else found.best.sentences)]


def as_json(found: Found) -> dict[str, Any]:
    """The elasticities, the prices, and where the page is."""
    return {
        "kind": outputs.PLAN, "observed": found.response.observed, "sentences": sentences(found), "elasticities": found.response.table,
        "prices": None if found.best is None else found.best.table, "page": found.folder / PAGE,
    }  # fmt: skip


def show(found: Found) -> None:
    """The sentences, and where the rest stands."""
    for sentence in sentences(found):
        console.out().print(sentence, markup=False, soft_wrap=True)
    prices = f"\nPrices: {found.folder / PRICES}" if found.best is not None else ""
    console.note(f"Report: {found.folder / PAGE}\nElasticities: {found.folder / ELASTICITIES}{prices}")
