"""Why an item stands where it does: who proposed it, what each head expects of it, which features weigh most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.ranking.heads import WEIGHT, FittedHead
from vitrina.ranking.pairs import Pairs
from vitrina.types import Float32, Float64, Int64, Recommendations

FEATURES = 5  # that are named per place
SOURCES = pl.List(pl.Struct({"source": pl.String, "place": pl.Int64, "score": pl.Float32}))
HEADS = pl.List(pl.Struct({"head": pl.String, "expected": pl.Float64, "weight": pl.Float64}))
WEIGHING = pl.List(pl.Struct({"head": pl.String, "feature": pl.String, "value": pl.Float32, "adds": pl.Float64}))


def pair_of_places(lists: Recommendations, pairs: Pairs) -> Int64:
    """(queries, k) the pair that stands at each place; -1 for the fallback and for pads."""
    own = (lists.items >= 0) & ~lists.fallback
    width = len(lists.vocabulary)
    out = np.full(lists.items.shape, -1, np.int64)
    out[own] = np.searchsorted(pairs.rows * width + pairs.codes, np.nonzero(own)[0] * width + lists.items[own])
    return out


def why(
    lists: Recommendations, pairs: Pairs, heads: Sequence[FittedHead], expected: Float64, names: Sequence[str], values: Float32
) -> pl.DataFrame:
    """One row per place that is no pad, in the order of `Recommendations.to_frame`: lists of records in the columns `sources`, `heads` and `features`.

    The features are those that add most to the score of a head, times its weight; `adds` is on the scale of the ranker's scores, against the mean
    pair of the window. A ranker that doesn't say what features add has none.
    """
    at = pair_of_places(lists, pairs)[lists.items >= 0]
    weights = (
        np.stack([pairs.queries.setting(WEIGHT + head.name, head.weight) for head in heads], axis=1) if heads else np.zeros((len(lists), 0))
    )
    weights = weights[np.nonzero(lists.items >= 0)[0]]
    shown = np.flatnonzero(at >= 0)
    added = [_contributions(head, values[at[shown]]) for head in heads]
    weighing: list[list[dict[str, Any]]] = [[] for _ in at]
    for row, place in enumerate(shown):
        weighing[place] = list(_weightiest([a[row] for a in added], weights[place], heads, names, values[at[place]]))
    return pl.DataFrame({
        "sources": pl.Series([proposed(pairs, pair) for pair in at], dtype=SOURCES),
        "heads": pl.Series([_expectations(heads, expected, pair, weights[place]) for place, pair in enumerate(at)], dtype=HEADS),
        "features": pl.Series(weighing, dtype=WEIGHING),
    })  # fmt: skip


def _contributions(head: FittedHead, values: Float32) -> NDArray[np.float64]:
    said = getattr(head.ranker, "contributions", None)
    return np.zeros((len(values), 0)) if said is None else np.asarray(said(values), np.float64)


def _weightiest(
    added: Sequence[NDArray[np.float64]], weights: NDArray[np.float64], heads: Sequence[FittedHead], names: Sequence[str], values: Float32
) -> Iterator[dict[str, Any]]:
    """The features that add most, whatever the sign; what is missing has no value."""
    every = sorted((-abs(weights[h] * a), h, f) for h, own in enumerate(added) for f, a in enumerate(own) if weights[h] * a)
    for _, h, f in every[:FEATURES]:
        value = None if np.isnan(values[f]) else float(values[f])
        yield {"head": heads[h].name, "feature": names[f], "value": value, "adds": float(added[h][f])}


def proposed(pairs: Pairs, pair: int) -> list[dict[str, Any]]:
    """The sources whose lists have the item, the one that has it highest first."""
    if pair < 0:
        return []
    found = sorted((float(pairs.ranks[pair, s]), s) for s in np.flatnonzero(pairs.found[pair]))
    return [{"source": pairs.sources[s], "place": int(place), "score": float(pairs.scores[pair, s])} for place, s in found]


def _expectations(heads: Sequence[FittedHead], expected: Float64, pair: int, weights: NDArray[np.float64]) -> list[dict[str, Any]]:
    if pair < 0:
        return []
    return [{"head": head.name, "expected": float(expected[pair, h]), "weight": float(weights[h])} for h, head in enumerate(heads)]
