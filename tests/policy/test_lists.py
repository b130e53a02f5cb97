"""Lists and sessions: weights by place beside loops, and values beside the truth of a made-up world."""

import re

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.policy import DR, IPS, SNIPS, evaluate_lists


def shown_by(seed=0, requests=60, items=4, k=3, *, values=True):
    """Lists of up to k different items in an order by chance, with chances given what stood above."""
    rng = np.random.default_rng(seed)
    rows = []
    for request in range(requests):
        left = list(range(items))
        for place in range(int(rng.integers(1, k + 1))):
            odds = rng.random(len(left)) + 0.2
            at = rng.choice(len(left), p=odds / odds.sum())
            rows.append(
                (
                    request,
                    request // 2,
                    f"i{left[at]}",
                    place + 1,
                    odds[at] / odds.sum(),
                    int(rng.random() < 0.4),
                    float(rng.integers(1, 5)),
                )
            )
            left.pop(at)
    table = pl.DataFrame(rows, schema=["request_id", "user_id", "item_id", "position", "propensity", "outcome", "value"], orient="row")
    return vt.Impressions.of_frame(table if values else table.drop("value"))


@pytest.mark.parametrize("weights", ["list", "above"])
def test_weights_and_values_beside_loops(weights):
    for seed in range(40):
        shown = shown_by(seed, values=seed % 2 == 0)
        rng = np.random.default_rng(seed)
        chances = rng.random(len(shown))
        found = evaluate_lists(shown, {"new": chances}, weights=weights, estimators=[IPS(), SNIPS()], force=True)
        by_place, total, product_sum = {}, 0.0, 0.0
        n = len(shown.requests)
        for request in range(n):
            product, earned = 1.0, []
            for place in range(3):
                row = shown.by_request[request] + place
                if row < shown.by_request[request + 1]:
                    product *= chances[row] / shown.propensities[row]
                    money = shown.outcomes[row] * (1.0 if shown.values is None else shown.values[row])
                else:
                    money = 0.0
                earned.append(money)
                above, below = by_place.get(place, (0.0, 0.0))
                by_place[place] = above + product * money, below + product
                total += product * money if weights == "above" else 0.0
            total += product * sum(earned) if weights == "list" else 0.0
            product_sum += product
        snips = total / product_sum if weights == "list" else sum(above / below for above, below in by_place.values())
        got = dict(found.table.select("estimator", "value").rows())
        assert got["IPS"] == pytest.approx(total / n, rel=1e-5)
        assert got["SNIPS"] == pytest.approx(snips, rel=1e-5)
        assert found.table["clusters"][0] == 30


def test_lists_that_are_shown_for_certain():
    shown = shown_by(3, requests=400)
    best = vt.Recommendations(np.tile(np.array([2, 0, 1], np.int32), (400, 1)), np.zeros((400, 3), np.float32), shown.vocabulary)
    codes = np.array([2, 0, 1])[shown.positions - 1]
    by_hand = (codes == shown.items).astype(float)
    a, b = (evaluate_lists(shown, {"best": one}, force=True).table for one in (best, by_hand))
    assert a.equals(b)
    shorter = vt.Recommendations(best.items[:, :1], best.scores[:, :1], shown.vocabulary)
    cut = np.where(shown.positions == 1, by_hand, 0.0)
    assert evaluate_lists(shown, {"best": shorter}, force=True).table.equals(evaluate_lists(shown, {"best": cut}, force=True).table)


