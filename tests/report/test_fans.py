"""Plots over days and sums of parts: every mark at its place, nothing outside of the picture, words for those who don't see it."""

import re
from datetime import date

import pytest

from vitrina.report.cascade import Part, cascade
from vitrina.report.curves import Curve, curves
from vitrina.report.fans import Fan, Ribbon, Spot, Thread, fan
from vitrina.report.html import HALF, NARROW, WIDE, svg
from vitrina.report.scales import Linear

EVIL = "<b>tea</b>"


def numbers(pattern, text):
    return [float(found) for found in re.findall(pattern, text)]


def inside(drawn, width, tall):
    """All coordinates of lines, circles and rectangles are in the picture."""
    assert all(-1 <= x <= width + 1 for x in numbers(r'(?:\bx|x1|x2|cx)="(-?[\d.]+)"', drawn))
    assert all(-1 <= y <= tall + 1 for y in numbers(r'(?:\by|y1|y2|cy)="(-?[\d.]+)"', drawn))
    points = [(float(x), float(y)) for body in re.findall(r' d="([^"]+)"', drawn) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", body)]
    assert all(-1 <= x <= width + 1 and -1 <= y <= tall + 1 for x, y in points)


@pytest.fixture
def made():
    line = Thread([1.0, 2.0, None, 900.0, None, None, 4.0, 3.0], "base thin", EVIL)
    bands = (Ribbon([0.0, 0.0], [6.0, 8.0], "lead", 6), Ribbon([1.0, 1.0], [2.0, 3.0], "lead", 6))
    return Fan(date(2027, 1, 1), 8, (line,), bands, (Spot(6, 9.0, "worse", EVIL),), (2, 4, 5), "sold out", (6, "forecast"), 10.0)


@pytest.mark.parametrize("width", [NARROW, HALF, WIDE])
def test_a_fan(made, width):
    drawing = fan(made, description=f"{EVIL}: 2 days.", unit="units", tall=180)
    drawn = drawing.draw(width)
    inside(drawn, width, drawing.height(width))
    assert EVIL not in drawn
    assert len(re.findall('class="curve base thin"', drawn)) == 3  # parted where nothing is known; a day alone is a dash
    assert "↑ 900" in drawn
    assert drawn.count('class="shut"') == 2
    assert "sold out, 2 in a row" in drawn
    assert drawn.count('class="band lead"') == 2
    assert "&lt;b&gt;tea" in svg("one", drawing, width, EVIL)


def test_the_highest_band_is_at_the_height_of_its_value(made):
    drawn = fan(made, description="", tall=180).draw(WIDE)
    band = re.findall(r' d="M([\d. L]+)Z"', drawn)[0]
    x, y = zip(*((float(a), float(b)) for a, b in re.findall(r"([\d.]+) ([\d.]+)", band)), strict=True)
    floor, ceiling = 180 - 26 - 8, 32
    assert min(y) == pytest.approx(floor - 8 / 10 * (floor - ceiling), abs=0.06)
    assert max(y) == floor
    assert x == (*sorted(x[:2]), *sorted(x[2:], reverse=True))


def test_one_day_and_nothing_but_zeros():
    for lines in ((Thread([0.0], "base"),), ()):
        drawing = fan(Fan(date(2027, 1, 1), 1, lines, (Ribbon([0.0], [0.0], "lead"),)), description="")
        inside(drawing.draw(NARROW), NARROW, 180)


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("sign", [1, -1])
def test_parts_begin_where_the_last_one_ended(width, sign):
    parts = [Part("margin", 100.0 * sign, "100", 90.0 * sign, 110.0 * sign), Part(EVIL * 9, -150.0 * sign, "150"), Part("profit", -50.0 * sign, "−50", total=True)]  # fmt: skip
    drawing = cascade(parts, description="margin 100, storage 150, profit −50.")
    drawn = drawing.draw(width)
    inside(drawn, width, drawing.height(width))
    assert EVIL not in drawn
    bars = [(float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)]
    (margin, _), (storage, wide), (profit, narrow) = bars
    zero = margin if sign > 0 else margin + bars[0][1]
    assert wide == pytest.approx(1.5 * bars[0][1], abs=0.3)
    assert narrow == pytest.approx(0.5 * bars[0][1], abs=0.3)
    assert (storage if sign > 0 else storage + wide) == pytest.approx(profit if sign > 0 else profit + narrow, abs=0.3)
    assert (profit + narrow if sign > 0 else profit) == pytest.approx(zero, abs=0.3)


def test_curves_mark_what_stands_today_and_the_level_of_nothing():
    line = Curve([(1.0, -5.0), (2.0, 5.0)], "lead", band=[(1.0, -9.0, 0.0), (2.0, 1.0, 9.0)])
    drawing = curves(
        [line], across=Linear(1, 2, 0, 1), up=(-9.0, 9.0), across_ticks=[(1.0, "1")], up_ticks=[(0.0, "0")], note=(2.0, 5.0, "best"), description="",
        uprights=[(2.0, EVIL)], zero=True,
    )  # fmt: skip
    drawn = drawing.draw(NARROW)
    inside(drawn, NARROW, drawing.height(NARROW))
    assert EVIL not in drawn
    assert drawn.count('class="marker"') == drawn.count('class="limit"') == 1
    assert re.search(r'text-anchor="end">&lt;b&gt;', drawn)  # to the left, where there is room
