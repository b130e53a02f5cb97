"""What was shown and what happened lately, as tables: read in a thread, bounded, and forgotten after some seconds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from vitrina.base.time import DAY
from vitrina.service.console.words import now

if TYPE_CHECKING:
    from vitrina.service.store.store import Store

DAYS = 7
MOST = 100_000  # rows of each table: the latest
SECONDS = 10  # that a table is looked at again; then nothing of it is left in memory, so that who is erased is gone from here, too
EVENTS = {
    "sequence": pl.Int64, "kind": pl.String, "user": pl.String, "item": pl.String, "time": pl.Int64, "received": pl.Int64, "recommendation_id": pl.String,
}  # fmt: skip
After = Callable[[int], Iterator[pl.DataFrame]]  # the tables after a sequence
SHOWN = {
    "recommendation_id": pl.String, "time": pl.Int64, "scenario": pl.String, "version": pl.String, "user": pl.String, "session": pl.String,
    "experiment": pl.String, "variant": pl.String, "position": pl.Int64, "item": pl.String, "source": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Window:
    """What one tenant's people were shown and did.

    Args:
        events: a row per event, in the order in which they came.
        shown: a row per place of an answer.
        since, until: microseconds since 1970; `since` is later than `DAYS` ago where there were more than `MOST` rows.
        cut: whether there were.
    """

    events: pl.DataFrame
    shown: pl.DataFrame
    since: int
    until: int
    cut: bool = False

    @property
    def hours(self) -> float:
        return (self.until - self.since) / 3.6e9


class Windows:
    """The windows of the tenants; many who look at once read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading: dict[str, asyncio.Task[Window]] = {}

    async def of(self, tenant: str) -> Window:
        """The window of a tenant, at most `SECONDS` old.

        Raises:
            StoreUnavailableError: the database doesn't answer.
        """
        task = self._reading.get(tenant)
        if task is None:
            task = self._reading[tenant] = asyncio.create_task(asyncio.to_thread(read, self._store, tenant))
            task.add_done_callback(lambda _: asyncio.get_running_loop().call_later(SECONDS, self._reading.pop, tenant, None))
        return await asyncio.shield(task)


def read(store: Store, tenant: str, until: int | None = None) -> Window:
    """The latest rows of a tenant.

    Cost: reading about `MOST` rows of each table, and some tables of 10,000 to find where they begin, however many there are.
    """
    until = now() if until is None else until
    since = until - DAYS * DAY
    events, more_events = _latest(lambda after: store.events(tenant, after, since), "received", since, EVENTS)
    shown, more_shown = _latest(lambda after: store.shown(tenant, since, after), "time", since, SHOWN)
    starts = [frame[time].min() for frame, time, more in ((events, "received", more_events), (shown, "time", more_shown)) if more]
    since = max([since, *(int(start) for start in starts if start is not None)])  # type: ignore[call-overload]
    return Window(
        events.filter(pl.col("received") >= since), shown.filter(pl.col("time") >= since), since, until, more_events or more_shown
    )


def _latest(after: After, time: str, since: int, schema: dict[str, pl.DataType]) -> tuple[pl.DataFrame, bool]:
    """The last `MOST` rows that are not older than `since`, and whether there were more of those; parts that are too much go at once."""
    kept: deque[pl.DataFrame] = deque()
    start = _start(after)
    rows, more = 0, start > 0
    for part in after(start):
        young = part.filter(pl.col(time) >= since).select(*schema)
        kept.append(young)
        rows += young.height
        while rows - kept[0].height >= MOST:
            rows -= kept.popleft().height
            more = True
    frame = pl.concat(kept) if kept else pl.DataFrame(schema=schema)
    return frame.tail(MOST), more or rows > MOST


def _start(after: After) -> int:
    """A sequence after which there are at least `MOST` rows and not many more; 0 where there are fewer. Rows have one sequence each, or several share one."""
    low, high = 0, MOST
    while next(after(high), None) is not None:
        low, high = high, 2 * high
    while high - low > MOST // 8:  # the last row is somewhere between
        middle = (low + high) // 2
        low, high = (middle, high) if next(after(middle), None) is not None else (low, middle)
    return max(low - MOST, 0)
