"""One person's page, drawn: history, the lists beside each other, and what was left out; above them what changes the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from vitrina.report.html import Html, el, join, name, scrolling, section, sentence
from vitrina.report.words import count, plural, short_count
from vitrina.service.console import trying
from vitrina.service.console.asked import Asked, Call, Page
from vitrina.service.console.frame import search_field
from vitrina.service.console.names import item_link, person_path
from vitrina.service.console.people import Listed, Passed, Past, Place, Seen
from vitrina.service.console.plots import bar
from vitrina.service.console.reasons import source_words
from vitrina.service.console.words import age

STAGES = {
    "history": "History read", "sources": "Candidates found", "eligibility": "May be shown", "scoring": "Scored", "reranking": "Put in order",
    "checks": "Checked at the end",
}  # fmt: skip


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    if seen.user is None and not asked.text("history"):
        return _nobody(asked, seen)
    title = f"Person {seen.user}" if seen.user is not None else "A visitor"
    listed = seen.lists[0]
    body = el("div", _lists(asked, seen), _past(asked, seen), _left_out(asked, seen), class_="person-grid")
    facts = [f"scenario {seen.scenario}", plural(seen.events, "event") if seen.user is not None else "not known by an id"]
    facts += [f"{key} {value}" for key, value in list(seen.columns.items())[:6] if value is not None]
    facts += [f"arm {seen.variant} of the experiment"] if seen.variant else []
    notice = [el("p", f"Nobody knows {said!r}: type an id, or words of a title.", class_="notice refused") for said in seen.unknown]
    return Page(title, [_answer(seen, listed)], [*notice, body], facts, _calls(asked, seen), _controls(asked, seen))


def _answer(seen: Seen, listed: Listed) -> str:
    """What the page says, in a sentence."""
    who = "This person" if seen.user is not None else "This visitor"
    if listed.error is not None:
        return listed.error
    if not listed.places:
        return listed.empty or f"{who} gets nothing here."
    popular = sum(place.source == "fallback" for place in listed.places)
    first = f"{who} gets “{listed.places[0].title}” first"
    filled = f"; {popular} of {len(listed.places)} places are filled with what is popular" if popular else ""
    moved = sum(place.before != place.rank for place in listed.places)
    changed = f". What you changed moves {moved} of {plural(len(listed.places), 'place')}" if seen.changed else ""
    return f"{first}{filled}{changed}."


# What changes the list


def _controls(asked: Asked, seen: Seen) -> Html:
    """A form of plain fields; the script sends it whenever one of them changes."""
    scenario = asked.scenario
    fields = [
        el("input", type="hidden", name="scenario", value=scenario.name),
        field("Person", search_field("user", asked.text("user"), "people", "id")),
        field("Places", el("input", type="number", name="k", min=1, max=50, value=asked.whole("k", 10, 1, 50))),
        _diversity(asked), *_weights(asked), _repeat(asked), _where(asked), _rules(asked, seen.variant), _history(asked),
        el("button", "Show", type="submit", class_="main-act only-plain"),
        el("a", "As it is served", href=person_path(seen.user or "", seen.scenario), class_="button") if seen.changed and seen.user else None,
    ]  # fmt: skip
    return el("form", *fields, action="/people", method="get", class_="controls", data_live=True, aria_label="What changes the list")


def field(label: str, inner: Html, class_: str | None = None) -> Html:
    """A field with its label above."""
    return el("label", el("span", label), inner, class_=class_)


def _diversity(asked: Asked) -> Html | None:
    usual = trying.diversity_of(asked.scenario)
    if usual is None:
        return None
    now = asked.share("diversity")
    now = usual if now is None else now
    slider = el("input", type="range", name="diversity", min=0, max=1, step="0.05", value=f"{now:.2f}", aria_label="Diversity")
    return el("label", el("span", f"Diversity (as it is: {usual:g})"), slider, el("output", f"{now:.2f}"))


def _weights(asked: Asked) -> Iterator[Html]:
    for head, usual in trying.heads_of(asked.scenario).items():
        now = asked.number(f"weight_{head}")
        value = f"{usual if now is None else now:g}"
        yield field(f"Weight of {head}", el("input", type="number", name=f"weight_{head}", step="any", value=value))


def _repeat(asked: Asked) -> Html:
    now = asked.text("repeat")
    choices = (("", "as it is"), ("yes", "may come back"), ("no", "never"))
    options = (el("option", text, value=value, selected=value == now) for value, text in choices)
    return field("What they had", el("select", *options, name="repeat"))


def _where(asked: Asked) -> Html | None:
    """A condition on a column of the items."""
    columns = columns_of(asked)
    if not columns:
        return None
    now = asked.text("column")
    choices = [el("option", "any item", value="")] + [el("option", column, value=column, selected=column == now) for column in columns]
    tests = [el("option", text, value=test, selected=test == asked.text("test")) for test, text in trying.TESTS.items()]
    known = el("datalist", *(el("option", value=value) for value in values_of(asked, now)), id="values") if now else None
    value = el("input", type="text", name="value", value=asked.text("value"), aria_label="Value", list="values" if known else None)
    inner = (
        el("select", *choices, name="column", aria_label="Column"),
        el("select", *tests, name="test", aria_label="Test"), value, known,
    )  # fmt: skip
    return el("fieldset", el("legend", "Only items of which"), el("div", *inner, class_="fields"))


def columns_of(asked: Asked) -> list[str]:
    """The columns of items that a condition may name."""
    table = asked.scenario.version.artifact.item_table
    own = [] if table is None else [column for column in table.frame.columns if column in table.kinds]
    return list(dict.fromkeys([*own, *asked.tenant.items.kinds]))


def values_of(asked: Asked, column: str, most: int = 30) -> list[str]:
    """The most frequent values of a column."""
    table = asked.scenario.version.artifact.item_table
    if table is None or column not in table.frame.columns:
        return []
    known = table.frame[column].drop_nulls()
    known = known.explode().drop_nulls() if known.dtype.base_type().__name__ == "List" else known
    counted = known.cast(str).value_counts().sort(["count", column], descending=[True, False])
    return counted[column].head(most).to_list()


def _rules(asked: Asked, arm: str | None) -> Html | None:
    rules = trying.rules_of(asked.scenario, arm)
    if not rules:
        return None
    off = asked.query.getlist("without")
    ticks = (
        el("label", el("input", type="checkbox", name="without", value=key, checked=key in off), name(key), title=said)
        for key, said in rules.items()
    )
    return el("fieldset", el("legend", "Leave out the rules"), el("div", *ticks, class_="ticks"))


def _history(asked: Asked) -> Html:
    typed = asked.text("history")
    label = "And then took (a line each)" if asked.text("user") else "Has taken (a line each)"
    return field(
        label, el("textarea", typed, name="history", rows=max(2, min(typed.count("\n") + 1, 5)), spellcheck="false"), class_="wide"
    )


# Three columns


def _past(asked: Asked, seen: Seen) -> Html:
    """What is known of the person, newest first."""
    typed = [el("li", item_link(asked, item), el("span", " typed", class_="remark")) for item in reversed(asked.typed)]
    rows = [*typed, *_by_day(asked, seen.past)]
    more = seen.events - len(seen.past)
    below = el("p", f"and {plural(more, 'earlier event')}", class_="gone") if more > 0 else None
    nothing = (
        sentence("Nothing yet: this person is served as a visitor. Send an event, or type what they took above.") if not rows else None
    )
    return el(
        "section",
        el("h2", "History", id="history-h"),
        el("ul", *rows, class_="rows"),
        nothing,
        below,
        class_="past-side",
        aria_labelledby="history-h",
    )


def _by_day(asked: Asked, past: Sequence[Past]) -> Iterator[Html]:
    """Events; the day is said where it is another than above."""
    last = None
    for one in past:
        said = " · ".join(word for word in (one.day if one.day != last else None, one.kind) if word)
        last = one.day
        yield el("li", el("span", said, class_="remark") if said else None, item_link(asked, one.item, one.title))


def _lists(asked: Asked, seen: Seen) -> Html:
    """Each model's list beside the others."""
    lists = [_list(asked, seen, listed, lead=at == 0) for at, listed in enumerate(seen.lists)]
    inner = scrolling(el("div", *lists, class_="beside"), "Lists of the models")
    return el(
        "section",
        el("h2", "What they get" if len(lists) == 1 else "What they get, by each model", id="lists-h"),
        inner,
        aria_labelledby="lists-h",
    )


