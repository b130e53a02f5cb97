"""Whether clusters, or units that come back, keep one arm; and whether that is how they were drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrina.policy.checks import Check, Verdict
from vitrina.policy.drawing import Drawing
from vitrina.policy.reading import coded
from vitrina.types import Bool, Float64, Int32

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

CROSSED = 0.05  # of the clusters: what is in several arms dilutes an effect by at most its share
APART = 3.5  # standard deviations by which clusters keep an arm more often than rows drawn one by one would


def repeats(drawing: Drawing, log: DecisionLog) -> list[Check]:
    """Clusters, and units within other clusters."""
    units = [] if log.units.ids.n_unique() == len(log) else [_units(log)]
    same = bool(units) and len(log.cluster_ids) == int(units[0].max()) + 1 and np.array_equal(log.clusters, units[0])
    found = [_kept(drawing, log.clusters, "unit" if same else "cluster")] if drawing.clusters is not None else []
    if units and not same:
        found.append(_kept(drawing, units[0], "unit"))
    return [check for check in found if check is not None]


def _units(log: DecisionLog) -> Int32:
    return coded(log.units.ids)[0]


def _kept(drawing: Drawing, groups: Int32, what: Literal["unit", "cluster"]) -> Check | None:
    """Groups of several rows that have one arm, against how many would if each row were drawn by itself."""
    crosses, several = crossing(drawing.actions, groups)
    count = int(several.sum())
    if not count:
        return None
    one = ~crosses[several]
    alone = _alone(drawing, groups, len(several))[several]
    mean, spread = float(alone.sum()), float(np.sqrt((alone * (1 - alone)).sum()))
    crossed = int(count - one.sum())
    drawn_together = one.sum() - mean > APART * spread and spread > 0
    detail = f"{crossed:,} of {count:,} {what}s with several rows are in several arms; drawn row by row, {count - mean:,.1f} would be"
    name, share = f"{what}s", crossed / count
    if not drawn_together:
        carry = "What an arm does later, through the next decision, isn't seen." if crossed else ""
        return Check(name, "pass", f"The arm is drawn anew for each decision of a {what}. {carry}".strip(), share, None, detail)
    if not crossed:
        return Check(name, "pass", f"Every {what} keeps its arm.", 0.0, None, detail)
    verdict: Verdict = "refuse" if share > CROSSED else "warn"
    sentence = f"{crossed:,} {what}s ({share:.1%} of those with several decisions) got more than one arm, where the others keep theirs. They saw both, so arms look more alike than they are"
    return Check(
        name,
        verdict,
        f"{sentence}{': leave them out of all arms, and mend the assignment.' if verdict == 'refuse' else '; few enough to go on.'}",
        share,
        None,
        detail,
    )


def crossing(actions: Int32, groups: Int32) -> tuple[Bool, Bool]:
    """(groups,) whether each has several arms, and whether it has several rows."""
    sizes = np.bincount(groups)
    low, high = np.full(len(sizes), np.iinfo(np.int32).max, np.int32), np.full(len(sizes), -1, np.int32)
    np.minimum.at(low, groups, actions)
    np.maximum.at(high, groups, actions)
    return (low < high), sizes > 1


def summed_moments(
    variances: Float64, thirds: Float64, actions: Int32, clusters: Int32 | None, seen: float, wanted: float
) -> tuple[float, float]:
    """The variance and the third central moment of a sum over rows of which each has these (rows,), by the design.

    Rows drawn one by one add theirs up. Where clusters keep their arm, their rows rise and fall together, at most as if they were one: (sum of roots)^2. Where clusters cross arms,
    what is `seen` of them counts where it is more than single draws make. A small chance that wasn't drawn is in the design, and in nothing that is seen: a
    variance that is seen alone refuses sound logs.
    """
    if clusters is None:
        return float(variances.sum()), float(thirds.sum())
    crosses, several = crossing(actions, clusters)
    if crosses.sum() <= CROSSED * max(several.sum(), 1):
        roots = (np.sqrt(np.maximum(variances, 0)), 2), (np.cbrt(thirds), 3)
        variance, third = (float((np.bincount(clusters, root) ** power).sum()) for root, power in roots)
        return variance, third
    return (seen, seen**2 / max(wanted, 1.0)) if seen > variances.sum() else (float(variances.sum()), float(thirds.sum()))


def _alone(drawing: Drawing, groups: Int32, count: int) -> Float64:
    """(groups,) the chance that all rows of a group have one arm, if each were drawn by itself."""
    if drawing.design is None or drawing.design.ndim == 1:
        p = drawing.counts / len(drawing) if drawing.design is None else drawing.design
        sizes, which = np.unique(np.bincount(groups, minlength=count), return_inverse=True)
        return np.array([np.power(p, size).sum() for size in sizes.tolist()])[which]
    total = np.zeros(count)
    for arm in range(len(drawing.arms)):
        total += np.exp(np.bincount(groups, np.log(np.maximum(drawing.design[:, arm], 1e-300)), count))
    return np.minimum(total, 1.0)
