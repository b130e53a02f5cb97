"""From how many people on an order of models is stable, and how many it takes to tell the first two apart.

Models have means m over all people of the kind that was asked. A comparison of n people sees m + z / sqrt(n) + w, where z ~ N(0, C) is the doubt of
people (C the covariance over people of their part of each mean, the same people for all models) and w that of seeds, of variance s^2 / fits.
A pair of models with the difference d > 0 stands the right way round where d + z / sqrt(n) + w > 0. With e = d + w that is from n = (z / e)^2 on
where z < 0 < e, always where both are above 0, and where e <= 0, whose seeds turn the pair, it is taken as never. So each draw of (z, w) has, for
each pair, a size from which it is right; the draw is right from the size on at which all but a few pairs are; and the stable size is the
quantile of that over draws. No grid and no resampling: a normal approximation of means over people, which holds where ten or more people differ,
so that no size below that is named.

C is that of the jackknife over people, so a heavy person is one. What the models' true differences are is itself in doubt, as far as the people and
seeds of the comparison leave it: they are drawn from their distribution around what was seen, each draw has its stable size, and the interval
is made of their quantiles. A draw in which another order is true has no number of people that gives this one, so that an interval without an end says
that the order was not established.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from vitrina.base.errors import ParameterError
from vitrina.base.power import ERRORS_SEEN, FEWEST_PEOPLE, people_needed
from vitrina.evaluate.bootstrap import Bootstrap, Buckets, drawn
from vitrina.evaluate.correction import FEWEST_DIFFER
from vitrina.evaluate.quality.values import ModelValues
from vitrina.types import Float64

DRAWS, TRUTHS, PER_TRUTH = 20_000, 400, 1000  # of a comparison; of what is true; of a comparison in each of these
POINTS = 40  # of a curve
CURVE = {
    "metric": pl.String,
    "people": pl.Int64,
    **dict.fromkeys(("order", "order_low", "order_high", "first", "first_low", "first_high"), pl.Float64),
}


@dataclass(frozen=True)
class Apart:
    """What it takes to tell the first two models of an order apart.

    Args:
        first, second: the two.
        difference: the first's mean minus the second's, above 0 as the metric is better.
        low, high: its interval over people and seeds, for this pair alone.
        needed: people for a power of .8 at 5%, if the difference is as seen; infinite where it is zero, or seeds alone hide it.
        needed_low, needed_high: the same at the ends of the interval; infinite where that holds zero.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    needed: float
    needed_low: float
    needed_high: float


@dataclass(frozen=True)
class Stable:
    """From how many people on an order is right, in the wanted share of comparisons.

    Args:
        size: people; infinite where no number of them is enough.
        low, high: its interval.
        now: in which share of comparisons with as many people as these the order would be the right one, over all that may be true.
    """

    size: float
    low: float
    high: float
    now: float


@dataclass(frozen=True, eq=False)
class Stability:
    """Of one metric: the stable size of the order and of its first place, and the curves.

    Args:
        order: all but a few pairs the right way round.
        first: the best model in the first place.
        curve: metric, people, and the share of comparisons that are right, for both, with the ends of an interval.
        least: the smallest size that is named, where ten people differ.
        same: models that are the same as another one on every query, which have no order.
    """

    order: Stable
    first: Stable
    curve: pl.DataFrame
    least: int
    same: tuple[tuple[str, str], ...]


def stable_size(values: ModelValues, *, tau: float = 0.8, share: float = 0.9, confidence: float = 0.9, seed: int = 0) -> Stability:
    """From how many people on a comparison orders these models as they truly are, by this metric.

    Only who is asked changes: the models are fitted on the same training part. What a smaller log would have taught them is another question.

    Args:
        values: of one metric.
        tau: the order is right where Kendall's tau with the true one is this or more: .8 leaves one pair of ten the wrong way round.
        share: of comparisons that have to be right.
        confidence: of the intervals.
        seed: of the draws.

    Raises:
        ParameterError: a share, a confidence or tau is out of range.

    Cost: 420,000 draws of all pairs of models; a second for eight models.

    >>> rng = np.random.default_rng(0)
    >>> base = rng.random(3000)
    >>> values = {"A": base + 0.1 * rng.normal(size=3000) + 0.01, "B": base + 0.1 * rng.normal(size=3000)}
    >>> found = stable_size(ModelValues("nDCG@10", values, np.arange(3000)))
    >>> found.order.low < 330 < found.order.high  # (1.28 * .1 * sqrt(2) / .01)^2
    True
    """
    _check(tau, share, confidence)
    pairs = _Pairs.of(values)
    order, first = _sizes(values, pairs, tau, seed)
    least, people = pairs.least(values), values.people
    stable = [_stable(one, share, confidence, least, people) for one in (order, first)]
    curve = _curve(values.metric, (order, first), confidence, least, max(one.size for one in stable), people)
    return Stability(stable[0], stable[1], curve, least, tuple((values.models[i], values.models[j]) for i, j in pairs.same))