def _list(asked: Asked, seen: Seen, listed: Listed, *, lead: bool) -> Html:
    made = f"fitted {age(listed.fitted)} ago" if listed.fitted else listed.version
    head = (el("h3", name(listed.label)), el("p", f"{listed.model}, {made}", class_="sub"))
    most = max((place.score for place in listed.places if place.score is not None), default=0.0)
    least = min((place.score for place in listed.places if place.score is not None), default=0.0)
    shown = [_place(asked, place, most if least >= 0 else 0.0, moved=lead and seen.changed) for place in listed.places]
    empty = sentence(listed.error or listed.empty or "Nothing: no item may be shown.") if not shown else None
    notes = [el("p", note, class_="gone") for note in listed.notes]
    gone = _gone(asked, seen) if lead and seen.gone else None
    ranked = el("ol", *shown, class_="ranked") if shown else None
    return el("div", *head, ranked, empty, gone, *notes, class_="of-list lead-list" if lead else "of-list")


def _place(asked: Asked, place: Place, most: float, *, moved: bool) -> Html:
    """A row: rank and title; below them the score with its bar, where it stood, and why."""
    whole = f"As if they had taken {place.title}"
    add = el(
        "a", "+", href=_with(asked, place.item), data_live=place.item, title="As if they had taken this", aria_label=whole, class_="add"
    )
    why = "; ".join(line for line in (source_words(place.source), *place.why) if line)
    score = el("span", bar(place.score, most), _score(place.score), class_="score") if place.score is not None else None
    said = [part for part in (score, _moved(place) if moved else None, why or None) if part]
    line = el("div", join(said, " · "), class_="why") if said else None
    what = el("div", el("span", item_link(asked, place.item, place.title), class_="title"), line, class_="what")
    return el("li", el("span", str(place.rank), class_="rank"), what, add, data_item=place.item)


