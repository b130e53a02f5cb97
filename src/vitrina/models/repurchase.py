"""What the person takes again: own counts, and each item's own time from one purchase to the next."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import ClassVar, NamedTuple, final

import numpy as np
from pydantic import Field
from scipy import sparse

from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread, kernel
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.split import Split
from vitrina.forms.decay import Decay
from vitrina.forms.repurchases import Kernels, Repurchases
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender
from vitrina.types import Float64

BINS = 128  # of the gaps, each a tenth wider than the one before
EDGES = np.geomspace(0.01, 7300, BINS + 1)  # days: from a quarter of an hour to 20 years
MIDDLES = np.sqrt(EDGES[1:] * EDGES[:-1])
NARROWEST = 0.1  # of the normal part, as a share of its middle: that of a bin
STEPS, FIRST_STEPS = 20, 200  # of the estimate for each item, which begins at that of all, and of that one


class Gaps(NamedTuple):
    """What adds up over shards."""

    by_item: sparse.csr_matrix  # (items, bins) gaps from one purchase of an item to the same person's next
    purchases: Float64  # (items,)

    def __add__(self, other: Gaps) -> Gaps:  # type: ignore[override]
        return Gaps(sparse.csr_matrix(self.by_item + other.by_item), self.purchases + other.purchases)


@final
class Repurchase(ModelConfig):
    """Rank the items of the history by own counts and by each item's time to the next purchase; popularity fills the rest of the list.

        score[q, i] = returns[i] * intensity[q, i] * (density of item i at the days since q took i last)^timing
        density[i]  = (1 - share) Exp(mean scale) + share N(middle, spread)

    The density of [Wang et al. 2019](https://doi.org/10.1145/3308558.3313594) (SLRC): part of the purchases come back by forgetting (short gaps are the likeliest), part by a
    rhythm of their own, as milk every week. It is fitted for each item by expectation maximisation on the gaps between purchases, to which `shrinkage` gaps with the
    density of all items are added; `returns`, the share of purchases that the same person repeats, in the same way. Intensity is the number of own
    events, times what the decay leaves of each, and their weights where the log has some (a gap has the weight of its later event). Events of one moment or basket are one purchase.
    Unlike the paper's process, the gap is that since the last purchase, and nothing is learned by gradients: on the validation parts of Online Retail and Complete Journey
    the sum over all earlier purchases was behind it (nDCG@10 .225 against .231, .207 against .219, both with a timing of 1).

    Only a job with `repeat=True` can show what was taken before: without it every place is filled from popularity. A history without times goes by returns and counts.

    Args:
        shrinkage: how many gaps an item needs until its own count as much as those of all.
        timing: how much the density counts; 0 leaves it out, 1 takes it as it is (0.5 was ahead on both).
        decay: how old events lose weight, one of `vt.decay`; None counts all alike. A half-life of half a year was worth .002 to .005 more there.

    Raises:
        DataError: the log has no real time, or nobody took anything again.

    Cost: a pass over the events, and 20 steps over 128 bins per item that somebody took again; a query costs the length of its history. 20 bytes per item are kept, of a log in shards too.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.Repurchase().fit(data).recommend(data.queries(), k=3, eligible=vt.Eligibility(repeat=True)).items.shape
    (300, 3)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("times",)
    shrinkage: float = Field(default=20, gt=0)
    timing: float = Field(default=0.5, ge=0)
    decay: Decay | None = None

    def cost(self, size: Size) -> Cost:
        gaps = 24 * (size.events - size.entries)
        return Cost(memory=gaps + 40 * size.items, kept=20 * size.items, steps=4 * size.events + 2 * STEPS * BINS * size.items)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Repurchases:
        if data.time_unit != "us":
            raise DataError(f"{self!r} needs events with real time, and {data!r} has none. Use TopPersonal().")
        by_item, purchases = reduce(add, data.map_shards(_gaps_of))
        gaps = np.asarray(by_item.sum(axis=0)).ravel()
        if not gaps.sum():
            raise DataError(f"{self!r} learns from items that a person took again, and in {data!r} nobody did. Use Popularity().")
        again = np.asarray(by_item.sum(axis=1)).ravel()
        returns = (again + self.shrinkage * gaps.sum() / purchases.sum()) / (purchases + self.shrinkage)
        return Repurchases(data.items, data.catalogue, returns.astype(np.float32), self._kernels(by_item, gaps), self.timing, self.decay)

    def _kernels(self, by_item: sparse.csr_matrix, gaps: Float64) -> Kernels:
        """The density of each item."""
        mean = float(gaps @ MIDDLES / gaps.sum())
        everybody = np.array([0.5, mean, mean, mean / 2])
        _fit(gaps, FIRST_STEPS, everybody)
        found = np.tile(everybody, (len(by_item.indptr) - 1, 1))
        prior = self.shrinkage * gaps / gaps.sum()
        _fit_items(len(found), by_item.indptr, by_item.indices, by_item.data, prior, found)
        return Kernels(*(np.ascontiguousarray(column, np.float32) for column in found.T))


def _gaps_of(shard: Dataset) -> Gaps:
    """Those of the people of a shard."""
    events = shard.events
    assert events.times is not None
    weights = np.empty(0, np.float32) if events.weights is None else events.weights
    baskets = np.empty(0, np.int32) if events.baskets is None else events.baskets
    days, purchases = np.full(len(events), -1.0), np.zeros(shard.n_items)
    _add_gaps(events.items, events.times, baskets, weights, shard.indptr, days, purchases)
    again = days > 0
    bins = np.clip(np.searchsorted(EDGES, days[again], side="right") - 1, 0, BINS - 1)
    counts = weights[again].astype(np.float64) if len(weights) else np.ones(len(bins))
    return Gaps(sparse.csr_matrix((counts, (events.items[again], bins)), shape=(shard.n_items, BINS)), purchases)


@kernel
def _add_gaps(items, times, baskets, weights, indptr, days, purchases):  # pragma: no cover
    """Write the days since the person's purchase of the item before, where there is one, and count purchases."""
    latest = np.full(len(purchases), -1, np.int64)  # the first event of each item's last purchase
    for user in range(len(indptr) - 1):
        for at in range(indptr[user], indptr[user + 1]):
            item = items[at]
            before = latest[item]
            known = before >= indptr[user]
            if known and (times[before] == times[at] or (len(baskets) > 0 and baskets[at] >= 0 and baskets[before] == baskets[at])):
                continue
            if known:
                days[at] = (times[at] - times[before]) / DAY
            latest[item] = at
            purchases[item] += weights[at] if len(weights) else 1.0


@Spread
def _fit_items(first, last, indptr, bins, counts, prior, found):  # pragma: no cover
    """The parts of each item's density, from those of all that `found` has; items that nobody took again keep them."""
    for item in range(first, last):
        if indptr[item + 1] > indptr[item]:
            gaps = prior.copy()
            for at in range(indptr[item], indptr[item + 1]):
                gaps[bins[at]] += counts[at]
            _fit(gaps, STEPS, found[item])


@kernel
def _fit(gaps, steps, found):  # pragma: no cover
    """Expectation maximisation of (share, scale, middle, spread) for gaps in bins, in place."""
    total = gaps.sum()
    for _ in range(steps):
        share, scale, middle, spread = found
        normal, by_normal, all_days = 0.0, 0.0, 0.0
        part = np.zeros(len(gaps))
        for b in range(len(gaps)):
            if gaps[b] > 0:
                days = MIDDLES[b]
                rhythm = share * np.exp(-(((days - middle) / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi))
                both = (1 - share) * np.exp(-days / scale) / scale + rhythm
                part[b] = gaps[b] * rhythm / both if both > 0 else 0.0
                normal += part[b]
                by_normal += part[b] * days
                all_days += gaps[b] * days
        found[0] = normal / total
        if normal < total:
            found[1] = max((all_days - by_normal) / (total - normal), EDGES[0])
        if normal > 0:
            found[2] = by_normal / normal
            square = 0.0
            for b in range(len(gaps)):
                square += part[b] * (MIDDLES[b] - found[2]) ** 2
            found[3] = max(np.sqrt(square / normal), NARROWEST * found[2])
