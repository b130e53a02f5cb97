"""How people walk from item to item: how branched their steps are, how alike consecutive items are, and how far back it is worth to look.

Three shortcuts let simple models answer a log: few next items per item, next items that resemble the last one, and histories of which
only the end counts ([Han et al. 2026](https://arxiv.org/abs/2605.07125)). Each is measured without any model.

A step goes from one moment of a person to the next (equal times and baskets are one moment, of which one item is drawn), between two
different items. Two people are compared, never a person with himself, so that habits of one are no rule for others:

    chance(i) = sum_j (c_ij^2 - sum_u c_uij^2) / (c_i^2 - sum_u c_ui^2)

is the share of pairs of steps out of i, by two people u, that end at the same item, with c_uij the steps of u from i to j. It is an
unbiased estimate of sum_j P(j | i)^2 however few steps there are, which an entropy of counts isn't, and one over it is an effective number
of next items ([Hill 1973](https://doi.org/10.2307/1934352), order 2). All numbers are means over steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from scipy import sparse
from scipy.special import ndtri

from vitrina.base.power import FEWEST_PEOPLE
from vitrina.data.dataset import Dataset
from vitrina.data.split.moments import Moments
from vitrina.models.content_vectors import DESCRIBING, item_tfidf
from vitrina.types import Float64, Int64

MOST_STEPS = 300_000  # of the people drawn, that are looked at
MOST_PAIRS = 50_000  # of items, whose descriptions are laid beside each other
DRAWS = 100  # of people, for the intervals
SHUFFLES = 5  # of each person's moments
REACH = float(ndtri(0.975))


@final
@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval over people."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, drawn: Float64) -> Estimate | None:
        """Normal on the scale of logarithms, with the spread of (draws,) the number in draws of people; None where too few draws know it."""
        drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
        if not 0 < value < np.inf or len(drawn) < DRAWS / 2:
            return None
        reach = float(np.exp(REACH * np.log(drawn).std(ddof=1)))
        return cls(value, value / reach, value * reach)

    @classmethod
    def of_share(cls, values: Float64, person: Int64) -> Estimate:
        """The mean of (steps,) values in [0, 1]; the error is that of a ratio of sums over people, the root of sum_u (S_u - mean n_u)^2 / sum n."""
        mean = float(values.mean())
        error = float(np.sqrt((np.bincount(person, values - mean) ** 2).sum()) / len(values))
        return cls(mean, max(mean - REACH * error, 0.0), min(mean + REACH * error, 1.0))


@final
@dataclass(frozen=True)
class Steps:
    """How people walk from item to item. What can't be known of a log is None.

    Args:
        steps, people: that were looked at.
        moments: of the median person, in all.
        together: the chance that two people at the same item go on to the same next one.
        shuffled: the same where each person's moments are shuffled.
        narrowing: the one over the other: what order tells beyond the company that items keep.
        deeper: how many times that chance is for two people with the same last two items, in this order, to what it is for those with the
            same last one, over the same steps.
        deep_share: share of the steps that `deeper` speaks of, because somebody else had the same last two items.
        shared: share of the steps that somebody else made as well.
        alike: how often the next item's description is more like the last one's than that of an item somebody else took is.
        alike_shuffled: the same where each person's moments are shuffled.
    """

    steps: int
    people: int
    moments: float
    together: Estimate
    shuffled: float
    narrowing: Estimate | None
    deeper: Estimate | None
    deep_share: float
    shared: Estimate
    alike: Estimate | None
    alike_shuffled: float | None


def steps_of(data: Dataset, seed: int = 0) -> Steps | None:
    """Measure the steps of a log; None where fewer than 20 people made one, or no two people ever made the same.

    Args:
        data: interactions; those that don't count (weights of 0 and below) are left out.
        seed: of the draws of items from moments, of shuffles and of people.

    Cost: a pass over the log to find the steps and who else made them; the rest looks at 300,000 steps at most, some seconds.

    >>> import vitrina as vt
    >>> found = steps_of(vt.testing.synthetic())
    >>> found.people, found.moments
    (300, 12.0)
    """
    rng = np.random.default_rng(seed)
    data = data.counted()
    walk = Walk.of(data, rng)
    everybody = walk.steps()
    if len(np.unique(everybody.user)) < FEWEST_PEOPLE:
        return None
    part = walk.some(MOST_STEPS, rng)
    steps, mixed = part.steps(), [part.shuffled(rng).steps() for _ in range(SHUFFLES)]
    last, shuffled = Meetings.of(steps.last, steps), [Meetings.of(s.last, s) for s in mixed]
    pair = Meetings.of(np.where(steps.before < 0, -1, steps.before * data.n_items + steps.last), steps)
    together, by_chance = last.mean(), float(np.mean([m.mean() for m in shuffled]))
    deeper, deep = pair.over(last, data.n_items)
    drawn = np.empty((DRAWS, 3))
    for row in drawn:
        weights = rng.poisson(1.0, part.people).astype(np.float64)
        chance = last.mean(weights)
        row[:] = chance, _over(chance, shuffled[0].mean(weights)), pair.over(last, data.n_items, weights)[0]
    known = Estimate.of(together, drawn[:, 0])
    if known is None:
        return None
    alike, alike_mixed = (_alike(data, found, part.item, rng) for found in (steps, mixed[0]))
    return Steps(
        len(steps.user), part.people, float(np.median(walk.lengths)), known, by_chance, Estimate.of(_over(together, by_chance), drawn[:, 1]),
        Estimate.of(deeper, drawn[:, 2]), deep / len(steps.user), Estimate.of_share(_made_by_others(everybody), everybody.user),
        alike, None if alike_mixed is None else alike_mixed.value,
    )  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class Found:
    """Steps between different items: who made them, from where to where, and the item before; -1 where there is none or it is the same."""

    user: Int64
    before: Int64
    last: Int64
    next: Int64


@final
@dataclass(frozen=True, eq=False)
class Walk:
    """One item of each moment, person after person, in the order of time. People have numbers from 0."""

    user: Int64  # (moments,)
    item: Int64  # (moments,)

    @classmethod
    def of(cls, data: Dataset, rng: np.random.Generator) -> Walk:
        """Of a moment with several items one is drawn."""
        moments = Moments.of(data)
        at = moments.start + (rng.random(len(moments)) * (moments.stop - moments.start)).astype(np.int64)
        return cls(np.unique(moments.user, return_inverse=True)[1], data.events.items[at].astype(np.int64))

    @property
    def lengths(self) -> Int64:
        """(people,) moments."""
        return np.bincount(self.user)

    @property
    def people(self) -> int:
        return int(self.user.max(initial=-1)) + 1

    def some(self, most: int, rng: np.random.Generator) -> Walk:
        """People drawn at random, with all their moments, of which there are at most so many; at least one person."""
        order = rng.permutation(self.people)
        held = np.cumsum(self.lengths[order])
        if held[-1] <= most:
            return self
        chosen = np.zeros(self.people, bool)
        chosen[order[: max(int(np.searchsorted(held, most, side="right")), 1)]] = True
        keep = chosen[self.user]
        return Walk(np.unique(self.user[keep], return_inverse=True)[1], self.item[keep])

    def shuffled(self, rng: np.random.Generator) -> Walk:
        """Each person's moments in another order."""
        return Walk(self.user, self.item[np.lexsort((rng.random(len(self.user)), self.user))])

    def steps(self) -> Found:
        """From each moment to the next one of the same person, where the item is another."""
        user, item = self.user, self.item
        before = np.full(len(item), -1, np.int64)
        known = (user[1:] == user[:-1]) & (item[1:] != item[:-1])
        before[1:][known] = item[:-1][known]
        at = np.flatnonzero(known)
        return Found(user[at], before[at], item[at], item[at + 1])


