"""The whole page: one file with its style and its script inside, and nothing from anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrina.board.sections.audit import audit
from vitrina.board.sections.exposure import exposure
from vitrina.board.sections.helped import helped
from vitrina.board.sections.leaderboard import leaderboard
from vitrina.board.sections.making import making
from vitrina.board.sections.opening import opening
from vitrina.board.sections.people import people
from vitrina.board.sections.slices import slices
from vitrina.board.sections.tradeoff import tradeoff
from vitrina.board.sections.view import View
from vitrina.report.html import el, join
from vitrina.report.page import document

if TYPE_CHECKING:
    from vitrina.board.result import Board


def render(board: Board) -> str:
    """A comparison as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same board gives the same text. All names and titles of the data are escaped.

    Args:
        board: what `compare` returned.

    Returns:
        the page; write it to a file with UTF-8.
    """
    view = View(board)
    sections = (
        audit(board.inspection, board.split, view.of_latest), leaderboard(view), tradeoff(view), slices(view), helped(view), exposure(view), people(view),
        making(view),
    )  # fmt: skip
    skip = el("a", "Skip to the leaderboard", href="#leaderboard", class_="skip")
    return document(board.title, join((opening(view), *sections), "\n"), skip)
