"""The report of a comparison: one self-contained HTML page."""

from vitrina.board.sections.page import render

__all__ = ["render"]
