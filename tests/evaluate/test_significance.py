"""The bootstrap: its weights, its coverage, its shards, its verdicts; each against an independent computation."""

import math
from itertools import pairwise

import numpy as np
import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.evaluate.bootstrap import _THRESHOLDS, BUCKETS, Bootstrap, Buckets, _bucket_of, _poisson, bootstrap_interval
from vitrina.evaluate.significance import compare_paired, holm


def clustered(rng, users, spread=1.0):
    """Queries of people who differ: 1 to 8 queries each, whose values share a part of the person; true mean 0 over persons of equal weight."""
    lengths = rng.integers(1, 9, users)
    codes = np.repeat(np.arange(users), lengths)
    return np.repeat(rng.normal(0, spread, users), lengths) + rng.normal(0, 0.5, len(codes)), codes


def test_weights_are_poisson_of_mean_one_and_uncorrelated():
    weights = np.empty((4000, 64))
    _poisson(4000, np.arange(4000, dtype=np.uint64), np.uint64(3), _THRESHOLDS, weights)
    for j in range(5):
        assert (weights == j).mean() == pytest.approx(math.exp(-1) / math.factorial(j), abs=0.004)
    off = np.corrcoef(weights.T) - np.eye(64)
    assert np.abs(off).max() < 0.08  # 2016 pairs of standard deviation 0.016
    assert np.abs(np.corrcoef(weights[:64]) - np.eye(64)).max() < 0.6


def test_interval_covers_the_truth_19_times_of_20():
    """400 worlds of 120 people with correlated queries; the standard deviation of the share is 1.1 points."""
    rng = np.random.default_rng(0)
    covered, naive = 0, 0
    for world in range(400):
        values, users = clustered(rng, 120)
        low, high = bootstrap_interval(values, users, bootstrap=Bootstrap(draws=400, seed=world))
        covered += low <= 0 <= high
        half = 1.96 * values.std() / math.sqrt(len(values))
        naive += abs(values.mean()) <= half
    assert 0.915 <= covered / 400 <= 0.98
    assert naive / 400 < 0.8, "queries taken as independent must cover too little, or this test proves nothing"


def test_many_users_share_buckets_and_the_width_stays_right():
    """60,000 people in 16,384 buckets against the delta-method error of the ratio, which knows no buckets."""
    rng = np.random.default_rng(1)
    values, users = clustered(rng, 60_000)
    sums, counts = np.bincount(users, values), np.bincount(users)
    error = math.sqrt(((sums - values.mean() * counts) ** 2).sum()) / len(values)
    widths = [np.diff(bootstrap_interval(values, users, bootstrap=Bootstrap(draws=1000, seed=s)))[0] for s in range(4)]
    assert np.mean(widths) == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert len(values) > BUCKETS


def test_value_is_the_mean_over_queries_and_nan_says_nothing():
    values = np.array([[1.0, np.nan], [0.0, 0.5], [np.nan, np.nan], [0.5, 0.1]])
    np.testing.assert_allclose(Buckets.of(values, np.array([0, 0, 1, 2])).value, [0.5, 0.3])
    assert np.isnan(Buckets.of(np.full((3, 1), np.nan), np.arange(3)).value).all()


def test_draws_equal_weighted_means_in_plain_numpy():
    rng = np.random.default_rng(4)
    values, users = clustered(rng, 30)
    drawn = Buckets.of(values[:, None], users).drawn(Bootstrap(draws=50, seed=9))[:, 0]

    weights = np.empty((len(users), 50))
    _poisson(len(users), _bucket_of(users).astype(np.uint64), np.uint64(9), _THRESHOLDS, weights)
    np.testing.assert_allclose(drawn, (weights * values[:, None]).sum(axis=0) / weights.sum(axis=0), rtol=1e-12)


def test_shards_add_up_to_the_whole_in_any_order():
    rng = np.random.default_rng(5)
    values, users = clustered(rng, 500)
    values = np.column_stack([values, values**2])
    whole = Buckets.of(values, users)
    cuts = np.searchsorted(users, [0, 100, 350, 500])
    parts = [Buckets.of(values[a:b], users[a:b]) for a, b in pairwise(cuts)]
    merged = parts[2] + parts[0] + parts[1]
    np.testing.assert_allclose(merged.drawn(Bootstrap(draws=200, seed=1)), whole.drawn(Bootstrap(draws=200, seed=1)), rtol=1e-12)
    shuffled = rng.permutation(len(users))
    np.testing.assert_allclose(
        Buckets.of(values[shuffled], users[shuffled]).drawn(Bootstrap(draws=200, seed=1)),
        whole.drawn(Bootstrap(draws=200, seed=1)),
        rtol=1e-9,
    )


def test_unknown_visitors_are_people_of_their_own():
    values = np.random.default_rng(0).random(300)
    strangers = np.diff(bootstrap_interval(values, np.full(300, -1)))
    assert strangers == pytest.approx(np.diff(bootstrap_interval(values, np.arange(300))), rel=0.2)
    assert np.isnan(bootstrap_interval(values, np.full(300, 5))).all()


