"""Conditions on items as they are typed: brand=HP,Dell, price<=100, title~charger."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from vitrina.base.errors import ParameterError

FORM = re.compile(r"\s*(?P<column>[^=<>~!]+?)\s*(?P<sign>!=|<=|>=|=|<|>|~)\s*(?P<value>.+?)\s*")
TESTS = {"<": "below", "<=": "at_most", ">": "above", ">=": "at_least", "~": "contains", "!=": "is_not"}


def conditions(given: Iterable[str]) -> dict[str, Any]:
    """What `ItemIndex.eligible` and rules take.

    Raises:
        ParameterError: one is no condition.

    >>> conditions(["brand=HP, Dell", "price>=10", "price<100", "title~usb c"])
    {'brand': ['HP', 'Dell'], 'price': {'at_least': 10.0, 'below': 100.0}, 'title': {'contains': 'usb c'}}
    """
    found: dict[str, Any] = {}
    for text in given:
        match = FORM.fullmatch(text)
        if match is None:
            raise ParameterError(
                f"A condition is COLUMN=VALUE, also != < <= > >= and ~ (contains), in quotes: --where 'brand=HP,Dell' --where 'price<100'. Got {text!r}."
            )
        column, sign, value = match["column"], match["sign"], match["value"]
        wanted: Any = value if sign == "~" else _number(text, value) if sign in ("<", "<=", ">", ">=") else _values(value)
        before = found.get(column)
        if sign == "=" and before is None:
            found[column] = wanted
        elif sign != "=" and (before is None or isinstance(before, dict)) and TESTS[sign] not in (before or {}):
            found[column] = {**(before or {}), TESTS[sign]: wanted}
        else:
            raise ParameterError(
                f"The column {column!r} has two conditions that don't go together. Name several values as one: 'brand=HP,Dell'."
            )
    return found


def _values(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ParameterError(f"The condition {text!r} compares numbers, and {value!r} is none.") from None
