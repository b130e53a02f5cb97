"""Whether a log speaks of a policy: how many of its rows count, and how much of the policy nobody has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitrina.policy.cells import STEADY, tail
from vitrina.policy.checks import Check, Verdict, of_weights, p_text
from vitrina.policy.repeats import summed_moments
from vitrina.types import Float64, Int32

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

FEWEST = (
    50  # rows of equal weight: an error estimated from fewer can't be trusted, as for people of an interval (`evaluate.interval.TRUSTED`)
)
FEW = 200  # below it a word is worth while
LOST = 0.01  # of what a policy does, where the arm had no chance: its value may be off by so much of the range of rewards
HEAVY = 0.1  # of all weight in one cluster


def overlap(log: DecisionLog, name: str, chances: Float64) -> tuple[Check, ...]:
    """What a log can say of a policy.

    Args:
        log: with known chances; nothing is found where there are none, as the check of the log refuses it.
        name: of the policy.
        chances: (rows, arms) of the policy; of a log of whole lists (rows,) its chances of the logged lists.

    Cost: a pass over the chances, and a few columns.
    """
    if log.propensities is None:
        return ()
    taken = chances if chances.ndim == 1 else chances[np.arange(len(log)), log.actions]
    weights = taken / log.propensities
    clusters = log.clusters if len(log.cluster_ids) < len(log) else None
    lost = 0.0 if chances.ndim == 1 else _lost(log, chances)
    seen = (_seen(log, name, lost),) if chances.ndim == 2 else ()
    return effective(name, weights, clusters), *seen, _mean(log, name, weights, clusters, lost, chances)


def _lost(log: DecisionLog, chances: Float64) -> float:
    """The share of what the policy does that the log never does: by the design where it is known, else arms that nobody got."""
    if log.design is None:
        never = np.bincount(log.actions, minlength=len(log.arms)) == 0
        return float(chances[:, never].sum() / max(len(log), 1))
    if log.design.ndim == 1:
        return float(chances[:, log.design <= 0].sum() / max(len(log), 1))
    return float(sum(chances[:, arm][log.design[:, arm] <= 0].sum() for arm in range(len(log.arms))) / max(len(log), 1))


def effective(name: str, weights: Float64, clusters: Int32 | None) -> Check:
    """(sum w)^2 / sum w^2, of the clusters where rows come in clusters."""
    own = weights if clusters is None else np.bincount(clusters, weights)
    total = float(own.sum())
    size = total**2 / float(np.square(own).sum()) if total > 0 else 0.0
    heaviest, share = float(weights.max(initial=0.0)), float(own.max(initial=0.0)) / total if total > 0 else 0.0
    what = "rows" if clusters is None else "clusters"
    detail = f"effective sample size {size:,.1f} of {len(own):,} {what}; largest weight {heaviest:,.4g}, {share:.1%} of all weight in one of the {what}"
    verdict: Verdict = "refuse" if size < FEWEST else "warn" if size < FEW or share > HEAVY else "pass"
    return Check("effective size", verdict, _speaks(verdict, size, len(own), what, share), size, None, detail, name)


def _speaks(verdict: Verdict, size: float, count: int, what: str, share: float) -> str:
    """What the effective size means, and why it is small: one cluster that is nearly all, or a policy that was seldom tried."""
    if verdict == "pass":
        return f"The log speaks of this policy as {size:,.0f} {what} of its own would."
    little = f"{count:,} {what} tell no more of it than {size:,.{1 if size < 10 else 0}f} {what} of its own would"
    if what == "clusters" and share > HEAVY:
        return f"One cluster has {share:.0%} of all weight, so that {little}" + (
            ". Where it is a shop or a robot and no customer, leave it out; else take one decision of each cluster."
            if verdict == "refuse"
            else ": read its interval before its value."
        )
    return f"The log did what this policy would do so seldom that its {little}" + (
        ". Try it on a share of the units, and log the chances." if verdict == "refuse" else ": read its interval before its value."
    )


def _seen(log: DecisionLog, name: str, lost: float) -> Check:
    """Whether the policy does what was never done."""
    detail = f"{lost:.2%} of the policy's choices had no chance in the log"
    if lost == 0:
        whole = " As far as the log tells: only chances of logged arms are known." if log.design is None else ""
        return Check("overlap", "pass", f"The policy does nothing that the log couldn't have done.{whole}", lost, None, detail, name)
    sentence = f"In {lost:.1%} of the decisions the policy would do what had no chance in the log. Nobody has seen what comes of that"
    end = ": keep the policy to what was tried, or try it." if lost > LOST else ", and its value leaves it out."
    return Check("overlap", "refuse" if lost > LOST else "warn", sentence + end, lost, None, detail, name)


def _mean(log: DecisionLog, name: str, weights: Float64, clusters: Int32 | None, lost: float, chances: Float64) -> Check:
    """The mean weight, which is 1 less what is lost; its variance by the design where that is known."""
    wanted, total = len(weights) * (1 - lost), float(weights.sum())
    variance, third = _moments(log, weights, chances, clusters, wanted)
    told = log.design is not None or total >= wanted or total**2 >= STEADY * np.count_nonzero(weights) * float(np.square(weights).sum())
    p = float(tail(total, wanted, variance, third)) if told else 1.0  # small chances that were not drawn make as little of it
    mean, z = total / max(wanted, 1e-300), (total - wanted) / np.sqrt(variance) if variance > 0 else 0.0
    detail = f"mean weight {total / max(len(weights), 1):.4f}, z {z:+.2f}, {p_text(p)}"
    return of_weights(f"the policy {name!r}", mean, z, p, detail, name)


def _moments(log: DecisionLog, weights: Float64, chances: Float64, clusters: Int32 | None, wanted: float) -> tuple[float, float]:
    """The variance and the third central moment of the sum of weights: by the design where it is known, else as they are seen, and no less than in a log whose weights add up."""
    seen = 0.0 if clusters is None else float(np.square(np.bincount(clusters, weights - wanted / max(len(weights), 1))).sum())
    if log.design is None:
        if clusters is not None:
            return seen, seen**2 / max(wanted, 1.0)
        missing = max(1.0, len(weights) / max(float(weights.sum()), 1e-300))
        square, cube = (missing * float((weights**power).sum()) for power in (2, 3))
        return square - wanted, cube - 3 * square + 2 * wanted
    mean, square, cube = np.zeros(len(weights)), np.zeros(len(weights)), np.zeros(len(weights))
    for arm in range(len(log.arms)):
        possible = log.design[..., arm] > 0
        ratio = np.divide(chances[:, arm], log.design[..., arm], out=np.zeros(len(weights)), where=possible)
        mean += np.where(possible, chances[:, arm], 0.0)
        square += ratio * chances[:, arm]
        cube += np.square(ratio) * chances[:, arm]
    return summed_moments(square - mean**2, cube - 3 * square * mean + 2 * mean**3, log.actions, clusters, seen, wanted)
