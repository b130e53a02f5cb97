"""What the processes of one piece of work read: the split, its validation part and a tiny log to compile on, as folders."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from vitrina.base.files import speaking_of
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.split import Split
from vitrina.data.store import save_split
from vitrina.types import Ragged, ranges
from vitrina.vocabulary import Vocabulary

TINY_USERS, TINY_EVENTS = 40, 20  # of the log to compile on: users, and last events of each


@contextlib.contextmanager
def work_folder(cache: Path | None) -> Iterator[Path]:
    """A folder of this piece of work alone, gone at its end. What a killed one left in the cache is removed first."""
    parent = Path(tempfile.gettempdir()) if cache is None else cache
    with speaking_of(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for left in [] if cache is None else cache.glob("work-[0-9]*-*"):
            if not psutil.pid_exists(int(left.name.split("-")[1])):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"work-{os.getpid()}-", dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def write_folders(split: Split, validation: Split | None, work: Path) -> tuple[str, str]:
    """Write what jobs read; returns the fingerprints of the split and of its validation part (empty where there is none)."""
    save_split(split, work / "split")
    save_split(tiny_split(split), work / "warm")
    if validation is None:
        return split_fingerprint(split), ""
    save_split(validation, work / "validation")
    return split_fingerprint(split), split_fingerprint(validation)


def split_fingerprint(split: Split) -> str:
    """16 hex digits of a sha256 over the training part, the queries with their histories, the truth, what may be recommended, and the validation part."""
    queries, eligible = split.queries, split.eligible
    digest = hashlib.sha256(split.train.fingerprint.encode())
    arrays = {"start": queries.start, "stop": queries.stop, "users": queries.users, "now": queries.now}
    arrays |= {f"query_{name}": array for name, array in queries.events.columns().items()}
    for name, items in (("truth", split.truth), ("include", eligible.include), ("exclude", eligible.exclude)):
        arrays |= {f"{name}_rows": items.indptr, name: items.values} if isinstance(items, Ragged) else {name: items}
    for name, array in arrays.items():
        digest.update(name.encode())
        digest.update(b"none" if array is None else np.ascontiguousarray(array).data)
    if split.grades is not None:
        digest.update(f"grades {split.grades.above}".encode())
        own = {"rows": split.grades.items.indptr, "items": split.grades.items.values, "gain": split.grades.gains, **split.grades.more}
        for name, array in own.items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(array).data)
    if queries.context is not None:
        digest.update(queries.context.hash_rows(seed=0).to_numpy().tobytes())
    if queries.texts is not None:
        digest.update(queries.texts.hash(seed=0).to_numpy().tobytes())
    digest.update(f"{eligible.repeat} {eligible.seen_kinds}".encode())
    if split.validation is not None:
        digest.update(f"validation {split_fingerprint(split.validation)}".encode())
    return digest.hexdigest()[:16]


def tiny_split(split: Split) -> Split:
    """A few users of the training part with the same columns and tables, so that kernels compile for the types of the real one."""
    train = next((shard for shard in split.train.shards() if shard.n_events), split.train)
    users = np.flatnonzero(np.diff(train.indptr))[:TINY_USERS]
    stop = train.indptr[users + 1]
    start = np.maximum(train.indptr[users], stop - TINY_EVENTS)
    place = ranges(start, stop - start)
    used, items = np.unique(train.events.items[place], return_inverse=True)
    events = replace(train.events.take(place), items=items.astype(np.int32))
    owner = np.repeat(np.arange(len(users), dtype=np.int32), stop - start)
    data = Dataset.of_codes(
        owner, events, Vocabulary(train.users.decode(users)), Vocabulary(train.items.decode(used)), time_unit=train.time_unit,
        kind_names=train.kind_names, item_table=_rows(train.item_table, used), user_table=_rows(train.user_table, users), rule=train.rule,
    )  # fmt: skip
    queries = data.queries()
    truth = Ragged(np.arange(len(queries) + 1, dtype=np.int64), events.items[np.cumsum(stop - start) - 1])
    return Split(data, queries, truth, replace(split.eligible, include=None, exclude=None))


def _rows(table: FeatureTable | None, codes: np.ndarray) -> FeatureTable | None:
    return None if table is None else table.take(codes)
