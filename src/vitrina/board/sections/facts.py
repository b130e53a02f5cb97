"""The one place that knows the shapes of an Inspection and a SplitSummary; what they lack is None or empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from vitrina.report.words import count, finite, fixed, percent, plural


@dataclass(frozen=True)
class StepFacts:
    """What one step of reading or filtering removed, as shares of what it got."""

    name: str
    events_left: int
    events: float | None
    users: float | None
    items: float | None
    note: str


@dataclass(frozen=True)
class DataFacts:
    """What the report says about the log."""

    name: str = ""
    events: int | None = None
    users: int | None = None
    items: int | None = None
    first: str | None = None
    last: str | None = None
    density: float | None = None  # pairs of person and item that have an event, of all
    remarks: tuple[str, ...] = ()
    days: tuple[date, ...] = ()
    per_day: tuple[float, ...] = ()
    tail: tuple[tuple[float, float], ...] = ()  # share of items, most taken first; share of events
    lengths: tuple[tuple[str, int], ...] = ()  # events a person, people
    median_length: float | None = None
    steps: tuple[StepFacts, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartFacts:
    """One part of the split."""

    name: str
    events: int
    users: int
    items: int
    first: date | None
    last: date | None
    shown_first: str
    shown_last: str


@dataclass(frozen=True)
class SplitFacts:
    """What the report says about the split."""

    rule: str = ""
    parts: tuple[PartFacts, ...] = ()
    queries: int | None = None
    shares: Mapping[str, float] | None = None
    repeat: bool | None = None
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def plain(thing: Any) -> Mapping[str, Any]:
    """A record as a dictionary; nothing as an empty one."""
    if isinstance(thing, Mapping):
        return thing
    return thing.to_dict() if hasattr(thing, "to_dict") else {}


def split_facts(summary: Any) -> SplitFacts:
    """What a SplitSummary says, or nothing."""
    found = plain(summary)
    parts = [_part(n, found[n]) for n in ("train", "test") if isinstance(found.get(n), Mapping)]
    return SplitFacts(
        rule=str(found.get("rule") or ""), parts=tuple(parts), queries=found.get("queries"), shares=found.get("shares") or {},
        repeat=found.get("repeat"), remarks=tuple(found.get("notes") or ()), warnings=(*(found.get("leakage") or ()), *(found.get("warnings") or ())),
    )  # fmt: skip


def _part(name: str, part: Mapping[str, Any]) -> PartFacts:
    first, last = part.get("first"), part.get("last")
    events, users, items = (int(part.get(n) or 0) for n in ("events", "users", "items"))
    return PartFacts(name, events, users, items, as_date(first), as_date(last), _shown(first), _shown(last))


def _shown(moment: Any) -> str:
    return "–" if moment is None else str(moment)


def as_date(value: Any) -> date | None:
    """The day of a date, a time or its ISO text; None for anything else."""
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def data_facts(inspection: Any) -> DataFacts:
    """What an Inspection says, or nothing."""
    found = plain(inspection)
    if not found:
        return DataFacts()
    sizes, histories, tail, timing = (found.get(n) or {} for n in ("sizes", "histories", "tail", "timing"))
    daily = [(as_date(r["day"]), float(r["events"])) for r in timing.get("daily") or ()]
    dated = [(d, n) for d, n in daily if d is not None]
    return DataFacts(
        name=str(found.get("name") or ""), events=sizes.get("events"), users=sizes.get("users"), items=sizes.get("items"),
        density=sizes.get("density"), first=_text(sizes.get("first")), last=_text(sizes.get("last")), remarks=_remarks(found),
        days=tuple(d for d, _ in dated), per_day=tuple(n for _, n in dated),
        tail=tuple((float(r["item_share"]), float(r["event_share"])) for r in tail.get("curve") or ()),
        lengths=_binned([(int(r["length"]), int(r["users"])) for r in histories.get("lengths") or ()]),
        median_length=(histories.get("quantiles") or {}).get("median"),
        steps=tuple(map(_step, found.get("steps") or ())), warnings=tuple(map(str, found.get("warnings") or ())),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _remarks(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Repeats, ties, duplicates, baskets and busy users, each as a few words."""
    histories, timing, groups = (found.get(n) or {} for n in ("histories", "timing", "groups"))
    said = []
    if finite(histories.get("repeat_share")):
        share = histories["repeat_share"]
        said.append(f"{percent(share)} of events are of an item that the person had already" if share else "nobody took an item twice")
    if finite(timing.get("ties")):
        said.append(f"{percent(timing['ties'])} share person and time stamp with another event")
    if finite(found.get("duplicates")):
        said.append(plural(found["duplicates"], "exact duplicate") if found["duplicates"] else "no exact duplicates")
    if finite(groups.get("count")):
        said.append(f"{count(groups['count'])} {groups['what']} of {fixed(groups.get('size_mean'), 1)} events on average")
    if timing.get("gap_days"):
        said.append(f"{plural(timing['gap_days'], 'day')} without events")
    if found.get("bots"):
        said.append(f"{plural(len(found['bots']), 'person', 'people')} with far more events than the rest")
    return tuple(said)


EDGES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)


def _binned(lengths: Sequence[tuple[int, int]]) -> tuple[tuple[str, int], ...]:
    """People by number of events, in round bins; empty bins at both ends are left out."""
    ends = (*EDGES[1:], None)
    bins = [
        (_bin(low, high), sum(n for length, n in lengths if length >= low and (high is None or length < high)))
        for low, high in zip(EDGES, ends, strict=True)
    ]
    used = [at for at, (_, people) in enumerate(bins) if people]
    return tuple(bins[used[0] : used[-1] + 1]) if used else ()


def _bin(low: int, high: int | None) -> str:
    if high is None:
        return f"{low:,} and more"
    return f"{low:,}" if high == low + 1 else f"{low:,} to {high - 1:,}"


def _step(step: Mapping[str, Any]) -> StepFacts:
    events, users, items = (removed_share(step[f"{n}_before"], step[f"{n}_after"]) for n in ("events", "users", "items"))
    return StepFacts(str(step["name"]), int(step["events_after"]), events, users, items, str(step.get("note") or ""))


def removed_share(before: Any, after: Any) -> float | None:
    """What share of `before` is gone; None where there was nothing."""
    return (before - after) / before if finite(before) and finite(after) and before else None
