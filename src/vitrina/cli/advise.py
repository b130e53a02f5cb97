"""`vitrina advise`: which models a log's size allows here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vitrina.cli import options as o


@o.takes_log_options()
def command(
    data: o.Data,
    log: dict[str, Any],
    memory: Annotated[
        str | None, typer.Option(help="That a fit may take beside the log: 8GB; by default 85% of what is free.", show_default=False)
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="That a fit may take; by default as long as it takes.", show_default=False)] = None,
    json: o.Json = False,
) -> None:
    """Say which models fit this log's size in this machine's memory and in a wished time, with an estimate for each. Nothing is fitted."""
    from vitrina.advise.run import advise
    from vitrina.cli import console
    from vitrina.cli.log import given_columns, read_log, spoken_as_typed

    events = read_log(given_columns(data, log), as_typed=True)
    with console.working("Looking at the log and the machine"), spoken_as_typed():
        advice = advise(events, memory=memory, minutes=minutes)
    if json:
        console.print_json(advice)
    else:
        console.out().print(advice)
