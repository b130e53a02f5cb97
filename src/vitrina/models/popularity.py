"""What most people take: over all time, in a recent window, or with old events fading."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal, final

import numpy as np

from vitrina.base.config import Days
from vitrina.base.errors import DataError
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.order import last_of_pairs
from vitrina.data.split import Split
from vitrina.forms.levels import levels_of, products, scores_of, sums
from vitrina.forms.static import Static
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Cost, Size
from vitrina.protocols import Recommender
from vitrina.types import Float64


@final
class Popularity(ModelConfig):
    """Rank items by how many people took them.

    score[i] = sum over the counted events e of i of w_e 0.5 ^ ((end - t_e) / half_life), where a user's repeated events of i
    count once (the one that counts most; without weights the latest) with `by="users"` and each with `by="events"`; `end` is the last
    time of the training part and w_e the weight of e in the log, 1 where it has none.
    What float32 can't hold keeps its order: an item of 200 half-lives ago is behind one of 150, and ahead of one that nobody took.

    Args:
        days: count only events of the last `days` days; None counts all.
        half_life: days after which an event counts half; None does not fade.
        by: "users" counts each person once per item, "events" counts every event.

    Raises:
        DataError: `days` or `half_life` on a log without real time, or a log without events.

    Cost: one pass over the events; two where the end of the log is to be known. Of a log in shards 8 bytes x items per shard that is under way.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> vt.Popularity().fit(data).recommend(data.queries(), k=2).items.shape
    (6, 2)
    """

    reads_weights: ClassVar[bool] = True
    reads_shards: ClassVar[bool] = True
    days: Days | None = None
    half_life: Days | None = None
    by: Literal["users", "events"] = "users"

    def cost(self, size: Size) -> Cost:
        return Cost(40 * size.events, 8 * size.items, steps=10 * size.events)

    def fit(self, data: Dataset, *, validation: Split | None = None, start: Recommender | None = None) -> Static:
        if (self.days or self.half_life) and data.time_unit != "us":
            raise DataError(f"{self!r} needs events with real time, and {data!r} has none. Use Popularity().")
        if not data.catalogue.n_users:
            raise DataError(f"{data!r} has no event to count. Fit on a log with events.")
        return Static(data.items, data.catalogue, scores_of(self._levels(data), np.zeros(data.n_items, np.int64)))

    def _levels(self, data: Dataset) -> Float64:
        """(items,) the level of each item's score."""
        if not (self.days or self.half_life or data.has_weights):
            return levels_of((data.catalogue.users if self.by == "users" else data.catalogue.events).astype(np.float64))
        span = data.time_span if self.days or self.half_life else None
        end = 0 if span is None else span[1]
        levels, codes = np.full(data.n_items, -np.inf), np.tile(np.arange(data.n_items), 2)
        for part in data.map_shards(partial(self._count, end=end)):
            levels = sums(np.concatenate([levels, part]), codes, data.n_items)
        return levels

    def _count(self, data: Dataset, end: int) -> Float64:
        """(items,) the level of what the people of a shard add to each item's score."""
        items, times = data.events.items, data.events.times
        levels = np.zeros(len(items))
        own = data.events.weights
        if times is not None and self.half_life:
            halvings = (end - times) / (self.half_life * DAY)
            levels = levels_of(np.exp2(np.floor(halvings) - halvings)) - np.floor(halvings)
        if times is not None and self.days:
            levels[times <= end - self.days * DAY] = -np.inf
        if own is not None:
            levels = products(levels, own)
        if self.by == "users":
            last = own is None
            once = last_of_pairs(items, data.indptr, data.n_items) if last else _largest_of_pair(data.user_of, items, data.n_items, levels)
            levels[~once] = -np.inf
        return sums(levels, items, data.n_items)


def _largest_of_pair(users: Any, items: Any, n_items: int, levels: Float64) -> Any:
    """Which events are those of the largest level of their (user, item), one of each."""
    pair = users.astype(np.int64) * n_items + items
    order = np.lexsort((levels, pair))
    largest = np.zeros(len(pair), bool)
    largest[order[np.diff(pair[order], append=-1) != 0]] = True
    return largest
