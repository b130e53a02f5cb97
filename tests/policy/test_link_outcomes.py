"""Outcomes that come later: the window of each decision, counted slowly beside it; and impressions as decisions."""

from time import perf_counter

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, VitrinaError
from vitrina.policy import DecisionLog, link_outcomes

DAY = 86_400_000_000


def decisions(codes, days, **changes):
    frame = pl.DataFrame(
        {
            "client": codes,
            "arm": np.arange(len(codes)) % 2,
            "at": pl.Series(np.asarray(days) * DAY + 1_600_000_000_000_000).cast(pl.Datetime("us")),
        }
    )
    return DecisionLog.of_frame(
        frame, **({"unit": "client", "action": "arm", "reward": None, "propensity": {0: 0.5, 1: 0.5}, "time": "at"} | changes)
    )


def events(codes, days, values):
    times = pl.Series((np.asarray(days) * DAY).astype(np.int64) + 1_600_000_000_000_000).cast(pl.Datetime("us"))
    return pl.DataFrame({"who": codes, "when": times, "paid": np.asarray(values, float)})


def test_windows_counted_slowly_on_made_logs():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, m, units = rng.integers(1, 12), rng.integers(1, 30), rng.integers(1, 5)
        who, day = rng.integers(0, units, n), rng.integers(0, 20, n)
        other, then, paid = rng.integers(0, units + 1, m), rng.integers(0, 30, m) / 2, rng.integers(-3, 9, m)
        if not np.isin(other, who).any():
            continue
        length = float(rng.integers(1, 8)) / 2
        until = 25.0
        linked = link_outcomes(
            decisions(who, day),
            events(other, then, paid),
            unit="who",
            time="when",
            value="paid",
            days=length,
            until=np.datetime64(1_600_000_000_000_000 + int(until * DAY), "us"),
        )
        falls = (other[None] == who[:, None]) & (then[None] >= day[:, None]) & (then[None] < day[:, None] + length)
        np.testing.assert_array_equal(linked.log.reward("times"), falls.sum(axis=1))
        np.testing.assert_array_equal(linked.log.reward("happened"), falls.any(axis=1))
        np.testing.assert_allclose(linked.log.reward("value"), (falls * paid).sum(axis=1), atol=1e-12)
        known = np.isin(other, who)
        assert (linked.young, linked.used, linked.shared) == (0, falls.any(axis=0).sum(), (falls.sum(axis=0) > 1).sum())
        assert (linked.outside, linked.strangers) == ((known & ~falls.any(axis=0)).sum(), (~known).sum())
        assert linked.twice == m - len({*zip(other, then, paid, strict=True)})


def test_those_whose_window_is_not_over_are_out_in_all_arms():
    log = decisions([1, 2, 3, 4], [0, 5, 6, 9])
    came = events([1, 3, 4, 4], [3.0, 6.5, 8.9, 10.0], [1, 2, 4, 8])
    linked = link_outcomes(log, came, unit="who", time="when", value="paid", days=4, rewards={"ordered": "any", "paid": "sum"})
    assert linked.log.units.ids.to_list() == [1, 2, 3]  # the last is known to have ordered, and yet is out
    assert linked.log.reward("paid").tolist() == [1, 0, 2]
    assert list(linked.log.rewards) == ["ordered", "paid"]
    assert linked.young == 1
    assert "1 decisions are too young for the whole window" in str(linked)
    assert linked.log.notes == linked.sentences
    later = link_outcomes(log, came, unit="who", time="when", days=4, until="2020-10-01")
    assert len(later.log) == 4
    assert later.log.reward("times").tolist() == [1, 0, 1, 1]


def test_the_moment_of_the_decision_counts_and_the_end_of_the_window_does_not():
    linked = link_outcomes(
        decisions([1], [5]), events([1, 1, 1], [5.0, 9.0, 4.99], [1, 2, 4]), unit="who", time="when", value="paid", days=4
    )
    assert linked.log.reward("value").tolist() == [1]
    assert linked.outside == 2


