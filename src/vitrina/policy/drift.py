"""Whether arms were given with the same chances from the beginning of a log to its end."""

from __future__ import annotations

import numpy as np

from vitrina.data.dataset import TimeUnit
from vitrina.policy.checks import Check, by_chance, p_text
from vitrina.policy.drawing import Drawing
from vitrina.policy.randomness import FEWEST_EXPECTED
from vitrina.types import Int64

PERIODS = 10  # of about the same number of rows
MOVED = 0.05  # a mean chance that moves by so much in time is worth a word


def drift(drawing: Drawing, times: Int64, unit: TimeUnit | None) -> list[Check]:
    """Counts of arms per period against their chances in it; and whether the chances themselves moved."""
    period, starts = periods(times, _most(drawing))
    if len(starts) < 2:
        return []
    shares = np.bincount(period, minlength=len(starts)) / len(period)
    score = drawing.score(lambda rows: (period[rows][:, None] == np.arange(len(starts) - 1)) - shares[:-1], len(starts) - 1)
    test, moved = score.test(), _moved(drawing, period, len(starts))
    z = np.divide(score.sums, np.sqrt(_own(score.variance)), out=np.zeros_like(score.sums), where=_own(score.variance) > 0)
    group, at = (int(i) for i in np.unravel_index(np.abs(z).argmax(), z.shape))
    names = [drawing.arms[a] for a in np.flatnonzero(drawing.groups == group)]
    how = (
        f"chi-squared {test.statistic:.2f} with {test.freedom} degrees of freedom"
        if test.joint
        else f"largest of {test.freedom} z {test.statistic:.2f}, corrected for their number"
    )
    detail = f"{how}, {p_text(test.p)}, over {len(starts)} periods; the mean chance of a logged arm moves by {moved:.3f}"
    verdict = by_chance(test.p)
    if verdict == "pass":
        changed = (
            " The chances changed in time, as the log says: compare arms by weights only, never by plain means." if moved > MOVED else ""
        )
        return [
            Check(
                "drift",
                verdict,
                f"The arms were given as their chances say from the beginning to the end.{changed}",
                test.statistic,
                test.p,
                detail,
            )
        ]
    much = "more" if z[group, at] > 0 else "less"
    end = f" to {_moment(starts[at + 1], unit)}" if at + 1 < len(starts) else ""
    sentence = f"From {_moment(starts[at], unit)}{end} the arm {' or '.join(map(repr, names[:2]))} was given {much} often than its chance says: the chances changed in time, and the log doesn't say so."
    return [Check("drift", verdict, sentence, test.statistic, test.p, detail)]


def periods(times: Int64, most: int = PERIODS) -> tuple[Int64, Int64]:
    """(rows,) the period of each row, and the (periods,) moments at which they begin; equal times are in one.

    >>> import numpy as np
    >>> periods(np.array([5, 1, 1, 1, 9, 7]), 3)
    (array([1, 0, 0, 0, 2, 1]), array([1, 5, 9]))
    """
    starts = np.unique(np.quantile(times, np.arange(most) / most, method="higher")) if most > 1 and len(times) else times[:0]
    starts[:1] = times.min() if len(starts) else 0
    return np.searchsorted(starts, times, side="right") - 1, starts


def _most(drawing: Drawing) -> int:
    """So many periods that each arm is expected often enough in each."""
    expected = np.bincount(drawing.groups, drawing.expected)
    return int(min(PERIODS, max(expected[expected > 0].min(initial=0) / FEWEST_EXPECTED, 1)))


def _moved(drawing: Drawing, period: Int64, count: int) -> float:
    """By how much the mean chance of a logged arm differs between periods."""
    means = np.bincount(period, drawing.logged, count) / np.maximum(np.bincount(period, minlength=count), 1)
    return float(means.max() - means.min())


def _own(variance: np.ndarray) -> np.ndarray:
    return variance if variance.ndim == 2 else np.einsum("ajaj->aj", variance)


def _moment(time: int, unit: TimeUnit | None) -> str:
    return str(np.datetime64(int(time), "us").astype("datetime64[m]")).replace("T", " ") if unit == "us" else f"step {int(time)}"
