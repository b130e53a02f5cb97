"""The interval of a mean: its jackknife, its shards, its coverage; each against an independent computation."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import beta, t

import vitrina as vt
from vitrina.evaluate.bootstrap import BUCKETS, Buckets
from vitrina.evaluate.interval import TRUSTED, intervals_of, mean_interval
from vitrina.evaluate.people import People, persons_of


def world(rng, people, mean=0.2, spread=1.0):
    """nDCG-like values: people with a lognormal number of queries, each with their own Beta chance of a hit at a place from 1 to 10."""
    lengths = np.ceil(np.exp(rng.normal(0.7, spread, people))).astype(int)
    chance = mean / np.mean(1 / np.log2(np.arange(2, 12)))
    hits = rng.random(lengths.sum()) < np.repeat(rng.beta(3 * chance, 3 * (1 - chance), people), lengths)
    return hits / np.log2(rng.integers(2, 12, lengths.sum())), np.repeat(np.arange(people), lengths)


def left_out(values, users):
    """The jackknife in plain Python: the mean without each person, its error and the degrees of freedom."""
    means = [values[users != u].mean() for u in np.unique(users)]
    moves = [m - values.mean() for m in means]
    people = len(moves)
    squares, fourths = sum(d**2 for d in moves), sum(d**4 for d in moves)
    freedom = 2 * squares**2 / (fourths - squares**2 / people)
    return moves, math.sqrt((people - 1) / people * squares), min(max(freedom, 1), people - 1)


def test_the_jackknife_equals_leaving_each_person_out():
    values, users = world(np.random.default_rng(0), 30)
    moves, error, freedom = left_out(values, users)
    found = Buckets.of([values], users).jackknife()
    np.testing.assert_allclose(np.sort(found.parts[:, 0]), np.sort(moves), rtol=1e-9)
    assert (found.error[0], found.freedom[0]) == pytest.approx((error, freedom), rel=1e-9)

    low, high = mean_interval(values, users)
    value, reach = values.mean(), t.ppf(0.975, freedom) * error
    turn = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    middle, reach = math.log(value / (1 - value)), reach / (value * (1 - value))
    assert (low, high) == pytest.approx((turn(middle - reach), turn(middle + reach)), rel=1e-9)
    assert mean_interval(10 * values, users) == pytest.approx(10 * values.mean() + np.array([-1, 1]) * t.ppf(0.975, freedom) * 10 * error)


@pytest.mark.parametrize(("people", "mean", "within"), [(100, 0.2, (0.93, 0.97)), (300, 0.05, (0.93, 0.97))])
def test_the_interval_covers_the_truth_19_times_of_20(people, mean, within):
    """1,000 worlds, of which two standard deviations are 1.4 points; more of them in benchmarks.quality.verdicts."""
    rng = np.random.default_rng(people)
    ends = [mean_interval(*world(rng, people, mean)) for _ in range(1000)]
    covered = np.mean([low <= mean <= high for low, high in ends])
    assert within[0] - 0.014 <= covered <= within[1] + 0.014


def test_queries_taken_as_independent_cover_too_little():
    """Or the test above proves nothing."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        values, _ = world(rng, 100)
        covered += 0.2 in _Within(mean_interval(values, np.full(len(values), -1)))
    assert covered / 400 < 0.9


class _Within(tuple):
    def __contains__(self, value):
        return self[0] <= value <= self[1]


def test_one_person_with_half_of_all_queries_makes_it_wide_and_not_wrong():
    rng = np.random.default_rng(2)
    covered, widths = 0, []
    for _ in range(400):
        values, users = world(rng, 200)
        mine = np.repeat(rng.beta(1, 2) * 0.6, len(values))  # about the mean of the others, .2
        low, high = mean_interval(np.concatenate([values, mine]), np.concatenate([users, np.full(len(mine), 200)]))
        covered += 0.2 in _Within((low, high))
        widths.append(high - low)
    assert covered / 400 >= 0.92
    assert np.median(widths) > 0.2, "a tenth of that without this person"


