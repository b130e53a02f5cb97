"""What orders of candidates are worth on questions that no ranker learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.ranking.window import Lesson
from vitrina.types import Float32, Float64, Int64

DEPTH = 10  # places that are looked at


def judged(lesson: Lesson, orders: Mapping[str, NDArray[np.floating]], gains: Float32) -> pl.DataFrame:
    """One row per order, a score per pair: precision@1, recall@10 and nDCG@10, means over the queries.

    Good is what has a gain above 0; nDCG takes the gains as they are, and its ideal is the best order of the candidates.
    """
    rows = [{"order": name} | _numbers(lesson, np.asarray(scores, np.float64), gains) for name, scores in orders.items()]
    return pl.DataFrame(
        rows, schema={"order": pl.String, "precision@1": pl.Float64, f"recall@{DEPTH}": pl.Float64, f"nDCG@{DEPTH}": pl.Float64}
    )


def _numbers(lesson: Lesson, scores: Float64, gains: Float32) -> dict[str, float]:
    lengths = lesson.examples.lengths
    place, good = places(scores, lengths), gains > 0
    rows = np.repeat(np.arange(len(lengths)), lengths)

    def per_query(values: NDArray[Any]) -> Float64:
        return np.bincount(rows, values, minlength=len(lengths)).astype(np.float64)

    top, discount = place < DEPTH, 1 / np.log2(place + 2)
    ideal = places(gains.astype(np.float64), lengths)
    best = per_query(np.where(ideal < DEPTH, gains / np.log2(ideal + 2), 0))
    reached = per_query(np.where(top, gains * discount, 0))
    return {
        "precision@1": float((per_query(good & (place == 0))).mean()),
        f"recall@{DEPTH}": float((per_query(good & top) / np.maximum(lesson.taken, 1)).mean()),
        f"nDCG@{DEPTH}": float(np.divide(reached, best, out=np.zeros(len(best)), where=best > 0).mean()),
    }


def places(scores: Float64, lengths: Int64) -> Int64:
    """(pairs,) the place of each pair in its query, from 0; NaN comes last, ties stay as they stand."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((np.where(np.isnan(scores), np.inf, -scores), rows))
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return out
