import json
import math

import numpy as np
import pytest
import rogues

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board.tune import Range, is_range
from vitrina.evaluate.run import evaluate


def test_the_same_seed_draws_the_same_and_more_trials_only_append():
    search = vt.tune(vt.EASE, l2=Range(low=1, high=1000, log=True), max_items=[10, 20, None])
    assert search.candidates(8, seed=3) == search.candidates(8, seed=3)
    assert search.candidates(5, seed=3) == search.candidates(8, seed=3)[:5]
    assert search.candidates(8, seed=4) != search.candidates(8, seed=3)
    assert len(set(map(repr, search.candidates(8)))) == 8


def test_a_finite_space_is_tried_whole_and_once():
    search = vt.tune(vt.Popularity, by=["users", "events"], days=[1, 2, 3])
    assert search.size == 6
    tried = {(m.by, m.days) for m in search.candidates(100)}
    assert tried == {(by, days) for by in ("users", "events") for days in (1.0, 2.0, 3.0)}
    assert len(search.candidates(100)) == 6
    assert len({repr(m) for m in search.candidates(4)}) == 4


def test_values_that_mean_the_same_are_tried_once():
    assert len(vt.tune(vt.Popularity, days=[1, 1.0, 2]).candidates(10)) == 2


def test_a_range_is_drawn_evenly_in_its_scale_and_stays_inside():
    rng = np.random.default_rng(0)
    log = np.array([Range(low=1, high=10_000, log=True).draw(rng, whole=False) for _ in range(4000)])
    assert log.min() >= 1
    assert log.max() <= 10_000
    assert (log < 100).mean() == pytest.approx(0.5, abs=0.03)
    even = np.array([Range(low=0, high=1).draw(rng, whole=False) for _ in range(4000)])
    assert (even < 0.25).mean() == pytest.approx(0.25, abs=0.03)
    whole = [Range(low=1, high=3).draw(rng, whole=True) for _ in range(300)]
    assert set(whole) == {1, 2, 3}
    assert all(isinstance(v, int) for v in whole)


def test_a_parameter_of_whole_numbers_gets_whole_numbers_and_one_of_any_number_fractions():
    ease = vt.tune(vt.EASE, l2=Range(low=1, high=10)).candidates(10)
    assert any(m.l2 != math.floor(m.l2) for m in ease)
    kept = vt.tune(vt.EASE, max_items=Range(low=2, high=100)).candidates(10)
    assert all(isinstance(m.max_items, int) for m in kept)


def test_what_a_config_file_writes_is_what_code_writes():
    assert is_range({"low": 1, "high": 2, "log": True})
    assert not is_range({"name": "BM25"})
    assert vt.tune(vt.EASE, l2={"low": 1, "high": 9, "log": True}) == vt.tune(vt.EASE, l2=Range(low=1, high=9, log=True))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"l2": 5.0}, "has nothing to search"),
        ({"l2": []}, "has no values for 'l2'"),
        ({"l2": [1, -1]}, "'l2' parameter of EASE must be greater than 0"),
        ({"l2": Range(low=-3, high=5)}, "'l2' parameter of EASE must be greater than 0"),
        ({"l3": [1]}, "EASE has no parameter 'l3'"),
    ],
)
def test_a_wrong_space_is_told_before_anything_runs(parameters, sentence):
    with pytest.raises(ParameterError, match=sentence):
        vt.tune(vt.EASE, **parameters)


def test_a_wrong_range_is_told():
    with pytest.raises(ParameterError, match="low must be below high"):
        Range(low=2, high=1)
    with pytest.raises(ParameterError, match="begin above 0"):
        Range(low=0, high=1, log=True)


def test_the_best_on_validation_wins_and_trials_that_fail_or_die_do_not_end_the_search(tmp_path, monkeypatch):
    split = vt.testing.synthetic(users=150, items=40).split(vt.split.GlobalTime(quantile=0.8))
    search = vt.tune(rogues.Fickle, way=["bad", "dies", "good", "raises"])

    def compare():
        return vt.compare(
            {"fickle": search}, split, primary="nDCG@10", metrics=["nDCG@10"], baselines=False, cache=tmp_path, progress=False
        )

    board = compare()
    values = {json.loads(t["config"])["way"]: t["value"] for t in board.trials.to_dicts()}
    assert values["dies"] is None
    assert values["raises"] is None
    validation = split.train.holdout()
    for way in ("good", "bad"):
        lists = rogues.Fickle(way=way).fit(validation.train).recommend(validation.queries, 10, eligible=validation.eligible)
        assert values[way] == evaluate(lists, validation, ["nDCG@10"])["nDCG@10"]
    assert values["good"] > values["bad"]
    entry = board.entry("fickle")
    assert entry.config == {"class": "rogues:Fickle", "way": "good"}
    assert entry.trials == 4
    assert "20 trials for each search" in board.settings["tuning_budget"]
    tested = vt.Popularity().fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
    assert board.numbers["value"][0] == evaluate(tested, split, ["nDCG@10"])["nDCG@10"]  # fitted again on the whole training part

    monkeypatch.setattr("vitrina.jobs.processes.run_job", lambda *a, **k: pytest.fail("a process was started"))
    assert compare().trials.equals(board.trials)


@pytest.mark.usefixtures("one_process")
def test_the_seconds_end_a_search_and_a_search_without_a_value_has_a_row():
    split = vt.testing.synthetic(users=60, items=20).split(vt.split.GlobalTime(quantile=0.8))
    models = {"timed": vt.tune(vt.Popularity, half_life=Range(low=1, high=99)), "broken": vt.tune(rogues.Fickle, way=["raises"])}
    board = vt.compare(models, split, metrics=["nDCG@10"], baselines=False, budget=vt.Budget(seconds=1e-9, workers=2))
    assert board.trials.filter(model="timed").height == 1
    broken = board.entry("broken")
    assert (broken.status, broken.trials) == ("failed", 1)
    assert "not this way" in broken.error
    assert "1000 trials or 1e-09 seconds" in board.settings["tuning_budget"]


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("rule", [vt.split.GlobalTime(days=10, repeat=True), vt.split.LeaveOneOut(repeat=True)], ids=str)
def test_a_validation_part_of_the_split_is_what_searches_are_judged_on_and_fits_stop_by(rule, tmp_path):
    data = vt.testing.synthetic(users=80, items=30)
    usual, strict = data.split(rule), data.split(rule.model_copy(update={"strict": True}))

    def compare(split):
        models = {"searched": vt.tune(rogues.Tells, days=[2, 30]), "fixed": rogues.Tells(days=5)}
        return vt.compare(models, split, metrics=["nDCG@10"], baselines=False, progress=False, cache=tmp_path)

    before, board = compare(usual), compare(strict)
    holdout = usual.train.holdout()
    told = f"learned {holdout.train.n_events} events, stopped by {len(holdout.queries)} queries"
    assert all(e.notes[0] == told for e in board.entries)
    assert all(e.notes[0] == f"learned {usual.train.n_events} events, stopped by nothing" for e in before.entries)
    assert board.trials.equals(before.trials)  # judged on the same part, after a fit on the same events
    winner = vt.Popularity(days=dict(board.entry("searched").config)["days"])
    tested = winner.fit(holdout.train).recommend(usual.queries, 10, eligible=usual.eligible)
    assert board.numbers.filter(model="searched")["value"][0] == evaluate(tested, usual, ["nDCG@10"])["nDCG@10"]
