"""What few requests ask for: why items stand in a list, and what each stage did to it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from vitrina.base.arrays import Int32
from vitrina.protocols import Recommender
from vitrina.service.pipeline.check import Checked
from vitrina.service.pipeline.eligible import Asking
from vitrina.service.trace import Stage, Trace
from vitrina.told import explained
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.wire import RecommendedItem

SAID_ANYWAY = ("query", "rank", "item_id", "title", "score", "source", "reasons", "propensity")
MOST_IDS = 100  # that a trace names of what one rule dropped
LESS = {"filter": "without the filter", "words": "without", "any": "for any of the words"}  # what a search gave up
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Alone:
    """One request of a batch, as the stages had it.

    Args:
        whole: the model with its re-rankers.
        lists: as they were ranked, with the reserve.
        check: which places stay.
    """

    whole: Recommender
    queries: Queries
    asking: Asking
    eligible: Eligibility
    lists: Recommendations
    check: Checked


def with_why(found: Sequence[RecommendedItem], part: Alone, k: int, notes: list[str]) -> list[RecommendedItem]:
    """The items of one list with what the model says of each, in `why`.

    Cost: that of the model's `explain`: some milliseconds per place where there are features.
    """
    try:
        table = explained(part.whole, replace(part.queries, labels=None), k, eligible=part.eligible)
    except Exception as error:
        log.exception("The model failed to explain a list.")
        notes.append(f"The list couldn't be explained: {error}")
        return list(found)
    columns = [name for name in table.columns if name not in SAID_ANYWAY]
    if not columns:
        notes.append("The model says no more of a place than its score and its source.")
        return list(found)
    said: Mapping[str, dict[str, Any]] = {str(row["item_id"]): {name: row[name] for name in columns} for row in table.iter_rows(named=True)}
    return [
        RecommendedItem(one.item, one.rank, one.score, one.source, one.title, one.reasons, one.propensity, said.get(one.item))
        for one in found
    ]


def traced_stages(
    stages: Sequence[Stage], found: Sequence[tuple[str, Int32]], every: int, part: Alone, shown: int, texts: Sequence[str]
) -> Trace:
    """The stages of one request that was answered alone, with what was dropped by which condition.

    Args:
        found: what conditions and rules took off.
        every: how many items the model recommends at all.
        shown: how many items the list has.
    """
    ranked = part.lists.items[0]
    wrong = ranked[(ranked != -1) & ~part.check.keep[0]].tolist()
    left = {
        "history": int(part.queries.lengths[0]), "eligibility": every - sum(len(codes) for _, codes in found),
        "scoring": int((ranked >= 0).sum()), "reranking": int((ranked >= 0).sum()), "checks": shown,
    }  # fmt: skip
    dropped = {
        "eligibility": {name: [texts[code] for code in codes[:MOST_IDS].tolist()] for name, codes in found},
        "checks": {"not allowed": [texts[code] if 0 <= code < len(texts) else str(code) for code in wrong[:MOST_IDS]]} if wrong else {},
    }
    counts = {"eligibility": {name: len(codes) for name, codes in found}, "checks": {"not allowed": len(wrong)} if wrong else {}}
    return Trace(
        tuple(
            replace(stage, left=left.get(stage.name), dropped=dropped.get(stage.name, {}), counts=counts.get(stage.name, {}))
            for stage in stages
        )
    )


def said_beside(told: pl.DataFrame | None, row: int) -> tuple[list[str], str | None]:
    """What a search tells beside a list, as notes for the client, and why the list is empty where it says so.

    >>> said_beside(pl.DataFrame({"told": ["Searched for 'tea' in place of 'tae'."], "why": [None]}), 0)
    (["Searched for 'tea' in place of 'tae'."], None)
    """
    if told is None:
        return [], None
    said = told.row(row, named=True)
    notes = [said["told"]] if said.get("told") else []
    why = said.get("why")
    if said.get("relaxed") is not None:
        notes.append(f"Searched {LESS[said['relaxed']]}{f' {without!r}' if (without := said.get('without')) else ''}: {why}.")
        return notes, None
    return notes, None if why is None else f"Nothing was found: {why}."
