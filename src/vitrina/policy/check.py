"""The look at a log of decisions before any number is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrina.policy.balance import balance
from vitrina.policy.cells import tail
from vitrina.policy.checks import Check, Checks, by_chance, of_weights, p_text
from vitrina.policy.drawing import Drawing
from vitrina.policy.drift import drift
from vitrina.policy.repeats import repeats, summed_moments
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
            Check(
                name, "refuse", f"Everybody got {''.join(drawing.arms)!r}, so nothing can be said of any other arm. Draw at least two arms."
            )
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
    if not test.freedom:
        return []
    verdict, counts, expected = by_chance(test.p), drawing.counts, drawing.expected
    off = np.divide(np.abs(counts - expected), np.sqrt(expected), out=np.zeros(len(counts)), where=expected > 0)
    at = int(off.argmax())
    shown = [f"{arm} {n:,} ({e:,.1f} expected)" for arm, n, e in zip(drawing.arms, counts.tolist(), expected.tolist(), strict=True)]
    detail = f"{test.how}, {p_text(test.p)}; rows: {', '.join(shown[:8])}{', ...' * (len(shown) > 8)}"
    if verdict == "pass":
        return [Check("sample ratio", verdict, "Every arm was given about as often as its chance says.", test.statistic, test.p, detail)]
    once = f"1 of {1 / test.p:,.0f} sound logs" if test.p > 1e-6 else "fewer than 1 of a million sound logs"
    sentence = f"The arm {drawing.arms[at]!r} was given {counts[at]:,} times where its chance says {expected[at]:,.0f}. Chance alone does this in {once}"
    todo = ": rows were lost or added, or arms were drawn with other chances. Find out which before you believe any result." if verdict == "refuse" else ": look whether rows are missing."  # fmt: skip
    return [Check("sample ratio", verdict, sentence + todo, test.statistic, test.p, detail)]


def _mean_weight(drawing: Drawing) -> list[Check]:
    """The sum of 1 / chance over the rows of each arm is the number of all rows that could have got it."""
    totals = np.bincount(drawing.actions, 1 / drawing.logged, len(drawing.arms))
    if drawing.design is None:
        test, deviates = drawing.by_cells(np.zeros(len(drawing), np.int64))
        wanted, z, p = np.full(len(totals), float(len(drawing))), deviates[:, 0], test.p
    else:
        wanted, variance, third = _of_design(drawing)
        z = np.divide(totals - wanted, np.sqrt(variance), out=np.zeros(len(totals)), where=variance > 0)
        tails = tail(totals, wanted, variance, third)
        deviates, p = 1 - tails, min(1.0, max(int((tails < 1).sum()), 1) * float(tails.min()))
    at, means = int(np.abs(deviates).argmax()), np.divide(totals, wanted, out=np.ones(len(totals)), where=wanted > 0)
    order = np.argsort(-np.abs(z), kind="stable")[:8]
    shown = [f"{drawing.arms[a]} {means[a]:.4f} (z {z[a]:+.2f})" for a in order.tolist()]
    detail = f"{', '.join(shown)}{', ...' * (len(totals) > 8)}; {p_text(p)} over {len(totals)} arms and {len(drawing):,} rows"
    return [of_weights(f"the arm {drawing.arms[at]!r}", float(means[at]), float(z[at]), p, detail)]


def _of_design(drawing: Drawing) -> tuple[Float64, Float64, Float64]:
    """(arms,) what the weights of each arm sum to, the variance of that, and its third central moment (see `summed_moments`)."""
    design, moments, clusters = drawing.design, [], drawing.clusters
    assert design is not None
    for arm in range(len(drawing.arms)):
        p = design[..., arm] if design.ndim == 2 or clusters is None else np.broadcast_to(design[arm], len(drawing))
        p = np.atleast_1d(p)
        possible, least = p > 0, np.where(p > 0, p, 1.0)
        variances, thirds = (1 - least) / least, (1 - least) * (1 - 2 * least) / np.square(least)
        wanted = len(drawing) * float(possible.mean())
        if clusters is None:
            moments.append((wanted, *(len(drawing) / len(p) * float(v.sum()) for v in (variances, thirds))))
        else:
            seen = float(np.square(np.bincount(clusters, (drawing.actions == arm) / drawing.logged - possible)).sum())
            moments.append((wanted, *summed_moments(variances, thirds, drawing.actions, clusters, seen, wanted)))
    wanted, variance, third = np.array(moments, np.float64).T
    return wanted, variance, third
