"""`vitrina plan`: what will be wanted, what to order, at which price, and which goals to set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o

HELP = "Stock, price and plan: forecast demand, find what to order and at which price, set goals."
Job = Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file; write one with: vitrina plan init sales.csv", show_default=False)]

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def plan() -> None:
    """Stock, price and plan: forecast demand, find what to order and at which price, set goals."""


@app.command()
def demand(config: Job, out: o.Out = None, trust: o.Trust = False, force: o.Force = False, json: o.Json = False) -> None:
    """Judge forecasters on the past, forecast the days to come with the best, and write demand.html and forecast.parquet."""
    from vitrina.cli import console, plan_demand
    from vitrina.cli.plan_file import read_plan_file

    found = plan_demand.run(read_plan_file(config, trust=trust), out, force=force)
    if json:
        console.print_json(plan_demand.as_json(found))
    else:
        plan_demand.show(found)
