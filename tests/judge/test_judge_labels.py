"""Drift over periods, and labels as gains."""

import numpy as np
import polars as pl
import pytest
from scripted_judges import Scripted
from sklearn.isotonic import IsotonicRegression

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.judge import Judge, Judgements, Scale, calibrate, distil, drift
from vitrina.judge.distil import _rising

SCALE = Scale(grades=("no", "partly", "yes"))


def period(seed, changed=0.0, name="judge", queries=60):
    base = np.random.default_rng(0).integers(0, 3, queries * 3)
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(len(base)) < changed, np.minimum(base + 1, 2), base)
    rows = pl.DataFrame({"query": [f"q{n // 3}" for n in range(len(base))], "item": [f"i{n}" for n in range(len(base))], "label": label})
    return Judgements.of_labels(rows, SCALE, name)


def test_drift_is_seen_and_quiet_weeks_are_quiet():
    weeks = [("week 1", period(1)), ("week 2", period(2, 0.01)), ("week 3", period(3, 0.25))]
    found = drift(weeks)
    assert found.table["verdict"].to_list() == ["as before", "drift"]
    assert found.alarm
    assert "calibrate the judge again" in found.sentences[1]
    assert not drift(weeks[:2]).alarm
    other = drift([weeks[0], ("week 4", period(4, name="another"))])
    assert other.table["verdict"].to_list() == ["another judge"]
    with pytest.raises(DataError, match="two periods"):
        drift(weeks[:1])


def test_false_alarms_are_rare_when_labels_change_both_ways():
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        periods = []
        for week in range(5):
            rows = period(0).table
            flip = np.where(rng.random(len(rows)) < 0.015, rng.integers(0, 3, len(rows)), rows["label"].to_numpy())
            periods.append((f"week {week}", Judgements.of_labels(rows.with_columns(label=pl.Series(flip)), SCALE, "judge")))
        alarms += "drift" in drift(periods).table["verdict"]
    assert alarms / 100 <= 0.09


def test_gains_are_what_people_make_of_a_label():
    rng = np.random.default_rng(1)
    people = rng.integers(0, 3, 600)
    generous = np.where(rng.random(600) < 0.4, np.minimum(people + 1, 2), people)
    rows = pl.DataFrame({"query": [f"q{n // 6}" for n in range(600)], "item": [f"i{n}" for n in range(600)], "label": generous})
    judged = Judgements.of_labels(rows, SCALE, "generous")
    told = calibrate(judged, rows.with_columns(label=pl.Series(people)))
    found = distil(judged, told, gains=(0.0, 1.0, 3.0))
    for grade in range(3):
        plain = np.array([0.0, 1, 3])[people[generous == grade]].mean()
        assert found.worth["gain"][grade] == pytest.approx(plain, abs=0.03)
    assert found.worth["gain"][2] < 2.6
    assert found.table["gain"].to_list() == [found.worth["gain"][g] for g in generous.tolist()]
    assert distil(judged).table["gain"].to_list() == generous.tolist()
    split = vt.split.judged(found.table, None, found.table["item"])
    assert split.grades.gains == pytest.approx(found.table["gain"].to_numpy())
    with pytest.raises(DataError, match="calibrate the judge that labelled"):
        distil(Judgements.of_labels(rows, SCALE, "another"), told)


def test_gains_never_fall():
    rng = np.random.default_rng(2)
    for _ in range(50):
        values, weights = rng.random(6), rng.random(6) + 0.1
        expected = IsotonicRegression().fit(np.arange(6), values, sample_weight=weights).predict(np.arange(6))
        assert _rising(values, weights) == pytest.approx(expected)


def test_unjudged_rows_are_no_labels():
    def half(parts, _):
        return {"label": 2 if "a" in parts["item"] else 0}

    items = pl.DataFrame({"query": ["q", "q"], "item": ["x", "y"], "text": ["a", "b"]})
    judged = Judge(criteria="c", scale=SCALE, model=Scripted(half)).judge(items, progress=False)
    assert distil(judged).table["gain"].to_list() == [2.0, 0.0]
