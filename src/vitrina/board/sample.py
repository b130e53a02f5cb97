"""Fewer questions of the same split: for a first look, and for quick models that answer many times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vitrina.base.config import Config, parameters_of
from vitrina.board.tune import Search
from vitrina.data.split import Split
from vitrina.data.split.asked import asked
from vitrina.types import Int64

QUICK_QUERIES = 2000  # that a first look asks of a test or validation part
QUICK_TRIALS = 4  # configurations of each search in a first look
QUICK_MINUTES = 0.1  # of a model that takes a number of minutes to spend, as EASE does
MOST_OF_ONE = 20  # a person may ask the part 1 / MOST_OF_ONE of a sample, so that no robot is the whole of it


def rows_of_people(split: Split, most: int, seed: int) -> Int64:
    """At most `most` queries: those of people drawn at random, all that a person asks together. The order stays.

    Of a person who asks more than a twentieth of `most` so many queries are drawn.

    >>> import vitrina as vt
    >>> split = vt.testing.synthetic(users=100, items=20).split(vt.split.GlobalTime(days=10))
    >>> len(split.queries), 30 <= len(rows_of_people(split, 40, seed=0)) <= 40
    (123, True)
    """
    users = split.queries.users
    if len(users) <= most:
        return np.arange(len(users))
    rng = np.random.default_rng(seed)
    person = np.where(users < 0, -1 - np.arange(len(users)), users)  # nobody knows whether two visitors are one
    _, person = np.unique(person, return_inverse=True)
    order = rng.permutation(len(users))
    order = order[np.argsort(person[order], kind="stable")]  # a person's queries together, shuffled
    first = np.flatnonzero(np.diff(person[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    limited = order[place < max(most // MOST_OF_ONE, 1)]
    turn = rng.permutation(len(first))[person[limited]]  # when a person's turn comes
    counts = np.bincount(turn)
    people = int(np.searchsorted(np.cumsum(counts), most, side="right"))
    return np.sort(limited[turn < people])


def hurried(model: Any) -> Any:
    """A model or search that may spend less, where it has `minutes` to spend.

    >>> import vitrina as vt
    >>> hurried(vt.EASE(l2=100)), hurried(vt.EASE(minutes=0.05)), hurried(vt.Popularity())
    (EASE(l2=100.0, minutes=0.1), EASE(minutes=0.05), Popularity())
    """
    if isinstance(model, Search):
        default = getattr(model.model, "model_fields", {}).get("minutes")
        given = model.fixed.get("minutes", None if default is None or "minutes" in model.space else default.default)
        return model if given is None else model.model_copy(update={"fixed": model.fixed | {"minutes": min(given, QUICK_MINUTES)}})
    given = getattr(model, "minutes", None) if isinstance(model, Config) else None
    return model if given is None else type(model)(**parameters_of(model) | {"minutes": min(given, QUICK_MINUTES)})


def validation_part(split: Split, *, quick: bool, seed: int) -> Split:
    """What searches are judged on; a first look asks a sample of its people.

    It is cut from the training part, unless the split has one of its own: then what is tried is fitted as the winner will be, and stops by it.
    """
    validation = asked(split.train.holdout()) if split.validation is None else split.validation
    validation = take_queries(validation, rows_of_people(validation, QUICK_QUERIES, seed)) if quick else validation
    return validation if split.validation is None else replace(validation, validation=validation)


def take_queries(split: Split, rows: Int64) -> Split:
    """The split with these of its queries, and what is true of each."""
    return split.take(rows)
