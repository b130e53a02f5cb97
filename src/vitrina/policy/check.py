"""The look at a log of decisions before any number is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.special import ndtr

from vitrina.policy.balance import balance
from vitrina.policy.checks import Check, Checks, by_chance, p_text
from vitrina.policy.drawing import Drawing
from vitrina.policy.drift import drift
from vitrina.policy.overlap import corrected
from vitrina.policy.randomness import FEWEST_EXPECTED, Test
from vitrina.policy.repeats import repeats
from vitrina.types import Float64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

SMALL = 0.001  # a chance below it makes one row speak for a thousand
SURE = 0.5  # of the rows: so many without any choice are worth a word
NO_CHANCES = (
    "Nobody knows with which chance each arm was chosen. Those who got an arm may have been picked for it, so what they did says nothing of what the arm did. "
    "To learn that, draw arms at random for a share of decisions and log the chances."
)


def check_log(log: DecisionLog) -> Checks:
    """Everything that can be looked at without a policy (see `DecisionLog.check`)."""
    if not log.arms:
        return Checks((), skipped=("whole lists have no arms that could be counted; their chances are looked at with each policy.",))
    drawing = Drawing.of(log)
    rows, skipped = [*_chances(drawing)], []
    if len(log.arms) > 1:
        rows += [] if drawing.assumed else _sample_ratio(drawing)
        if drawing.design is None and not drawing.assumed:
            skipped.append(
                "sample ratios: only the chance of the logged arm is known. Give propensity= per arm; the mean weight of each arm stands in for it."
            )
        rows += [] if drawing.assumed else _mean_weight(drawing)
        found, frame = balance(drawing, log.units.features)
        rows += found
        rows += repeats(drawing, log)
        rows += [] if log.times is None or drawing.assumed else drift(drawing, log.times, log.time_unit)
    else:
        frame = Checks(()).balance
    if not log.units.features.width:
        skipped.append("whether arms were alike in what was known before (balance): name columns with features=.")
    if log.times is None:
        skipped.append("whether chances changed in time (drift): name the column of times with time=.")
    return Checks(tuple(rows), frame, tuple(skipped))


def _chances(drawing: Drawing) -> list[Check]:
    """Whether chances are known, and leave a choice."""
    name = "chances"
    if len(drawing.arms) < 2:
        return [
            Check(name, "refuse", f"Everybody got {drawing.arms[0]!r}, so nothing can be said of any other arm. Draw at least two arms.")
        ]
    if drawing.assumed:
        return [Check(name, "refuse", NO_CHANCES)]
    least, sure = float(drawing.logged.min()), float(np.mean(drawing.logged >= 1))
    detail = f"chances of logged arms from {least:.3g} to {drawing.logged.max():.3g}; {sure:.1%} of rows had one possible arm"
    if sure == 1:
        return [Check(name, "refuse", "The log says that every decision was certain, so no arm was ever tried against another. Where arms were drawn, log their chances.", least, None, detail)]  # fmt: skip
    if least < SMALL:
        rare = int((drawing.logged < SMALL).sum())
        return [Check(name, "warn", f"{rare:,} decisions had a chance below 1 in {1 / SMALL:,.0f}: each speaks for more than {1 / SMALL:,.0f} others wherever a policy likes that arm.", least, None, detail)]  # fmt: skip
    if sure > SURE:
        return [
            Check(
                name,
                "warn",
                f"In {sure:.0%} of the decisions only one arm was possible: only the others teach anything.",
                least,
                None,
                detail,
            )
        ]
    return [Check(name, "pass", "Each decision left another arm a chance, and no chance is too small to learn from.", least, None, detail)]


def _sample_ratio(drawing: Drawing) -> list[Check]:
    """Counts of arms against the design: Pearson's test where all rows have one, else with the sums of chances and their variance."""
    if drawing.design is None:
        return []
    test = drawing.score(lambda rows: np.ones((len(rows), 1)), 1).test()
    verdict, counts, expected = by_chance(test.p), drawing.counts, drawing.expected
    off = np.divide(np.abs(counts - expected), np.sqrt(expected), out=np.zeros(len(counts)), where=expected > 0)
    at = int(off.argmax())
    shown = [f"{arm} {n:,} of {e:,.1f}" for arm, n, e in zip(drawing.arms, counts.tolist(), expected.tolist(), strict=True)]
    where = "Hotelling's test over clusters" if drawing.clusters is not None and test.joint else "chi-squared"
    how = (
        f"{where} {test.statistic:.4f} with {test.freedom} degrees of freedom"
        if test.joint
        else f"largest of {test.freedom} z {test.statistic:.2f}"
    )
    detail = f"{how}, {p_text(test.p)}; rows of expected ones: {', '.join(shown[:8])}{', ...' * (len(shown) > 8)}"
    if verdict == "pass":
        return [Check("sample ratio", verdict, "Every arm was given about as often as its chance says.", test.statistic, test.p, detail)]
    once = f"1 of {1 / max(test.p, 1e-9):,.0f}"
    sentence = f"The arm {drawing.arms[at]!r} was given {counts[at]:,} times where its chance says {expected[at]:,.0f}. Chance alone does this in {once} sound logs"
    todo = ": rows were lost or added, or arms were drawn with other chances. Find out which before you believe any result." if verdict == "refuse" else ": look whether rows are missing."  # fmt: skip
    return [Check("sample ratio", verdict, sentence + todo, test.statistic, test.p, detail)]


