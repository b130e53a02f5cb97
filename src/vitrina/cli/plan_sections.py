"""The tables of the file of a plan, and what each key is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from vitrina.cli.sections import Section
from vitrina.data.features import FeatureKind
from vitrina.data.read.clock import GivenUnit

Paths = str | list[str]


class SalesSection(Section):
    """What was sold: a row per line of a sale, or per item and day."""

    path: Paths = Field(description="Lines of sales: a path, a glob or a list of paths.")
    item: str = Field(default="item_id", description="Column of items.")
    time: str = Field(default="timestamp", description="Column of dates or moments.")
    quantity: str = Field(default="quantity", description="Column of units; below 0 for what came back.")
    price: str | None = Field(default=None, description="Column of the price of one unit.")
    paid: str | None = Field(default=None, description="Column of what the line cost, in place of the price of one unit.")
    place: str | None = Field(default=None, description="Column of shops or warehouses; one place when left out.")
    returns: Literal["error", "net", "drop"] = Field(
        default="error", description="Quantities below 0: refused, taken off the day on which they came back, or left out."
    )
    every: Literal["day", "week"] = Field(default="day", description="What one step of demand is; stock needs days.")
    zone: str | None = Field(default=None, description='Whose midnight ends a day, such as "Europe/London".')
    min_sales: int = Field(default=1, ge=1, description="Days with a sale that an item must have.")
    top: int = Field(
        default=5000, ge=1, description="Keep so many items (or items at places), those of the most units; how much that leaves is said."
    )
    holidays: Literal["unknown", "zero"] = Field(default="unknown", description="What a day without any sale in the whole shop is.")
    suspicious: Literal["keep", "censor"] = Field(
        default="keep", description="A run of days without a sale that the rate of the item doesn't explain: kept, or taken for sold out."
    )
    time_unit: GivenUnit | None = Field(default=None, description="Unit of times as numbers: s, ms, us, ns, excel.")
    time_format: str | None = Field(default=None, description='Form of dates as text: "%d.%m.%Y".')
    any_year: bool = Field(default=False, description="Take dates before 1990 and after today as they are.")
    decimal: Literal[".", ","] | None = Field(default=None, description="Decimal sign of numbers as text.")
    encoding: str | None = Field(default=None, description="Of text that is not UTF-8.")
    separator: str | None = Field(default=None, description="Between the fields.")
    on_bad_row: Literal["error", "quarantine"] = Field(default="error", description="Stop at a bad row, or put bad rows in a file.")


class HistorySection(Section):
    """When there was stock."""

    path: Paths = Field(description="Table of stock: a row per item and day.")
    item: str | None = Field(default=None, description="Column of items; that of the sales when left out.")
    date: str = Field(default="date", description="Column of days.")
    stock: str = Field(default="stock", description="Column of units at the end of the day, or of true and false.")
    place: str | None = Field(default=None, description="Column of places.")
    holds: bool = Field(default=True, description="Whether a row holds until the next one of its item.")


class PricesSection(Section):
    """What items cost, where the lines don't say it."""

    path: Paths = Field(description="Table of prices: a row per item and day from which a price holds.")
    item: str | None = Field(default=None, description="Column of items; that of the sales when left out.")
    date: str = Field(default="date", description="Column of days.")
    price: str = Field(default="price", description="Column of the price of one unit.")
    place: str | None = Field(default=None, description="Column of places.")


class ItemsSection(Section):
    """What is known of items: titles and categories; also of their economics, for [goods]."""

    path: Paths = Field(description="Table of items; its ids stand in a column that is called as that of the sales.")
    title: str | None = Field(default=None, description="Column to show to people.")
    category: str | None = Field(default=None, description="Column of categories, whose items are alike.")
    kinds: dict[str, FeatureKind] | None = Field(default=None, description="Kinds of its columns, where they are guessed wrong.")


class DemandSection(Section):
    """How demand is forecast, and how forecasters are judged."""

    days: int = Field(default=28, ge=1, description="Steps of a forecast.")
    origins: int | None = Field(
        default=None, ge=1, description="From how many days of the past forecasts are made and judged; 4, or as many as fit, when left out."
    )
    gap: int | None = Field(default=None, ge=1, description="Steps between them; as many as a forecast has when left out.")
    forecasters: list[Any] | None = Field(
        default=None, description="Those that are judged, by name or table; seasonal naive is always there."
    )
    forecaster: Any = Field(default=None, description="The one that stock, prices and goals are planned with, by name or table.")
    paths: int = Field(default=200, ge=2, description="Ways in which the days may go, per item.")
    weights: Literal["revenue", "units", "series"] = Field(
        default="revenue", description="What items count by in WRMSSE; revenue is units where there are no prices."
    )
    interval: float = Field(default=0.9, gt=0, lt=1, description="The chance that intervals promise.")
    seed: int = Field(default=0, ge=0, description="Of the paths.")
    show: list[str] | None = Field(
        default=None, description="Items that the pages show, by id; the biggest, the worst and others when left out."
    )


