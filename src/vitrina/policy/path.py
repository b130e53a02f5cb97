"""What is gained as more and more is spent, and how sure that is: a walk over steps whose order was fixed before anything was judged.

At a spend b per unit, the units have taken all steps up to some slope; the value g(b) = mean of w_i g_i is the mean of what their scores say, and their spend is b in this
sample, not in the population. So a unit's influence on g(b) is

    w_i [(g_i - g(b)) - g'(b) (c_i - b)]

with c_i what is spent on it and g' what the last money spent gains, measured around b: a sample in which the same rule spends more doesn't gain from that alone
([Sverdrup, Wu, Athey and Wager 2025](https://arxiv.org/abs/2306.11979)). Sums of influences over clusters give errors, and differences of two walks over the same
units are judged by the differences of their influences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, final

import numpy as np
from scipy.special import stdtrit

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import kernel
from vitrina.evaluate.bootstrap import Jackknife
from vitrina.policy.hull import Floats, Steps, floats
from vitrina.types import Float64, Int32, Int64

WINDOW = 0.1  # of the whole spend, to each side, in which it is measured what more money gains


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """Who is judged: how much each unit counts, and which belong together.

    Args:
        units: how many.
        weights: (units,) or None: all alike.
        clusters: (units,) codes from 0, or None: each unit alone.
    """

    units: int
    weights: Float64 | None
    clusters: Int32 | None

    @classmethod
    def of(cls, owner: str, units: int, weights: Any = None, clusters: Any = None) -> Sample:
        """With any clusters as codes.

        Raises:
            ParameterError: a length doesn't fit, a weight is below 0 or none is above, or there are fewer than two clusters.
        """
        kept, codes = None, None
        if clusters is not None:
            given = np.asarray(clusters)
            if given.shape != (units,):
                raise ParameterError(
                    f"The 'clusters' of {owner} must be one per unit, {units:,}. Got the shape {given.shape}.",
                    owner=owner,
                    parameter="clusters",
                )
            names, places = np.unique(given, return_inverse=True)
            codes = None if len(names) == units else places.astype(np.int32)  # where all are alone it is quicker to say so
        if weights is not None:
            kept = floats(owner, "weights", weights).astype(np.float64)
            if kept.shape != (units,) or not np.isfinite(kept).all() or (kept < 0).any() or not kept.sum() > 0:
                raise ParameterError(
                    f"The 'weights' of {owner} must be one finite number of at least 0 per unit, {units:,} of them, not all 0.",
                    owner=owner, parameter="weights",
                )  # fmt: skip
        sample = cls(units, kept, codes)
        if sample.groups < 2:
            raise ParameterError(
                f"{owner} needs two units or clusters at least, or nothing is known of the error. Got {sample.groups}.", owner=owner
            )
        return sample

    @property
    def total(self) -> float:
        """The sum of weights."""
        return float(self.units if self.weights is None else self.weights.sum())

    @cached_property
    def groups(self) -> int:
        """How many clusters, or units where each stands alone."""
        return self.units if self.clusters is None else int(self.clusters.max(initial=-1)) + 1

    def summed(self, values: Floats) -> Float64:
        """(clusters,) the weighted sums of values (units,)."""
        weighted = np.asarray(values, np.float64) if self.weights is None else values * self.weights
        return weighted if self.clusters is None else np.bincount(self.clusters, weighted, self.groups).astype(np.float64, copy=False)

    @cached_property
    def sizes(self) -> Float64:
        """(clusters,) the sum of weights."""
        return self.summed(np.ones(self.units))

    def centred(self, sums: Float64) -> Float64:
        """(clusters,) the sums of what is left of each unit's value without the mean of all."""
        return sums - sums.sum() / self.total * self.sizes

    def doubt(self, influence: Float64, confidence: float) -> tuple[float, float]:
        """The standard error of a mean whose clusters have this influence, (clusters,) sums of it, and half of its interval.

        By leaving out each cluster, with Student's t, as `vt.policy.evaluate` does (see `vitrina.evaluate.bootstrap`).
        """
        rest = self.total - self.sizes
        jackknife = Jackknife.of(np.divide(influence, rest, out=np.zeros_like(influence), where=rest > 0)[:, None], np.array([self.groups]))
        error = float(jackknife.error[0])
        return error, float(stdtrit(jackknife.freedom[0], (1 + confidence) / 2)) * error

    def same(self, other: Sample) -> bool:
        """Whether these are the same units, as far as lengths, weights and clusters tell."""
        alike = (
            a is b or (a is not None and b is not None and np.array_equal(a, b))
            for a, b in ((self.weights, other.weights), (self.clusters, other.clusters))
        )
        return self.units == other.units and all(alike)