@final
@dataclass(frozen=True, eq=False)
class Meetings:
    """Steps by the place where they begin: how often two people at one place go on to the same item.

    A cell is a place, a next item and a person.
    """

    label: Int64  # (places,) ascending
    place_of_end: Int64  # (ends,) an end is a place with a next item
    place_of_visit: Int64  # (visits,) a visit is a place with a person
    end: Int64  # (cells,)
    visit: Int64  # (cells,)
    user: Int64  # (cells,)
    count: Float64  # (cells,) steps

    @classmethod
    def of(cls, places: Int64, steps: Found) -> Meetings:
        """Steps with the label of their place, (steps,); -1 is none."""
        keep = places >= 0
        label, place = np.unique(places[keep], return_inverse=True)
        user, items = steps.user[keep], steps.next[keep]
        width, people = int(items.max(initial=0)) + 1, int(user.max(initial=0)) + 1
        ends, end = np.unique(place * width + items, return_inverse=True)
        cells, count = np.unique(end * people + user, return_counts=True)
        place_of_end, end, user = ends // width, cells // people, cells % people
        visits, visit = np.unique(place_of_end[end] * people + user, return_inverse=True)
        return cls(label, place_of_end, visits // people, end, visit, user, count.astype(np.float64))

    def chances(self, weights: Float64 | None = None) -> tuple[Float64, Float64]:
        """(places,) the chance that two people go on to the same item, NaN where only one was there; and the steps out of each place.

        With `weights` (people,) each person is there so many times, all of them one and the same.
        """
        size, place = len(self.label), self.place_of_end[self.end]
        held = self.count if weights is None else self.count * weights[self.user]
        total = np.bincount(place, held, size).astype(np.float64)
        visits = np.bincount(self.place_of_visit, np.bincount(self.visit, held, len(self.place_of_visit)) ** 2, size)
        same = np.bincount(self.place_of_end, np.bincount(self.end, held, len(self.place_of_end)) ** 2, size) - np.bincount(
            place, held**2, size
        )
        pairs = total**2 - visits
        return np.divide(same, pairs, out=np.full(size, np.nan), where=pairs > 0), total

    def mean(self, weights: Float64 | None = None) -> float:
        """Over the steps out of places where two people were."""
        chance, total = self.chances(weights)
        known = ~np.isnan(chance)
        return _over(float(chance[known] @ total[known]), float(total[known].sum()))

    def over(self, last: Meetings, width: int, weights: Float64 | None = None) -> tuple[float, float]:
        """Places of two items, labelled before * width + last, against those of the last alone: the ratio of chances over the same steps, and those steps."""
        (chance, total), (alone, _) = self.chances(weights), last.chances(weights)
        plain = alone[np.searchsorted(last.label, self.label % width)]
        known = ~np.isnan(chance)
        return _over(float(chance[known] @ total[known]), float(plain[known] @ total[known])), float(total[known].sum())


def _made_by_others(steps: Found) -> Float64:
    """(steps,) 1 where somebody else went from the same item to the same item, at any time."""
    frame = pl.DataFrame({"user": steps.user, "last": steps.last, "next": steps.next})
    return frame.select((pl.col("user").min() != pl.col("user").max()).over("last", "next")).to_series().to_numpy().astype(np.float64)


def _alike(data: Dataset, steps: Found, items: Int64, rng: np.random.Generator) -> Estimate | None:
    """How often the next item is more like the last than one of `items` drawn at random is, ties half; None without descriptions."""
    table = data.item_table
    if table is None or not any(table.columns(kind) for kind in DESCRIBING):
        return None
    at = np.sort(rng.choice(len(steps.user), min(len(steps.user), MOST_PAIRS), replace=False))
    other = rng.choice(items, len(at))
    at, other = at[other != steps.last[at]], other[other != steps.last[at]]
    vectors = item_tfidf(table)
    near, far = (_cosines(vectors, steps.last[at], items) for items in (steps.next[at], other))
    return Estimate.of_share((near > far) + (near == far) / 2, steps.user[at])


def _cosines(vectors: sparse.csr_matrix, left: Int64, right: Int64) -> Float64:
    return np.asarray(vectors[left].multiply(vectors[right]).sum(axis=1)).reshape(-1)


def _over(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("nan")
