"""From positions in the log to a Split: one place that decides about repeats and counts everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from vitrina.base.errors import SplitError
from vitrina.base.kernels import kernel
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.passes import Passes, added, itself
from vitrina.data.sharded import Sharded
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.moments import Moments, begins_alike
from vitrina.data.split.remarks import REPEAT_SHARE, remarks
from vitrina.data.split.shards import Instead, ShardedSplit, TrainOf
from vitrina.data.split.tally import Tally
from vitrina.types import Bool, Eligibility, Events, Float32, Int32, Int64, Queries, Ragged, ranges


@dataclass(frozen=True)
class CandidateQueries:
    """The queries of a split before anything is dropped, in the order (user, moment)."""

    events: Events  # what the histories are views into
    users: Int32  # (queries,)
    start: Int64  # (queries,) histories
    stop: Int64
    now: Int64 | None
    targets: Ragged  # item codes, one row per query, with duplicates
    until: int | None = None  # time of the last target
    uncounted: int = 0  # events that are no targets, since they have a weight of 0 or are dislikes

    @classmethod
    def of_ranges(cls, data: Dataset, users: Int32, stop: Int64, *, now: Int64 | None, first: Int64, last: Int64) -> CandidateQueries:
        """Histories from the user's first event up to `stop`; targets those of `events[first:last]` that count. Without one nobody is asked."""
        place = ranges(first, last - first)
        targets = Ragged.of_lengths(last - first, data.events.items[place])
        times = data.events.times
        until = int(times[last - 1].max()) if times is not None and len(last) else None
        candidates = cls(data.events, users, data.indptr[users], stop, now, targets, until)
        weights = data.events.weights
        return candidates if weights is None or data.events.least_weight > 0 else candidates._only(weights[place] > 0)

    def _only(self, counts: Bool) -> CandidateQueries:
        """With only the targets that count, and only the queries that have one."""
        targets = self.targets.keep(counts)
        kept = np.flatnonzero(targets.lengths)
        return replace(
            self, users=self.users[kept], start=self.start[kept], stop=self.stop[kept], now=None if self.now is None else self.now[kept],
            targets=targets.take(kept), uncounted=int((~counts).sum()),
        )  # fmt: skip


@kernel
def seen_before(items: Int32, start: Int64, stop: Int64, indptr: Int64, targets: Int32, width: int) -> Bool:
    """Whether each target is in the history of its query. Queries are in the order (start, stop)."""
    owner = np.full(width, -1, np.int64)
    seen = np.zeros(len(targets), np.bool_)
    history, scanned = -1, 0
    for q in range(len(start)):
        if q == 0 or start[q] != start[q - 1] or stop[q] < scanned:
            history, scanned = q, start[q]
        while scanned < stop[q]:
            owner[items[scanned]] = history
            scanned += 1
        for j in range(indptr[q], indptr[q + 1]):
            seen[j] = owner[targets[j]] == history
    return seen


@kernel
def disliked_before(items: Int32, weights: Float32, start: Int64, stop: Int64, indptr: Int64, targets: Int32, width: int) -> Bool:
    """Whether a dislike is the last word of the history of its query on each target. Queries are in the order (start, stop)."""
    owner = np.full(width, -1, np.int64)
    refused = np.zeros(len(targets), np.bool_)
    history, scanned = -1, 0
    for q in range(len(start)):
        if q == 0 or start[q] != start[q - 1] or stop[q] < scanned:
            history, scanned = q, start[q]
        while scanned < stop[q]:
            if weights[scanned] != 0:
                owner[items[scanned]] = history if weights[scanned] < 0 else -1
            scanned += 1
        for j in range(indptr[q], indptr[q + 1]):
            refused[j] = owner[targets[j]] == history
    return refused


def repeat_share(data: Dataset) -> float:
    """Of what people took after their first moment, the share that they had taken before; what is taken at one moment counts once. A pass over a log."""
    again, taken = Passes(data, itself).sum(_repeats_in)
    return float(again / max(taken, 1))


