"""Outcome models: predictions see nothing of their own cluster, orders of arms are kept, and what stands behind them agrees with slow oracles."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import ArtifactError, DataError, ParameterError
from vitrina.policy import Always, Boosting, DecisionLog, OfferWorld, Outcome, Ridge, Units, cross_fit
from vitrina.policy.encoder import Encoder
from vitrina.policy.expected import monotone_rows
from vitrina.policy.outcome import folds_of

WORLD = OfferWorld()


def small(n=400, seed=0, **changes):
    return OfferWorld(**changes).log(n, seed)


def test_ridge_is_the_normal_equations_and_its_penalty_that_of_cross_validation():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), rng.normal(size=60)
    y += X[:, 0]
    for l2 in (0.0, 0.3):
        Z = np.column_stack([np.ones(60), X])
        wanted = np.linalg.solve(Z.T @ Z + 60 * l2 * np.diag([0, 1, 1, 1, 1, 1]), Z.T @ y)
        fitted = Ridge(l2=l2).fit(X, y)
        assert np.allclose([fitted.intercept, *fitted.coef], wanted)

    def gcv(l2):
        centred = X - X.mean(axis=0)
        hat = centred @ np.linalg.solve(centred.T @ centred + 60 * l2 * np.eye(5), centred.T) + 1 / 60
        return np.sum((y - hat @ y) ** 2) / (60 - np.trace(hat)) ** 2

    best = min(10.0 ** np.arange(-6, 3), key=gcv)
    assert np.allclose(Ridge().fit(X, y).coef, Ridge(l2=best).fit(X, y).coef)


def test_ridge_takes_columns_that_depend_on_each_other():
    X = np.repeat(np.arange(6.0)[:, None], 3, axis=1)
    assert np.allclose(Ridge(l2=0.0).fit(X, X[:, 0]).predict(X), X[:, 0])


def test_boosted_trees_score_as_scikit_learn_does():
    sklearn = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3000, 4)).astype(np.float32)
    y = np.sin(2 * X[:, 0]) + X[:, 1] * (X[:, 2] > 0) + rng.normal(size=3000)
    ours = Boosting(rounds=40)
    theirs = sklearn.HistGradientBoostingRegressor(
        max_iter=40, learning_rate=ours.learning_rate, max_leaf_nodes=ours.leaves, min_samples_leaf=ours.min_rows, early_stopping=True,
        n_iter_no_change=ours.patience, validation_fraction=0.1, random_state=0,
    ).fit(X, y)  # fmt: skip
    fresh = rng.normal(size=(500, 4)).astype(np.float32)
    assert np.allclose(ours.fit(X, y).predict(fresh), theirs.predict(fresh), atol=1e-10)
    assert Boosting().fit(X[:30, :0], y[:30]).predict(X[:2, :0]) == pytest.approx(y[:30].mean())


def test_an_encoder_keeps_scale_gaps_and_levels():
    table = pl.DataFrame({"n": [1.0, None, 3.0], "flag": [True, False, True], "city": ["a", None, "a"], "rows": ["x", "y", "x"]})
    encoder = Encoder.of(Units.of_frame(table, features=table.columns, arms=["0"]))
    assert encoder.names == ("n", "flag", "n (missing)", "city = a", "city = (missing)", "rows = x", "rows = y")
    matrix = encoder.matrix(Units.of_frame(table, features=table.columns, arms=["0"]))
    assert matrix[:, 0].tolist() == [-1, 0, 1]
    assert matrix[:, 2:].tolist() == [[0, 1, 0, 1, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0]]
    later = pl.DataFrame(
        {"n": [None], "flag": [None], "city": ["z"], "rows": ["y"]},
        schema={"n": pl.Float64, "flag": pl.Boolean, "city": pl.String, "rows": pl.String},
    )
    assert encoder.matrix(Units.of_frame(later, features=later.columns, arms=["0"])).tolist() == [[0, 0, 1, 0, 0, 0, 1]]
    with pytest.raises(DataError, match="held numbers"):
        encoder.matrix(Units.of_frame(table.with_columns(n=pl.lit("many")), features=table.columns, arms=["0"]))
    with pytest.raises(DataError, match="no feature 'city'"):
        encoder.matrix(Units.of_frame(table, features=["n", "flag"], arms=["0"]))


def test_many_levels_are_the_most_frequent_ones():
    levels = [f"v{i:02}" for i in range(40) for _ in range(i + 1)]
    encoder = Encoder.of(Units.of_frame(pl.DataFrame({"v": levels}), features=["v"], arms=["0"]))
    assert encoder.names == tuple(f"v = v{i:02}" for i in range(39, 7, -1))


def test_clusters_are_whole_in_a_fold_and_folds_follow_ids_not_rows():
    log = small(months=4)
    parts = folds_of(log, 5, seed=0)
    whole = pl.DataFrame({"cluster": log.clusters, "fold": parts}).group_by("cluster").agg(pl.col("fold").n_unique())
    assert (whole["fold"] == 1).all()
    assert np.ptp(np.bincount(parts)) <= 4
    order = np.random.default_rng(0).permutation(len(log))
    assert np.array_equal(folds_of(log.rows(order), 5, 0), parts[order])
    assert not np.array_equal(folds_of(log, 5, 1), parts)


def test_a_prediction_knows_nothing_of_its_own_cluster():
    log = small(months=3)
    before = cross_fit(log, reward="orders", folds=4)
    part = before.folds == 2
    changed = log.with_reward("orders", np.where(part, 1000.0, log.reward("orders")))
    after = cross_fit(changed, reward="orders", folds=4)
    assert np.array_equal(before.values[part], after.values[part])
    assert not np.allclose(before.values[~part], after.values[~part])


def test_predictions_are_those_of_models_fitted_by_hand():
    linear = pytest.importorskip("sklearn.linear_model")
    log = small()
    made = cross_fit(log, linear.LinearRegression(), reward="orders", folds=3)
    train, held = made.folds != 1, made.folds == 1
    X = Encoder.of(log.units.rows(train))
    for arm in range(3):
        rows = train & (log.actions == arm)
        model = linear.LinearRegression().fit(X.matrix(log.units.rows(rows)), log.reward("orders")[rows])
        assert np.allclose(made.values[held, arm], model.predict(X.matrix(log.units.rows(held))), atol=1e-5)


def test_permuted_rows_give_permuted_predictions():
    log, order = small(), np.random.default_rng(0).permutation(400)
    for model in (None, Outcome(monotone="increasing")):
        assert np.allclose(
            cross_fit(log.rows(order), model, reward="orders").values, cross_fit(log, model, reward="orders").values[order], atol=1e-5
        )


def test_a_monotone_row_is_the_nearest_one():
    isotonic = pytest.importorskip("scipy.optimize").isotonic_regression
    rng = np.random.default_rng(0)
    for _ in range(200):
        arms = rng.integers(1, 7)
        values, weights = rng.normal(size=(3, arms)), rng.random(arms) + 0.1
        made = monotone_rows(values, weights, "increasing")
        assert np.allclose(made, [isotonic(row, weights=weights).x for row in values])
        assert np.allclose(
            monotone_rows(values, weights, "decreasing"), [isotonic(row, weights=weights, increasing=False).x for row in values]
        )


@pytest.mark.parametrize("model", [Ridge(), Boosting()])
@pytest.mark.parametrize("monotone", ["increasing", "decreasing"])
def test_predictions_are_monotone_where_asked(model, monotone):
    if isinstance(model, Boosting):
        pytest.importorskip("sklearn")
    values = cross_fit(small(1500), Outcome(model=model, monotone=monotone), reward="orders", folds=2).values
    steps = np.diff(values, axis=1) * (1 if monotone == "increasing" else -1)
    assert (steps >= -1e-9).all()
    assert monotone == "decreasing" or (steps > 0).any()


def test_monotone_predictions_are_nearer_to_a_truth_that_is_monotone():
    world, error = OfferWorld(slopes=(0, 0.05, 0.1), discounts=(0, 0.05, 0.1)), {}
    for how in (None, "increasing"):
        squares = []
        for seed in range(30):
            log = world.log(300, seed)
            values = cross_fit(log, Outcome(model=Ridge(), monotone=how), reward="orders", folds=3).values
            truth = np.array(world.effects) + np.outer(log.units.features["promo_share"].to_numpy() - 0.5, world.slopes)
            squares.append(((values - values[:, :1] - truth) ** 2).mean())
        error[how] = np.mean(squares)
    assert error["increasing"] < 0.6 * error[None]


def test_one_model_for_all_arms_where_arms_have_few_rows():
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"x": rng.normal(size=300), "arm": rng.integers(0, 30, 300)}).with_columns(y=pl.col("x") + pl.col("arm") / 10)
    log = DecisionLog.of_frame(table, action="arm", reward="y", features=["x"], propensity=dict.fromkeys(range(30), 1 / 30))
    values = cross_fit(log, Ridge(), folds=3).values
    truth = table["x"].to_numpy()[:, None] + np.array([float(arm) for arm in log.arms]) / 10
    assert np.abs(values - truth).mean() < 0.2
    with pytest.raises(DataError, match="no row to learn from"):
        Outcome(together=False).fit(log.units, np.zeros(300, int), log.reward())


def test_biased_rows_teach_and_are_not_predicted():
    log = small(600)
    table = WORLD.table(3000, 5, random=0.0)
    biased = DecisionLog.of_frame(
        table, action="arm", reward=["orders"], features=["rides", "promo_share", "city", "age"], arms=WORLD.arms, cluster="client"
    )
    made = cross_fit(log, reward="orders", biased=biased)
    assert made.values.shape == (600, 3)
    assert "3,000 biased rows" in made.notes[0]
    assert not np.allclose(made.values, cross_fit(log, reward="orders").values)


def test_a_biased_row_of_a_cluster_teaches_only_where_the_cluster_does():
    log = small(600)
    made = cross_fit(log, reward="orders", biased=log)
    part = made.folds == 1
    wild = log.with_reward("orders", np.where(part, 1000.0, log.reward("orders")))
    assert np.allclose(cross_fit(log, reward="orders", biased=wild).values[part], made.values[part])


def test_what_cannot_be_learned_is_refused():
    log = small(60)
    with pytest.raises(ParameterError, match=r"'folds'.*2 to the number of clusters"):
        cross_fit(log, reward="orders", folds=61)
    with pytest.raises(ParameterError, match="fit"):
        cross_fit(log, "ridge", reward="orders")
    with pytest.raises(ParameterError, match="needs no propensity"):
        cross_fit(log, reward="orders", biased=WORLD.table(10))
    with pytest.raises(DataError, match="arms of the log"):
        cross_fit(log, reward="orders", biased=OfferWorld(discounts=(0, 0.05, 0.2)).log(100))

    class Wrong:
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(DataError, match="finite number per row"):
        cross_fit(log, Wrong(), reward="orders")
    fitted = Outcome(model=Wrong()).fit(log.units, log.actions, log.reward("orders"))
    with pytest.raises(ArtifactError, match=r"no pickle. Use Ridge\(\) or Boosting\(\)"):
        fitted.state()


def test_the_quality_of_predictions_is_told():
    log = small(3000)
    table = cross_fit(log, reward="orders").quality(log)
    assert table["arm"].to_list() == list(log.arms)
    assert table["rows"].sum() == 3000
    assert (table["explained"] > 0.15).all()


def test_the_world_is_what_it_says():
    log = WORLD.log(30_000, 1)
    means = [log.reward("orders")[log.actions == arm].mean() for arm in range(3)]
    assert np.allclose(means, [5.0, 5.3, 5.5], atol=0.12)
    biased = WORLD.table(30_000, 1, random=0.0).group_by("arm").agg(pl.col("orders").mean()).sort("orders")
    assert biased["arm"].to_list() == ["10%", "5%", "0%"]
    assert np.allclose(biased["orders"], [3.27, 5.02, 7.55], atol=0.15)
    assert WORLD.value(WORLD.oracle()) - WORLD.value(Always("0%")) == pytest.approx(0.63, abs=0.01)
    assert log.costs is not None
    assert np.allclose(log.reward("profit"), 0.6 * log.reward("fares") - log.costs)


def test_a_world_gives_the_arms_that_somebody_decided_on() -> None:
    drawn = WORLD.table(4000, seed=5)
    given = WORLD.table(4000, seed=5, arms=["10%"] * 4000)
    assert given["arm"].unique().to_list() == ["10%"]
    assert given.select("client", "rides", "promo_share").equals(drawn.select("client", "rides", "promo_share"))
    assert given["propensity"].is_null().all()
    assert abs(given["orders"].mean() - WORLD.value(Always("10%"))) < 4 * given["orders"].std() / 4000**0.5  # type: ignore[operator]
