"""Whether clusters, or units that come back, keep one arm; and whether that is how they were drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from vitrina.policy.checks import Check, Verdict
from vitrina.policy.drawing import Drawing
from vitrina.policy.reading import coded
from vitrina.types import Float64, Int32

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
    sizes = np.bincount(groups)
    several = sizes > 1
    count = int(several.sum())
    if not count:
        return None
    low, high = np.full(len(sizes), len(drawing.arms)), np.full(len(sizes), -1)
    np.minimum.at(low, groups, drawing.actions)
    np.maximum.at(high, groups, drawing.actions)
    one = (low == high)[several]
    alone = _alone(drawing, groups, len(sizes))[several]
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
