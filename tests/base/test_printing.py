"""Numbers that people read, and tables for terminals of every width."""

import re

import pytest
from rich.table import Column, Table

from vitrina.base.printing import as_text, decimals, fixed, short, short_interval, signed
from vitrina.base.tables import Fitted


@pytest.mark.parametrize("value", [0.0002, -0.0002, 3e-5, 1e-7, 0.4, 12.5, 1234.5])
def test_what_is_not_zero_is_never_shown_as_zero(value):
    for text in (short(value), fixed(value, 3), fixed(value, decimals([value, 0.2])), signed(value, 2), short_interval(value, None, None)):
        assert re.search(r"[1-9]", text), text


def test_a_column_is_as_precise_as_its_smallest_needs_but_not_more_than_four():
    assert decimals([0.143, 0.0002]) == 4
    assert decimals([0.143, 0.0901]) == 3
    assert decimals([0.143, 1e-9]) == 4
    assert fixed(1e-9, 4) == "<0.0001"
    assert decimals([0.25, 0.0002], [0.01, 0.01]) == 4
    assert decimals([0, 0.0]) == 0


@pytest.mark.parametrize("width", [12, 20, 30, 40, 60, 80, 120])
def test_no_digit_of_a_table_is_cut_at_any_width(width):
    table = Table(Column("split"), Column("train events", justify="right"), Column("share", justify="right"), Column("note"), box=None)
    table.add_row("leave one out", "1,234,567", "99.5%", "of 48,000 people 17,000 are new")
    table.add_row("7 days", "12", "0%", "")
    text = as_text(Fitted(table), width)
    for number in ("1,234,567", "99.5%", "48,000", "17,000", "0%"):
        assert number in text
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