class StockSection(Section):
    """How orders are made, and what is tried."""

    rule: Any = Field(default="OrderUpTo", description="A rule of ordering: by name, and its levels are found; or as a table with them.")
    days: int = Field(default=120, ge=1, description="Days that are played.")
    lost: bool = Field(default=True, description="Whether demand that meets no stock is lost, or waits.")
    leftover: float = Field(default=1.0, le=1, description="What stock is worth on the last evening, as a share of its cost.")
    packs: list[float] | None = Field(default=None, description="Pack sizes that are tried for all items together.")
    reviews: list[float] | None = Field(default=None, description="Days between orders that are tried likewise.")
    diagnose: int = Field(
        default=500, ge=0, description="Of how many items, those of the most units, it is told why they lose and what would help."
    )


class PriceSection(Section):
    """How the response to prices is learned, and which prices may be."""

    by: str | None = Field(
        default=None, description="Column of categories, whose items learn from each other; that of [items] when left out."
    )
    randomised: str | None = Field(
        default=None, description="Table of prices that were drawn by lot: columns item, day, price and propensity. Only its days count."
    )
    days: int = Field(default=28, ge=1, description="Days that a price is looked for.")
    lowest: float = Field(
        default=0.8, gt=0, le=1, description="The lowest price, as a share of today's; none below the lowest that was seen."
    )
    highest: float = Field(default=1.25, ge=1, description="The highest one; none above the highest that was seen.")
    beyond: bool = Field(default=False, description="Look beyond the prices that were seen too, where the response is a guess.")
    least_margin: float = Field(default=0.0, ge=0, lt=1, description="Share of the price that must stay after the cost.")
    tick: float | None = Field(default=None, gt=0, description="Prices are multiples of this, such as 0.05.")
    ending: float | None = Field(default=None, ge=0, description="Prices end so, such as 0.99.")
    draws: int = Field(default=50, ge=2, description="Draws of the response, for the interval.")
    top: int = Field(default=200, ge=1, description="For how many items a price is looked for, those of the most units.")


class GoalsSection(Section):
    """Which goals are set, and what meeting them pays."""

    by: Literal["place", "series"] | None = Field(
        default=None, description="Who has a goal: each place, or each series; places where there are any, when left out."
    )
    money: bool = Field(default=False, description="Goals in money, at the last known prices, and not in units.")
    ambition: float | None = Field(
        default=None, gt=0, lt=1, description="The quantile of the forecast that is the goal; 0.5 when left out."
    )
    budget: float | None = Field(default=None, gt=0, description="What bonuses may cost on average, in place of the ambition.")
    bonus: dict[str, Any] | None = Field(default=None, description="What meeting a goal pays: parameters of `vitrina.plan.Bonus`.")
    common: float | None = Field(
        default=None, ge=0, le=1, description="How much good and bad times are shared; as the forecast has it when left out."
    )


class PilotSection(Section):
    """A pilot in which levels of ambition, or two forecasts, were drawn by lot."""

    path: Paths = Field(description="Table with a row per shop or person that was drawn, whatever came of it.")
    arm: str = Field(description="Column of the level of ambition, or of whose forecast set the goal.")
    outcome: str = Field(description="Column of what was sold.")
    margin: float = Field(description="What is kept of one more of the outcome, before the bonus.")
    unit: str | None = Field(default=None, description="Column of ids.")
    forecast: str | None = Field(default=None, description="Column of what was forecast before, which sharpens the comparison.")
    goal: str | None = Field(default=None, description="Column of the goal that each was told.")
    paid: str | None = Field(default=None, description="Column of what was paid, in place of the goal.")
    segment: str | None = Field(default=None, description="Column of groups, known before, whose own best level is asked.")
    old: str | None = Field(default=None, description="Of two forecasts: column of the goal by the old one, for everybody.")
    new: str | None = Field(default=None, description="Of two forecasts: column of the goal by the new one, for everybody.")


class ReportSection(Section):
    """Where the pages go."""

    out: str = Field(default="vitrina-plan", description="Folder for the pages and tables.")
    title: str | None = Field(default=None, description="Title of the pages.")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Of the intervals.")


class Settings(Section):
    """The whole file."""

    sales: SalesSection
    history: HistorySection | None = None
    prices: PricesSection | None = None
    items: ItemsSection | None = None
    demand: DemandSection = DemandSection()
    goods: dict[str, Any] | None = Field(
        default=None, description="What is known of goods: a number for all, or the name of a column of its table."
    )
    stock: StockSection = StockSection()
    price: PriceSection = PriceSection()
    goals: GoalsSection = GoalsSection()
    pilot: PilotSection | None = None
    report: ReportSection = ReportSection()