def test_where_nobody_has_a_hit_the_interval_says_how_many_could():
    low, high = mean_interval(np.zeros(300), np.arange(300))
    assert (low, high) == (0, pytest.approx(beta.ppf(0.975, 1, 300), rel=0.02))  # 300 people are in 296 buckets
    assert mean_interval(np.ones(300), np.arange(300)) == pytest.approx((1 - high, 1))
    assert mean_interval(np.full(30, 0.25), np.arange(30)) == pytest.approx((0.25, 0.25))
    assert np.isnan(mean_interval(np.full(30, 0.25), np.zeros(30, int))).all()
    assert np.isnan(mean_interval(np.full(30, np.nan), np.arange(30))).all()


def test_the_doubt_of_seeds_widens_it():
    values, users = world(np.random.default_rng(3), 200)
    plain = mean_interval(10 * values, users)
    wide = intervals_of([10 * values], users, 0.95, [0.4**2])[0]
    _, error, freedom = left_out(10 * values, users)
    assert np.diff(wide) == pytest.approx(2 * t.ppf(0.975, freedom) * math.hypot(error, 0.4), rel=1e-2)
    assert np.diff(wide) > np.diff(plain)


def test_many_users_share_buckets_and_the_width_stays_right():
    """60,000 people in 16,384 buckets against the delta-method error of the ratio, which knows no buckets."""
    values, users = world(np.random.default_rng(4), 60_000)
    sums, counts = np.bincount(users, values), np.bincount(users)
    error = math.sqrt(((sums - values.mean() * counts) ** 2).sum()) / len(values)
    assert np.diff(mean_interval(values, users)) == pytest.approx(2 * 1.96 * error, rel=0.03)
    assert len(np.unique(users)) > 3 * BUCKETS


def test_value_is_the_mean_over_queries_and_nan_says_nothing():
    values = np.array([[1.0, np.nan], [0.0, 0.5], [np.nan, np.nan], [0.5, 0.1]])
    np.testing.assert_allclose(Buckets.of(values.T, np.array([0, 0, 1, 2])).value, [0.5, 0.3])
    assert np.isnan(Buckets.of(np.full((1, 3), np.nan), np.arange(3)).value).all()


def test_shards_add_up_to_the_whole_in_any_order():
    values, users = world(np.random.default_rng(5), 500)
    columns = np.stack([values, values**2])
    whole = Buckets.of(columns, users).jackknife()
    cuts = np.searchsorted(users, [0, 100, 350, 500])
    parts = [Buckets.of(columns[:, a:b], users[a:b]) for a, b in pairwise(cuts)]
    shuffled = np.random.default_rng(6).permutation(len(users))
    for other in (parts[2] + parts[0] + parts[1], Buckets.of(columns[:, shuffled], users[shuffled])):
        np.testing.assert_allclose(other.jackknife().error, whole.error, rtol=1e-9)
        np.testing.assert_allclose(other.jackknife().freedom, whole.freedom, rtol=1e-9)


def test_unknown_visitors_are_people_of_their_own():
    values = np.random.default_rng(0).random(300)
    assert np.diff(mean_interval(values, np.full(300, -1))) == pytest.approx(np.diff(mean_interval(values, np.arange(300))), rel=0.05)
    assert np.isnan(mean_interval(values, np.full(300, 5))).all()
    assert persons_of(np.array([-1, 5, -1, 2])).tolist() == [2, 1, 3, 0]


def test_people_hits_and_the_mean_over_people():
    """One person asks half of the queries."""
    column = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.5, np.nan, 0.0])
    found = People.of(column, persons_of(np.array([9, 9, 9, 9, 3, 3, 4, 7])))
    assert found == (3, 2, pytest.approx((1 + 0.25 + 0) / 3))
    assert TRUSTED == 50


def test_the_former_name_works_and_says_the_new_one():
    values, users = np.random.default_rng(0).random(50), np.arange(50)
    with pytest.warns(FutureWarning, match="mean_interval"):
        former = vt.evaluate.bootstrap_interval
    assert former(values, users, vt.Bootstrap(confidence=0.8)) == vt.evaluate.mean_interval(values, users, 0.8)
