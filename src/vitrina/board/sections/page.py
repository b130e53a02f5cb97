"""The whole page: one file with its style and its script inside, and nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vitrina.board.sections.audit import audit
from vitrina.board.sections.exposure import exposure
from vitrina.board.sections.helped import helped
from vitrina.board.sections.leaderboard import leaderboard
from vitrina.board.sections.making import making
from vitrina.board.sections.opening import opening
from vitrina.board.sections.people import people
from vitrina.board.sections.reordered import reordered
from vitrina.board.sections.slices import slices
from vitrina.board.sections.stages import stages
from vitrina.board.sections.tradeoff import tradeoff
from vitrina.board.sections.view import View
from vitrina.board.sections.worth import worth
from vitrina.report.html import Html, el, join
from vitrina.report.page import document

if TYPE_CHECKING:
    from vitrina.board.result import Board

SECTIONS: tuple[tuple[str, str, Callable[[View], Html | None]], ...] = (
    ("data", "The data", lambda view: audit(view.board.inspection, view.board.split, view.of_latest)),
    ("leaderboard", "The leaderboard", leaderboard),
    ("trade-off", "Accuracy and diversity", tradeoff),
    ("worth", "What it earns", worth),
    ("slices", "Where each model is good", slices),
    ("helped", "Who is helped and who is harmed", helped),
    ("exposure", "What is recommended", exposure),
    ("stages", "Two stages", stages),
    ("reordered", "Before and after", reordered),
    ("people", "Examples", people),
    ("making", "How it was made", making),
)


def render(board: Board) -> str:
    """A comparison as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same board gives the same text. All names and titles of the data are escaped.

    Args:
        board: what `compare` returned.

    Returns:
        the page; write it to a file with UTF-8.
    """
    view = View(board)
    parts = [(key, title, made) for key, title, make in SECTIONS if (made := make(view)) is not None]
    links = [(key, title) for key, title, _ in parts]
    skip = el("a", "Skip to the leaderboard", href="#leaderboard", class_="skip")
    return document(board.title, join((opening(view, links), *(made for _, _, made in parts)), "\n"), skip)
