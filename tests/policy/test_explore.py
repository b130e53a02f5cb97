"""What is left to chance is drawn repeatably, with chances that are exact, so that tomorrow's log gives the truth again."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import ParameterError
from vitrina.policy import (
    Always,
    AtRandom,
    Boosting,
    DecisionLog,
    DRLearner,
    Explored,
    OfferWorld,
    Outcome,
    Plugin,
    PolicyTree,
    Ridge,
    Thompson,
    Units,
    assign,
    evaluate,
    exploration,
)  # fmt: skip
from vitrina.policy.explore import chance_of_best, drawn_arms
from vitrina.policy.policies import chances_of

WORLD = OfferWorld()


def clients(n, seed):
    table, activity = WORLD._clients(n, seed)
    return table, activity, Units.of_frame(table, unit="client", features=["rides", "promo_share", "city", "age"], arms=WORLD.arms)


def test_chances_are_exact():
    _, _, units = clients(50, 1)
    policy = Explored(Always("5%"), share=0.3)
    assert np.allclose(chances_of(policy, units), [0.1, 0.8, 0.1])
    masked = Units(units.ids, units.features, units.arms, np.tile([True, True, False], (50, 1)))
    assert np.allclose(chances_of(policy, masked), [0.15, 0.85, 0.0])
    assert np.allclose(chances_of(Explored(Always("5%"), share=1.0), units), chances_of(AtRandom(), units))


def test_a_draw_can_be_repeated_and_follows_its_chances():
    _, _, units = clients(30_000, 2)
    policy = Explored(Always("10%"), share=0.3)
    first = assign(policy, units, salt="may")
    assert first.equals(assign(policy, units, salt="may"))
    order = np.random.default_rng(0).permutation(len(units))
    assert assign(policy, units.rows(order), salt="may").equals(first[order])
    assert not first.equals(assign(policy, units, salt="june"))
    counts = first["arm"].value_counts().sort("arm")
    assert np.allclose(counts["count"] / len(units), [0.1, 0.8, 0.1], atol=0.006)
    assert first.group_by("arm").agg(pl.col("propensity").unique()).sort("arm")["propensity"].explode().round(6).to_list() == [
        0.1,
        0.8,
        0.1,
    ]


def test_places_at_the_ends_fall_on_arms_that_have_a_chance():
    chances = np.array([[0.0, 0.5, 0.5, 0.0]] * 4)
    assert drawn_arms(chances, np.array([0.0, 0.5, 0.4999, 1 - 2**-53])).tolist() == [1, 2, 1, 2]
    short = np.array([[0.1] * 9 + [0.1 - 1e-12, 0.0]])
    assert drawn_arms(short, np.array([1 - 2**-53])).tolist() == [9]


@pytest.mark.parametrize("towards", [AtRandom(), "Thompson"])
def test_tomorrows_log_gives_the_truth_again(towards):
    learned = PolicyTree().fit(WORLD.log(3000, 1), "orders")
    policy = Explored(learned, share=0.3, towards=Thompson(learned, least=0.1) if towards == "Thompson" else towards)
    targets = {"learned": learned, "none": Always("0%"), "most": Always("10%")}
    truth = {name: WORLD.value(target) for name, target in targets.items()}
    z = []
    for seed in range(16):
        table, activity, units = clients(1000, 100 + seed)
        made = assign(policy, units, salt=f"month {seed}")
        codes = np.array([WORLD.arms.index(arm) for arm in made["arm"]])
        orders = np.random.default_rng(seed).poisson(WORLD.mean_orders(table, activity)[np.arange(1000), codes])
        tomorrow = table.with_columns(arm=made["arm"], p=made["propensity"], orders=orders)
        log = DecisionLog.of_frame(
            tomorrow, unit="client", action="arm", reward="orders", propensity="p", features=list(units.features.columns), arms=WORLD.arms
        )
        values = evaluate(log, targets, predictions=Ridge(), force=True).table.filter(estimator="DR")
        z.append([(row["value"] - truth[row["policy"]]) / row["error"] for row in values.iter_rows(named=True)])
    z = np.array(z)
    assert np.abs(z.mean(axis=0) * 4).max() < 3
    assert np.allclose(z.std(axis=0), 1, atol=0.4)


def test_the_chance_to_be_best_is_that_of_normal_draws():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values, errors = rng.normal(size=(1, 4)), rng.random((1, 4)) + 0.05
        draws = values + errors * rng.normal(size=(40_000, 4))
        counted = np.bincount(draws.argmax(axis=1), minlength=4) / 40_000
        assert np.allclose(chance_of_best(values, errors, np.ones((1, 4), bool)), counted, atol=0.02)
    sure = chance_of_best(np.array([[0.0, 1.0]]), np.array([[0.0, 0.0]]), np.ones((1, 2), bool))
    assert np.allclose(sure, [[0, 1]], atol=0.02)
    assert chance_of_best(np.array([[0.0, 1.0]]), np.array([[0.1, 0.1]]), np.array([[True, False]])).tolist() == [[1, 0]]


@pytest.mark.parametrize("learner", [PolicyTree(), Plugin(model=Ridge()), DRLearner(model=Ridge())])
def test_thompson_explores_where_it_is_unsure(learner):
    _, _, units = clients(500, 3)
    entropy = []
    for n in (300, 10_000):
        chances = chances_of(Thompson(learner.fit(WORLD.log(n, 1), "orders")), units)
        assert chances.min() >= 0.01 - 1e-12
        assert np.allclose(chances.sum(axis=1), 1)
        entropy.append(-(chances * np.log(chances)).sum(axis=1).mean())
    assert entropy[1] < 0.7 * entropy[0]


def test_the_error_of_a_ridge_is_the_spread_of_its_predictions():
    rng = np.random.default_rng(0)
    X, at = rng.normal(size=(200, 3)), rng.normal(size=(5, 3))
    fits = [Ridge(l2=0.0).fit(X, X @ [1.0, 2, 0] + rng.normal(size=200)) for _ in range(400)]
    spread = np.std([fit.predict(at) for fit in fits], axis=0)
    assert np.allclose(fits[0].error(at), spread, rtol=0.2)


def test_what_a_random_share_costs_and_buys():
    log = WORLD.log(4000, 1)
    policy = PolicyTree().fit(WORLD.log(4000, 2), "orders")
    table = exploration(log, policy, reward="orders", shares=(0.1, 0.5, 1.0), rows=2000)
    truth = WORLD.value(policy) - WORLD.value(AtRandom())
    cost = table.row(2, named=True)
    assert cost["cost_low"] < truth < cost["cost_high"]
    assert np.allclose(table["cost"], truth * np.array([0.1, 0.5, 1]), rtol=0.6)
    assert table["cost"][0] == pytest.approx(0.1 * table["cost"][2])
    assert table["half_width"].is_sorted(descending=True)
    widths = []
    for share in (0.1, 0.5):
        units_table, activity, units = clients(2000, 50)
        made = assign(Explored(policy, share=share), units, salt="x")
        codes = np.array([WORLD.arms.index(arm) for arm in made["arm"]])
        orders = np.random.default_rng(0).poisson(WORLD.mean_orders(units_table, activity)[np.arange(2000), codes])
        tomorrow = units_table.with_columns(arm=made["arm"], p=made["propensity"], orders=orders)
        later = DecisionLog.of_frame(
            tomorrow, unit="client", action="arm", reward="orders", propensity="p", features=list(units.features.columns), arms=WORLD.arms
        )
        values = evaluate(later, {"none": Always("0%"), "learned": policy}, predictions=Ridge(), force=True).table.filter(
            estimator="DR", policy="learned"
        )
        widths.append((values["difference_high"].item() - values["difference_low"].item()) / 2)
    assert np.allclose(table["half_width"][:2], widths, rtol=0.2)
    assert np.array_equal(
        exploration(log, policy, reward="orders", rows=2000)["total_cost"], exploration(log, policy, reward="orders")["cost"] * 2000
    )


def test_what_cannot_be_explored_is_refused():
    _, _, units = clients(10, 1)
    with pytest.raises(ParameterError, match="'share'"):
        Explored(Always("5%"), share=0)
    with pytest.raises(ParameterError, match="must be a Policy"):
        Explored("5%")
    with pytest.raises(ParameterError, match="fitted policy"):
        Thompson(Always("5%"))
    with pytest.raises(ParameterError, match=r"below 0\.3333"):
        Thompson(PolicyTree().fit(WORLD.log(200, 1), "orders"), least=0.5)
    with pytest.raises(ParameterError, match="'salt'"):
        assign(AtRandom(), units, salt="a:b")
    with pytest.raises(ParameterError, match="'shares'"):
        exploration(WORLD.log(100, 1), AtRandom(), shares=(0.0,), reward="orders")
    pytest.importorskip("sklearn")
    fitted = Plugin(model=Outcome(model=Boosting(rounds=3), together=True)).fit(WORLD.log(300, 1), "orders")
    with pytest.raises(ParameterError, match="how far off"):
        chances_of(Thompson(fitted), units)
