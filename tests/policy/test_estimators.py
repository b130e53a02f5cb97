"""Every estimator beside loops that follow its formula, and what must hold of any of them."""

import re

import numpy as np
import pytest

from vitrina.base.errors import ParameterError
from vitrina.policy.estimators import DM, DR, IPS, SNDR, SNIPS, DRos, SwitchDR, Weighted
from vitrina.policy.sums import Sums, grouped

ALL = (
    IPS(), IPS(clip=1.5), SNIPS(), SNIPS(clip=2.0), DM(), DR(), DR(clip=1.5), SNDR(), SNDR(clip=2.0), SwitchDR(threshold=1.5), DRos(shrinkage=3.0),
    DRos(shrinkage=0.0),
)  # fmt: skip


def a_case(seed, n=None):
    """Rows, and the cluster of each: sizes 1 to 4, all of them there."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 30)) if n is None else n
    weights = rng.gamma(1, 1, n) * (rng.random(n) < 0.7)
    weights[:6] = 0.5  # whoever is left out, some row speaks of the policy
    rewards, fitted, planned = rng.normal(2, 1, (3, n))
    clusters = np.unique(rng.integers(0, max(n // 2, 2), n), return_inverse=True)[1]
    return Weighted(weights, rewards, fitted, planned), clusters


def slow_value(estimator, rows, keep):
    """By the formulas, row by row."""
    n, above, below, plan = 0, 0.0, 0.0, 0.0
    clip = getattr(estimator, "clip", None)
    for w, r, mu, q, there in zip(*rows, keep, strict=True):
        if not there:
            continue
        n += 1
        w = w if clip is None else min(w, clip)  # noqa: PLW2901  as the formula has it
        below += w
        if isinstance(estimator, (IPS, SNIPS)):
            above += w * r
            continue
        plan += q
        if isinstance(estimator, (DR, SNDR)) or (isinstance(estimator, SwitchDR) and w <= estimator.threshold):
            above += w * (r - mu)
        elif isinstance(estimator, DRos) and estimator.shrinkage > 0:
            above += estimator.shrinkage * w / (estimator.shrinkage + w * w) * (r - mu)
    if isinstance(estimator, SNIPS):
        return above / below
    if isinstance(estimator, SNDR):
        return plan / n + above / below
    return (plan + above) / n


def sums_of(estimator, rows, clusters):
    return Sums.of(estimator, (rows,), clusters, int(clusters.max()) + 1)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_value_and_what_each_cluster_does_to_it(estimator):
    for seed in range(200):
        rows, clusters = a_case(seed)
        sums = sums_of(estimator, rows, clusters)
        whole = slow_value(estimator, rows, [True] * len(clusters))
        assert sums.value == pytest.approx(whole, abs=1e-12)
        parts = sums.parts
        for cluster in range(clusters.max() + 1):
            assert parts[cluster] == pytest.approx(slow_value(estimator, rows, clusters != cluster) - whole, abs=1e-11)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_slopes_are_those_of_the_value(estimator):
    rows, _ = a_case(3, n=20)
    means = [column.mean() for column in estimator.terms(rows)]
    for at, slope in enumerate(estimator.slopes([np.asarray(m) for m in means])):
        up, down = ([np.asarray(m + step * (i == at)) for i, m in enumerate(means)] for step in (1e-6, -1e-6))
        assert slope == pytest.approx((estimator.value(up) - estimator.value(down)) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_the_order_of_rows_and_a_second_copy_of_each_change_nothing(estimator):
    for seed in range(20):
        rows, clusters = a_case(seed)
        first = sums_of(estimator, rows, clusters)
        order = np.random.default_rng(seed).permutation(len(clusters))
        mixed = sums_of(estimator, Weighted(*(column[order] for column in rows)), clusters[order])
        twice = sums_of(estimator, Weighted(*(np.tile(column, 2) for column in rows)), np.tile(clusters, 2))
        for other in (mixed, twice):
            assert other.value == pytest.approx(first.value, abs=1e-12)
            np.testing.assert_allclose(other.parts, first.parts, atol=1e-12)


def test_a_constant_added_to_all_rewards():
    for seed in range(50):
        rows, clusters = a_case(seed)
        shifted = rows._replace(rewards=rows.rewards + 10)
        for estimator in (SNIPS(), SNIPS(clip=2.0)):
            before, after = (sums_of(estimator, one, clusters) for one in (rows, shifted))
            assert after.value == pytest.approx(before.value + 10)
            np.testing.assert_allclose(after.parts, before.parts, atol=1e-11)
        moved = shifted._replace(fitted=rows.fitted + 10, planned=rows.planned + 10)
        for estimator in (SNDR(), DR(), SwitchDR(threshold=1.5), DRos(shrinkage=3.0), DM()):
            assert sums_of(estimator, moved, clusters).value == pytest.approx(sums_of(estimator, rows, clusters).value + 10)
        assert sums_of(SNDR(), shifted, clusters).value == pytest.approx(sums_of(SNDR(), rows, clusters).value + 10)
        assert sums_of(IPS(), shifted, clusters).value != pytest.approx(sums_of(IPS(), rows, clusters).value + 10)


def test_ends_of_the_parameters():
    rows, clusters = a_case(1)
    same = [
        (DRos(shrinkage=0.0), DM()),
        (DRos(shrinkage=1e12), DR()),
        (SwitchDR(threshold=1e9), DR()),
        (SwitchDR(threshold=1e-9), DM()),
        (IPS(clip=1e9), IPS()),
    ]
    for one, other in same:
        assert sums_of(one, rows, clusters).value == pytest.approx(sums_of(other, rows, clusters).value, rel=1e-6)


def test_no_row_speaks_of_the_policy():
    rows, clusters = a_case(0)
    none = rows._replace(weights=np.zeros(len(clusters)))
    assert sums_of(IPS(), none, clusters).value == 0
    assert np.isnan(sums_of(SNIPS(), none, clusters).value)
    one = rows._replace(weights=np.eye(len(clusters))[0])
    parts = sums_of(SNIPS(), one, clusters).parts
    assert np.isnan(parts[clusters[0]])
    assert np.isfinite(np.delete(parts, clusters[0])).all()


def test_many_clusters_are_put_together_whole():
    clusters = np.arange(100) // 2
    few = grouped(clusters, most=8)
    assert few.max() == 7
    assert (few[::2] == few[1::2]).all()
    assert grouped(clusters, most=50) is clusters


def test_constant_rewards_leave_no_doubt():
    n = 1000
    rows = Weighted(np.ones(n), np.full(n, 0.1), np.full(n, 0.1), np.full(n, 0.1))
    for estimator in (IPS(), SNIPS(), DR(), SNDR()):
        assert not sums_of(estimator, rows, np.arange(n)).parts.any()


def test_parameters_have_domains():
    with pytest.raises(ParameterError, match=re.escape("The 'clip' parameter of IPS must be greater than 0. Got 0.")):
        IPS(clip=0)
    with pytest.raises(ParameterError, match="greater than or equal to 0"):
        DRos(shrinkage=-1.0)
    with pytest.raises(ParameterError, match="needs predictions of an outcome model"):
        DR().terms(Weighted(np.ones(2), np.ones(2)))


def test_golden_values_of_obp():
    """What sb-obp 0.5.10 (PyPI) says of the same arrays: estimate_policy_value of each of its estimators, with lambda_ for clip, threshold and shrinkage."""
    i = np.arange(40)
    actions, propensity, rewards = (i * 7) % 3, 0.2 + ((i * 5) % 7) / 10, np.round(np.sin(i), 3) + 1
    chances = np.stack([1 + (i % 4), 2 + (i % 3), 1 + (i % 5)], 1) / (4 + (i % 4) + (i % 3) + (i % 5))[:, None]
    mu = np.round(np.cos(i[:, None] * np.arange(1, 4)), 3) + 1
    rows = Weighted(chances[i, actions] / propensity, rewards, mu[i, actions], (chances * mu).sum(axis=1))
    golden = {
        DM(): 1.0041059794372296, IPS(): 0.8967539280668074, IPS(clip=1.0): 0.727697222619477, SNIPS(): 1.1228761299399916,
        DR(): 0.9217744068770186, DR(clip=1.0): 0.8824634220285337, SNDR(): 0.901013977635152, SwitchDR(threshold=1.0): 0.9125384220285337,
        DRos(shrinkage=2.0): 0.914325461342148,
    }  # fmt: skip
    for estimator, value in golden.items():
        assert sums_of(estimator, rows, i).value == pytest.approx(value, abs=1e-9)
