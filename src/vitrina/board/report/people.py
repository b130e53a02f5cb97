"""Section 7: some people, what they had taken, and what each model would have shown them."""

from __future__ import annotations

from vitrina.board.report.html import Html, el, join, name, scrolling, section, sentence
from vitrina.board.report.view import View
from vitrina.board.report.words import plural
from vitrina.board.result import Example

MOST_ACROSS = 5  # lists
COUNTS = ("No", "One person", "Two people", "Three people", "Four people", "Five people", "Six people", "Seven people", "Eight people")


def people(view: View) -> Html:
    """Each person's history beside the lists of all models."""
    examples = view.board.examples
    title = COUNTS[len(examples)] if 0 < len(examples) < len(COUNTS) else f"{len(examples)} people" if examples else "Six people"
    if not examples:
        return section("people", title, sentence("There are no example people on this board: no query could be shown."))
    note = "What each person had taken, newest last, and what each model would have shown; ● marks what the person then took."
    return section("people", title, el("p", note, class_="sub"), *(_person(view, e) for e in examples))


def _person(view: View, example: Example) -> Html:
    models = [m for m in view.models if m in example.lists] + [m for m in example.lists if m not in view.models]
    heading = el("h3", "Person ", name(example.user))
    columns = [_past(example), *(_list(view, m, example.lists[m]) for m in models)]
    return el("article", heading, el("p", _outcome(example, models), class_="sub"), scrolling(el("div", *columns, class_="lists", style=f"--across: {_across(len(columns))}"), f"Lists for person {example.user}"), class_="person")  # fmt: skip


def _across(lists: int) -> int:
    """Lists beside each other, so that the rows are about equally full."""
    return -(-lists // -(-lists // MOST_ACROSS))


def _outcome(example: Example, models: list[str]) -> str:
    found = [m for m in models if any(hit for _, hit in example.lists[m])]
    taken = plural(len(example.truth), "item")
    if not models:
        return f"Then took {taken}; no model answered."
    if not found:
        return (
            f"Then took {taken}; no model had it in its list."
            if len(example.truth) == 1
            else f"Then took {taken}; no model had any of them in its list."
        )
    return f"Then took {taken}; {len(found)} of {plural(len(models), 'model')} had at least one in the list."


def _past(example: Example) -> Html:
    past = [el("li", name(title)) for title in example.history] or [el("li", "nothing yet", class_="empty")]
    then = [el("li", name(title)) for title in example.truth]
    taken = join((el("h4", "Then took"), el("ul", *then, class_="then"))) if then else None
    return el("div", el("h4", "History"), el("div", el("ul", *past), taken), class_="past")


def _list(view: View, model: str, shown: tuple[tuple[str, bool], ...]) -> Html:
    rows = [_place(title, hit) for title, hit in shown] or [el("li", "an empty list", class_="empty")]
    return el("div", el("h4", view.model_cell(model)), el("ol", *rows), data_model=view.place.get(model))


def _place(title: str, hit: bool) -> Html:
    if not hit:
        return el("li", name(title))
    return el("li", el("strong", name(title)), el("span", " hit", class_="hidden"), class_="hit")
