"""What happened to a request on its way through the stages: for the console, for explanations and for the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Args:
        name: "history", "sources", "eligibility", "scoring", "reranking", "checks".
        seconds: how long it took, for the whole batch.
        left: how many items were left after it.
        dropped: items that it left out, by the name of the rule or the condition that did; of each at most 100 ids.
        counts: how many those are.
        skipped: parts that failed or were too slow, and why.
    """

    name: str
    seconds: float
    left: int | None = None
    dropped: Mapping[str, list[str]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """All stages of one request, in their order."""

    stages: tuple[Stage, ...]
