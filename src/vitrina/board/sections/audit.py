"""Section 2: what is in the log, and how it was split."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from vitrina.board.sections.facts import DataFacts, PartFacts, SplitFacts
from vitrina.report.charts import Bar, Curve, Span, bars, curves, over_time
from vitrina.report.html import Column, Html, el, figure, join, section, sentence, table
from vitrina.report.scales import Linear
from vitrina.report.words import about, count, day, fixed, listed, percent, plural, sentence_end

SHARES = {
    "cold_targets": "of the targets are items without a training event",
    "cold_items": "of the different target items are cold",
    "new_users": "of the people asked about are new",
    "queries_without_history": "of the queries have no history",
    "seen_targets": "of the targets had been taken before by the same person",
}
MOST_POINTS = 420  # of a line over time; longer logs are drawn by the week


def audit(facts: DataFacts, split: SplitFacts) -> Html:
    """Sizes, warnings, events over time with the split, long tail, lengths of histories, filters."""
    return section(
        "data", "The data", _sizes(facts), _warnings((*facts.warnings, *split.warnings)), _over_time(facts, split), _split(split),
        el("div", _tail(facts), _lengths(facts), class_="pair"), _steps(facts),
    )  # fmt: skip


def _sizes(facts: DataFacts) -> Html:
    if facts.events is None:
        return sentence("The board came without an inspection of the data, so sizes and warnings are missing here.")
    pairs = [("events", count(facts.events)), ("people", count(facts.users)), ("items", count(facts.items))]
    if facts.density is not None:
        pairs.append(("of all pairs have an event", percent(facts.density)))
    sizes = el("dl", *(el("div", el("dt", label), el("dd", value)) for label, value in pairs), class_="sizes")
    span = f"From {day(facts.first)} to {day(facts.last)}. " if facts.first and facts.last else "The log has no time. "
    rest = "; ".join(facts.remarks)
    return join((sizes, el("p", span, sentence_end(rest[:1].upper() + rest[1:]), class_="sub")))


def _warnings(said: Sequence[str]) -> Html | None:
    unique = list(dict.fromkeys(said))
    if not unique:
        return el("p", "Nothing in the data calls for a warning.", class_="sub")
    items = (el("li", el("span", "Warning: ", class_="hidden"), sentence_end(text)) for text in unique)
    return el("div", el("h3", "What to beware of"), el("ul", *items, class_="warnings"))


# Over time


def _over_time(facts: DataFacts, split: SplitFacts) -> Html:
    if len(facts.days) < 2:
        return sentence("There is no picture of events over time, because the log has no dates or holds a single day.")
    days, per_day, unit = (
        _by_week(facts.days, facts.per_day) if len(facts.days) > MOST_POINTS else (facts.days, facts.per_day, "events a day")
    )
    spans = [s for part in split.parts for s in [_span(part, split)] if s is not None]
    described = (
        f"{unit.capitalize()} from {day(days[0])} to {day(days[-1])}, between {count(min(per_day))} and {count(max(per_day))}. "
        + " ".join(s.shown for s in spans)
    )
    drawn = over_time(days, per_day, spans, cut=_cut(split), unit=unit, description=described)
    months = _monthly(facts)
    data = table(
        [Column("Month", number=False), Column("Events"), Column("Mean a day"), Column("Most in a day")], months, caption="Events by month"
    )
    note = f"{unit.capitalize()}; below, where the parts of the split lie ({split.rule})" if spans else f"{unit.capitalize()}"
    return figure("over-time", _time_title(facts, split), drawn, data, note=note)


def _by_week(days: Sequence[date], counts: Sequence[float]) -> tuple[tuple[date, ...], tuple[float, ...], str]:
    weeks: dict[date, list[float]] = {}
    for d, c in zip(days, counts, strict=True):
        weeks.setdefault(d - timedelta(days=d.weekday()), []).append(c)
    kept = {max(week, days[0]): c for week, c in weeks.items() if len(c) >= 4}
    return tuple(kept), tuple(sum(c) / len(c) for c in kept.values()), "events a day, weekly mean"


def _span(part: PartFacts, split: SplitFacts) -> Span | None:
    if part.first is None or part.last is None:
        return None
    sizes = f"{part.name}: {plural(part.events, 'event')} of {plural(part.users, 'person', 'people')}"
    if part.name == "test":
        sizes = f"test: {plural(split.queries or 0, 'query', 'queries')} of {plural(part.users, 'person', 'people')}"
    return Span(part.name, part.first, part.last, "lead" if part.name == "test" else "other", sizes)


def _cut(split: SplitFacts) -> date | None:
    """The day where training ends, if the test begins after it."""
    ends = {p.name: p for p in split.parts}
    train, test = ends.get("train"), ends.get("test")
    if train is None or test is None or train.last is None or test.first is None:
        return None
    return test.first if test.first >= train.last else None


def _time_title(facts: DataFacts, split: SplitFacts) -> str:
    middle = len(facts.per_day) // 2
    before, after = sum(facts.per_day[:middle]) / middle, sum(facts.per_day[-middle:]) / middle
    ratio = after / before if before else 0.0
    trend = "grew" if ratio > 1.25 else "fell" if 0 < ratio < 0.8 else ""
    moved = (
        f"Events a day {trend} from about {about(before)} in the first half to {about(after)} in the second"
        if trend
        else _level(facts.per_day)
    )
    parts = {p.name: p for p in split.parts}
    overlap = _cut(split) is None and all(p.first for p in split.parts) and len(parts) == 2
    return moved + ("; the test overlaps the training in time" if overlap else "")


def _level(per_day: Sequence[float]) -> str:
    mean, most = sum(per_day) / len(per_day), max(per_day)
    return f"About {about(mean)} events a day, " + (f"{about(most)} on the busiest" if most > 3 * mean else "from beginning to end")


def _monthly(facts: DataFacts) -> list[list[object]]:
    months: dict[str, list[float]] = {}
    for d, c in zip(facts.days, facts.per_day, strict=True):
        months.setdefault(f"{d:%B} {d.year}", []).append(c)
    return [[m, count(sum(c)), fixed(sum(c) / len(c), 1), count(max(c))] for m, c in months.items()]


# The split


def _split(split: SplitFacts) -> Html:
    if not split.parts:
        return sentence("The board came without a summary of its split.")
    columns = [
        Column("Part", number=False),
        Column("People"),
        Column("Items"),
        Column("Events"),
        Column("From", number=False, class_="date"),
        Column("To", number=False, class_="date"),
    ]
    body = [[p.name.capitalize(), count(p.users), count(p.items), count(p.events), p.shown_first, p.shown_last] for p in split.parts]
    shares = split.shares or {}
    said = [el("li", el("b", percent(shares[key])), " ", text) for key, text in SHARES.items() if key in shares]
    if split.repeat is not None:
        said.append(el("li", "Items of the history ", el("b", "may come back" if split.repeat else "are not recommended again")))
    said += [el("li", sentence_end(remark)) for remark in split.remarks]
    caption = f"The split: {split.rule}" + (f", {plural(split.queries, 'query', 'queries')}" if split.queries is not None else "")
    return el("div", table(columns, body, caption=caption), el("ul", *said, class_="plain"), class_="split")


# Long tail and lengths of histories


def _tail(facts: DataFacts) -> Html:
    if len(facts.tail) < 2:
        return sentence("The long tail can’t be drawn: the inspection has no counts by item.")
    half = next((x for x, y in facts.tail if y >= 0.5), 1.0)
    described = f"Cumulative share of events by share of items, most taken first. Half of the events fall on {percent(half)} of the items."
    drawn = curves(
        [Curve(facts.tail, "other", "share of events")], across=Linear(0, 1, 0, 1), up=(0, 1),
        across_ticks=[(t, f"{t:.0%}") for t in (0, 0.25, 0.5, 0.75, 1)], up_ticks=[(0.5, "50%"), (1, "100%")],
        note=(half, 0.5, f"{percent(half)} of the items"), description=described,
    )  # fmt: skip
    wanted = (0.01, 0.05, 0.1, 0.2, 0.5)
    body = [[percent(x), percent(max(got for at, got in facts.tail if at <= x + 1e-9), 1)] for x in wanted if facts.tail[0][0] <= x]
    data = table([Column("Most taken items"), Column("Share of events")], body, caption="The long tail")
    return figure("tail", f"Half of all events fall on {percent(half)} of the items", drawn, data, note="Share of events by share of items, most taken first", span="half")  # fmt: skip


def _lengths(facts: DataFacts) -> Html:
    if not facts.lengths:
        return sentence("The lengths of histories can’t be drawn: the inspection has no counts by person.")
    total = sum(people for _, people in facts.lengths) or 1
    rows = [Bar(label, people / total, percent(people / total, 0)) for label, people in facts.lengths]
    described = "Share of people by number of events: " + "; ".join(f"{r.label} {r.shown}" for r in rows) + "."
    data = table([Column("Events a person", number=False), Column("People"), Column("Share")], [[label, count(n), percent(n / total, 1)] for label, n in facts.lengths], caption="Lengths of histories")  # fmt: skip
    median = facts.median_length
    title = f"Half of the people have at most {fixed(median, 0)} events" if median is not None else "How long histories are"
    return figure("lengths", title, bars(rows, description=described), data, note="Share of people by their number of events", span="half")


# Steps of reading and filtering


def _steps(facts: DataFacts) -> Html:
    if not facts.steps:
        return el("p", "No event was removed by reading or filters.", class_="sub")
    if not any(s.events or s.users or s.items for s in facts.steps):
        filters = [s.name for s in facts.steps if s.name != "read"]
        what = f"Reading and {listed(filters)} removed nothing." if filters else "Reading removed nothing."
        return el("p", " ".join([what, *(sentence_end(s.note) for s in facts.steps if s.note)]), class_="sub")
    columns = [
        Column("Step", number=False), Column("Events removed"), Column("People removed"), Column("Items removed"), Column("Events left"),
        Column("Remark", number=False),
    ]  # fmt: skip
    body = [[s.name, percent(s.events, 1), percent(s.users, 1), percent(s.items, 1), count(s.events_left), s.note] for s in facts.steps]
    return table(columns, body, caption="What reading and filters removed")
