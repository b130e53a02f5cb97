"""`vitrina plan`: what will be wanted, what to order, at which price, and which goals to set."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from vitrina.cli import options as o

HELP = "Stock, price and plan: forecast demand, find what to order and at which price, set goals."
Job = Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file; write one with: vitrina plan init sales.csv", show_default=False)]

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def plan() -> None:
    """Stock, price and plan: forecast demand, find what to order and at which price, set goals."""


Item = Annotated[str | None, typer.Option(help="Column of items, where it isn't found by its name.", show_default=False)]
Time = Annotated[str | None, typer.Option(help="Column of days or moments, where it isn't found by its name.", show_default=False)]
Quantity = Annotated[str | None, typer.Option(help="Column of units, where it isn't found by its name.", show_default=False)]
Price = Annotated[str | None, typer.Option(help="Column of the price of one unit, where it isn't found by its name.", show_default=False)]
Paid = Annotated[str | None, typer.Option(help="Column of what the line cost, where it isn't found by its name.", show_default=False)]
Place = Annotated[str | None, typer.Option(help="Column of shops, where it isn't found by its name.", show_default=False)]


@app.command()
def init(
    table: Annotated[Path, typer.Argument(metavar="SALES", help="Lines of sales: CSV or Parquet.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("plan.toml"),
    goods: Annotated[
        Path | None, typer.Option(help="Table of items: titles, categories, costs, packs, shelf lives.", show_default=False)
    ] = None,
    item: Item = None,
    time: Time = None,
    quantity: Quantity = None,
    price: Price = None,
    paid: Paid = None,
    place: Place = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented plan.toml for a log of sales, from what its columns are called."""
    from vitrina.cli import console, plan_init

    named = {"item": item, "time": time, "quantity": quantity, "price": price, "paid": paid, "place": place}
    found = plan_init.write(table, out, goods, named, force=force)
    console.out().print(f"Wrote {out}. {found}.\nNext: vitrina plan demand {out}", markup=False, soft_wrap=True)


def _run(what: str, config: Path, out: Path | None, *, trust: bool, force: bool, json: bool) -> None:
    """One of the commands on a file, whose module does the work and says what came of it."""
    from vitrina.cli import console
    from vitrina.cli.plan_file import read_plan_file

    command: Any = import_module(f"vitrina.cli.plan_{what}")
    found = command.run(read_plan_file(config, trust=trust), out, force=force)
    if json:
        console.print_json(command.as_json(found))
    else:
        command.show(found)


@app.command()
def demand(config: Job, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Judge forecasters on the past, forecast the days to come with the best, and write demand.html and forecast.parquet."""
    _run("demand", config, out, trust=trust, force=force, json=json)


@app.command()
def stock(config: Job, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Find what to order of each item and what that earns, say which items lose money and what would help; write stock.html, stock.csv, and orders.csv where it is known what is on hand."""
    _run("stock", config, out, trust=trust, force=force, json=json)


@app.command()
def price(config: Job, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Learn how demand answers to prices, find those that earn most after storage and write-offs, and write price.html, elasticities.csv and prices.csv."""
    _run("price", config, out, trust=trust, force=force, json=json)


@app.command()
def goals(config: Job, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Set goals by the distribution of the forecast, say how likely each is met and what bonuses cost, and write goals.html and goals.csv."""
    _run("goals", config, out, trust=trust, force=force, json=json)
