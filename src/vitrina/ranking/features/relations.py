"""A candidate's relation to each item of the history: the strongest features of won competitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np
from pydantic import Field

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.forms.decay import Decay, Exponential, Window
from vitrina.forms.reading import Reading
from vitrina.models.base import ModelConfig
from vitrina.models.cooccurrence import Cooccurrence
from vitrina.models.weighting import Transitions
from vitrina.ranking.features.base import Columns, FeatureGroup
from vitrina.ranking.features.related import put_together, relation_of
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.types import Queries

AGGREGATES = ("sum", "maximum", "last")


def of_events() -> dict[str, ModelConfig]:
    """The relations that need nothing but events."""
    soon = Cooccurrence(weighting=Transitions(), gap=Window(events=3), one_way=True)
    return {"taken together": Cooccurrence(), "taken next": soon}


@final
class Relations(FeatureGroup):
    """The relations of the candidate c to EACH item h of the last events of the history, put together in three ways.

    For each relation R: "R: sum" = sum over events e of w[e] R(h[e], c); "R: maximum" = the largest w[e] R(h[e], c); "R: last" = the largest R(h[e], c) over the
    newest basket (what shares a basket or a time with the newest event). w[e] is what the decay leaves of e, times the weights of its kind and of the event in
    the log. R(h, c) is the weight from h to c of an item-to-item model (co-occurrence in any weighting, EASE), or the cosine of the two items' vectors
    (sequence models, content), in which an event of c itself is left out, as it would always say 1. Events without a relation to c say nothing, and all three
    are 0 where no event has one; they are missing where the history has no event that counts.

    Args:
        of: models by the name of their relation, fitted on the log of the sources.
        sources: also the relations of the sources that have any, by their names: nothing is fitted twice.
        last: how many events at the end of a history are read.
        fade: an object of `vt.decay`; None lets all events count alike.
        kinds: weights by the name of the kind of event; a kind that is not named counts 1.

    Raises:
        ParameterError: a model of `of` has neither weights between items nor vectors of them; two relations have one name.

    Cost: for each query the events that are read, times: the neighbours of an item (sparse weights), the candidates (dense weights), candidates x dim (dense
    vectors), the terms that both share (sparse vectors). 12 bytes a pair per relation. An artifact keeps weights and vectors, also those of the sources.

    >>> import vitrina as vt
    >>> data, sources = vt.testing.toy(), (vt.ranking.Source(model=vt.Popularity(), n=2),)
    >>> relations = vt.ranking.Relations(of={"bought with": vt.Cooccurrence()})
    >>> vt.ranking.FeatureSet.fit((relations,), data, vt.ranking.Sources.fit(sources, data)).names
    ('bought with: sum', 'bought with: maximum', 'bought with: last')
    """

    of: Mapping[str, ModelConfig] = Field(default_factory=of_events)
    sources: bool = True
    last: int = Field(default=50, ge=1)
    fade: Decay | None = Exponential(events=10)
    kinds: Mapping[str, float] = Field(default_factory=dict)

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        if self.fade is not None:
            self.fade.require(data)
        found = dict(self._models(data))
        of_sources = dict(_of_sources(sources)) if self.sources else {}
        twice = next((name for name in of_sources if name in found), None)
        if twice is not None:
            raise ParameterError(f"Two relations are called {twice!r}. Give the one of 'of' another name, or set sources=False.")
        numbered = enumerate((found | of_sources).items())
        return {f"{at}-{key}": array for at, (name, relation) in numbered for key, array in {"name": np.array(name), **relation}.items()}

    def _models(self, data: Dataset) -> Iterator[tuple[str, Arrays]]:
        for name, model in self.of.items():
            relation = relation_of(model.fit(data))
            if relation is None:
                raise ParameterError(
                    "A relation needs weights between items or vectors of items, as Cooccurrence, EASE, ContentSimilarity and sequence models have. "
                    f"Got {model!r} for {name!r}."
                )
            yield name, relation

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        queries, n_items = pairs.queries.last(self.last), len(pairs.queries.vocabulary)
        read = Reading(decay=self.fade, kinds=self.kinds, every_event=True).read(queries, n_items)
        newest = Reading(kinds=self.kinds, every_event=True).read(newest_basket(queries), n_items)
        newest = newest._replace(weights=np.ones(len(newest.weights), np.float32))
        silent, columns = (read.counts == 0)[pairs.rows], {}
        for name, relation in _each(learned):
            total, largest, last, scratch = (np.empty(len(pairs), np.float32) for _ in range(4))
            put_together(relation, read, pairs.items, total, largest)
            put_together(relation, newest, pairs.items, scratch, last)
            for aggregate, column in zip(AGGREGATES, (total, largest, last), strict=True):
                column[silent] = np.nan
                columns[f"{name}: {aggregate}"] = column
        return columns


def _of_sources(sources: Sources) -> Iterator[tuple[str, Arrays]]:
    for name, recommender in zip(sources.names, sources.recommenders, strict=True):
        relation = relation_of(recommender)
        if relation is not None:
            yield name, relation


def _each(learned: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Name and arrays of each relation."""
    relations: dict[str, dict[str, Any]] = {}
    for key, array in learned.items():
        at, _, own = key.partition("-")
        relations.setdefault(at, {})[own] = array
    for at in sorted(relations, key=int):
        yield str(relations[at].pop("name")), relations[at]


def newest_basket(queries: Queries) -> Queries:
    """The same queries with the events of each history that share a basket, or a time where there is none, with the newest one."""
    start, nothing = np.empty(len(queries), np.int64), np.empty(0, np.int64)
    times, baskets = (nothing if column is None else column for column in (queries.events.times, queries.events.baskets))
    _newest(len(queries), times, baskets, queries.start, queries.stop, start)
    return replace(queries, start=start)


@Spread
def _newest(first, last, times, baskets, begin, stop, start):  # pragma: no cover
    for q in range(first, last):
        newest = at = max(stop[q] - 1, begin[q])
        grouped = at < stop[q] and len(baskets) > 0 and baskets[at] >= 0
        if grouped:
            while at > begin[q] and baskets[at - 1] == baskets[newest]:
                at -= 1
        elif len(times):
            while at > begin[q] and times[at - 1] == times[newest]:
                at -= 1
        start[q] = at
