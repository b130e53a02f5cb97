"""Folds in time and fits by seed: one board of several is what the boards of each say together."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

import vitrina as vt

pytestmark = pytest.mark.usefixtures("one_process")
METRICS = ["nDCG@5", "Coverage@5", "HitRate@5", "MIUF@5"]
MODELS = {"popular": vt.Popularity(), "recent": vt.Popularity(days=7), "chance": vt.RandomItems(seed=3)}
JOB = {"metrics": METRICS, "primary": "nDCG@5", "k": 5, "baselines": False, "baseline": "popular", "progress": False}


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=150, items=40)


@pytest.fixture(scope="module")
def folds(data):
    return vt.split.rolling(data, vt.split.GlobalTime(days=10, repeat=True), folds=3)


def test_a_board_of_folds_is_what_the_boards_of_each_fold_say_together(folds):
    board = vt.compare(MODELS, folds, **JOB)
    alone = [vt.compare(MODELS, fold, **JOB) for fold in folds]
    for model in MODELS:
        pooled = pl.concat(b.per_query.filter(pl.col("model") == model) for b in alone)
        whole = board.per_query.filter(pl.col("model") == model)
        assert whole.drop("query").equals(pooled.drop("query"))
        assert whole["query"].to_list() == list(range(len(pooled)))
        values = dict(board.numbers.filter(pl.col("model") == model).select("metric", "value").iter_rows())
        for metric in ("nDCG@5", "HitRate@5", "MIUF@5"):
            assert values[metric] == pytest.approx(pooled[metric].mean(), abs=1e-12)
        of_table = [b.numbers.filter(model=model, metric="Coverage@5")["value"].item() for b in alone]
        assert values["Coverage@5"] == pytest.approx(np.mean(of_table))
        of_folds = board.folds.filter(pl.col("model") == model)
        by_itself = [b.numbers.filter(model=model, metric="nDCG@5")["value"].item() for b in alone]
        assert of_folds["value"].to_list() == pytest.approx(by_itself, abs=1e-12)
        assert of_folds["queries"].to_list() == [len(fold.queries) for fold in folds]
    assert board.slices.filter(slice="history", model="popular", metric="nDCG@5")["queries"].sum() == len(pooled)
    for earlier, later in pairwise(board.folds.filter(model="popular").iter_rows(named=True)):
        assert earlier["from"] < earlier["to"] <= later["from"]
