"""Section 2: what is in the log, and how it was split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrina.board.sections.timeline import timeline
from vitrina.report.charts import Bar, bars
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, el, figure, join, section, sentence, table
from vitrina.report.scales import Linear
from vitrina.report.words import count, day, fixed, listed, percent, plural, sentence_end

if TYPE_CHECKING:
    import polars as pl

    from vitrina.data.dataset import Step
    from vitrina.data.inspect import Inspection
    from vitrina.data.split.summary import SplitSummary

SHARES = {
    "cold_targets": "of the targets are items without a training event",
    "cold_items": "of the different target items are cold",
    "new_users": "of the people asked about are new",
    "queries_without_history": "of the queries have no history",
    "seen_targets": "of the targets had been taken before by the same person",
}
EDGES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)  # of the lengths of histories


def audit(seen: Inspection | None, split: SplitSummary | None, latest: Html | None = None) -> Html:
    """Sizes, warnings, events over time with the split, long tail, lengths of histories, filters; `latest` says which of several folds."""
    beware = (*(seen.warnings if seen else ()), *((*split.leakage, *split.warnings) if split else ()))
    if seen is None:
        missing = sentence(
            "The board came without an inspection of the data (there may be no events), so sizes and warnings are missing here."
        )
        return section("data", "The data", missing, _warnings(beware), latest, _split(split))
    return section(
        "data", "The data", latest, _sizes(seen), _warnings(beware), timeline(seen, split), _split(split),
        el("div", _tail(seen.tail.curve), _lengths(seen), class_="pair"), _steps(seen.steps),
    )  # fmt: skip


def _sizes(seen: Inspection) -> Html:
    sizes = seen.sizes
    pairs = [("events", count(sizes.events)), ("people", count(sizes.users)), ("items", count(sizes.items))]
    pairs.append(("of all pairs have an event", percent(sizes.density)))
    shown = el("dl", *(el("div", el("dt", label), el("dd", value)) for label, value in pairs), class_="sizes")
    dated = sizes.first is not None and sizes.last is not None
    span = f"From {day(str(sizes.first))} to {day(str(sizes.last))}. " if dated else "The log has no time. "
    rest = "; ".join(_remarks(seen))
    return join((shown, el("p", span, sentence_end(rest[:1].upper() + rest[1:]), class_="sub")))


def _remarks(seen: Inspection) -> list[str]:
    """Repeats, ties, duplicates, baskets and busy users, each as a few words."""
    repeats, timing, groups = seen.histories.repeat_share, seen.timing, seen.groups
    remarks = [f"{percent(repeats)} of events are of an item that the person had already" if repeats else "nobody took an item twice"]
    if timing is not None:
        remarks.append(f"{percent(timing.ties)} share person and time stamp with another event")
    remarks.append(plural(seen.duplicates, "exact duplicate") if seen.duplicates else "no exact duplicates")
    if groups is not None:
        remarks.append(f"{count(groups.count)} {groups.what} of {fixed(groups.size_mean, 1)} events on average")
    if timing is not None and timing.gap_days:
        remarks.append(f"{plural(timing.gap_days, 'day')} without events")
    if seen.bots.height:
        remarks.append(f"{plural(seen.bots.height, 'person', 'people')} with far more events than the rest")
    return remarks


def _warnings(sentences: Sequence[str]) -> Html | None:
    unique = list(dict.fromkeys(sentences))
    if not unique:
        return el("p", "Nothing in the data calls for a warning.", class_="sub")
    items = (el("li", el("span", "Warning: ", class_="hidden"), sentence_end(text)) for text in unique)
    return el("div", el("h3", "What to beware of"), el("ul", *items, class_="warnings"))


# The split


def _split(split: SplitSummary | None) -> Html:
    if split is None:
        return sentence("The board came without a summary of its split.")
    columns = [
        Column("Part", number=False),
        Column("People"),
        Column("Items"),
        Column("Events"),
        Column("From", number=False, class_="date"),
        Column("To", number=False, class_="date"),
    ]
    body = [
        [
            name,
            count(part.users),
            count(part.items),
            count(part.events),
            *("–" if end is None else str(end) for end in (part.first, part.last)),
        ]
        for name, part in (("Train", split.train), ("Test", split.test))
    ]
    remarks = [el("li", el("b", percent(split.shares[key])), " ", text) for key, text in SHARES.items() if key in split.shares]
    remarks.append(el("li", "Items of the history ", el("b", "may come back" if split.repeat else "are not recommended again")))
    remarks += [el("li", sentence_end(note)) for note in split.notes]
    caption = f"The split: {split.rule}, {plural(split.queries, 'query', 'queries')}"
    return el("div", table(columns, body, caption=caption), el("ul", *remarks, class_="plain"), class_="split")


# Long tail and lengths of histories


def _tail(curve: pl.DataFrame) -> Html:
    points = list(curve.select("item_share", "event_share").iter_rows())
    if len(points) < 2:
        return sentence("The long tail can’t be drawn: the inspection has no counts by item.")
    half = next((x for x, y in points if y >= 0.5), 1.0)
    described = f"Cumulative share of events by share of items, most taken first. Half of the events fall on {percent(half)} of the items."
    drawn = curves(
        [Curve(points, "other", "share of events")], across=Linear(0, 1, 0, 1), up=(0, 1),
        across_ticks=[(t, f"{t:.0%}") for t in (0, 0.25, 0.5, 0.75, 1)], up_ticks=[(0.5, "50%"), (1, "100%")],
        note=(half, 0.5, f"{percent(half)} of the items"), description=described,
    )  # fmt: skip
    wanted = (0.01, 0.05, 0.1, 0.2, 0.5)
    body = [[percent(x), percent(max(got for at, got in points if at <= x + 1e-9), 1)] for x in wanted if points[0][0] <= x]
    data = table([Column("Most taken items"), Column("Share of events")], body, caption="The long tail")
    return figure("tail", f"Half of all events fall on {percent(half)} of the items", drawn, data, note="Share of events by share of items, most taken first", span="half")  # fmt: skip


def _lengths(seen: Inspection) -> Html:
    lengths = binned(list(seen.histories.lengths.select("length", "users").iter_rows()))
    if not lengths:
        return sentence("The lengths of histories can’t be drawn: the inspection has no counts by person.")
    total = sum(people for _, people in lengths) or 1
    rows = [Bar(label, people / total, percent(people / total, 0)) for label, people in lengths]
    described = "Share of people by number of events: " + "; ".join(f"{r.label} {r.shown}" for r in rows) + "."
    body = [[label, count(n), percent(n / total, 1)] for label, n in lengths]
    data = table([Column("Events a person", number=False), Column("People"), Column("Share")], body, caption="Lengths of histories")
    title = f"Half of the people have at most {fixed(seen.histories.quantiles['median'], 0)} events"
    return figure("lengths", title, bars(rows, description=described), data, note="Share of people by their number of events", span="half")


def binned(lengths: Sequence[tuple[int, int]]) -> tuple[tuple[str, int], ...]:
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


# Steps of reading and filtering


def _steps(steps: Sequence[Step]) -> Html:
    if not steps:
        return el("p", "No event was removed by reading or filters.", class_="sub")
    shares = [
        [
            _removed(s.events_before, s.events_after),
            _removed(s.users_before, s.users_after),
            _removed(s.items_before, s.items_after),
        ]
        for s in steps
    ]
    if not any(share for row in shares for share in row):
        filters = [s.name for s in steps if s.name != "read"]
        what = f"Reading and {listed(filters)} removed nothing." if filters else "Reading removed nothing."
        return el("p", " ".join([what, *(sentence_end(s.note) for s in steps if s.note)]), class_="sub")
    columns = [
        Column("Step", number=False), Column("Events removed"), Column("People removed"), Column("Items removed"), Column("Events left"),
        Column("Remark", number=False),
    ]  # fmt: skip
    body = [[s.name, *(percent(share, 1) for share in row), count(s.events_after), s.note] for s, row in zip(steps, shares, strict=True)]
    return table(columns, body, caption="What reading and filters removed")


def _removed(before: int, after: int) -> float | None:
    """What share is gone; None where there was nothing."""
    return (before - after) / before if before else None
