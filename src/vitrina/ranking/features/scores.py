"""What the sources say of a candidate."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.ranking.features.base import Columns, Features
from vitrina.ranking.pairs import Pairs


@final
class SourceScores(Features):
    """Scores and places by source: a ranker that reads nothing else can still do what its best source does.

    For each source S: "S: score" as the source gives it; "S: place in its list" from 1, missing where its list doesn't have the item; "S: place
    among candidates" by its score, from 1, ties by item code; "S: score, best is 1": (score - least) / (best - least) of what it says of the
    candidates of the query, 1 where all are equal. What a source says nothing of is missing. And over all sources: "sources that found it", "best place in a list",
    "sum of 1 / (60 + place)", which is reciprocal rank fusion ([Cormack et al. 2009](https://doi.org/10.1145/1571941.1572114)).

    Cost: a sort of the candidates of each query per source.
    """

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        columns = {}
        for s, name in enumerate(pairs.sources):
            place, share = np.empty(len(pairs), np.float32), np.empty(len(pairs), np.float32)
            _within(len(pairs.queries), pairs.items.indptr, np.ascontiguousarray(pairs.scores[:, s]), place, share)
            columns |= {
                f"{name}: score": pairs.scores[:, s],
                f"{name}: place in its list": pairs.ranks[:, s],
                f"{name}: place among candidates": place,
                f"{name}: score, best is 1": share,
            }
        return columns | {
            "sources that found it": pairs.found.sum(axis=1),
            "best place in a list": np.fmin.reduce(pairs.ranks, axis=1),
            "sum of 1 / (60 + place)": np.nansum(1 / (60 + pairs.ranks), axis=1),
        }


@Spread
def _within(first, last, indptr, scores, place, share):  # pragma: no cover
    """Place and share of each score among those of its query."""
    for q in range(first, last):
        begin, end = indptr[q], indptr[q + 1]
        order = np.argsort(-scores[begin:end], kind="mergesort")  # NaN last; equal ones stay in the order of their codes
        least, most = np.inf, -np.inf
        for at in range(begin, end):
            if not np.isnan(scores[at]):
                least, most = min(least, scores[at]), max(most, scores[at])
        for rank in range(end - begin):
            at = begin + order[rank]
            missing = np.isnan(scores[at])
            place[at] = np.nan if missing else rank + 1
            share[at] = np.nan if missing else (scores[at] - least) / (most - least) if most > least else 1
