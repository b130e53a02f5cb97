"""What the measurements mean: which split to take, and what will go wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from vitrina.base.errors import SplitError
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.inspect.counted import Measured
from vitrina.data.passes import Passes, itself, span_of
from vitrina.data.read.likely import SAID
from vitrina.data.split import GlobalTime, LeaveLastBasket, LeaveOneOut, Rule, Split, UserShare
from vitrina.data.split.moments import begins_alike
from vitrina.data.split.remarks import REPEAT_SHARE, heavy_person
from vitrina.data.split.summary import moment
from vitrina.data.split.time import typed
from vitrina.types import Int64

if TYPE_CHECKING:
    from vitrina.data.inspect.record import Inspection

TEST_SHARE = 0.1  # of events, that a test part should hold
ROUND_DAYS = (1, 2, 3, 7, 14, 21, 30, 60, 90, 180, 365)
FEW_QUERIES = 1_000


class Advised(NamedTuple):
    """The split to take for a log, why, and that split; None where no split can be made of the log."""

    rule: Rule
    reason: str
    split: Split | None


def recommended(data: Dataset, of: Measured | None = None) -> Advised:
    """The first split that can be made: a cut of a round length, a cut between two times, the order within each person.

    Where none can be made because people had taken every target before, the first that asks for these. `of` is what was counted of the log, where that has been done already.
    """
    of = Passes(data, itself).sum(Measured.of) if of is None else of
    for repeat, why in ((None, ""), (True, " Every target was in the person's history already, so repeats are asked for.")):
        for rule, reason in _sensible(data, of):
            tried = rule.model_copy(update={"repeat": repeat})
            try:
                return Advised(tried, reason + why, tried.apply(data))
            except SplitError:
                continue
    return Advised(
        LeaveOneOut(),
        "No split can be made of this log: nobody has two events, one to learn from and one to ask about. It takes longer histories.",
        None,
    )


def _sensible(data: Dataset, of: Measured) -> Iterator[tuple[Rule, str]]:
    baskets = "baskets" in data.columns
    why = "The log has no time that is common to all people"
    if of.span is not None and not begins_alike(of.beginnings, data.time_unit):
        first, last = of.span
        target, days = "basket" if baskets else "successive", _days(data, of)
        cut: dict[str, Any] = {"quantile": 1 - TEST_SHARE} if days is None else {"days": days}
        part = "the last tenth of the events" if days is None else f"the last {days} days" if days > 1 else "the last day"
        yield GlobalTime(**cut, target=target), f"Train on the past, ask about {part}: nothing of the future reaches the model."
        later = min((time for time in data.map_shards(FirstAfter(first)) if time is not None), default=None)
        if later is not None:  # where nearly all is of the first time
            at = typed(later, data)
            yield (
                GlobalTime(at=at, target=target),
                f"Train on what was before {at}, ask about the rest: nothing of the future reaches the model.",
            )
        why = "All events have one time" if first == last else "No cut in time leaves something to learn from and something to ask"
    rules: tuple[Rule, ...] = (LeaveLastBasket(), LeaveOneOut()) if baskets else (LeaveOneOut(),)
    for rule in rules:
        yield rule, f"{why}, so only the order within each person can be used."


@dataclass(frozen=True)
class FirstAfter:
    """The first time of a shard after another one."""

    first: int

    def __call__(self, shard: Dataset) -> int | None:
        times = shard.events.times
        span = None if times is None else span_of(times[times > self.first])
        return None if span is None else span[0]


@dataclass(frozen=True)
class From:
    """(moments,) the events of a shard from each moment on."""

    moments: tuple[int, ...]

    def __call__(self, shard: Dataset) -> Int64:
        assert shard.events.times is not None
        return np.array([(shard.events.times >= moment).sum() for moment in self.moments])


def _days(data: Dataset, of: Measured) -> int | None:
    """The round number of days, at the end of the log, that holds the share of events nearest to a tenth."""
    if of.span is None or data.time_unit != "us":
        return None
    counts = Passes(data, itself).sum(From(tuple(of.span[1] + 1 - days * DAY for days in ROUND_DAYS)))
    held = dict(zip(ROUND_DAYS, (counts / of.events).tolist(), strict=True))
    fitting = {days: share for days, share in held.items() if TEST_SHARE / 4 <= share <= 3 * TEST_SHARE}
    return min(fitting, key=lambda days: abs(np.log(fitting[days] / TEST_SHARE))) if fitting else None


def preview(data: Dataset, advised: Advised, seed: int) -> pl.DataFrame:
    """What each sensible split would hold, one row per rule, the recommended one first."""
    rule = advised.rule
    rules: list[Rule] = [rule]
    if isinstance(rule, GlobalTime):
        rules.append(rule.model_copy(update={"target": "all"}))
    rules += [LeaveOneOut(), UserShare(seed=seed)]
    if "baskets" in data.columns:
        rules.insert(-1, LeaveLastBasket())
    chosen = [r for i, r in enumerate(rules) if r not in rules[:i]]
    return pl.DataFrame([_row(r, data, advised.split if r is rule else None) for r in chosen], schema=_SCHEMA)


def _label(rule: Rule) -> str:
    """The rule in words that fit a table."""
    if isinstance(rule, GlobalTime):
        part = "last tenth" if rule.days is None else f"{rule.days} days" if rule.days > 1 else "last day"
        part = part if rule.at is None else f"from {str(rule.at)[:10]}"
        return part + {"all": ", at once", "basket": ", by basket"}.get(rule.target, "")
    return {"LeaveOneOut": "leave one out", "LeaveLastBasket": "leave last basket"}.get(type(rule).__name__, "unseen users")


_SCHEMA = {
    "label": pl.String, "split": pl.String, "train_events": pl.Int64, "queries": pl.Int64, "targets": pl.Int64, "users": pl.Int64, "new_users": pl.Float64,
    "no_history": pl.Float64, "cold_targets": pl.Float64, "seen_targets": pl.Float64, "late_train_events": pl.Float64,
    "repeat": pl.Boolean, "first_query": pl.String, "last_target": pl.String, "heavy": pl.String, "problem": pl.String,
}  # fmt: skip


def _row(rule: Rule, data: Dataset, split: Split | None) -> dict[str, Any]:
    try:
        split = split or rule.apply(data)
    except SplitError as error:
        return {"label": _label(rule), "split": str(rule), "problem": str(error)}
    counts = split.counts
    return {
        "label": _label(rule), "split": str(rule), "train_events": split.train.n_events, "queries": split.n_queries, "targets": split.n_targets,
        "users": counts["test_users"], "new_users": counts["new_users_share"], "no_history": counts["queries_without_history_share"],
        "cold_targets": counts["cold_targets_share"], "seen_targets": counts["seen_targets_share"],
        "late_train_events": counts.get("late_train_events_share"), "repeat": split.eligible.repeat,
        "first_query": _date(None if split.tally.now is None else split.tally.now[0], data),
        "last_target": _date(counts["test_stop"], data), "heavy": heavy_person(counts, split.n_queries), "problem": None,
    }  # fmt: skip


def _date(time: int | None, data: Dataset) -> str | None:
    return None if time is None else str(moment(time, data.time_unit))


def choices(inspection: Inspection) -> tuple[str, ...]:
    """Sentences that say which split to take: for somebody who has yet to choose."""
    return (*_about_split(inspection), *_about_baskets(inspection))


def warnings(inspection: Inspection) -> tuple[str, ...]:
    """Sentences about the log itself with their consequence, the gravest first."""
    return (*_about_time(inspection), *_about_people(inspection), *_about_items(inspection), *_about_columns(inspection))


def _about_baskets(inspection: Inspection) -> list[str]:
    groups = inspection.groups
    if groups is None or groups.what != "baskets" or groups.one_time_share < 0.9 or inspection.timing is None:
        return []
    return [
        f"{_nearly_all(groups.one_time_share)} baskets have one time stamp each: the order inside a basket means nothing, and "
        'a split by rows would show half of a basket to predict the other half. Ask about whole baskets: target="basket".'
    ]


def _about_split(inspection: Inspection) -> list[str]:
    sentences = []
    row = inspection.splits.row(0, named=True)
    if row["problem"] is not None:
        return [inspection.reason]
    if row["heavy"] is not None:
        sentences.append(row["heavy"])
    if row["seen_targets"] >= REPEAT_SHARE:
        sentences.append(
            f"{row['seen_targets']:.0%} of the test targets were in the person's history already: set repeat=true, "
            "or most of what people really take can't be recommended to them."
        )
    if row["no_history"] >= 0.1:
        sentences.append(
            f"{row['no_history']:.0%} of the queries of the recommended split come from people without a history: every model answers "
            "these from popularity. Read the results for known people in the slices."
        )
    if row["cold_targets"] >= 0.05:
        sentences.append(
            f"{row['cold_targets']:.0%} of the targets are items that training has never seen: no model of interactions can hit them. "
            + (
                "ContentSimilarity can."
                if (inspection.features["table"] == "items").any()
                else "An item table with texts or categories would help."
            )
        )
    if row["queries"] < FEW_QUERIES:
        sentences.append(
            f"Only {row['queries']:,} queries: intervals will be wide (about ±{1.96 * 0.4 / row['queries'] ** 0.5:.2f} for a hit rate "
            "near 0.2), and close models can't be told apart."
        )
    return sentences


def _about_time(inspection: Inspection) -> list[str]:
    sentences, timing = [], inspection.timing
    if timing is None:
        if inspection.steps_are_per_user or inspection.sizes.first is None:
            sentences.append(
                "There is no time common to all people: only each person's own order can be cut, which lets a model learn from the future "
                "of other people. Read the log with time=... if it has a time stamp."
            )
            sentences += [note for step in inspection.steps for note in _sentences(step.note) if SAID in note]
        return sentences
    if not _about_baskets(inspection) and timing.ties >= 0.1 and not timing.whole_days:
        sentences.append(
            f"{timing.ties:.0%} of the events share user and time stamp with another one: the order among them is the order of the file. "
            "GlobalTime asks about them together; LeaveOneOut shows all but the last of them to predict the last."
        )
    if timing.whole_days:
        sentences.append("Every time stamp is a whole day: what a person did within a day has no order and is one query.")
    if timing.busiest_day_share >= 0.2 and timing.daily.height > 7:
        sentences.append(
            f"{timing.busiest_day_share:.0%} of the events are of {timing.busiest_day}: if that is the day of an import and not of the "
            "event, a cut in time is meaningless."
        )
    if timing.gaps.height and timing.gaps["days"][0] >= max(3, 0.02 * timing.daily.height):
        first, last, days = timing.gaps.row(0)
        sentences.append(f"No events from {first} to {last} ({days} days): if a file is missing, a test part next to the gap misleads.")
    return sentences


def _sentences(note: str) -> list[str]:
    return re.findall(r"The column '[^']*' .*?: give it with time='[^']*'\.", note)


def _nearly_all(share: float) -> str:
    return "All" if share == 1 else f"{min(share, 0.999):.1%} of"


def _about_people(inspection: Inspection) -> list[str]:
    sentences = []
    if inspection.sizes.users == 1:
        sentences.append("There is one user: every number is of that person, and no interval over people can be made.")
    if inspection.duplicates >= max(1, 0.001 * inspection.sizes.events):
        sentences.append(
            f"{inspection.duplicates:,} {'events repeat' if inspection.duplicates > 1 else 'event repeats'} another one's user, item and time ({inspection.duplicates / inspection.sizes.events:.1%}): they count "
            "twice in popularity and in counts. Drop them with dedupe if they are one event written twice."
        )
    if inspection.bots.height:
        who = ", ".join(f"{user} ({events:,} events)" for user, events in inspection.bots.head(3).select("user_id", "events").iter_rows())
        more = f" and {inspection.bots.height - 3} more" if inspection.bots.height > 3 else ""
        sentences.append(
            f"Users far busier than the rest: {who}{more}, with {inspection.bots['share'].sum():.1%} of all events. Robots, shops and ids that "
            "stand for unknown people bend co-occurrence and popularity: look at them, and leave them out if they are no customers: filters.without, or filters.max_length."
        )
    if inspection.histories.single_event_users >= 0.2:
        sentences.append(
            f"{inspection.histories.single_event_users:.0%} of the users have a single event: they teach popularity only, and can't be asked "
            "with a history."
        )
    return sentences


def _about_items(inspection: Inspection) -> list[str]:
    if inspection.sizes.items == 1:
        return ["There is one item: there is nothing to choose from, and every list is the same. Is the column of the item the right one?"]
    if inspection.tail.single_event_items < 0.3:
        return []
    return [
        f"{inspection.tail.single_event_items:.0%} of the items have a single event: collaborative models can't place them. "
        "Use item texts or categories, or k_core if they don't matter."
    ]


def kinds_table(kinds: pl.DataFrame) -> str:
    """Weights of the kinds, as the filter `kinds` takes them: all events of each kind together count alike."""
    least = kinds["events"].min()
    shares = {kind: f"{least / events:.1g}" for kind, events, _ in kinds.iter_rows() if events}
    return "{" + ", ".join(f"{json.dumps(kind, ensure_ascii=False)} = {share}" for kind, share in shares.items()) + "}"


def _about_columns(inspection: Inspection) -> list[str]:
    sentences = []
    if inspection.kinds.height > 1 and not any(step.name.startswith("kinds") for step in inspection.steps):
        most, least = inspection.kinds["kind"][0], inspection.kinds["kind"][-1]
        sentences.append(
            f"Events of the kind {most!r} count like those of the kind {least!r}. If they mean less or more, say so in the table [filters] of the "
            f"config: kinds = {kinds_table(inspection.kinds)}; or keep one kind: kinds = [{json.dumps(least, ensure_ascii=False)}]."
        )
    if inspection.values is not None and inspection.values["negative_share"] > 0:
        sentences.append(
            f"{inspection.values['negative_share']:.1%} of the values are negative (returns or cancellations?): they count as interactions "
            "like any other. Leave them out if they are not."
        )
    poor = inspection.features.filter((pl.col("coverage") < 0.5) & (pl.col("kind") != "not used"))
    if poor.height:
        columns = ", ".join(f"{c} ({share:.0%})" for c, share in poor.select("column", "coverage").iter_rows())
        sentences.append(f"Feature columns that cover less than half: {columns}. Models that use them answer little about the rest.")
    return sentences
