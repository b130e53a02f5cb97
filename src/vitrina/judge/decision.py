"""Whether a judge may stand in for people in a decision."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal, final

import numpy as np

from vitrina.base.power import ERRORS_SEEN, people_needed
from vitrina.base.printing import short, short_interval
from vitrina.judge.clusters import Estimate

FEWEST = 20  # queries, below whom an interval by query is too narrow to decide by


@final
@dataclass(frozen=True)
class Decision:
    """What was needed, what was seen, and whether the judge may be used.

    Args:
        measure: what was looked at.
        needed: the least that the decision needs.
        estimate: what was seen.
        more_labels: of people, in as many further queries as that takes at so many per query, that would settle it in four cases of five if the agreement is what it seems; 0 where it is settled; None where
            no number would be of use, because what is seen is what is needed.
    """

    measure: str
    needed: float
    estimate: Estimate
    more_labels: int | None

    @property
    def verdict(self) -> Literal["allowed", "refused", "undecided"]:
        """ "allowed" where the lower end reaches what is needed, "refused" where not even the upper end does. Only the first lets the judge be used."""
        if self.estimate.clusters >= FEWEST:
            if self.estimate.low >= self.needed:
                return "allowed"
            if self.estimate.high < self.needed:
                return "refused"
        return "undecided"

    def __bool__(self) -> bool:
        return self.verdict == "allowed"

    @property
    def sentence(self) -> str:
        e = self.estimate
        seen = f"{self.measure} is {short_interval(e.value, e.low, e.high)} and {short(self.needed)} is needed"
        if self.verdict == "allowed":
            return f"The judge may be used: {seen}."
        if self.verdict == "refused":
            return f"The judge is refused: {seen}. More labels will not change that; other criteria, examples or another model may."
        if self.more_labels is None:
            return (
                f"The judge is refused for now: {seen}. It lies so close to what is needed that no number of labels is sure to settle it."
            )
        way = "for" if e.value > self.needed else "against"
        return f"The judge is refused for now: {seen}. About {self.more_labels:,} more labels, in other queries, would settle it, most likely {way} it."


def decided(measure: str, needed: float, estimate: Estimate) -> Decision:
    """With the labels that are lacking: errors shrink with the root of the number of queries."""
    found = Decision(measure, needed, estimate, 0)
    if found.verdict != "undecided":
        return found
    distance, per_query = abs(estimate.value - needed), estimate.rows / max(estimate.clusters, 1)
    if np.isnan(distance) or distance < 1e-9 or np.isnan(estimate.error):
        return Decision(measure, needed, estimate, None)
    queries = people_needed(distance, ERRORS_SEEN * estimate.error, estimate.clusters) if estimate.error > 0 else FEWEST
    more = max(queries, FEWEST, estimate.clusters + 1) - estimate.clusters
    return Decision(measure, needed, estimate, ceil(more * per_query))
