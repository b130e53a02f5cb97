"""A model with a re-ranker is a model: it keeps the contract, its lists go on below the candidates, and it has a name in a config file."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina import told
from vitrina.base.errors import ParameterError
from vitrina.cli.fit import _parameters_of_fit
from vitrina.cli.main import app
from vitrina.protocols import Recommender
from vitrina.testing import ByHash, KeepOrder, check_model
from vitrina.testing.laws import LAWS

DATA = vt.testing.synthetic(users=40, items=24, seed=3)
ALL = vt.Eligibility(repeat=True)
MODELS = [
    vt.Reranked(model=vt.Cooccurrence(), reranker=KeepOrder()),
    vt.Reranked(model=vt.TifuKNN(neighbours=5), reranker=ByHash(seed=2), candidates=4),
    vt.Reranked(model=vt.Reranked(model=vt.EASE(l2=20), reranker=ByHash(), candidates=6), reranker=ByHash(seed=1), candidates=3),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_it_keeps_the_laws_of_a_model(model):
    report = check_model(model)
    assert set(report.kept) | set(report.skipped) == set(LAWS)
    assert set(report.skipped) == {"score", "encode"}


def test_what_the_model_does_with_a_log_is_what_both_do():
    still = vt.sequence.Training(epochs=1, patience=None, learning_rate=1e-9)
    sequence = vt.SASRec(dim=8, training=vt.sequence.Training(epochs=1, patience=None))
    log = vt.testing.synthetic(users=15, items=10)
    both = vt.Reranked(model=sequence, reranker=KeepOrder())
    assert (both.reads_weights, both.reads_shards, both.takes_start) == (True, True, True)
    assert vt.Reranked(model=vt.EASE(), reranker=KeepOrder()).reads_shards
    fitted = both.fit(log)
    assert isinstance(fitted, Recommender)
    epochs: list[Any] = []
    both.fit(log, report=epochs.append)
    assert len(epochs) == 1
    assert {"report", "checkpoint"} <= set(_parameters_of_fit(vt.Reranked(model=both, reranker=KeepOrder())))
    other = vt.Reranked(model=vt.SASRec(dim=8, training=still), reranker=KeepOrder())
    for start in (fitted, fitted.recommender):
        np.testing.assert_allclose(other.fit(log, start=start).recommender.table, fitted.recommender.table, atol=1e-6)


def test_keeping_the_order_is_the_model():
    plain, both = (
        m.fit(DATA).recommend(DATA.queries(), 24) for m in (vt.Cooccurrence(), vt.Reranked(model=vt.Cooccurrence(), reranker=KeepOrder()))
    )
    assert np.array_equal(plain.items, both.items)
    np.testing.assert_array_equal(plain.scores, both.scores)
    np.testing.assert_array_equal(plain.scores, both.extra["relevance"])
    assert both.to_frame().columns == ["user_id", "rank", "item_id", "title", "score", "source", "relevance"]


@pytest.mark.parametrize("k", [3, 6, 24])
def test_a_list_is_the_ranked_candidates_and_then_the_models_order(k):
    plain = vt.Cooccurrence(neighbours=8).fit(DATA).recommend(DATA.queries(), 24, eligible=ALL)
    ranked = (
        vt.Reranked(model=vt.Cooccurrence(neighbours=8), reranker=ByHash(), candidates=6)
        .fit(DATA)
        .recommend(DATA.queries(), k, eligible=ALL)
    )
    numbers = ByHash().of_items(DATA)["numbers"]
    for row in range(len(plain)):
        head, scored = plain.items[row, :6], np.isfinite(plain.scores[row, :6])
        wanted = [*sorted(head[scored], key=lambda item: -numbers[item]), *head[~scored], *plain.items[row, 6:]][:k]
        assert ranked.items[row].tolist() == wanted
        said = dict(zip(plain.items[row].tolist(), plain.scores[row].tolist(), strict=True))
        np.testing.assert_array_equal(ranked.extra["relevance"][row], np.array([said[i] for i in wanted], np.float32))
        own = ranked.scores[row][np.isfinite(ranked.scores[row])]
        assert (np.diff(own) <= 0).all()
        assert np.array_equal(np.isnan(ranked.scores[row]), ranked.fallback[row])
    tail = np.isfinite(plain.scores[:, 7]) & (ranked.k > 7)
    if tail.any():
        row = np.flatnonzero(tail)[0]
        step = plain.scores[row, 5] - plain.scores[row, 7]
        assert ranked.scores[row, 5] - ranked.scores[row, 7] == pytest.approx(step, abs=1e-6)


def test_it_is_saved_with_its_parts(tmp_path):
    model = vt.Reranked(model=vt.EASE(l2=5), reranker=ByHash(seed=4), candidates=7)
    fitted = model.fit(DATA)
    artifact = vt.load(vt.save(fitted, tmp_path / "diverse"))
    assert artifact.manifest["model"]["name"] == "Reranked"
    assert artifact.manifest["model"]["reranker"] == {"name": "ByHash", "seed": 4}
    before, after = (r.recommend(DATA.queries(), 10) for r in (fitted, artifact.recommender))
    assert np.array_equal(before.items, after.items)
    assert after.to_frame().equals(before.to_frame())


def test_parts_of_another_kind_are_refused():
    with pytest.raises(ParameterError, match="'model' parameter of Reranked must be"):
        vt.Reranked(model=KeepOrder(), reranker=KeepOrder())  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="'reranker' parameter of Reranked must be"):
        vt.Reranked(model=vt.EASE(), reranker=vt.EASE())  # type: ignore[arg-type]


CONFIG = """
[data]
source = "log.csv"

