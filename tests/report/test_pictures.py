"""Plots alone: lines with their bands and names, a plot as a file of its own, and the frame of a page."""

from __future__ import annotations

import re
from xml.dom.minidom import parseString

import pytest

from vitrina.pages.frame import framed
from vitrina.report.cascade import Part, cascade
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Drawing, section
from vitrina.report.scales import FONT, SEMIBOLD, Linear, text_width
from vitrina.report.standalone import picture

LINES = [
    Curve([(0, 0), (1, 2)], "lead", "the policy", band=[(0, 0, 0), (1, 1, 3)], name="by the policy"),
    Curve([(0, 0), (1, 1.9)], "other", "chance", name="at random"),
]
DRAWN = curves(
    LINES,
    across=Linear(0, 1, 0, 1),
    up=(0, 3),
    across_ticks=[(0, "0"), (1, "1")],
    up_ticks=[(1, "1")],
    note=None,
    description="two lines",
)


def test_a_band_lies_between_its_ends_and_names_do_not_lie_on_each_other() -> None:
    drawn = DRAWN.draw(300)
    (band,) = re.findall(r'<path d="M([^"]*)Z" class="band lead"', drawn)
    corners = [tuple(map(float, corner.split())) for corner in band.split("L")]
    line = re.findall(r'd="M([^"]*)" class="curve lead"', drawn)[0].split("L")[-1].split()
    at_end = [y for x, y in corners if x == float(line[0])]
    assert min(at_end) < float(line[1]) < max(at_end)
    names = [float(y) for y in re.findall(r'<text x="[\d.]+" y="([\d.]+)" class="name over', drawn)]
    assert len(names) == 2
    assert abs(names[0] - names[1]) >= 12


def test_a_picture_is_a_whole_file() -> None:
    text = picture(DRAWN, "a < b")
    made = parseString(text).documentElement
    assert made is not None
    assert made.tagName == "svg"
    assert made.getAttribute("xmlns") == "http://www.w3.org/2000/svg"
    assert "a &lt; b" in text
    assert "prefers-color-scheme: dark" in text
    assert ".band.lead" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_page_has_its_answer_first_and_links_only_to_what_it_shows() -> None:
    page = framed("A < B", ["log", "12 rows"], ["First.", "Then."], [("one", "One", section("one", "One", "x")), ("two", "Two", None)])
    assert page.index("First.") < page.index("Then.") < page.index("<nav") < page.index('<section id="one"')
    assert "#two" not in page
    assert "<h1>A &lt; B</h1>" in page
    assert not re.findall(r'(?:src|href)="(?!#)', page)


LABEL = "nDCG@10 and Recall@10 by people of the last fold"


@pytest.mark.parametrize("width", [340, 1000])
@pytest.mark.parametrize(
    ("drawing", "face"),
    [
        (dots([Dot(LABEL, 0.5, 0.4, 0.6, "other", "a")], description="one"), FONT),
        (dots([Dot(LABEL, 0.5, 0.4, 0.6, "lead", "a")], description="one"), SEMIBOLD),
        (dots([Dot(LABEL, 0.5, 0.4, 0.6, "base", "a")], description="one"), SEMIBOLD),
        (cascade([Part(LABEL, 0.5, "0.5", total=True)], description="one"), SEMIBOLD),
    ],
)
def test_a_name_keeps_inside_the_picture_in_its_own_face(drawing: Drawing, face: float, width: int) -> None:
    ((end, shown),) = re.findall(r'<text x="([\d.]+)"[^>]*class="name[^"]*"[^>]*>([^<]*)<', str(drawing.draw(width)))
    assert text_width(shown, face) <= float(end)
