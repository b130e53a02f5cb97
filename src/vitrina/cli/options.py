"""Options that several commands share, so that a name means one thing everywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

LOG = "The log"

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV or other text, JSON lines, Excel, Parquet: a file, a glob in quotes, or - for a pipe; or the folder of an ingested log.",
        show_default=False,
    ),
]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A vitrina.toml; write one with: vitrina init DATA", show_default=False)]


def _of_log(help: str, *names: str, metavar: str | None = None, type: Any = str) -> Any:
    return Annotated[type | None, typer.Option(*names, help=help, metavar=metavar, rich_help_panel=LOG, show_default=False)]


LOG_OPTIONS: dict[str, Any] = {
    "user": _of_log("Column of the user."),
    "item": _of_log("Column of the item."),
    "time": _of_log("Column of the time."),
    "value": _of_log("Column of a number: rating, quantity, money."),
    "weight": _of_log("Column of how much an event counts; below 0 it is a dislike."),
    "kind": _of_log("Column of the kind of event: view, buy."),
    "basket": _of_log("Column of the basket or order."),
    "time_unit": _of_log("Unit of times that are numbers: s, ms, us, ns, excel; or step where only the order counts."),
    "time_format": _of_log('Form of dates as text: "%d.%m.%Y %H:%M".'),
    "any_year": _of_log("Take dates before 1990 and after today as they are.", "--any-year", type=bool),
    "decimal": _of_log("Decimal sign of numbers as text.", metavar=".|,"),
    "order_by": _of_log("Column that orders events of one time."),
    "encoding": _of_log("Of text that is not UTF-8: cp1251, utf-16, gbk."),
    "separator": _of_log("Between the fields: ';', '::', ' ' for blanks."),
    "header": _of_log("Whether the first line names the columns.", "--header/--no-header", type=bool),
    "columns": _of_log("Names for the columns of a file without a header: user,item,value,time."),
    "items": _of_log("Table of items: titles, categories, prices."),
    "users": _of_log("Table of users."),
    "title": _of_log("Column to show to people: of the item table, or of the log."),
    "on_bad_row": _of_log("Stop at a bad row, or put bad rows in a file and go on.", metavar="error|quarantine"),
}  # named like the arguments of `read_interactions`


def takes_log_options(but: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of a log, all but a few. They stand where its parameter `log` does, which gets them as one dictionary."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(signature(command, eval_str=True).parameters.values())
        names = [name for name in LOG_OPTIONS if name not in but]
        shared = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=LOG_OPTIONS[name]) for name in names]
        at = [parameter.name for parameter in own].index("log")

        @wraps(command)
        def with_options(**given: Any) -> None:
            command(log={name: given.pop(name) for name in names}, **given)

        parameters = [*own[:at], *shared, *own[at + 1 :]]
        with_options.__signature__ = Signature([p.replace(kind=Parameter.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
        return with_options

    return decorate


Force = Annotated[bool, typer.Option("--force", help="Overwrite what Vitrina did not write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Trust = Annotated[bool, typer.Option("--trust", help="Allow 'type = \"package.module:Class\"' in the config: it runs that code.")]
TrustArtifact = Annotated[
    bool, typer.Option("--trust", help="Allow an artifact of a model of your own, whose module lies here: it runs that code.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results.", show_default=False)]
CLUSTER = "Where it runs"
Engine = Annotated[str, typer.Option(help="Who runs the parts.", metavar="local|ray", rich_help_panel=CLUSTER)]
Workers = Annotated[int, typer.Option(help="Parts at a time.", rich_help_panel=CLUSTER)]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Of --engine ray: the address of a running cluster; by default one starts on this machine.",
        metavar="ADDRESS",
        rich_help_panel=CLUSTER,
        show_default=False,
    ),
]
