"""The file of a plan: a TOML with the sales, the goods and what they cost, forecasters, the rule of ordering, prices and goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.cli import build, parts
from vitrina.cli.plan_sections import Paths, Settings
from vitrina.cli.sections import settings_of
from vitrina.cli.tables import located_path
from vitrina.cli.toml import TomlFile
from vitrina.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vitrina.plan import Demand, Goods
    from vitrina.types import Float64

EXAMPLE = 'A whole one: [sales] path = "sales.csv", item = "sku", time = "day", quantity = "units"; then [goods], [price] or [goals].'
FORECASTER = parts.Kind(
    "forecaster", '{type = "SeasonalNaive", weeks = 4}', lambda cls: issubclass(cls, Config) and hasattr(cls, "fit"), "vitrina.plan"
)
RULE = parts.Kind(
    "rule of ordering",
    '{type = "OrderUpTo", service = 0.95}',
    lambda cls: issubclass(cls, Config) and hasattr(cls, "targets"),
    "vitrina.plan",
)
GOODS = 'price = 4.5, cost = "purchase_price", pack = 12, shelf_life = 14, lead = 2, review = 3, storage = 0.01; a word is a column of path = "goods.csv".'
FAMILIES = ("OrderUpTo", "MinMaxStock", "FixedQuantity")  # whose levels are found where the file doesn't say them
PATHS = ("sales", "history", "prices", "items", "pilot")  # tables of the file with a path


@dataclass(frozen=True)
class PlanJob:
    """A checked file: its parts are built, nothing is read yet."""

    file: TomlFile
    settings: Settings
    forecasters: Mapping[str, Any]  # those that are judged, by name
    own: tuple[str, Any] | None  # the one that is planned with, and its name; None where the file names none
    rule: Any

    @property
    def out(self) -> Path:
        return self.file.folder / self.settings.report.out

    def title(self, what: str) -> str:
        """Of the page on `what`."""
        return f"{self.settings.report.title or self.file.path.stem}: {what}"

    def sources(self) -> list[str]:
        """All that the job reads, absolute.

        Raises:
            DataError: there is no such file.
        """
        return [
            path for table in PATHS if (section := getattr(self.settings, table)) is not None for path in self.paths(table, section.path)
        ]

    def paths(self, table: str, given: Paths) -> list[str]:
        return located_path(self.file, (table, "path"), given)

    def demand(self) -> Demand:
        """What was wanted, per series and day."""
        from vitrina.plan import PriceLog, StockLog, read_demand

        given, items = self.settings.sales, self.settings.items
        beside = {
            "stock": (StockLog, self.settings.history, "history"), "prices": (PriceLog, self.settings.prices, "prices"),
        }  # fmt: skip
        tables = {
            name: made(
                source=self._source(at, section.path), item=section.item or given.item, **section.model_dump(exclude={"path", "item"})
            )
            for name, (made, section, at) in beside.items()
            if section is not None
        }
        described = {} if items is None else {"items": self._source("items", items.path), "title": items.title, "item_kinds": items.kinds}
        own: dict[str, Any] = given.model_dump(exclude={"path", "every"}, exclude_none=True)
        if given.on_bad_row == "quarantine":
            self.out.mkdir(parents=True, exist_ok=True)
            own["bad_rows_path"] = self.out / "bad_rows.csv"
        with build.located(self.file, ("sales",)):
            return read_demand(self._source("sales", given.path), step=1 if given.every == "day" else 7, **own, **tables, **described)

    def goods(self, demand: Demand) -> Goods:
        """What is known of the goods, a row per series.

        Raises:
            ParameterError: there is no [goods], or neither a price nor a cost; or a value is outside its domain.
            DataError: its table can't be used.
        """
        from vitrina.plan import Goods

        given = dict(self.settings.goods or {})
        if not given:
            raise ParameterError(f"{self.file.path}: this command needs the table [goods]. For example: {GOODS}")
        path, id = given.pop("path", None), given.pop("id", self.settings.sales.item)
        columns = {name: value for name, value in given.items() if isinstance(value, str)}
        numbers: dict[str, Any] = {name: value for name, value in given.items() if not isinstance(value, str)}
        if "price" not in given and demand.price is not None:
            numbers["price"] = last_prices(demand)
        with build.located(self.file, ("goods",)):
            if not columns:
                return build.construct(self.file, ("goods",), Goods, numbers)
            source = path or (None if self.settings.items is None else self.settings.items.path)
            if source is None:
                raise ParameterError(
                    f'The {next(iter(columns))!r} of [goods] is the name of a column, and there is no table. Name it: path = "goods.csv".'
                )
            codes, row_of = np.unique(demand.item, return_inverse=True)
            per_series = {name: numbers.pop(name) for name in ("price",) if isinstance(numbers.get(name), np.ndarray)}
            numbers |= dict.fromkeys(per_series, 0.0)  # of items, until it is known of each series
            items = Vocabulary.of(demand.items.ids.gather(codes))
            read = Goods.of_table(self._source("goods", source), id=id, items=items, columns=columns, missing="keep", **numbers)
            return replace(read.select(row_of), **per_series)

    def _source(self, table: str, given: Paths) -> Any:
        paths = self.paths(table, given)
        return paths if len(paths) > 1 else paths[0]

    def facts(self, forecaster: Any) -> dict[str, str]:
        """What a page says of how it was made."""
        given = self.settings
        told = {"File": self.file.path.name, "Sales": str(given.sales.path), "Step": given.sales.every, "Returns": given.sales.returns}
        return told | {
            "Paths": f"{given.demand.paths:,}",
            "Seed": str(given.demand.seed),
            "Forecaster": repr(forecaster),
        }


def last_prices(demand: Demand) -> Float64:
    """(series,) the last price that is known of each; NaN where none is."""
    prices = np.full((len(demand), 1), np.nan) if demand.price is None else demand.price
    last = prices.shape[1] - 1 - np.argmax(np.isfinite(prices)[:, ::-1], axis=1)
    return np.take_along_axis(prices, last[:, None], axis=1)[:, 0].astype(np.float64)


def read_plan_file(path: Path, *, trust: bool = False) -> PlanJob:
    """Read and check the file of a plan.

    Args:
        path: the TOML file.
        trust: allow `type = "package.module:Class"`, which imports and runs that code.
    Raises:
        UnknownNameError: a key, a forecaster, a rule or a parameter is not known; names the line and the closest names.
        ParameterError: a value is wrong; names the line.
        DataError: there is no such file, or what it points to is missing.
    """
    file = TomlFile.read(path, trust=trust, remedy=EXAMPLE)
    settings = settings_of(file, Settings, EXAMPLE)
    given = settings.demand
    own = parts.made(file, ("demand", "forecaster"), given.forecaster, FORECASTER)
    listed = [parts.made(file, ("demand", "forecasters"), one, FORECASTER) for one in given.forecasters or ()]
    every = list(numbered([*([] if own is None else [own]), *listed]))
    job = PlanJob(file, settings, dict(every), None if own is None else every[0], rule_of(file, settings.stock.rule))
    job.sources()
    return job


def numbered(forecasters: list[Any]) -> Iterator[tuple[str, Any]]:
    """Each forecaster by the name of its class, with a number where another of the class is before it."""
    counts: dict[type, int] = {}
    for one in forecasters:
        counts[type(one)] = counts.get(type(one), 0) + 1
        number = counts[type(one)]
        yield f"{type(one).__name__}{'' if number == 1 else f' {number}'}", one


def rule_of(file: TomlFile, given: Any) -> Any:
    """A rule whose levels are given, or the class of one whose levels are to be found."""
    if isinstance(given, str) and given in FAMILIES:
        return getattr(import_module("vitrina.plan"), given)
    return parts.made(file, ("stock", "rule"), given, RULE)
