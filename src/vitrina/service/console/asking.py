"""What a scenario that searches finds for a text, what it answers, and every step on the way: looked at, and shown to nobody."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct
from msgspec.json import encode

from vitrina.report.html import Column, Html, el, name, section, sentence, table
from vitrina.report.words import fixed
from vitrina.service.console.asked import Asked, Call, Page
from vitrina.service.console.names import item_link
from vitrina.wire import AnswerAnswer, AnswerRequest, RecommendedItem, SearchRequest

MOST = 20
LONGEST = 1000  # letters of a text


class Found(Struct):
    """All that the page shows."""

    scenario: str
    text: str
    searches: list[str]  # scenarios that read what is typed
    items: list[RecommendedItem]
    notes: list[str]
    empty: str | None = None
    answer: AnswerAnswer | None = None


def searching(asked: Asked) -> list[str]:
    """The scenarios of the tenant that read what is typed."""
    return [key for key, one in asked.tenant.scenarios.items() if one.way(None).pipeline.searches]


async def load(asked: Asked) -> Found:
    """What is found, and answered where the scenario answers questions."""
    text, there = asked.text("text")[:LONGEST], searching(asked)
    scenario = asked.text("scenario") and asked.scenario.name
    chosen = scenario if scenario in there else next(iter(there), "")
    if not text or not chosen:
        return Found(chosen, text, there, [], [])
    way = asked.tenant.scenario(chosen).way(None)
    (found,) = await way.batcher.look([SearchRequest(text=text, k=MOST, scenario=chosen)])
    if found.error is not None:
        raise found.error
    answer = None if way.answering is None else await way.answering.answer(AnswerRequest(question=text, scenario=chosen), traced=True)
    return Found(chosen, text, there, found.items, found.notes, found.empty, answer)


def render(asked: Asked, found: Found) -> Page:
    """The page."""
    if not found.searches:
        return Page("Search", ["No scenario searches: serve an index of the items, vt.search.ItemIndex, to look at what it finds."])
    options = [el("option", key, value=key, selected=key == found.scenario) for key in found.searches]
    field = el("input", type="search", name="text", value=found.text, placeholder="What a visitor types", aria_label="What a visitor types")
    choice = el("select", *options, name="scenario", aria_label="Scenario")
    form = el("form", field, choice, el("button", "Search", type="submit"), action="/ask", method="get", class_="controls")
    if not found.text:
        return Page("Search", ["Type what a visitor would type."], before=form)
    calls = [Call("POST", "/v1/search", encode({"text": found.text, "scenario": found.scenario}).decode())]
    parts = [_list(asked, found)]
    if found.answer is not None:
        calls.append(Call("POST", "/v1/answer", encode({"question": found.text, "scenario": found.scenario}).decode()))
        parts = [_answer(asked, found.answer), *parts, _steps(found.answer.trace or [])]
    said = [found.empty] if found.empty else []
    return Page(f"“{found.text}”", [*said, *found.notes], parts, calls=calls, before=form)


def _list(asked: Asked, found: Found) -> Html:
    columns = [Column("Item", number=False), Column("Score"), Column("Found by", number=False)]
    rows = [
        [item_link(asked, one.item, one.title or one.item), "–" if one.score is None else fixed(one.score, 3), one.source]
        for one in found.items
    ]
    return section("found", "Found", table(columns, rows, caption=f"At most {MOST}, best first") if rows else sentence("Nothing."))


def _answer(asked: Asked, answer: AnswerAnswer) -> Html:
    """The sentences with what they rest on; or why there are none."""
    rows = [
        el(
            "li",
            one.text,
            *(
                el("span", " ", item_link(asked, cited.item, cited.title), ": ", name(cited.quote), class_="remark")
                for cited in one.citations
            ),
        )
        for one in answer.sentences
    ]
    said = el("ul", *rows, class_="rows") if rows else sentence(answer.text)
    by = f", by {answer.by}" if answer.by else ""
    return section("answer", f"Answer: {answer.status}{by}", said)


def _steps(trace: list[dict[str, Any]]) -> Html:
    """The way to the answer; what came in and out of a step is folded."""
    columns = [
        Column("Step", number=False),
        Column("Gave", number=False),
        Column("ms"),
        Column("Tokens in"),
        Column("Tokens out"),
        Column("Data", number=False),
    ]
    rows = [
        [
            step["step"], step["gave"], fixed(step["ms"], 1), fixed(step["prompt_tokens"], 0), fixed(step["answer_tokens"], 0),
            el("details", el("summary", "In and out"), el("pre", _shown({key: step[key] for key in ("input", "output", "calls")}))),
        ]
        for step in trace
    ]  # fmt: skip
    return section("steps", "Every step", table(columns, rows, caption="In the order in which they were taken"))


def _shown(step: dict[str, Any]) -> str:
    return json.dumps(step, ensure_ascii=False, indent=1)
