"""What a filter leaves: the events that it keeps of each shard, ids that still have events, and a Step that counts what went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, final

import numpy as np

from vitrina.base.errors import DataError, SplitError
from vitrina.data.dataset import Dataset, Step
from vitrina.data.features import FeatureTable
from vitrina.data.order import number_within
from vitrina.data.passes import Passes, Through, span_of, wider
from vitrina.data.sharded import Sharded
from vitrina.types import Bool, Int64
from vitrina.vocabulary import Vocabulary

Keep = Callable[[Dataset], Dataset]  # the kept events of a shard, with the vocabularies that it had


def filtered(data: Dataset, keep: Keep, name: str, note: str) -> Dataset:
    """The kept events with vocabularies that hold only what still has events, and a Step that counts what went.

    Args:
        keep: a function of a shard, in which what depends on the whole log is settled.

    Raises:
        DataError: nothing is left.
        SplitError: the data are a training part.

    Cost: of a log in shards a pass now, and the work of `keep` whenever a shard is opened.
    """
    require_whole(data)
    kept = Passes(data, keep)
    went = Passes(data, Before(keep)).sum(Change.of) if not data.in_memory else Change.of((data, kept.held))
    if not went.after[0]:
        raise DataError(f"The filter {name} leaves nothing of {data!r}. Loosen it.")
    stay = went.held_after | ~went.held_before  # what had no event before is known from the item table alone
    (events, users), items = went.after, int(went.held_after.sum())
    step = Step(name, went.before[0], events, went.before[1], users, int(went.held_before.sum()), items, note)
    compact = Compact(np.flatnonzero(stay))
    steps = (*data.steps, step)
    if not isinstance(data, Sharded):
        return replace(compact(kept.held), steps=steps)
    vocabulary, table = compact.of_items(data)
    return data.mapped(
        Through(keep, compact), first_users=tuple(accumulate(went.people[:-1], initial=0)), items=vocabulary, item_table=table, steps=steps,
        n_events=events, n_users=users, latest=None if went.times is None else went.times[1],
    )  # fmt: skip


def require_whole(data: Dataset) -> None:
    """Refuse a training part.

    Raises:
        SplitError: it is one.
    """
    if data.rule is not None:
        raise SplitError(f"The {data!r} is a training part and shares its ids with the queries of its split. Filter before splitting.")


@dataclass(frozen=True)
class Before:
    """A shard as it was, and what is kept of it."""

    keep: Keep

    def __call__(self, shard: Dataset) -> tuple[Dataset, Dataset]:
        return shard, self.keep(shard)


@dataclass(frozen=True)
class Change:
    """Sizes of shards before and after a filter, which add up.

    Args:
        before, after: events and users with events.
        held_before, held_after: (items,) whether an item has an event.
        people: users with events of each shard after it, in the order of the shards.
        times: the span of time after it.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    held_before: Bool
    held_after: Bool
    people: tuple[int, ...]
    times: tuple[int, int] | None

    @classmethod
    def of(cls, pair: tuple[Dataset, Dataset]) -> Change:
        before, after = pair
        was, left = ((part.n_events, part.n_users) for part in pair)
        return cls(was, left, held(before), held(after), (after.n_users,), span_of(after.events.times))

    def __add__(self, other: Change) -> Change:
        before, after = ((a[0] + b[0], a[1] + b[1]) for a, b in ((self.before, other.before), (self.after, other.after)))
        return Change(
            before, after, self.held_before | other.held_before, self.held_after | other.held_after, self.people + other.people,
            wider(self.times, other.times),
        )  # fmt: skip


def held(shard: Dataset) -> Bool:
    """(items,) whether an item has an event."""
    return np.bincount(shard.events.items, minlength=shard.n_items) > 0


@final
@dataclass(frozen=True)
class Compact:
    """A shard with codes only for users with events and for the items that stay, in the order they had; baskets are numbered anew."""

    items: Int64  # codes that stay
    _made: list[Any] = field(
        default_factory=list, init=False, repr=False, compare=False
    )  # the vocabulary and the table, once for all shards here

    def __getstate__(self) -> dict[str, Any]:
        return {"items": self.items, "_made": []}

    def __call__(self, shard: Dataset) -> Dataset:
        users = np.flatnonzero(np.diff(shard.indptr))
        vocabulary, table = self.of_items(shard)
        events = shard.events
        if len(self.items) < shard.n_items:
            new_code = np.full(shard.n_items, -1, np.int32)
            new_code[self.items] = np.arange(len(self.items), dtype=np.int32)
            events = replace(events, items=new_code[events.items])
        fields: dict[str, Any] = {"indptr": shard.indptr}
        if len(users) < len(shard.users):
            own = None if shard.user_table is None else shard.user_table.take(users)
            indptr = np.append(shard.indptr[users], shard.indptr[-1])
            fields = {"users": Vocabulary(shard.users.decode(users)), "user_table": own, "indptr": indptr}
        if events.baskets is not None:
            events = replace(events, baskets=number_within(events.baskets, fields["indptr"], int(events.baskets.max(initial=-1)) + 1))
        return replace(shard, events=events, items=vocabulary, item_table=table, **fields)

    def of_items(self, data: Dataset) -> tuple[Vocabulary, FeatureTable | None]:
        """The vocabulary and the table of the items that stay; the very same ones where all do."""
        if len(self.items) == data.n_items:
            return data.items, data.item_table
        if not self._made or self._made[0] is not data.items or self._made[1] is not data.item_table:
            table = None if data.item_table is None else data.item_table.take(self.items)
            self._made[:] = [data.items, data.item_table, Vocabulary(data.items.decode(self.items)), table]
        return self._made[2], self._made[3]
