"""What a policy is worth when only those with the most to gain get it, and uplift by tenths of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.policy.hull import Floats, Steps, falling, floats
from vitrina.policy.path import Path, Sample
from vitrina.policy.qini import refuse_scores
from vitrina.types import Float64

SHARES = tuple(k / 20 for k in range(21))
CHANCE = 1e-6  # that a row of chances may be off 1


def modified_uplift(
    scores: ArrayLike,
    predictions: Any,
    policy: ArrayLike | None = None,
    *,
    control: int = 0,
    shares: ArrayLike = SHARES,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """The value when the share q of units with the most predicted benefit gets the policy and the others the control, for many arms. [Zhao, Fang and Simchi-Levi 2017](https://arxiv.org/abs/1705.08492).

    The benefit of a unit is what its policy's arm is predicted to be worth more than the control. At q = 0 the value is that of the control for everybody, at q = 1 that of the policy: the one, with its error, that
    `vt.policy.evaluate` gives from the same scores. Predictions must not come from a model that saw these rows, or their clusters.

    Args:
        scores: (units, arms) of the judged sample: `vt.policy.aipw_scores`, or reward / chance in the column of the arm that was given and 0 elsewhere.
        predictions: (units, arms), or `vt.policy.Predictions`.
        policy: (units,) columns of arms, or (units, arms) chances; None: the arm with the best prediction.
        control: column of the arm of the others.
        shares: q, rising from 0 to 1.
        clusters, weights, confidence: as in `qini`.

    Returns:
        A row per share: share, value (error, low, high), and gain over the control for everybody (gain_error, gain_low, gain_high).

    Raises:
        ParameterError: shapes don't fit, numbers aren't finite, or the predictions are the scores.

    >>> modified_uplift([[1.0, 4.0], [1.0, 0.0], [1.0, 2.0]], [[0, 3.0], [0, -1.0], [0, 1.0]], [1, 1, 1], shares=[0, 1 / 3, 1])["value"].to_list()
    [1.0, 2.0, 2.0]
    """
    gain, benefit, base = _of_policy("modified_uplift", scores, predictions, policy, control)
    sample = Sample.of("modified_uplift", len(gain), weights, clusters)
    path = Path.of(_by(benefit), np.column_stack([np.zeros(len(gain)), gain]), np.array([[0.0, 1.0]]), sample)
    start = sample.summed(base)
    level, rest = float(start.sum() / sample.total), sample.centred(start)
    asked, rows = _shares(shares), []
    for at in path.at(asked):
        (error, half), (over, wide) = sample.doubt(at.influence + rest, confidence), sample.doubt(at.influence, confidence)
        value = level + at.gain
        rows.append((value, error, value - half, value + half, at.gain, over, at.gain - wide, at.gain + wide))
    names = ["value", "error", "low", "high", "gain", "gain_error", "gain_low", "gain_high"]
    return pl.DataFrame({"share": asked}).hstack(pl.DataFrame(rows, schema=names, orient="row"))


def uplift_by_part(
    scores: ArrayLike,
    predictions: Any,
    policy: ArrayLike | None = None,
    *,
    parts: int = 10,
    control: int = 0,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """What the policy gained over the control in each tenth of the units, those with the most predicted benefit first; units of equal benefit go by their order.

    Args:
        scores, predictions, policy, control, clusters, weights, confidence: as in `modified_uplift`.
        parts: how many; as equal as units can be cut.

    Returns:
        A row per part: part from 1, units, predicted benefit, gain per unit (error, low, high).

    Raises:
        ParameterError: as in `modified_uplift`, or there are more parts than units.

    >>> uplift_by_part([[0, 5.0], [0, 1.0], [0, 3.0], [0, -1.0]], [[0, 4.0], [0, 1.0], [0, 2.0], [0, 0.5]], parts=2)["gain"].to_list()
    [4.0, 0.0]
    """
    gain, benefit, _ = _of_policy("uplift_by_part", scores, predictions, policy, control)
    sample, n = Sample.of("uplift_by_part", len(gain), weights, clusters), len(gain)
    if not 1 <= parts <= n:
        raise ParameterError(
            f"The 'parts' of uplift_by_part go from 1 to the number of units, {n:,}. Got {parts}.",
            owner="uplift_by_part",
            parameter="parts",
        )
    part, rows = np.empty(n, np.int64), []
    part[falling(benefit)] = np.arange(n) * parts // n
    for k in range(parts):
        own = part == k
        size = float(sample.summed(own.astype(np.float64)).sum())
        mean, predicted = (
            float(sample.summed(np.where(own, column, 0.0)).sum() / size) if size else float("nan") for column in (gain, benefit)
        )
        error, half = sample.doubt(sample.summed(np.where(own, gain - mean, 0.0)) * (sample.total / size if size else np.nan), confidence)
        rows.append((k + 1, int(own.sum()), predicted, mean, error, mean - half, mean + half))
    return pl.DataFrame(rows, schema=["part", "units", "predicted", "gain", "error", "low", "high"], orient="row")


def _of_policy(owner: str, scores: Any, predictions: Any, policy: Any, control: int) -> tuple[Float64, Float64, Float64]:
    """(units,) what the policy gains over the control by the scores, by the predictions, and the scores of the control."""
    judged, promised = (
        floats(owner, name, a) for name, a in (("scores", scores), ("predictions", getattr(predictions, "values", predictions)))
    )
    if judged.ndim != 2 or judged.shape != promised.shape:
        raise ParameterError(
            f"The 'scores' and 'predictions' of {owner} are (units, arms), of one shape. Got {judged.shape} and {promised.shape}.",
            owner=owner,
        )
    if not 0 <= control < judged.shape[1]:
        raise ParameterError(
            f"The 'control' of {owner} is a column from 0 to {judged.shape[1] - 1}. Got {control}.", owner=owner, parameter="control"
        )
    refuse_scores(owner, judged, promised)
    chances = _chances(owner, np.argmax(promised, axis=1) if policy is None else policy, judged.shape)
    base = judged[:, control].astype(np.float64)
    gain, benefit = (_mean(array, chances) - array[:, control] for array in (judged, promised))
    for name, column in (("scores", gain), ("predictions", benefit)):
        if not np.isfinite(column).all():
            raise ParameterError(
                f"The {name!r} of {owner} must be finite wherever an arm may be given, and for the control. Unit {int(np.argmin(np.isfinite(column)))} has "
                "others.", owner=owner, parameter=name,
            )  # fmt: skip
    return gain, benefit, base


def _chances(owner: str, policy: Any, shape: tuple[int, ...]) -> Float64:
    """(units, arms)"""
    given = np.asarray(policy)
    if given.ndim == 1 and given.dtype.kind in "iu" and len(given) == shape[0] and (given >= 0).all() and (given < shape[1]).all():
        chances = np.zeros(shape)
        chances[np.arange(shape[0]), given] = 1.0
        return chances
    if given.shape != shape or given.dtype.kind != "f" or not (np.abs(given.sum(axis=1) - 1) <= CHANCE).all() or (given < 0).any():
        raise ParameterError(
            f"The 'policy' of {owner} is (units,) columns of arms from 0 to {shape[1] - 1}, or {shape} chances whose rows sum to 1. Got {given.dtype} of the shape {given.shape}.",
            owner=owner, parameter="policy",
        )  # fmt: skip
    return given.astype(np.float64)


def _mean(array: Floats, chances: Float64) -> Float64:
    """(units,) by the chances; what can't be given doesn't count, whatever stands there."""
    return np.sum(np.where(chances > 0, array, 0.0) * chances, axis=1)


def _by(benefit: Float64) -> Steps:
    """A step per unit from the column 0 to the column 1, the largest benefit first."""
    order = falling(benefit)
    one = np.ones(len(order), np.int16)
    return Steps(np.zeros(len(order), np.int32), order.astype(np.int32), one, np.zeros_like(one), benefit[order])


def _shares(shares: Any) -> list[float]:
    asked = np.asarray(shares, np.float64)
    if asked.ndim != 1 or not len(asked) or not (asked[0] >= 0 and asked[-1] <= 1 and (np.diff(asked) >= 0).all()):
        raise ParameterError(
            f"The 'shares' of modified_uplift rise from 0 to 1. Got {shares}.", owner="modified_uplift", parameter="shares"
        )
    return asked.tolist()


def uplift_curve(rewards: ArrayLike, treated: ArrayLike, predictions: ArrayLike) -> UpliftCurve:
    """The two classic curves of one treatment, as scikit-uplift and most papers draw them: by difference of means among the first k units, with the largest predicted uplift first.

    uplift(k) = (mean of the treated - mean of the others) * k and qini(k) = sum of the treated - sum of the others * treated / others, among the first k; equal predictions are one point. They have no intervals and no costs, and
    hold where the chance of treatment is one for all: `qini` has none of these limits, and estimates uplift(k) / units at the spend k / units.

    Args:
        rewards: (units,) outcomes.
        treated: (units,) 0 and 1.
        predictions: (units,) uplift, from a model that didn't see these rows.

    Raises:
        ParameterError: lengths differ, numbers aren't finite, or nobody is treated, or everybody.

    >>> curve = uplift_curve([1, 0, 1, 0], [1, 0, 1, 0], [0.9, 0.9, 0.1, 0.1])
    >>> curve.table.select("units", "uplift", "qini").rows()
    [(0, 0.0, 0.0), (2, 2.0, 1.0), (4, 4.0, 2.0)]
    """
    owner = "uplift_curve"
    y, t, p = (
        floats(owner, n, a).astype(np.float64) for n, a in (("rewards", rewards), ("treated", treated), ("predictions", predictions))
    )
    if y.ndim != 1 or y.shape != t.shape or y.shape != p.shape or not (np.isfinite(y) & np.isfinite(p)).all():
        raise ParameterError(
            f"{owner} takes one finite reward, treatment and prediction per unit. Got the shapes {y.shape}, {t.shape}, {p.shape}.",
            owner=owner,
        )
    if not np.isin(t, (0, 1)).all() or t.min(initial=1) == t.max(initial=0):
        raise ParameterError(f"The 'treated' of {owner} are 0 and 1, both of them.", owner=owner, parameter="treated")
    return UpliftCurve(y, t, p)


@final
@dataclass(frozen=True, eq=False, repr=False)
class UpliftCurve:
    """The classic curves of one treatment.

    Args:
        rewards, treated, predictions: (units,).
    """

    rewards: Float64
    treated: Float64
    predictions: Float64

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per distinct prediction, from 0 units on: units, how many of them are treated, uplift, qini."""
        return _points(self.rewards, self.treated, self.predictions)

    @property
    def auuc(self) -> float:
        """The area between the uplift curve and the straight line to its end, as a share of that of an order by the outcomes themselves. Of rewards 0 and 1."""
        y, t = self._binary("auuc"), self.treated
        first = y if ((y == 1) & (t == 0)).sum() > ((y == 0) & (t == 1)).sum() else t
        return self._share("uplift", 2.0 * (y == t) + first)

    @property
    def qini_coefficient(self) -> float:
        """The same of the qini curve."""
        y, t = self._binary("qini_coefficient"), self.treated
        return self._share("qini", y * t - y * (1 - t))

    def __repr__(self) -> str:
        return f"UpliftCurve({len(self.rewards):,} units, uplift {self.table['uplift'][-1] / len(self.rewards):.4g} per unit)"

    def _binary(self, name: str) -> Float64:
        if not np.isin(self.rewards, (0, 1)).all():
            raise ParameterError(
                f"The {name!r} of an UpliftCurve is defined for rewards of 0 and 1. For money take vt.policy.qini and its area.",
                parameter=name,
            )
        return self.rewards

    def _share(self, name: str, order: Float64) -> float:
        mine, most = (_area(table, name) for table in (self.table, _points(self.rewards, self.treated, order)))
        return mine / most


def _points(y: Float64, t: Float64, predictions: Float64) -> pl.DataFrame:
    order = falling(predictions)
    last = np.append(np.flatnonzero(np.diff(predictions[order])), len(order) - 1)
    sums = [np.append(0.0, np.cumsum(column[order])[last]) for column in (t, y * t, 1 - t, y * (1 - t))]
    treated, yes, others, no = sums
    mean, rest = (np.divide(a, b, out=np.zeros_like(a), where=b > 0) for a, b in ((yes, treated), (no, others)))
    units = np.append(0, last + 1)
    return pl.DataFrame({
        "units": units, "treated": treated.astype(np.int64), "uplift": (mean - rest) * units, "qini": yes - rest * treated,
    })  # fmt: skip


def _area(table: pl.DataFrame, name: str) -> float:
    """Between the curve and the straight line to its end."""
    units, height = table["units"].to_numpy().astype(np.float64), table[name].to_numpy()
    return float(np.trapezoid(height, units) - units[-1] * height[-1] / 2)
