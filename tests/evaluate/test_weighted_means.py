"""Means and differences of queries that aren't worth the same."""

from __future__ import annotations

import numpy as np
import pytest

from vitrina.base.errors import ParameterError
from vitrina.evaluate import compare_paired, mean_interval


def test_a_weight_is_so_many_copies_of_the_query() -> None:
    rng = np.random.default_rng(0)
    users, weights = rng.integers(0, 60, 200), rng.integers(0, 4, 200)
    models = {"a": rng.normal(1, 1, 200), "b": rng.normal(0.7, 1, 200)}
    copies = np.repeat(np.arange(200), weights)
    weighted = compare_paired(models, "b", users, weights=weights.astype(float))
    copied = compare_paired({name: values[copies] for name, values in models.items()}, "b", users[copies])
    for column in weighted.columns:
        assert weighted[column].item() == (pytest.approx(copied[column].item()) if column != "verdict" else copied[column].item())
    assert mean_interval(models["a"], users, weights=weights.astype(float)) == pytest.approx(
        mean_interval(models["a"][copies], users[copies])
    )


def test_the_interval_of_a_weighted_mean_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        weights = rng.lognormal(0, 1, 300)
        values = rng.normal(0.2 * np.log(weights), 1.0)  # what is worth more has a higher value: E[w x] / E[w] = .2
        low, high = mean_interval(values, np.arange(300), weights=weights)
        held.append(low <= 0.2 <= high)
    assert 0.91 < np.mean(held) < 0.98


def test_weights_that_are_none_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"one for each of the 3 values. Got the shape \(2,\)"):
        mean_interval(np.ones(3), np.arange(3), weights=np.ones(2))
    with pytest.raises(ParameterError, match="from 0 up"):
        compare_paired({"a": np.ones(3), "b": np.ones(3)}, "a", np.arange(3), weights=np.array([1.0, -1.0, 1.0]))
