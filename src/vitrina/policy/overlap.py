"""Whether a log speaks of a policy: how many of its rows count, and how much of the policy nobody has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from vitrina.policy.checks import Check, Verdict, by_chance, p_text
from vitrina.types import Float64, Int32

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

FEWEST = (
    50  # rows of equal weight: an error estimated from fewer can't be trusted, as for people of an interval (`evaluate.interval.TRUSTED`)
)
FEW = 200  # below it a word is worth while
LOST = 0.01  # of what a policy does, where the arm had no chance: its value may be off by so much of the range of rewards
HEAVY = 0.1  # of all weight in one cluster


def corrected(total: float, wanted: float, variance: float) -> float:
    """A standard normal deviate of a sum of weights, whose skewness is that of a count: Wilson and Hilferty's power 2/3.

    The plain z, (total - wanted) / sd, cries too often where few rows carry the weight.

    >>> round(corrected(36, 20, 20), 2), round(corrected(8, 20, 20), 2), round(corrected(10_100, 10_000, 10_000), 2)
    (3.26, -3.03, 1.0)
    """
    if variance <= 0 or wanted <= 0:
        return 0.0
    return 1.5 * wanted / np.sqrt(variance) * ((max(total, 0.0) / wanted) ** (2 / 3) - 1 + variance / (9 * wanted**2))


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
    return _effective(name, weights, clusters), _seen(log, name, lost), _mean(log, name, weights, clusters, lost, chances)


def _lost(log: DecisionLog, chances: Float64) -> float:
    """The share of what the policy does that the log never does: by the design where it is known, else arms that nobody got."""
    if log.design is None:
        never = np.bincount(log.actions, minlength=len(log.arms)) == 0
        return float(chances[:, never].sum() / max(len(log), 1))
    if log.design.ndim == 1:
        return float(chances[:, log.design <= 0].sum() / max(len(log), 1))
    return float(sum(chances[:, arm][log.design[:, arm] <= 0].sum() for arm in range(len(log.arms))) / max(len(log), 1))


def _effective(name: str, weights: Float64, clusters: Int32 | None) -> Check:
    """(sum w)^2 / sum w^2, of the clusters where rows come in clusters."""
    own = weights if clusters is None else np.bincount(clusters, weights)
    total = float(own.sum())
    size = total**2 / float(np.square(own).sum()) if total > 0 else 0.0
    heaviest, share = float(weights.max(initial=0.0)), float(own.max(initial=0.0)) / total if total > 0 else 0.0
    what = "rows" if clusters is None else "clusters"
    detail = f"effective sample size {size:,.1f} of {len(own):,} {what}; largest weight {heaviest:,.4g}, {share:.1%} of all weight in one of the {what}"
    verdict: Verdict = "refuse" if size < FEWEST else "warn" if size < FEW or share > HEAVY else "pass"
    if verdict == "pass":
        sentence = f"The log speaks of this policy as {size:,.0f} {what} of its own would."
    else:
        sentence = f"The log did what this policy would do so seldom that its {len(own):,} {what} tell no more of it than {size:,.{1 if size < 10 else 0}f} {what} of its own would"
        sentence += (
            ". Try it on a share of the units, and log the chances." if verdict == "refuse" else ": read its interval before its value."
        )
    return Check("effective size", verdict, sentence, size, None, detail, name)


def _seen(log: DecisionLog, name: str, lost: float) -> Check:
    """Whether the policy does what was never done."""
    detail = f"{lost:.2%} of the policy's choices had no chance in the log"
    if lost == 0:
        whole = " As far as the log tells: only chances of logged arms are known." if log.design is None and log.arms else ""
        return Check("overlap", "pass", f"The policy does nothing that the log couldn't have done.{whole}", lost, None, detail, name)
    sentence = f"In {lost:.1%} of the decisions the policy would do what had no chance in the log. Nobody has seen what comes of that"
    end = ": keep the policy to what was tried, or try it." if lost > LOST else ", and its value leaves it out."
    return Check("overlap", "refuse" if lost > LOST else "warn", sentence + end, lost, None, detail, name)


def _mean(log: DecisionLog, name: str, weights: Float64, clusters: Int32 | None, lost: float, chances: Float64) -> Check:
    """The mean weight, which is 1 less what is lost; its variance by the design where that is known."""
    wanted, total = len(weights) * (1 - lost), float(weights.sum())
    if clusters is not None:
        parts = np.bincount(clusters, weights - (1 - lost))
        variance = float(np.square(parts).sum())
    elif log.design is not None:
        variance = sum(_squares(chances[:, arm], log.design[..., arm]) for arm in range(len(log.arms))) - wanted
    else:
        variance = float(np.square(weights).sum()) * max(1.0, wanted / max(total, 1e-300)) - wanted
    p = 2 * float(ndtr(-abs(corrected(total, wanted, variance))))
    mean, z = total / max(wanted, 1e-300), (total - wanted) / np.sqrt(variance) if variance > 0 else 0.0
    detail = f"mean weight {total / max(len(weights), 1):.4f}, z {z:+.2f}, {p_text(p)}"
    verdict = by_chance(p)
    if verdict == "pass":
        return Check("mean weight", verdict, "The weights of the policy add up to the units that there are.", z, p, detail, name)
    sentence = f"Weighted for this policy the log speaks for {mean:.1%} of its units where it should be 100%: the chances in the log are not those with which arms were drawn, or rows are missing."
    return Check("mean weight", verdict, sentence, z, p, detail, name)


def _squares(chances: Float64, design: Any) -> float:
    return float(np.divide(np.square(chances), design, out=np.zeros(len(chances)), where=np.broadcast_to(design > 0, chances.shape)).sum())
