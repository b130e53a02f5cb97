"""`vitrina inspect`: what is in a log."""

from __future__ import annotations

from typing import Any

from vitrina.cli import options as o


@o.takes_log_options()
def command(data: o.Data, log: dict[str, Any], json: o.Json = False) -> None:
    """Say what is in a log: sizes, time span, repeats, ties, what each split would hold, and what will go wrong."""
    from vitrina.cli import console
    from vitrina.cli.log import given_columns, read_log
    from vitrina.data.inspect import inspect

    events = read_log(given_columns(data, log), as_typed=True)
    with console.working("Looking at the log"):
        inspection = inspect(events)
    if json:
        console.print_json(inspection)
    else:
        console.out().print(inspection)
