"""Risk by coverage: how often answers are wrong when only the surest are given, and the area under that.

The answers are sorted by the score of a monitor, the surest first; the risk at coverage k / n is the share of wrong ones among the first k. The area is the mean of
these risks over k = 1 to n (AURC, [Geifman, Uziel and El-Yaniv 2018](https://arxiv.org/abs/1805.08206)): a monitor that knows nothing has that of all answers together, one that knows
all the least that so many wrong answers allow; what lies above that is the excess. Answers of equal score stand in a random order, of which the mean is taken: with
W answers and L wrong ones before them, w and l among them, they add l + (L - W l / w) (H(W + w) - H(W)), H the harmonic numbers. A monitor with few different scores gains nothing by the order of its file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from scipy.special import expit, logit, stdtrit

from vitrina.answers.sufficiency.labelled import Labelled, check_share
from vitrina.base.errors import DataError
from vitrina.base.hashing import mixed
from vitrina.base.printing import short_interval
from vitrina.evaluate.bootstrap import Jackknife
from vitrina.types import Float64, Int64

POINTS = 100  # of a curve that are kept
GROUPS = 500  # of questions that are left out, where there are more of them
BLOCK = 1 << 22  # answers x groups at once


@final
@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """How often the surest answers are wrong.

    Args:
        curve: a row per threshold, the strictest first: threshold, answered, coverage, risk, low, high (of the risk, by question).
        area: under the curve, with its interval; a smaller one is better.
        excess: the area above the least possible, with its interval.
        risk: of all answers: the area of a monitor that knows nothing.
        answers, questions: how many there are.
    """

    curve: pl.DataFrame
    area: float
    low: float
    high: float
    excess: float
    excess_low: float
    excess_high: float
    risk: float
    answers: int
    questions: int
    confidence: float

    def __str__(self) -> str:
        area, excess = short_interval(self.area, self.low, self.high), short_interval(self.excess, self.excess_low, self.excess_high)
        return f"Area {area}, {excess} above the least possible; all {self.answers:,} answers: {self.risk:.3f}."

    def at(self, coverage: float) -> dict[str, float]:
        """The row of the curve that answers at least this share.

        Raises:
            DataError: so much is never answered, as the rest has no score.
        """
        rows = self.curve.filter(pl.col("coverage") >= coverage - 1e-12)
        if not len(rows):
            raise DataError(f"At most {self.curve['coverage'][-1]:.3f} of the questions have a score. Asked for {coverage}.")
        return rows.row(0, named=True)


def risk_coverage(scores: Any, wrong: Any, questions: Any = None, *, confidence: float = 0.95) -> RiskCoverage:
    """The curve and its area, on labelled answers.

    Args:
        scores: (answers,) of a monitor, a higher one for a surer answer; -inf is never answered, and comes last.
        wrong: (answers,) True, or 1, for a wrong answer.
        questions: (answers,) which question each belongs to, where there are several of one; other questions might have come, each with all its answers.
        confidence: of the intervals: at each threshold, and of the areas (the jackknife over questions).

    Raises:
        DataError: lengths differ, a score is NaN, a label isn't between 0 and 1.

    Cost: answers x questions (500 groups of them at most): 8 seconds for 120,000 answers.

    >>> found = risk_coverage([0.9, 0.8, 0.7, 0.4], [False, False, True, True])
    >>> round(found.area, 4), found.excess, found.at(0.5)["risk"]
    (0.2083, 0.0, 0.0)
    """
    check_share("confidence", confidence, "risk_coverage")
    labelled = Labelled.of(scores, wrong, questions)
    whole, parts = _areas_without(labelled)
    intervals = _intervals(whole, parts, confidence)
    return RiskCoverage(
        _curve(labelled, confidence), float(whole[0]), *intervals[0], float(whole[1]), *intervals[1], float(labelled.wrong.mean()),
        len(labelled), len(labelled) - labelled.repeated, confidence,
    )  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class MonitorBoard:
    """Monitors beside each other on the same labelled answers.

    Args:
        table: a row per monitor, the smallest area first: monitor, area, low, high, excess, difference, difference_low, difference_high, verdict. The difference is of the area to that of
            the baseline, paired by question; the intervals of all differences hold together (Bonferroni). verdict: "better", "worse", "no measurable difference", "" of the baseline.
        curves: of each monitor, by name.
        baseline: its name, or "" for answering whatever is asked.
    """

    table: pl.DataFrame
    curves: Mapping[str, RiskCoverage]
    baseline: str


def compare_monitors(
    scores: Mapping[str, Any], wrong: Any, questions: Any = None, *, baseline: str | None = None, confidence: float = 0.95
) -> MonitorBoard:
    """Judge monitors alike: areas under their risk-coverage curves, and paired differences.

    Args:
        scores: (answers,) of each monitor, by name.
        wrong, questions: as in `risk_coverage`.
        baseline: which monitor the others are compared with; None for a monitor that knows nothing, whose area is the risk of all answers.

    Raises:
        DataError: there is no monitor, or no such baseline; and what `risk_coverage` refuses.

    >>> both = compare_monitors({"sure": [0.9, 0.8, 0.7, 0.4], "blind": [1, 1, 1, 1]}, [0, 0, 1, 1])
    >>> both.table["monitor"].to_list(), both.table["area"].round(3).to_list()
    (['sure', 'blind'], [0.208, 0.5])
    """
    if not scores or (baseline is not None and baseline not in scores):
        raise DataError(
            f"There is no monitor {baseline!r} to compare with. Known: {', '.join(scores)}." if scores else "There is no monitor to judge."
        )
    curves = {name: risk_coverage(of, wrong, questions, confidence=confidence) for name, of in scores.items()}
    found = {name: _areas_without(Labelled.of(of, wrong, questions)) for name, of in scores.items()}
    nothing = np.zeros_like(np.asarray(wrong, np.float64))
    base = found[baseline] if baseline is not None else _areas_without(Labelled.of(nothing, wrong, questions))
    count = len(scores) - (baseline is not None)
    rows = []
    for name, (whole, parts) in found.items():
        one = curves[name]
        ends = _plain(float((whole - base[0])[0]), (parts - base[1])[:, :1], 1 - (1 - confidence) / max(count, 1))
        own = {"monitor": name, "area": one.area, "low": one.low, "high": one.high, "excess": one.excess}
        rows.append(
            own
            | {
                "difference": float((whole - base[0])[0]),
                "difference_low": ends[0],
                "difference_high": ends[1],
                "verdict": _verdict(name == baseline, *ends),
            }
        )
    return MonitorBoard(pl.DataFrame(rows).sort("area", "monitor"), curves, baseline or "")


def _verdict(own: bool, low: float, high: float) -> str:
    if own:
        return ""
    return "better" if high < 0 else "worse" if low > 0 else "no measurable difference"


def _curve(labelled: Labelled, confidence: float) -> pl.DataFrame:
    """Up to `POINTS` thresholds, of which the last answers whatever has a score."""
    known = np.sort(labelled.scores[labelled.scores > -np.inf])[::-1]
    places = np.unique(np.linspace(0, len(known) - 1, POINTS).round().astype(np.int64)) if len(known) else np.zeros(0, np.int64)
    thresholds = np.unique(known[places])[::-1]
    columns = [np.where(labelled.scores >= threshold, labelled.wrong, np.nan) for threshold in thresholds]
    ends = [labelled.interval(column, confidence) for column in columns]
    answered = np.array([np.isfinite(column).sum() for column in columns], np.int64)
    risks = [float(np.nanmean(column)) for column in columns]
    return pl.DataFrame(
        {"threshold": thresholds, "answered": answered, "coverage": answered / len(labelled), "risk": np.array(risks, np.float64),
         "low": np.array([e.low for e in ends], np.float64), "high": np.array([e.high for e in ends], np.float64)}
    )  # fmt: skip


def _areas_without(labelled: Labelled) -> tuple[Float64, Float64]:
    """(2,) area and excess, and (groups, 2) by how much they move without a group of questions."""
    whole = _areas(labelled, np.ones((1, len(labelled)), np.int64))[0]
    parts = [_areas(labelled, keep) - whole for keep in _leaving_out(labelled.questions)]
    return whole, np.concatenate(parts) if parts else np.zeros((0, 2))


def _leaving_out(questions: Int64) -> Iterator[Int64]:
    """(groups, answers) 0 where the group has the answer, in blocks; a question is a group of its own while there are few."""
    count = int(questions.max()) + 1
    group = questions if count <= GROUPS else (mixed(questions.astype(np.uint64)) % np.uint64(GROUPS)).astype(np.int64)
    groups = np.unique(group)
    if len(groups) < 2:
        return
    step = max(1, BLOCK // len(questions))
    for start in range(0, len(groups), step):
        yield (group[None, :] != groups[start : start + step, None]).astype(np.int64)


def _areas(labelled: Labelled, keep: Int64) -> Float64:
    """(rows, 2) area and excess of the answers that each row of `keep` (rows, answers) keeps."""
    area = _area(-labelled.scores, labelled.wrong, keep)
    return np.stack([area, area - _area(labelled.wrong, labelled.wrong, keep)], axis=1)


def _area(keys: Float64, wrong: Float64, keep: Int64) -> Float64:
    """(rows,) the mean risk over the first 1, 2, ... answers by ascending key; equal keys in a random order, on average."""
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.append(keys[order][1:] != keys[order][:-1], True))
    count = keep[:, order].cumsum(axis=1)[:, ends]
    loss = (keep[:, order] * wrong[order]).cumsum(axis=1)[:, ends]
    before, lost = np.pad(count, ((0, 0), (1, 0)))[:, :-1], np.pad(loss, ((0, 0), (1, 0)))[:, :-1]
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, len(keys) + 1))])
    share = np.divide(loss - lost, count - before, out=np.zeros_like(loss, np.float64), where=count > before)
    sums = (loss - lost) + (lost - before * share) * (harmonic[count] - harmonic[before])
    return sums.sum(axis=1) / count[:, -1]


def _intervals(whole: Float64, parts: Float64, confidence: float) -> list[tuple[float, float]]:
    """Of area and excess: the area's on the scale of log(v / (1 - v)), the excess not below 0."""
    area, excess = float(whole[0]), float(whole[1])
    low, high = _plain(area, parts[:, :1], confidence)
    if 0 < area < 1 and np.isfinite(high):
        reach = (high - area) / (area * (1 - area))
        low, high = float(expit(logit(area) - reach)), float(expit(logit(area) + reach))
    elif np.isfinite(high):  # nothing is wrong, or everything: as far as so many questions can tell
        none = 1 - ((1 - confidence) / 2) ** (1 / max(len(parts), 1))
        low, high = (0.0, none) if area == 0 else (1 - none, 1.0)
    over = _plain(excess, parts[:, 1:], confidence)
    return [(low, high), (max(over[0], 0.0), over[1])]


def _plain(value: float, parts: Float64, confidence: float) -> tuple[float, float]:
    """Student's t with the jackknife's error of `parts` (groups, 1); NaN of fewer than two groups."""
    if len(parts) < 2:
        return float("nan"), float("nan")
    jackknife = Jackknife.of(parts, np.array([len(parts)]))
    half = float(stdtrit(jackknife.freedom[0], (1 + confidence) / 2) * jackknife.error[0])
    return value - half, value + half
