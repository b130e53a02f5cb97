"""Accuracy beside money: the board says when the best order is not the one that earns most."""

import re

import polars as pl
import pytest
import rogues

import vitrina as vt
from vitrina.board.sections import render

pytestmark = pytest.mark.usefixtures("one_process")
JOB = {
    "metrics": ["nDCG@1", "Value@1"],
    "primary": "nDCG@1",
    "k": 1,
    "baselines": False,
    "baseline": "popular",
    "progress": False,
    "examples": 0,
}


MODELS = {"popular": vt.Popularity(), "second": rogues.Second()}


def split_of(salt, wine):
    """Everybody buys bread for 1, then seven of ten salt and three of ten wine, at these prices; salt is the more popular one before that, too."""
    before = [(f"old {n}", item, n % 5, price) for item, people, price in (("salt", 60, salt), ("wine", 40, wine)) for n in range(people)]
    history = [(f"u{n}", "bread", 5, 1.0) for n in range(400)]
    asked = [(f"u{n}", "wine" if n % 10 < 3 else "salt", 10, wine if n % 10 < 3 else salt) for n in range(400)]
    log = pl.DataFrame(before + history + asked, schema=["who", "what", "day", "paid"], orient="row")
    return vt.read_interactions(log, user="who", item="what", time="day", value="paid", time_unit="step").split(vt.split.GlobalTime(at=10))


def text_of(board):
    return re.sub(r"<[^>]*>", "", render(board))


def test_a_model_that_earns_more_than_the_best_order_is_named():
    board = vt.compare(MODELS, split_of(salt=1.0, wine=100.0), **JOB)
    values = {r["model"]: r["value"] for r in board.numbers.filter(metric="Value@1").iter_rows(named=True)}
    assert values == pytest.approx({"popular": 0.7, "second": 30.0})
    assert board.earnings["baseline"].unique().to_list() == ["second"]
    assert board.earnings["difference"].to_list() == pytest.approx([-29.3])
    assert len(said := [s for s in board.headline if "earns most" in s]) == 1
    assert "The best order is not the one that earns most: popular has the best nDCG@1, and second has 29" in said[0]
    assert "popular is ahead in nDCG@1, second in Value@1" in text_of(board)


def test_where_the_best_order_earns_most_that_is_said_too():
    board = vt.compare(MODELS, split_of(salt=3.0, wine=1.0), **JOB)
    assert not [s for s in board.headline if "earns most" in s]
    assert "popular has the best order and earns most: 2.10 per question." in text_of(board)
    assert "popular is ahead in both nDCG@1 and Value@1" in text_of(board)


def test_a_board_without_money_has_no_part_about_it():
    board = vt.compare(MODELS, split_of(salt=1.0, wine=1.0), **JOB | {"metrics": ["nDCG@1"]})
    assert board.earnings.is_empty()
    assert 'id="worth"' not in render(board)
