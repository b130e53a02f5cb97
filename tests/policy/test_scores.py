import re
from types import SimpleNamespace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError


def a_log(rng, n=50, arms=3):
    return _Log(rng, n, arms)


class _Log(SimpleNamespace):
    def __init__(self, rng, n, arms):
        super().__init__(
            arms=tuple("abcdefg"[:arms]),
            actions=rng.integers(0, arms, n).astype(np.int32),
            propensity=rng.uniform(0.1, 1, n),
            rewards=rng.normal(1, 2, n),
        )

    def __len__(self):
        return len(self.actions)

    def reward(self, name=None):
        return self.rewards


def test_scores_of_loops():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        log = a_log(rng, n=int(rng.integers(1, 30)), arms=int(rng.integers(2, 5)))
        mu = rng.normal(0, 1, (len(log), len(log.arms)))
        scores = vt.policy.aipw_scores(log, mu)
        for i in range(len(log)):
            for a in range(len(log.arms)):
                taken = log.actions[i] == a
                assert scores[i, a] == pytest.approx(mu[i, a] + taken / log.propensity[i] * (log.rewards[i] - mu[i, a]), abs=1e-12)


def test_predictions_stay_as_they_are_and_their_kind_is_kept():
    rng = np.random.default_rng(0)
    log = a_log(rng)
    for kind in (np.float32, np.float64):
        mu = rng.normal(0, 1, (50, 3)).astype(kind)
        before = mu.copy()
        assert vt.policy.aipw_scores(log, mu).dtype == kind
        assert vt.policy.aipw_scores(log, SimpleNamespace(values=mu)).dtype == kind
        np.testing.assert_array_equal(mu, before)
    assert vt.policy.aipw_scores(log, np.zeros((50, 3), int)).dtype == np.float64


def test_refusals():
    rng = np.random.default_rng(0)
    log = a_log(rng)
    with pytest.raises(
        ParameterError, match=re.escape("a row per row of the log (50) and a column per arm (a, b, c). Got float64 of the shape (50, 2)")
    ):
        vt.policy.aipw_scores(log, np.zeros((50, 2)))
    mu = np.zeros((50, 3))
    mu[4, 1] = np.nan
    with pytest.raises(DataError, match="That of the arm 'b' in row 4 is nan"):
        vt.policy.aipw_scores(log, mu)
