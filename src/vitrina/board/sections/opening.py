"""Section 1: what was compared, and the answer in three sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrina.board.sections.view import LESS, View, gloss, model_gloss
from vitrina.report.html import Html, breakable, el, join, name
from vitrina.report.words import minute, plural

if TYPE_CHECKING:
    from vitrina.board.result import Entry


def opening(view: View, sections: Sequence[tuple[str, str]]) -> Html:
    """Title, date and answer, then links to the sections, by key and title."""
    said = view.board.headline or _own_words(view)
    first, *rest = said
    answer = [el("p", first, class_="lede"), *(el("p", s, class_="lede second") for s in rest)]
    less = join(el("p", view.board.settings[key], class_="first-look") for key in LESS if view.board.settings.get(key))
    head = el(
        "header", el("h1", view.board.title), el("p", *_dateline(view), class_="dateline"), less, el("div", *answer), _names(view, said), id="top"
    )  # fmt: skip
    links = (el("a", title, href=f"#{key}") for key, title in sections)
    return join((head, el("nav", *links, aria_label="Sections")))


def _names(view: View, said: Sequence[str]) -> Html | None:
    """What the names in the answer stand for: the metric, and models whose names don't say what they are."""
    text, metric = " ".join(said), view.primary
    lines = [el("li", el("b", metric.name), ": ", gloss(metric), ".")] if metric.name in text else []
    lines += [line for e in view.board.entries if e.name in text and (line := _of_model(e)) is not None]
    return el("ul", *lines, class_="notes names") if lines else None


def _of_model(entry: Entry) -> Html | None:
    """What a model is and does: "favourites is TopPersonal(): rank the items of the history by how often the person took them"."""
    about = model_gloss(str(entry.config.get("name", "")))
    if not about and not entry.meaning:
        return None
    call = el("span", " is ", el("code", breakable(entry.meaning))) if entry.meaning else None
    return el("li", el("b", name(entry.name)), call, f": {about}." if about else ".")


def _dateline(view: View) -> list[object]:
    made = next((view.board.settings[n] for n in ("date", "created", "finished", "started") if view.board.settings.get(n)), None)
    log = view.board.inspection.name if view.board.inspection else None
    parts = [log, minute(made) if made else None, plural(len(view.board.entries), "model"), f"judged by {view.board.primary}"]
    return [el("span", p) for p in parts if p]


def _own_words(view: View) -> tuple[str, ...]:
    """For a board that came without a headline."""
    if view.leader is None:
        return ("No model has an answer on this board; the reasons are in the leaderboard.",)
    metric = view.board.primary
    return (f"{view.leader} has the best {metric} of {plural(len(view.models), 'model')}: {view.numbers.shown(view.leader, metric)}.",)