def _repeats_in(data: Dataset) -> Int64:
    """How often an item was taken again, and how often any was taken, after the first moment of its user."""
    moments, weights = Moments.of(data), data.events.weights
    counts = np.ones(data.n_events, bool) if weights is None else weights > 0
    return np.array(_repeats(data.events.items, counts, moments.start, moments.stop, moments.user, data.n_items), np.int64)


@kernel
def _repeats(items: Int32, counts: Bool, start: Int64, stop: Int64, users: Int32, width: int) -> tuple[int, int]:
    """How often an item was taken again, and how often any was taken, after the first moment of its user."""
    owner, last = np.full(width, -1, np.int64), np.full(width, -1, np.int64)
    again, taken, user, first = 0, 0, -1, True
    for moment in range(len(start)):
        if users[moment] != user:
            user, first = users[moment], True
        counted = False
        for event in range(start[moment], stop[moment]):
            item = items[event]
            if not counts[event] or last[item] == moment:
                continue
            counted = True
            if not first:
                taken += 1
                again += owner[item] == user
            owner[item], last[item] = user, moment
        first = first and not counted
    return again, taken


@dataclass(frozen=True)
class Piece:
    """What a rule makes of a shard, before anything is decided about repeats: the training part, and when they are wanted the questions.

    Args:
        train: the training part.
        ask: gives the questions, and what the rule itself counted, as numbers that add up over shards.
        log: whose events make the log of this shard.
    """

    train: Dataset
    ask: Callable[[], tuple[CandidateQueries, dict[str, int]]]
    log: tuple[Dataset, ...]


@dataclass(frozen=True)
class Dropped:
    """What went into the split of a shard, and what was dropped: those of shards add up.

    Args:
        counts: sizes of the log, and what was dropped.
        own: what the rule counted.
        held: (items,) whether an item has an event in the log.
        until: the time of the last target.
    """

    counts: dict[str, int]
    own: dict[str, int]
    held: Bool
    until: int | None

    def __add__(self, other: Dropped) -> Dropped:
        ends = [part.until for part in (self, other) if part.until is not None]
        return Dropped(added(self.counts, other.counts), added(self.own, other.own), self.held | other.held, max(ends, default=None))


@dataclass(frozen=True)
class Asked:
    """The split of a shard, and what was dropped for it."""

    split: Split
    dropped: Dropped

    @property
    def train(self) -> Dataset:
        return self.split.train


@dataclass(frozen=True)
class Decided:
    """From the piece of a shard to its split, when it is decided whether repeats are allowed: drop what can't be asked."""

    repeat: bool

    def __call__(self, piece: Piece) -> Asked:
        train, (candidates, own) = piece.train, piece.ask()
        truth = candidates.targets.unique()
        seen, refused = _known_before(candidates, truth, train.n_items)
        reachable = truth if self.repeat and not refused.any() else truth.keep(~refused & (~seen | self.repeat))
        kept = np.flatnonzero(reachable.lengths)
        queries = Queries(
            candidates.events, candidates.start[kept], candidates.stop[kept], train.items, candidates.users[kept],
            now=None if candidates.now is None else candidates.now[kept], kind_names=train.kind_names, people=train.users,
            first_user=train.first_user,
        )  # fmt: skip
        held = np.zeros(train.n_items, bool)
        for part in piece.log:
            held[part.events.items] = True
        people = np.any([np.diff(part.indptr) > 0 for part in piece.log], axis=0)
        counts = {
            "log_events": sum(part.n_events for part in piece.log), "log_users": int(people.sum()),
            "asked": len(candidates.users), "target_events": len(candidates.targets.values), "truth": len(truth.values),
            "seen": int(seen.sum()), "refused": int(refused.sum()), "uncounted": candidates.uncounted,
        }  # fmt: skip
        split = Split(train, queries, reachable.take(kept), Eligibility(repeat=self.repeat))
        return Asked(split, Dropped(counts, own, held, candidates.until))