def test_holm_equals_plain_python():
    p = np.random.default_rng(0).random(9) ** 3
    order = sorted(range(9), key=lambda i: p[i])
    expected, highest = [0.0] * 9, 0.0
    for step, i in enumerate(order):
        highest = max(highest, min(1.0, p[i] * (9 - step)))
        expected[i] = highest
    np.testing.assert_allclose(holm(p), expected)
    np.testing.assert_array_equal(holm(np.array([np.nan, 0.02])), [np.nan, 0.02])


def paired(shift, users=400, seed=0):
    rng = np.random.default_rng(seed)
    base, codes = clustered(rng, users)
    return compare_paired({"base": base, "other": base + shift + rng.normal(0, 0.2, len(base))}, "base", codes).row(0, named=True)


def test_paired_interval_is_far_narrower_than_two_separate_ones():
    row = paired(0.05)
    values, users = clustered(np.random.default_rng(0), 400)
    alone = np.diff(bootstrap_interval(values, users))[0]
    assert row["high"] - row["low"] < alone / 3
    assert row["low"] < 0.05 < row["high"]
    assert row["p"] < 1e-4
    assert row["verdict"].startswith("better by 0.0")


def test_the_verdict_says_which_difference_would_have_been_seen():
    row = paired(0.0)
    assert row["low"] < 0 < row["high"]
    assert row["p_holm"] > 0.05
    assert row["verdict"] == f"no measurable difference; a difference of {row['detectable']:.3f} or more would have been seen"


def test_a_detectable_difference_is_seen_four_times_of_five():
    detectable = paired(0.0)["detectable"]
    seen = [paired(detectable, seed=s)["p_holm"] < 0.05 for s in range(1, 81)]
    assert 0.65 <= np.mean(seen) <= 0.93


def test_no_difference_is_called_one_at_most_once_in_twenty():
    called = [paired(0.0, users=150, seed=s)["p"] < 0.05 for s in range(200)]
    assert np.mean(called) <= 0.1
    assert np.mean(called) > 0


def test_holm_works_over_the_models_and_asks_for_more():
    rng = np.random.default_rng(2)
    base = rng.random(300)
    models = {"base": base} | {f"m{i}": base + rng.normal(0.012, 0.1, 300) for i in range(6)}
    table = compare_paired(models, "base", np.arange(300))
    assert table["model"].to_list() == [f"m{i}" for i in range(6)]
    np.testing.assert_allclose(table["p_holm"], holm(table["p"].to_numpy()))
    alone = compare_paired({"base": base, "m0": models["m0"]}, "base", np.arange(300))
    assert alone["difference"][0] == table["difference"][0]
    assert alone["low"][0] == pytest.approx(table["low"][0])
    assert alone["detectable"][0] < table["detectable"][0]


def test_lower_is_better_turns_the_words():
    base = np.random.default_rng(0).random(200)
    table = compare_paired({"base": base, "less": base - 0.5}, "base", np.arange(200), lower_is_better=True)
    assert table["verdict"][0] == "better by 0.500 (0.500 to 0.500)"
    worse = compare_paired({"base": base, "less": base - 0.5}, "base", np.arange(200))
    assert worse["verdict"][0].startswith("worse by 0.500")


def test_degenerate_comparisons_are_words_and_not_errors():
    base = np.random.default_rng(0).random(50)
    table = compare_paired({"base": base, "same": base, "void": np.full(50, np.nan)}, "base", np.arange(50))
    assert table["verdict"].to_list() == ["the same on every query", "too few people to tell"]
    assert table["p_holm"].is_null().to_list() == [False, True]
    assert compare_paired({"base": base}, "base", np.arange(50)).equals(table.clear())


def test_wrong_input_is_named():
    values, users = np.zeros(3), np.arange(3)
    with pytest.raises(UnknownNameError, match="Did you mean 'Popularity'"):
        compare_paired({"Popularity": values}, "popularity", users)
    with pytest.raises(ParameterError, match="'draws'"):
        bootstrap_interval(values, users, bootstrap=Bootstrap(draws=0))
    with pytest.raises(ParameterError, match="'confidence'"):
        bootstrap_interval(values, users, bootstrap=Bootstrap(confidence=95))
    with pytest.raises(ParameterError, match="3 values and 2 users"):
        bootstrap_interval(values, users[:2])


def test_the_former_names_work_for_one_more_release_and_say_what_to_write():
    users = np.arange(300)
    values = np.random.default_rng(0).random(300)
    wanted = bootstrap_interval(values, users, Bootstrap(draws=50, seed=3, confidence=0.8))
    with pytest.warns(FutureWarning, match=r"bootstrap_interval\(bootstrap=Bootstrap\(draws=50, seed=3, confidence=0\.8\)\)"):
        assert bootstrap_interval(values, users, draws=50, seed=3, confidence=0.8) == wanted
    columns = {"a": values, "b": values**2}
    with pytest.warns(FutureWarning, match="compare_paired"):
        table = compare_paired(columns, "a", users, draws=50)
    assert table.equals(compare_paired(columns, "a", users, bootstrap=Bootstrap(draws=50)))
    with pytest.raises(TypeError, match="unexpected keyword argument 'drawz'"):
        bootstrap_interval(values, users, drawz=50)
