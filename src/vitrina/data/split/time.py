"""Cut everything at one moment of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from vitrina.base.config import MOST_DAYS
from vitrina.base.errors import ParameterError, SplitError
from vitrina.base.time import DAY, microseconds
from vitrina.data.dataset import Dataset
from vitrina.data.passes import Passes, itself, span_of
from vitrina.data.split.assemble import After, CandidateQueries, Piece, assemble, strictly
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.draws import drawn, smallest
from vitrina.data.split.moments import Moments, steps_are_per_user
from vitrina.data.split.summary import moment
from vitrina.types import Bool, Int64

Target = Literal["successive", "last", "first", "random", "all", "basket"]


def _dated(given: Any) -> Any:
    """ISO text and dates as moments; what is neither, nor a whole number, is left for the check of types."""
    if isinstance(given, date) and not isinstance(given, datetime):
        return datetime(given.year, given.month, given.day)
    try:
        return datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError("it must be a whole number, or a date like 2024-01-31 or 2024-01-31T18:30") from None


Moment = Annotated[datetime | int, BeforeValidator(_dated)]


class GlobalTime(Rule):
    """Train on what happened before one moment, ask about what happened from it on: nothing of the future reaches the model.

    What a person did at one time stamp or step, or in one basket, is ONE query, asked at that moment with everything strictly before it as
    history (also what came after the cut). "successive" agrees best with how a service is used; of the single-target rules, "random"
    keeps nearly the same order of models and "first" or "all" do not ([Gusak et al. 2025](https://arxiv.org/abs/2507.16289)).

    Args:
        at: the cut, as a date (UTC), or as a number in the unit of the log's times.
        days: the length of the test part, up to `until`.
        quantile: the share of events before the cut. 0.9 when none of the three is given.
        target: "successive": every moment after the cut; "first", "last" or "random": one of them a person; "all": one query a person
            at the cut, about everything after it; "basket": every basket after the cut (needs a basket column).
        until: the end of the test part (exclusive); events from it on are left out. By default the end of the log.
        repeat: may items of the history be recommended again; None decides from the training part.
        seed: for "random", which is drawn by the place of a person in the log.
        strict: train only on what is before a validation part, which has the length of the test part and lies just before it; models are
            tuned and stopped there, and not fitted again with it (`Split.validation`).
    Raises:
        ParameterError: more than one of `at`, `days` and `quantile`.
        SplitError: the log has no times, or no baskets for "basket"; or one of the two parts is empty.
    Cost: a few passes over the log; a few seconds for 20 million events. Of a log in shards a pass for its span of time, two for a quantile, and those
    of every split: one, another where repeats are decided.

    What is known of the items is what was known before the cut, where loads have kept versions of the table (`Dataset.item_table_at`).

    `train.holdout()` cuts a part of the same length (or quantile) just before the cut, with the same target.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.GlobalTime(quantile=0.7))
    >>> split
    Split(GlobalTime(quantile=0.7): 14 training events, 6 queries, 6 targets)
    >>> split.train.holdout()
    Split(GlobalTime(repeat=True, quantile=0.7): 9 training events, 5 queries, 5 targets)
    """

    at: Moment | None = None
    days: int | float | None = Field(default=None, gt=0, le=MOST_DAYS)
    quantile: float | None = Field(default=None, gt=0, lt=1)
    target: Target = "successive"
    until: Moment | None = None
    seed: int = Field(default=0, ge=0)
    strict: bool = False

    def model_post_init(self, _: object) -> None:
        given = [name for name in ("at", "days", "quantile") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ParameterError(f"GlobalTime takes one of 'at', 'days' and 'quantile'. Got {' and '.join(given)}.")

    @property
    def asks_at_target(self) -> bool:
        return self.target != "all"

    def apply(self, data: Dataset) -> Split:
        if self.strict:
            return strictly(self, self.model_copy(update={"strict": False}).apply(data))
        span = self._span(data)
        until = span.last + 1 if self.until is None else _moment(self.until, data)
        at = self._cut(span, until, data)
        if at > span.last:
            end = moment(span.last, data.time_unit)
            raise SplitError(f"{self} leaves nothing to ask: the log ends at {end}. Move the cut to an earlier time.")
        pieces = Passes(data, CutAt(at, until, self.target, self.seed))
        counts = {"test_start": at, "per_user_steps": steps_are_per_user(data)}
        return assemble(pieces, self, self._before(at, until, data), item_table=data.item_table_at(at - 1), **counts)

    def _span(self, data: Dataset) -> Span:
        span = Passes(data, itself).sum(Span.of)
        if not span.timed:
            raise SplitError(f"GlobalTime needs times, and {data!r} has none. Read the log with time=..., or use LeaveOneOut().")
        if not span.events:
            raise SplitError(f"There is nothing to split: {data!r} is empty.")
        if span.first == span.last:
            raise SplitError(
                f"{self} can't cut {data!r}: all events have one time, {moment(span.first, data.time_unit)}. Use LeaveOneOut(), which goes "
                "by the order of rows."
            )
        if self.days is not None and data.time_unit != "us":
            raise SplitError("GlobalTime(days=...) needs real time stamps, and this log has only an order. Use quantile=... instead.")
        if self.target == "basket" and not span.baskets:
            raise SplitError(
                'GlobalTime(target="basket") needs baskets, and the log has no basket column. Read it with basket=..., '
                'or use target="successive", which takes what shares a time stamp as one.'
            )
        return span

    def _cut(self, span: Span, until: int, data: Dataset) -> int:
        if self.at is not None:
            return _moment(self.at, data)
        if self.days is not None:
            return until - round(self.days * DAY)
        events = span.events if until > span.last else span.events - sum(data.map_shards(After(until)))
        if not events:
            raise SplitError(f"No event of {data!r} is before the end {self.until} of the test part. Move 'until' to a later date.")
        place = min(int((0.9 if self.quantile is None else self.quantile) * events), events - 1)
        return smallest(data, times_of, place, (span.first, span.last), span.events)

    def _before(self, cut: int, until: int, data: Dataset) -> GlobalTime:
        """The same rule, for the part just before the cut."""
        if self.at is not None:
            return self.model_copy(update={"at": typed(2 * cut - until, data), "until": typed(cut, data)})
        return self.model_copy(update={"until": typed(cut, data) if self.days is not None else None})


@dataclass(frozen=True)
class Span:
    """The events of a shard and of which times they are, for what is settled of a whole log."""

    events: int
    first: int
    last: int
    timed: bool
    baskets: bool

    @classmethod
    def of(cls, shard: Dataset) -> Span:
        first, last = span_of(shard.events.times) or (0, 0)
        return cls(shard.n_events, first, last, shard.events.times is not None, shard.events.baskets is not None)

    def __add__(self, other: Span) -> Span:
        ends = [(part.first, part.last) for part in (self, other) if part.events] or [(0, 0)]
        first, last = min(first for first, _ in ends), max(last for _, last in ends)
        return Span(self.events + other.events, first, last, self.timed or other.timed, self.baskets or other.baskets)


def times_of(shard: Dataset) -> Int64:
    """(events,) the times of a shard that has them."""
    assert shard.events.times is not None
    return shard.events.times


@dataclass(frozen=True)
class CutAt:
    """GlobalTime on a shard, with the cut and the end of the test part settled."""

    at: int
    until: int
    target: Target
    seed: int

    def __call__(self, data: Dataset) -> Piece:
        keep = times_of(data) < self.at
        return Piece(data.select(keep, item_table=data.item_table_at(self.at - 1)), partial(self._ask, data, keep), (data,))

    def _ask(self, data: Dataset, keep: Bool) -> tuple[CandidateQueries, dict[str, int]]:
        times, moments = times_of(data), Moments.of(data)
        begins = times[moments.start]
        straddling = (begins < self.at) & (times[moments.stop - 1] >= self.at)
        after = (begins >= self.at) & (begins < self.until) & moments.counted(data)
        if self.target == "basket":
            assert data.events.baskets is not None
            after &= moments.with_basket(data.events.baskets)
        return self._asked(data, moments.take(after), keep), {"straddling_baskets": int(straddling.sum())}

    def _asked(self, data: Dataset, after: Moments, keep: Bool) -> CandidateQueries:
        times = times_of(data)
        if self.target == "all":
            first, last = after.take(after.first_of_user), after.take(after.last_of_user)
            before = np.zeros(data.n_events + 1, np.int64)
            np.cumsum(keep, out=before[1:])
            users = first.user
            history = data.indptr[users] + before[data.indptr[users + 1]] - before[data.indptr[users]]
            return CandidateQueries.of_ranges(
                data, users, history, now=np.full(len(users), self.at, np.int64), first=first.start, last=last.stop
            )
        chosen = after.take(self._chosen(after, data))
        return CandidateQueries.of_ranges(data, chosen.user, chosen.start, now=times[chosen.start], first=chosen.start, last=chosen.stop)

    def _chosen(self, after: Moments, data: Dataset) -> Bool:
        if self.target == "first":
            return after.first_of_user
        if self.target == "last":
            return after.last_of_user
        if self.target != "random":
            return np.ones(len(after), bool)
        counts = np.bincount(after.user, minlength=len(data.users))
        wanted = np.floor(drawn(self.seed, data.first_user, len(data.users)) * counts).astype(np.int64)
        place = np.arange(len(after)) - (np.cumsum(counts) - counts)[after.user]
        return place == wanted[after.user]


def _moment(value: datetime | int, data: Dataset) -> int:
    """A cut in the unit of the log's times; dates without a zone are UTC."""
    if isinstance(value, int):
        return value
    if data.time_unit != "us":
        raise SplitError(f"GlobalTime(at={value}) needs real time stamps, and this log has only an order. Give a number, or quantile=...")
    return microseconds(value)


def typed(time: int, data: Dataset) -> datetime | int:
    """A time as people would write it into a rule."""
    return datetime(1970, 1, 1) + timedelta(microseconds=time) if data.time_unit == "us" else time
