"""What each person of a tenant did: the log that models were fitted on, and every event that was accepted since, in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.arrays import Int32, Int64
from vitrina.data.dataset import Dataset
from vitrina.service.interned import Interned
from vitrina.service.records import Event
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

SHOWN = "impression"  # what was shown, and not what anybody did
MOST_KINDS = 256  # a kind is one byte
OTHERS = "(other kinds)"  # of what stays out: clients may name as many as they like
ROOM = 8  # events that fit behind a history before its columns are copied
LONG_AGO = np.iinfo(np.int64).min


@final
class Histories:
    """The events of each person, oldest first, in codes of the tenant that each model translates into its own.

    The base is a log as it is: its columns and no more, so that a model reads here what it was fitted on. What comes in later joins the person's
    events by time, also when it comes late; equal times keep the order of arrival. Of a log without real times new events come
    after the log's, in the order of their own times.

    Which kinds of events enter: those that `kinds` names; without it those that have events in the log; and of a log without kinds, or without a log, all
    but "impression", as what was shown is not what anybody did. What stays out is counted in `left_out`.

    A new event has the value that came with it (NaN where none did), the basket of its name, and the weight that most events of its kind have in the log.

    One thread may read while another adds: a history that was taken stays as it is.

    Memory: the log's arrays as they are, some 200 bytes per person and item, and for people with new events all their events once more.

    >>> import vitrina as vt
    >>> histories = Histories.of_log(vt.testing.toy())
    >>> histories.add([Event("1", "purchase", "ann", "jam", 1_800_000_000_000_000, 0), Event("2", "impression", "ann", "tea", 0, 0)])
    1
    >>> [histories.items.texts[code] for code in histories.of("ann").items], dict(histories.left_out)
    (['tea', 'milk', 'tea', 'bread', 'jam'], {'impression': 1})
    """

    def __init__(self, base: _Log, *, kinds: Collection[str] | None = None) -> None:
        self.items = base.items
        self.timed = base.timed
        self.left_out: Counter[str] = Counter()
        self._base = base
        self._kinds = Interned(base.kind_names)
        self._enter = frozenset(kinds) if kinds is not None else base.occurring
        self._own: dict[str, _Own] = {}
        self._writing = threading.Lock()

    @classmethod
    def of_log(cls, data: Dataset | None = None, *, kinds: Collection[str] | None = None) -> Self:
        """Those of a log, or empty ones.

        Args:
            kinds: of the events that enter.
        """
        return cls(_Log.nothing() if data is None else _Log.of(data), kinds=kinds)

    @property
    def kind_names(self) -> tuple[str, ...]:
        """What the kinds of events mean."""
        return tuple(self._kinds.texts)

    @property
    def next_step(self) -> int:
        """The moment after the log, where its times are steps."""
        return self._base.step

    def users(self) -> list[str]:
        """Everybody with events."""
        with self._writing:
            later = [user for user in self._own if self._base.users.code(user) < 0]
        return [user for user in self._base.users if user] + later

    def of(self, user: str) -> Events:
        """The history of a person; empty for a stranger. What was taken doesn't change.

        Cost: some microseconds, whatever its length: the columns are views.
        """
        own = self._own.get(user)
        return self._base.person(user) if own is None else own.events()

    def add(self, events: Sequence[Event]) -> int:
        """Let events count from the next question on; how many entered.

        An event without a person or an item says nothing of anybody.

        Cost: some microseconds per event, and a copy of the person's events where one comes late, or is the first.
        """
        entered = 0
        with self._writing:
            for event in events:
                if event.user is None or event.item is None:
                    continue
                kind = self._kind(event.kind)
                if kind is None:
                    self.left_out[event.kind if event.kind in self.left_out or len(self.left_out) < MOST_KINDS else OTHERS] += 1
                    continue
                own = self._own.get(event.user)
                if own is None:
                    own = self._own[event.user] = _Own(self._base, event.user)
                own.put(event, self.items.add(event.item), kind)
                entered += 1
        return entered

    def know(self, kinds: Sequence[str]) -> None:
        """Tell these kinds apart, as a model does, also before an event of them comes."""
        with self._writing:
            for name in kinds:
                if len(self._kinds) < MOST_KINDS:
                    self._kinds.add(name)

    def erase(self, user: str) -> int:
        """Forget a person; how many events that were."""
        with self._writing:
            count = len(self.of(user))
            self._own.pop(user, None)
            self._base.users.forget(user)
        return count

    def kind_code(self, name: str | None) -> int:
        """The code of a kind; of none, or of one that nobody knows, that of most events of the log."""
        code = -1 if name is None else self._kinds.code(name)
        return self._base.usual_kind if code < 0 else code

    def weight_of(self, kind: int) -> float:
        """What most events of a kind weigh in the log."""
        return self._base.usual.get(kind, 1.0)

    def _kind(self, name: str) -> int | None:
        """The code of a kind whose events enter; None of another."""
        if name == SHOWN if self._enter is None else name not in self._enter:
            return None
        code = self._kinds.code(name)
        if code < 0 and len(self._kinds) < MOST_KINDS:
            code = self._kinds.add(name)
        return None if code < 0 else code

    def to_codes(self, vocabulary: Vocabulary) -> Int32:
        """(codes + 1,) the code that a model has for each code here, -1 for what it doesn't know. Later codes are unknown to it as the last one is."""
        with self._writing:
            own = self.items.added(vocabulary)
            table = np.full(len(self.items) + 1, -1, np.int32)
        table[own[::-1]] = np.arange(len(own), dtype=np.int32)[::-1]
        return table


