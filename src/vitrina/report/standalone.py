"""A plot as a file of its own, for a page of text that shows it as a picture."""

from __future__ import annotations

import re

from vitrina.report.html import WIDE, Drawing, Html, el, svg
from vitrina.report.page import part


def picture(drawing: Drawing, title: str, width: int = WIDE) -> str:
    """The plot as SVG text with its style inside: the colours of a page, light and dark by the reader's setting.

    Args:
        title: the finding; with the description of the drawing it is what a screen reader says.
    """
    sheet = part("style.css")
    colours = sheet[: sheet.index("* {")]
    marks = sheet[sheet.index("svg { overflow") : sheet.index("g.hot")]
    own = "svg { background: var(--paper); font-family: system-ui, sans-serif; }\n"
    style = el("style", Html("\n" + colours + own + marks))
    drawn = svg("plot", drawing, width, title)
    return re.sub(r"^<svg", '<svg xmlns="http://www.w3.org/2000/svg"', drawn).replace(">", f">{style}", 1) + "\n"
