"""Logs of sessions, what is learned from them, and what ranking by it earns in a world whose truth is known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError

TABLE = pl.DataFrame({
    "request_id": ["a", "a", "a", "b", "c", "c"], "user_id": ["ann", "ann", "ann", "bob", None, None], "item_id": ["x", "y", "z", "x", "y", "x"],
    "position": [1, 2, 3, 1, 1, 2], "outcome": [1, 0, 1, 0, 1, 0], "value": [2.0, 3.0, 5.0, 2.0, 3.0, 2.0],
})  # fmt: skip
SHOWN = vt.Impressions.of_frame(TABLE)


class TestLog:
    def test_a_session_by_hand(self):
        log = vt.ranking.SessionLog(SHOWN, slots=3)
        assert log.revenue.tolist() == [7, 0, 3]
        assert log.users.tolist() == [0, 1, -1]
        assert log.left.tolist() == [False, False, False, True, False, True]
        assert log.known.tolist() == [True, True, False, True, True, True]
        assert log.frame()["ended"].to_list() == log.left.tolist()
        assert repr(log) == "SessionLog(3 sessions, 6 items shown, 50.0% succeeded, 3.33 per session earned)"

    def test_a_column_says_who_left(self):
        table = TABLE.with_columns(ended=pl.Series([0, 0, 1, 0, 0, 1]))
        log = vt.ranking.SessionLog(vt.Impressions.of_frame(table))
        assert log.left.tolist() == [False, False, True, False, False, True]
        assert log.known.tolist() == [True, True, True, False, True, True]

    @pytest.mark.parametrize(
        ("shown", "slots", "said"),
        [
            (SHOWN, None, "Got neither"),
            (replace(SHOWN, ended=np.zeros(6, bool)), 3, "Got both"),
            (SHOWN, 2, "No session of a SessionLog may be longer than slots=2. The longest has 3"),
            (replace(SHOWN, outcomes=None), 3, "the outcomes 1 for a success and 0 for none. Got none"),
            (replace(SHOWN, outcomes=np.full(6, 2.5, np.float32)), 3, "Got 2.5"),
        ],
    )
    def test_what_is_refused(self, shown, slots, said):
        with pytest.raises(DataError) as error:
            vt.ranking.SessionLog(shown, slots)
        assert said in str(error.value)

    def test_without_values_nothing_is_earned(self):
        log = vt.ranking.SessionLog(replace(SHOWN, values=None), 3)
        assert "earned" not in repr(log)
        with pytest.raises(DataError, match="a column 'value'"):
            _ = log.revenue


def features(n, seed=0):
    rng = np.random.default_rng(seed)
    table = pl.DataFrame({
        "age": rng.normal(40, 12, n), "flag": rng.random(n) < 0.3, "town": rng.choice(["a", "b", "c", "d"], n), "rest": rng.random(n),
    }).with_columns(rest=pl.when(pl.col("rest") > 0.4).then("rest"))  # fmt: skip
    town = table["town"].replace_strict({"a": -1.0, "b": 0.0, "c": 0.5, "d": 1.0}, return_dtype=pl.Float64).to_numpy()
    odds = (table["age"].to_numpy() - 40) / 20 + town + 0.5 * table["flag"].to_numpy() - 0.7 * table["rest"].is_null().to_numpy()
    return table, (rng.random(n) < expit(odds)).astype(float), expit(odds)


class TestLogistic:
    @pytest.mark.parametrize("l2", [0.01, 1.0, 30.0])
    def test_it_is_scikit_learns(self, l2):
        linear = pytest.importorskip("sklearn.linear_model")
        table, outcomes, _ = features(400)
        age, flag, null = table["age"].to_numpy(), table["flag"].to_numpy().astype(float), table["rest"].is_null().to_numpy()
        rest = table["rest"].fill_null(table["rest"].mean()).to_numpy()
        columns = [(age - age.mean()) / age.std(), (flag - flag.mean()) / flag.std()]
        columns += [(table["town"] == town).to_numpy() for town in "abcd"]
        columns += [(rest - rest.mean()) / table["rest"].std(ddof=0), null]
        design = np.column_stack(columns).astype(float)
        oracle = linear.LogisticRegression(C=1 / l2, tol=1e-10, max_iter=10_000).fit(design, outcomes)
        np.testing.assert_allclose(vt.ranking.Logistic(l2=l2).fit(table, outcomes)(table), oracle.predict_proba(design)[:, 1], atol=2e-5)

    def test_it_is_calibrated(self):
        table, outcomes, truth = features(20_000)
        chances = vt.ranking.Logistic().fit(table, outcomes)(table)
        assert chances.mean() == pytest.approx(outcomes.mean(), abs=1e-5)
        assert np.abs(chances - truth).mean() < 0.012
        assert vt.ranking.reliability(chances, outcomes).error < 0.015

    def test_what_is_not_known_is_average(self):
        table, outcomes, _ = features(400)
        fitted = vt.ranking.Logistic().fit(table, outcomes)
        odd = table[:1].with_columns(town=pl.lit("never seen"), age=pl.lit(None, pl.Float64))
        assert 0.1 < fitted(odd)[0] < 0.9
        assert fitted(pl.concat([odd, table.tail(1)]))[1] == fitted(table)[-1]

    def test_it_comes_back_from_its_state_and_reads_other_orders_of_columns(self):
        table, outcomes, _ = features(200)
        fitted = vt.ranking.Logistic().fit(table, outcomes)
        again = type(fitted).of_state(fitted.state())
        assert (again(table.select("town", "rest", "flag", "age")) == fitted(table)).all()
        assert repr(again) == "FittedLogistic(age, flag, town, rest)"

    def test_without_columns_it_is_the_mean(self):
        fitted = vt.ranking.Logistic().fit(pl.DataFrame({"a": [None, None, None, None]}, schema={"a": pl.String}), [1, 1, 1, 0])
        assert fitted(pl.DataFrame({"a": ["b"]})).round(3).tolist() == [0.75]

    @pytest.mark.parametrize(
        ("table", "outcomes", "error", "said"),
        [
            (pl.DataFrame({"a": [1.0, np.nan]}), [0, 1], DataError, "must hold finite numbers, or null"),
            (pl.DataFrame({"a": [[1], [2]]}), [0, 1], DataError, "numbers, flags or text. It holds List(Int64)"),
            (pl.DataFrame({"a": [1.0]}), [0, 1], ParameterError, "Got 1 rows and outcomes of the shape (2,)"),
            (pl.DataFrame({"a": [1.0]}), [3], ParameterError, "must be within [0, 1]"),
            ([1.0], [1], ParameterError, "Got a list"),
        ],
    )
    def test_what_is_refused(self, table, outcomes, error, said):
        with pytest.raises(error) as caught:
            vt.ranking.Logistic().fit(table, outcomes)
        assert said in str(caught.value)

    def test_other_columns_are_refused(self):
        fitted = vt.ranking.Logistic().fit(pl.DataFrame({"a": [1.0, 2.0]}), [0, 1])
        with pytest.raises(DataError, match="has no column 'a'"):
            fitted(pl.DataFrame({"b": [1.0]}))
        with pytest.raises(DataError, match=r"must hold numbers, as when it was fitted\. It holds String"):
            fitted(pl.DataFrame({"a": ["x"]}))


WORLD = vt.ranking.SessionWorld(items=20, seed=0)


@pytest.fixture(scope="module")
def learned():
    people = WORLD.people(6000)
    log = WORLD.play(people, WORLD.random_orders(6000, k=8))
    return vt.ranking.SessionModel().fit(log, WORLD.features_of(log, people))


class TestModel:
    def test_it_recovers_the_truth(self, learned):
        people = WORLD.people(500, seed=9)
        found = learned.chances(WORLD.pairs(people))
        for name, truth in WORLD.chances(people).items():
            assert np.abs(found[name].reshape(truth.shape) - truth).mean() < 0.025, name

    def test_ranking_by_it_earns_nearly_what_the_truth_would(self, learned):
        """Within 1% of the oracle, and 5% above p * v with the true p."""
        people, k = WORLD.people(2000, seed=9), 5
        truth, value = WORLD.chances(people), WORLD.value
        guessed = {name: chances.reshape(2000, -1) for name, chances in learned.chances(WORLD.pairs(people)).items()}
        orders = {
            "oracle": vt.ranking.rank_session(value=value, k=k, **truth).items, "learned": vt.ranking.rank_session(value=value, k=k, **guessed).items,
            "p * v": np.argsort(-truth["p"] * value, axis=1)[:, :k], "p": np.argsort(-truth["p"], axis=1)[:, :k],
        }  # fmt: skip
        worth = {name: vt.ranking.session_value(order, value=value, **truth).mean() for name, order in orders.items()}
        assert 0.99 * worth["oracle"] < worth["learned"] <= worth["oracle"]
        assert worth["p * v"] < 0.95 * worth["oracle"]
        assert worth["p"] < worth["p * v"]

    def test_sessions_that_are_played_earn_what_was_expected(self):
        people = WORLD.people(4000, seed=5)
        truth = WORLD.chances(people)
        order = vt.ranking.rank_session(value=WORLD.value, k=6, **truth)
        played = WORLD.play(people, order.items)
        error = played.revenue.std() / np.sqrt(len(played))
        assert played.revenue.mean() == pytest.approx(order.expected.mean(), abs=4 * error)
        reached = np.bincount(played.shown.positions, minlength=7)[1:] / 4000
        assert reached.tolist() == pytest.approx(np.nan_to_num(order.reached).mean(axis=0).tolist(), abs=0.03)

    def test_without_features_items_are_told_apart(self):
        people = WORLD.people(3000)
        log = WORLD.play(people, WORLD.random_orders(3000, k=8))
        fitted = vt.ranking.SessionModel().fit(log)
        found = fitted.chances(pl.DataFrame({"item_id": WORLD.vocabulary.ids}))
        truth = WORLD.chances(people)["p"].mean(axis=0)
        assert np.corrcoef(found["p"], truth)[0, 1] > 0.9

    def test_who_stays_must_be_told_apart(self):
        """Without patience those who stay look like everybody: going on is overrated where people are many."""
        people = WORLD.people(6000, seed=4)
        log = WORLD.play(people, WORLD.random_orders(6000, k=20))
        table = WORLD.features_of(log, people)
        truth = WORLD.chances(people)["continue_after_failure"].mean()
        blind = vt.ranking.SessionModel().fit(log, table.drop("patience", "age")).chances(WORLD.pairs(people).drop("patience", "age"))
        seeing = vt.ranking.SessionModel().fit(log, table).chances(WORLD.pairs(people))
        assert abs(seeing["continue_after_failure"].mean() - truth) < 0.01
        assert blind["continue_after_failure"].mean() > truth + 0.01

    def test_it_comes_back_from_its_state(self, learned):
        state = learned.state()
        parts = {name: type(child).of_state(child.state()) for name, child in state.children.items()}
        again = type(learned).of_state(replace(state, children=parts))
        table = WORLD.pairs(WORLD.people(3))
        for name, chances in learned.chances(table).items():
            assert (again.chances(table)[name] == chances).all()

    def test_what_is_refused(self):
        log = vt.ranking.SessionLog(SHOWN, slots=3)
        with pytest.raises(ParameterError, match=r"a row per row of the log \(6\). Got 2"):
            vt.ranking.SessionModel().fit(log, TABLE.head(2))
        failed = vt.ranking.SessionLog(replace(SHOWN, outcomes=np.zeros(6, np.float32)), slots=3)
        with pytest.raises(DataError, match="There is none after a success"):
            vt.ranking.SessionModel().fit(failed)


def test_luck_is_the_same_in_any_order():
    people = WORLD.people(200)
    orders = WORLD.random_orders(200, k=5)
    first, other = (WORLD.play(people, o).frame() for o in (orders, orders[:, ::-1]))
    both = first.join(other, on=["request_id", "item_id"])
    assert both.height > 100
    assert (both["outcome"] == both["outcome_right"]).all()
