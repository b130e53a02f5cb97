"""All that the page shows, worked out: labels parted by question, a threshold chosen on one part, curves and the promise on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrina.answers import ConformalRisk, ErrorRate, Kept, MonitorBoard, Promise, compare_monitors
from vitrina.base.errors import DataError, ParameterError, UnknownNameError

WORST = 10  # wrong answers that are shown


class Shown(NamedTuple):
    """A wrong answer of the test part that the monitor was sure of."""

    question: str
    answer: str
    score: float
    given: bool  # the threshold lets it through


@dataclass(frozen=True)
class Study:
    """What was found about monitors on labelled answers.

    Args:
        monitor: whose threshold it is.
        board: all monitors on the test part.
        promise: the threshold, chosen on the other part.
        kept: what the test part says of it; None where nothing was promised.
        surest_wrong: on the test part.
        chosen_on, tested_on: answers of each part.
        settings: facts for the last section.
    """

    title: str
    monitor: str
    board: MonitorBoard
    promise: Promise
    kept: Kept | None
    surest_wrong: tuple[Shown, ...]
    chosen_on: int
    tested_on: int
    confidence: float
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


def study(
    scores: Mapping[str, Any],
    wrong: Any,
    questions: Any = None,
    *,
    promise: ErrorRate | ConformalRisk,
    monitor: str | None = None,
    texts: Sequence[str] | None = None,
    answers: Sequence[str] | None = None,
    test: float = 0.5,
    seed: int = 0,
    title: str = "When to answer",
    confidence: float = 0.95,
    settings: Mapping[str, str] | None = None,
    date: str = "",
) -> Study:
    """Choose a threshold on one part of the labels and judge everything on the other.

    Args:
        scores: (answers,) of each monitor, by name.
        wrong: (answers,) True, or 1, for a wrong answer.
        questions: (answers,) ids, where several answers belong to one; a question is in one part with all its answers.
        promise: what is to hold.
        monitor: whose threshold is chosen, named before anybody has looked at these labels; None for the first.
        texts, answers: of each answer, for the page.
        test: share of the questions that judge.
        seed: of the parts.

    Raises:
        UnknownNameError: there is no such monitor.
        ParameterError: the share isn't between 0 and 1.
        DataError: lengths differ, and what `compare_monitors` refuses.
    """
    name = next(iter(scores), "") if monitor is None else monitor
    if name not in scores:
        raise UnknownNameError.of("monitor", name, scores)
    if not 0 < test < 1:
        raise ParameterError(f"The 'test' share of the questions is between 0 and 1. Got {test}.", parameter="test", value=test)
    labels = np.asarray(wrong, np.float64)
    ids = np.arange(len(labels)) if questions is None else np.unique(np.asarray(questions), return_inverse=True)[1]
    if len(ids) != len(labels):
        raise DataError(f"There must be one question per answer. Got {len(ids)} and {len(labels)}.")
    tests = _drawn(ids, test, seed)
    columns = {key: np.asarray(one, np.float64) for key, one in scores.items()}
    made = promise.choose(columns[name][~tests], labels[~tests], ids[~tests])
    kept = made.check(columns[name][tests], labels[tests], ids[tests], confidence=confidence) if made.made else None
    board = compare_monitors({key: one[tests] for key, one in columns.items()}, labels[tests], ids[tests], confidence=confidence)
    surest = _surest_wrong(columns[name], labels, tests, texts, answers, made)
    return Study(title, name, board, made, kept, surest, int((~tests).sum()), int(tests.sum()), confidence, settings or {}, date)


def _drawn(ids: NDArray[Any], share: float, seed: int) -> NDArray[np.bool_]:
    """(answers,) whether each is in the test part: so many questions, drawn by lot."""
    known = np.unique(ids)
    count = min(max(round(share * len(known)), 1), len(known) - 1)
    if count < 1:
        raise DataError(f"One part chooses and one judges: it takes two questions or more. Got {len(known)}.")
    return np.isin(ids, np.random.default_rng(seed).permutation(known)[:count])


def _surest_wrong(
    scores: NDArray[Any],
    wrong: NDArray[Any],
    tests: NDArray[np.bool_],
    texts: Sequence[str] | None,
    answers: Sequence[str] | None,
    made: Promise,
) -> tuple[Shown, ...]:
    """The wrong ones with the highest scores; none where there are no texts."""
    if texts is None:
        return ()
    places = np.flatnonzero(tests & (wrong > 0) & (scores > -np.inf))
    first = places[np.argsort(-scores[places], kind="stable")][:WORST]
    given = made.answers(scores)
    return tuple(Shown(str(texts[at]), "" if answers is None else str(answers[at]), float(scores[at]), bool(given[at])) for at in first)
