"""A window made of what was shown: lists, their places, and what came of them."""

from __future__ import annotations

import numpy as np

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.impressions import Impressions
from vitrina.data.split import Split
from vitrina.types import Eligibility, Int32, Queries, Ragged


def shown_window(data: Dataset, impressions: Impressions) -> tuple[Split, Int32]:
    """The requests of a log of impressions as a window, and the place of each item of its `eligible.include`.

    The training part is what happened before the first request; a request is a question at its moment about the items that were shown, and its
    truth are those with an outcome above 0. An item that stands twice in a list has its first place. Items that the log doesn't know are left out.

    Raises:
        DataError: the impressions have no times or no outcomes, the log has no times, or nothing of it is before the first request.
    """
    times, shown = data.events.times, impressions.times
    if times is None or shown is None or impressions.outcomes is None:
        lacks = "the log has no times" if times is None else f"they have no {'times' if shown is None else 'outcomes'}"
        raise DataError(
            f"A ranker learns from impressions with times and outcomes, beside a log with times; {lacks}. Read them with time=..., outcome=..."
        )
    keep = times < shown.min()
    if not keep.any():
        raise DataError("No event of the log is before the first impression, so that no source can be fitted before it. Give a longer log.")
    first = impressions.by_request[:-1]
    users, now = data.users.encode(impressions.people.ids)[impressions.users[first]], shown[first]
    users = np.where(impressions.users[first] >= 0, users, -1).astype(np.int32)
    start = np.where(users >= 0, data.indptr[np.maximum(users, 0)], 0)
    ends = [np.searchsorted(times[data.indptr[u] : data.indptr[u + 1]], t) if u >= 0 else 0 for u, t in zip(users, now, strict=True)]
    queries = Queries(
        data.events, start, start + np.array(ends, np.int64), data.items, users, now, kind_names=data.kind_names, people=data.users
    )
    items, rows = data.items.encode(impressions.vocabulary.ids)[impressions.items], impressions.request_of
    order = np.lexsort((impressions.positions, items, rows))
    order = order[items[order] >= 0]
    once = np.append(True, (np.diff(rows[order]) != 0) | (np.diff(items[order]) != 0))[: len(order)]
    order = order[once]
    include = Ragged.of_lengths(np.bincount(rows[order], minlength=len(first)), items[order])
    truth = include.keep(impressions.outcomes[order] > 0)
    train = data.select(keep, item_table=data.item_table_at(int(shown.min()) - 1))
    return Split(train, queries, truth, Eligibility(include=include, repeat=True)), impressions.positions[order]