def _known_before(candidates: CandidateQueries, truth: Ragged, width: int) -> tuple[Bool, Bool]:
    """Whether each target is in the history of its query, and whether a dislike is the last word on it there."""
    events, start, stop = candidates.events, candidates.start, candidates.stop
    seen = seen_before(events.items, start, stop, truth.indptr, truth.values, width)
    if events.weights is None or events.least_weight >= 0:
        return seen, np.zeros(len(seen), bool)
    return seen, disliked_before(events.items, events.weights, start, stop, truth.indptr, truth.values, width)


def assemble(
    pieces: Passes[Piece],
    rule: Rule | None,
    remember: Rule,
    *,
    repeat: bool | None = None,
    item_table: FeatureTable | None = None,
    shares: Callable[[dict[str, int]], dict[str, Any]] = dict,
    **counts: Any,
) -> Split:
    """Decide about repeats, drop what can't be asked, count.

    Args:
        pieces: of the log, by what a rule makes of a shard once what depends on the whole log is settled.
        remember: what the training part applies for validation; it gets the decision about repeats, so that it is the same job.
        repeat: for a split without a rule.
        item_table: what is known of the items in training, of a log in shards; the table of the log where it isn't given.
        shares: makes the counts of the rule, out of what it counted in all shards.
        counts: what else is counted.

    Cost: of a log in shards a pass, another one where repeats are decided from the training part, and one where training goes on after the first query.
    """
    repeat = repeat if rule is None else rule.repeat
    repeats = None
    if repeat is None:
        again, taken = pieces.sum(_repeats_in_training)
        repeats = float(again / max(taken, 1))
    allowed = repeats >= REPEAT_SHARE if repeats is not None else bool(repeat)
    asked = pieces.then(Decided(allowed))
    dropped, tally = reduce(_both, asked.map(_counted))
    if not tally.events or not tally.queries:
        raise _empty(rule, tally.events, dropped.counts["asked"], allowed)
    made = asked.then(_split_of)
    train = _whole_train(pieces, tally, item_table).changed(rule=remember.model_copy(update={"repeat": allowed}))
    counts = _counts(dropped, tally, allowed, rule) | {"repeat_decided": repeat is None, "train_repeats_share": repeats} | _cold(tally) | _late(train, tally) | shares(dropped.own) | counts  # fmt: skip
    fields: dict[str, Any] = {"rule": rule, "counts": counts, "warnings": remarks(counts, allowed, tally.queries)}
    if isinstance(train, Sharded):
        split: Split = ShardedSplit(made, train, eligible=Eligibility(repeat=allowed), **fields)
    else:
        split = made.held.changed(train=train, **fields)
    vars(split)["tally"] = tally
    return split


def _whole_train(pieces: Passes[Piece], tally: Tally, item_table: FeatureTable | None) -> Dataset:
    """The training part: of a log in shards one whose shards are cut when they are opened."""
    if pieces.data.in_memory:
        return pieces.held.train
    assert isinstance(pieces.data, Sharded)
    latest = None if tally.trained is None else tally.trained[1]
    table = pieces.data.item_table if item_table is None else item_table
    return pieces.data.mapped(TrainOf(pieces.prepare), item_table=table, n_events=tally.events, n_users=tally.users, latest=latest)


def _repeats_in_training(piece: Piece) -> Int64:
    return _repeats_in(piece.train)


def _split_of(asked: Asked) -> Split:
    return asked.split


def _counted(asked: Asked) -> tuple[Dropped, Tally]:
    return asked.dropped, Tally.of(asked.split)


def _both(one: tuple[Dropped, Tally], other: tuple[Dropped, Tally]) -> tuple[Dropped, Tally]:
    return one[0] + other[0], one[1] + other[1]


