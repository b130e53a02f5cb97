"""From ranked lists to what is answered: ids, titles, sources, reasons."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from vitrina.service.pipeline.check import Checked
from vitrina.service.pipeline.columns import Columns
from vitrina.types import Recommendations
from vitrina.wire import RecommendedItem

FALLBACK = "fallback"


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
