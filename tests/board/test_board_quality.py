"""The quality of a comparison out of what its board holds, and out of what is found out beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board.quality import epochs, values_of
from vitrina.evaluate.fits import spread_of_fits
from vitrina.evaluate.run import evaluate

pytestmark = pytest.mark.usefixtures("one_process")
METRICS = ["nDCG@10", "HitRate@1", "Coverage@10", "MIUF@10"]


@pytest.fixture(scope="module")
def folds() -> list[vt.split.Split]:
    data = vt.testing.synthetic(users=300, items=40, seed=3)
    return vt.split.rolling(data, vt.split.GlobalTime(days=8), 2)


def compare(models: dict[str, object], split: object, **more: object) -> vt.Board:
    return vt.compare(models, split, baselines=False, metrics=METRICS, progress=False, examples=0, **more)


def test_a_board_gives_its_values_folds_and_seeds(folds: list[vt.split.Split]) -> None:
    board = compare({"popular": vt.Popularity(), "random": vt.RandomItems(seed=5)}, folds, budget=vt.Budget(fits=3))
    first, second = values_of(board)
    assert (first.metric, second.metric) == ("nDCG@10", "HitRate@1")
    fits = [
        np.concatenate([
            evaluate(vt.RandomItems(seed=seed).fit(fold.train).recommend(fold.queries, 10, eligible=fold.eligible), fold, ["nDCG@10"]).per_query["nDCG@10"].to_numpy()
            for fold in folds
        ])
        for seed in (5, 6, 7)
    ]  # fmt: skip
    assert np.allclose(first.values["random"], np.mean(fits, axis=0))
    assert first.spreads["random"] == pytest.approx(spread_of_fits(np.stack(fits), first.users))
    assert "popular" not in first.spreads
    assert np.bincount(first.folds).tolist() == [0, *(len(fold.queries) for fold in folds)]
    found = board.quality()
    assert found.row("nDCG@10")["freedom"] == 2
    assert found.of("folds").filter(pl.col("metric") == "nDCG@10").height == 1
    assert found.rule == board.protocol.rule
    assert set(found.table["metric"]) == {"nDCG@10", "HitRate@1"}  # Coverage is one number of all lists, MIUF says nothing of what is right


def test_one_model_has_no_order_and_a_failed_one_takes_no_part(folds: list[vt.split.Split]) -> None:
    with pytest.raises(ParameterError, match=r"two models or more that have answered.*there is one: popular"):
        compare({"popular": vt.Popularity()}, folds[-1]).quality()


def test_epochs_of_networks_and_of_members_are_curves(folds: list[vt.split.Split]) -> None:
    board = compare({"popular": vt.Popularity(), "random": vt.RandomItems()}, folds[-1])
    table = pl.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "metric": ["nDCG@10"] * 3, "value": [0.1, 0.3, 0.2]})
    board = replace(board, tables={"a": {"epochs": table}, "blend": {"SequenceModel: epochs": table, "SequenceModel: other": table}})
    curves, metric = epochs(board)
    assert (list(curves), metric) == (["a", "blend, SequenceModel"], "nDCG@10")
    assert board.quality().monotonicity["spearman"].to_list() == [0.5, 0.5]
