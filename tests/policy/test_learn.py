"""Policies are judged on clusters that they never saw; they find what there is to find, and claim nothing where there is nothing."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError
from vitrina.policy import (
    Boosting,
    DecisionLog,
    DRLearner,
    OfferWorld,
    Outcome,
    Plugin,
    PolicyTree,
    Ridge,
    aipw_scores,
    cross_fit,
    fit_policy,
    worth_of_biased,
)  # fmt: skip
from vitrina.policy.greedy import Greedy
from vitrina.policy.outcome import fitted_on, folds_of
from vitrina.policy.policies import chances_of

WORLD = OfferWorld()
FEATURES = ["rides", "promo_share", "city", "age"]
LEARNERS = (Plugin(model=Ridge()), DRLearner(model=Ridge()), PolicyTree())


def biased_log(n, seed):
    table = WORLD.table(n, seed, random=0.0)
    return DecisionLog.of_frame(table, action="arm", reward="orders", features=FEATURES, arms=WORLD.arms, cluster="client")


@pytest.mark.parametrize("learner", LEARNERS)
def test_no_row_is_decided_or_judged_by_what_saw_its_cluster(learner):
    log = OfferWorld(months=2).log(300, 1)
    learned = fit_policy(log, learner, reward="orders", folds=3)
    part = learned.predictions.folds == 0
    assert np.array_equal(learned.predictions.folds, folds_of(log, 3, 0))
    wild = fit_policy(
        log.with_reward("orders", np.where(part, 1000.0 * log.actions, log.reward("orders"))), learner, reward="orders", folds=3
    )
    assert np.array_equal(wild.chances[part], learned.chances[part])
    assert np.array_equal(wild.predictions.values[part], learned.predictions.values[part])
    by_hand = learner.fit(log.rows(~part), "orders")
    assert np.array_equal(chances_of(by_hand, log.units.rows(part)), learned.chances[part])


def test_values_are_those_of_the_scores():
    log = WORLD.log(1500, 2)
    learned = fit_policy(log, Plugin(model=Ridge()), reward="orders")
    scores = aipw_scores(log, learned.predictions, reward="orders")
    rows = learned.values.table.filter(estimator="DR")
    assert rows.filter(policy="Plugin")["value"].item() == pytest.approx((learned.chances * scores).sum(axis=1).mean())
    for arm, name in enumerate(log.arms):
        row = rows.filter(policy=f"{name} to all")
        assert row["value"].item() == pytest.approx(scores[:, arm].mean())
        assert row["difference"].item() == pytest.approx((scores[:, arm] - (learned.chances * scores).sum(axis=1)).mean())


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_there_is_to_gain_is_found(learner):
    best, base = WORLD.value(WORLD.oracle()), WORLD.value(np.full(200_000, 2))
    log = WORLD.log(20_000, 5)
    learned = fit_policy(log, learner, reward="orders", folds=2)
    share = (WORLD.value(learned.policy) - base) / (best - base)
    assert share > (0.6 if isinstance(learner, PolicyTree) else 0.8)
    assert learned.gains
    assert "a gain." in learned.verdict
    truth = learned.values.table.filter(estimator="DR", policy=type(learner).__name__)
    assert truth["low"].item() < WORLD.value(learned.policy) < truth["high"].item()


def test_nothing_is_claimed_where_there_is_nothing():
    world = OfferWorld(effects=(0.0, 0.0, 0.0), slopes=(0.0, 0.0, 0.0))
    learned = [fit_policy(world.log(400, seed), Plugin(model=Ridge()), reward="orders", folds=2) for seed in range(20)]
    assert sum(one.gains for one in learned) <= 1
    assert "where arms are nearly equal its interval" in learned[0].values.notes[-1]


def test_biased_rows_help_to_learn_and_are_not_judged():
    biased, gains = biased_log(5000, 99), {"none": [], "biased": []}
    for seed in range(8):
        log = WORLD.log(200, seed)
        for name, more in (("none", None), ("biased", biased)):
            gains[name].append(WORLD.value(DRLearner(model=Ridge()).fit(log, "orders", biased=more), n=5000))
    assert np.mean(gains["biased"]) > np.mean(gains["none"]) + 0.03
    learned = fit_policy(WORLD.log(300, 1), DRLearner(model=Ridge()), reward="orders", biased=biased, folds=2)
    assert learned.values.table["rows"].unique().to_list() == [300]
    assert learned.biased == 5000


def test_a_policy_learned_from_biased_history_alone_gives_nobody_anything():
    policy = Greedy(fitted_on(biased_log(20_000, 3), Ridge()))
    assert WORLD.value(policy) - WORLD.value(np.zeros(200_000, int)) < 0.02


def test_masks_are_obeyed_by_every_learner():
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"x": rng.normal(size=600), "may": rng.random(600) < 0.7, "u": rng.random(600)}).with_columns(
        arm=pl.when(pl.col("may") & (pl.col("u") < 0.5)).then(pl.lit("b")).otherwise(pl.lit("a")), p_b=0.5 * pl.col("may"), p_a=1 - 0.5 * pl.col("may"),
    )  # fmt: skip
    table = table.with_columns(y=pl.col("x") + (pl.col("arm") == "b") * 2.0)
    log = DecisionLog.of_frame(table, action="arm", reward="y", features=["x"], propensity={"a": "p_a", "b": "p_b"}, allowed={"b": "may"})
    for learner in LEARNERS:
        learned = fit_policy(log, learner, folds=2)
        chances = chances_of(learned.policy, log)
        assert np.array_equal(chances[:, 1] == 1, table["may"].to_numpy())


def test_ordered_arms_keep_their_order():
    log = WORLD.log(800, 4)
    model = Outcome(model=Ridge(), monotone="increasing")
    effects = DRLearner(model=model).fit(log, "orders").model.predict(log.units)
    assert (np.diff(effects, axis=1) >= -1e-9).all()


def test_any_model_will_do():
    linear = pytest.importorskip("sklearn.linear_model")
    log = WORLD.log(500, 4)
    made = fit_policy(log, Plugin(model=linear.LinearRegression()), reward="orders", folds=2)
    ours = fit_policy(log, Plugin(model=Ridge(l2=1e-12)), reward="orders", folds=2)
    assert np.mean(made.chances == ours.chances) > 0.99
    trees = fit_policy(log, Plugin(model=Boosting(rounds=5)), model=Ridge(), reward="orders", folds=2)
    assert np.array_equal(trees.predictions.values, cross_fit(log, Ridge(), reward="orders", folds=2).values)


def test_what_prints_says_what_it_is():
    learned = fit_policy(WORLD.log(800, 4), PolicyTree(), reward="orders", folds=2)
    for text in (str(learned), learned._repr_html_()):
        assert "promo_share" in text
        assert "10% to all" in text
    assert "no measurable gain" in repr(learned) or "a gain" in repr(learned)


def test_what_is_no_learner_is_refused():
    log = WORLD.log(100, 4)
    with pytest.raises(ParameterError, match=r"Plugin\(model=Ridge\(\)\)"):
        fit_policy(log, Ridge(), reward="orders")
    with pytest.raises(ParameterError, match="PolicyTree"):
        fit_policy(log, "tree", reward="orders")
    with pytest.raises(ParameterError, match="several rewards"):
        fit_policy(log, PolicyTree())
    with pytest.raises(DataError, match="chances"):
        fit_policy(biased_log(100, 1), PolicyTree())
    with pytest.raises(ParameterError, match="not fitted"):
        chances_of(PolicyTree(), log)


def test_what_biased_decisions_bought_is_told():
    rng = np.random.default_rng(0)

    def rows(n):
        x = rng.normal(size=(n, 12))
        arm = rng.integers(0, 2, n)
        y = 2 * x.sum(axis=1) + arm * (x[:, 0] > 0) + rng.normal(size=n)
        return pl.DataFrame({f"x{i}": x[:, i] for i in range(12)} | {"arm": arm, "y": y})

    names = {"action": "arm", "reward": "y", "features": [f"x{i}" for i in range(12)]}
    log = DecisionLog.of_frame(rows(60), **names, propensity={0: 0.5, 1: 0.5})
    history = DecisionLog.of_frame(rows(5000), **names)
    table = worth_of_biased(log, history, {"none": np.zeros(60, int), "all": np.ones(60, int)}, force=True)
    assert table["policy"].to_list() == ["none", "all"]
    assert (table["ratio"] < 1).all()
    assert (table["rows"] > 0).all()
    assert np.allclose(table["error_with"], table["ratio"] * table["error"])
    alone = cross_fit(log, reward="y")
    assert table["value"][1] == pytest.approx(aipw_scores(log, alone)[:, 1].mean())


def test_the_better_of_two_models_is_taken_where_there_are_rows_for_it():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    x, arm = rng.normal(size=20_000), rng.integers(0, 2, 20_000)
    names = {"action": "arm", "reward": "y", "features": ["x"], "propensity": {0: 0.5, 1: 0.5}}
    for truth, wanted in ((x, "Linear"), (np.sin(4 * x), "Boosted")):
        log = DecisionLog.of_frame(pl.DataFrame({"x": x, "arm": arm, "y": 3 * truth + rng.normal(size=20_000)}), **names)
        assert type(fitted_on(log, None).models[0]).__name__ == wanted
