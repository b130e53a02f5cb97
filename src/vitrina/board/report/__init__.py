"""The report of a comparison: one self-contained HTML page."""

from vitrina.board.report.page import render

__all__ = ["render"]