[split]
rule = "GlobalTime"
quantile = 0.8

[models.diverse]
type = "Reranked"
model = {type = "Cooccurrence", neighbours = 8}
reranker = {type = "ByHash", seed = 3}
candidates = 5
"""


def test_a_config_file_names_it_and_the_command_line_writes_its_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DATA.frame().select("user_id", "item_id", "timestamp").write_csv("log.csv")
    (tmp_path / "vitrina.toml").write_text(CONFIG)
    run = CliRunner().invoke
    done = run(app, ["fit", "vitrina.toml", "--model", "diverse", "--out", "diverse"])
    assert done.exit_code == 0, done.output
    done = run(app, ["recommend", "diverse", "--out", "lists.parquet", "-k", "8"])
    assert done.exit_code == 0, done.output
    lists = pl.read_parquet("lists.parquet")
    assert lists.columns == ["user_id", "rank", "item_id", "score", "source", "relevance"]
    done = run(app, ["recommend", "diverse", "--user", "u1", "-k", "3", "--json"])
    shown = json.loads(done.output)["users"][0]["items"]
    assert [row["item_id"] for row in shown] == lists.filter(user_id="u1")["item_id"].to_list()[:3]
    assert set(shown[0]) == {"rank", "item_id", "score", "source", "relevance", "title"}


def test_a_model_that_says_nothing_of_likeness_is_told_so_on_the_command_line(tmp_path):
    folder = vt.save(vt.Reranked(model=vt.Popularity(), reranker=KeepOrder()).fit(DATA), tmp_path / "diverse")
    done = CliRunner().invoke(app, ["similar", str(folder), "i1"])
    assert done.exit_code == 2
    assert "says nothing of what is alike" in done.output


RARELY = """
from vitrina.rerank import RerankerConfig


class RarelyTaken(RerankerConfig):
    def of_items(self, data):
        return {"people": data.catalogue.users}

    def order(self, queries, candidates, items):
        return candidates.best_first(-items["people"][candidates.lists.items])
"""


def test_a_re_ranker_of_ones_own_is_named_where_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    DATA.frame().select("user_id", "item_id", "timestamp").write_csv("log.csv")
    (tmp_path / "rarely_taken_first.py").write_text(RARELY)
    (tmp_path / "vitrina.toml").write_text(CONFIG.replace('"ByHash", seed = 3', '"rarely_taken_first:RarelyTaken"'))
    fit = ["fit", "vitrina.toml", "--model", "diverse", "--out", "diverse"]
    done = CliRunner().invoke(app, fit)
    assert done.exit_code == 2
    assert "line 12: The type 'rarely_taken_first:RarelyTaken' is code of your own. Allow it to run with: --trust" in " ".join(
        done.output.split()
    )
    assert CliRunner().invoke(app, [*fit, "--trust"]).exit_code == 0
    assert CliRunner().invoke(app, ["recommend", "diverse", "--user", "u1"]).exit_code == 2
    done = CliRunner().invoke(app, ["recommend", "diverse", "--user", "u1", "--trust"])
    assert done.exit_code == 0, done.output


def test_the_model_may_be_a_ready_mixture(tmp_path):
    from vitrina.cli.config import read_config

    DATA.frame().select("user_id", "item_id", "timestamp").write_csv(tmp_path / "log.csv")
    (tmp_path / "vitrina.toml").write_text(CONFIG.replace('{type = "Cooccurrence", neighbours = 8}', '"SASRec"'))
    assert read_config(tmp_path / "vitrina.toml").models["diverse"].model == vt.SASRec()


def test_an_explanation_asks_no_deeper_than_what_is_shown_stands(monkeypatch):
    """It is that of all candidates, and the model below is not asked to explain these."""
    data = vt.testing.synthetic(users=60, items=40, seed=5)
    fitted = vt.Reranked(model=vt.EASE(l2=20), reranker=vt.MMR(diversity=0.1), candidates=32).fit(data)
    queries = replace(data.queries(), labels=None)
    asked = []

    def spied(recommender, queries, k, *, eligible):
        asked.append(len(queries) * k)
        return told.explained(recommender, queries, k, eligible=eligible)

    monkeypatch.setattr("vitrina.rerank.reranked.explained", spied)
    for eligible in (vt.Eligibility(), vt.Eligibility(include=np.arange(3, dtype=np.int32))):
        asked.clear()
        whole = told.explained_again(
            fitted.recommend(queries, 3, eligible=eligible), told.explained(fitted.recommender, queries, 32, eligible=eligible)
        )
        assert fitted.explain(queries, 3, eligible=eligible).equals(whole)
        assert sum(asked) < len(queries) * 16
    assert fitted.explain(queries[:0], 3).is_empty()
