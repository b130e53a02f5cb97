"""The form of repurchases: the own favourites, each by how its own time to the next purchase suits the moment."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self, final

import numpy as np
from scipy import sparse

from vitrina.base.state import State
from vitrina.base.time import DAY
from vitrina.catalogue import Catalogue
from vitrina.forms.decay import Decay
from vitrina.forms.history import event_levels, known_only, moments
from vitrina.forms.levels import products, scores_of, sums
from vitrina.forms.personal import OwnItems
from vitrina.types import Float32, Float64, Int32, Queries, ranges
from vitrina.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Kernels:
    """Of each item the density of the time from one purchase to the next: (1 - share) Exp(mean `scale`) + share N(`middle`, `spread`), in days."""

    share: Float32  # (items,)
    scale: Float32
    middle: Float32
    spread: Float32

    def log2_density(self, items: Int32, days: Float64) -> Float64:
        """Binary logarithm of the density of each item at its number of days."""
        share, scale, middle, spread = (getattr(self, f.name)[items].astype(np.float64) for f in fields(self))
        with np.errstate(divide="ignore"):  # a share of 0 or 1
            memory = np.log(1 - share) - np.log(scale) - days / scale
            rhythm = np.log(share) - np.log(spread * np.sqrt(2 * np.pi)) - ((days - middle) / spread) ** 2 / 2
        return np.logaddexp(memory, rhythm) / np.log(2)

    @classmethod
    def of_arrays(cls, arrays: dict[str, Float32]) -> Self:
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


@final
@dataclass(frozen=True, eq=False, repr=False)
class Repurchases(OwnItems):
    """returns of the item * weight of the own events * (density of the days since the last of them, by the item's own kernel)^timing.

    A history without times has no days, and its items go by returns and weights. What float32 can't hold keeps its order.

    Cost: the length of the history, sorted.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    returns: Float32  # (items,) which share of the purchases is followed by another of the same person
    kernels: Kernels
    timing: float
    decay: Decay | None = None

    def own(self, queries: Queries) -> sparse.csr_matrix:
        n_items = len(self.vocabulary)
        queries = known_only(queries, n_items)
        levels = event_levels(queries, self.decay)
        read = levels > -np.inf
        place, row = ranges(queries.start, queries.lengths)[read], np.repeat(np.arange(len(queries)), queries.lengths)[read]
        pairs, group = np.unique(row * n_items + queries.events.items[place], return_inverse=True)
        rows, items = pairs // n_items, (pairs % n_items).astype(np.int32)
        now, times = moments(queries)
        factors = np.log2(self.returns[items].astype(np.float64))
        if len(times):
            latest = np.full(len(pairs), np.iinfo(np.int64).min)
            np.maximum.at(latest, group, times[place])
            factors += self.timing * self.kernels.log2_density(items, np.maximum(now[rows] - latest, 0) / DAY)
        whole = np.floor(factors)
        scores = scores_of(products(sums(levels[read], group, len(pairs)), np.exp2(factors - whole)) + whole, rows)
        indptr = np.searchsorted(rows, np.arange(len(queries) + 1))
        return sparse.csr_matrix((scores, items, indptr), shape=(len(queries), n_items))

    def state(self) -> State:
        kernels = {f.name: getattr(self.kernels, f.name) for f in fields(self.kernels)}
        return State({"timing": self.timing, "decay": self.decay}, {"returns": self.returns, **kernels})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Repurchases:
        return cls(vocabulary, catalogue, state.arrays["returns"], Kernels.of_arrays(dict(state.arrays)), **state.config)
