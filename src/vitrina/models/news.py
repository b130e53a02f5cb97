"""What came into a log after a fit: the rows of the people who changed, as they were and what they got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.config import to_plain
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.hashing import mixed
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import of_people
from vitrina.forms.itemmap import Basis, ItemMap
from vitrina.models.entries import users_items
from vitrina.types import Int32
from vitrina.vocabulary import id_hashes

UInt64 = NDArray[np.uint64]

LEAVE = "Leave 'start' out, and fit on the whole log of now."


@dataclass(frozen=True, eq=False)
class News:
    """Rows of X, in the codes of the log of now.

    Args:
        basis: what the start kept for this.
        codes: (items of the start,) the code that each has now; -1 where the log of now lacks it, which then had no event.
        before: (changed people, items) their rows as they were, sorted.
        added: (changed people, items) what their rows got.
    """

    basis: Basis
    codes: Int32
    before: sparse.csr_matrix
    added: sparse.csr_matrix


def last_moment(data: Dataset) -> int | None:
    """The time of the last event; None where there are no times."""
    span = data.time_span
    return None if span is None else span[1]


def digest(data: Dataset) -> int:
    """A number of the rows of X, whosever they are and in whatever order and codes: with other rows it is another but once in 2^64.

    Cost: as a pass over the log.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> digest(data) == digest(data.sharded(3)), digest(data) == digest(data.select(data.user_of > 0))
    (True, False)
    """
    return _total(data.map_shards(partial(_digest_of, mixed(id_hashes(data.items)))))


def news_of(model: Any, start: Any, data: Dataset) -> News:
    """What is later in `data` than all that `start` was fitted on.

    Raises:
        ParameterError: the start isn't a fit of the same model on a log with times.
        DataError: the log has no times, or what is earlier isn't what the start was fitted on.

    Cost: a pass over the log.
    """
    name = type(model).__name__
    if not isinstance(start, ItemMap) or start.basis is None:
        raise ParameterError(
            f"The 'start' of {name}.fit must be a fitted {name} that kept what an update needs, of a log with times. Got {start!r}. {LEAVE}",
            parameter="start",
        )
    if (start.model if isinstance(start.model, Mapping) else to_plain(start.model)) != to_plain(model):
        raise ParameterError(
            f"{name} goes on from a 'start' with the same parameters. This one is {model!r}, the start {start.model!r}. {LEAVE}",
            parameter="start",
        )
    if "times" not in data.columns:
        raise DataError(f"{name} tells what is new by its time, and {data!r} has no times. {LEAVE}")
    until, codes = start.basis.until, data.items.encode(start.vocabulary.ids).astype(np.int32)
    earlier, rows = Catalogue(np.zeros(data.n_items, np.int64), np.zeros(data.n_items, np.int64), 0), []
    hashes, digests = mixed(id_hashes(data.items)), []
    for catalogue, part, before, added in data.map_shards(partial(_of_shard, until, hashes)):
        earlier = Catalogue(earlier.events + catalogue.events, earlier.users + catalogue.users, earlier.n_users + catalogue.n_users)
        digests.append(part)
        rows.append((before, added))
    _require_same(name, start, codes, earlier, _total(digests), data)
    before, added = (sparse.csr_matrix(sparse.vstack(parts, format="csr")) for parts in zip(*rows, strict=True))
    return News(start.basis, codes, before, added)


def _total(digests: Iterable[int]) -> int:
    return sum(digests) % 2**64


def _digest_of(item_hashes: UInt64, shard: Dataset) -> int:
    """The sum over people of a number that hangs on each item of the row and its entry."""
    rows = users_items(shard)
    rows = rows[np.diff(rows.indptr) > 0]
    entries = mixed(item_hashes[rows.indices] ^ np.asarray(rows.data, np.float32).view(np.uint32))
    return int(mixed(np.add.reduceat(entries, rows.indptr[:-1])).sum()) if len(entries) else 0


def _of_shard(until: int, item_hashes: UInt64, shard: Dataset) -> tuple[Catalogue, int, sparse.csr_matrix, sparse.csr_matrix]:
    """Statistics and digest of what is not later than `until`; and of the people whose rows changed, these rows and what came."""
    assert shard.events.times is not None
    late = shard.events.times > until
    people = of_people(shard, np.unique(shard.user_of[late]))
    assert people.events.times is not None
    now, before = users_items(people), users_items(people.select(people.events.times <= until))
    added = sparse.csr_matrix(now - before)
    added.eliminate_zeros()
    changed = np.flatnonzero(np.diff(added.indptr))
    earlier = shard.select(~late)
    return earlier.catalogue, _digest_of(item_hashes, earlier), before[changed], added[changed]


def _require_same(name: str, start: ItemMap, codes: Int32, earlier: Catalogue, rows: int, data: Dataset) -> None:
    assert start.basis is not None
    known = start.catalogue
    here, gone = codes[codes >= 0], codes < 0
    differs = known.events[gone].any() or earlier.n_users != known.n_users or rows != start.basis.digest
    for then, now in ((known.events, earlier.events), (known.users, earlier.users)):
        expected = np.zeros(len(now), np.int64)
        expected[here] = then[~gone]
        differs |= bool((expected != now).any())
    if differs:
        raise DataError(
            f"Up to the last event that the 'start' of {name} has seen, {data!r} has {earlier.events.sum():,} events of {earlier.n_users:,} people, and not the "
            f"{known.events.sum():,} of {known.n_users:,} that it was fitted on: events came late, or were corrected or removed, or it is another log. {LEAVE}"
        )
