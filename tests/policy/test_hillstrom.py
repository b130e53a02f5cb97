"""The e-mail trial of MineThatData: published means, effects and errors to all their digits, and no measurable gain of a learned policy."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from vitrina.policy import Always, DecisionLog, Plugin, Ridge, evaluate, fit_policy

FILE = Path(os.environ.get("VITRINA_DATA", Path(__file__).parents[3] / "shared" / "data")) / "hillstrom" / "customers.parquet"
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
MEANS = {"visit": (0.106167, 0.182757, 0.151400), "conversion": (0.005726, 0.012531, 0.008837), "spend": (0.652789, 1.422617, 1.077202)}
EFFECTS = {"visit": (0.07659, 0.04523), "conversion": (0.006805, 0.003111), "spend": (0.7698, 0.4244)}
ERRORS = {"visit": (0.00339, 0.00323), "conversion": (0.000921, 0.000823), "spend": (0.1452, 0.1303)}


@pytest.fixture(scope="module")
def log():
    if not FILE.exists():
        pytest.skip("Hillstrom is not here: set VITRINA_DATA to a folder that holds it")
    features = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel", "history_segment"]
    return DecisionLog.of_frame(
        pl.read_parquet(FILE), action="segment", reward=list(MEANS), propensity=dict.fromkeys(ARMS, 1 / 3), features=features, arms=ARMS
    )


def test_means_effects_and_errors_to_all_digits(log):
    table = evaluate(log, {arm: Always(arm) for arm in ARMS}, force=True).table.filter(estimator="SNIPS")
    for reward, means in MEANS.items():
        rows = table.filter(reward=reward)
        assert np.allclose(rows["value"], means, atol=5.1e-7)
        assert np.allclose(rows["difference"][1:], EFFECTS[reward], rtol=0, atol=5.1e-5 if reward == "spend" else 5.1e-6)
        assert np.allclose(rows["difference_error"][1:], ERRORS[reward], rtol=0, atol=5.1e-5 if reward == "spend" else 5.1e-6)


def test_a_rule_of_thumb_is_worth_what_was_published(log):
    rule = np.where(log.units.features["mens"].to_numpy() == 1, 1, 2)
    table = evaluate(log, {"rule": rule}, reward="spend", force=True).table
    assert table.filter(estimator="IPS")["value"].item() == pytest.approx(1.43216, abs=5e-6)
    snips = table.filter(estimator="SNIPS")
    assert snips["value"].item() == pytest.approx(1.42863, abs=5e-6)
    assert snips["error"].item() == pytest.approx(0.120, abs=2e-3)


def test_the_learned_policy_is_no_measurable_gain_though_its_model_claims_one(log):
    learned = fit_policy(log, Plugin(model=Ridge(l2=0.0)), reward="spend", folds=2, seed=0)
    table = learned.values.table
    claimed, honest = (table.filter(estimator=by, policy="Plugin").row(0, named=True) for by in ("DM", "DR"))
    assert abs(honest["value"] - 1.434) < 0.122
    assert honest["error"] == pytest.approx(0.122, abs=0.005)
    assert claimed["value"] > honest["value"] + 0.1
    paired = table.filter(estimator="DR", policy="Mens E-Mail to all").row(0, named=True)
    assert abs(paired["difference"]) < 0.098
    assert paired["difference_error"] == pytest.approx(0.098, abs=0.01)
    assert not learned.gains
    assert "no measurable gain" in learned.verdict
