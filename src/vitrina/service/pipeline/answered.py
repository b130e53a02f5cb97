"""What a pipeline gives for one request."""

from __future__ import annotations

from dataclasses import dataclass, field

from vitrina.base.errors import VitrinaError
from vitrina.service.trace import Trace
from vitrina.wire import FacetValue, RecommendedItem


@dataclass(frozen=True, slots=True)
class Answered:
    """A list, or why there is none.

    Args:
        items: best first.
        empty: why there is nothing, in a sentence; None where there is something.
        notes: what the client should know.
        trace: what the stages did to it, where it was asked for.
        version: of the model that answered.
        facets: values of columns over what was found, where they were asked for.
        error: what is wrong with the request, which has no list then; others of its batch aren't touched by it.
    """

    items: list[RecommendedItem]
    empty: str | None = None
    notes: list[str] = field(default_factory=list)
    trace: Trace | None = None
    version: str = ""
    error: VitrinaError | None = None
    facets: dict[str, list[FacetValue]] = field(default_factory=dict)
