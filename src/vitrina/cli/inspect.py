"""`vitrina inspect`: what is in a log."""

from __future__ import annotations

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
    json: o.Json = False,
) -> None:
    """Say what is in a log: sizes, time span, repeats, ties, what each split would hold, and what will go wrong."""
    from vitrina.cli import console
    from vitrina.cli.log import given_columns, read_log
    from vitrina.data.inspect import inspect

    given = {
        "user": user, "item": item, "time": time, "value": value, "weight": weight, "kind": kind, "basket": basket,
        "time_unit": time_unit, "time_format": time_format, "any_year": any_year or None, "decimal": decimal,
        "order_by": order_by, "encoding": encoding, "separator": separator, "header": header, "columns": columns,
        "items": items, "users": users, "title": title, "on_bad_row": on_bad_row,
    }  # fmt: skip
    log = read_log(given_columns(data, given), as_typed=True)
    with console.working("Looking at the log"):
        seen = inspect(log)
    if json:
        console.print_json(seen)
    else:
        console.out().print(seen)
