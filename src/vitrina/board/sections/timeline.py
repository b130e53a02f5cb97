"""Events over time with the parts of the split below: the first plot of the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vitrina.report.charts import Span, over_time
from vitrina.report.html import Column, Html, figure, sentence, table
from vitrina.report.words import about, count, day, fixed, plural

if TYPE_CHECKING:
    from vitrina.data.inspect import Inspection
    from vitrina.data.split.summary import SplitSummary

MOST_POINTS = 420  # of a line over time; longer logs are drawn by the week


class Daily(NamedTuple):
    """How many events there were on each day."""

    days: tuple[date, ...]
    events: tuple[float, ...]
    unit: str = "events per day"


def timeline(seen: Inspection, split: SplitSummary | None) -> Html:
    """The line of events, the spans of training and test, and the events by month."""
    daily = _daily(seen)
    if len(daily.days) < 2:
        return sentence("There is no picture of events over time, because the log has no dates or holds a single day.")
    drawn = _by_week(daily) if len(daily.days) > MOST_POINTS else daily
    spans = _spans(split)
    described = (
        f"{drawn.unit.capitalize()} from {day(drawn.days[0])} to {day(drawn.days[-1])}, between {count(min(drawn.events))} and "
        f"{count(max(drawn.events))}. " + " ".join(s.shown for s in spans)
    )
    plot = over_time(drawn.days, drawn.events, spans, cut=_cut(split), unit=drawn.unit, description=described)
    columns = [Column("Month", number=False), Column("Events"), Column("Mean a day"), Column("Most in a day")]
    data = table(columns, _by_month(daily), caption="Events by month")
    parts = f"; below, where the parts of the split lie ({split.rule})" if spans and split else ""
    return figure("over-time", _title(daily, split), plot, data, note=drawn.unit.capitalize() + parts)


def _daily(seen: Inspection) -> Daily:
    if seen.timing is None:
        return Daily((), ())
    return Daily(tuple(seen.timing.daily["day"]), tuple(map(float, seen.timing.daily["events"])))


def _by_week(daily: Daily) -> Daily:
    weeks: dict[date, list[float]] = {}
    for d, events in zip(daily.days, daily.events, strict=True):
        weeks.setdefault(d - timedelta(days=d.weekday()), []).append(events)
    whole = {max(week, daily.days[0]): events for week, events in weeks.items() if len(events) >= 4}
    return Daily(tuple(whole), tuple(sum(events) / len(events) for events in whole.values()), "events per day, weekly mean")


def _by_month(daily: Daily) -> list[list[object]]:
    months: dict[str, list[float]] = {}
    for d, events in zip(daily.days, daily.events, strict=True):
        months.setdefault(f"{d:%B} {d.year}", []).append(events)
    return [[m, count(sum(events)), fixed(sum(events) / len(events), 1), count(max(events))] for m, events in months.items()]


def _spans(split: SplitSummary | None) -> list[Span]:
    """Where training and test lie, of a split with dates."""
    if split is None:
        return []
    sizes = {
        "train": f"train: {plural(split.train.events, 'event')} of {plural(split.train.users, 'person', 'people')}",
        "test": f"test: {plural(split.queries, 'query', 'queries')} of {plural(split.test.users, 'person', 'people')}",
    }
    ends = {"train": (as_date(split.train.first), as_date(split.train.last)), "test": (as_date(split.test.first), as_date(split.test.last))}
    return [
        Span(name, first, last, "lead" if name == "test" else "other", sizes[name])
        for name, (first, last) in ends.items()
        if first is not None and last is not None
    ]


def _cut(split: SplitSummary | None) -> date | None:
    """The day where training ends, if the test begins after it."""
    end, begin = (None, None) if split is None else (as_date(split.train.last), as_date(split.test.first))
    return begin if end is not None and begin is not None and begin >= end else None


def as_date(moment: str | int | None) -> date | None:
    """The day of a moment as a split or an inspection writes it; None for a step, or without time."""
    try:
        return date.fromisoformat(moment[:10]) if isinstance(moment, str) else None
    except ValueError:
        return None


def _title(daily: Daily, split: SplitSummary | None) -> str:
    middle = len(daily.events) // 2
    before, after = sum(daily.events[:middle]) / middle, sum(daily.events[-middle:]) / middle
    ratio = after / before if before else 0.0
    trend = "grew" if ratio > 1.25 else "fell" if 0 < ratio < 0.8 else ""
    moved = (
        f"Events a day {trend} from about {about(before)} in the first half to {about(after)} in the second"
        if trend
        else _level(daily.events)
    )
    dated = split is not None and as_date(split.train.first) is not None and as_date(split.test.first) is not None
    return moved + ("; the test overlaps the training in time" if dated and _cut(split) is None else "")


def _level(per_day: Sequence[float]) -> str:
    mean, most = sum(per_day) / len(per_day), max(per_day)
    return f"About {about(mean)} events per day, " + (f"{about(most)} on the busiest" if most > 3 * mean else "from beginning to end")
