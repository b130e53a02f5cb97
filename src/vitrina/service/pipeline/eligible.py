"""Eligibility, before anything is scored: what is deleted, candidates, conditions, what was excluded or seen, and filters of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vitrina.base.arrays import Bool, Int32, Ragged
from vitrina.rerank.narrow import without
from vitrina.rerank.reranked import RerankedLists
from vitrina.service.pipeline.layers import filters_of
from vitrina.types import Eligibility, Queries


@dataclass(frozen=True, eq=False)
class Asking:
    """What the requests of a batch may be shown, besides what all may.

    Args:
        candidates: a row per request, or None where any item will do.
        conditions: (items,) by their words; the same for all requests of the batch.
        exclude: a row per request.
        before: what isn't in the histories that models read, and was seen or disliked: a row per request.
        repeat: may items of the history come back.
    """

    candidates: Sequence[Int32] | None
    conditions: dict[str, Bool]
    exclude: Sequence[Int32]
    before: Sequence[Int32]
    repeat: bool

    def rows(self, part: slice) -> Asking:
        """What some of the requests may be shown."""
        return replace(
            self,
            candidates=None if self.candidates is None else self.candidates[part],
            exclude=self.exclude[part],
            before=self.before[part],
        )

    def counts(self, hidden: Bool | None, queries: Queries) -> dict[str, int]:
        """How many items each kind of condition keeps from the lists of the batch; what several do counts for each."""
        n = len(queries)
        kept = {"candidates": 0 if self.candidates is None else sum(len(queries.vocabulary) - len(row) for row in self.candidates)}
        return kept | {
            "deleted": 0 if hidden is None else n * int(np.count_nonzero(hidden)),
            "conditions": n * sum(len(mask) - int(np.count_nonzero(mask)) for mask in self.conditions.values()),
            "exclude": sum(len(row) for row in self.exclude),
            "history": (0 if self.repeat else int(queries.lengths.sum())) + sum(len(row) for row in self.before),
        }

    def eligibility(self, hidden: Bool | None) -> Eligibility:
        """As models and re-rankers take it.

        Args:
            hidden: (items,) what is deleted.
        """
        include: Int32 | Ragged | None = None
        kept = np.logical_and.reduce(list(self.conditions.values())) if self.conditions else None
        if kept is not None:
            include = np.flatnonzero(kept).astype(np.int32)
        if self.candidates is not None:
            include = Ragged.of([row if kept is None else row[kept[row]] for row in self.candidates])
        rows = [Ragged.of(part) for part in (self.exclude, self.before) if any(len(row) for row in part)]
        return without(Eligibility(include=include, repeat=self.repeat), hidden, rows)


def narrowed(layers: Sequence[RerankedLists], queries: Queries, eligible: Eligibility) -> Eligibility:
    """The same without what the rules of re-rankers forbid."""
    for layer in layers:
        eligible = layer.narrowed(queries, eligible)
    return eligible


def for_all(eligible: Eligibility) -> Eligibility:
    """The eligibility of one query as one of any number of queries."""

    def flat(items: Int32 | Ragged | None) -> Int32 | None:
        return items.values if isinstance(items, Ragged) else items

    return replace(eligible, include=flat(eligible.include), exclude=flat(eligible.exclude))


def dropped(asking: Asking, hidden: Bool | None, layers: Sequence[RerankedLists], queries: Queries, every: Bool) -> list[tuple[str, Int32]]:
    """What each condition takes off for the one request of a batch of one, in the order in which they stand here, each item once.

    Args:
        every: (items,) what the model recommends at all.
    """
    left, found = every.copy(), []
    for name, mask in _taken(asking, hidden, layers, queries, len(every)):
        off = np.flatnonzero(left & mask)
        left[off] = False
        if len(off):
            found.append((name, off.astype(np.int32)))
    return found


def _taken(
    asking: Asking, hidden: Bool | None, layers: Sequence[RerankedLists], queries: Queries, n_items: int
) -> Iterator[tuple[str, Bool]]:
    def of(codes: Any) -> Bool:
        mask = np.zeros(n_items, np.bool_)
        mask[codes] = True
        return mask

    if hidden is not None:
        yield "deleted", hidden
    if asking.candidates is not None:
        yield "not among the candidates", ~of(asking.candidates[0])
    for words, mask in asking.conditions.items():
        yield f"not {words}", ~mask
    if len(asking.exclude[0]):
        yield "excluded", of(asking.exclude[0])
    seen = np.append(Eligibility(repeat=asking.repeat).banned(queries).values, asking.before[0])
    yield ("disliked" if asking.repeat else "in the history"), of(seen)
    for layer in layers:
        for name, rule, own in filters_of(layer):
            hides = rule.for_all(own)
            yield f"rule {name!r}", of(rule.hidden(queries, own).values) if hides is None else hides


def why_empty(found: Sequence[tuple[str, Int32]], every: int, text: str | None = None) -> str:
    """Why nothing is left, in a sentence.

    Args:
        found: what each condition takes off.
        every: items that the model recommends at all.
        text: what was searched for; where something may be shown, nothing of it was found.

    >>> why_empty([("not aisle is drinks", np.arange(3)), ("in the history", np.arange(1))], 4)
    'Nothing may be shown: of 4 items, 3 are left out as not aisle is drinks, 1 as in the history.'
    """
    if not every:
        return "Nothing may be shown: the model recommends no item at all."
    if text is not None and sum(len(codes) for _, codes in found) < every:
        return f"Nothing that may be shown was found for {text!r}."
    parts = [f"{len(codes):,} {'are left out as ' if at == 0 else 'as '}{name}" for at, (name, codes) in enumerate(found)]
    return f"Nothing may be shown: of {every:,} items, {', '.join(parts)}."
