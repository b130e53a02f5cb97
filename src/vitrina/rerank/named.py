"""Candidates that a re-ranker asks for by name: what has a place of its own, or must be in a list, and is not among the best of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.arrays import Bool, Float32, Int32, Int64, Ragged
from vitrina.protocols import Recommender
from vitrina.recommendations import pad_of
from vitrina.rerank.narrow import only
from vitrina.types import Eligibility, Queries, Recommendations


def with_named(
    lists: Recommendations, recommender: Recommender, queries: Queries, items: Int32 | Ragged, count: int, eligible: Eligibility
) -> Recommendations:
    """Candidates with at least `count` of some items, where so many are eligible: the model is asked for the best of them, and they stand below its candidates.

    Args:
        lists: candidates.
        items: codes for all queries, or a row per query.
    """
    has = named(lists.items, items).sum(axis=1)
    wants = np.minimum(items.lengths if isinstance(items, Ragged) else np.full(len(lists), len(items)), count)
    rows = np.flatnonzero(has < wants)
    if not len(rows):
        return lists
    own = items.take(rows) if isinstance(items, Ragged) else items
    more = recommender.recommend(queries[rows], count, eligible=only(rows_of(eligible, rows), own))
    return _joined(lists, more, rows)


def rows_of(eligible: Eligibility, rows: Int64) -> Eligibility:
    """The part of it that concerns some queries."""
    parts = {name: getattr(eligible, name) for name in ("include", "exclude")}
    return replace(eligible, **{name: part.take(rows) for name, part in parts.items() if isinstance(part, Ragged)})


def named(items: Int32, among: Int32 | Ragged) -> Bool:
    """(queries, places) which items of lists are among these."""
    if not isinstance(among, Ragged):
        return np.isin(items, among) & (items >= 0)
    width = max(int(items.max(initial=0)), int(among.values.max(initial=0))) + 1
    keys = np.arange(len(items), dtype=np.int64)[:, None] * width + items
    return np.isin(keys, (among.row_of * width + among.values)[among.values >= 0]) & (items >= 0)


def _joined(lists: Recommendations, more: Recommendations, rows: Int64) -> Recommendations:
    """Lists of some queries behind those of all, an item once each."""
    again = (more.items[:, :, None] == lists.items[rows][:, None, :]).any(axis=2)
    new = np.where(again, -1, more.items)
    columns = {"relevance": more.scores, **more.extra}
    known = {"relevance": lists.scores, **lists.extra}
    extra = {name: _beside(column, columns.get(name), rows, more.k, pad_of(name, column)) for name, column in known.items()}
    scores = _beside(lists.scores, _below(lists.scores[rows], more.scores, new), rows, more.k, np.nan)
    return replace(lists, items=_beside(lists.items, new, rows, more.k, -1), scores=scores, extra=extra)


def _below(head: Float32, own: Float32, new: Int32) -> Float32:
    """Scores of new candidates below those that are there, each below the one before it; NaN, of the fallback, stays."""
    least = np.where(np.isfinite(head), head, np.inf).min(axis=1).astype(np.float32)
    out = np.full(own.shape, np.nan, np.float32)
    for at in range(own.shape[1]):
        scored = (new[:, at] >= 0) & np.isfinite(own[:, at])
        out[:, at] = np.where(scored, np.minimum(own[:, at], np.nextafter(least, np.float32(-np.inf))), np.nan)
        least = np.where(scored, out[:, at], least)
    return out


def _beside(column: NDArray[Any], more: NDArray[Any] | None, rows: Int64, width: int, pad: Any) -> NDArray[Any]:
    """A column with the one of more places, which some queries have, at its right."""
    added = np.full((len(column), width), pad, column.dtype)
    if more is not None:
        added[rows] = more
    return np.concatenate([column, added], axis=1)
