"""A threshold that holds a promised rate of errors, chosen on labelled answers and checked on others.

Two promises, which are not the same:

- `ErrorRate`: of the answers *that are given* at most a share is wrong, with a confidence over the draw of the labels. Many thresholds are looked at, so each is a test of
  its own: the exact binomial one, in a fixed sequence from the strictest threshold to the laxest, which stops at the first that fails ([Angelopoulos et al. 2021](https://arxiv.org/abs/2110.01052), learn then test).
- `ConformalRisk`: of the questions *that are asked* at most a share gets a wrong answer, on average over the draws of the labels and the next question ([Angelopoulos et al. 2022](https://arxiv.org/abs/2208.02814)). It asks for few labels and promises less.

Both hold for questions like the labelled ones: drawn from the same stream, not the hard ones that somebody picked. A monitor, a model or a catalogue that has changed since asks for new labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

import numpy as np
import polars as pl
from pydantic import Field
from scipy.special import betaincinv, ndtri

from vitrina.answers.sufficiency.labelled import Labelled
from vitrina.base.config import Config
from vitrina.base.errors import DataError
from vitrina.base.power import POWER
from vitrina.base.printing import short, short_interval
from vitrina.types import Bool, Float64, Int64

Unit = Literal["answer", "question"]
Bound = Literal["exact", "wilson"]
MOST_LABELS = 10_000_000  # that are ever advised


@final
@dataclass(frozen=True, eq=False)
class Kept:
    """What the test part says of a promise.

    Args:
        rate: of errors there, per answer or per question as promised, with its interval by question; NaN where nothing is answered.
        verdict: "kept" where the whole interval is within what was promised, "broken" where none of it is, else "open".
    """

    rate: float
    low: float
    high: float
    answered: int
    questions: int
    coverage: float
    verdict: Literal["kept", "broken", "open"]
    sentence: str


@final
@dataclass(frozen=True, eq=False)
class Promise:
    """A threshold with what it promises, or the reason why there is none.

    Args:
        threshold: from which on scores are answered; None where nothing can be promised.
        unit: what the rate is per: an answer that is given, or a question that is asked.
        most: the promised rate.
        confidence: that the labels were not lucky; None for a promise on average.
        labels: that were looked at, one per question.
        answered, errors, coverage: of them, at the threshold.
        upper: the bound of the rate there.
        needed: about how many labels would do, where these don't; None where no number would, or it isn't known.
        tried: a row per threshold that was looked at: threshold, answered, errors, rate, upper, holds.
        sentence: all that in words.
    """

    threshold: float | None
    unit: Unit
    most: float
    confidence: float | None
    labels: int
    answered: int
    errors: float
    coverage: float
    upper: float
    needed: int | None
    tried: pl.DataFrame
    sentence: str
    left_out: int = 0  # further answers of questions that are counted once

    def __str__(self) -> str:
        return self.sentence

    @property
    def made(self) -> bool:
        """Whether anything is promised."""
        return self.threshold is not None

    def answers(self, scores: Any) -> Bool:
        """(questions,) whether each is answered; none is without a promise."""
        numbers = np.asarray(scores, np.float64)
        return numbers >= self.threshold if self.threshold is not None else np.zeros(numbers.shape, bool)

    def check(self, scores: Any, wrong: Any, questions: Any = None, *, confidence: float = 0.95) -> Kept:
        """Hold the promise against labelled answers that had no part in choosing it.

        Raises:
            DataError: nothing was promised; and what `risk_coverage` refuses.
        """
        if self.threshold is None:
            raise DataError(f"There is no promise to check. {self.sentence}")
        labelled = Labelled.of(scores, wrong, questions)
        given = self.answers(labelled.scores)
        values = np.where(given, labelled.wrong, np.nan if self.unit == "answer" else 0.0)
        low, high = labelled.interval(values, confidence)
        rate = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
        verdict: Literal["kept", "broken", "open"] = "kept" if high <= self.most else "broken" if low > self.most else "open"
        return Kept(
            rate, low, high, int(given.sum()), len(labelled), float(given.mean()), verdict, _checked(self, rate, low, high, given, verdict)
        )


@final
class ErrorRate(Config):
    """Of the answers that are given, at most a share is wrong.

    Thresholds are those of the labelled scores at `steps` shares of the answers, from the fewest that could pass to all. From each of `starts` of
    them a sequence goes on to laxer ones while the upper bound of the rate, at a confidence of 1 - (1 - confidence) / starts, stays within `most`; the laxest that was reached is taken.
    The errors at a threshold that the scores alone set are binomial, and a sequence breaks the promise only by passing the first threshold that should fail, so that all
    sequences together break it with a chance of 1 - confidence at most, where surer answers are no oftener wrong; else to the order of the spread of the thresholds
    themselves. Thresholds that were fixed without these labels (`thresholds=`) need no such condition.

    Args:
        most: the share that is promised.
        confidence: that it holds.
        bound: "exact" (Clopper and Pearson), or "wilson", the score interval, which is narrower and breaks the promise oftener than it says: 7% and not 5% where 52 answers without an error are enough for it.
        starts: sequences; one is the strongest where there are many labels, several forgive an error among the surest.
        steps: thresholds that are looked at.
        seed: of the answer that counts, of a question with several.
    """

    most: float = Field(gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    bound: Bound = "exact"
    starts: int = Field(default=4, ge=1)
    steps: int = Field(default=40, ge=1)
    seed: int = Field(default=0, ge=0)

    def choose(self, scores: Any, wrong: Any, questions: Any = None, *, thresholds: Any = None) -> Promise:
        """The laxest threshold that keeps the promise, or why there is none.

        Args:
            scores: (answers,) of a monitor, on held-out labels: none that chose the monitor or its prompt.
            wrong: (answers,) True, or 1, for a wrong answer; nothing between.
            questions: (answers,) where several belong to one; one of each is drawn, and the rest counted in `left_out`.
            thresholds: to look at, where they were fixed beforehand; all are looked at.

        Raises:
            DataError: what `risk_coverage` refuses, and labels between 0 and 1.

        >>> import numpy as np
        >>> scores = np.arange(400) / 400
        >>> promise = ErrorRate(most=0.05).choose(scores, (scores < 0.3) & (np.arange(400) % 2 == 0))
        >>> promise.answered, promise.errors, round(promise.upper, 3)
        (287, 3.0, 0.034)
        >>> ErrorRate(most=0.05).choose(scores[-40:], np.zeros(40)).sentence
        'No threshold can hold 5% wrong answers with 95% confidence by 40 labels: it takes at least 86 answered ones without an error.'
        """
        labelled = Labelled.of(scores, wrong, questions)
        between = (labelled.wrong > 0) & (labelled.wrong < 1)
        if between.any():
            raise DataError(
                f"A rate of errors counts answers that are wrong or not. Got the label {labelled.wrong[between][0]:g}: draw a line, or use ConformalRisk."
            )
        ones = labelled.one_each(self.seed)
        looked = self._look(ones, thresholds)
        return _promised(self, labelled.repeated, ones, looked)

    @property
    def fewest(self) -> int:
        """Answered labels that could keep the promise at best: without any error."""
        sure = self._sure
        if self.bound == "wilson":
            return math.ceil(float(ndtri(sure)) ** 2 * (1 - self.most) / self.most - 1e-9)
        return math.ceil(math.log(1 - sure) / math.log(1 - self.most) - 1e-9)

    @property
    def _sure(self) -> float:
        """The confidence of each sequence, so that all together have theirs."""
        return 1 - (1 - self.confidence) / self.starts

    def _look(self, ones: Labelled, thresholds: Any) -> pl.DataFrame:
        """A row per threshold, the strictest first, and whether the promise holds there."""
        known = np.sort(ones.scores[ones.scores > -np.inf])[::-1]
        if thresholds is not None:
            tried = np.unique(np.asarray(thresholds, np.float64))[::-1]
        elif len(known) >= self.fewest:
            counts = np.unique(np.linspace(self.fewest, len(known), self.steps).round().astype(np.int64))
            tried = np.unique(known[counts - 1])[::-1]
        else:
            tried = np.zeros(0)
        given = ones.scores[None, :] >= tried[:, None]
        answered, errors = given.sum(axis=1), (given * ones.wrong).sum(axis=1)
        upper = self._upper(errors, answered)
        rate = np.divide(errors, answered, out=np.full(len(tried), np.nan), where=answered > 0)
        return pl.DataFrame(
            {"threshold": tried, "answered": answered, "errors": errors, "rate": rate, "upper": upper, "holds": self._holds(upper)}
        )

    def _holds(self, upper: Float64) -> Bool:
        """Which thresholds a sequence reaches."""
        passed = upper <= self.most
        holds = np.zeros(len(upper), bool)
        for start in np.unique(np.linspace(0, len(upper), self.starts, endpoint=False).astype(np.int64)) if len(upper) else ():
            stop = start + int(np.argmin(passed[start:])) if not passed[start:].all() else len(upper)
            holds[start:stop] = True
        return holds

    def _upper(self, errors: Float64, answered: Int64) -> Float64:
        """(thresholds,) the bound of the rate, for each sequence its part of the doubt; 1 where nothing is answered."""
        sure = self._sure
        n = np.maximum(answered, 1)
        if self.bound == "wilson":
            square = float(ndtri(sure)) ** 2
            share = errors / n
            upper = (share + square / (2 * n) + np.sqrt(square * (share * (1 - share) / n + square / (4 * n**2)))) / (1 + square / n)
        else:
            upper = np.where(errors >= n, 1.0, betaincinv(errors + 1, np.maximum(n - errors, 1e-9), sure))
        return np.where(answered > 0, upper, 1.0)


@final
class ConformalRisk(Config):
    """Of the questions that are asked, at most a share gets a wrong answer, on average.

    The lowest threshold at which (wrong answers given + 1) / (labels + 1) is within `most`: the expectation of the loss of the next question is then within it, whatever the scores are worth, as a
    stricter threshold never gives more wrong answers. It is a mean over draws of the labels: about half of all draws are above what they aim at.

    Args:
        most: the share that is promised.
        seed: of the answer that counts, of a question with several.
    """

    most: float = Field(gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def choose(self, scores: Any, wrong: Any, questions: Any = None) -> Promise:
        """The lowest threshold that keeps the promise, or why there is none.

        Args:
            scores, wrong, questions: as in `ErrorRate.choose`; a label may lie between 0 and 1.

        >>> import numpy as np
        >>> scores = np.arange(99) / 99
        >>> promise = ConformalRisk(most=0.05).choose(scores, scores < 0.5)
        >>> promise.answered, promise.errors
        (53, 4.0)
        """
        labelled = Labelled.of(scores, wrong, questions)
        ones = labelled.one_each(self.seed)
        order = np.argsort(-ones.scores, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(ones.scores[order]) != 0, True) & (ones.scores[order] > -np.inf))
        errors, answered = ones.wrong[order].cumsum()[ends], ends + 1
        upper = (errors + 1) / (len(ones) + 1)
        tried = {"threshold": ones.scores[order][ends], "answered": answered, "errors": errors, "rate": errors / len(ones), "upper": upper}
        return _promised(self, labelled.repeated, ones, pl.DataFrame(tried | {"holds": upper <= self.most}))

    @property
    def fewest(self) -> int:
        """Labels that could keep the promise at best."""
        return math.ceil(1 / self.most - 1e-9) - 1


def _promised(kind: ErrorRate | ConformalRisk, left_out: int, ones: Labelled, tried: pl.DataFrame) -> Promise:
    """The laxest threshold that holds, or what stands against one."""
    unit: Unit = "answer" if isinstance(kind, ErrorRate) else "question"
    confidence = kind.confidence if isinstance(kind, ErrorRate) else None
    holds = tried.filter("holds")
    if len(holds):
        row = holds.row(-1, named=True)
        made = _Made(row["threshold"], row["answered"], row["errors"], row["answered"] / len(ones), row["upper"], None)
    else:
        made = _Made(None, 0, 0.0, 0.0, 1.0, _needed(kind, tried, len(ones)))
    return Promise(made[0], unit, kind.most, confidence, len(ones), *made[1:], tried, _said(kind, made, len(ones), tried), left_out)


class _Made(NamedTuple):
    threshold: float | None
    answered: int
    errors: float
    coverage: float
    upper: float
    needed: int | None


def _needed(kind: ErrorRate | ConformalRisk, tried: pl.DataFrame, labels: int) -> int | None:
    """About how many labels would do in four cases of five, if wrong answers are as frequent as they were; None where that can't be said."""
    if isinstance(kind, ConformalRisk):
        return kind.fewest if labels < kind.fewest else None
    doubt, found = 1 - kind._sure, []
    sizes = np.unique(np.geomspace(kind.fewest, MOST_LABELS, 150).astype(np.int64))
    from scipy.stats import binom  # noqa: PLC0415  seconds, and a config needs none of it

    allowed = binom.ppf(doubt, sizes, kind.most) - 1  # errors that pass
    for answered, errors in tried.select("answered", "errors").iter_rows():
        rate = (errors + 0.5) / (answered + 1)
        likely = sizes[binom.cdf(allowed, sizes, rate) >= POWER] if rate < kind.most else sizes[:0]
        found += [_rounded_up(int(likely[0]) * labels / answered)] if len(likely) else []
    return min((n for n in found if n > labels), default=None)


