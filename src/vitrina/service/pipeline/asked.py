"""Query enrichment: from requests to queries with histories, facts of people, context and the moment of asking."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.arrays import Int64
from vitrina.base.errors import ParameterError
from vitrina.base.ids import id_text
from vitrina.ranking.heads import WEIGHT
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.moments import seconds_of
from vitrina.types import Eligibility, Events, Int32, Queries
from vitrina.vocabulary import Vocabulary
from vitrina.wire import HistoryItem, RecommendRequest

DIVERSITY = "diversity"
MOST_READ = 10_000  # events of a history that models read, the newest: one person with a million would be half a second of everybody's time
FEW = 3  # ids that a note names
FARTHEST = 2**43  # seconds since 1970 whose microseconds are a whole number of 64 bits
NOTHING = np.empty(0, np.int32)


@dataclass(eq=False)
class Asked:
    """One request on its way: what it is about, in codes of the model.

    Args:
        request: as it came.
        user: the id of who asks.
        history: all that they did, of what the model knows.
        context: what is said of who asks, and of the request.
        settings: what the request changes.
        before: what was seen, or disliked, in the part of a long history that isn't read.
        candidates: nothing else may be shown, where the request names any.
        exclude: may not be shown.
        notes: for the client.
    """

    request: RecommendRequest
    user: str | None
    history: Events
    now: int | None
    context: Mapping[str, Any]
    settings: Mapping[str, float]
    before: Int32
    candidates: Int32
    exclude: Int32
    notes: list[str]


@final
class Enrichment:
    """The first stage, for the model of one version.

    Of a history of more than 10,000 events models read the newest 10,000; what was seen or disliked before them isn't shown all the same.

    Args:
        repeat: may items of the history come back, where a request doesn't say.
    """

    def __init__(self, histories: Histories, people: Facts, vocabulary: Vocabulary, *, repeat: bool) -> None:
        self.histories, self.people, self.vocabulary, self.repeat = histories, people, vocabulary, repeat
        self.to_model = histories.to_codes(vocabulary)
        self.same = bool((self.to_model[: len(vocabulary)] == np.arange(len(vocabulary))).all())

    def codes(self, ids: Iterable[Any], what: str, notes: list[str]) -> Int32:
        """Items that a request names, in codes of the model; those that it doesn't know are left out and noted."""
        texts = [id_text(id) or "" for id in ids]
        codes = self._known(self.histories.items.codes(texts))
        strange = [text for text, code in zip(texts, codes.tolist(), strict=True) if code < 0] if codes.min(initial=0) < 0 else []
        if strange:
            shown = ", ".join(map(repr, strange[:FEW])) + (" and more" if len(strange) > FEW else "")
            notes.append(f"The model doesn't know {len(strange):,} of the {len(texts):,} ids in {what!r}: {shown}.")
            codes = codes[codes >= 0]
        return codes

    def _known(self, items: Int32) -> Int32:
        return self.to_model[np.minimum(items, len(self.to_model) - 1)] if len(items) else items

    def asked(self, request: RecommendRequest, clock: int) -> Asked:
        """One request with all that is known of it.

        Raises:
            ParameterError: a time of the given history is none, or the id of the person.
        """
        user = None if request.user is None else id_text(request.user)
        known, before = self.histories.of("" if user is None else user), NOTHING
        if len(known) > MOST_READ:
            before = self._seen(known, repeat=self.repeat if request.repeat is None else request.repeat)
            known = known.take(slice(len(known) - MOST_READ, None))
        history, newest = self._translated(known), _newest(known)
        notes: list[str] = []
        if request.history:
            given = self._given(request.history, known, clock, notes)
            history = _joined(history, given)
            newest = max(newest, _newest(given))
        facts = self.people.of(user) if user is not None else {}
        context = {name: value for name, value in {**facts, **request.context}.items() if value is not None}
        settings = {} if request.diversity is None else {DIVERSITY: request.diversity}
        settings |= {WEIGHT + name: weight for name, weight in (request.weights or {}).items()}
        now = max(clock if self.histories.timed else self.histories.next_step, newest + 1)
        return Asked(
            request, user, history, None if known.times is None else now, context, settings, before,
            self.codes(request.candidates, "candidates", notes) if request.candidates else NOTHING,
            self.codes(request.exclude, "exclude", notes) if request.exclude else NOTHING, notes,
        )  # fmt: skip

    def _seen(self, events: Events, *, repeat: bool) -> Int32:
        """What may not be shown because of these events, each item once."""
        one = np.array([len(events)])
        banned = Eligibility(repeat=repeat).banned(Queries(events, one * 0, one, self.vocabulary, np.full(1, -1, np.int32))).values
        mask = np.zeros(int(banned.max(initial=-1)) + 1, np.bool_)
        mask[banned] = True
        codes = self._known(np.flatnonzero(mask).astype(np.int32))
        return codes[codes >= 0]

    def _translated(self, events: Events) -> Events:
        if self.same and events.items.max(initial=0) < len(self.vocabulary):
            return events
        codes = self._known(events.items)
        if codes.min(initial=0) < 0:
            events = events.take(codes >= 0)
            codes = codes[codes >= 0]
        return replace(events, items=codes)

    def _given(self, history: Sequence[HistoryItem | Any], known: Events, clock: int, notes: list[str]) -> Events:
        """The history that a request tells, in the columns that histories have."""
        items = [one if isinstance(one, HistoryItem) else HistoryItem(one) for one in history]
        codes = self._known(self.histories.items.codes([id_text(one.item) or "" for one in items]))
        self.codes([one.item for one in items], "history", notes)
        times, before = [], max(_newest(known), -1 if self.histories.timed else self.histories.next_step - 1)
        for one in items:  # one that says no time was just now, and none was before what is known
            at = clock if one.time is None else _micros(one.time)
            before = max(before, at) if self.histories.timed else before + 1
            times.append(before)
        kinds = np.array([self.histories.kind_code(one.kind) for one in items], np.uint8)
        strange = sorted({one.kind for one in items if one.kind is not None and one.kind not in self.histories.kind_names})
        if strange and known.kinds is not None:
            notes.append(f"No event has the kind {', '.join(map(repr, strange[:FEW]))} of 'history'.")
        columns: dict[str, NDArray[Any]] = {
            "items": codes, "times": np.array(times, np.int64), "kinds": kinds, "values": np.array([np.nan if one.value is None else one.value for one in items], np.float32),
            "baskets": np.full(len(items), -1, np.int32), "weights": np.array([self.histories.weight_of(kind) for kind in kinds.tolist()], np.float32),
        }  # fmt: skip
        return Events(**{name: columns[name][codes >= 0] for name in known.columns()})

    def queries(self, asked: Sequence[Asked]) -> Queries:
        """The queries of requests that say the same things of who asks, each with its own history."""
        histories = [one.history for one in asked]
        lengths = np.array([len(history) for history in histories], np.int64)
        stop = np.cumsum(lengths)
        events = histories[0]
        if len(histories) > 1:
            names = events.columns()
            events = Events(**{name: np.concatenate([getattr(history, name) for history in histories]) for name in names})
        named = [at for at, one in enumerate(asked) if one.user is not None]
        users = np.full(len(asked), -1, np.int32)
        users[named] = np.arange(len(named), dtype=np.int32)
        ids = [one.user for one in asked]
        texts = [one.request.text for one in asked]
        return Queries(
            events, stop - lengths, stop, self.vocabulary, users, now=_moments(asked), context=_context(asked), kind_names=self.histories.kind_names,
            people=Vocabulary(pl.Series("id", [id for id in ids if id is not None], dtype=pl.String)), labels=pl.Series("user_id", ids, dtype=pl.String),
            texts=None if texts[0] is None else pl.Series("text", texts, dtype=pl.String),
        )  # fmt: skip