def test_sessions_of_a_world_whose_truth_is_known():
    """2,500 worlds would say how often; here one: the value of an order by chance that likes what pays, and its difference to the log's own."""
    world, n, k = vt.ranking.SessionWorld(items=5, seed=1), 12_000, 2
    people = world.people(n)
    chances = np.full(5, 0.2)  # the log: any order
    log = world.play(people, world.random_orders(n, k))
    shown = log.shown
    place = shown.positions - 1
    played = vt.Impressions(
        shown.requests, shown.by_request, shown.users, shown.people, shown.items, shown.vocabulary, shown.positions, (1 / (5 - place)).astype(np.float32),
        shown.outcomes, shown.values, ended=shown.ended,
    )  # fmt: skip
    liking = world.value / world.value.sum()  # the first place by what an answer pays, the second by that of the rest
    item = world.vocabulary.encode(shown.vocabulary.ids)[shown.items]
    first = item[np.repeat(shown.by_request[:-1], np.diff(shown.by_request))]
    new = np.where(place == 0, liking[item], liking[item] / (1 - liking[first]))
    rng = np.random.default_rng(5)
    orders = np.stack([rng.choice(5, k, replace=False, p=liking) for _ in range(n)]).astype(np.int32)
    truth = {"as it was": vt.ranking.session_value(world.random_orders(n, k, seed=9), value=world.value, **world.chances(people)).mean(),
             "by value": vt.ranking.session_value(orders, value=world.value, **world.chances(people)).mean()}  # fmt: skip
    widths = {}
    for weights in ("list", "above"):
        found = evaluate_lists(played, {"as it was": played.propensities, "by value": new}, weights=weights)
        for row in found.table.iter_rows(named=True):
            assert row["low"] - 0.03 < truth[row["policy"]] < row["high"] + 0.03
            if row["policy"] == "by value":
                assert abs(row["difference"] - (truth["by value"] - truth["as it was"])) < 4 * row["difference_error"]
                widths[weights, row["estimator"]] = row["error"]
        assert found.sentences[1].startswith("'by value': value ")
        assert "per request by SNIPS, better than 'as it was' by" in found.sentences[1]
    assert widths["above", "IPS"] < widths["list", "IPS"]
    assert len(chances) == 5


def test_predictions_of_lists():
    shown = shown_by(0, requests=200)
    chances = np.random.default_rng(0).random(len(shown))
    exact = np.bincount(shown.request_of, shown.outcomes * shown.values, len(shown.requests))
    found = evaluate_lists(shown, {"new": chances}, fitted=exact, planned={"new": np.full(200, 2.5)}, estimators=[DR()], force=True)
    assert found.table["value"].item() == pytest.approx(2.5)
    assert found.table["error"].item() == pytest.approx(0.0, abs=1e-12)


def test_what_is_refused():
    shown = shown_by(0)
    frame = shown.frame()
    with pytest.raises(DataError, match="have no propensities"):
        evaluate_lists(vt.Impressions.of_frame(frame.drop("propensity")), {"new": np.ones(len(shown))})
    with pytest.raises(DataError, match="has place 2 where 1 should be"):
        evaluate_lists(vt.Impressions.of_frame(frame.filter(pl.col("position") > 1)), {"new": np.ones(3)})
    with pytest.raises(ParameterError, match="one per row of what was shown"):
        evaluate_lists(shown, {"new": np.ones(3)})
    with pytest.raises(ParameterError, match=re.escape("Got 'cascade'")):
        evaluate_lists(shown, {"new": np.ones(len(shown))}, weights="cascade")
    with pytest.raises(ParameterError, match="fitted= and planned= together"):
        evaluate_lists(shown, {"new": np.ones(len(shown))}, weights="above", fitted=np.ones(60), planned={"new": np.ones(60)})
    rare = np.full(len(shown), 1e-6)
    rare[: shown.by_request[1]] = 1.0
    refused = evaluate_lists(shown, {"new": rare})
    assert refused.table["value"].null_count() == refused.table.height
    assert "has no value" in refused.sentences[0]


def test_whole_lists_as_decisions_say_the_same():
    shown = shown_by(0, requests=300)
    chances = shown.propensities * np.random.default_rng(0).uniform(0.8, 1.0, len(shown))
    log = vt.policy.DecisionLog.of_impressions(shown, whole=True)
    own = np.ones(300)
    np.multiply.at(own, shown.request_of, chances)
    lists = evaluate_lists(shown, {"new": chances}, force=True).table
    decisions = vt.policy.evaluate(log, {"new": own}, reward="value", force=True).table
    for column in ("value", "error", "ess"):
        np.testing.assert_allclose(lists[column].to_numpy(), decisions[column].to_numpy(), rtol=1e-5)
    with pytest.raises(ParameterError, match="its chance, from 0 to 1, of each list that was shown"):
        vt.policy.evaluate(log, {"new": own[:5]}, force=True)
