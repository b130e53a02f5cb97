"""Drift of features by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vitrina.ranking import drift, statistics


def by_hand(then, now, edges):
    """The index of two lists with None for what is missing, over the bins of the edges."""

    def shares(values):
        known = [v for v in values if not math.isnan(v)]
        bins = [sum(1 for v in known if sum(v >= e for e in edges) == b) for b in range(len(edges) + 1)]
        return [count / len(values) for count in [*bins, len(values) - len(known)]]

    pairs = [(max(a, 1e-4), max(b, 1e-4)) for a, b in zip(shares(then), shares(now), strict=True)]
    return sum((b - a) * math.log(b / a) for a, b in pairs)


@pytest.mark.parametrize("seed", range(20))
def test_drift_by_hand(seed):
    rng = np.random.default_rng(seed)
    then, now = rng.integers(0, 6, 80).astype(np.float32), rng.integers(1, 9, 50).astype(np.float32)
    then[rng.random(80) < 0.1], now[rng.random(50) < 0.3] = np.nan, np.nan
    kept = statistics(["a", "b"], np.stack([then, then * 0], axis=1))
    table = drift(kept, ["b", "a"], np.stack([now * 0, now], axis=1))
    row = next(row for row in table.iter_rows(named=True) if row["feature"] == "a")
    assert row["drift"] == pytest.approx(by_hand(then.tolist(), now.tolist(), kept["edges"][0].to_list()), rel=1e-6)
    assert row["missing_now"] == pytest.approx(np.isnan(now).mean())
    assert row["mean_then"] == pytest.approx(np.nanmean(then))
    assert table["feature"].to_list() == ["a", "b"]  # the furthest first


def test_what_stays_has_no_drift_and_what_is_gone_has_much():
    values = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    gone = values.copy()
    gone[:, 1] = np.nan
    table = drift(statistics(["stays", "goes"], values), ["stays", "goes"], gone)
    assert table["feature"].to_list() == ["goes", "stays"]
    assert table["drift"][0] > 5
    assert table["drift"][1] == 0


def test_without_pairs_nothing_is_known():
    empty = statistics(["a"], np.empty((0, 1), np.float32))
    assert empty["mean"].to_list() == [None]
    assert drift(empty, ["a"], np.empty((0, 1), np.float32))["mean_now"].to_list() == [None]
    assert drift(empty, ["b"], np.empty((0, 1), np.float32)).height == 0
