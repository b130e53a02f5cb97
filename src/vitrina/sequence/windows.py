"""What a network is trained on: the last events of each person, out of a log in memory or shard by shard out of one that is larger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.files import speaking_of
from vitrina.data.dataset import Dataset
from vitrina.forms.windows import Sequences
from vitrina.types import Float32, Int32, Int64, ranges
from vitrina.vocabulary import hashes, id_hashes

PARTS = (
    "rows",
    "times",
    "start",
    "stop",
    "users",
    "weights",
    "kinds",
    "values",
)  # of the windows that are trained on; nobody asks them, so there is no `now`


def in_memory(data: Dataset, row_of_item: Int64, length: int, also: tuple[str, ...] = ()) -> Sequences:
    """The last `length` events of everybody who has two, in an order of the ids, whatever the order of people in the log; `also` names further columns."""
    windows = Sequences.of(data.queries(), row_of_item, also).last(length)
    by_id = np.argsort(id_hashes(data.users)[windows.users], kind="stable")
    return windows.take(by_id[windows.lengths[by_id] >= 2])


def over_shards(
    data: Dataset, row_of_item: Int64, length: int, folder: Path, *, timed: bool, also: tuple[str, ...] = ()
) -> Sequences:  # fmt: skip
    """The same windows in the same order, out of shards that are opened once each; they lie in files of `folder` and are mapped.

    Cost: files of 4 bytes per event of a window (8 more with times, 4 more with weights, 4 with values, 1 with kinds) and 20 per person, which the system reads and drops as it
    has memory; while they are made, 28 bytes per person, and one shard per worker.

    Args:
        timed: whether times are kept, for a block or an objective that needs them.
        also: further columns that are kept, "kinds" and "values".
    """
    columns, people = Columns(folder), People()
    with columns:
        for part in data.map_shards(Recent(length, timed, also)):
            columns.append("rows", row_of_item[part.items].astype(np.int32))
            if part.times is not None:
                columns.append("times", part.times)
            if part.weights is not None and not columns.has("weights"):
                columns.append("weights", np.ones(people.events, np.float32))  # of the shards before, which have none
            if columns.has("weights"):
                columns.append("weights", np.ones(len(part.items), np.float32) if part.weights is None else part.weights)
            for name, column in part.also.items():
                columns.append(name, column)
            people.append(part)
        for name, column in people.windows():
            columns.append(name, column)
    return opened(folder)


def kept(windows: Sequences, folder: Path) -> Sequences:
    """Windows in files of a folder that other processes can open; nothing of the log but what is in a window."""
    place, stop = ranges(windows.start, windows.lengths), np.cumsum(windows.lengths)
    with Columns(folder) as columns:
        columns.append("rows", windows.rows[place].astype(np.int32))
        for name in ("times", "weights", "kinds", "values"):
            column = getattr(windows, name)
            if column is not None:
                columns.append(name, column[place])
        for name, column in (("start", stop - windows.lengths), ("stop", stop), ("users", windows.users)):
            columns.append(name, column)
    return opened(folder)


def opened(folder: Path) -> Sequences:
    """The windows that `over_shards` or `kept` wrote there, mapped."""
    mapped: dict[str, Any] = {"times": None, "weights": None, **Columns(folder).mapped()}
    return Sequences(**mapped)


@final
@dataclass(frozen=True, eq=False)
class Part:
    """The windows of a shard, one behind the other."""

    items: Int32  # (events,) codes
    times: Int64 | None
    weights: Float32 | None
    lengths: Int64  # (people,)
    users: Int32  # (people,) codes in the whole log
    ids: NDArray[np.uint64]  # (people,) `hashes` of their ids
    also: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (events,) further columns


@final
@dataclass(frozen=True)
class Recent:
    """A function of a shard: the last `length` events of each person who has two."""

    length: int
    timed: bool
    also: tuple[str, ...] = ()

    def __call__(self, shard: Dataset) -> Part:
        stop = shard.indptr[1:]
        start = np.maximum(shard.indptr[:-1], stop - self.length)
        people = np.flatnonzero(stop - start >= 2)
        lengths = (stop - start)[people]
        place, events = ranges(start[people], lengths), shard.events
        return Part(
            events.items[place], events.times[place] if self.timed and events.times is not None else None,
            None if events.weights is None else events.weights[place], lengths, (shard.first_user + people).astype(np.int32),
            hashes(shard.users.ids.gather(people)), {name: events.columns()[name][place] for name in self.also},
        )  # fmt: skip


@final
@dataclass
class People:
    """Whose windows lie where, until all are known and can be put in an order of the ids."""

    lengths: list[Int32] = field(default_factory=list)
    users: list[Int32] = field(default_factory=list)
    ids: list[NDArray[np.uint64]] = field(default_factory=list)
    events: int = 0

    def append(self, part: Part) -> None:
        self.lengths.append(part.lengths.astype(np.int32))
        self.users.append(part.users)
        self.ids.append(part.ids)
        self.events += len(part.items)

    def windows(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """The columns of windows by person."""
        order = np.argsort(_joined(self.ids, np.uint64), kind="stable")
        lengths = _joined(self.lengths, np.int32)
        stop = np.cumsum(lengths, dtype=np.int64)
        yield "stop", stop[order]
        yield "start", (stop - lengths)[order]
        yield "users", _joined(self.users, np.int32)[order]


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])


@final
class Columns:
    """Arrays in files of a folder that grow while they are written, `<name>.<type>`, and are mapped when they are read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._open = ExitStack()

    def __enter__(self) -> Columns:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self._paths().values():  # of a run that was killed
            path.unlink()
        return self

    def __exit__(self, *failure: object) -> None:
        with speaking_of(self.folder):
            self._open.close()

    def has(self, name: str) -> bool:
        return name in self._files

    def append(self, name: str, column: NDArray[Any]) -> None:
        with speaking_of(self.folder):
            if name not in self._files:
                self._files[name] = self._open.enter_context((self.folder / f"{name}.{column.dtype}").open("wb"))
            self._files[name].write(np.ascontiguousarray(column).data)

    def mapped(self) -> Mapping[str, NDArray[Any]]:
        return {name: _mapped(path) for name, path in self._paths().items()}

    def _paths(self) -> dict[str, Path]:
        named = {path.stem: path for path in self.folder.iterdir()}
        return {name: named[name] for name in PARTS if name in named}


def _mapped(path: Path) -> NDArray[Any]:
    dtype = np.dtype(path.suffix[1:])
    return np.memmap(path, dtype, "r").view(np.ndarray) if path.stat().st_size else np.empty(0, dtype)
