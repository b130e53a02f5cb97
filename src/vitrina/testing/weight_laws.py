"""The laws of weights: what counts, what counts for nothing, and what was disliked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vitrina.data.dataset import Dataset
from vitrina.models.base import IGNORED, ModelConfig
from vitrina.models.own import completed
from vitrina.testing.cases import BrokenLawError, Case, NotAskedError, same
from vitrina.types import Eligibility, Ragged


def weights(case: Case) -> None:
    """Weights of 1 change nothing, events of weight 0 count for nothing, and other weights are read, or the notes say that they aren't."""
    data, chosen = _plain(case), _some_events(case)
    one = np.ones(data.n_events)
    rest = data.select(~chosen)
    _require_same_answers(case, (data, Eligibility()), (_weighed(data, one), Eligibility()), "with weights of 1")
    again = Eligibility(repeat=True)
    if not isinstance(case.model, ModelConfig):
        raise NotAskedError(
            "the model is not a vitrina.models.base.ModelConfig, so its fit gets events that don't count, and has to leave them out"
        )
    _require_same_answers(case, (rest, again), (_weighed(data, np.where(chosen, 0, one)), again), "with events of weight 0 instead of none")
    other = _weighed(data, np.where(chosen, 4, one))
    if case.model.reads_weights:
        if _same_answers(case, (data, again), (other, again)):
            raise BrokenLawError("with other weights of events nothing changes, though the model says that it reads them.")
        return
    _require_same_answers(case, (data, again), (other, again), "with other weights, which the model doesn't say it reads")
    notes = completed(case.model.fit(other), other).notes
    if IGNORED not in notes:
        raise BrokenLawError(f"weights of events are not read, and the notes don't say it: {notes}.")


def dislikes(case: Case) -> None:
    """What a person disliked is not recommended, with or without `repeat`, and isn't read as interest."""
    plain, chosen = _plain(case), _some_events(case)
    data = _weighed(plain, np.where(chosen, -1, 1))
    queries = data.queries(codes=case.queries.users)
    banned = Ragged.of([disliked_items(data, user) for user in queries.users])
    recommender = case.model.fit(data)
    for repeat in (False, True):
        answer = recommender.recommend(queries, 10, eligible=Eligibility(repeat=repeat))
        for row, items in enumerate(answer.items):
            wrong = np.intersect1d(items, banned[row])
            if len(wrong):
                raise BrokenLawError(f"query {row} (repeat={repeat}): item {wrong[0]}, which the person disliked, is recommended.")
    if isinstance(case.model, ModelConfig):
        without = (plain.select(~chosen), Eligibility(exclude=banned, repeat=True))
        _require_same_answers(case, without, (data, Eligibility(repeat=True)), "with dislikes instead of no events")


def _plain(case: Case) -> Dataset:
    """The log without weights."""
    counted = case.data.counted()
    return replace(counted, events=replace(counted.events, weights=None))


def _weighed(data: Dataset, weights: Any) -> Dataset:
    return replace(data, events=replace(data.events, weights=weights.astype(np.float32)))


def _some_events(case: Case) -> Any:
    """A fifth of the events, without the last of the log, whose time is the moment of asking."""
    data = _plain(case)
    chosen = np.random.default_rng(2).random(data.n_events) < 0.2
    if data.events.times is not None:
        chosen &= data.events.times < data.events.times.max()
    return chosen


def disliked_items(data: Dataset, user: int) -> list[int]:
    """Items whose last event of a person is a dislike."""
    own = slice(data.indptr[user], data.indptr[user + 1])
    assert data.events.weights is not None
    last = dict(zip(data.events.items[own].tolist(), data.events.weights[own].tolist(), strict=True))
    return [item for item, weight in last.items() if weight < 0]


def _require_same_answers(case: Case, one: tuple[Dataset, Eligibility], other: tuple[Dataset, Eligibility], what: str) -> None:
    """Raise unless the model, fitted on both logs, answers everybody the same."""
    answers = [
        case.model.fit(data).recommend(data.queries(codes=case.queries.users), 10, eligible=eligible) for data, eligible in (one, other)
    ]
    same(answers[0], answers[1], what, popular=one[0].catalogue.users)


def _same_answers(case: Case, one: tuple[Dataset, Eligibility], other: tuple[Dataset, Eligibility]) -> bool:
    try:
        _require_same_answers(case, one, other, "")
    except BrokenLawError:
        return False
    return True
