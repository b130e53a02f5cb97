"""The page on policies: what it advises in worlds whose truth is known, and that it is whole, escaped and readable."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.pages.policy import render
from vitrina.pages.policy.answer import answer
from vitrina.pages.policy.segments import slices
from vitrina.pages.policy.study import Study, study
from vitrina.pages.policy.view import View
from vitrina.report.html import VOID

ARMS = ("none", "mail & call", "<b>")
RIDGE = vt.policy.Ridge()


def log_of(effect: Any, n: int = 4000, seed: int = 0, *, chances: tuple[float, ...] = (0.4, 0.3, 0.3)) -> vt.policy.DecisionLog:
    """A log by lot: reward = x + effect of the arm (n, arms) + noise."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(0, 1, n), rng.choice(3, n, p=chances)
    reward = x + effect(x)[np.arange(n), arm] + rng.normal(0, 1, n)
    table = pl.DataFrame({"x": x, "kind": rng.choice(["a", "<i>"], n), "arm": pl.Series(ARMS).gather(arm), "euros": reward})
    return vt.policy.DecisionLog.of_frame(
        table, action="arm", reward="euros", propensity=dict(zip(ARMS, chances, strict=True)), features=["x", "kind"], arms=ARMS,
        cost={"none": 0, ARMS[1]: 1, ARMS[2]: 2},
    )  # fmt: skip


def studied(log: vt.policy.DecisionLog, chooser: Any = None, **more: Any) -> Study:
    policies = {f"{arm} to all": vt.policy.Always(arm) for arm in log.arms} | ({} if chooser is None else {"chooser": chooser})
    return study(log, policies, baseline="none to all", model=RIDGE, folds=2, **more)


def nothing(x: Any) -> Any:
    return np.zeros((len(x), 3))


def the_second(x: Any) -> Any:
    return np.column_stack([0 * x, 0 * x + 0.5, 0 * x + 0.1])


def by_sign(x: Any) -> Any:
    return np.column_stack([0 * x, np.sign(x), -np.sign(x)])


def test_nothing_is_advised_where_nothing_is_better() -> None:
    found = studied(log_of(nothing), np.random.default_rng(1).integers(0, 3, 4000))
    assert found.found.advised == "none to all"
    what, _, then = answer(View(found))
    assert what == "Stay with none to all: nothing that was judged is measurably better."
    assert "as many again would show a difference of about" in then


def test_one_arm_for_all_is_advised_where_choosing_brings_nothing() -> None:
    found = studied(log_of(the_second), np.random.default_rng(1).integers(0, 3, 4000))
    assert found.found.advised == "mail & call to all"
    assert answer(View(found))[0] == "Give mail & call to all: no policy that chooses is measurably better."


def test_a_single_arm_under_a_name_of_its_own_is_no_policy_that_chooses() -> None:
    policies = {"ours": vt.policy.Always(ARMS[1]), "none to all": vt.policy.Always("none"), "chooser": np.full(4000, 1)}
    found = study(log_of(the_second), policies, baseline="none to all", model=RIDGE, folds=2)
    assert answer(View(found))[0] == "Take “ours”, which gives everybody the same: no policy that chooses is measurably better."


def test_a_policy_that_chooses_is_advised_where_it_is_told_from_the_best_that_does_not() -> None:
    log = log_of(by_sign)
    found = studied(log, np.where(log.units.features["x"].to_numpy() > 0, 1, 2))
    assert found.found.advised == "chooser"
    what, much, then = answer(View(found))
    assert what == "Decide by “chooser”: it brings measurably more than none to all."
    assert "measurably more." in much
    assert "Confirm it in an A/B test against none to all" in then
    n = 2 * (2.8 * log.reward("euros").std() / found.told.table.row(0, named=True)["difference"]) ** 2
    assert found.found.needed == pytest.approx(n)


def test_false_advice_is_rare_where_nothing_is_better() -> None:
    advised = [studied(log_of(nothing, 400, seed), np.random.default_rng(seed).integers(0, 3, 400)).found.advised for seed in range(40)]
    assert sum(one != "none to all" for one in advised) <= 5  # at 5% six or more of 40 come in 1 of 70 runs


