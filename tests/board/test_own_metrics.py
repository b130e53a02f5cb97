"""Metrics of one's own on a board: they rank, tune, and are read by their own words and direction everywhere."""

import json

import numpy as np
import polars as pl
import pytest
import rogues
from own_metrics import Distinct, Misses, Nameless

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.board.sections import render
from vitrina.evaluate import evaluate
from vitrina.testing import check_metric

MODELS = {"popular": vt.Popularity(), "search": vt.tune(rogues.Fickle, way=["bad", "good"]), "chance": vt.RandomItems()}


@pytest.fixture(scope="module")
def split():
    return vt.testing.synthetic(users=150, items=40, text=False).split(vt.split.GlobalTime(quantile=0.8, repeat=True))


def compared(models, split, primary="Misses@5"):
    return vt.compare(models, split, metrics=[Misses(), "nDCG@5", Distinct()], primary=primary, k=5, baselines=False, progress=False)


@pytest.fixture
def board(split, one_process):
    return compared(MODELS, split)


def test_they_keep_the_laws():
    assert set(check_metric(Misses()).skipped) == {"merged"}
    assert "merged" in check_metric(Distinct()).kept


def test_the_fewest_misses_lead_and_the_numbers_are_those_of_the_metric(board, split):
    values = dict(board.numbers.filter(pl.col("metric") == "Misses@5").select("model", "value").iter_rows())
    assert [e.name for e in board.entries] == sorted(values, key=lambda n: values[n])
    assert values["popular"] < values["chance"]
    lists = vt.Popularity().fit(split.train).recommend(split.queries, 5, eligible=split.eligible)
    hits = [len(set(lists.items[q].tolist()) & set(split.truth[q].tolist())) for q in range(len(split.queries))]
    assert values["popular"] == pytest.approx(5 - np.mean(hits))
    assert evaluate(lists, split, [Distinct()])["Distinct"] == len(np.unique(lists.items))


def test_a_search_in_another_process_takes_the_trial_with_the_fewest_misses(split):
    board = compared({"search": MODELS["search"]}, split, primary=Misses())
    assert board.primary == "Misses@5"
    assert board.entry("search").config["way"] == "good"
    assert board.trials["value"].min() == board.trials.filter(pl.col("config").str.contains("good"))["value"].item()


def test_verdicts_and_sentences_know_that_less_is_better(board):
    verdicts = dict(board.comparisons.filter(pl.col("metric") == "Misses@5").select("model", "verdict").iter_rows())
    assert verdicts["popular"].startswith("better by")
    assert "better than" in board.headline[0]
    assert board.baseline == "chance"  # the weakest, as there is no baseline of Vitrina's


def test_the_page_reads_the_metrics_own_words(board):
    page = render(board)
    assert "How many of the first places hold nothing that the person took. Lower is better." in page
    assert "How many different items the lists hold." in page
    assert "Distinct against Misses@5" in page
    assert "is ahead in both" in page or "not beaten in both" in page


def test_the_board_says_what_its_metrics_are(board):
    plain = json.loads(json.dumps(board.to_dict(), allow_nan=False, default=str))
    assert [(m["name"], m["k"], m["lower_is_better"], m["needs"]) for m in plain["metrics"]] == [
        ("Misses@5", 5, True, ["truth"]), ("nDCG@5", 5, False, ["truth"]), ("Distinct", 0, False, []),
    ]  # fmt: skip


def test_what_no_board_can_read_is_refused_before_anything_is_fitted(split, monkeypatch):
    monkeypatch.setattr("vitrina.board.compare.run_all", lambda *a: pytest.fail("a model was fitted"))
    for metrics, error, sentence in (
        ([Nameless()], ParameterError, "no attribute 'name'. Write in its class"),
        ([Misses(), Misses()], ParameterError, "named twice"),
        (["ILD@5"], DataError, "ILD@5 needs a vector"),
    ):
        with pytest.raises(error, match=sentence):
            vt.compare(MODELS, split, metrics=metrics, primary="nDCG@5")
    with pytest.raises(ParameterError, match="one number of all lists"):
        vt.compare(MODELS, split, metrics=[Misses()], primary=Distinct())
    with pytest.raises(ParameterError, match="can't be judged by ILD@5"):
        vt.compare(MODELS, split, metrics=[Misses()], primary="ILD@5", vectors=np.ones((40, 2)))


def test_a_diagnosis_by_a_metric_of_ones_own_calls_fewer_misses_help():
    data = vt.testing.synthetic(users=120, items=30)
    by_hits, by_misses = (vt.diagnose(data, metric=m) for m in ("Precision@5", Misses()))
    helps = [[(e.variant, e.gain > 0) for e in found.effects if e.difference] for found in (by_hits, by_misses)]
    assert helps[0] == helps[1]
    assert [f.answer for f in by_hits.findings] == [f.answer for f in by_misses.findings]
    assert "Misses@5" in by_misses.html()
