"""Qini curves of many arms with costs: what targeted money buys, beside the same money given at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.base.printing import short, short_interval
from vitrina.policy.hull import Floats, Steps, Table, floats
from vitrina.policy.path import At, Path, Sample, Walk, integral
from vitrina.types import Bool, Float64, Int32

GRID = 20  # stretches of a table
OWNER = "qini"


class Measured(NamedTuple):
    """A number with its standard error and its interval."""

    value: float
    error: float
    low: float
    high: float


def qini(
    scores: ArrayLike,
    predictions: Any,
    cost: ArrayLike,
    *,
    control: int = 0,
    allowed: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    budget: float | None = None,
    confidence: float = 0.95,
) -> Qini:
    """What is gained, per unit, when each spend per unit goes where it is predicted to gain most. [Sverdrup, Wu, Athey and Wager 2025](https://arxiv.org/abs/2306.11979).

    Predictions make the order: of each unit the arms on the upper left hull of (cost, prediction), of all units the steps between them by predicted gain per cost. Scores judge it: the gain at
    a spend is the mean of what the scores of the arms that were given say, less those of the control. The path ends where nothing more is predicted to gain.

    Predictions must not have been fitted on the rows that are judged here, or on others of the same cluster: cross-fitted ones are right (`vt.policy.cross_fit`). This can't be seen from numbers, but two
    things can: predictions that are the scores themselves are refused, and the table has what was promised beside what was gained.

    Cross-fitted predictions that know nothing put first the fold whose own rows say least, as its predictions come of the others. So a curve of noise lies below a random share, and never looks good: of 186 curves of
    noise (1,500 units, 5 folds, ridge) the area was below with its whole interval in 21%, above in none. Where a curve lies below, fit on one part of the units and judge on another before you call targeting harmful.

    Args:
        scores: (units, arms) what each arm is worth to each unit without bias: `vt.policy.aipw_scores`, or reward / chance in the column of the arm that was given and 0 elsewhere. Only differences to
            the control's column count, so scores of a log are taken as they are.
        predictions: (units, arms), or `vt.policy.Predictions`: what each arm is predicted to be worth, or how much more than the control.
        cost: (arms,) or (units, arms), in the unit in which a budget is asked for. The control costs nothing, any other arm more than nothing.
        control: column of the arm that everybody has before anything is spent.
        allowed: (units, arms) or (arms,) mask of the arms that may be given; the control always may.
        clusters: (units,) any codes, of households or people: units of one cluster are not independent. None: each unit is alone.
        weights: (units,) how much each unit counts.
        budget: where the table and the area end, per unit; None: where the path ends.
        confidence: of intervals.

    Raises:
        ParameterError: shapes don't fit, numbers aren't finite, a cost is out of its domain, or the predictions are the scores.

    Cost: a hull per unit and one sort, compiled; beside inputs memory for some 32 bytes per step, of which a unit has fewer than arms. Each spend that is asked for takes a pass over the units.

    >>> curve = qini(scores=[[0, 30, 10], [0, 40, 50], [0, 10, 55]], predictions=[[0, 30, 10], [0, 40, 50], [0, 10, 55]], cost=[0, 3, 6])
    Traceback (most recent call last):
    ...
    vitrina.base.errors.ParameterError: The 'predictions' of qini are the scores themselves: what is judged would be chosen by its own noise. Give predictions of a model that never saw these rows: vt.policy.cross_fit.
    >>> curve = qini(scores=[[0, 28, 12], [0, 41, 50], [0, 10, 54]], predictions=[[0, 30, 10], [0, 40, 50], [0, 10, 55]], cost=[0, 3, 6])
    >>> curve.path.spend.tolist(), curve.path.gain.round(2).tolist()
    ([1.0, 2.0, 4.0, 5.0], [13.67, 23.0, 41.0, 44.0])
    """
    table = Table.of(OWNER, getattr(predictions, "values", predictions), cost, allowed, "predictions")
    judged = floats(OWNER, "scores", scores)
    _fit_together(judged, table, control, budget, confidence)
    sample = Sample.of(OWNER, len(judged), weights, clusters)
    path = Path.of(Steps.of(table), judged, table.cost, sample)
    random = RandomShare.of(table, judged, sample, control)
    return Qini(path, random, path.end if budget is None else float(budget), confidence)


def _fit_together(scores: Floats, table: Table, control: int, budget: float | None, confidence: float) -> None:
    shape, cost = table.value.shape, table.cost
    if scores.shape != shape:
        raise ParameterError(
            f"The 'scores' of {OWNER} must have a row and a column for each of the predictions, {shape}. Got {scores.shape}.",
            owner=OWNER,
            parameter="scores",
        )
    if not 0 <= control < shape[1]:
        raise ParameterError(
            f"The 'control' of {OWNER} is a column from 0 to {shape[1] - 1}. Got {control}.", owner=OWNER, parameter="control"
        )
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of {OWNER} is between 0 and 1. Got {confidence}.", owner=OWNER, parameter="confidence")
    if budget is not None and not (np.isfinite(budget) and budget > 0):
        raise ParameterError(f"The 'budget' of {OWNER} is a spend per unit above 0. Got {budget}.", owner=OWNER, parameter="budget")
    if not table.allowed[:, control].all():
        raise ParameterError(
            f"The control of {OWNER} must be allowed to everybody: it is what a unit has before a step.", owner=OWNER, parameter="allowed"
        )
    if cost[:, control].any():
        raise ParameterError(
            f"The control of {OWNER} must cost 0: give the costs of the other arms as differences to it. Got {cost[:, control][cost[:, control] != 0][0]:g}.",
            owner=OWNER, parameter="cost",
        )  # fmt: skip
    cheap = (cost <= 0) & table.allowed
    cheap[:, control] = False
    if cheap.any():
        unit, arm = (int(at[0]) for at in np.nonzero(cheap))
        got = cost[unit if len(cost) > 1 else 0, arm]
        raise ParameterError(
            f"Each arm of {OWNER} but the control must cost more than 0. Got {got:g} for arm {arm}{f' of unit {unit}' if len(cost) > 1 else ''}. An arm that is free for all can be the "
            "control; arms that save money are chosen by vt.policy.assign_with_budget, which takes any costs.", owner=OWNER, parameter="cost",
        )  # fmt: skip
    _finite_scores(scores, table)


def _finite_scores(scores: Floats, table: Table) -> None:
    wrong = ~np.isfinite(scores) & table.allowed if not np.isfinite(scores.sum(dtype=np.float64)) else np.zeros(0, bool)
    if wrong.any():
        unit, arm = (int(at[0]) for at in np.nonzero(wrong))
        raise ParameterError(
            f"The 'scores' of {OWNER} must be finite wherever an arm is allowed. Got {scores[unit, arm]} for unit {unit}, arm {arm}.",
            owner=OWNER, parameter="scores",
        )  # fmt: skip
    refuse_scores(OWNER, scores, table.value)


def refuse_scores(owner: str, scores: Floats, predictions: Floats) -> None:
    """What can be seen of predictions that were made from what they are judged by.

    Raises:
        ParameterError: they are the same numbers.
    """
    if np.shares_memory(scores, predictions) or np.array_equal(scores, predictions):
        raise ParameterError(
            f"The 'predictions' of {owner} are the scores themselves: what is judged would be chosen by its own noise. Give predictions of a model "
            "that never saw these rows: vt.policy.cross_fit.", owner=owner, parameter="predictions",
        )  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class RandomShare:
    """The same money without targeting: the arm with the best mean prediction per mean cost for a random share of the units, then dearer arms for shares of them.

    Args:
        arms: the arms that are given, from the control on, cheapest first.
        spend, gain: (arms,) per unit, once everybody has the arm.
        cost: (arms,) what a step to the arm costs each unit: columns of `costs`.
        scores, costs, allowed: of units and arms; an arm that isn't allowed is the control.
    """

    arms: tuple[int, ...]
    spend: Float64
    gain: Float64
    scores: Floats
    costs: Floats
    allowed: Bool
    sample: Sample

    @classmethod
    def of(cls, table: Table, scores: Floats, sample: Sample, control: int) -> RandomShare:
        blank = cls((control,), np.zeros(1), np.zeros(1), scores, table.cost, table.allowed, sample)
        promised, cost, gain = (blank.means(array) for array in (table.value, table.cost, scores))
        steps = Steps.of(Table(promised[None], cost[None], np.ones((1, len(cost)), bool)))
        arms = (control, *steps.arms.tolist())
        return cls(arms, cost[list(arms)], gain[list(arms)], scores, table.cost, table.allowed, sample)

    @property
    def end(self) -> float:
        return float(self.spend[-1])

    def column(self, array: Floats, arm: int) -> Float64:
        """(units,) how much more than the control's the arm's number is; 0 where it isn't allowed."""
        more = array[:, arm].astype(np.float64) - array[:, self.arms[0]]
        return np.where(self.allowed[:, arm], np.broadcast_to(more, self.sample.units), 0.0)

    def means(self, array: Floats) -> Float64:
        """(arms,) of all units."""
        if self.sample.weights is None and self.allowed.all():
            means = array.mean(axis=0, dtype=np.float64)  # one pass, where one is enough
            return means - means[self.arms[0]]
        return np.array([self.sample.summed(self.column(array, arm)).sum() for arm in range(array.shape[1])]) / self.sample.total

    def mixed(self, array: Floats, shares: Float64) -> Float64:
        """(clusters,) sums of the arms' numbers, by the share of units that has each arm."""
        parts = [share * self.column(array, arm) for arm, share in zip(self.arms, shares.tolist(), strict=True) if share]
        return self.sample.summed(sum(parts, np.zeros(self.sample.units)))

    def at(self, spends: Sequence[float]) -> Iterator[At]:
        for spend in spends:
            step = min(int(np.searchsorted(self.spend, spend, side="right")) - 1, len(self.arms) - 1)
            shares, slope = np.zeros(len(self.arms)), 0.0
            shares[step] = 1.0
            if step + 1 < len(self.arms):
                width = self.spend[step + 1] - self.spend[step]
                shares[step + 1] = (spend - self.spend[step]) / width
                shares[step] -= shares[step + 1]
                slope = float((self.gain[step + 1] - self.gain[step]) / width)
            influence = self.mixed(self.scores, shares) - (slope * self.mixed(self.costs, shares) if slope else 0.0)
            yield At(float(shares @ self.gain), self.sample.centred(influence))

    def area(self, until: float) -> At:
        total, by_gain, by_cost = integral(self.spend, self.gain, until)
        gained, spent = (
            -np.diff(by, prepend=0.0, append=0.0) for by in (by_gain, by_cost)
        )  # of steps, as of arms: what a step adds its own arm has, and the one before hasn't
        return At(total, self.sample.centred(self.mixed(self.scores, gained) - self.mixed(self.costs, spent)))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Qini:
    """A Qini curve, which can be asked for its gain at any spend, its area, and its difference to another curve of the same units.

    Args:
        path: the steps in their order.
        random: the same money given at random.
        budget: the spend per unit where the table and the area end.
        confidence: of intervals.
    """

    path: Path
    random: RandomShare
    budget: float
    confidence: float

    @cached_property
    def table(self) -> pl.DataFrame:
        """`at` of 21 spends from 0 to the budget."""
        return self.at(np.linspace(0.0, self.budget, GRID + 1))

    def at(self, spend: float | ArrayLike) -> pl.DataFrame:
        """A row per spend: spend, gain (error, low, high), what predictions promised, what the same money gains at random, over_random (error, low, high), the share that is treated, and the multiplier: what one more of
        money was predicted to gain.

        Args:
            spend: per unit; one or many, which must rise. Beyond the path the gain stays.

        Raises:
            ParameterError: a spend is below 0, or they don't rise.
        """
        spends = _rising(spend)
        more = self._promised(spends)
        rows = []
        for one, other in zip(self.path.at(spends), self.random.at(spends), strict=True):
            gain, over = self._measured(one), self._measured(_less(one, other))
            rows.append({
                "gain": gain.value, "error": gain.error, "low": gain.low, "high": gain.high, "random": other.gain,
                "over_random": over.value, "over_random_error": over.error, "over_random_low": over.low, "over_random_high": over.high,
            })  # fmt: skip
        return pl.concat([pl.DataFrame({"spend": spends}), pl.DataFrame(rows), more], how="horizontal")

    def area(self, until: float | None = None, over: Qini | Walk | None = None) -> Measured:
        """The area under the curve from 0 to a spend, or between it and another one: gain per unit times spend per unit.

        Args:
            until: a spend per unit; None: the budget.
            over: another curve of the same units, or `curve.random`.
        """
        end = self.budget if until is None else _rising(until)[0]
        mine = self.path.area(end)
        return self._measured(mine if over is None else _less(mine, self._walk_of(over).area(end)))

    def minus(self, other: Qini | Walk, spend: float | ArrayLike | None = None) -> pl.DataFrame:
        """How much more than another curve of the same units this one gains at the same spends: spend, difference, error, low, high. Paired, so what both do alike is no doubt.

        Args:
            other: a Qini of the same units, weights and clusters.
            spend: per unit, one or many; None: those of the table.
        """
        spends = self.table["spend"].to_list() if spend is None else _rising(spend)
        walk = self._walk_of(other)
        rows = [self._measured(_less(one, two)) for one, two in zip(self.path.at(spends), walk.at(spends), strict=True)]
        return pl.DataFrame({"spend": spends}).hstack(pl.DataFrame(rows, schema=["difference", "error", "low", "high"], orient="row"))

    def arms(self, spend: float) -> Int32:
        """(units,) the arm of each when so much per unit is spent: all steps that fit; the one that doesn't is not taken."""
        last = int(np.searchsorted(self.path.spend, _rising(spend)[0], side="right"))
        arms = self.path.steps.start.copy()
        arms[self.path.steps.units[:last]] = self.path.steps.arms[:last]  # a unit's later step stands later, and stays
        return arms

    def __repr__(self) -> str:
        gain, over = self.area(), self.area(over=self.random)
        end = next(iter(self.path.at([self.budget])))
        last = self._measured(end)
        return (
            f"Qini({self.path.sample.units:,} units; {short_interval(last.value, last.low, last.high)} gained per unit at a spend of {short(self.budget)}; area {short(gain.value)}, "
            f"{short_interval(over.value, over.low, over.high)} above a random share)"
        )

    def _promised(self, spends: list[float]) -> pl.DataFrame:
        path = self.path
        promised = np.cumsum(path.steps.slopes * np.diff(path.spend, prepend=0.0))
        first = path.steps.before == path.steps.start[path.steps.units]
        treated = np.cumsum(first) / path.sample.units
        at = path.points[0]
        place = np.searchsorted(path.spend, spends, side="right")
        multiplier = np.append(path.steps.slopes, 0.0)[place]
        return pl.DataFrame({
            "promised": np.interp(spends, at, np.append(0.0, promised[path.last])), "treated": np.interp(spends, at, np.append(0.0, treated[path.last])),
            "multiplier": multiplier,
        })  # fmt: skip

    def _measured(self, at: At) -> Measured:
        error, half = self.path.sample.doubt(at.influence, self.confidence)
        return Measured(at.gain, error, at.gain - half, at.gain + half)

    def _walk_of(self, other: Qini | Walk) -> Walk:
        walk = other.path if isinstance(other, Qini) else other
        if not walk.sample.same(self.path.sample):
            raise ParameterError(
                "Two curves are compared over the same units, weights and clusters. These have others: make both of one log."
            )
        return walk


def _less(one: At, other: At) -> At:
    return At(one.gain - other.gain, one.influence - other.influence)


def _rising(spend: Any) -> list[float]:
    spends = np.atleast_1d(np.asarray(spend, np.float64))
    if spends.ndim != 1 or not len(spends) or not np.isfinite(spends).all() or spends[0] < 0 or (np.diff(spends) < 0).any():
        raise ParameterError(
            f"The 'spend' of a Qini is one number of at least 0 per unit, or several that rise. Got {spend}.",
            owner="Qini",
            parameter="spend",
        )
    return spends.tolist()
