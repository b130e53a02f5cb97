"""What comes in: kinds of event over time, rows that were refused, events sent twice, items and people that nobody knows, and how late events are."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl
from msgspec import Struct

from vitrina.report.html import Column, Html, el, figure, section, sentence, table
from vitrina.report.words import count, percent, plural
from vitrina.service.console import counted, plots
from vitrina.service.console.asked import Asked, Call, Page
from vitrina.service.console.gauged import Gauged
from vitrina.service.console.names import item_link
from vitrina.service.console.window import Window
from vitrina.service.console.words import SECOND, duration, when

if TYPE_CHECKING:
    from vitrina.service.tenant import Tenant

MOST_ROWS, MOST_KINDS, MOST_UNKNOWN = 50, 3, 8
SKEW = 60 * SECOND  # that a client's clock may be ahead


class Refused(Struct):
    """A row that was refused."""

    received: int
    reason: str
    row: str


class Seen(Struct):
    """All that the page shows."""

    since: int
    until: int
    cut: bool
    stored: int
    duplicates: int
    rejected: int
    events: int
    kinds: list[tuple[str, int]]
    width: int
    per_bin: dict[str, list[tuple[int, int]]]
    no_item: int
    no_user: int
    unlinked: int
    unknown: int
    unknown_items: list[tuple[str, int]]
    people: int
    new_people: int
    late: tuple[int | None, int | None, int | None]  # p50, p95 and most, in microseconds
    ahead: int
    left_out: dict[str, int]
    refused: list[Refused]


async def load(asked: Asked) -> Seen:
    """The page's numbers: results since the start of the process, the rest of the latest events."""
    tenant, gauged = asked.tenant, Gauged(asked.service.metrics)
    window = await asked.windows.of(tenant.name)
    stored, duplicates, rejected = (
        int(gauged.total("vitrina_events_total", tenant=tenant.name, result=result)) for result in ("stored", "duplicate", "rejected")
    )
    refused = await asyncio.to_thread(asked.service.store.rejected, tenant.name, MOST_ROWS)
    known = await asyncio.to_thread(_known, asked, window)
    rows = [Refused(one.received, one.reason, one.row.decode("utf-8", "replace")) for one in refused]
    return Seen(
        window.since,
        window.until,
        window.cut,
        stored,
        duplicates,
        rejected,
        **known,
        left_out=dict(tenant.histories.left_out),
        refused=rows,
    )


def _known(asked: Asked, window: Window) -> dict[str, Any]:
    """What the events of the window say, and of whom."""
    events, tenant = window.events, asked.tenant
    kinds = counted.kinds(window)
    width, lines = 0, {}
    for kind, _ in kinds[:MOST_KINDS]:
        width, lines[kind] = counted.over_time(events.filter(pl.col("kind") == kind)["received"], window.since, window.until)
    items: Counter[str] = Counter(
        {item: n for item, n in events["item"].drop_nulls().value_counts().rows() if not asked.names.known(tenant, item)}
    )
    late = (events["received"] - events["time"]).sort()
    quantiles = tuple(None if late.is_empty() else int(late[min(int(share * len(late)), len(late) - 1)]) for share in (0.5, 0.95, 1.0))
    people = events["user"].drop_nulls().value_counts()
    return {
        "events": events.height, "kinds": kinds, "width": width, "per_bin": lines, "no_item": events["item"].null_count(), "no_user": events["user"].null_count(),
        "unlinked": events["recommendation_id"].null_count(), "unknown": items.total(), "unknown_items": items.most_common(MOST_UNKNOWN),
        "people": people.height, "new_people": _new(tenant, people), "late": quantiles, "ahead": int((late < -SKEW).sum()),
    }  # fmt: skip


def _new(tenant: Tenant, people: pl.DataFrame) -> int:
    """Of how many people nothing was known before these events."""
    return sum(len(tenant.histories.of(user)) <= events for user, events in people.rows())


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    facts = [f"events from {when(seen.since)} to {when(seen.until)} UTC"] + (["the latest 100,000 rows"] if seen.cut else [])
    parts = [_figures(seen), _kinds(seen), _unknown(asked, seen), _refused(seen)]
    calls = [
        Call("POST", "/v1/events", '{"event_id":"1","kind":"click","user":"7","item":"42"}', "An event"),
        Call("GET", "/v1/events/rejected", what="Refused rows"),
    ]
    return Page("Data", _answer(seen), parts, facts, calls)


