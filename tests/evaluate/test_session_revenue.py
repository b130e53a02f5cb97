"""Revenue per session and what is said of it beside a metric of order."""

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.evaluate import mean_interval, order_and_money, revenue_per_session


def test_numbers_are_means_with_the_intervals_of_people():
    rng = np.random.default_rng(0)
    users = rng.integers(-1, 60, 300)
    earned, promised = rng.lognormal(0, 1, 300), rng.lognormal(0, 1, 300)
    earned[:5] = np.nan
    row = revenue_per_session({"a": earned}, users, expected={"a": promised}).row(0, named=True)
    known = ~np.isnan(earned)
    assert (row["sessions"], row["people"]) == (295, len(np.unique(users[known & (users >= 0)])) + (users[known] < 0).sum())
    assert row["revenue"] == pytest.approx(earned[known].mean())
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(earned, users))
    assert row["expected"] == pytest.approx(promised[known].mean())
    assert row["ratio"] == pytest.approx(earned[known].mean() / promised[known].mean())


def test_the_interval_holds_what_sessions_earn():
    """95% of 200 samples of sessions, with the expected revenue of the world as the truth."""
    world = vt.ranking.SessionWorld(items=8, seed=0)
    everybody = world.people(20_000, seed=7)
    order = vt.ranking.rank_session(value=world.value, k=4, **world.chances(everybody))
    played = world.play(everybody, order.items).revenue
    held = 0
    for part in range(200):
        own = slice(100 * part, 100 * part + 100)
        low, high = mean_interval(played[own], np.arange(100))
        held += low <= order.expected.mean() <= high
    assert 0.90 <= held / 200 <= 0.985


BASE = np.random.default_rng(1).random(300)
MORE, LESS, NOISE = BASE + 0.1, BASE - 0.1, BASE + np.random.default_rng(2).normal(0, 0.5, 300)


@pytest.mark.parametrize(
    ("order", "money", "agree", "said"),
    [
        (MORE, MORE, True, "ranks better than 'old' (nDCG@10 +0.100) and earns more (+0.100 per session)."),
        (LESS, LESS, True, "ranks worse than 'old' (nDCG@10 −0.100) and earns less (−0.100 per session)."),
        (MORE, LESS, False, "the better order is not the one that pays"),
        (LESS, MORE, False, "the worse order is the one that pays"),
        (NOISE, MORE, True, "what the metric doesn't see pays"),
        (BASE, LESS, True, "what the metric doesn't see costs money"),
        (MORE, NOISE, True, "whether it earns more or less can't be told"),
        (NOISE, NOISE, True, "ranks neither measurably better nor worse than 'old'"),
    ],
)
def test_what_is_said(order, money, agree, said):
    found = order_and_money({"old": BASE, "new": order}, {"old": BASE, "new": money}, "old", np.arange(300))
    assert found.table["agree"].to_list() == [None, agree]
    assert found.disagree == (() if agree else ("new",))
    assert len(found.sentences) == 1
    assert said in found.sentences[0]
    assert said in str(found)


def test_a_survey_company_is_told_that_its_better_order_earns_less():
    """By the chance to be answered nDCG is best; by what an answer earns per session lost, revenue is."""
    world, k = vt.ranking.SessionWorld(items=20, seed=0), 5
    people = world.people(1500, seed=3)
    truth, value = world.chances(people), world.value
    orders = {
        "by value": vt.ranking.rank_session(value=value, k=k, **truth).items, "by chance": np.argsort(-truth["p"], axis=1)[:, :k],
    }  # fmt: skip
    answers = world.answers(people)
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.append(0, np.cumsum(discount))[np.minimum(answers.sum(axis=1), k)]
    with np.errstate(invalid="ignore"):
        ndcg = {name: (np.take_along_axis(answers, order, axis=1) @ discount) / ideal for name, order in orders.items()}
    revenue = {name: world.play(people, order).revenue for name, order in orders.items()}
    found = order_and_money(ndcg, revenue, "by value", np.arange(1500))
    assert found.disagree == ("by chance",)
    assert "'by chance' ranks better than 'by value'" in found.sentences[0]


def test_what_is_refused():
    with pytest.raises(ParameterError, match="Only one of the two has 'new'"):
        order_and_money({"old": BASE, "new": BASE}, {"old": BASE}, "old", np.arange(300))
    with pytest.raises(UnknownNameError, match="There is no model 'odl'"):
        order_and_money({"old": BASE}, {"old": BASE}, "odl", np.arange(300))
    with pytest.raises(UnknownNameError, match="There is no ranking 'b'"):
        revenue_per_session({"a": BASE}, np.arange(300), expected={"b": BASE})
    with pytest.raises(ParameterError, match=r"The sessions of 'a' must be one number per user \(3\)"):
        revenue_per_session({"a": BASE}, np.arange(3))
