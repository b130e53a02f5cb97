"""From ranked lists to what is answered: ids, titles, sources, reasons, and why."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np

from vitrina.protocols import Recommender
from vitrina.service.pipeline.check import Checked
from vitrina.service.pipeline.columns import Columns
from vitrina.told import explained
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.wire import RecommendedItem

SAID_ANYWAY = ("query", "rank", "item_id", "title", "score", "source", "reasons", "propensity")
FALLBACK = "fallback"
log = logging.getLogger(__name__)


@final
class Listing:
    """Makes the items of answers, for the model of one version."""

    def __init__(self, texts: list[str], columns: Columns) -> None:
        self.texts, self.columns = texts, columns

    def items(self, lists: Recommendations, checked: Checked, row: int, k: int) -> list[RecommendedItem]:
        """The best k that stay of one list, and what fills it."""
        places = np.flatnonzero(checked.keep[row])[:k]
        codes = lists.items[row, places].tolist()
        scores = lists.scores[row, places].tolist()
        sources = (
            [lists.sources[s] for s in lists.extra["source"][row, places].tolist()]
            if "source" in lists.extra
            else [lists.sources[0]] * len(codes)
        )
        reasons = _reasons(lists, row, places)
        chances = lists.extra["propensity"][row, places].tolist() if "propensity" in lists.extra else None
        found = [
            RecommendedItem(
                self.texts[code], rank, score if math.isfinite(score) else None, source, self.columns.title(code), reasons[rank - 1],
                None if chances is None or not math.isfinite(chances[rank - 1]) else chances[rank - 1],
            )
            for rank, (code, score, source) in enumerate(zip(codes, scores, sources, strict=True), 1)
        ]  # fmt: skip
        if len(found) < k:
            more = checked.popular[row][checked.popular[row] >= 0].tolist()[: k - len(found)]
            found += [
                RecommendedItem(self.texts[code], len(found) + at, None, FALLBACK, self.columns.title(code))
                for at, code in enumerate(more, 1)
            ]
        return found


def _reasons(lists: Recommendations, row: int, places: Any) -> list[list[str]]:
    if "reasons" not in lists.extra:
        return [[]] * len(places)
    masks = lists.extra["reasons"][row, places].tolist()
    return [[name for bit, name in enumerate(lists.reason_names) if mask >> bit & 1] for mask in masks]


def with_why(
    found: Sequence[RecommendedItem], recommender: Recommender, queries: Queries, k: int, eligible: Eligibility, notes: list[str]
) -> list[RecommendedItem]:
    """The items of one list with what the model says of each.

    Cost: that of `explain`: some milliseconds per place where there are features.
    """
    try:
        table = explained(recommender, replace(queries, labels=None), k, eligible=eligible)
    except Exception as error:
        log.exception("The model failed to explain a list.")
        notes.append(f"The list couldn't be explained: {error}")
        return list(found)
    columns = [name for name in table.columns if name not in SAID_ANYWAY]
    if not columns:
        notes.append("The model says no more of a place than its score and its source.")
        return list(found)
    said: Mapping[str, dict[str, Any]] = {str(row["item_id"]): {name: row[name] for name in columns} for row in table.iter_rows(named=True)}
    return [RecommendedItem(*_fields(one), said.get(one.item)) for one in found]


def _fields(one: RecommendedItem) -> tuple[Any, ...]:
    return one.item, one.rank, one.score, one.source, one.title, one.reasons, one.propensity