def _check(tau: float, share: float, confidence: float) -> None:
    for name, value, least in (("tau", tau, -1.0), ("share", share, 0.0), ("confidence", confidence, 0.0)):
        if not least < value <= 1 or (name != "tau" and value == 1):
            most = "at most" if name == "tau" else "below"
            raise ParameterError(f"The {name!r} of stable_size is above {least:g} and {most} 1. Got {value}.", parameter=name, value=value)


@dataclass(frozen=True, eq=False)
class _Sizes:
    """The sizes from which on comparisons are right.

    Args:
        seen: (draws,) if the means are as seen.
        few: (fewer draws,) the same, by the draws of `truths`, whose common error the many of `seen` take out.
        truths: (truths, fewer draws) if other means are true.
        turned: (truths,) whether another order than the one that was seen is true, which never gives this one.
    """

    seen: Float64
    few: Float64
    truths: Float64
    turned: NDArray[np.bool_]


def _sizes(values: ModelValues, pairs: _Pairs, tau: float, seed: int) -> tuple[_Sizes, _Sizes]:
    """Of the order, and of its first place."""
    wrong, best = int((1 - tau) / 2 * len(pairs.first) + 1e-9), int(np.argmax(values.means))

    def right(means: Float64, people: Float64, seeds: Float64) -> tuple[Float64, Float64]:
        sizes = pairs.sizes(means, people, seeds)
        return _right_from(sizes, wrong), _right_from(sizes[:, pairs.of_model(int(np.argmax(means)))], 0)

    spread = values.pooled(own=True)
    seen = right(values.means, *_doubt(values, DRAWS, spread, seed))
    people, seeds = _doubt(values, PER_TRUTH, 1.0, seed + 1)
    few = right(values.means, people, seeds * sqrt(spread))
    truths, spreads = _truths(values, seed)
    every = [right(means, people, seeds * sqrt(own)) for means, own in zip(truths, spreads, strict=True)]
    turned = pairs.discordant(values.means, truths) > wrong, truths.argmax(axis=1) != best
    order, first = (_Sizes(seen[at], few[at], np.stack([one[at] for one in every]), turned[at]) for at in (0, 1))
    return order, first


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of models that differ on some query, by their places, and those that don't."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    same: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, values: ModelValues) -> _Pairs:
        every = list(zip(*np.triu_indices(len(values.means), 1), strict=True))
        same = [(int(i), int(j)) for i, j in every if (values.columns[i] == values.columns[j]).all()]
        kept = np.array([pair for pair in every if (int(pair[0]), int(pair[1])) not in set(same)], np.int64).reshape(-1, 2)
        return cls(kept[:, 0], kept[:, 1], tuple(same))

    def of_model(self, model: int) -> NDArray[np.bool_]:
        """(pairs,) those that it belongs to."""
        return (self.first == model) | (self.second == model)

    def sizes(self, means: Float64, people: Float64, seeds: Float64) -> Float64:
        """(draws, pairs) the number of people from which on each pair stands the right way round.

        `people` (draws, models) is the doubt of the means of one person, `seeds` (draws, models) that of the seeds.
        """
        difference = means[self.first] - means[self.second]
        sign = np.where(difference >= 0, 1.0, -1.0)
        effect = np.abs(difference) + sign * (seeds[:, self.first] - seeds[:, self.second])
        doubt = np.minimum(sign * (people[:, self.first] - people[:, self.second]), 0.0)
        out = np.full(effect.shape, np.inf)
        np.divide(doubt, effect, out=out, where=effect > 0)
        return np.square(out, out=out)

    def discordant(self, means: Float64, truths: Float64) -> NDArray[np.int64]:
        """(truths,) the pairs that stand in means (truths, models) otherwise than in means (models,)."""
        seen = means[self.first] >= means[self.second]
        return ((truths[:, self.first] >= truths[:, self.second]) != seen).sum(axis=1)

    def least(self, values: ModelValues) -> int:
        """The smallest size that is named: 20 people, of whom 10 tell neighbours in the order apart."""
        order = np.argsort(-values.means, kind="stable")
        shares = []
        for a, b in pairwise(order):
            differ = np.bincount(values.persons, values.columns[a] != values.columns[b]) > 0
            shares += [differ.mean()] if differ.any() else []
        return max(FEWEST_PEOPLE, ceil(FEWEST_DIFFER / min(shares, default=1.0)))


def _doubt(values: ModelValues, draws: int, spread: float, seed: int) -> tuple[Float64, Float64]:
    """(draws, models) twice: by how much one person's means are off, and by how much those of all people are because of seeds whose fits spread by `spread`."""
    people = drawn(values.jackknife.parts, Bootstrap(draws=draws, seed=seed)) * sqrt(values.people)
    return people, np.random.default_rng([seed, 2]).standard_normal(people.shape) * np.sqrt(spread * values.shares())