def occurring_kinds(data: Dataset) -> frozenset[str] | None:
    """The kinds of which a log has events; None where it has no kinds."""
    return None if data.events.kinds is None else frozenset(data.kind_names[kind] for kind in np.flatnonzero(_counts(data.events)))


def usual_weights(events: Events) -> dict[int, float]:
    """The weight that most events of each kind have, by the code of the kind; empty where there are no weights."""
    if events.weights is None:
        return {}
    usual = {}
    for kind in np.flatnonzero(_counts(events)).tolist() or [0]:
        found, times = np.unique(events.weights if events.kinds is None else events.weights[events.kinds == kind], return_counts=True)
        usual[kind] = float(found[times.argmax()]) if len(found) else 1.0
    return usual


def _counts(events: Events) -> Int64:
    """(kinds,) how many events each has."""
    return np.zeros(1, np.int64) if events.kinds is None else np.bincount(events.kinds, minlength=1)


@final
@dataclass(frozen=True, eq=False)
class _Log:
    """What histories begin with.

    Args:
        timed: whether times are real ones.
        step: the first step after the log, where times are steps.
        usual: the weight that most events of a kind have.
        usual_kind: the kind of most events.
        occurring: the kinds that have events; None where events have no kinds.
        first_basket: a number that no basket has, nor has any larger one.
    """

    events: Events
    indptr: Int64
    users: Interned
    items: Interned
    kind_names: tuple[str, ...] = ()
    timed: bool = True
    step: int = 0
    usual: Mapping[int, float] = field(default_factory=dict)
    usual_kind: int = 0
    occurring: frozenset[str] | None = None
    first_basket: int = 0

    @classmethod
    def nothing(cls) -> _Log:
        """No log: events have times, values and kinds."""
        columns = Events(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.uint8))
        return cls(columns, np.zeros(1, np.int64), Interned(), Interned())

    @classmethod
    def of(cls, data: Dataset) -> _Log:
        events = data.events
        return cls(
            events, data.indptr, Interned(data.users.as_text().ids.to_list()), Interned(data.items.as_text().ids.to_list()), data.kind_names,
            timed=data.time_unit == "us" and events.times is not None,
            step=0 if events.times is None else int(events.times.max(initial=-1)) + 1,
            usual=usual_weights(events), usual_kind=int(_counts(events).argmax()), occurring=occurring_kinds(data),
            first_basket=0 if events.baskets is None else int(events.baskets.max(initial=-1)) + 1,
        )  # fmt: skip

    def person(self, user: str) -> Events:
        """What the log has of a person."""
        code = self.users.code(user)
        start, stop = (0, 0) if code < 0 else self.indptr[code : code + 2].tolist()
        return self.events.take(slice(start, stop))


class _Own:
    """The events of one person, with room behind them. `held` is replaced as a whole, and what it shows is never written again."""

    def __init__(self, base: _Log, user: str) -> None:
        begin = base.person(user)
        self.base = base
        self.begin = len(begin)
        self.baskets: dict[str, int] = {}
        columns = begin.columns()
        columns["order"] = begin.times if base.timed and begin.times is not None else np.full(len(begin), LONG_AGO)
        self.held: tuple[dict[str, NDArray[Any]], int] = (
            {name: _with_room(column, len(begin)) for name, column in columns.items()},
            len(begin),
        )

    def events(self) -> Events:
        columns, count = self.held
        return Events(**{name: column[:count] for name, column in columns.items() if name != "order"})

    def put(self, event: Event, item: int, kind: int) -> None:
        columns, count = self.held
        at = int(np.searchsorted(columns["order"][:count], event.time, side="right"))
        if at < count:  # late: what others may be reading stays as it is
            columns = {name: np.insert(column[:count], at, 0) for name, column in columns.items()}
        elif count == len(columns["order"]):
            columns = {name: _with_room(column, count) for name, column in columns.items()}
        row: dict[str, Any] = {
            "items": item, "times": event.time, "order": event.time, "kinds": kind, "weights": self.base.usual.get(kind, 1.0),
            "values": np.nan if event.value is None else event.value, "baskets": self._basket(event.basket),
        }  # fmt: skip
        for name, column in columns.items():
            column[at] = row[name]
        if not self.base.timed and "times" in columns:
            columns["times"][at : count + 1] = self.base.step + np.arange(at, count + 1) - self.begin
        self.held = columns, count + 1

    def _basket(self, name: str | None) -> int:
        """Baskets are told apart within one person; an event without one is alone, as in the log."""
        return -1 if name is None else self.baskets.setdefault(name, self.base.first_basket + len(self.baskets))


def _with_room(column: NDArray[Any], count: int) -> NDArray[Any]:
    wider = np.empty(count + max(ROOM, count // 2), column.dtype)
    wider[:count] = column[:count]
    return wider