class At(NamedTuple):
    """What is known of a walk at one spend."""

    gain: float
    influence: Float64  # (clusters,)


class Walk(Protocol):
    """What can be asked for its gain, and whose clusters' influence on it is known."""

    @property
    def sample(self) -> Sample: ...

    @property
    def end(self) -> float: ...

    def at(self, spends: Sequence[float]) -> Iterator[At]:
        """At each of these spends per unit, which must rise."""
        ...

    def area(self, until: float) -> At:
        """The gain summed over all spends from 0 on: the integral, and the influence on it."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Path:
    """Steps taken one after another, and what is spent and gained, per unit, once each is taken. Equal slopes are one step, taken in any share.

    Args:
        steps: whose order is the rule that is judged.
        scores: (units, arms) of which a step gains the difference of two columns.
        cost: (units or 1, arms), likewise.
        sample: who the units are.
        spend, gain: (steps,) per unit, once the step is taken.
        last: (points,) the last step of those with one slope.
    """

    steps: Steps
    scores: Floats
    cost: Floats
    sample: Sample
    spend: Float64  # (steps,)
    gain: Float64  # (steps,)
    last: Int64  # (points,)

    @classmethod
    def of(cls, steps: Steps, scores: Floats, cost: Floats, sample: Sample) -> Path:
        spend, gain = np.empty(len(steps)), np.empty(len(steps))
        weights = np.ones(1) if sample.weights is None else sample.weights
        _walk(steps.units, steps.arms, steps.before, scores, cost, weights, sample.total, spend, gain)
        ends = np.append(steps.slopes[1:] != steps.slopes[:-1], True) if len(steps) else np.empty(0, bool)
        return cls(steps, scores, cost, sample, spend, gain, np.flatnonzero(ends))

    @property
    def end(self) -> float:
        """The spend per unit once all steps are taken."""
        return float(self.spend[-1]) if len(self.spend) else 0.0

    @cached_property
    def points(self) -> tuple[Float64, Float64]:
        """Spend and gain where the curve bends, from 0 on."""
        return np.append(0.0, self.spend[self.last]), np.append(0.0, self.gain[self.last])

    def gain_at(self, spend: Any) -> Any:
        """Between two points a share of the units takes the step."""
        return np.interp(spend, *self.points)

    def at(self, spends: Sequence[float]) -> Iterator[At]:
        gained, spent = np.zeros(self.sample.groups), np.zeros(self.sample.groups)
        group, share, (at, _) = 0, 0.0, self.points
        for spend in spends:
            now = int(np.searchsorted(at, spend, side="right")) - 1  # groups of equal slopes that are done
            part = (spend - at[now]) / (at[now + 1] - at[now]) if now < len(self.last) else 0.0
            for first, stop, more in _stretches(group, share, now, part):
                self._add(first, stop, np.array([more]), np.array([more]), gained, spent)
            group, share = now, part
            yield At(float(self.gain_at(spend)), self.sample.centred(gained - self._slope(spend, now) * spent))

    def area(self, until: float) -> At:
        gained, spent = np.zeros(self.sample.groups), np.zeros(self.sample.groups)
        total, by_gain, by_cost = integral(*self.points, until)
        self._add(0, len(self.last), by_gain, by_cost, gained, spent)
        return At(total, self.sample.centred(gained - spent))

    def _add(self, first: int, stop: int, by_gain: Float64, by_cost: Float64, gained: Float64, spent: Float64) -> None:
        """Add these shares of the steps of the groups first..stop-1 to what each cluster gained and spent."""
        s, weights, clusters = self.steps, self.sample.weights, self.sample.clusters
        counts = np.ones(1) if weights is None else weights
        codes = np.empty(0, np.int32) if clusters is None else clusters
        _add(first, stop, self.last, s.units, s.arms, s.before, self.scores, self.cost, counts, codes, by_gain, by_cost, gained, spent)

    def _slope(self, spend: float, group: int) -> float:
        """What a little more money would gain here; 0 once all steps are taken."""
        if group >= len(self.last):
            return 0.0
        at, gain = self.points
        low, high = max(spend - WINDOW * self.end, 0.0), min(spend + WINDOW * self.end, self.end)
        if at[group + 1] - at[group] > high - low:
            return float((gain[group + 1] - gain[group]) / (at[group + 1] - at[group]))
        return float((self.gain_at(high) - self.gain_at(low)) / (high - low))


def integral(at: Float64, gain: Float64, until: float) -> tuple[float, Float64, Float64]:
    """The area up to `until` under the curve that is straight between its points, and what a step of each stretch adds to it: by its gain, less by its cost.

    A step that is taken between two points gains from there on, and takes from all that follows what its cost could have gained instead.

    >>> area, by_gain, by_cost = integral(np.array([0.0, 1.0, 2.0]), np.array([0.0, 4.0, 6.0]), 3.0)
    >>> area, by_gain.tolist(), by_cost.tolist()
    (13.0, [2.5, 1.5], [4.0, 1.0])
    """
    ends = np.minimum(at, until)
    heights = np.interp(ends, at, gain)
    width, reached, rise = np.diff(at), np.diff(ends), np.diff(gain)
    total = float(np.sum(reached * (heights[1:] + heights[:-1]) / 2) + max(until - at[-1], 0.0) * heights[-1])
    part = np.divide(reached, width, out=np.zeros_like(reached), where=width > 0)
    top = np.interp(until, at, gain)
    by_gain = part * reached / 2 + np.maximum(until - at[1:], 0.0)
    by_cost = part**2 * rise / 2 + np.where(at[1:] <= until, top - gain[1:], 0.0)
    return total, by_gain, by_cost


def _stretches(group: int, share: float, now: int, part: float) -> list[tuple[int, int, float]]:
    """From `share` of `group` to `part` of `now`: groups first..stop-1, and how much of each."""
    if group == now:
        return [(now, now + 1, part - share)] if part > share else []
    return [(group, group + 1, 1 - share), (group + 1, now, 1.0)] + ([(now, now + 1, part)] if part > 0 else [])


@kernel
def _walk(units, arms, before, scores, cost, weights, total, spend, gain):  # pragma: no cover
    spent, gained = 0.0, 0.0
    for step in range(len(units)):
        i, a, b = units[step], arms[step], before[step]
        row = i if len(cost) > 1 else 0
        weight = weights[i] if len(weights) > 1 else weights[0]
        spent += weight * (np.float64(cost[row, a]) - np.float64(cost[row, b]))
        gained += weight * (np.float64(scores[i, a]) - np.float64(scores[i, b]))
        spend[step], gain[step] = spent / total, gained / total


@kernel
def _add(first, stop, last, units, arms, before, scores, cost, weights, clusters, by_gain, by_cost, gained, spent):  # pragma: no cover
    for group in range(first, stop):
        more_gain, more_cost = by_gain[group if len(by_gain) > 1 else 0], by_cost[group if len(by_cost) > 1 else 0]
        for step in range(last[group - 1] + 1 if group else 0, last[group] + 1):
            i, a, b = units[step], arms[step], before[step]
            row = i if len(cost) > 1 else 0
            weight = weights[i] if len(weights) > 1 else weights[0]
            to = clusters[i] if len(clusters) else i
            gained[to] += more_gain * weight * (np.float64(scores[i, a]) - np.float64(scores[i, b]))
            spent[to] += more_cost * weight * (np.float64(cost[row, a]) - np.float64(cost[row, b]))
