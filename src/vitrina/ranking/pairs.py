"""Queries with their candidates, and what the sources say of each: what features are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import polars as pl

from vitrina.types import Bool, Float32, Int32, Int64, Queries, Ragged, cuts


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Pair p is the query `rows[p]` and the item `codes[p]`; the pairs of a query follow each other, by item code, each item once.

    Args:
        queries: who asks, with the history before the moment of asking and nothing after it.
        items: the candidates, a row per query.
        sources: names of the sources, in the order of the columns below.
        scores: (pairs, sources) what the source says of the item; NaN where it says nothing.
        ranks: (pairs, sources) the place in the source's list, from 1; NaN where its list doesn't have the item.
        found: (pairs, sources) whether the item is in the source's list.
        known: features that were computed before, by name, each (pairs,): a group of features may build on those of the groups before it.
    """

    queries: Queries
    items: Ragged
    sources: tuple[str, ...]
    scores: Float32
    ranks: Float32
    found: Bool
    known: Mapping[str, Float32] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items.values)

    def __repr__(self) -> str:
        return f"Pairs({len(self):,} candidates for {len(self.queries):,} queries from {', '.join(self.sources)})"

    @property
    def rows(self) -> Int64:
        """(pairs,) the query of each pair."""
        return self.items.row_of

    @property
    def codes(self) -> Int32:
        """(pairs,) the item of each pair."""
        return self.items.values

    def of_queries(self, selection: slice) -> Pairs:
        """The pairs of a run of queries."""
        start, stop, _ = selection.indices(len(self.queries))
        own = slice(*self.items.indptr[[start, stop]])
        return replace(
            self, queries=self.queries[start:stop], items=self.items.rows(slice(start, stop)), scores=self.scores[own],
            ranks=self.ranks[own], found=self.found[own], known={name: column[own] for name, column in self.known.items()},
        )  # fmt: skip

    def keep(self, mask: Bool) -> Pairs:
        """The pairs where `mask` (one flag a pair) holds; queries stay, also those without a pair left."""
        known = {name: column[mask] for name, column in self.known.items()}
        parts = {name: getattr(self, name)[mask] for name in ("scores", "ranks", "found")}
        return replace(self, items=self.items.keep(mask), known=known, **parts)

    def blocks(self, pairs: int) -> Iterator[tuple[slice, Pairs]]:
        """Runs of queries with at most so many pairs together; a query that has more is alone."""
        for part in cuts(self.items.lengths, pairs):
            yield part, self.of_queries(part)


def source_recall(pairs: Pairs, truth: Ragged) -> pl.DataFrame:
    """Which part of what people took each source finds, and which part it alone finds: whether a source earns its place.

    One row per source and one for the union of all. `recall` is the mean over the queries that took something of (taken items in the list /
    taken items); `hits` counts taken items that are found, and `unique_hits` those that no other source has; `candidates` is the mean length of a list.
    An item that no source may recommend counts among what was taken.

    Args:
        pairs: candidates of the sources, as `Sources.candidates` gives them: as many per source as its `n` says.
        truth: the codes of the items that people took, a row per query.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> sources = (vt.ranking.Source(model=vt.Popularity(), n=2), vt.ranking.Source(model=vt.Cooccurrence(), n=1))
    >>> pairs = vt.ranking.Sources.fit(sources, data).candidates(data.queries(), eligible=vt.Eligibility(repeat=True))
    >>> vt.ranking.source_recall(pairs, vt.Ragged.of([[0], [1], [2], [3], [0], [1]])).columns
    ['source', 'recall', 'hits', 'unique_hits', 'taken', 'candidates', 'queries']
    """
    taken = truth.unique()
    asked, width = np.flatnonzero(taken.lengths), max(len(pairs.queries.vocabulary), int(taken.values.max(initial=0)) + 1)
    wanted = taken.row_of * width + taken.values
    hit = np.isin(pairs.rows * width + pairs.codes, wanted)
    finders = pairs.found.sum(axis=1)
    columns = [*pairs.found.T, finders > 0]
    rows = []
    for name, column in zip([*pairs.sources, "all together"], columns, strict=True):
        found = hit & column
        per_query = np.bincount(pairs.rows[found], minlength=len(truth))[asked] / taken.lengths[asked]
        alone = found & (finders == 1) if name != "all together" else np.zeros(len(pairs), bool)
        rows.append({
            "source": name, "recall": float(per_query.mean()) if len(asked) else None, "hits": int(found.sum()),
            "unique_hits": int(alone.sum()), "taken": len(taken.values), "candidates": float(column.sum() / max(len(truth), 1)),
            "queries": len(asked),
        })  # fmt: skip
    return pl.DataFrame(rows)
