"""A log of any size as Parquet files, each row of which is a pure function of its number: what should come of reading it is known.

    python -m benchmarks.scale.generate EVENTS [--out DIR]

Zipf people and items (EVENTS / 30 and EVENTS / 300 of them), one person with a two-hundredth of all events, baskets of three rows at one moment,
one row of a hundred sent twice, one of a thousand bad. Files of a million rows come from any number of processes in any order; `known.json`, which
is written last, says what is in them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.kit.places import CACHE
from vitrina.base.executor import local

ROWS = 1_000_000  # per file
START, SPAN = 1_577_836_800, 3 * 365 * 86_400  # 2020-01-01, three years; seconds
PEOPLE, GOODS = 0.6, 0.9  # Zipf exponents
GIANT = 0.005  # of all events are of one person
BAD = 0.001
LATE = 1_000_000  # a row is sent again at most so many rows later: into the next file too
DIGITS = np.array([f"{number:04d}" for number in range(10_000)], dtype="S4").view("<u4")


@dataclass(frozen=True)
class Known:
    """What is in the files.

    Args:
        rows: all of them.
        bad: rows without a person, an item, or a time that can be one.
        again: good rows whose event came before.
        giant: good rows of the person with most of them, each event once.
        users, items: that have a good row.
    """

    rows: int
    bad: int
    again: int
    giant: int
    users: int
    items: int

    @property
    def events(self) -> int:
        """Good rows, each event once."""
        return self.rows - self.bad - self.again


def sizes(events: int) -> tuple[int, int]:
    """Of the populations of people and items."""
    return max(events // 30, 10), max(events // 300, 10)


def drawn(numbers: np.ndarray, salt: int) -> np.ndarray:
    """A number in [0, 1) per row, by SplitMix64 of the row's number and what is drawn."""
    x = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64((salt * 0xD1B54A32D192ED03) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def zipf(u: np.ndarray, size: int, exponent: float) -> np.ndarray:
    """Ranks below `size` with density rank^-exponent: the inverse of its integral, which needs no table."""
    power = 1 - exponent
    return np.minimum(((u * ((size + 1.0) ** power - 1) + 1) ** (1 / power)).astype(np.int64) - 1, size - 1)


def named(ranks: np.ndarray, size: int) -> np.ndarray:
    """The numbers in ids: the order of ranks doesn't show in them."""
    step = next(prime for prime in (1_000_000_007, 999_999_937) if size % prime)
    return (ranks * step + 12_345) % size


@dataclass(frozen=True)
class Rows:
    """Columns of some rows; `again` is whether the row's event came before."""

    event: np.ndarray
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray  # seconds since 1970; NaN and far future where it is bad
    bad: np.ndarray  # 0 is a good row, 1 has no person, 2 no item, 3 a NaN for its time, 4 a time past all calendars
    again: np.ndarray


def rows(first: int, last: int, events: int, seed: int = 0) -> Rows:
    """Rows of the log from `first` up to `last`. The last row of each hundred repeats one before it, none of which is such a row itself."""
    n_users, n_items = sizes(events)
    event = np.arange(first, last)
    again = event % 100 == 99
    back = (drawn(event[again], seed * 16 + 1) * np.minimum(event[again] // 100, LATE // 100)).astype(np.int64)
    event[again] = (event[again] // 100 - back) * 100 + (drawn(event[again], seed * 16 + 2) * 99).astype(np.int64)
    basket = np.where(drawn(event // 3, seed * 16 + 3) < 0.3, event // 3 * 3, event)
    user = zipf(drawn(basket, seed * 16 + 4), n_users, PEOPLE)
    user[drawn(basket, seed * 16 + 5) < GIANT] = 0
    item = zipf(drawn(event, seed * 16 + 6), n_items, GOODS)
    moment = np.floor(START + (basket + drawn(basket, seed * 16 + 7) * 1000) * (SPAN / events))
    kind = drawn(event, seed * 16 + 8)
    bad = np.where(kind < BAD, (kind * (4 / BAD)).astype(np.int64) + 1, 0)
    return Rows(event, named(user, n_users), named(item, n_items), np.where(bad == 3, np.nan, np.where(bad == 4, 1e17, moment)), bad, again)


def texts(prefix: str, numbers: np.ndarray, missing: np.ndarray) -> pa.StringArray:
    """Ids as text: a prefix and eight digits, from a table of four."""
    width = len(prefix) + 8
    letters = np.empty((len(numbers), width), np.uint8)
    letters[:, : len(prefix)] = np.frombuffer(prefix.encode(), np.uint8)
    high, low = np.divmod(numbers, 10_000)
    letters[:, -8:] = np.stack([DIGITS[high], DIGITS[low]], axis=1).view(np.uint8)
    offsets = pa.py_buffer((np.arange(len(numbers) + 1) * width).astype(np.int32))
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.StringArray.from_buffers(len(numbers), offsets, pa.py_buffer(letters), valid)


def write(first: int, folder: Path, events: int, seed: int) -> tuple[int, int, np.ndarray, np.ndarray, int]:
    """One file; returns its bad rows, its repeated good ones, the people and items of the good ones as bits, and the rows of the giant."""
    part = rows(first, min(first + ROWS, events), events, seed)
    table = pa.table({
        "user": texts("user-", part.user, part.bad == 1), "item": texts("item-", part.item, part.bad == 2), "time": part.time, "event": part.event,
    })  # fmt: skip
    pq.write_table(table, folder / f"{first // ROWS:05d}.parquet", compression="zstd", use_dictionary=["item"])  # type: ignore[arg-type]
    good = part.bad == 0
    seen = []
    for size, codes in zip(sizes(events), (part.user, part.item), strict=True):
        bits = np.zeros(size, bool)
        bits[codes[good]] = True
        seen.append(np.packbits(bits))
    giant = good & ~part.again & (part.user == named(np.zeros(1, np.int64), sizes(events)[0]))
    return int((~good).sum()), int((good & part.again).sum()), *seen, int(giant.sum())


def generate(events: int, folder: Path | None = None, seed: int = 0, workers: int = 2) -> Path:
    """The folder of the log, made where it isn't there yet."""
    folder = folder or CACHE / f"scale_{events}_{seed}"
    if (folder / "known.json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bad, again, giant = 0, 0, 0
    users, items = (np.zeros((size + 7) // 8, np.uint8) for size in sizes(events))
    for its in local(workers).map(partial(write, folder=folder, events=events, seed=seed), range(0, events, ROWS)):
        bad, again, giant, users, items = bad + its[0], again + its[1], giant + its[4], users | its[2], items | its[3]
    known = Known(events, bad, again, giant, *(int(np.bitwise_count(bits).sum()) for bits in (users, items)))
    (folder / "known.json").write_text(json.dumps(asdict(known)), encoding="utf-8")
    return folder


def known(folder: Path) -> Known:
    """What is in the files of a folder."""
    return Known(**json.loads((folder / "known.json").read_text(encoding="utf-8")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=int)
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="a folder of the cache by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.perf_counter()
    folder = generate(given.events, given.out, given.seed)
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {known(folder)}, {size / 1e6:.0f} MB, {given.events / seconds / 1e6:.1f} million rows/s")


if __name__ == "__main__":
    main()
