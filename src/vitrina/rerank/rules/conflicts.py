"""Rules that contradict each other: said with both names, when they are put together or, where only the columns show it, when they are fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.rerank.rules.base import Filter, Rule
from vitrina.rerank.rules.bounds import Fitted
from vitrina.rerank.rules.conditions import ITEM, text_of
from vitrina.rerank.rules.filters import Hide, Only
from vitrina.rerank.rules.movers import AtLeast, AtMost, Boost, Pin


def check_together(rules: Mapping[str, Rule]) -> None:
    """Refuse names that can't be reasons, and rules of which each sees alone that both can't hold.

    Raises:
        ParameterError: says which, by name; `parameter` is the second of them.
    """
    for name in rules:
        if not name or "|" in name:
            raise ParameterError(
                f"The name of a rule is a text without a '|', as it is a reason in lists. Got {name!r}.", owner="Rules", parameter=name
            )
    for one, other, why in _contradictions(rules):
        raise contradiction(one, other, why)


def contradiction(one: str, other: str, why: str) -> ParameterError:
    """The error of two rules that can't both hold."""
    return ParameterError(f"The rules {one!r} and {other!r} contradict each other: {why}.", owner="Rules", parameter=other)


def _contradictions(rules: Mapping[str, Rule]) -> Iterator[tuple[str, str, str]]:
    for one, other in combinations(rules, 2):
        for why in (_of_pair(rules[one], rules[other]), _of_pair(rules[other], rules[one])):
            if why:
                yield one, other, why
                break


def _of_pair(one: Rule, other: Rule) -> str:
    """Why both can't hold, "" where they can; asked in both orders."""
    if isinstance(one, Pin) and isinstance(other, Pin):
        return "" if _apart(one.who, other.who) else _of_pins(one, other)
    if isinstance(one, Hide) and isinstance(other, Only) and one.where == other.where:
        return "one hides what the other shows alone, and nothing is left"
    if isinstance(one, Hide) and isinstance(other, AtLeast | Boost) and one.where == other.where:
        return "one hides the items that the other wants to be shown"
    if isinstance(one, Hide | Only) and isinstance(other, Pin) and _hides_id(one, text_of(other.item)):
        return f"the item {other.item!r} is hidden by one and has place {other.place} by the other"
    return _of_quotas(one, other) if isinstance(one, AtMost) and isinstance(other, AtLeast) else ""


def _of_pins(one: Pin, other: Pin) -> str:
    if one.place == other.place:
        return f"both keep place {one.place}, for the same people"
    same = text_of(one.item) == text_of(other.item)
    return f"the item {one.item!r} can't stand at place {one.place} and at place {other.place}" if same else ""


def _of_quotas(cap: AtMost, floor: AtLeast) -> str:
    most = cap.n if cap.first is None else cap.n + max(floor.first - cap.first, 0)
    if floor.n <= most or not _same_items(cap, floor):
        return ""
    return f"of the first {floor.first} places at most {most} can be of what at least {floor.n} must be of"


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether no person keeps both conditions, as far as values show it."""
    return any(
        column in other and not (_named(one[column]) & _named(other[column]))
        for column in one
        if _plain(one[column]) and _plain(other.get(column))
    )


def _plain(wanted: Any) -> bool:
    return wanted is not None and not isinstance(wanted, Mapping)


def _named(wanted: Any) -> set[str]:
    return {text_of(value) for value in (wanted if isinstance(wanted, (list, tuple)) else [wanted])}


def _hides_id(rule: Hide | Only, item: str) -> bool:
    """Whether conditions on ids alone hide this one."""
    where = rule.where
    if not isinstance(where, Mapping) or set(where) != {ITEM} or not _plain(where[ITEM]):
        return False
    return (item in _named(where[ITEM])) == isinstance(rule, Hide)


def _same_items(cap: AtMost, floor: AtLeast) -> bool:
    """Whether the floor is of one group of the cap."""
    if cap.where is not None or not isinstance(floor.where, Mapping):
        return cap.where == floor.where
    wanted = floor.where.get(str(cap.each))
    return len(floor.where) == 1 and _plain(wanted) and len(_named(wanted)) == 1


def check_fitted(fitted: Fitted) -> None:
    """Refuse rules of which the columns show that both can't hold.

    Raises:
        ParameterError: as `check_together`.
    """
    for (one, (hiding, own)), (other, (rule, spoken)) in permutations(fitted.items(), 2):
        hidden = hiding.for_all(own) if isinstance(hiding, Filter) else None
        if hidden is not None and isinstance(rule, AtLeast | Pin) and spoken["mask"].any() and hidden[spoken["mask"]].all():
            what = f"the item {rule.item!r}" if isinstance(rule, Pin) else "every item that there must be some of"
            raise contradiction(one, other, f"the first hides {what}")
    _check_floors({name: (rule, own) for name, (rule, own) in fitted.items() if isinstance(rule, AtLeast)})
    _check_pinned_groups(fitted)


def _check_floors(floors: Fitted) -> None:
    """Floors of items that share none may not sum above the longer of their prefixes."""
    for (one, (rule, own)), (other, (second, spoken)) in combinations(floors.items(), 2):
        first = max(rule.first, second.first)
        if rule.n + second.n > first and own["mask"].any() and spoken["mask"].any() and not (own["mask"] & spoken["mask"]).any():
            raise contradiction(
                one, other, f"they need {rule.n} and {second.n} of the first {first} places, for items of which none is in both"
            )


def _check_pinned_groups(fitted: Fitted) -> None:
    """Items that have a place for everybody may not be more of a group than a cap allows there."""
    pins = {name: (rule, own) for name, (rule, own) in fitted.items() if isinstance(rule, Pin) and not rule.who}
    for cap_name, (cap, own) in fitted.items():
        if not isinstance(cap, AtMost):
            continue
        groups = cap.groups(own)
        held: dict[int, int] = {}
        for name, (pin, spoken) in pins.items():
            for group in groups[int(np.flatnonzero(spoken["mask"])[0])].tolist() if pin.place <= cap.bound()[0] else ():
                held[group] = held.get(group, 0) + 1
                if held[group] > cap.n:
                    raise contradiction(cap_name, name, f"{held[group]} items of one group have places where at most {cap.n} may be")