def _answer(seen: Seen) -> list[str]:
    if not seen.events and not seen.rejected:
        return ["No event has come yet.", "Send one as the API call below does: it counts from the next list on."]
    came = seen.stored + seen.duplicates + seen.rejected
    said = f"{plural(seen.events, 'event')} in this window"
    if came:
        said += f"; since the start {plural(came, 'row')} came, of which {percent(seen.rejected / came)} were refused and {percent(seen.duplicates / came)} sent twice"
    wrong = []
    if seen.events and seen.unknown / seen.events > 0.05:
        wrong.append(
            f"{percent(seen.unknown / seen.events)} of the events are of items that no model knows: are ids written as in the log?"
        )
    if seen.rejected:
        wrong.append("Look at the refused rows below: each has its reason.")
    if seen.ahead:
        wrong.append(f"{plural(seen.ahead, 'event')} came from the future: a client’s clock is wrong.")
    return [f"{said}.", *wrong]


def _figures(seen: Seen) -> Html | None:
    if not (seen.events or seen.stored or seen.duplicates or seen.rejected):
        return None
    share = lambda n: percent(n / seen.events) if seen.events else "–"  # noqa: E731  said five times
    late = [duration(max(value, 0)) if value is not None else "–" for value in seen.late]
    rows = [
        ("stored since the start", count(seen.stored)), ("sent twice, kept once", count(seen.duplicates)), ("refused", count(seen.rejected)),
        ("without an item", share(seen.no_item)), ("without a person", share(seen.no_user)), ("without a recommendation_id", share(seen.unlinked)),
        ("of items that no model knows", share(seen.unknown)),
        ("people of whom nothing was known before", f"{percent(seen.new_people / seen.people)}" if seen.people else "–"),
        ("from happening to being kept, p50", late[0]), ("p95", late[1]),
    ]  # fmt: skip
    return el("dl", *(el("div", el("dt", label), el("dd", value)) for label, value in rows), class_="figures")


def _kinds(seen: Seen) -> Html:
    if not seen.events:
        return section("kinds", "Kinds of event", sentence("There are no events in this window."))
    drawn = plots.over_time(seen.per_bin, seen.width, plots.said_of(seen.per_bin))
    rows = [
        [when(points[0][0]), *(count(n) for _, n in points)]
        for points in zip(*seen.per_bin.values(), strict=True)
        if any(n for _, n in points)
    ]
    data = table([Column("From", number=False), *map(Column, seen.per_bin)], rows, caption="Events over time")
    title = ", ".join(f"{kind} {count(n)}" for kind, n in seen.kinds[:6])
    out = ", ".join(f"{kind} {count(n)}" for kind, n in seen.left_out.items())
    note = el("p", f"Kept, but no part of histories: {out}. The setting “kinds” says which are.", class_="sub") if out else None
    return section(
        "kinds", "Kinds of event", figure("kinds-plot", title, drawn, data, note=f"when they came, per {duration(seen.width)}, UTC"), note
    )


def _unknown(asked: Asked, seen: Seen) -> Html | None:
    if not seen.unknown_items:
        return None
    rows = [[item_link(asked, item), count(n)] for item, n in seen.unknown_items]
    note = "They count from the day on when a model that knows them serves. PUT /v1/items says what they are."
    shown = table([Column("Item", number=False), Column("Events")], rows, caption="Events of items that no model knows")
    return section("unknown", "Items that nobody knows", shown, el("p", note, class_="sub"))


def _refused(seen: Seen) -> Html:
    if not seen.refused:
        return section("refused", "Refused rows", sentence("None was refused."))
    columns = [
        Column("When (UTC)", number=False),
        Column("Why", number=False, class_="wide-cell"),
        Column("The row", number=False, class_="code-cell"),
    ]
    body = [[when(one.received), one.reason, el("code", one.row[:300] + ("…" if len(one.row) > 300 else ""))] for one in seen.refused]
    return section("refused", "Refused rows", table(columns, body, caption=f"The latest {len(body)}"))
