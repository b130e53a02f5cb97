"""What a verdict comes to: its first words say it, and this is the one place where they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from vitrina.base.power import people_needed
from vitrina.base.printing import short

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


def disagreement(primary: str, leader: str, table: pl.DataFrame) -> str:
    """What speaks against the leader in money; empty where another model doesn't measurably earn more.

    Args:
        primary: the metric that the leader leads in.
        leader: the best model by it.
        table: the rows of one metric of Board.earnings.

    >>> disagreement("nDCG@10", "EASE", pl.DataFrame({"model": ["EASE"], "metric": "Value@10", "baseline": "Popularity",
    ...     "difference": -0.31, "low": -0.4, "high": -0.2, "verdict": "worse by 0.31 (0.20 to 0.40)"}))
    'The best order is not the one that earns most: EASE has the best nDCG@10, and Popularity has 0.310 more Value@10 per question (0.20 to 0.40).'
    """
    row = next((r for r in table.iter_rows(named=True) if r["model"] == leader), None)
    if row is None or standing(row["verdict"]) != "worse":
        return ""
    ends = row["verdict"].partition("(")[2]
    return (
        f"The best order is not the one that earns most: {leader} has the best {primary}, and {row['baseline']} has {short(abs(row['difference']))} more "
        f"{row['metric']} per question ({ends}."
    )
