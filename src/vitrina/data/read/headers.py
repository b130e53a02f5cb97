"""The first line of a text file: names of columns, or data already; and what the columns of headerless data may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")
DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T].*)?")
EPOCH = (631_152_000, 4_102_444_800)  # 1990 to 2100, in seconds
TYPED_NAME = re.compile(r"(.+):(token|token_seq|float|float_seq)")  # RecBole's atomic files
ROLES = ("user", "item", "time", "value", "kind", "basket")

Token = Literal["token", "token_seq", "float", "float_seq"]


def typed_names(cells: Sequence[str]) -> Mapping[str, Token]:
    """Names and types of a header like `user_id:token`, empty where it is not such a one.

    >>> typed_names(["user_id:token", "rating:float"])
    {'user_id': 'token', 'rating': 'float'}
    """
    found = [TYPED_NAME.fullmatch(cell.strip()) for cell in cells]
    return {match[1]: match[2] for match in found if match} if all(found) else {}  # type: ignore[misc]


def looks_like_data(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these rows may be a record as the next one is, and no header: it has numbers or dates in the same places.

    >>> looks_like_data([["196", "242", "3"], ["186", "302", "3"]]), looks_like_data([["user", "item"], ["ann", "3"]])
    (True, False)
    """
    if not rows:
        return False
    first, below = rows[0], rows[1] if len(rows) > 1 else rows[0]
    forms = [_form(cell) for cell in first]
    return any(forms) and all(form == _form(cell) for form, cell in zip(forms, below, strict=False) if cell.strip())


def suggested(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Names for the columns of headerless data: user and item first, then a time and a small number where there is one.

    >>> suggested([["196", "242", "3", "881250949"], ["186", "302", "3", "891717742"]])
    ('user', 'item', 'value', 'time')
    """
    width = len(rows[0]) if rows else 0
    columns = [[row[k] for row in rows if k < len(row)] for k in range(width)]
    names: dict[int, str] = {}
    for role, fits in (("time", _is_time), ("user", bool), ("item", bool), ("value", _is_value)):
        place = next((k for k, cells in enumerate(columns) if k not in names and fits(cells)), None)
        if place is not None:
            names[place] = role
    return tuple(names.get(k, f"column{k + 1}") for k in range(width))


def _form(cell: str) -> str:
    return "number" if NUMBER.fullmatch(cell) else "date" if DATE.fullmatch(cell) else ""


def _is_time(cells: Sequence[str]) -> bool:
    return all(DATE.fullmatch(cell) or _is_moment(cell) for cell in cells)


def _is_moment(cell: str) -> bool:
    digits = cell.strip().partition(".")[0]
    return digits.isdigit() and any(EPOCH[0] * unit <= int(digits) <= EPOCH[1] * unit for unit in (1, 10**3, 10**6, 10**9))


def _is_value(cells: Sequence[str]) -> bool:
    return all(NUMBER.fullmatch(cell) and abs(float(cell.replace(",", "."))) <= 100 for cell in cells)
