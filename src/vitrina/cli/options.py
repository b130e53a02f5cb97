"""Options that several commands share, so that a name means one thing everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LOG = "The log"

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="CSV or other text, JSON lines, Excel, Parquet: a file, a glob in quotes, or - for a pipe.", show_default=False
    ),
]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A vitrina.toml; write one with: vitrina init DATA", show_default=False)]

User = Annotated[str | None, typer.Option(help="Column of the user.", rich_help_panel=LOG)]
Item = Annotated[str | None, typer.Option(help="Column of the item.", rich_help_panel=LOG)]
Time = Annotated[str | None, typer.Option(help="Column of the time.", rich_help_panel=LOG)]
Value = Annotated[str | None, typer.Option(help="Column of a number: rating, quantity, money.", rich_help_panel=LOG)]
Weight = Annotated[str | None, typer.Option(help="Column of how much an event counts; below 0 it is a dislike.", rich_help_panel=LOG)]
Kind = Annotated[str | None, typer.Option(help="Column of the kind of event: view, buy.", rich_help_panel=LOG)]
Basket = Annotated[str | None, typer.Option(help="Column of the basket or order.", rich_help_panel=LOG)]
TimeUnit = Annotated[
    str | None,
    typer.Option(help="Unit of times that are numbers: s, ms, us, ns, excel; or step where only the order counts.", rich_help_panel=LOG),
]
TimeFormat = Annotated[str | None, typer.Option(help='Form of dates as text: "%d.%m.%Y %H:%M".', rich_help_panel=LOG)]
AnyYear = Annotated[bool, typer.Option("--any-year", help="Take dates before 1990 and after today as they are.", rich_help_panel=LOG)]
Decimal = Annotated[str | None, typer.Option(metavar=".|,", help="Decimal sign of numbers as text.", rich_help_panel=LOG)]
OrderBy = Annotated[str | None, typer.Option(help="Column that orders events of one time.", rich_help_panel=LOG)]
Encoding = Annotated[str | None, typer.Option(help="Of text that is not UTF-8: cp1251, utf-16, gbk.", rich_help_panel=LOG)]
Separator = Annotated[str | None, typer.Option(help="Between the fields: ';', '::', ' ' for blanks.", rich_help_panel=LOG)]
Header = Annotated[bool | None, typer.Option("--header/--no-header", help="Whether the first line names the columns.", rich_help_panel=LOG)]
Columns = Annotated[
    str | None, typer.Option(help="Names for the columns of a file without a header: user,item,value,time.", rich_help_panel=LOG)
]
Items = Annotated[str | None, typer.Option(help="Table of items: titles, categories, prices.", rich_help_panel=LOG)]
Users = Annotated[str | None, typer.Option(help="Table of users.", rich_help_panel=LOG)]
Title = Annotated[str | None, typer.Option(help="Column to show to people: of the item table, or of the log.", rich_help_panel=LOG)]
OnBadRow = Annotated[
    str | None,
    typer.Option(metavar="error|quarantine", help="Stop at a bad row, or put bad rows in a file and go on.", rich_help_panel=LOG),
]

Force = Annotated[bool, typer.Option("--force", help="Overwrite what Vitrina did not write.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Trust = Annotated[bool, typer.Option("--trust", help="Allow 'type = \"package.module:Class\"' in the config: it runs that code.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results.", show_default=False)]
