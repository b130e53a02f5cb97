"""What the person has had of the candidate before."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.forms.history import Baskets, moments
from vitrina.ranking.features.base import Columns, FeatureGroup, ratio
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.types import Int64, Queries, ranges


@final
class UserItemCounters(FeatureGroup):
    """Counters of the candidate in the person's own history, which begin with "taken before:".

    "baskets" that held it, "share of baskets", "share of events", "baskets since the last" (0 where the newest basket has it), "baskets between two" (their mean),
    "baskets since the last, by those between"; with real times "days since the last", "days between two" (their mean) and "days since the last, by those between":
    near 1 where it is due again. Baskets are what shares a time or a basket. What was never taken has counts and shares of 0, and the rest is missing, as what lies between is
    where it was taken once.

    Cost: the length of the histories; 4 bytes x items of scratch per thread.
    """

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        return {"timed": np.array(data.time_unit == "us")}

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        queries, rows = pairs.queries, pairs.rows
        place, number, counts = _by_basket(queries)
        now, times = moments(queries)
        names = ("events", "baskets", "first basket", "last basket", "first time", "last time")
        found = {name: np.zeros(len(pairs), np.int64) for name in names}
        _taken(
            len(queries), queries.events.items, times, np.append(0, np.cumsum(queries.lengths)), place, number, pairs.items.indptr, pairs.codes,
            len(queries.vocabulary), *found.values(),
        )  # fmt: skip
        taken, twice = found["baskets"] > 0, found["baskets"] - 1
        since = np.where(taken, counts[rows] - 1 - found["last basket"], np.nan)
        between = ratio(found["last basket"] - found["first basket"], twice)
        columns = {
            "baskets": found["baskets"], "share of baskets": ratio(found["baskets"], counts[rows], 0),
            "share of events": ratio(found["events"], queries.lengths[rows], 0), "baskets since the last": since,
            "baskets between two": between, "baskets since the last, by those between": (since + 1) / between,
        }  # fmt: skip
        if learned["timed"]:
            known = taken & (len(times) > 0)
            days = np.where(known, (now[rows] - found["last time"]) / DAY, np.nan)
            apart = np.where(known, ratio((found["last time"] - found["first time"]) / DAY, twice), np.nan)
            columns |= {"days since the last": days, "days between two": apart}
            columns["days since the last, by those between"] = ratio(days, apart)
        return {f"taken before: {name}": column for name, column in columns.items()}


def _by_basket(queries: Queries) -> tuple[Int64, Int64, Int64]:
    """Places of the events of the histories in the log, basket after basket; the number of the basket of each, 0 for the oldest; how many there are per history."""
    baskets, place = Baskets.of(queries), ranges(queries.start, queries.lengths)
    order = np.argsort(baskets.of_event, kind="stable")  # baskets that are resumed lie apart
    number = baskets.of_event - np.repeat(baskets.indptr[:-1], queries.lengths)
    return place[order], number[order], baskets.counts


@Spread
def _taken(
    first, last, items, times, history, where, number, indptr, codes, n_items, events, baskets, first_basket, last_basket, first_time,
    last_time,
):  # fmt: skip  # pragma: no cover
    place = np.full(n_items, -1, np.int64)
    for q in range(first, last):
        for at in range(indptr[q], indptr[q + 1]):
            place[codes[at]] = at
        for h in range(history[q], history[q + 1]):
            at, basket = where[h], number[h]
            pair = place[items[at]]
            if pair < 0:
                continue
            if not events[pair]:
                first_basket[pair] = basket
                first_time[pair] = times[at] if len(times) else 0
            if not events[pair] or last_basket[pair] != basket:
                baskets[pair] += 1
            events[pair] += 1
            last_basket[pair] = basket
            last_time[pair] = times[at] if len(times) else 0
        for at in range(indptr[q], indptr[q + 1]):
            place[codes[at]] = -1
