"""`vitrina init`: a commented config for one log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitrina.cli import options as o


def command(
    data: o.Data,
    user: o.User = None,
    item: o.Item = None,
    time: o.Time = None,
    value: o.Value = None,
    weight: o.Weight = None,
    kind: o.Kind = None,
    basket: o.Basket = None,
    time_unit: o.TimeUnit = None,
    time_format: o.TimeFormat = None,
    any_year: o.AnyYear = False,
    decimal: o.Decimal = None,
    order_by: o.OrderBy = None,
    encoding: o.Encoding = None,
    separator: o.Separator = None,
    header: o.Header = None,
    columns: o.Columns = None,
    items: o.Items = None,
    users: o.Users = None,
    title: o.Title = None,
    on_bad_row: o.OnBadRow = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("vitrina.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented vitrina.toml for this log, from what inspect finds in it."""
    from vitrina.base.errors import ParameterError
    from vitrina.base.files import write_text
    from vitrina.cli import console, outputs
    from vitrina.cli.log import given_columns, read_log
    from vitrina.cli.template import config_text
    from vitrina.data.inspect import inspect
    from vitrina.data.read.streams import is_stream

    if out.exists() and not force:
        raise ParameterError(f"{out} exists already. Overwrite it with --force, or write another one with --out.")
    if is_stream(data):
        raise ParameterError(f"A config names a log that can be read again, and {data} can't. Save it to a file and name that.")
    given = {
        "user": user, "item": item, "time": time, "value": value, "weight": weight, "kind": kind, "basket": basket,
        "time_unit": time_unit, "time_format": time_format, "any_year": any_year or None, "decimal": decimal,
        "order_by": order_by, "encoding": encoding, "separator": separator, "header": header, "columns": columns,
        "items": items, "users": users, "title": title, "on_bad_row": on_bad_row,
    }  # fmt: skip
    source = given_columns(data, given)
    outputs.check_file(out, source, force=force)
    log = read_log(source, as_typed=True)
    with console.working("Looking at the log"):
        seen = inspect(log)
    write_text(out, config_text(source, seen, log, out.parent))
    if seen.splits["problem"][0] is not None:
        console.warn(seen.reason)
    console.out().print(f"Wrote {out}. Compare the models in it with: vitrina compare {out}", markup=False, soft_wrap=True)
