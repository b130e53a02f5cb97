"""A log as a list, to which loads are applied one row after another: what an ingested one is held against."""

from collections import Counter
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Row:
    user: str
    item: str
    time: int
    value: float
    event_id: str
    deleted: bool = False
    version: int = 0
    number: int = -1  # of arrival


@dataclass
class SlowLog:
    """`events` are those that count now; `ever` are all rows that were ever taken."""

    events: list = field(default_factory=list)
    ever: list = field(default_factory=list)
    arrived: int = 0
    counts: Counter = field(default_factory=Counter)  # of the last load

    @property
    def watermark(self):
        return max((row.time for row in self.ever), default=None)

    def _take(self, row):
        row = replace(row, number=self.arrived)
        self.arrived += 1
        self.events.append(row)
        self.ever.append(row)
        self.counts["added"] += 1

    def append(self, rows, lateness=0, ids=True):
        self.counts = Counter()
        bound = None if self.watermark is None else self.watermark - lateness
        known = {row.event_id for row in self.ever if bound is None or row.time > bound}
        for row in rows:
            if bound is not None and row.time <= bound:
                self.counts["late"] += 1
            elif ids and row.event_id in known:
                self.counts["repeated"] += 1
            else:
                known.add(row.event_id)
                self._take(row)

    def upsert(self, rows, versions=False):
        self.counts = Counter()
        last = {}
        for row in rows:
            before = last.get(row.event_id)
            if before is not None:
                self.counts["superseded"] += 1
            if before is None or not versions or row.version >= before.version:
                last[row.event_id] = row
        gone = [row for row in self.events if row.event_id in last]
        self.events = [row for row in self.events if row.event_id not in last]
        held = {row.event_id for row in gone}
        self.counts["replaced"] = sum(not last[row.event_id].deleted for row in gone)
        self.counts["deleted"] = sum(last[row.event_id].deleted for row in gone)
        self.counts["unknown"] = sum(row.deleted and row.event_id not in held for row in last.values())
        for row in rows:
            if last[row.event_id] is row and not row.deleted:
                self._take(row)

    def people(self):
        """The events of each person as (time, item, value), in the order (time, arrival)."""
        found = {}
        for row in sorted(self.events, key=lambda row: (row.time, row.number)):
            found.setdefault(row.user, []).append((row.time, row.item, row.value))
        return found
