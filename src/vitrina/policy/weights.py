"""How much likelier a policy would have done what was done, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.policy.estimators.base import Weighted
from vitrina.types import Float64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


class Weights(NamedTuple):
    """What weights say of how much of a log speaks of a policy.

    Args:
        mean: 1 on average, where the propensities are right.
        most: the largest.
        ess: (sum w)^2 / sum w^2: as many rows of equal weight would tell as much.
    """

    mean: float
    most: float
    ess: float

    @classmethod
    def of(cls, weights: Float64) -> Weights:
        total, squares = float(weights.sum()), float(np.square(weights).sum())
        return cls(total / max(len(weights), 1), float(weights.max(initial=0.0)), total**2 / squares if squares > 0 else 0.0)


def weighted(
    log: DecisionLog, chances: Float64, reward: str | None, predictions: NDArray[Any] | None = None, groups: Mapping[str, str] | None = None
) -> Weighted:
    """What an estimator needs of a policy with these `chances` (n, arms).

    Args:
        log: with known propensities.
        chances: of the policy, as `chances_of` gives them; of a log of whole lists (n,) its chance of each.
        reward: its name.
        predictions: (n, arms) of that reward.
        groups: arm -> group, where the weights are those of groups (see `evaluate`).

    Cost: four columns; no table of the size of the chances.
    """
    rows, weights = np.arange(len(log)), weights_of(log, chances, groups)
    rewards = log.reward(reward)
    if predictions is None:
        return Weighted(weights, rewards)
    return Weighted(
        weights, rewards, predictions[rows, log.actions].astype(np.float64), np.einsum("ij,ij->i", chances, predictions, dtype=np.float64)
    )


def weights_of(log: DecisionLog, chances: Float64, groups: Mapping[str, str] | None = None) -> Float64:
    """(n,) the policy's chance of the logged arm, or of the arms of its group, over that with which it was drawn.

    Raises:
        DataError: groups are asked for, and only the chance of the logged arm is known.
        ParameterError: an arm has no group.
    """
    if groups is None:
        if chances.ndim == 1:
            return chances / log.propensity
        return chances[np.arange(len(log)), log.actions] / log.propensity
    if log.design is None:
        raise DataError(
            "Weights of groups need the chances of all arms of a group, and this log has only that of the logged arm. Give propensity= per arm."
        )
    missing = [arm for arm in log.arms if arm not in groups]
    if missing or len(groups) != len(log.arms):
        raise ParameterError(
            f"Every arm must have its group. Without one or unknown: {', '.join(missing or set(groups) - set(log.arms))}.",
            parameter="groups",
        )
    names = list(dict.fromkeys(groups[arm] for arm in log.arms))
    group_of = np.array([names.index(groups[arm]) for arm in log.arms])
    above, below, own = np.zeros(len(log)), np.zeros(len(log)), group_of[log.actions]
    for arm, group in enumerate(group_of.tolist()):
        same = own == group
        above += same * chances[:, arm]
        below += same * log.design[..., arm]
    return above / below
