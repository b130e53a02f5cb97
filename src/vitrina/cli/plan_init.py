"""The file of a plan, written from what the names of columns say."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.cli import console, outputs

SALES = {  # role -> how columns of it are usually called
    "item": ("itemid", "item", "sku", "productid", "product", "articleid", "article", "stockcode", "код", "товар", "артикул"),
    "time": ("timestamp", "date", "datetime", "time", "day", "soldat", "invoicedate", "transactiontimestamp", "createdat", "дата", "день"),
    "quantity": ("quantity", "qty", "units", "unitssold", "count", "pieces", "количество", "штук"),
    "price": ("price", "unitprice", "priceperunit", "цена"),
    "paid": ("salesvalue", "total", "amount", "revenue", "paid", "sum", "linetotal", "сумма", "выручка"),
    "place": ("storeid", "store", "shop", "shopid", "warehouse", "place", "branch", "магазин", "склад"),
}
GOODS = {
    "cost": ("cost", "purchaseprice", "purchase", "purchasecost", "buyingprice", "закупка", "себестоимость"),
    "price": ("price", "retailprice", "sellingprice", "цена"),
    "pack": ("pack", "packsize", "case", "casesize", "unitspercase", "упаковка"),
    "shelf_life": ("shelflife", "shelflifedays", "срокгодности"),
    "volume": ("volume", "area", "объем", "объём"),
    "lead": ("lead", "leadtime", "leaddays"),
    "review": ("review", "orderevery", "deliveryevery"),
    "stock": ("stock", "onhand", "instock", "остаток"),
}
TITLES = ("title", "name", "producttitle", "productname", "description", "название", "наименование")
CATEGORIES = ("category", "productcategory", "group", "department", "категория", "группа")
NEEDED = ("item", "time", "quantity")
TEXT = """# Written by Vitrina. Every key is described in docs/plan-file.md; a wrong one is refused with its line. Paths are relative to this file.
[sales]
path = {path}
{columns}
# returns = "net"            # quantities below 0 are taken off the day on which they came back; "drop" leaves them out

# [history]                  # when items were sold out: without it a day of 0 may be one without stock
# path = "stock.csv"         # columns item, date and stock
{items}
[demand]
days = 28
# forecaster = "Counts"      # by default the best on the past is shown, and the house's own plans

{goods}
[stock]
rule = "OrderUpTo"           # its safety stock is found; a table {{type = "OrderUpTo", service = 0.95}} takes it as it is

# [price]
# by = "category"            # items of one category learn from each other how demand answers to prices

# [goals]
# ambition = 0.5
# bonus = {{fixed = 100}}

[report]
out = "vitrina-plan"
"""


def write(table: Path, file: Path, goods: Path | None, named: Mapping[str, str | None], *, force: bool) -> str:
    """The file for a log of sales; what was found in it, as a sentence.

    Raises:
        ParameterError: the file is there, and isn't to be overwritten.
        DataError: the table can't be read, or no column of it says what was sold when.
    """
    from vitrina.base.files import write_text

    columns = _columns(table)
    for name in named.values():
        if name is not None and name not in columns:
            raise UnknownNameError.of(f"column of {table}", name, columns)
    roles = _roles(columns, SALES) | {role: name for role, name in named.items() if name is not None}
    if "price" in roles:
        roles.pop("paid", None)
    missing = [role for role in NEEDED if role not in roles]
    if missing:
        options = " ".join(f"--{role} COLUMN" for role in missing)
        raise DataError(
            f"No column of {table} is called like the {' and the '.join(missing)} of a sale. Name it: {options}. Its columns: {', '.join(columns)}."
        )
    outputs.check_file(file, {"source": str(table)}, force=True)
    text = _text(table, file, roles, goods)
    if file.exists() and not force and file.read_text(encoding="utf-8") != text:
        raise ParameterError(f"{file} exists already, and says something else. Overwrite it with --force, or name another with --out.")
    write_text(file, text)
    return "; ".join(f"{role}: {name!r}" for role, name in roles.items())


def _columns(table: Path) -> list[str]:
    from vitrina.data.read.sources import AS_FOUND, find_sources

    with console.working(f"Looking at {table}"):
        return list(find_sources(str(table), str(table), AS_FOUND)[0].columns)


def _roles(columns: Sequence[str], usual: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """role -> the first column that is called so, each column once."""
    plain = {"".join(c for c in name.casefold() if c.isalnum()): name for name in reversed(columns)}
    found: dict[str, str] = {}
    for role, names in usual.items():
        name = next((plain[n] for n in names if n in plain and plain[n] not in found.values()), None)
        if name is not None:
            found[role] = name
    return found


def _text(table: Path, file: Path, roles: Mapping[str, str], goods: Path | None) -> str:
    columns = "\n".join(f"{role} = {_value(name)}" for role, name in roles.items())
    items, economics = "", _example(roles)
    if goods is not None:
        held = _columns(goods)
        plain = {"".join(c for c in name.casefold() if c.isalnum()): name for name in reversed(held)}
        if roles["item"] not in held:
            raise DataError(
                f"{goods} has no column {roles['item']!r}, as ids are called in {table}. Its columns: {', '.join(held)}. Rename the one with ids."
            )
        more = {key: next((plain[n] for n in names if n in plain), None) for key, names in (("title", TITLES), ("category", CATEGORIES))}
        items = "\n".join(
            ["", "[items]", f"path = {_path(goods, file)}", *(f"{key} = {_value(name)}" for key, name in more.items() if name), ""]
        )
        found = _roles(held, GOODS)
        if "cost" in found:
            economics = "\n".join(
                [
                    "[goods]                      # what is known of each item: a column of [items], or a number for all",
                    *(f"{k} = {_value(n)}" for k, n in found.items()),
                    "",
                ]
            )
    return TEXT.format(path=_path(table, file), columns=columns, items=items, goods=economics)


def _example(roles: Mapping[str, str]) -> str:
    """The table of goods as a comment, where nothing is known of them."""
    price = "" if "price" in roles or "paid" in roles else "# price = 5.0\n"
    return f"# [goods]                    # what is known of each item: a number for all, or a column of [items]; prices are the last of the log\n{price}# cost = 3.0\n# pack = 12\n# shelf_life = 14\n# lead = 2\n# review = 3\n# storage = 0.01\n"


def _path(path: Path, file: Path) -> str:
    return _value(Path(os.path.relpath(path.expanduser(), file.parent)).as_posix())


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
