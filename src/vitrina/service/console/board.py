"""The dashboard, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, join, name, section, sentence, table
from vitrina.report.words import count, fixed, percent, plural
from vitrina.service.console import counted, plots
from vitrina.service.console.asked import Asked, Call, Page
from vitrina.service.console.dashboard import Seen
from vitrina.service.console.frame import unsaid
from vitrina.service.console.gauged import Latency
from vitrina.service.console.names import item_link
from vitrina.service.console.reasons import source_words
from vitrina.service.console.words import age, duration, when

FEW_CLICKS = 10  # with fewer of them nothing is said of shares


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    parts = [
        _figures(seen),
        _traffic(seen),
        _clicks(seen),
        _versions(seen),
        _catalogue(asked, seen),
        _speed(seen),
        _requests(seen),
        _offline(seen),
    ]
    facts = [f"scenario {seen.scenario}", seen.model, f"lists and events from {when(seen.since)} to {when(seen.until)} UTC"]
    facts += ["the latest 100,000 rows"] if seen.cut else []
    return Page("Dashboard", _answer(seen), parts, facts, [_ask(asked), _metrics(asked)])


def _ask(asked: Asked) -> Call:
    body = {"scenario": asked.scenario.name, "k": 10}
    return Call("POST", "/v1/recommend", msgspec.json.encode(body).decode(), "A list, which this page counts from then on")


def _metrics(asked: Asked) -> Call:
    port = asked.service.settings.admin_port
    return Call("GET", "/metrics", what=f"The counters, for Prometheus, on the admin port{f' ({port})' if port else ''}")


def _answer(seen: Seen) -> list[str]:
    """What is to be known, in sentences."""
    if not seen.lists and not seen.answers:
        return [f"Nobody has asked {seen.scenario} for a list yet.", "Ask it as the API call below does, or look at a person."]
    empty = f"{percent(seen.empty / seen.answers)} of them empty" if seen.empty else "none of them empty"
    said = f"{plural(seen.lists, 'list')} to {plural(seen.people, 'person', 'people')} in this window"
    said = (
        f"{said}; {plural(seen.answers, 'list')} since the start of the service, {empty}."
        if seen.answers
        else f"{said}, none since the service started."
    )
    overall = next((row for row in seen.by_scenario if row.of == seen.scenario), None)
    if overall is None or seen.kind is None:
        return [
            said,
            "No events name an answer yet: send them with the recommendation_id of the list that showed the item, and this page says what works.",
        ]
    if overall.clicked < FEW_CLICKS:
        return [
            said,
            f"Too early to say what works: {plural(overall.clicked, 'event')} of the kind “{seen.kind}” name a list that was shown.",
        ]
    return [
        said,
        f"{_percent(overall.share)} of the places were followed by “{seen.kind}” ({_percent(overall.low)} to {_percent(overall.high)}).",
    ]


def _figures(seen: Seen) -> Html:
    """The few numbers to look at first."""
    asked = next((one for one in seen.latencies if one.of == "/v1/recommend"), None)
    shown = max(sum(seen.by_source.values()), 1)
    rows = [
        ("lists since the start", count(seen.answers)),
        ("of them empty", percent(seen.empty / seen.answers) if seen.answers else "–"),
        ("of places filled by popularity", percent(seen.by_source.get("fallback", 0) / shown) if seen.by_source else "–"),
        ("p99 of a request for a list", _milliseconds(asked.p99, asked.over) if asked else "–"),
        ("of the catalogue was shown", percent(seen.reach.items / max(seen.reach.catalogue, 1))),
        ("since the model was fitted", age(seen.created)),
        ("age of the oldest row that waits to be kept", duration(seen.lag * 1e6) if seen.lag else "0 s"),
    ]
    if seen.lost:
        rows.append(("answers whose showing was lost", count(seen.lost)))
    return el("dl", *(el("div", el("dt", label), el("dd", value)) for label, value in rows), class_="figures")


def _traffic(seen: Seen) -> Html:
    if not seen.lists:
        return section("traffic", "Lists and events", sentence("Nothing was shown in this window."))
    drawn = plots.over_time(seen.per_bin, seen.width, plots.said_of(seen.per_bin))
    names = list(seen.per_bin)
    rows = [
        [when(points[0][0]), *(count(n) for _, n in points)]
        for points in zip(*seen.per_bin.values(), strict=True)
        if any(n for _, n in points)
    ]
    data = table([Column("From", number=False), *map(Column, names)], rows, caption="Lists and events over time")
    busiest = max(seen.per_bin["lists"], key=lambda point: point[1])
    title = f"At most {plural(busiest[1], 'list')} per {duration(seen.width)}"
    return section("traffic", "Lists and events", figure("traffic-plot", title, drawn, data, note=f"per {duration(seen.width)}, UTC"))


def _clicks(seen: Seen) -> Html:
    """By position, with intervals, and by scenario."""
    clicked = sum(row.clicked for row in seen.by_position)
    if seen.kind is None or not clicked:
        hint = "No event names an answer and an item that it showed. Send events with recommendation_id and item."
        loose = f" {plural(seen.unlinked, 'event')} came without a recommendation_id." if seen.unlinked else ""
        return section("clicks", "What is clicked", sentence(hint + loose))
    by_position = figure(
        "position-plot", _finding(seen), _dots([(f"place {row.position}", row) for row in seen.by_position]), _table(seen.by_position, "Place"),
        note=f"share of places with “{seen.kind}”, per cent; intervals of 95%, people are what is independent", span="half",
    )  # fmt: skip
    by_scenario = figure(
        "scenario-plot", "By scenario", _dots([(row.of, row) for row in seen.by_scenario]), _table(seen.by_scenario, "Scenario"),
        note=f"share of places with “{seen.kind}”, per cent", span="half",
    )  # fmt: skip
    loose = el("p", f"{plural(seen.unlinked, 'event')} of this kind came without a recommendation_id and are not counted here.", class_="sub") if seen.unlinked else None  # fmt: skip
    return section("clicks", "What is clicked", el("div", by_position, by_scenario, class_="pair"), loose)


def _finding(seen: Seen) -> str:
    first = seen.by_position[0]
    rest = [row for row in seen.by_position[1:] if row.low > first.high or row.high < first.low]
    if sum(row.clicked for row in seen.by_position) < FEW_CLICKS or not rest:
        return "No place can be told from the first"
    best = max(rest, key=lambda row: abs(row.share - first.share))
    return f"The first place gets {_percent(first.share)}, place {best.position} {_percent(best.share)}"


def _dots(rows: Sequence[tuple[str, counted.Share]]):
    marks = [
        Dot(label, 100 * row.share, 100 * row.low, 100 * row.high, "base", f"{label}: {row.clicked} of {row.shown}, {_percent(row.share)}") for label, row in rows
    ]  # fmt: skip
    spoken = "; ".join(f"{mark.label} {fixed(mark.value, 1)}% ({fixed(mark.low, 1)} to {fixed(mark.high, 1)})" for mark in marks)
    return dots(marks, description=f"Shares with intervals: {spoken}.")


def _table(rows: Sequence[counted.Share], what: str, names: Mapping[str, str] | None = None) -> Html:
    columns = [Column(what, number=False), *map(Column, ("Shown", "Clicked", "People", "Share", "from", "to"))]
    body = [
        [_said(row, names or {}), *map(count, (row.shown, row.clicked, row.people)), *map(_percent, (row.share, row.low, row.high))]
        for row in rows
    ]  # fmt: skip
    return table(columns, body, caption="What was shown and clicked")


def _said(row: counted.Share, names: Mapping[str, str]) -> Html | str:
    """What a row of shares is of."""
    if row.position is not None:
        return str(row.position)
    return join((el("div", names[row.of]), el("span", row.of, class_="remark"))) if row.of in names else name(row.of)


def _percent(share: float) -> str:
    return percent(share, 1)


def _versions(seen: Seen) -> Html | None:
    """Versions that were shown in this window, beside each other; only where there were several."""
    if len(seen.by_version) < 2:
        return None
    note = "Versions that served at different times saw different people and days: this is no comparison, an experiment is."
    return section("versions", "By version", _table(seen.by_version, "Version", seen.models), el("p", note, class_="sub"))


def _catalogue(asked: Asked, seen: Seen) -> Html:
    """How much of the catalogue is shown, and how popular that is."""
    reach = seen.reach
    if not reach.places:
        return section("reach", "What is shown", sentence("Nothing was shown in this window."))
    said = f"{plural(reach.items, 'item')} of {count(reach.catalogue)} that may be recommended were shown."
    tops = [[f"the {top:.0%} most popular items", percent(shown), percent(held)] for top, shown, held in reach.of_top]
    popular = table(
        [Column(unsaid("Part of the catalogue"), number=False), Column("Of the places shown"), Column("Of the log’s events")],
        tops,
        caption="Is it more popular than what people take?",
    )
    rows = [[item_link(asked, item, title), count(places), percent(places / reach.places)] for item, title, places in seen.top]
    most = table([Column("Item", number=False), Column("Places"), Column("Share")], rows, caption="Shown most")
    sources = ", ".join(f"{source_words(source) or 'the model'} {percent(n / reach.places)}" for source, n in seen.by_source.items())
    return section(
        "reach",
        "What is shown",
        el("p", said, class_="finding"),
        el("div", popular, most, class_="pair"),
        el("p", f"Who proposed it: {sources}.", class_="sub"),
    )


def _speed(seen: Seen) -> Html:
    """Latency by stage and by route."""
    if not seen.stages and not seen.latencies:
        return section("speed", "How long it takes", sentence("Nothing was asked since the start."))
    columns = [Column(unsaid("Stage or route"), number=False), *map(Column, ("Count", "p50, ms", "p95, ms", "p99, ms"))]
    stages = (
        table(columns, [_latency(one) for one in seen.stages], caption="Stages of the pipeline, per batch of requests")
        if seen.stages
        else None
    )
    routes = table(columns, [_latency(one) for one in seen.latencies], caption="Requests, from the first byte to the answer")
    dropped = [[name(stage), name(rule), count(n)] for stage, rule, n in seen.dropped]
    heads = [Column("Stage", number=False), Column("Rule or condition", number=False), Column("Items left out")]
    left = table(heads, dropped, caption="What was left out, since the start") if dropped else None
    skipped = [
        el("p", f"The source {source} was skipped {plural(n, 'time')}: it failed, or took longer than its budget.", class_="sub bad")
        for source, n in seen.skipped.items()
    ]
    return section("speed", "How long it takes", el("div", stages, routes, class_="pair"), *skipped, left)


def _latency(one: Latency) -> list[object]:
    return [_route(one.of), count(one.count), *(_milliseconds(value, one.over, unit="") for value in (one.p50, one.p95, one.p99))]


def _route(route: str) -> Html | str:
    """A route, a stage, or what has neither."""
    return {"(console)": "pages of the console", "(none)": "no such path"}.get(route) or name(route)


def _milliseconds(value: float | None, over: float, unit: str = " ms") -> str:
    if value is None:
        return "–"
    return f"over {count(over)}{unit}" if value >= over else f"{fixed(value, 1 if value < 100 else 0)}{unit}"


def _requests(seen: Seen) -> Html:
    columns = [Column("Route", number=False), *map(Column, ("Answered", "Refused (4xx)", "Failed (5xx)"))]
    body = [
        [_route(one.route), count(one.answered), count(one.refused), el("span", count(one.failed), class_="bad" if one.failed else None)]
        for one in seen.routes
    ]
    return section("requests", "Requests since the start", table(columns, body, caption="By route and how they ended"))


def _offline(seen: Seen) -> Html:
    """What the model promised on the log."""
    if not seen.offline:
        hint = "The artifact has no numbers of a comparison. vitrina fit CONFIG writes them where a board has chosen the model; vt.save(metrics=...) does by hand."
        return section("offline", "When it was fitted", sentence(hint))
    rows = [[name(one.metric), f"{one.value:.4g}"] for one in seen.offline]
    shown = table(
        [Column("Metric", number=False), Column("Value")],
        rows,
        caption=f"{seen.model}, fitted {age(seen.created)} ago, on people it hadn’t seen the future of",
    )
    note = "Offline numbers say which model to try; what people do says whether it works."
    return section("offline", "When it was fitted", shown, el("p", note, class_="sub"))
