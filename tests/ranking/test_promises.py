"""Calibration that follows, what was promised beside what came, and what a distorted chance costs."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import binom

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.metrics import Judged
from vitrina.ranking.monitor import _tail


def distorted(p, slope=0.5, intercept=1.0):
    """A rising function of a chance."""
    return expit(slope * logit(p) + intercept)


def log_loss(p, outcomes):
    return -np.mean(outcomes * np.log(p) + (1 - outcomes) * np.log1p(-p))


class TestOnline:
    def test_without_outcomes_chances_stay(self):
        p = np.array([[0.1, 0.5], [0.9, np.nan]])
        np.testing.assert_allclose(vt.ranking.OnlinePlatt().start()(p), p)

    def test_it_comes_near_the_line_of_all_outcomes(self):
        """With hardly any forgetting it is the most likely line under the same start."""
        rng = np.random.default_rng(0)
        p = rng.uniform(0.05, 0.95, 20_000)
        outcomes = (rng.random(len(p)) < distorted(p)).astype(float)

        def loss(line):
            z = line[0] * logit(p) + line[1]
            return np.sum(np.logaddexp(0, z) - outcomes * z) + 32 * (line[0] - 1) ** 2 + 8 * line[1] ** 2

        followed = vt.ranking.OnlinePlatt(half_life=1e9).start().update(p, outcomes)
        np.testing.assert_allclose(followed.lines[0], minimize(loss, [1.0, 0.0]).x, atol=0.02)

    def test_it_follows_a_change(self):
        rng = np.random.default_rng(1)
        p = rng.uniform(0.05, 0.95, 12_000)
        truth = np.where(np.arange(len(p)) < 6000, distorted(p, 0.5, 1), distorted(p, 1.5, -1))
        outcomes = (rng.random(len(p)) < truth).astype(float)
        early, late = slice(0, 6000), slice(9000, 12_000)
        platt = vt.ranking.Platt().fit(logit(p[early]), outcomes[early])
        followed = vt.ranking.OnlinePlatt(half_life=500).start().update(p[:9000], outcomes[:9000])
        assert log_loss(platt(logit(p[late])), outcomes[late]) > log_loss(followed(p[late]), outcomes[late]) + 0.1
        assert np.abs(followed(p[late]) - truth[late]).mean() < 0.04

    def test_each_band_has_its_line(self):
        rng = np.random.default_rng(2)
        p, value = rng.uniform(0.05, 0.95, 20_000), rng.choice([1.0, 10.0, 100.0], 20_000)
        truth = np.where(value == 1, p, np.where(value == 10, distorted(p, 1, 1), distorted(p, 1, -1)))
        outcomes = rng.random(len(p)) < truth
        banded = vt.ranking.OnlinePlatt(bands=(10.0, 100.0)).start().update(p, outcomes, value)
        assert np.abs(banded(p, value) - truth).mean() < 0.02
        assert banded.seen.sum() == len(p)
        one = vt.ranking.OnlinePlatt().start().update(p, outcomes)
        assert np.abs(one(p) - truth).mean() > 0.1

    def test_two_updates_are_one(self):
        rng = np.random.default_rng(3)
        p, outcomes = rng.random(500), rng.random(500) < 0.3
        start = vt.ranking.OnlinePlatt(half_life=50).start()
        whole, parts = start.update(p, outcomes), start.update(p[:200], outcomes[:200]).update(p[200:], outcomes[200:])
        np.testing.assert_allclose(whole.lines, parts.lines, atol=1e-12)
        assert start.lines.tolist() == [[1.0, 0.0]]
        assert whole.update([], []) is whole

    def test_one_surprise_throws_nothing(self):
        start = vt.ranking.OnlinePlatt().start()
        assert 0.5 < start.update([0.0001], [1]).lines[0, 0] < 1
        certain = start.update([1.0, 0.0], [0, 1])
        assert np.isfinite(certain.lines).all()
        assert 0 < certain([0.0])[0] < certain([1.0])[0] < 1

    def test_it_comes_back_from_its_state(self):
        fitted = vt.ranking.OnlinePlatt(bands=(2.0,)).start().update([0.1, 0.9], [1, 0], [1, 3])
        again = type(fitted).of_state(fitted.state())
        assert again([0.3], [3.0]) == fitted([0.3], [3.0])

    @pytest.mark.parametrize(
        ("work", "said"),
        [
            (lambda: vt.ranking.OnlinePlatt(bands=(2.0, 1.0)), "must rise"),
            (lambda: vt.ranking.OnlinePlatt(bands=(2.0,)).start()([0.5]), "give the values too"),
            (lambda: vt.ranking.OnlinePlatt(bands=(2.0,)).start()([0.5], [1.0, 2.0]), "of the shape (1,). Got the shape (2,)"),
            (lambda: vt.ranking.OnlinePlatt().start().update([3.0], [1]), "go through Platt first. Got 3.0"),
            (lambda: vt.ranking.OnlinePlatt().start().update([0.3], [7]), "must be within [0, 1]"),
        ],
    )
    def test_what_is_refused(self, work, said):
        with pytest.raises(ParameterError) as error:
            work()
        assert said in str(error.value)


class TestReliability:
    def test_bins_by_hand(self):
        p = np.array([0.1, 0.1, 0.1, 0.5, 0.7, 0.9])
        found = vt.ranking.reliability(p, [0, 1, 0, 1, 1, 0], bins=2)
        assert found.table.select("n", "least", "most").rows() == [(3, 0.1, 0.1), (3, 0.5, 0.9)]
        assert found.table["realised"].to_list() == pytest.approx([1 / 3, 2 / 3])
        assert found.error == pytest.approx((abs(1 / 3 - 0.1) + abs(2 / 3 - 0.7)) / 2)

    def test_equal_chances_share_a_bin(self):
        assert vt.ranking.reliability(np.full(100, 0.3), np.arange(100) < 30).table["n"].to_list() == [100]

    def test_intervals_are_those_of_clopper_and_pearson(self):
        row = vt.ranking.reliability(np.full(40, 0.3), np.arange(40) < 10).table.row(0, named=True)
        assert binom.sf(9, 40, row["low"]) == pytest.approx(0.025)
        assert binom.cdf(10, 40, row["high"]) == pytest.approx(0.025)
        none, every = (vt.ranking.reliability(np.full(9, 0.3), np.full(9, y)).table.row(0, named=True) for y in (0, 1))
        assert none["low"] == 0 < none["high"]
        assert every["low"] < 1 == every["high"]

    def test_right_chances_err_by_chance_and_wrong_ones_by_more(self):
        rng = np.random.default_rng(0)
        errors, said = [], []
        for _ in range(200):
            p = rng.beta(1, 5, 1000)
            found = vt.ranking.reliability(p, rng.random(1000) < p)
            errors.append(found.error)
            said.append(found.by_chance)
        assert np.mean(errors) == pytest.approx(np.mean(said), rel=0.05)
        wrong = vt.ranking.reliability(distorted(p), rng.random(1000) < p)
        assert wrong.error > 5 * wrong.by_chance
        assert "by chance, 1,000 outcomes" in repr(wrong)


class TestPromises:
    def test_sums_by_hand(self):
        found = vt.ranking.promises([0.5, 0.5, 0.25], [1.0, 2.0, 8.0], [1, 0, 1], groups=3)
        assert found.table["group"].to_list() == ["all", "1", "2", "3"]
        assert found.table["promised"].to_list() == [3.5, 0.5, 1.0, 2.0]
        assert found.table["realised"].to_list() == [9.0, 1.0, 0.0, 8.0]
        assert found.table["ratio"].to_list() == pytest.approx([9 / 3.5, 2, 0, 4])

    @pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
    def test_the_bound_is_above_the_chance_and_not_far(self, p):
        """Equal values: the sum is binomial, whose tails are known."""
        for came in range(101):
            exact = binom.sf(came - 1, 100, p) if came > 100 * p else binom.cdf(came, 100, p)
            bound = _tail(np.full(100, p), np.full(100, 3.0), 3.0 * came)
            assert bound >= exact * (1 - 1e-9)
            assert exact < 1e-12 or bound < 20 * exact

    def test_right_promises_raise_few_alarms(self):
        """At most one look in a hundred; 400 looks at rare successes with a heavy tail of values."""
        rng, alarms = np.random.default_rng(1), 0
        for _ in range(400):
            p, value = rng.beta(0.5, 10, 500), rng.lognormal(0, 1.5, 500)
            alarms += vt.ranking.promises(p, value, rng.random(500) < p, level=0.01).alarm
        assert alarms <= 8

    def test_a_fifth_too_much_is_noticed(self):
        rng = np.random.default_rng(2)
        p, value = rng.beta(2, 10, 20_000), rng.lognormal(0, 1, 20_000)
        found = vt.ranking.promises(1.2 * p, value, rng.random(20_000) < p)
        assert found.alarm
        assert "more than luck explains" in found.sentence
        assert found.table["ratio"][0] == pytest.approx(1 / 1.2, abs=0.05)

    def test_dear_things_promised_wrongly_are_found_although_the_sum_is_right(self):
        rng = np.random.default_rng(3)
        p, value = np.full(20_000, 0.2), np.repeat([1.0, 10.0], 10_000)
        truth = np.where(value == 1, 0.2 + 0.08, 0.2 - 0.008)
        found = vt.ranking.promises(p, value, rng.random(20_000) < truth, groups=2)
        assert found.table["alarm"].to_list() == [False, True, False]
        assert found.sentence.endswith("in the groups 1. Calibrate again.")

    def test_what_was_promised_never_and_came(self):
        assert vt.ranking.promises(np.zeros(5), np.ones(5), [0, 0, 0, 0, 1]).alarm
        assert vt.ranking.promises(np.zeros(5), np.ones(5), np.zeros(5)).table["ratio"].to_list() == [None, None]
        assert not vt.ranking.promises(np.full(5, 0.5), np.zeros(5), np.ones(5)).alarm

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"values": [1.0]}, "must be a finite number per chance (2)"),
            ({"chances": [0.5, 3.0]}, "scores become chances by Platt or Isotonic"),
            ({"outcomes": [0, 5]}, "must be within [0, 1]"),
            ({"groups": 0}, "a whole number from 1 on. Got 0"),
            ({"level": 1.5}, "between 0 and 1. Got 1.5"),
        ],
    )
    def test_what_is_refused(self, change, said):
        with pytest.raises(ParameterError) as error:
            vt.ranking.promises(**({"chances": [0.5, 0.2], "values": [1.0, 2.0], "outcomes": [0, 1]} | change))
        assert said in str(error.value)


def test_a_distorted_chance_keeps_the_order_and_loses_money_and_calibration_wins_it_back():
    """400 sessions of 30 items for 5 slots, with the chances of a model known and distorted by a rising function."""
    rng = np.random.default_rng(4)
    n, items = 400, 30
    p = expit(rng.normal(-1.5, 1.2, (n, items)))
    value, after, on = rng.lognormal(0, 1, items), rng.uniform(0.3, 0.7, items), 0.95
    said = distorted(p)
    taken = rng.random((n, items)) < p

    def ndcg(scores):
        lists = np.argsort(-scores, axis=1, kind="stable").astype(np.int32)[:, :10]
        found = vt.Recommendations(lists, -np.sort(-scores, axis=1)[:, :10].astype(np.float32), vt.Vocabulary.of(range(items)))
        judged = Judged(found, vt.Ragged.of([np.flatnonzero(row) for row in taken]), vt.testing.toy().catalogue)
        return np.nanmean(vt.metrics.metric("nDCG@10").per_query(judged))

    def revenue(chances):
        order = vt.ranking.rank_session(chances, value, after, on, k=5)
        return vt.ranking.session_value(order.items, p, value, after, on).mean()

    mended = vt.ranking.Platt().fit(logit(said).ravel(), taken.ravel())(logit(said))
    assert ndcg(said) == ndcg(p)
    assert revenue(said) < 0.97 * revenue(p)
    assert revenue(mended) > 0.999 * revenue(p)
