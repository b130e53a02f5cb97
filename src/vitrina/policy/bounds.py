"""A bound that holds for any number of rows: for whoever must promise, and not estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vitrina.base.errors import DataError, ParameterError
from vitrina.policy.estimators import IPS, Weighted
from vitrina.policy.policies import chances_of
from vitrina.policy.weights import weights_of
from vitrina.types import Float64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


def bernstein_bound(
    log: DecisionLog, policy: Any, *, most: float, reward: str | None = None, clip: float | None = None, confidence: float = 0.95
) -> float:
    """What a policy brings at least, with the given confidence: the empirical Bernstein bound of its IPS value.

    mean - sqrt(2 ln(2 / d) var / G) - 7 b ln(2 / d) / (3 (G - 1)), over the sums of G clusters, each within [0, b], with d = 1 - confidence.
    [Maurer and Pontil 2009](https://arxiv.org/abs/0907.3740), theorem 4. No normal distribution is assumed, so it is far below an interval's end unless there are many rows.

    With `clip` the bound is of the clipped value, which is at most the true one as rewards are 0 or more: it stays a lower bound.

    Args:
        log: decisions with known chances; rewards are 0 or more.
        policy: as in `evaluate`.
        most: the largest reward that there can be, known beforehand.
        reward: its name, where there are several.
        clip: the largest weight that counts; None: the largest that the design allows, which takes chances of all arms.
        confidence: that the bound holds.

    Raises:
        ParameterError: a reward is outside [0, most].
        DataError: the largest weight can't be known, as only the chance of the logged arm is.

    >>> import numpy as np, polars as pl, vitrina as vt
    >>> arms = np.arange(4000) % 2
    >>> log = vt.policy.DecisionLog.of_frame(pl.DataFrame({"arm": arms, "bought": (np.arange(4000) % 5 == 0) * 1}), action="arm", reward="bought",
    ...     propensity={0: 0.5, 1: 0.5})
    >>> round(bernstein_bound(log, vt.policy.Always("1"), most=1.0), 3)
    0.17
    """
    rewards = log.reward(reward)
    outside = (rewards < 0) | (rewards > most)
    if outside.any():
        raise ParameterError(
            f"A bound takes rewards from 0 to most={most:g}. Got {rewards[outside][0]:g}: shift them, or draw tails in with log.winsorised(...).",
            parameter="most",
        )
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of a bound is between 0 and 1. Got {confidence}.", parameter="confidence")
    chances = chances_of(policy, log)
    columns = IPS(clip=clip).terms(Weighted(weights_of(log, chances), rewards))
    rows = np.bincount(log.clusters)
    sums = np.bincount(log.clusters, columns[0])[rows > 0] * (rows > 0).sum() / len(log)
    largest = most * (_largest_weight(log, chances) if clip is None else clip) * rows.max() * len(sums) / len(log)
    doubt = np.log(2 / (1 - confidence))
    return float(sums.mean() - np.sqrt(2 * doubt * sums.var(ddof=1) / len(sums)) - 7 * largest * doubt / (3 * (len(sums) - 1)))


def _largest_weight(log: DecisionLog, chances: Float64) -> float:
    """That a row could have had, whatever arm was drawn."""
    if log.design is None:
        raise DataError(
            "The largest weight isn't known, as this log has only the chance of the logged arm. Give clip=, or propensity= per arm."
        )
    possible = log.design > 0
    return float(np.max(np.divide(chances, log.design, out=np.zeros_like(chances), where=np.broadcast_to(possible, chances.shape))))
