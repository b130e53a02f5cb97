"""Whether arms were given with the same chances from the beginning of a log to its end."""

from __future__ import annotations

import numpy as np

from vitrina.data.dataset import TimeUnit
from vitrina.policy.checks import Check, by_chance, p_text
from vitrina.policy.drawing import Drawing
from vitrina.policy.randomness import FEWEST_EXPECTED, Tested
from vitrina.types import Float64, Int64

LARGE = 0.1  # root mean square of what shares are off by, relative to them and beyond chance: a small effect (Cohen's w)
PERIODS = 10  # of about the same number of rows
MOVED = 0.05  # a mean chance that moves by so much in time is worth a word


def drift(drawing: Drawing, times: Int64, unit: TimeUnit | None) -> list[Check]:
    """Counts of arms per period against their chances in it; and whether the chances themselves moved."""
    period, starts = periods(times, _most(drawing))
    if len(starts) < 2:
        return []
    test, z = _tested(drawing, period, len(starts))
    if not test.freedom:
        return []
    moved = _moved(drawing, period, len(starts))
    group, at = (int(i) for i in np.unravel_index(np.abs(z).argmax(), z.shape))
    names = [drawing.arms[group]] if drawing.design is None else [drawing.arms[a] for a in np.flatnonzero(drawing.groups == group)]
    detail = f"{test.how}, {p_text(test.p)}, over {len(starts)} periods; the mean chance of a logged arm moves by {moved:.3f}"
    excess = np.sqrt(max(test.statistic - test.freedom, 0) / len(drawing)) if test.freedom and drawing.design is not None else LARGE
    verdict = "warn" if by_chance(test.p) == "refuse" and excess < LARGE else by_chance(test.p)
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


def _tested(drawing: Drawing, period: Int64, count: int) -> tuple[Tested, Float64]:
    """The test, and (arms, periods) how far each arm is off in each."""
    if drawing.design is None:
        return drawing.by_cells(period)
    shares = np.bincount(period, minlength=count) / len(period)
    test = drawing.score(lambda rows: (period[rows][:, None] == np.arange(count - 1)) - shares[:-1], count - 1).test()
    return test, drawing.score(lambda rows: (period[rows][:, None] == np.arange(count)) * 1.0, count).z()


def periods(times: Int64, most: int = PERIODS) -> tuple[Int64, Int64]:
    """(rows,) the period of each row, and the (periods,) moments at which they begin; equal times are in one.

    >>> import numpy as np
    >>> periods(np.array([5, 1, 1, 1, 9, 7]), 3)
    (array([0, 0, 0, 0, 1, 1]), array([1, 7]))
    """
    starts = np.unique(np.sort(times)[np.arange(most) * len(times) // most])
    return np.searchsorted(starts, times, side="right") - 1, starts


def _most(drawing: Drawing) -> int:
    """So many periods that each arm is expected often enough in each."""
    expected = np.bincount(drawing.groups, drawing.expected)
    return int(min(PERIODS, max(expected[expected > 0].min(initial=np.inf) / FEWEST_EXPECTED, 1)))


def _moved(drawing: Drawing, period: Int64, count: int) -> float:
    """By how much the mean chance of a logged arm differs between periods."""
    means = np.bincount(period, drawing.logged, count) / np.maximum(np.bincount(period, minlength=count), 1)
    return float(means.max() - means.min())


def _moment(time: int, unit: TimeUnit | None) -> str:
    return str(np.datetime64(int(time), "us").astype("datetime64[m]")).replace("T", " ") if unit == "us" else f"step {int(time)}"
