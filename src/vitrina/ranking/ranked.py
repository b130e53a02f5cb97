"""The fitted form of two stages: candidates of sources, put in order by what was learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.ranking.explain import pair_of_places, why
from vitrina.ranking.features.base import FeatureSet
from vitrina.ranking.features.drift import drift
from vitrina.ranking.features.scores import places_in_lists
from vitrina.ranking.heads import FittedHead, mixed
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.ranker import require_state
from vitrina.ranking.sources import Sources
from vitrina.ranking.window import PAIRS
from vitrina.request import check_request, list_width
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.types import Eligibility, Float32, Float64, Queries, Recommendations
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class RankedLists:
    """Fitted two stages.

    Args:
        sources: give the candidates.
        features: of each candidate; None where no ranker was learned.
        heads: what was learned; without one the order is that of the source `best`.
        best: the place in `sources` of the one whose own order was best in the window.
        tables: what is known from the window: see `vitrina.ranking.TwoStage`.
        notes: sentences for who reads its numbers.
        model: the config that was fitted, or its plain values.
        item_table: what is known of the items.
    """

    sources: Sources
    features: FeatureSet | None
    heads: tuple[FittedHead, ...]
    best: int
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    model: Any = None
    item_table: FeatureTable | None = None

    def __repr__(self) -> str:
        order = f"{len(self.features.names)} features" if self.features is not None else f"the order of {self.sources.names[self.best]}"
        return f"RankedLists({', '.join(self.sources.names)} by {order})"

    @property
    def vocabulary(self) -> Vocabulary:
        return self.sources.vocabulary

    @property
    def catalogue(self) -> Catalogue:
        return self.sources.catalogue

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible candidates for each query, and popularity's items after them; a query with a text has nothing after them. The column
        `source` names the source whose list has the item highest.

        Memory: a block of 131,072 candidates with their features, and a million events of histories.

        Raises:
            ParameterError: these are no Queries, `k` is no length, or `eligible` has rows that are not one per query.
            VocabularyError: the queries are encoded with other item ids than the sources.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        parts = [self._answer(block, k, eligible.rows(part)) for part, block in self.blocks(queries)]
        return self._named(Recommendations.concat(parts or [self._answer(queries, k, eligible)]), queries)

    def blocks(self, queries: Queries) -> Iterator[tuple[slice, Queries]]:
        """Runs of queries with so few candidates and events that their features fit in memory."""
        for part, block in queries.blocks(max(PAIRS // sum(self.sources.quotas), 1)):
            yield part, block.counted()

    def _answer(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        return self.ranked(self.sources.candidates(queries, eligible=eligible), k, eligible)

    def ranked(self, pairs: Pairs, k: int, eligible: Eligibility) -> Recommendations:
        """The best of candidates that are there already, also where a source gave none: a part of `recommend`, which is held in memory as a whole."""
        return self._listed(pairs, self.scores(pairs), k, eligible)

    def _listed(self, pairs: Pairs, scores: Float32, k: int, eligible: Eligibility) -> Recommendations:
        """The best pairs, and the source of each place: the first of those that have it highest, or the fallback."""
        lists = top_k_ragged(pairs.items, scores, pairs.queries, k, eligible, self.catalogue, self.vocabulary)
        lists = without_fallback(lists, pairs.queries)
        names, at = (*self.sources.names, "fallback"), pair_of_places(lists, pairs)
        source = np.where(lists.fallback, len(names) - 1, 0).astype(np.uint8)
        ranks = pairs.ranks[at[at >= 0]]
        source[at >= 0] = np.where(np.isnan(ranks), np.inf, ranks).argmin(axis=1)
        return replace(lists, extra={"source": source}, sources=names)

    def explain(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> pl.DataFrame:
        """The table of the lists, and why each item stands there: a row per place.

        Beside the columns of `Recommendations.to_frame` these, of lists of records: `sources` (source, place, score: whose lists have the item),
        `heads` (head, expected, weight), `features` (head, feature, value, adds: the five that weigh most; `adds` are Shapley values on the scale
        of the ranker's scores).

        Raises:
            ParameterError: as `recommend` does.

        Cost: that of `recommend`, and some milliseconds per place.
        """
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        parts = [self._why(block, k, eligible.rows(part)) for part, block in self.blocks(queries)]
        lists = self._named(Recommendations.concat([lists for lists, _ in parts] or [self._answer(queries, k, eligible)]), queries)
        return pl.concat([lists.to_frame(), pl.concat([reasons for _, reasons in parts])], how="horizontal") if parts else lists.to_frame()

    def _why(self, queries: Queries, k: int, eligible: Eligibility) -> tuple[Recommendations, pl.DataFrame]:
        pairs = self.sources.candidates(queries, eligible=eligible)
        if self.features is None:
            nothing = np.empty((len(pairs), 0), np.float32)
            lists = self._listed(pairs, self.scores(pairs), k, eligible)
            return lists, why(lists, pairs, (), nothing.astype(np.float64), (), nothing)
        values = self.values(pairs)
        expected = self.expected(values, pairs)
        lists = self._listed(pairs, mixed(self.heads, expected, pairs.queries, pairs.items.lengths), k, eligible)
        return lists, why(lists, pairs, self.heads, expected, self.features.names, values)

    def drift(self, queries: Queries, *, eligible: Eligibility = Eligibility()) -> pl.DataFrame:
        """How far the features of the candidates of these queries are from those of the window, and how many are missing, a row per feature.

        Columns as `vt.ranking.drift` says: `drift` (population stability index: below 0.1 little has changed, above 0.25 much), `missing_then`,
        `missing_now` (shares of the candidates), `mean_then`, `mean_now`.

        Raises:
            ParameterError: no ranker was learned, so no feature is read; or as `recommend` does.

        Cost: candidates and features of the queries, which are held together: ask with some thousand.
        """
        if self.features is None:
            raise ParameterError(f"{self!r} reads no features, as no ranker was learned: see its notes.")
        check_request(queries, 1, eligible)
        parts = [
            self.features.compute(self.sources.candidates(block, eligible=eligible.rows(part))) for part, block in self.blocks(queries)
        ]
        values = np.concatenate(parts) if parts else np.empty((0, len(self.features.names)), np.float32)
        return drift(self.tables["features"], self.features.names, values)

    def _named(self, lists: Recommendations, queries: Queries) -> Recommendations:
        return replace(lists, labels=queries.labels, titles=None if self.item_table is None else self.item_table.title_column)

    def scores(self, pairs: Pairs) -> Float32:
        """(pairs,) what orders the candidates of a query."""
        if self.features is None:
            return own_order(pairs, self.best, self.sources.quotas[self.best])
        return mixed(self.heads, self.expected(self.values(pairs), pairs), pairs.queries, pairs.items.lengths)

    def values(self, pairs: Pairs) -> Float32:
        """(pairs, names) the features, with defaults where one is missing."""
        assert self.features is not None
        return self.features.filled(self.features.compute(pairs))

    def expected(self, values: Float32, pairs: Pairs) -> Float64:
        """(pairs, heads) what each head expects of each pair."""
        return np.stack([head.expected(values, pairs.items.lengths) for head in self.heads], axis=1)

    def state(self) -> State:
        settings = {
            "best": self.best,
            "heads": [{"name": head.name, "weight": head.weight} for head in self.heads],
            "tables": list(self.tables),
        }
        files = {f"table-{number}": table for number, table in enumerate(self.tables.values(), 1)}
        children: dict[str, Any] = {"sources": self.sources}
        if self.features is not None:
            children["features"] = self.features
        for number, head in enumerate(self.heads, 1):
            require_state(head.ranker)
            children[f"ranker-{number}"] = head.ranker
            if head.calibration is not None:
                children[f"calibration-{number}"] = head.calibration
        return State(settings, files=files, children=children)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> RankedLists:
        parts = state.children
        heads = tuple(
            FittedHead(str(head["name"]), float(head["weight"]), parts[f"ranker-{number}"], parts.get(f"calibration-{number}"))
            for number, head in enumerate(state.config["heads"], 1)
        )
        tables = {name: state.table(f"table-{number}") for number, name in enumerate(state.config["tables"], 1)}
        return cls(parts["sources"], parts.get("features"), heads, int(state.config["best"]), tables)


def without_fallback(lists: Recommendations, queries: Queries) -> Recommendations:
    """The same lists without what popularity filled where something was typed: a search has nothing to say of that."""
    if queries.texts is None:
        return lists
    own = ~lists.fallback | queries.texts.is_null().to_numpy()[:, None]
    source = {name: np.where(own, column, 0).astype(column.dtype) for name, column in lists.extra.items() if name == "source"}
    return replace(
        lists, items=np.where(own, lists.items, -1), scores=np.where(own, lists.scores, np.float32(np.nan)), extra={**lists.extra, **source}
    )


def own_order(pairs: Pairs, source: int, quota: int) -> Float32:
    """(pairs,) scores that keep the order of one source; after its list come the others, by the best place that any gives."""
    listed = places_in_lists(pairs)
    own, best = listed[:, source], np.fmin.reduce(listed, axis=1)
    return (1 / np.where(np.isnan(own), quota + best, own)).astype(np.float32)
