"""Section 1: what was compared, and the answer in three sentences."""

from __future__ import annotations

from vitrina.board.report.facts import DataFacts
from vitrina.board.report.html import Html, el, join
from vitrina.board.report.view import View
from vitrina.board.report.words import minute, plural

SECTIONS = (
    ("data", "The data"),
    ("leaderboard", "The leaderboard"),
    ("trade-off", "Accuracy and diversity"),
    ("slices", "Where each model is good"),
    ("exposure", "What is recommended"),
    ("people", "Six people"),
    ("making", "How it was made"),
)


def opening(view: View, facts: DataFacts) -> Html:
    """Title, date and answer, then links to the sections."""
    said = view.board.headline or _own_words(view)
    first, *rest = said
    answer = [el("p", first, class_="lede"), *(el("p", s, class_="lede second") for s in rest)]
    head = el("header", el("h1", view.board.title), el("p", *_dateline(view, facts), class_="dateline"), el("div", *answer), id="top")
    links = (el("a", title, href=f"#{key}") for key, title in SECTIONS)
    return join((head, el("nav", *links, aria_label="Sections")))


def _dateline(view: View, facts: DataFacts) -> list[object]:
    made = next((view.board.settings[n] for n in ("date", "created", "finished", "started") if view.board.settings.get(n)), None)
    parts = [facts.name, minute(made) if made else None, plural(len(view.board.entries), "model"), f"judged by {view.board.primary}"]
    return [el("span", p) for p in parts if p]


def _own_words(view: View) -> tuple[str, ...]:
    """For a board that came without a headline."""
    if view.leader is None:
        return ("No model has an answer on this board; the reasons are in the leaderboard.",)
    metric = view.board.primary
    return (f"{view.leader} has the best {metric} of {plural(len(view.models), 'model')}: {view.shown(view.leader, metric)}.",)
