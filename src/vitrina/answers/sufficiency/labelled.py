"""Labelled answers as arrays: the score of a monitor, whether the answer was wrong, and the question that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from vitrina.answers.sufficiency.claims import Bounds
from vitrina.base.errors import DataError, ParameterError
from vitrina.evaluate.interval import Interval, mean_interval
from vitrina.types import Float64, Int64


@final
@dataclass(frozen=True, eq=False)
class Labelled:
    """Answers in their order.

    Args:
        scores: (answers,) of a monitor; -inf is never answered.
        wrong: (answers,) 1 for a wrong answer, 0 for a right one; what lies between is partly wrong.
        questions: (answers,) codes; answers of one question stand and fall together.
    """

    scores: Float64
    wrong: Float64
    questions: Int64

    @classmethod
    def of(cls, scores: Any, wrong: Any, questions: Any = None) -> Labelled:
        """Look at what came.

        Raises:
            DataError: lengths differ, there is nothing, a score is NaN, or a label isn't between 0 and 1.
        """
        numbers, labels = np.asarray(scores, np.float64), np.asarray(wrong, np.float64)
        ids = np.arange(len(numbers)) if questions is None else np.unique(np.asarray(questions), return_inverse=True)[1]
        if numbers.ndim != 1 or not len(numbers) == len(labels) == len(ids):
            raise DataError(
                f"There must be one score, one label and one question per answer. Got {numbers.shape}, {labels.shape} and {len(ids)}."
            )
        if not len(numbers):
            raise DataError("There are no labelled answers. Label some: 0 for a right one, 1 for a wrong one.")
        if np.isnan(numbers).any():
            raise DataError(f"The score of answer {int(np.isnan(numbers).argmax())} is NaN. Score what can't be answered -inf.")
        bad = ~((labels >= 0) & (labels <= 1))
        if bad.any():
            raise DataError(
                f"The label of answer {int(bad.argmax())} is no number from 0 (right) to 1 (wrong). Got {labels[bad.argmax()]}: leave out what nobody judged."
            )
        return cls(numbers, labels, ids.astype(np.int64))

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def repeated(self) -> int:
        """Answers beyond the first of their question."""
        return len(self) - len(np.unique(self.questions))

    def interval(self, values: Float64, confidence: float) -> Interval:
        """Of the mean of values (answers,), NaN where an answer doesn't count: Clopper and Pearson's of rights and wrongs of a question each, else that of a mean by question."""
        counted = values[~np.isnan(values)]
        if self.repeated or not len(counted) or not np.isin(counted, (0.0, 1.0)).all():
            return mean_interval(values, self.questions, confidence)
        return Interval(*Bounds.of_count(int(counted.sum()), len(counted), confidence))

    def one_each(self, seed: int) -> Labelled:
        """One answer of each question, drawn by lot: what counts as a trial of its own."""
        if not self.repeated:
            return self
        order = np.random.default_rng(seed).permutation(len(self))
        kept = np.sort(order[np.unique(self.questions[order], return_index=True)[1]])
        return Labelled(self.scores[kept], self.wrong[kept], self.questions[kept])


def check_share(name: str, value: float, owner: str) -> None:
    """Refuse what is no share strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ParameterError(f"The {name!r} of {owner} is between 0 and 1. Got {value}.", owner=owner, parameter=name, value=value)
