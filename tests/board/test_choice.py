import polars as pl
import pytest
import rogues

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board.choice import choose_baseline
from vitrina.board.contenders import Outcome
from vitrina.board.result import Entry


def outcome(name, *on_validation, baseline=True):
    return Outcome(Entry(name, {"name": name}, baseline=baseline), trials=tuple({"value": v} for v in on_validation))


VALUES = {"mine": 0.9, "EASE": 0.3, "Popularity": 0.5}  # on the test part


def test_a_named_baseline_is_taken_and_must_have_lists():
    assert choose_baseline([outcome("EASE"), outcome("Popularity")], VALUES, "EASE") == ("EASE", "named")
    with pytest.raises(ParameterError, match="'KNN' has no lists"):
        choose_baseline([outcome("EASE")], VALUES, "KNN")


def test_the_strongest_on_validation_is_taken_where_all_baselines_have_a_value_there():
    outcomes = [outcome("mine", baseline=False), outcome("EASE", 0.4, None, 0.6, 0.6), outcome("Popularity", 0.5, 0.3)]
    assert choose_baseline(outcomes, VALUES, None) == ("EASE", "validation")
    assert choose_baseline(outcomes, VALUES, None, lower_is_better=True) == ("Popularity", "validation")  # 0.3 is before 0.4


def test_a_baseline_without_a_value_there_leaves_the_choice_to_the_test_part():
    outcomes = [outcome("mine", 0.9, baseline=False), outcome("EASE", 0.6), outcome("Popularity", None)]
    assert choose_baseline(outcomes, VALUES, None) == ("Popularity", "test")
    assert choose_baseline(outcomes, VALUES, None, lower_is_better=True) == ("EASE", "test")
    assert choose_baseline([*outcomes, outcome("failed", 0.8)], {"mine": 1, "EASE": 2}, None) == ("EASE", "validation")


def test_without_baselines_the_weakest_model_is_taken():
    models = [outcome("A", 0.4, baseline=False), outcome("B", 0.2, baseline=False)]
    assert choose_baseline(models, {"A": 0.1, "B": 0.3}, None) == ("B", "validation")
    assert choose_baseline([models[0], outcome("B", baseline=False)], {"A": 0.1, "B": 0.3}, None) == ("A", "test")


@pytest.mark.usefixtures("one_process")
def test_on_a_tuned_board_fixed_baselines_have_a_value_on_validation_too_and_the_board_says_what_tuning_took():
    split = vt.testing.synthetic(users=80, items=30).split(vt.split.GlobalTime(quantile=0.8, repeat=True))
    job = {"metrics": ["nDCG@10", "MIUF@10"], "progress": False, "budget": vt.Budget(trials=2)}
    board = vt.compare({"search": vt.tune(vt.TopPersonal, decay=[None, vt.decay.Exponential(days=9)]), "half": rogues.Half()}, split, **job)
    added = [e for e in board.entries if e.baseline]
    assert board.chosen == "validation"
    best = board.trials.filter(pl.col("model").is_in([e.name for e in added])).sort("value", descending=True)["model"][0]
    assert board.baseline == best
    for entry in board.entries:
        assert (entry.effort == "fixed") == (entry.trials == 1)
    assert board.entry("search").effort.startswith("2 trials, ")
    assert board.entry("Cooccurrence").tuning_seconds == 0
    assert board.entry("half").answered == pytest.approx(0.5, abs=0.02)
    assert board.entry("search").answered == board.entry("search").people_answered == 1
    fixed = vt.compare([vt.TopPersonal()], split, **job)
    assert fixed.chosen == "test"
    assert vt.compare([vt.TopPersonal()], split, baseline="TopPersonal", **job).chosen == "named"
    named = vt.compare({"search": vt.tune(vt.TopPersonal, decay=[None, vt.decay.Exponential(days=9)])}, split, baseline="search", **job)
    assert not {"Cooccurrence", "Popularity, all time"} & set(named.trials["model"])  # nothing is chosen there
