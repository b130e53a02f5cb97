"""A person as one vector of items: the mean of the baskets, the newest weighing most, or of the newest alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from vitrina.forms.history import Baskets, known_only
from vitrina.forms.levels import DEEP, LEAST
from vitrina.types import Float64, Queries


@dataclass(frozen=True)
class BasketProfile:
    """The n baskets of a history are cut into G = min(n, groups) runs of equal length, the longer runs last.

    The weight of basket i (0 the oldest) in run g (0 the oldest) is

        within ^ (n - 1 - i) * between ^ (last - g) / (length of run g * G)

    with last = G - 1, or `groups` - 1 with `short="oldest"`.
    """

    within: float
    between: float
    groups: int
    short: str = "newest"

    def basket_weights(self, baskets: Baskets) -> Float64:
        """(baskets,) the weight of each basket."""
        counts, places = np.repeat(baskets.counts, baskets.counts), baskets.places
        runs = np.minimum(counts, self.groups)
        size, longer = counts // np.maximum(runs, 1), counts % np.maximum(runs, 1)
        shorter = (runs - longer) * size  # baskets in the runs of the smaller size
        run = np.where(places < shorter, places // np.maximum(size, 1), runs - longer + (places - shorter) // (size + 1))
        length = np.where(places < shorter, size, size + 1)
        last = runs - 1 if self.short == "newest" else self.groups - 1
        weights = self.within ** (counts - 1.0 - places) * self.between ** (1.0 * (last - run)) / (length * runs)
        return np.maximum(weights, LEAST)  # what is longest ago was taken all the same

    def vectors(self, queries: Queries, n_items: int) -> sparse.csr_matrix:
        """(queries, items) vector of each history, indices sorted; an item counts once per basket. Items that came after the fit are left out.

        float32, or float64 where the oldest baskets weigh too little for it.
        """
        queries = known_only(queries, n_items)
        baskets = Baskets.of(queries)
        weights, total = self.basket_weights(baskets), int(baskets.indptr[-1])
        by_basket = sparse.csr_matrix((weights, np.arange(total), baskets.indptr), shape=(len(queries), total))
        dtype = np.float32 if weights.min(initial=1) >= 2.0**-DEEP else np.float64
        vectors = sparse.csr_matrix(by_basket @ baskets.items(queries, n_items), dtype=dtype)
        vectors.sort_indices()
        return vectors


@dataclass(frozen=True)
class RecentProfile:
    """In which share of the newest `baskets` of a history an item is."""

    baskets: int

    def vectors(self, queries: Queries, n_items: int) -> sparse.csr_matrix:
        """(queries, items) float32, indices sorted. An item of the older baskets is there with the share 0; items that came after the fit are left out."""
        queries = known_only(queries, n_items)
        baskets = Baskets.of(queries)
        counts = np.repeat(baskets.counts, baskets.counts)
        shares = np.where(counts - baskets.places <= self.baskets, 1 / np.minimum(np.maximum(counts, 1), self.baskets), 0)
        held = baskets.items(queries, n_items)
        sizes = np.diff(held.indptr)
        owner = np.repeat(np.repeat(np.arange(len(queries)), baskets.counts), sizes)
        entries = held.data * np.repeat(shares, sizes)
        vectors = sparse.csr_matrix((entries, (owner, held.indices)), shape=(len(queries), n_items), dtype=np.float32)
        vectors.sort_indices()
        return vectors