def _rounded_up(value: float) -> int:
    """To two digits."""
    unit = 10 ** max(math.floor(math.log10(value)) - 1, 0)
    return math.ceil(value / unit) * unit


def _share(value: float) -> str:
    return f"{100 * value:.3g}%"


def _said(kind: ErrorRate | ConformalRisk, made: _Made, labels: int, tried: pl.DataFrame) -> str:
    what, sure = (
        (f"{_share(kind.most)} wrong answers", f" with {_share(kind.confidence)} confidence")
        if isinstance(kind, ErrorRate)
        else (f"{_share(kind.most)} of questions answered wrongly", " on average")
    )
    if made.threshold is not None:
        seen = f"{made.errors:g} of {made.answered} answered labels were wrong"
        return f"At a score of {short(made.threshold)} or more there are at most {what}{sure}: {seen}, and {_share(made.coverage)} of the questions are answered."
    if labels < kind.fewest or not len(tried):
        each = "answered ones without an error" if isinstance(kind, ErrorRate) else "of them"
        return f"No threshold can hold {what}{sure} by {labels} labels: it takes at least {kind.fewest} {each}."
    more = (
        f"about {made.needed:,} labels would do, if errors stay as frequent."
        if made.needed
        else "more labels won’t help while errors are as frequent: take a better monitor, or promise less."
    )
    return f"No threshold holds {what}{sure} by these {labels} labels; {more}"


def _checked(promise: Promise, rate: float, low: float, high: float, given: Bool, verdict: str) -> str:
    if math.isnan(rate):
        return f"None of the {len(given):,} test questions is answered, so nothing can be checked."
    of = f"{int(given.sum()):,} answers" if promise.unit == "answer" else f"{len(given):,} questions"
    said = {"kept": "the promise is kept", "broken": "the promise is broken", "open": "so few can’t tell"}[verdict]
    return f"On the test part {short_interval(rate, low, high)} of {of} are wrong, and at most {promise.most:g} was promised: {said}."
