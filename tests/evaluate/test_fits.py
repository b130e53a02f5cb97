"""The doubt of seeds: against its formula by hand, and the truth is inside the intervals as often as they say."""

import numpy as np
import pytest
from scipy.stats import norm, t

from vitrina.evaluate.fits import variance_of_fits
from vitrina.evaluate.run import summarise


def by_hand(values, users, confidence):
    """Person by person, who is left out: the jackknife's variance of a mean of clusters."""
    fits, queries = values.shape
    means = [sum(one) / queries for one in values]
    mean = sum(means) / fits
    spread = sum((m - mean) ** 2 for m in means) / (fits - 1)
    of_people = 0.0
    for one, of_one in zip(values, means, strict=True):
        apart, people = one - values.mean(axis=0), set(users.tolist())
        moves = [apart[users != person].mean() - (of_one - mean) for person in people]
        of_people += (len(people) - 1) / len(people) * sum(d**2 for d in moves) / (fits - 1)
    inflated = (t.ppf((1 + confidence) / 2, fits - 1) / norm.ppf((1 + confidence) / 2)) ** 2
    return inflated * max(spread - of_people, 0.0) / fits


@pytest.mark.parametrize(("fits", "confidence"), [(2, 0.95), (3, 0.9), (5, 0.95)])
def test_against_the_formula_by_hand(fits, confidence):
    rng = np.random.default_rng(fits)
    users = np.sort(rng.integers(0, 12, 40))
    values = rng.random(40) + rng.normal(0, 0.3, (fits, 1)) + rng.normal(0, 0.1, (fits, 40))
    assert variance_of_fits(values, users, confidence) == pytest.approx(by_hand(values, users, confidence))
    assert variance_of_fits(values[:1], users) == 0
    assert variance_of_fits(np.repeat(values[:1], 3, axis=0), users) == 0


def test_the_truth_is_inside_as_often_as_the_interval_says():
    """200 people; the seed moves all by as much as people leave in doubt, and each person by as much again. benchmarks have the large table."""
    rng, users, inside = np.random.default_rng(0), np.arange(200), []
    for _ in range(300):
        values = 3 + rng.normal(0, 1, 200) + 0.1 * rng.normal(0, 1, (3, 1)) + rng.normal(0, 1, (3, 200))
        more = {"m": variance_of_fits(values, users)}
        found = summarise({"m": values.mean(axis=0)}, users, more=more)["m"]
        inside.append(found.low < 3 < found.high)
    assert 0.925 < np.mean(inside) < 0.985
