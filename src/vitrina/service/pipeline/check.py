"""After ranking: what stands in a list although it may not, and what fills its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from vitrina.base.arrays import Bool, Int32, Ragged
from vitrina.base.kernels import kernel
from vitrina.catalogue import Catalogue
from vitrina.retrieve.top_k import allowed_mask
from vitrina.types import Eligibility, Queries


@final
@dataclass(frozen=True, eq=False)
class Checked:
    """The places of ranked lists that stay.

    Args:
        keep: (queries, places) of the ranked lists.
        wrong: how many items were no items of the model, stood in a list before, or may not be shown.
        popular: (queries, k) codes that fill what is missing then, most popular first, -1 behind them.
    """

    keep: Bool
    wrong: int
    popular: Int32

    def rows(self, part: slice) -> Checked:
        """Those of some lists."""
        return Checked(self.keep[part], self.wrong, self.popular[part])

    def unfilled(self) -> Checked:
        """The same with nothing popular for what is missing: where something was asked for, what most people take is no answer."""
        return Checked(self.keep, self.wrong, np.full_like(self.popular, -1))


def checked(items: Int32, queries: Queries, k: int, eligible: Eligibility, catalogue: Catalogue) -> Checked:
    """Look at every place of lists once more, by the eligibility that holds now; what is not kept is filled from further down the list, and then by popularity.

    Args:
        items: (queries, places) codes, k and a reserve.

    Cost: places x history per query, and a pass over the catalogue where a list is short.
    """
    banned, own = eligible.banned(queries), eligible.include
    limited = isinstance(own, Ragged)
    include = own if isinstance(own, Ragged) else Ragged.empty(len(queries))
    keep, popular = np.zeros(items.shape, np.bool_), np.full((len(queries), k), -1, np.int32)
    wrong = _check(
        np.ascontiguousarray(items, np.int64), k, allowed_mask(eligible, catalogue), banned.indptr, banned.values, limited, include.indptr,
        include.values, catalogue.filling, keep, popular,
    )  # fmt: skip
    return Checked(keep, int(wrong), popular)


@kernel
def _check(
    items, k, allowed, ban_indptr, ban_items, limited, include_indptr, include_items, by_popularity, keep, popular
):  # pragma: no cover
    wrong = 0
    for q in range(len(items)):
        banned, include = ban_items[ban_indptr[q] : ban_indptr[q + 1]], include_items[include_indptr[q] : include_indptr[q + 1]]
        kept = 0
        for place in range(items.shape[1]):
            item = items[q, place]
            if item == -1:
                continue
            may = 0 <= item < len(allowed) and allowed[item] and not _holds(banned, item)
            may = may and (not limited or _holds(include, item)) and not _holds(items[q, :place], item)
            keep[q, place] = may
            kept += may
            wrong += not may
        if kept >= k:
            continue
        _fill(items[q], keep[q], k - kept, allowed, banned, limited, include, by_popularity, popular[q])
    return wrong


@kernel
def _holds(items, item):  # pragma: no cover
    found = False
    for one in items:
        found |= one == item
    return found


@kernel
def _fill(items, keep, count, allowed, banned, limited, include, by_popularity, out):  # pragma: no cover
    may = np.zeros(len(allowed), np.bool_) if limited else allowed.copy()
    for item in include:
        if 0 <= item < len(allowed):
            may[item] = allowed[item]
    for item in banned:
        if 0 <= item < len(allowed):
            may[item] = False
    for place in range(len(items)):
        if keep[place]:
            may[items[place]] = False
    filled = 0
    for item in by_popularity:
        if filled == count:
            break
        if may[item]:
            out[filled] = item
            filled += 1