def test_a_log_that_says_too_little_is_refused_in_words() -> None:
    log = log_of(the_second, 60, chances=(0.99, 0.006, 0.004))
    found = studied(log)
    text = render(found)
    refused = found.values.table.filter(pl.col("refused").is_not_null())
    assert refused.height
    assert "✕ refused" in text


def test_values_of_the_page_are_those_of_evaluate() -> None:
    log = log_of(the_second)
    found = studied(log, winsorise=0.99)
    predictions = vt.policy.cross_fit(log, RIDGE, folds=2)
    alone = vt.policy.evaluate(log, {"one": vt.policy.Always(ARMS[1])}, reward="euros", predictions=predictions).table
    mine = found.values.table.filter(policy="mail & call to all", reward="euros")
    for name in ("IPS", "SNIPS", "DR"):
        assert mine.filter(estimator=name)["value"][0] == pytest.approx(alone.filter(estimator=name)["value"][0])
    assert found.claims["mail & call to all"] == pytest.approx(float(predictions.values[:, 1].mean()))
    assert found.winsorised == "euros (winsorised at 0.99)"


class Strict(HTMLParser):
    """Every tag is closed by its own end, and ids are unique."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_stands_alone() -> None:
    log = log_of(by_sign)
    learned = vt.policy.fit_policy(log, vt.policy.PolicyTree(depth=1, model=RIDGE), folds=2)
    rules: Any = learned.policy
    found = studied(log, learned.chances, learned="chooser", rules=rules.rules, winsorise=0.99, title="<script>")
    text = render(found)
    Strict(text)
    assert "<b>" not in re.sub(r"<b>(?=[^<]*</b>)", "", text.partition("</head>")[2])
    assert "&lt;script&gt;" in text
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    titles = ("Can the log answer?", "What each policy is worth", "What the model claims", "What money buys", "Who gets what")
    assert all(
        title in text
        for title in (*titles, "The policy as rules", "What a few large rewards do", "What a random share costs", "How it was made")
    )
    assert text.count("<desc") >= 8
    assert text.count("The numbers of this plot") >= 4
    assert render(found) == text


def test_the_best_share_to_treat_is_told_with_its_doubt_and_without_money_where_there_are_no_costs() -> None:
    found = studied(replace(log_of(by_sign), arm_costs=None, costs=None))
    text = render(found)
    assert "What money buys" not in text
    assert "Who comes first" in text
    title = re.search(r"euros is highest with (\d+%) treated, those first who are predicted to gain most: ([^<]*)", text)
    assert title is not None
    assert title[2].count(" to ") == (1 if title[1] == "100%" else 2)


def test_slices_hold_every_row_once() -> None:
    rng = np.random.default_rng(0)
    columns = [
        pl.Series("a", rng.normal(0, 1, 500)),
        pl.Series("b", [("x", "y", None)[i % 3] for i in range(500)]),
        pl.Series("c", [f"v{i % 20}" for i in range(500)]),
        pl.Series("d", rng.integers(0, 2, 500)).cast(pl.Float64),
        pl.Series("e", rng.random(500) < 0.5),
        pl.Series("f", [None] * 500, dtype=pl.Float64),
        pl.Series("g", [0.0] * 400 + rng.random(100).tolist()),
    ]
    for column in columns:
        parts = list(slices(column))
        assert (np.sum([where for _, where in parts], axis=0) == 1).all(), column.name
        assert len(parts) <= 7
        assert len({label for label, _ in parts}) == len(parts)
    assert [label for label, _ in slices(columns[3])] == ["0", "1"]


def test_the_point_of_the_random_share_is_the_number_of_the_sentence() -> None:
    page = render(studied(log_of(by_sign), np.random.default_rng(0).integers(0, 3, 4000)))
    said = re.search(r"where the difference is ([\d.]+) or more", page)
    drawn = re.search(r"5%: ([\d.]+)</text>", page)
    assert said
    assert drawn
    assert said[1] == drawn[1]


def test_a_small_log_is_said_to_say_little_and_nothing_is_said_twice() -> None:
    page = render(studied(log_of(nothing, n=300, seed=1), np.random.default_rng(1).integers(0, 3, 300)))
    assert "It says little of any policy: read what is marked before any value." in page
    assert "No policy can be told from none to all, in euros per decision." in page