def _with(asked: Asked, item: str) -> str:
    """The page with one item more in the typed history."""
    return asked.link(history="\n".join([*asked.typed, item]))


def _score(score: float) -> str:
    size = abs(score)
    text = (
        short_count(round(size)) if size >= 10_000 else f"{size:.3g}" if size >= 0.001 or not size else f"{size:.0e}".replace("e-0", "e-")
    )
    return f"−{text}" if score < 0 else text


def _moved(place: Place) -> Html | None:
    """Where it stood before the change."""
    if place.before is None:
        return el("span", "new", class_="moved good")
    if place.before == place.rank:
        return None
    up = place.before > place.rank
    return el("span", f"{'▲' if up else '▼'} was {place.before}", class_=f"moved {'good' if up else 'bad'}")


def _gone(asked: Asked, seen: Seen) -> Html:
    gone = (join((item_link(asked, item, title), f" (was {rank})")) for rank, item, title in seen.gone)
    return el("p", "No longer here: ", join(gone, "; "), class_="gone")


def _left_out(asked: Asked, seen: Seen) -> Html:
    """The stages, and what each left out."""
    rows = [_stage(asked, stage) for stage in seen.stages]
    nothing = None if rows else sentence("No list was made, so nothing was left out.")
    note = el("p", f"{seen.lists[0].label}, stage by stage", class_="sub")
    return el("section", el("h2", "What was left out", id="left-h"), note, *rows, nothing, class_="left-out", aria_labelledby="left-h")


def _stage(asked: Asked, stage: Passed) -> Html:
    left = f"{count(stage.left)} left" if stage.left is not None else ""
    head = el("h3", STAGES.get(stage.name, stage.name), el("span", left, title=f"{stage.milliseconds:g} ms"))
    dropped = []
    for one in stage.dropped:
        line = (el("span", name(one.by)), el("span", count(one.count)))
        rows = [el("li", item_link(asked, item, title)) for item, title in one.items]
        more = el("li", f"and {count(one.count - len(rows))} more", class_="remark") if one.count > len(rows) else None
        dropped.append(el("details", el("summary", *line), el("ul", *rows, more, class_="rows")) if rows else el("dl", el("dt", *line)))
    skipped = [el("p", el("span", f"{part} was skipped: {why}", class_="bad"), class_="sub") for part, why in stage.skipped.items()]
    return el("div", head, *dropped, *skipped, class_="stage")


# Nobody yet, and the API


def _nobody(asked: Asked, seen: Seen) -> Page:
    """A search, and some people to begin with."""
    find = el(
        "form", el("input", type="hidden", name="scenario", value=seen.scenario), field("Person", search_field("user", "", "people", "id")),
        field("Or what a visitor has taken (a line each)", el("textarea", "", name="history", rows=2, spellcheck="false"), class_="wide"),
        el("button", "Show", type="submit", class_="main-act"), action="/people", method="get", class_="controls",
    )  # fmt: skip
    rows = [
        el(
            "li",
            el("a", "Person ", name(user), href=person_path(user, seen.scenario)),
            " ",
            el("span", f"{plural(events, 'event')}; last {last}", class_="remark"),
        )
        for user, events, last in seen.some
    ]
    hint = "There are no histories yet. Send events to POST /v1/events, or look at a visitor: type what they have taken."
    known = el("ul", *rows, class_="rows links") if rows else sentence(hint)
    said = "What a person gets, why, and what was left out."
    return Page("People", [said], [section("some", "Some people", known)], [f"scenario {seen.scenario}"], before=find)


def _calls(asked: Asked, seen: Seen) -> list[Call]:
    request = msgspec.to_builtins(trying.request_of(asked, seen.scenario))
    usual: dict[str, Any] = {"k": 10, "exclude": [], "context": {}, "scenario": None}
    body = {key: value for key, value in request.items() if value is not None and value != usual.get(key)}
    return [Call("POST", "/v1/recommend", msgspec.json.encode(body).decode(), "The list")]
