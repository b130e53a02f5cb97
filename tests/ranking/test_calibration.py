"""Isotonic and Platt beside scikit-learn, and by what they promise."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

import vitrina as vt
from vitrina.base.errors import ParameterError


def drawn(seed, n=200, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, n)
    scores = np.round(scores, 1) if ties else scores
    outcomes = (rng.random(n) < expit(0.7 * scores - 0.5)).astype(float)
    return scores, outcomes, rng.random(n) + 0.1


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(50))
def test_isotonic_is_scikit_learns(seed, ties):
    oracle = pytest.importorskip("sklearn.isotonic").IsotonicRegression(out_of_bounds="clip")
    scores, outcomes, weights = drawn(seed, ties=ties)
    asked = np.linspace(-9, 9, 301)
    got = vt.ranking.Isotonic().fit(scores, outcomes, weights)(asked)
    np.testing.assert_allclose(got, oracle.fit(scores, outcomes, weights).predict(asked), atol=1e-12)


@pytest.mark.parametrize("seed", range(50))
def test_platt_has_the_largest_likelihood(seed):
    scores, outcomes, weights = drawn(seed)
    ones, zeros = weights @ outcomes, weights @ (1 - outcomes)
    targets = np.where(outcomes == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def loss(line):
        z = line[0] * scores + line[1]
        return weights @ (np.logaddexp(0, z) - targets * z)

    fitted = vt.ranking.Platt().fit(scores, outcomes, weights)
    best = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose([fitted.slope, fitted.intercept], best, atol=1e-5)
    assert loss([fitted.slope, fitted.intercept]) <= loss(best) + 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_platt_is_scikit_learns(seed):
    oracle = pytest.importorskip("sklearn.calibration")._SigmoidCalibration()
    scores, outcomes, _ = drawn(seed)
    np.testing.assert_allclose(vt.ranking.Platt().fit(scores, outcomes)(scores), oracle.fit(scores, outcomes).predict(scores), atol=1e-4)


@pytest.mark.parametrize("calibration", [vt.ranking.Isotonic(), vt.ranking.Platt()], ids=repr)
class TestBoth:
    def test_a_weight_of_two_is_a_row_twice(self, calibration):
        scores, outcomes, _ = drawn(0)
        twice = np.arange(len(scores)) % 3 == 0
        weighted = calibration.fit(scores, outcomes, 1.0 + twice)
        repeated = calibration.fit(np.append(scores, scores[twice]), np.append(outcomes, outcomes[twice]))
        np.testing.assert_allclose(weighted(scores), repeated(scores), atol=1e-9)

    def test_no_weight_is_no_row(self, calibration):
        scores, outcomes, weights = drawn(1)
        weights[::2] = 0
        np.testing.assert_allclose(
            calibration.fit(scores, outcomes, weights)(scores), calibration.fit(scores[1::2], outcomes[1::2], weights[1::2])(scores)
        )

    def test_the_order_of_rows_has_no_part(self, calibration):
        scores, outcomes, weights = drawn(2, ties=True)
        order = np.random.default_rng(0).permutation(len(scores))
        np.testing.assert_allclose(
            calibration.fit(scores, outcomes, weights)(scores),
            calibration.fit(scores[order], outcomes[order], weights[order])(scores),
            atol=1e-9,
        )

    def test_the_scale_of_scores_has_no_part(self, calibration):
        scores, outcomes, _ = drawn(3)
        np.testing.assert_allclose(
            calibration.fit(scores, outcomes)(scores), calibration.fit(scores * 1e6 - 3e6, outcomes)(scores * 1e6 - 3e6), atol=1e-7
        )

    def test_it_recovers_the_chance(self, calibration):
        rng = np.random.default_rng(4)
        scores = rng.normal(0, 1, 200_000)
        truth = expit(1.3 * scores - 0.4)
        fitted = calibration.fit(scores, rng.random(len(scores)) < truth)
        assert np.abs(fitted(scores) - truth).mean() < 0.008

    def test_it_keeps_the_mean(self, calibration):
        scores, outcomes, _ = drawn(5, n=20_000)
        assert calibration.fit(scores, outcomes)(scores).mean() == pytest.approx(outcomes.mean(), abs=2e-4)

    def test_it_never_falls_and_keeps_shapes(self, calibration):
        fitted = calibration.fit(*drawn(6))
        grid = np.linspace(-10, 10, 1000).reshape(10, 100)
        assert fitted(grid).shape == grid.shape
        assert (np.diff(fitted(grid).ravel()) >= 0).all()
        assert np.isnan(fitted(np.array([np.nan]))).all()

    def test_it_comes_back_from_its_state(self, calibration):
        fitted = calibration.fit(*drawn(7))
        again = type(fitted).of_state(fitted.state())
        asked = np.linspace(-5, 5, 50)
        assert (again(asked) == fitted(asked)).all()

    def test_all_alike(self, calibration):
        assert np.isfinite(calibration.fit([2.0, 2.0, 2.0], [0, 1, 1])([1.0, 2.0])).all()
        assert np.isfinite(calibration.fit([1.0, 2.0, 3.0], [1, 1, 1])([1.0, 2.0])).all()

    @pytest.mark.parametrize(
        ("scores", "outcomes", "weights", "said"),
        [
            ([1, 2], [1], None, "lists of one length. Got outcomes of the shape (1,)"),
            ([1, np.nan], [1, 0], None, "must be finite. Got nan"),
            ([1, 2], [1, 0], [0, 0], "one of them above. Got none"),
            ([1, 2], [1, 0], [1, -1], "Got the weight -1.0"),
            ([], [], None, "Got none"),
        ],
    )
    def test_what_is_refused(self, calibration, scores, outcomes, weights, said):
        with pytest.raises(ParameterError, match=type(calibration).__name__) as error:
            calibration.fit(scores, outcomes, weights)
        assert said in str(error.value)


def test_platt_parts_what_is_parted_with_a_finite_curve():
    fitted = vt.ranking.Platt().fit(np.arange(10.0), np.arange(10) >= 5)
    assert 0 < fitted([0.0])[0] < 0.2
    assert 0.8 < fitted([9.0])[0] < 1


def test_platt_refuses_other_outcomes_and_isotonic_takes_them():
    with pytest.raises(ParameterError, match=r"within \[0, 1\].*Got 12\."):
        vt.ranking.Platt().fit([1, 2], [0, 12])
    assert vt.ranking.Isotonic().fit([1, 2], [0, 12])([2.0])[0] == 12
