"""Choosing a clip, and a bound that needs no normal distribution."""

import re

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError
from vitrina.policy import DM, DR, IPS, SNIPS, Always, DecisionLog, DRos, bernstein_bound, slope


def a_log(n=3000, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    chance = np.where(rng.random(n) < 0.1, 0.02, 0.5)
    arm = (rng.random(n) < chance).astype(int)
    table = pl.DataFrame({"arm": np.array(["a", "b"])[arm], "r": scale * (rng.random(n) < 0.2 + 0.3 * arm), "pa": 1 - chance, "pb": chance})
    return DecisionLog.of_frame(table, action="arm", reward="r", propensity={"a": "pa", "b": "pb"})


def by_hand(found):
    """The rule, on values and half widths that are given, widest first."""
    kept = []
    for value, half in found:
        if any(abs(other - value) > half + (np.sqrt(6) - 1) * wide for other, wide in kept):
            break
        kept.append((value, half))
    return len(kept)


def test_the_rule():
    chosen = set()
    for seed in range(20):
        log = a_log(100 * 2 ** (seed % 8), seed)
        candidates = [IPS(clip=c) for c in (1.0, 2.0, 3.0, 10.0, 100.0)]
        found = slope(log, Always("b"), candidates)
        assert found.table["half"].to_list() == sorted(found.table["half"], reverse=True)
        kept = by_hand(found.table.select("value", "half").rows())
        assert found.table["kept"].to_list() == [True] * kept + [False] * (len(candidates) - kept)
        assert repr(found.estimator) == found.table["estimator"][kept - 1]
        chosen.add(repr(found.estimator))
    assert len(chosen) > 1


def test_a_good_model_is_believed_and_a_bad_one_isnt():
    log = a_log(20000)
    candidates = [DRos(shrinkage=s) for s in (0.0, 1.0, 100.0, 1e6)]
    good, bad = np.tile([0.2, 0.5], (len(log), 1)), np.tile([0.5, 0.2], (len(log), 1))
    assert slope(log, Always("b"), candidates, predictions=good).estimator == DRos(shrinkage=0.0)
    assert slope(log, Always("b"), candidates, predictions=bad).estimator != DRos(shrinkage=0.0)


def test_one_candidate_is_no_choice():
    with pytest.raises(ParameterError, match=r"two candidates or more\. Got 1"):
        slope(a_log(), Always("b"), [IPS()])
    with pytest.raises(ParameterError, match="needs predictions"):
        slope(a_log(), Always("b"), [DM(), DR()])


def test_bound_by_the_formula():
    log = a_log()
    w, r, n = (log.actions == 1) / log.propensity, log.reward(), len(log)
    x, doubt = np.minimum(w, 5.0) * r, np.log(2 / 0.05)
    wanted = x.mean() - 7 * 5.0 * doubt / (3 * (n - 1)) - np.sqrt(2 * doubt * x.var() / (n - 1))
    assert bernstein_bound(log, Always("b"), most=1.0, clip=5.0) == pytest.approx(wanted)
    widest = w * r
    wanted = widest.mean() - 7 * 50.0 * doubt / (3 * (n - 1)) - np.sqrt(2 * doubt * widest.var() / (n - 1))
    assert bernstein_bound(log, Always("b"), most=1.0) == pytest.approx(wanted)


def test_the_bound_holds():
    below = [bernstein_bound(a_log(1000, seed), Always("b"), most=1.0, clip=5.0, confidence=0.9) <= 0.5 for seed in range(100)]
    assert np.mean(below) >= 0.9


def test_what_a_bound_takes():
    log = a_log(scale=3.0)
    with pytest.raises(ParameterError, match=re.escape("A bound takes rewards from 0 to most=1. Got 3")):
        bernstein_bound(log, Always("b"), most=1.0)
    unknown = DecisionLog.of_frame(
        pl.DataFrame({"arm": ["a", "b"], "r": [0.0, 1.0], "p": [0.5, 0.5]}), action="arm", reward="r", propensity="p"
    )
    with pytest.raises(DataError, match="The largest weight isn't known"):
        bernstein_bound(unknown, Always("b"), most=1.0)
    assert np.isfinite(bernstein_bound(unknown, Always("b"), most=1.0, clip=2.0))
    assert SNIPS(clip=2.0).clip == 2.0
