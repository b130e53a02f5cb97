"""What the laws of the contract suite are tried on, and how two answers are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from vitrina.data.dataset import Dataset
from vitrina.models.own import completed
from vitrina.protocols import Model, Recommender
from vitrina.testing.toy import synthetic
from vitrina.types import Bool, Eligibility, Events, Int32, Queries, Recommendations
from vitrina.vocabulary import Vocabulary

CLOSE = 1e-4  # relative difference of scores that rounding explains


class BrokenLawError(AssertionError):
    """A counterexample."""


class NotAskedError(Exception):
    """The law can't be asked of this model."""


def contract_data() -> Dataset:
    """60 people, 36 items, time, values, text; a few items have no event.

    >>> contract_data().n_items
    36
    """
    whole = synthetic(users=60, items=36, mean_length=8, groups=4, seed=7)
    return whole.select(~np.isin(whole.events.items, [11, 30, 35]))


@dataclass(frozen=True, eq=False)
class Case:
    """A model on a log; what is fitted is fitted once."""

    model: Model
    data: Dataset

    @cached_property
    def fitted(self) -> Any:
        """What `fit` returned."""
        return self.model.fit(self.data)

    @cached_property
    def recommender(self) -> Recommender:
        """The same, with what it lacks of the contract."""
        return completed(self.fitted, self.data)

    @cached_property
    def queries(self) -> Queries:
        """Everybody, after the end of the log."""
        return self.data.queries()

    @cached_property
    def answers(self) -> dict[bool, Recommendations]:
        """Lists of 10, without and with repeats."""
        return {repeat: self.recommender.recommend(self.queries, 10, eligible=Eligibility(repeat=repeat)) for repeat in (False, True)}

    @property
    def n_items(self) -> int:
        return len(self.data.items)

    @cached_property
    def rankable(self) -> Bool:
        """(items,) the ranked catalogue: items with events, and the cold ones that the recommender says it serves."""
        return self.recommender.catalogue.mask

    def seen(self, query: int) -> Int32:
        return np.unique(self.queries.histories()[query])


def same(one: Recommendations, other: Recommendations, what: str, *, popular: Any = None) -> None:
    """Raise unless two answers are the same up to rounding and ties.

    At each place the scores must be close; the items too, but where they tie with a neighbour of the list or with what
    fell off its end. Fallback places are compared by `popular` (users of each item of the vocabulary of both).
    """
    if one.items.shape != other.items.shape:
        raise BrokenLawError(f"{what}: lists of shape {one.items.shape} became {other.items.shape}.")
    for row in range(len(one)):
        _same_row(one, other, row, what, popular)


def _same_row(one: Recommendations, other: Recommendations, row: int, what: str, popular: Any) -> None:
    (items, scores, fallback), (items2, scores2, fallback2) = (_row(r, row, popular) for r in (one, other))
    shown = f"{what}, query {row}: {_shown(one, row)} became {_shown(other, row)}."
    if not np.array_equal(fallback, fallback2) or not np.array_equal(items >= 0, items2 >= 0):
        raise BrokenLawError(shown)
    if not np.allclose(scores, scores2, rtol=CLOSE, atol=1e-7, equal_nan=True):
        raise BrokenLawError(shown)
    for place in np.flatnonzero(items != items2):
        tied = np.isclose(scores, scores[place], rtol=2 * CLOSE, atol=1e-7) & (fallback == fallback[place])
        last = len(scores) - 1 if not fallback.any() or fallback[place] else int(np.flatnonzero(fallback)[0]) - 1
        cut = bool(tied[last])  # the tie may go on beyond the list
        if not cut and set(items[tied]) != set(items2[tied]):
            raise BrokenLawError(shown)
        if tied.sum() < 2 and not cut:
            raise BrokenLawError(shown)


def _row(answer: Recommendations, row: int, popular: Any) -> tuple[Int32, Any, Bool]:
    """Items, comparable scores and fallback flags of one list; the score of a fallback place is its popularity."""
    items, fallback = answer.items[row], answer.fallback[row]
    scores = np.where(items >= 0, answer.scores[row], 0.0).astype(np.float64)
    if popular is not None:
        scores = np.where(fallback, popular[items], scores)
    return items, scores, fallback


def _shown(answer: Recommendations, row: int) -> str:
    items, scores = answer.items[row], answer.scores[row]
    return "[" + ", ".join(f"{i}" if np.isnan(s) else f"{i} ({s:.4g})" for i, s in zip(items[:6], scores[:6], strict=True)) + ", ...]"


def relabelled(data: Dataset, new_code: Int32) -> Dataset:
    """The same log with other item codes: item c becomes new_code[c]."""
    old_code = np.argsort(new_code)
    vocabulary = Vocabulary.of(data.items.ids.gather(old_code))
    events = replace(data.events, items=new_code[data.events.items].astype(np.int32))
    table = data.item_table
    moved = None if table is None else table.take(old_code)
    return replace(data, events=events, items=vocabulary, item_table=moved)


def translated(answer: Recommendations, new_code: Int32) -> Recommendations:
    """An answer about a relabelled log in the codes of the original."""
    old_code = np.append(np.argsort(new_code), -1).astype(np.int32)
    return replace(answer, items=old_code[answer.items])


def without(data: Dataset, *, baskets: Any = None) -> Dataset:
    """The log with its items, and `baskets` if given, only."""
    return replace(data, events=Events(data.events.items, baskets=baskets), time_unit=None, kind_names=())
