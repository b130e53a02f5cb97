"""What a verdict comes to: its first words say it, and this is the one place where they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from vitrina.base.power import people_needed

Standing = Literal["better", "worse", "equal", "unsure"]
WISHED = 0.05  # of the baseline's value: the difference to be seen where the smallest that matters is not named


def standing(verdict: str | None) -> Standing:
    """ "better" and "worse" are measurable, "equal" is within what matters; all else is no verdict.

    >>> standing("better by 0.011 (0.009 to 0.014)"), standing("about equal: within 0.002"), standing("too few people to tell")
    ('better', 'equal', 'unsure')
    """
    text = verdict or ""
    if text.startswith(("better by", "worse by")):
        return "better" if text.startswith("better") else "worse"
    return "equal" if text.startswith(("about equal", "the same on every query")) else "unsure"


def wished(matters: float | None, baseline: float | None) -> float | None:
    """The difference that a reader would want to see: the smallest that matters, else a twentieth of the baseline's value."""
    return matters or (WISHED * abs(baseline) if baseline else None)


def more_people(row: Mapping[str, Any], difference: float | None) -> int | None:
    """How many people it takes to see `difference`, where a verdict couldn't tell; None where it could, or where enough were asked.

    Args:
        row: of Board.comparisons.
        difference: that is wished to be seen.
    """
    detectable, people = row.get("detectable"), row.get("people")
    if standing(row["verdict"]) != "unsure" or not (difference and detectable and people):
        return None
    needed = people_needed(difference, detectable, people)
    return needed if needed > people else None
