"""The re-rankers over a model, with the columns of items as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vitrina.base.errors import UnknownNameError, VitrinaError
from vitrina.base.state import Arrays
from vitrina.batch import aligned
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.protocols import FittedReranker, Recommender
from vitrina.ranking.heads import WEIGHT
from vitrina.ranking.ranked import RankedLists
from vitrina.rerank.base import Ordering, RerankerConfig
from vitrina.rerank.reranked import RerankedLists
from vitrina.rerank.rules.base import Filter, Rule
from vitrina.rerank.rules.filters import Suits
from vitrina.rerank.rules.movers import AtMost
from vitrina.rerank.rules.ruled import Rules
from vitrina.service.pipeline.asked import DIVERSITY
from vitrina.service.pipeline.columns import Columns
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary


def layers_of(
    recommender: Recommender, reranker: RerankerConfig | None, candidates: int, log: Dataset | None, columns: Columns
) -> tuple[list[RerankedLists], Recommender]:
    """The re-rankers over a model, the outermost first, and the model inside.

    Args:
        reranker: of the scenario, put around all.
        candidates: that it orders.
        log: it is fitted on, with the items as they are now; without a log it knows nobody's events.

    Raises:
        VitrinaError: the re-ranker can't be fitted, such as rules that name a column that isn't there.
    """
    layers = []
    if reranker is not None:
        recommender = RerankedLists(recommender, _fitted(reranker, recommender, log, columns), candidates)
    while isinstance(recommender, RerankedLists):
        layers.append(recommender)
        recommender = recommender.recommender
    return layers, recommender


def _fitted(reranker: RerankerConfig, recommender: Recommender, log: Dataset | None, columns: Columns) -> FittedReranker:
    """Fitted on the items as they are now. A value that its last item has lost since is no typing error: then on those of the model's fit, and `refreshed` later."""
    try:
        return reranker.fit(_with_items(log, columns.vocabulary, columns.table), recommender=recommender)
    except UnknownNameError as error:
        try:
            return reranker.fit(_with_items(log, columns.vocabulary, columns.table_of_fit), recommender=recommender)
        except VitrinaError:
            raise error from None


def _with_items(log: Dataset | None, vocabulary: Vocabulary, table: FeatureTable | None) -> Dataset:
    """A log in the codes of the model with a table of items; an empty one where there is none."""
    if log is not None:
        return replace(aligned(log, vocabulary), item_table=table)
    nobody = Events(np.empty(0, np.int32), np.empty(0, np.int64))
    return Dataset(nobody, np.zeros(1, np.int64), Vocabulary.of([]), vocabulary, time_unit="us", item_table=table)


def refreshed(layers: list[RerankedLists], columns: Columns) -> list[RerankedLists]:
    """The same with rules that read item columns as they are now. A column that nobody set since the fit is left as the rules have it.

    These rules read them: all with `where`, `AtMost(each=...)` and `Suits`. Near-copies, pairs of a table and what is `New` stay as they were at the fit.
    """
    return [_refreshed(layer, columns) for layer in layers] if columns.changed else layers


def hidden_by_rules(layers: Sequence[RerankedLists]) -> dict[str, int]:
    """How many items each rule keeps from everybody."""
    return {
        f"rule {name!r}": int(mask.sum())
        for layer in layers
        for name, rule, own in filters_of(layer)
        if (mask := rule.for_all(own)) is not None
    }


def filters_of(layer: RerankedLists) -> Iterator[tuple[str, Filter, Arrays]]:
    """The rules of a layer that take items off before the model is asked, with what they know of the items."""
    ordering = layer.reranker
    if isinstance(ordering, Ordering) and isinstance(ordering.reranker, Rules):
        yield from ((name, rule, own) for name, (rule, own) in ordering.reranker.fitted(ordering.items).items() if isinstance(rule, Filter))


def settings_of(layers: Sequence[RerankedLists], recommender: Recommender) -> frozenset[str]:
    """What a request may change: the diversity of a re-ranker that has one, the weights of heads."""
    configs = [layer.reranker.reranker for layer in layers if isinstance(layer.reranker, Ordering)]
    configs += [config.then for config in configs if isinstance(config, Rules) and config.then is not None]
    found = {DIVERSITY} if any(hasattr(config, DIVERSITY) for config in configs) else set()
    heads = recommender.heads if isinstance(recommender, RankedLists) else ()
    return frozenset(found | {WEIGHT + head.name for head in heads})


def _refreshed(layer: RerankedLists, columns: Columns) -> RerankedLists:
    ordering = layer.reranker
    if not isinstance(ordering, Ordering) or not isinstance(ordering.reranker, Rules):
        return layer
    arrays = dict(ordering.items)
    for number, rule in enumerate(ordering.reranker.rules.values()):
        arrays |= {f"{number}.{name}": values for name, values in _now(rule, columns).items()}
    return replace(layer, reranker=Ordering(ordering.reranker, arrays))


def _now(rule: Rule, columns: Columns) -> Arrays:
    """What a rule takes of the items as they are now; nothing where it reads no column that changed."""
    where = getattr(rule, "where", None)
    if isinstance(where, Mapping):
        return {"mask": np.logical_and.reduce(list(columns.where(where).values()))} if columns.changed & where.keys() else {}
    read = rule.each if isinstance(rule, AtMost) else rule.item if isinstance(rule, Suits) else None
    return rule.of_items(_with_items(None, columns.vocabulary, columns.table)) if read in columns.changed else {}