def _counts(dropped: Dropped, tally: Tally, repeat: bool, rule: Rule | None) -> dict[str, Any]:
    of = dropped.counts
    return {
        "log_events": of["log_events"],
        "log_users": of["log_users"],
        "log_items": int(dropped.held.sum()),
        "target_events": of["target_events"],
        "duplicate_targets": of["target_events"] - of["truth"],
        "seen_targets": of["seen"],
        "seen_targets_share": of["seen"] / of["truth"] if of["truth"] else 0.0,
        "seen_targets_dropped": 0 if repeat else of["seen"],
        "disliked_targets_dropped": of["refused"] if repeat else 0,
        "uncounted_targets": of["uncounted"],
        "queries_without_truth": of["asked"] - tally.queries,
        "tie_breaks_share": None if rule is None else 0.0,  # whoever asks about a whole moment has none
        "events_not_used": of["log_events"] - tally.events - of["target_events"] - of["uncounted"],
        "test_stop": dropped.until,
    }


def strictly(rule: Rule, split: Split) -> Split:
    """The split without its validation part in training: what `split.train.holdout()` asks about is never learned.

    Models are fitted on the training part of the holdout, both for validation and for the test; the test is asked as before, with the events
    of the validation part in its histories.

    Args:
        rule: that asked for it, which the result names.
        split: what the rule makes otherwise.

    Raises:
        SplitError: the training part is too small for a validation part.

    Cost: of a log in shards the passes of the holdout, and one or two more.
    """
    try:
        validation = split.train.holdout()
    except SplitError as error:
        raise SplitError(f"{rule} finds no validation part before its test part. {error}") from None
    remembered = validation.train.rule
    assert remembered is not None
    train = validation.train.changed(rule=remembered.model_copy(update={"strict": True}))
    fields: dict[str, Any] = {"train": train, "rule": rule, "validation": validation.changed(train=train)}
    if isinstance(split, ShardedSplit) and isinstance(validation, ShardedSplit):
        fields["made"] = Passes(split.made.data, Instead(split.made.prepare, validation.made.prepare))
    strict = split.changed(**fields)
    unused = split.counts["events_not_used"] + validation.counts["events_not_used"]
    counts = split.counts | _cold(strict.tally) | _late(train, strict.tally) | {"events_not_used": unused}
    return strict.changed(counts=counts, warnings=remarks(counts, split.eligible.repeat, strict.n_queries))


def _cold(tally: Tally) -> dict[str, Any]:
    return {
        "busiest_user": tally.busiest[1],
        "busiest_share": tally.busiest[0] / tally.queries,
        "cold_targets": tally.cold,
        "cold_targets_share": tally.cold / tally.targets,
        "cold_items": tally.cold_items,
        "test_users": tally.people,
        "test_items": tally.items,
        "new_users": tally.new,
        "new_users_share": tally.new / tally.people,
        "queries_without_history": tally.without_history,
        "queries_without_history_share": tally.without_history / tally.queries,
    }


def _late(train: Dataset, tally: Tally) -> dict[str, Any]:
    """Training events at or after the first query: what a model would not have had."""
    if tally.trained is None or tally.now is None or begins_alike(tally.beginnings, train.time_unit):
        return {}
    late = 0 if tally.trained[1] < tally.now[0] else sum(train.map_shards(After(tally.now[0])))
    return {"late_train_events": late, "late_train_events_share": late / tally.events}


@dataclass(frozen=True)
class After:
    """How many events of a shard are at or after a moment."""

    moment: int

    def __call__(self, shard: Dataset) -> int:
        return 0 if shard.events.times is None else int((shard.events.times >= self.moment).sum())


def _empty(rule: Rule | None, train_events: int, asked: int, repeat: bool) -> SplitError:
    made = "The published split" if rule is None else f"The rule {rule}"
    if not train_events:
        return SplitError(f"{made} leaves no training events. Move the cut to a later date or take a smaller test part.")
    if asked and not repeat:
        return SplitError(f"{made} leaves no targets: people had taken every one of them before. Set repeat=true.")
    return SplitError(
        f"{made} leaves no queries: nobody has both a target and what it needs before it. {rule.remedy if rule else Rule.remedy}"
    )
