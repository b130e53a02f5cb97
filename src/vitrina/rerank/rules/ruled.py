"""Rules of the business as a re-ranker: what may not be shown is taken off before the model is asked, and the rest is met while the list is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vitrina.base.arrays import Bool, Float64, Int32, Int64, Ragged
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.protocols import Recommender
from vitrina.recommendations import with_reasons
from vitrina.rerank.base import Candidates, RerankerConfig, taken
from vitrina.rerank.narrow import without
from vitrina.rerank.rules.base import Filter, Mover, Rule
from vitrina.rerank.rules.bounds import Fitted, broken, chosen, limits_of
from vitrina.rerank.rules.conflicts import check_fitted, check_together
from vitrina.rerank.rules.movers import AtLeast, AtMost, Boost, NearCopies, Pin
from vitrina.rerank.rules.speak import about
from vitrina.types import Eligibility, Queries, Recommendations

THEN = "then."  # arrays of the re-ranker inside
SOURCE = "rules"
LEFT = "{}: nothing else was left"  # the reason of an item that breaks a cap


@final
class Rules(RerankerConfig):
    """Rules of the business, each with a name; the parts are in `vt.rules`.

    Filters (`Hide`, `Only`, `Suits`, `HidePairs`, `FrequencyCap`) become an eligibility before the model is asked, so that they never make a list short while anything else may be shown. Then
    relevance = 1 for a query's best candidate and 0 for its last, plus what each `Boost` says; in this order, or in that of the re-ranker inside,
    the list is chosen place by place among the candidates that quotas (`AtMost`, `AtLeast`), kept places (`Pin`) and
    `NearCopies` allow, as `vitrina.rerank.limits` promises. Items that a kept place or a floor needs and that the model has not named are asked of it.

    The column `reasons` has the names of the rules that moved an item: a rule's code is at an item that it speaks of and that would stand at another
    place without it. A cap is broken only where nothing else is left, and then the reason says so.

    What the fallback gave stands behind all that the model has a score for, unless a limit puts it before; then its source is `rules`.

    Args:
        rules: by their names.
        then: another re-ranker, which orders within the rules.

    Raises:
        ParameterError: two rules contradict each other; both are named. Also when it is fitted, where only the columns show it.
        UnknownNameError: at fit, a column or a value is not known; lists the closest.

    Cost: a query costs candidates x the groups of each and, per rule that moves something, the ordering once more, as reasons are found by leaving the rule out.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> rules = vt.Rules(rules={"no drinks": vt.rules.Hide(where={"aisle": "drinks"}), "jam first": vt.rules.Pin(item="jam", place=1)})
    >>> lists = vt.Reranked(model=vt.Popularity(), reranker=rules).fit(data).recommend(data.queries(["ann"]), k=2, eligible=vt.Eligibility(repeat=True))
    >>> lists.to_frame().select("item_id", "reasons").rows()
    [('jam', ['jam first']), ('milk', [])]
    """

    rules: Mapping[str, Rule] = Field(min_length=1)
    then: RerankerConfig | None = None

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if isinstance(self.then, Rules):
            raise ValueError("The 'then' parameter of Rules must be another kind of re-ranker. Put all rules into one vt.Rules.")
        check_together(self.rules)
        return self

    def check(self, data: Dataset) -> None:
        """Refuse rules that don't fit a log, without a model; vectors of near-copies are left to the fit.

        Raises:
            ParameterError, UnknownNameError, DataError: as the fit does.
        """
        self._of_rules(data, None, {name: rule for name, rule in self.rules.items() if not isinstance(rule, NearCopies)})

    def _of_rules(self, data: Dataset, recommender: Recommender | None, rules: Mapping[str, Rule]) -> dict[str, NDArray[Any]]:
        kept: dict[str, NDArray[Any]] = {}
        for number, (name, rule) in enumerate(self.rules.items()):
            if name in rules:
                with about(name):
                    kept |= {f"{number}.{key}": values for key, values in rule.of_items(data, recommender).items()}
        check_fitted({name: part for name, part in self.fitted(kept).items() if name in rules})
        return kept

    def of_fitted(self, data: Dataset, recommender: Recommender | None) -> Arrays:
        kept = self._of_rules(data, recommender, self.rules)
        if self.then is not None:
            kept |= {f"{THEN}{key}": values for key, values in self.then.of_fitted(data, recommender).items()}
        return kept

    def fitted(self, items: Arrays) -> Fitted:
        """Each rule with what it took of the log."""
        return {
            name: (rule, {key.partition(".")[2]: values for key, values in items.items() if key.startswith(f"{number}.")})
            for number, (name, rule) in enumerate(self.rules.items())
        }

    def notes(self, items: Arrays) -> tuple[str, ...]:
        fitted = self.fitted(items)
        said = [f"the rule {name!r} {remark}" for name, (rule, own) in fitted.items() for remark in rule.remarks(own)]
        hidden = _hidden_for_all(fitted)
        if hidden is not None and hidden.all():
            names = ", ".join(
                repr(name) for name, (rule, own) in fitted.items() if isinstance(rule, Filter) and rule.for_all(own) is not None
            )
            said.append(f"nothing may be shown to anybody: every item is hidden by {names}")
        return tuple(said)

    def narrowed(self, queries: Queries, eligible: Eligibility, items: Arrays) -> Eligibility:
        fitted, rows = self.fitted(items), []
        for name, (rule, own) in fitted.items():
            if isinstance(rule, Filter) and rule.for_all(own) is None:
                with about(name):
                    rows.append(rule.hidden(queries, own))
        hidden = _hidden_for_all(fitted)
        eligible = without(eligible, np.zeros(len(queries.vocabulary), np.bool_) if hidden is None else hidden, rows)
        return eligible if self.then is None else self.then.narrowed(queries, eligible, inside(items))

    def wanted(self, queries: Queries, items: Arrays) -> list[tuple[Int32 | Ragged, int]]:
        asked: list[tuple[Int32 | Ragged, int]] = []
        for name, (rule, own) in self.fitted(items).items():
            with about(name):
                if isinstance(rule, Pin):
                    concerned = rule.concerns(queries, own)
                    asked.append(
                        (Ragged.of_lengths(concerned.astype(np.int64), np.repeat(np.flatnonzero(own["mask"]), concerned.sum())), 1)
                    )
                if isinstance(rule, AtLeast):
                    asked.append((np.flatnonzero(own["mask"]).astype(np.int32), rule.n))
        return asked

    def order(self, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._arranged(self.fitted(items), queries, candidates, items)

    def lists(self, queries: Queries, candidates: Candidates, items: Arrays) -> Recommendations:
        fitted = self.fitted(items)
        places, scores = self._arranged(fitted, queries, candidates, items)
        flags: dict[str, Bool] = {}
        for name, (rule, own) in fitted.items():
            if isinstance(rule, Mover):
                with about(name):
                    flags[name] = self._moved(name, queries, candidates, items, places)
                if isinstance(rule, AtMost | NearCopies):
                    flags[LEFT.format(name)] = broken(limits_of({name: (rule, own)}, queries, candidates), candidates.totals, places)
        return with_reasons(_with_source(candidates.listed(places, scores)), flags)

    def _moved(self, name: str, queries: Queries, candidates: Candidates, items: Arrays, places: Int64) -> Bool:
        """(queries, k) at which places stands an item that the rule speaks of, and another one would stand without it."""
        fitted = dict(self.fitted(items))
        rule, own = fitted.pop(name)
        spoken = rule.speaks_of(queries, candidates, own)
        moved = (places >= 0) & np.take_along_axis(spoken, np.maximum(places, 0), axis=1)
        rows = np.flatnonzero(moved.any(axis=1))
        if len(rows):
            without, _ = self._arranged(fitted, queries[rows], candidates.rows(rows), items)
            moved[rows] &= places[rows] != without
        return moved

    def _arranged(self, fitted: Fitted, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[Int64, Float64]:
        """(queries, k) places of candidates and scores of the lists under some of the rules."""
        boosted, was = _boosted(fitted, queries, candidates)
        limits = limits_of(fitted, queries, boosted)
        if self.then is not None:  # its order is what the limits are held against; one that obeys them says no more than the list
            within = replace(boosted, limits=limits) if self.then.obeys_limits else replace(boosted, k=boosted.lists.k)
            inner = _inner(self.then.order(queries, within, inside(items))[0], boosted.lists.k)
            boosted, was = replace(boosted, lists=taken(boosted.lists, inner)), np.take_along_axis(was, inner, axis=1)
            limits = limits_of(fitted, queries, boosted)
        places, scores = chosen(boosted, limits)
        return np.where(places >= 0, np.take_along_axis(was, np.maximum(places, 0), axis=1), -1), scores


def _hidden_for_all(fitted: Fitted) -> Bool | None:
    """(items,) what nobody is shown; None where no filter is the same for all."""
    hidden = [rule.for_all(own) for rule, own in fitted.values() if isinstance(rule, Filter)]
    known = [mask for mask in hidden if mask is not None]
    return np.logical_or.reduce(known) if known else None


def _with_source(lists: Recommendations) -> Recommendations:
    """What the fallback gave and a rule put before something that the model has a score for is no longer of the fallback, but of the rules."""
    sources = lists.sources if SOURCE in lists.sources else (*lists.sources, SOURCE)
    moved = lists.fallback & np.isfinite(lists.scores)
    if "source" not in lists.extra:
        return lists
    source = np.where(moved, np.array(sources.index(SOURCE), np.uint8), lists.extra["source"]).astype(np.uint8)
    return replace(lists, extra={**lists.extra, "source": source}, sources=sources)


def inside(items: Arrays) -> Arrays:
    """What the re-ranker inside took of the log."""
    return {name.removeprefix(THEN): values for name, values in items.items() if name.startswith(THEN)}


def _boosted(fitted: Fitted, queries: Queries, candidates: Candidates) -> tuple[Candidates, Int64]:
    """The candidates by relevance and boosts, best first with ties by code, and which of the given ones each is; as they are where no rule boosts."""
    place = np.broadcast_to(np.arange(candidates.lists.k), candidates.lists.items.shape)
    boosts = [(rule, own) for rule, own in fitted.values() if isinstance(rule, Boost)]
    if not boosts:
        return candidates, place
    lists, scored = candidates.lists, place < candidates.counts[:, None]
    value = sum((rule.by * rule.speaks_of(queries, candidates, own) for rule, own in boosts), candidates.relevance)
    order = np.lexsort((np.where(scored, lists.items, place), np.where(scored, -value, 0), ~scored), axis=-1)
    known = replace(lists, scores=np.where(scored, value, lists.scores).astype(np.float32))
    return replace(candidates, lists=taken(known, order)), order


def _inner(order: NDArray[Any], width: int) -> Int64:
    """(queries, width) all candidates in the order that names some of them, the others behind as they stood."""
    rank = np.broadcast_to(width + np.arange(width), (len(order), width)).copy()
    row, place = np.nonzero(order >= 0)
    rank[row, order[row, place]] = place
    return np.argsort(rank, axis=1, kind="stable")
