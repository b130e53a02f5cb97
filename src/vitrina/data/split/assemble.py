"""From positions in the log to a Split: one place that decides about repeats and counts everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vitrina.base.errors import SplitError
from vitrina.base.kernels import kernel
from vitrina.data.dataset import Dataset
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.moments import Moments, steps_are_per_user
from vitrina.data.split.remarks import REPEAT_SHARE, remarks
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
    """Of what people took after their first moment, the share that they had taken before; what is taken at one moment counts once."""
    moments, weights = Moments.of(data), data.events.weights
    counts = np.ones(data.n_events, bool) if weights is None else weights > 0
    again, taken = _repeats(data.events.items, counts, moments.start, moments.stop, moments.user, data.n_items)
    return again / max(taken, 1)


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


def assemble(
    train: Dataset,
    candidates: CandidateQueries,
    log: dict[str, int],
    rule: Rule | None,
    remember: Rule,
    *,
    repeat: bool | None = None,
    **counts: Any,
) -> Split:
    """Drop what can't be asked, decide about repeats, count.

    Args:
        log: sizes of the whole log.
        remember: what the training part applies for validation; it gets the decision about repeats, so that it is the same job.
        repeat: for a split without a rule.
        counts: what the rule itself counted.
    """
    repeat = repeat if rule is None else rule.repeat
    truth = candidates.targets.unique()
    seen = seen_before(candidates.events.items, candidates.start, candidates.stop, truth.indptr, truth.values, train.n_items)
    repeats = repeat_share(train) if repeat is None else None
    allowed = repeats >= REPEAT_SHARE if repeats is not None else bool(repeat)
    refused = np.zeros(len(seen), bool)
    if candidates.events.weights is not None and candidates.events.least_weight < 0:
        log_so_far = candidates.events.items, candidates.events.weights, candidates.start, candidates.stop
        refused = disliked_before(*log_so_far, truth.indptr, truth.values, train.n_items)
    reachable = truth if allowed and not refused.any() else truth.keep(~refused & (~seen | allowed))
    kept = np.flatnonzero(reachable.lengths)
    if not train.n_events or not len(kept):
        raise _empty(rule, train, len(candidates.users), allowed)
    queries = Queries(
        candidates.events, candidates.start[kept], candidates.stop[kept], train.items, candidates.users[kept],
        now=None if candidates.now is None else candidates.now[kept], kind_names=train.kind_names, people=train.users,
        first_user=train.first_user,
    )  # fmt: skip
    train = train.changed(rule=remember.model_copy(update={"repeat": allowed}))
    truth_kept = reachable.take(kept)
    counts = {f"log_{name}": size for name, size in log.items()} | {
        "target_events": len(candidates.targets.values),
        "duplicate_targets": len(candidates.targets.values) - len(truth.values),
        "seen_targets": int(seen.sum()),
        "seen_targets_share": float(seen.mean()) if len(seen) else 0.0,
        "seen_targets_dropped": 0 if allowed else int(seen.sum()),
        "disliked_targets_dropped": int(refused.sum()) if allowed else 0,
        "uncounted_targets": candidates.uncounted,
        "queries_without_truth": len(candidates.users) - len(kept),
        "repeat_decided": repeat is None,
        "train_repeats_share": repeats,
        "tie_breaks_share": None if rule is None else 0.0,  # whoever asks about a whole moment has none
        "events_not_used": log["events"] - train.n_events - len(candidates.targets.values) - candidates.uncounted,
        "test_stop": candidates.until,
    } | _cold(train, queries, truth_kept) | _late(train, queries) | counts  # fmt: skip
    return Split(train, queries, truth_kept, Eligibility(repeat=allowed), rule, counts, remarks(counts, allowed, len(queries)))


def strictly(rule: Rule, split: Split) -> Split:
    """The split without its validation part in training: what `split.train.holdout()` asks about is never learned.

    Models are fitted on the training part of the holdout, both for validation and for the test; the test is asked as before, with the events
    of the validation part in its histories.

    Args:
        rule: that asked for it, which the result names.
        split: what the rule makes otherwise.

    Raises:
        SplitError: the training part is too small for a validation part.
    """
    try:
        validation = split.train.holdout()
    except SplitError as error:
        raise SplitError(f"{rule} finds no validation part before its test part. {error}") from None
    remembered = validation.train.rule
    assert remembered is not None
    train = replace(validation.train, rule=remembered.model_copy(update={"strict": True}))
    unused = split.counts["events_not_used"] + validation.counts["events_not_used"]
    counts = split.counts | _cold(train, split.queries, split.truth) | _late(train, split.queries) | {"events_not_used": unused}
    warnings = remarks(counts, split.eligible.repeat, len(split.queries))
    return replace(split, train=train, rule=rule, counts=counts, warnings=warnings, validation=replace(validation, train=train))


def sizes(data: Dataset) -> dict[str, int]:
    """Events, users and items with events of a whole log."""
    return {"events": data.n_events, "users": data.n_users, "items": int(np.count_nonzero(np.bincount(data.events.items)))}


def _cold(train: Dataset, queries: Queries, truth: Ragged) -> dict[str, Any]:
    warm_items = np.zeros(train.n_items, bool)
    warm_items[train.events.items] = True
    cold = ~warm_items[truth.values]
    users = np.unique(queries.users)
    new = np.diff(train.indptr)[users] == 0
    empty = queries.lengths == 0
    queries_of_user = np.bincount(queries.users[queries.users >= 0], minlength=1)
    return {
        "busiest_user": train.users.decode([int(queries_of_user.argmax())]).to_list()[0]
        if len(train.users) and queries_of_user.any()
        else None,
        "busiest_share": float(queries_of_user.max() / max(len(queries), 1)),
        "cold_targets": int(cold.sum()),
        "cold_targets_share": float(cold.mean()),
        "cold_items": len(np.unique(truth.values[cold])),
        "test_users": len(users),
        "test_items": len(np.unique(truth.values)),
        "new_users": int(new.sum()),
        "new_users_share": float(new.mean()),
        "queries_without_history": int(empty.sum()),
        "queries_without_history_share": float(empty.mean()),
    }


def _late(train: Dataset, queries: Queries) -> dict[str, Any]:
    """Training events at or after the first query: what a model would not have had."""
    times = train.events.times
    if times is None or queries.now is None or steps_are_per_user(train):
        return {}
    late = int((times >= queries.now.min()).sum())
    return {"late_train_events": late, "late_train_events_share": late / len(times)}


def _empty(rule: Rule | None, train: Dataset, asked: int, repeat: bool) -> SplitError:
    made = "The published split" if rule is None else f"The rule {rule}"
    if not train.n_events:
        return SplitError(f"{made} leaves no training events. Move the cut to a later date or take a smaller test part.")
    if asked and not repeat:
        return SplitError(f"{made} leaves no targets: people had taken every one of them before. Set repeat=true.")
    return SplitError(
        f"{made} leaves no queries: nobody has both a target and what it needs before it. {rule.remedy if rule else Rule.remedy}"
    )