def test_outcomes_of_clusters():
    log = decisions(["t1", "t2", "t3"], [0, 0, 1])
    frame = pl.DataFrame(
        {"trip": ["t1", "t2", "t3"], "client": ["ann", "bob", "ann"], "arm": [0, 1, 1], "at": pl.Series(log.times).cast(pl.Datetime("us"))}
    )
    by_client = DecisionLog.of_frame(frame, unit="trip", cluster="client", action="arm", reward=None, time="at")
    linked = link_outcomes(by_client, events(["ann", "zoe"], [2.0, 9.0], [5, 1]), cluster="who", time="when", days=4)
    assert linked.log.reward("times").tolist() == [1, 0, 1]
    assert linked.shared == 1


def test_a_reward_is_asked_for_before_it_is_there():
    log = decisions([1, 2], [0, 1])
    assert "rewards not yet" in repr(log)
    with pytest.raises(DataError, match="no reward yet"):
        log.reward()


@pytest.mark.parametrize(("changes", "wanted"), [
    ({"unit": None}, "Got neither"), ({"cluster": "who"}, "Got both"), ({"days": 0}, "positive number"), ({"days": 400.0}, "No decision is old enough"),
    ({"rewards": {"x": "mean"}}, '"any", "count" or "sum"'), ({"rewards": {"x": "sum"}}, "no values are named"), ({"rewards": {}}, "must name one"),
    ({"value": "payd"}, "Closest: 'paid'"), ({"time": "wen"}, "Closest: 'when'"), ({"until": "soon"}, "must be a date or a moment"),
])  # fmt: skip
def test_what_is_wrong_is_said(changes, wanted):
    asked = {"unit": "who", "time": "when", "days": 2} | changes
    with pytest.raises(VitrinaError) as caught:
        link_outcomes(decisions([1, 2], [0, 1]), events([1, 2], [1.0, 9.0], [1, 2]), **asked)
    assert wanted in str(caught.value)


def test_rows_of_events_that_cannot_be_used():
    log, came = decisions([1, 2], [0, 1]), events([1, 2], [1.0, 9.0], [1, np.nan])
    with pytest.raises(DataError, match="is NaN or infinite in row 2"):
        link_outcomes(log, came, unit="who", time="when", value="paid", days=2)
    with pytest.raises(DataError, match="None of the 2 events is of a unit of the log"):
        link_outcomes(log, came.with_columns(who=pl.Series(["x", "y"])), unit="who", time="when", days=2)
    with pytest.raises(DataError, match="no moments of its decisions"):
        link_outcomes(decisions([1, 2], [0, 1], time=None), came, unit="who", time="when", days=2)


def test_one_unit_with_half_of_everything_is_quick():
    rng = np.random.default_rng(0)
    who = np.where(np.arange(50_000) % 2, 0, rng.integers(1, 20_000, 50_000))
    log = decisions(who, rng.integers(0, 100, 50_000))
    came = events(np.where(np.arange(50_000) % 2, 0, rng.integers(1, 20_000, 50_000)), rng.random(50_000) * 120, rng.random(50_000))
    link_outcomes(log.rows(slice(0, 10)), came, unit="who", time="when", days=9)
    begin = perf_counter()
    linked = link_outcomes(log, came, unit="who", time="when", value="paid", days=90)
    assert perf_counter() - begin < 2
    assert linked.log.reward("times").max() > 5_000


SHOWN = vt.Impressions.of_frame(pl.DataFrame({
    "request_id": ["b", "a", "a", "b", "c", "d"], "user_id": ["bob", "ann", "ann", "bob", None, None], "item_id": ["tea", "jam", "tea", "oat", "tea", "tea"],
    "position": [2, 1, 2, 1, 1, 1], "propensity": [0.5, 1.0, 0.25, 0.75, 0.125, 0.5], "outcome": [1.0, 0.0, 1.0, 0.0, 2.0, 1.0], "value": [9.5, 0.0, 2.0, 0.0, 1.5, 1.0],
}))  # fmt: skip


