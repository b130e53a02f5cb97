"""Whether a search ended at its edge: where the best value is the last one that was looked at, a better one may lie beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vitrina.base.config import Config, parameters_of
from vitrina.base.errors import VitrinaError
from vitrina.board.tune import Range, Search

OUTER = 0.1  # of a range, in its own scale, counts as its edge
SEVERAL = 5  # values tried of a range, from which the last of them is an edge too


def edge_notes(search: Search, tried: Sequence[Any], best: Any, *, own: bool) -> tuple[str, ...]:
    """One sentence for each searched number whose best value lies at the end of its list or range, if the model takes a value beyond.

    Args:
        search: what was searched.
        tried: the models that were tried.
        best: the one that won.
        own: whether the search is the user's, who can widen it, or Vitrina's.

    >>> import vitrina as vt
    >>> search = vt.tune(vt.EASE, l2=[10, 100, 1000])
    >>> edge_notes(search, search.candidates(3), vt.EASE(l2=1000), own=True)
    ('The best l2 (1000) is at the edge of its search (10 to 1000): widen it.',)
    """
    notes = []
    for name, of in search.space.items():
        field = "" if isinstance(of, Range) else _varied(of) if isinstance(of, tuple) else None
        if field is None:
            continue
        label = f"{name}.{field}" if field else name
        values = [v for model in tried if (v := _value(model, name, field)) is not None]
        won = _value(best, name, field)
        ends = (of.low, of.high) if isinstance(of, Range) else _ends(of, field)
        if won is None or ends[0] == ends[1] or not _at_edge(won, values, of, ends) or not _takes_more(best, name, field, won, ends):
            continue
        remedy = "widen it" if own else f"compare {search.model.__name__} with a wider search of your own"
        notes.append(f"The best {label} ({won:g}) is at the edge of its search ({ends[0]:g} to {ends[1]:g}): {remedy}.")
    return tuple(notes)


def _varied(choices: Sequence[Any]) -> str | None:
    """ "" for a list of numbers; the one field that varies in a list of the same part; None where there is no order."""
    known = [c for c in choices if c is not None]
    if all(_is_number(c) for c in known):
        return "" if len(set(known)) > 1 else None
    if not all(isinstance(c, Config) for c in known) or len({type(c) for c in known}) != 1:
        return None
    fields = [f for f in type(known[0]).model_fields if len({repr(getattr(c, f)) for c in known}) > 1]
    return fields[0] if len(fields) == 1 and all(_is_number(getattr(c, fields[0])) for c in known) else None


def _value(model: Any, name: str, field: str) -> float | None:
    value = parameters_of(model).get(name)
    value = getattr(value, field, None) if field else value
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _ends(choices: Sequence[Any], field: str) -> tuple[float, float]:
    values = [getattr(c, field) if field else c for c in choices if c is not None]
    return min(values), max(values)


def _at_edge(won: float, values: Sequence[float], of: Any, ends: tuple[float, float]) -> bool:
    """The end of a list; the outer tenth of a range, or the last of several values that were drawn from it."""
    if not isinstance(of, Range):
        return won == ends[0] or (won == ends[1] and None not in of)  # None is no limit: beyond all numbers
    scale = math.log if of.log else float
    share = (scale(won) - scale(of.low)) / (scale(of.high) - scale(of.low))
    return not OUTER < share < 1 - OUTER or (len(set(values)) >= SEVERAL and won in (min(values), max(values)))


def _takes_more(best: Any, name: str, field: str, won: float, ends: tuple[float, float]) -> bool:
    """Whether the model takes a value beyond the end that the winner is at: nothing is to be widened where its domain ends."""
    low, high = ends
    step = 1 if isinstance(won, int) else abs(low) / 2 or 1
    beyond = high + step if abs(won - high) < abs(won - low) else low - step
    given = parameters_of(best)
    try:
        part = type(given[name])(**parameters_of(given[name]) | {field: beyond}) if field else beyond
        type(best)(**given | {name: part})
    except (ValueError, TypeError, ArithmeticError, VitrinaError):
        return False
    return True