def unread(one: Asked, settings: Collection[str]) -> list[str]:
    """What a request changes that nothing reads, in sentences.

    Args:
        settings: what is read.
    """
    return [f"Nothing in this scenario reads {_said_as(name)}, which changes nothing." for name in one.settings if name not in settings]


def _said_as(setting: str) -> str:
    """What a request calls a setting.

    >>> _said_as("diversity"), _said_as("weight_bought")
    ("'diversity'", "the weight of 'bought'")
    """
    return f"the weight of {setting.removeprefix(WEIGHT)!r}" if setting.startswith(WEIGHT) else repr(setting)


def _newest(events: Events) -> int:
    return -1 if events.times is None or not len(events.times) else int(events.times[-1])


def _joined(first: Events, then: Events) -> Events:
    return Events(**{name: np.concatenate([column, getattr(then, name)]) for name, column in first.columns().items()})


def _moments(asked: Sequence[Asked]) -> Int64 | None:
    moments = [one.now for one in asked if one.now is not None]
    return np.array(moments, np.int64) if len(moments) == len(asked) else None


def _context(asked: Sequence[Asked]) -> pl.DataFrame | None:
    columns = {name: pl.Series(name, [one.context[name] for one in asked]) for name in asked[0].context}
    for name in dict.fromkeys(name for one in asked for name in one.settings):
        columns[name] = pl.Series(name, [one.settings.get(name) for one in asked], dtype=pl.Float64)
    return pl.DataFrame(columns) if columns else None


def _micros(time: str | float) -> int:
    """A moment of a request in microseconds since 1970.

    Raises:
        ParameterError: it is none.
    """
    try:
        seconds = seconds_of(time)
    except ValueError as error:
        raise ParameterError(f"{error}.", parameter="time") from None
    if not abs(seconds) <= FARTHEST:  # not a number, too
        raise ParameterError(f"The time {time!r} is no moment: numbers are seconds since 1970.", parameter="time")
    return round(seconds * 1_000_000)