def _mean_weight(drawing: Drawing) -> list[Check]:
    """The mean of 1 / chance over the rows of each arm is 1 over all rows."""
    n, tried = len(drawing), np.flatnonzero(drawing.expected >= FEWEST_EXPECTED)
    means, zs, ps = np.ones(len(drawing.arms)), np.zeros(len(drawing.arms)), np.ones(len(drawing.arms))
    for arm in tried.tolist():
        wanted, total, variance = _weight_of(drawing, arm)
        means[arm] = total / max(wanted, 1e-300)
        zs[arm] = (total - wanted) / np.sqrt(variance) if variance > 0 else 0.0
        ps[arm] = 2 * float(ndtr(-abs(corrected(total, wanted, variance))))
    at = int(np.lexsort((-np.abs(zs), ps))[0])
    p = min(1.0, float(ps[at]) * max(len(tried), 1))
    shown = [f"{drawing.arms[a]} {means[a]:.4f} (z {zs[a]:+.2f})" for a in tried.tolist()]
    detail = f"{', '.join(shown[:8])}{', ...' * (len(shown) > 8)}; {p_text(p)} over {len(tried)} arms and {n:,} rows"
    return [_of_weight("mean weight", f"the arm {drawing.arms[at]!r}", float(means[at]), float(zs[at]), p, detail)]


def _weight_of(drawing: Drawing, arm: int) -> tuple[float, float, float]:
    """What the weights of an arm should sum to, what they sum to, and the variance of that."""
    weights = (drawing.actions == arm) / drawing.logged
    total, p = float(weights.sum()), drawing.logged
    possible: Float64 = np.ones(len(p))
    if drawing.design is not None and drawing.design.ndim == 2:
        p = drawing.design[:, arm]
        possible = (p > 0).astype(np.float64)
    wanted = float(possible.sum())
    if drawing.clusters is not None:
        return wanted, total, float(np.square(np.bincount(drawing.clusters, weights - possible)).sum())
    if drawing.design is None:  # estimated from the rows that got the arm: too small where they are too few
        return wanted, total, float((weights * (1 - p) / p).sum()) * max(1.0, wanted / max(total, 1e-300))
    if drawing.design.ndim == 1:
        return wanted, total, wanted * (1 - float(drawing.design[arm])) / float(drawing.design[arm])
    return wanted, total, float(np.divide(1 - p, p, out=np.zeros(len(p)), where=p > 0).sum())


def _of_weight(name: str, whose: str, mean: float, z: float, p: float, detail: str, policy: str | None = None) -> Check:
    verdict = by_chance(p)
    if verdict == "pass":
        return Check(name, verdict, "The chances add up: weighted by them, every arm speaks for all units once.", z, p, detail, policy)
    sentence = f"Weighted by their chances, the rows of {whose} speak for {mean:.1%} of all units where it should be 100%. The chances in the log are not those with which arms were drawn, or rows are missing."
    return Check(name, verdict, sentence, z, p, detail, policy)