def test_places_as_decisions():
    log = DecisionLog.of_impressions(SHOWN)
    assert log.arms == tuple(SHOWN.vocabulary.ids.to_list())
    assert [log.arms[a] for a in log.actions] == ["oat", "tea", "jam", "tea", "tea", "tea"]
    assert log.units.ids.to_list() == ["b", "b", "a", "a", "c", "d"]
    assert log.units.features["position"].to_list() == [1, 2, 1, 2, 1, 1]
    assert log.reward("value").tolist() == [0, 9.5, 0, 2, 3, 1]
    assert log.clusters[0] == log.clusters[1] != log.clusters[2]
    assert len(log.cluster_ids) == 4


def test_whole_lists_as_decisions():
    log = DecisionLog.of_impressions(SHOWN, whole=True, features=pl.DataFrame({"old": [1, 2, 3, 4]}))
    assert (log.arms, len(log), log.units.ids.to_list()) == ((), 4, ["b", "a", "c", "d"])
    np.testing.assert_allclose(log.propensity, [0.375, 0.25, 0.125, 0.5])
    assert log.reward("outcome").tolist() == [1, 1, 2, 1]
    assert log.reward("value").tolist() == [9.5, 2, 3, 1]
    assert log.actions[2] == log.actions[3]  # the same list
    assert len(set(log.actions.tolist())) == 3
    assert len(set(log.clusters.tolist())) == 4
    assert sorted(log.cluster_ids.to_list()) == ["ann", "bob", "c", "d"]
    part = log.rows(np.array([3, 0]))
    assert (part.arms, part.propensity.round(3).tolist()) == ((), [0.5, 0.375])
    checks = log.check({"same": log.propensity})
    assert checks.rows[0].statistic == pytest.approx(4)
    assert checks.verdict_of("same") == "refuse"  # of four lists
    with pytest.raises(ParameterError, match="a row per decision"):
        DecisionLog.of_impressions(SHOWN, whole=True, features=pl.DataFrame({"old": [1]}))


def test_whole_lists_are_judged_as_lists_are():
    rng = np.random.default_rng(5)
    order = np.array([rng.permutation(3) for _ in range(600)])
    shown = vt.Impressions.of_frame(pl.DataFrame({
        "request_id": np.repeat(np.arange(600), 3), "user_id": np.repeat(np.arange(600) // 2, 3), "item_id": order.ravel(), "position": np.tile([1, 2, 3], 600),
        "propensity": np.tile([1 / 3, 1 / 2, 1.0], 600), "outcome": rng.integers(0, 2, 1800), "value": rng.random(1800),
    }))  # fmt: skip
    chances = np.stack([np.where(order[:, 0] == 0, 0.4, 0.3), np.full(600, 0.5), np.ones(600)], axis=1).ravel()
    values = vt.policy.evaluate_lists(shown, {"other": chances}, estimators=[vt.policy.IPS()])
    log = DecisionLog.of_impressions(shown, whole=True)
    weights = chances.reshape(600, 3).prod(axis=1) / log.propensity
    assert values.table["value"][0] == pytest.approx((weights * log.reward("value")).mean(), rel=1e-6)
    assert len(log.cluster_ids) == 300


def test_a_list_whose_chance_is_no_number():
    long = vt.Impressions.of_frame(
        pl.DataFrame(
            {
                "request_id": ["a"] * 400,
                "user_id": ["ann"] * 400,
                "item_id": np.arange(400),
                "propensity": [0.01] * 400,
                "outcome": [0.0] * 400,
            }
        )
    )
    with pytest.raises(DataError, match="too small for a number: it has 400 places"):
        DecisionLog.of_impressions(long, whole=True)
