"""Boards of few people, of one, and of models that can't be told apart: what they say is that nothing can be said, why, and what it takes."""

import dataclasses
import re

import polars as pl
import pytest
import rogues

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board.sections import render

pytestmark = pytest.mark.usefixtures("one_process")
SERVE = ("Serve", "Take Popularity", "Next:", "better than")


def log(rows):
    """A log of (person, item, day)."""
    return vt.read_interactions(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"), time_unit="step")


def board_of(data, models, rule=None, **more):
    split = data.split(rule or vt.split.LeaveOneOut(repeat=True))
    return vt.compare(models, split, metrics=["nDCG@10", "MIUF@10"], progress=False, **more)


def people(number, events=3):
    """Each person takes the same few items in an order of their own."""
    return [(f"p{p}", f"i{(p * 7 + e) % 9}", e) for p in range(number) for e in range(events)]


def said_of(board):
    text = " ".join(board.headline)
    assert "0.000 or more" not in str(board)
    assert not any(word in text for word in SERVE), text
    return text


def test_one_person_with_two_queries():
    rows = [("ann", f"i{at % 4}", at) for at in range(12)] + [("bob", f"i{at % 3}", at) for at in range(9)]
    board = board_of(log(rows), [vt.TopPersonal(), vt.RandomItems()], vt.split.GlobalTime(at=10, repeat=True))
    assert board.asked == (1, 2, 1.0)
    assert "Nothing can be said of which model is better: 1 person was asked, and a verdict takes 20" in said_of(board)
    assert "Take a longer test part or several folds" in board.headline[-1]
    assert all(v.startswith("too few people to tell: 1 of the 20") for v in board.comparisons.filter(metric="nDCG@10")["verdict"])


def test_three_queries():
    board = board_of(log(people(3)), [vt.TopPersonal(), vt.Popularity()])
    assert "3 people were asked, and a verdict takes 20" in said_of(board)


def test_models_that_never_hit_have_no_winner():
    rows = [*people(40), *((f"p{p}", f"new {p}", 9) for p in range(40))]  # what is asked about nobody took before
    board = board_of(log(rows), [vt.TopPersonal(), vt.Popularity(), vt.RandomItems()], baselines=False)
    assert board.headline == (
        "All 3 models have the same nDCG@10 on every query, 0.000: nothing can be said of which is better.",
        "No list holds anything that was taken: look at what vitrina inspect says of the test part, or ask for longer lists.",
    )
    assert set(board.comparisons.filter(metric="nDCG@10")["verdict"]) == {"the same on every query"}


def test_models_that_differ_for_few():
    rows = people(60)
    models = {"one": vt.Popularity(), "two": rogues.Swapped(people=4)}
    board = board_of(log(rows), models, baselines=False, k=2, primary="nDCG@1")
    assert board.against_winner["differ"].item() < 10
    assert "and a verdict takes 10" in said_of(board)


def test_one_model_is_not_compared():
    board = board_of(log(people(30)), [vt.Popularity()], baselines=False)
    assert board.headline[1] == "With hits of 30 people the interval of Popularity can't be trusted: it takes 50."
    assert board.headline[0].startswith("Popularity has the best nDCG@10")


def test_a_model_with_half_of_its_lists_empty_has_a_remark_everywhere():
    data = vt.testing.synthetic(users=150, items=30)
    board = board_of(
        data, {"half": rogues.Half(), "whole": vt.TopPersonal()}, vt.split.GlobalTime(quantile=0.8, repeat=True), baselines=False
    )
    numbers = board.numbers.filter(model="half")
    queries = board.asked.queries
    assert numbers.filter(metric="nDCG@10")["queries"].item() == queries
    assert numbers.filter(metric="MIUF@10")["queries"].item() == queries // 2
    shares = rf"half answered 50% of the queries \({board.entry('half').people_answered:.0%} of the people\); a query without a list counts as a miss"
    assert re.search(shares, " ".join(board.headline))
    printed = re.sub(r"\s+", " ", str(board))
    assert "half: It answered 50% of the queries" in printed
    assert "MIUF@10 of half is over 50% of the queries that others have a value for." in printed
    report = re.sub(r"<[^>]*>", "", render(board))
    assert "answered 50% of the queries" in report
    assert report.count("over 50% of the queries") == 2  # in the leaderboard, and among all metrics
    miuf = board.comparisons.filter(metric="MIUF@10")
    assert miuf["difference"].item() == pytest.approx(0, abs=1e-9)  # on the queries that both answered they are the same lists
    assert miuf["verdict"].item() == "the same on every query"


def test_one_person_who_asks_for_many_is_told_of():
    robot = [("robot", f"i{at % 2}", at) for at in range(400)]
    others = [(f"p{p}", f"i{2 + (p + e) % 7}", 5 * p + e) for p in range(70) for e in range(6)]
    models = {"for the robot": vt.Popularity(by="events"), "for all": vt.Popularity()}
    board = board_of(log(robot + others), models, vt.split.GlobalTime(at=150, repeat=True), baselines=False, k=2, primary="nDCG@2")
    assert board.asked.busiest > 0.3
    text = " ".join(board.headline)
    assert f"One person asks {board.asked.busiest:.0%} of the" in text
    assert board.entries[0].name == "for the robot"
    assert "Where each person counts once, however much they ask, for all has the best nDCG@2" in text
    assert "by person" in str(board)


def test_a_board_carries_the_protocol_and_prints_it():
    data = vt.testing.synthetic(users=60, items=30)
    splits = vt.split.rolling(data, vt.split.GlobalTime(days=10, repeat=True), folds=2)
    board = vt.compare([vt.Popularity()], splits, metrics=["nDCG@10"], baselines=False, progress=False)
    assert board.protocol.rule == "GlobalTime(repeat=True, days=10), 2 folds"
    assert board.protocol.queries == sum(len(s.queries) for s in splits) == board.asked.queries
    assert board.protocol.metric.startswith("nDCG@10: ")
    printed, report = re.sub(r"\s+", " ", str(board)), re.sub(r"<[^>]*>", "", render(board))
    assert dataclasses.replace(board.protocol, metric="").line in printed
    assert board.protocol.line in report
    assert board.to_dict()["protocol"]["trained_on"] == "retrained"
    former = render(
        dataclasses.replace(board, protocol=None, asked=None, matters=None, groups=pl.DataFrame(), leads=pl.DataFrame(), settings={})
    )
    assert "full ranking" not in former
    assert "Named before" not in former


def test_what_was_named_before_the_run_is_printed():
    data = vt.testing.synthetic(users=60, items=30)
    split = data.split(vt.split.GlobalTime(days=10, repeat=True))
    job = {"metrics": ["nDCG@10"], "progress": False}
    board = vt.compare([vt.Popularity(), vt.TopPersonal()], split, baseline="Popularity", matters=0.5, baselines=False, **job)
    said = "Named before the run: metric nDCG@10; baseline Popularity; smallest difference that matters 0.500; slices "
    assert said in re.sub(r"\s+", " ", str(board))
    assert said in re.sub(r"<[^>]*>", "", render(board))
    assert "baseline, named before the run" in render(board)
    assert board.comparisons["verdict"].item() == "about equal: within 0.500"
    assert re.search(r'class="equal">about equal', render(board))
    assert "1 is about equal to it" in render(board)
    assert "about equal to the baseline Popularity: within 0.500, the smallest difference that matters" in board.headline[0]
    looked = vt.compare([vt.Popularity(), vt.TopPersonal()], split, baselines=False, **job)
    assert "was chosen by its value on the test part, for which all verdicts are corrected" in re.sub(r"\s+", " ", str(looked))
    for wrong in (0, -1, float("nan"), True):
        with pytest.raises(ParameterError, match="'matters' of compare"):
            vt.compare([vt.Popularity()], split, matters=wrong)


def test_what_a_part_of_a_model_says_as_another_one_does_is_printed_once():
    data = dataclasses.replace(vt.testing.synthetic(users=40, items=20), repeat=True)
    both = vt.Blend(models=(vt.Cooccurrence(), vt.Popularity()))
    board = board_of(data, {"next": vt.Cooccurrence(), "both": both}, vt.split.GlobalTime(quantile=0.8, repeat=True), baselines=False)
    note = "An item counts for itself"
    assert any(note in said for said in board.entry("both").notes)
    assert re.sub(r"\s+", " ", str(board)).count(note) == 1
    assert f"Cooccurrence: {note}" in re.sub(r"<[^>]*>", "", render(board))