def _truths(values: ModelValues, seed: int) -> tuple[Float64, Float64]:
    """(truths, models) means that may be the true ones, and (truths,) the variance of a fit over seeds in each."""
    rng = np.random.default_rng([seed, 1])
    people = drawn(values.jackknife.parts, Bootstrap(draws=TRUTHS, seed=seed + 1_000_003))
    chi = rng.chisquare(values.freedom, TRUTHS) / values.freedom if values.freedom else np.ones(TRUTHS)
    spreads = values.pooled(own=True) / chi
    return values.means + people + rng.standard_normal(people.shape) * np.sqrt(spreads[:, None] * values.shares()), spreads


def _right_from(sizes: Float64, wrong: int) -> Float64:
    """(draws,) the size from which on all but `wrong` of the pairs (draws, pairs) are right."""
    if not sizes.shape[1]:
        return np.full(len(sizes), np.inf)  # models that are all the same have no order
    if sizes.shape[1] <= wrong:
        return np.zeros(len(sizes))
    return np.partition(sizes, sizes.shape[1] - 1 - wrong, axis=1)[:, sizes.shape[1] - 1 - wrong]


def _stable(sizes: _Sizes, share: float, confidence: float, least: int, people: int) -> Stable:
    size, by_few = _at(sizes.seen, share), _at(sizes.few, share)
    common = size / by_few if 0 < size < np.inf and 0 < by_few < np.inf else 1.0
    of_truths = np.sort([np.inf if turned else common * _at(one, share) for one, turned in zip(sizes.truths, sizes.turned, strict=True)])
    low, high = (of_truths[min(int(q * len(of_truths)), len(of_truths) - 1)] for q in ((1 - confidence) / 2, (1 + confidence) / 2))
    size, low, high = (max(ceil(v), least) if np.isfinite(v) else float("inf") for v in (size, low, high))
    return Stable(size, low, high, float((sizes.truths <= people).mean()))


def _at(sizes: Float64, share: float) -> float:
    """The smallest size at which the share of draws is right; the draw itself, so that an infinite one stays one."""
    return float(np.partition(sizes, at := min(ceil(share * len(sizes)), len(sizes)) - 1)[at])


def _curve(metric: str, sizes: tuple[_Sizes, _Sizes], confidence: float, least: int, size: float, people: int) -> pl.DataFrame:
    """The shares that are right at sizes from the least one to beyond the stable one, or the people of this comparison."""
    most = max(4 * least, 2 * people, 1.5 * size if np.isfinite(size) and size < 100 * people else 0)
    at = np.unique(np.geomspace(least, most, POINTS).round().astype(np.int64))
    columns: dict[str, Float64] = {}
    for name, own in zip(("order", "first"), sizes, strict=True):
        shares = np.stack([np.searchsorted(np.sort(one), at, side="right") / len(one) for one in own.truths])
        low, high = np.quantile(shares, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        right = np.searchsorted(np.sort(own.seen), at, side="right") / len(own.seen)
        columns |= {name: right, f"{name}_low": np.minimum(low, right), f"{name}_high": np.maximum(high, right)}
    return pl.DataFrame({"metric": [metric] * len(at), "people": at, **columns}, schema=CURVE)


def people_apart(values: ModelValues, confidence: float = 0.95) -> Apart:
    """How many people it takes to tell the first two models apart with a power of .8 at 5%, when the same people are asked for both.

    With the error E that G people leave on the difference d, and the variance v that seeds leave on it, n people see it in four runs of five where
    d^2 = 2.80^2 (E^2 G / n + v). Seeds don't go away with more people: where 2.80^2 v is d^2 or more, no number of them is enough.

    >>> rng = np.random.default_rng(0)
    >>> values = {"A": rng.normal(0.1, 1, 1000), "B": np.zeros(1000)}
    >>> found = people_apart(ModelValues("value", values, np.arange(1000)))
    >>> found.first, found.needed_low < 785 < found.needed_high  # (2.80 / .1)^2
    ('A', True)
    """
    a, b = np.argsort(-values.means, kind="stable")[:2]
    own = Buckets.of([values.columns[a] - values.columns[b]], values.persons)
    jackknife = own.jackknife()
    difference, error = float(own.value[0]), float(jackknife.error[0])
    shares = values.shares()
    seeds = values.pooled(own=True) * float(shares[a] + shares[b])
    freedom = float(jackknife.freedom[0]) if not seeds else min(float(jackknife.freedom[0]), values.freedom)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * sqrt(error**2 + seeds) if np.isfinite(error) else float("inf")
    low, high = difference - reach, difference + reach
    first, second = values.models[a], values.models[b]
    needed = [_needed(d, error, seeds, values.people) for d in (difference, max(abs(low), abs(high)), low)]
    return Apart(first, second, difference, low, high, *needed)


def _needed(difference: float, error: float, seeds: float, people: int) -> float:
    left = difference**2 - ERRORS_SEEN**2 * seeds
    if difference <= 0 or left <= 0 or not np.isfinite(error):
        return float("inf")
    return float(max(people_needed(sqrt(left), ERRORS_SEEN * error, people), FEWEST_PEOPLE)) if error > 0 else float(FEWEST_PEOPLE)
