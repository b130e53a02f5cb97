"""Section 8: some people, what they had taken, and what each model would have shown them. However long a list is, the page is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrina.board.sections.view import View
from vitrina.report.html import Html, el, join, name, scrolling, section, sentence
from vitrina.report.words import count, plural

if TYPE_CHECKING:
    from vitrina.board.result import Example

OPEN = 4  # lists beside the history; those of the other models are folded
FOLDED = 12  # lists that can be unfolded
ROWS = 8  # of a history, and of what was then taken
PLACES = 10  # of a list
LONGEST = 90  # letters of a title
MOST = 8  # people
COUNTS = ("No", "One person", "Two people", "Three people", "Four people", "Five people", "Six people", "Seven people", "Eight people")


def people(view: View) -> Html:
    """Each person's history beside the lists of the best models, the baseline among them."""
    examples = view.board.examples[:MOST]
    if not examples:
        return section("people", "Six people", sentence("There are no example people on this board: no query could be shown."))
    if any(example.text for example in examples):
        note = "The searches of which the lists hold least of what was judged relevant, on average over the models; ● marks what was."
        return section(
            "people", "The searches that went worst", el("p", note, class_="sub"), view.of_latest, *(_person(view, e) for e in examples)
        )
    note = "What each person had taken, newest last, and what each model would have shown; ● marks what the person then took."
    return section("people", COUNTS[len(examples)], el("p", note, class_="sub"), view.of_latest, *(_person(view, e) for e in examples))


def _person(view: View, example: Example) -> Html:
    models = _models(view, example)
    shown, folded = models[:OPEN], models[OPEN : OPEN + FOLDED]
    asked = el("h3", "“", name(example.text), "”") if example.text else el("h3", "Person ", name(example.user))
    head = join((asked, el("p", _outcome(example, models), class_="sub")))
    beside = _beside([past(example), *(_list(view, m, example.lists[m]) for m in shown)], f"Lists for {_of(example)}", OPEN + 1)
    return el("article", head, beside, _more(view, example, folded, len(models)), class_="person")


def _more(view: View, example: Example, folded: list[str], models: int) -> Html | None:
    if not folded:
        return None
    left = models - OPEN - len(folded)
    said = f"The lists of {plural(len(folded), 'other model')}" + (f"; those of {left} more are in board.json" if left else "")
    lists = [_list(view, m, example.lists[m]) for m in folded]
    return el("details", el("summary", said), _beside(lists, f"More lists for {_of(example)}", OPEN))


def _beside(columns: list[Html], label: str, most: int) -> Html:
    """Lists beside each other, so that the rows are about equally full."""
    across = -(-len(columns) // -(-len(columns) // most))
    return scrolling(el("div", *columns, class_="lists", style=f"--across: {across}"), label)


def _models(view: View, example: Example) -> list[str]:
    """Those with a list, best first; the baseline is among the first few."""
    ordered = [m for m in view.models if m in example.lists] + [m for m in example.lists if m not in view.models]
    base = view.board.baseline
    if base in ordered[OPEN:]:
        ordered.remove(base)
        ordered.insert(OPEN - 1, base)
    return ordered


def _outcome(example: Example, models: list[str]) -> str:
    right = [m for m in models if any(hit for _, hit in example.lists[m])]
    taken = f"Relevant: {plural(len(example.truth), 'item')}" if example.text else f"Then took {plural(len(example.truth), 'item')}"
    if not models:
        return f"{taken}; no model answered."
    if not right:
        return f"{taken}; no model had {'it' if len(example.truth) == 1 else 'any of them'} in its list."
    return f"{taken}; {len(right)} of {plural(len(models), 'model')} had at least one in the list."


def past(example: Example) -> Html:
    """The newest of the history, and what was then taken: what a model had in its list first."""
    past = [_title(title) for title in example.history[-ROWS:]] or [el("li", "nothing yet", class_="empty")]
    hit = {title for shown in example.lists.values() for title, is_hit in shown if is_hit}
    then = sorted(example.truth, key=lambda title: title not in hit)
    more = el("li", f"and {count(len(then) - ROWS)} more", class_="more") if len(then) > ROWS else None
    taken = (
        join((el("h4", "Relevant" if example.text else "Then took"), el("ul", *map(_title, then[:ROWS]), more, class_="then")))
        if then
        else None
    )
    if example.text and not example.history:
        return el("div", taken, class_="past")
    return el("div", el("h4", "History"), el("div", el("ul", *past), taken), class_="past")


def _list(view: View, model: str, shown: tuple[tuple[str, bool], ...]) -> Html:
    rows = [_place(title, hit) for title, hit in shown[:PLACES]] or [el("li", "an empty list", class_="empty")]
    rest = shown[PLACES:]
    below = f"{plural(len(rest), 'more place')} with {plural(sum(hit for _, hit in rest), 'hit')}" if rest else None
    return el(
        "div", el("h4", view.model_cell(model)), el("ol", *rows), el("p", below, class_="remark") if below else None,
        data_model=view.place.get(model),
    )  # fmt: skip


def _place(title: str, hit: bool) -> Html:
    if not hit:
        return _title(title)
    return el("li", el("strong", short_title(title)), el("span", " hit", class_="hidden"), class_="hit")


def _title(title: str) -> Html:
    return el("li", short_title(title))


def short_title(title: str) -> Html:
    """A title of a few lines at most; the pointer finds the whole one."""
    return name(title) if len(title) <= LONGEST else el("span", name(title[:LONGEST].rstrip() + "…"), title=title)


def _of(example: Example) -> str:
    return f"the search {example.text}" if example.text else f"person {example.user}"
