"""The report of a comparison: one self-contained HTML page, a module per section, drawn with the page kit `vitrina.report`.

`render(board)` is the only way in; `view` is what the sections share.
"""

from vitrina.board.sections.page import render

__all__ = ["render"]
