"""Why an item stands where it does, in words: what the model and the rules say of a place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vitrina.report.words import fixed

FEATURES = 3  # that are named
SOURCES = {"model": "", "fallback": "popular", "rules": "by a rule"}


def source_words(source: str) -> str:
    """Who proposed an item; nothing is said where it is the model as usual."""
    return SOURCES.get(source, f"from {source}")


def why_words(why: Mapping[str, Any], reasons: Sequence[str], rank: int, title: Callable[[str], str]) -> list[str]:
    """Lines on a place.

    Args:
        why: what the model says of it, as `vitrina.told.explained` has it.
        reasons: the rules that moved it.
        rank: where it stands.
        title: of an item that is named.

    >>> why_words({"rank_before": 7, "sources": [{"source": "EASE", "place": 3}]}, ["drinks first"], 1, str)
    ['rule: drinks first', 'EASE 3', 'the model has it at 7']
    """
    lines = [f"rule: {reason}" for reason in reasons]
    if sources := why.get("sources"):
        lines.append(", ".join(f"{one['source']} {one['place']}" for one in sources))
    if (before := why.get("rank_before")) is not None and before != rank:
        lines.append(f"the model has it at {before}")
    heads = why.get("heads") or ()
    lines += [f"{head['head']}: {head['expected']:.3g} expected" for head in heads]
    lines += [_feature(one, len(heads) > 1) for one in (why.get("features") or ())[:FEATURES]]
    because = why.get("because") or ()
    lines += [f"because of {title(str(one))}" for one in because][:FEATURES]
    return lines


def _feature(feature: Mapping[str, Any], several: bool) -> str:
    """A feature with its value and what it adds."""
    value = "missing" if feature["value"] is None else f"{feature['value']:.4g}"
    to = f" to {feature['head']}" if several else ""
    adds = feature["adds"]
    return f"{feature['feature']} {value} ({'+' if adds >= 0 else '−'}{fixed(abs(adds), 2)}{to})"
