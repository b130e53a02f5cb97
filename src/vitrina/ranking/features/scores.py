"""What the sources say of a candidate."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.ranking.features.base import Columns, FeatureGroup
from vitrina.ranking.pairs import Pairs
from vitrina.types import Float32


@final
class SourceScores(FeatureGroup):
    """Scores and places by source: a ranker that reads nothing else can still do what its best source does.

    For each source S: "S: score" as the source gives it; "S: place in its list" from 1, missing where its list doesn't have the item; "S: place
    among candidates" by its score, from 1; "S: score, best is 1": (score - least) / (best - least) of what it says of the
    candidates of the query, 1 where all are equal. What a source says nothing of is missing. And over all sources: "sources that found it", "best place in a list",
    "sum of 1 / (60 + place)", which is reciprocal rank fusion ([Cormack et al. 2009](https://doi.org/10.1145/1571941.1572114)). Equal scores share the
    mean of their places, so that the codes of items say nothing.

    Cost: a sort of the candidates of each query per source.
    """

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        columns, listed = {}, places_in_lists(pairs)
        for s, name in enumerate(pairs.sources):
            place, share = np.empty(len(pairs), np.float32), np.empty(len(pairs), np.float32)
            scores = np.ascontiguousarray(pairs.scores[:, s])
            _within(len(pairs.queries), pairs.items.indptr, scores, place, share)
            columns |= {
                f"{name}: score": scores,
                f"{name}: place in its list": listed[:, s],
                f"{name}: place among candidates": place,
                f"{name}: score, best is 1": share,
            }
        return columns | {
            "sources that found it": pairs.found.sum(axis=1),
            "best place in a list": np.fmin.reduce(listed, axis=1),
            "sum of 1 / (60 + place)": np.nansum(1 / (60 + listed), axis=1),
        }


def places_in_lists(pairs: Pairs) -> Float32:
    """(pairs, sources) the places in the lists of the sources, as `Pairs.ranks` but that equal scores share the mean of their places."""
    listed, share = np.full(pairs.ranks.shape, np.nan, np.float32, order="F"), np.empty(len(pairs), np.float32)
    for s in range(len(pairs.sources)):
        own = np.where(pairs.found[:, s], pairs.scores[:, s], np.float32(np.nan))
        _within(len(pairs.queries), pairs.items.indptr, own, listed[:, s], share)
    return listed


@Spread
def _within(first, last, indptr, scores, place, share):  # pragma: no cover
    """Place and share of each score among those of its query; equal ones have the mean of their places."""
    for q in range(first, last):
        begin, end = indptr[q], indptr[q + 1]
        order = np.argsort(-scores[begin:end], kind="mergesort")  # NaN last
        least, most = np.inf, -np.inf
        for at in range(begin, end):
            if not np.isnan(scores[at]):
                least, most = min(least, scores[at]), max(most, scores[at])
        rank = 0
        while rank < end - begin:
            score, tied = scores[begin + order[rank]], 1
            while rank + tied < end - begin and scores[begin + order[rank + tied]] == score:
                tied += 1
            for own in range(rank, rank + tied):
                at = begin + order[own]
                place[at] = np.nan if np.isnan(score) else rank + (tied + 1) / 2
                share[at] = np.nan if np.isnan(score) else (score - least) / (most - least) if most > least else 1
            rank += tied
