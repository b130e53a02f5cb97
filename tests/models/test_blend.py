"""Blends against sums in plain Python, with whatever the members are."""

import json
import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.cli.main import app
from vitrina.forms import Blended, BlendedLists, Form
from vitrina.models.base import ModelConfig

DATA = vt.testing.synthetic(users=60, items=24)
COUNTS, CONTENT = vt.Cooccurrence(), vt.ContentSimilarity(columns=("group",), decay=vt.decay.Exponential(events=2))
LISTS = vt.Reranked(model=vt.EASE(l2=20), reranker=vt.testing.ByHash(), candidates=6)


class FewPeople(ModelConfig):
    """A model whose recommender has `recommend` alone."""

    def fit(self, data, *, validation=None, start=None):
        return Few(vt.TifuKNN(neighbours=5).fit(data))


@dataclass(frozen=True)
class Few:
    inner: Any

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        return self.inner.recommend(queries, k, eligible=eligible)


@pytest.mark.parametrize(
    "model",
    [
        vt.Blend(models=(COUNTS, CONTENT), weights=(1, 0.5), scale=vt.scale.AsIs()),
        vt.Blend(models=(COUNTS, vt.Popularity(), vt.TifuKNN(neighbours=5)), scale=vt.scale.MinMax()),
        vt.Blend(models=(LISTS, COUNTS), weights=(1, 0.3), candidates=8),
        vt.Blend(models=(vt.Blend(models=(COUNTS, CONTENT), weights=(1, 2)), vt.EASE(l2=20)), weights=(1, 1)),
        vt.Blend(models=(vt.EASE(l2=20), COUNTS), weights=(1, 0.5), scale=(vt.scale.Softmax(), vt.scale.Shares())),
        vt.Blend(models=(LISTS, COUNTS), weights=(1, 0.3), scale=(vt.scale.ReciprocalRank(), vt.scale.Shares())),
    ],
    ids=["as they are", "learned", "lists", "nested", "a scale each", "lists, a scale each"],
)
def test_a_blend_keeps_the_laws(model):
    report = vt.testing.check_model(model)
    assert "saved" in report.kept
    assert set(report.skipped) <= {"encode", "score", "shards_only"}


PARTS = {
    "chances": (vt.scale.Softmax(temperature=0.5), lambda score, known: math.exp(2 * score) / sum(math.exp(2 * other) for other in known)),
    "shares": (vt.scale.Shares(), lambda score, known: max(score, 0) / sum(max(other, 0) for other in known)),
    "as they are": (vt.scale.AsIs(), lambda score, known: score),
    "between 0 and 1": (
        vt.scale.MinMax(),
        lambda score, known: (score - min(known)) / (max(known) - min(known)) if max(known) > min(known) else 1,
    ),
    "reciprocal rank": (vt.scale.ReciprocalRank(constant=7), lambda score, known: 1 / (7 + 1 + sum(other > score for other in known))),
}


@pytest.mark.parametrize("name", PARTS)
def test_scores_add_up_and_what_has_no_opinion_adds_nothing(name):
    scale, part = PARTS[name]
    fitted = vt.Blend(models=(COUNTS, CONTENT), weights=(0.7, 2), scale=scale).fit(DATA)
    assert isinstance(fitted, Blended)
    queries = DATA.queries()
    members = [m.score(queries, np.arange(24, dtype=np.int32)).tolist() for m in fitted.members]
    found = fitted.score(queries, np.arange(24, dtype=np.int32))
    for q in range(len(queries)):
        known = [[s for s in member[q] if s > -np.inf] for member in members]
        for i in range(24):
            terms = [w * part(m[q][i], k) for w, m, k in zip((0.7, 2), members, known, strict=True) if m[q][i] > -np.inf]
            assert found[q, i] == (pytest.approx(sum(terms), rel=1e-4) if terms else -np.inf)


def test_each_model_may_have_a_scale_of_its_own():
    scales = (vt.scale.Softmax(), vt.scale.MinMax())
    fitted = vt.Blend(models=(COUNTS, CONTENT), weights=(1, 3), scale=scales).fit(DATA)
    assert isinstance(fitted, Blended)
    queries, items = DATA.queries(), np.arange(24, dtype=np.int32)
    alone = [
        vt.Blend(models=(m, vt.Popularity()), weights=(1, 0), scale=s).fit(DATA) for m, s in zip((COUNTS, CONTENT), scales, strict=True)
    ]
    first, second = (np.nan_to_num(cast(Blended, one).score(queries, items), neginf=0) for one in alone)
    np.testing.assert_allclose(np.nan_to_num(fitted.score(queries, items), neginf=0), first + 3 * second, rtol=1e-5, atol=1e-6)
    with pytest.raises(ParameterError, match=r"one for each of its 2 models\. Got 1"):
        vt.Blend(models=(COUNTS, CONTENT), scale=(vt.scale.AsIs(),))


def test_chances_are_of_no_item_without_an_opinion_and_never_overflow():
    scores = np.array([[900, 0, -np.inf], [-900, -900, -np.inf], [-np.inf] * 3], np.float32)
    assert vt.scale.Softmax().of(scores).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 0]]
    assert vt.scale.Shares().of(np.array([[-1, 0, 2], [-1, -np.inf, 0]], np.float32)).tolist() == [[0, 0, 1], [0, 0, 0]]


def test_lists_add_up_place_by_place():
    fitted = vt.Blend(models=(LISTS, COUNTS), weights=(1, 0.3), candidates=8).fit(DATA)
    assert isinstance(fitted, BlendedLists)
    queries = DATA.queries()
    lists = [m.recommend(queries, 8) for m in fitted.members]
    answer = fitted.recommend(queries, 5)
    for q in range(len(queries)):
        total = {}
        for weight, one in zip((1, 0.3), lists, strict=True):
            for place, (item, fallback) in enumerate(zip(one.items[q], one.fallback[q], strict=True)):
                if item >= 0 and not fallback:
                    total[int(item)] = total.get(int(item), 0) + weight / (60 + 1 + place)
        best = sorted(total, key=lambda item: (-np.float32(total[item]), item))[:5]
        assert answer.items[q, : len(best)].tolist() == best


def test_only_what_a_member_recommends_is_an_opinion():
    """An item outside of a member's catalogue has no part of it, whatever the member scores it."""
    fitted = vt.Blend(models=(COUNTS, vt.Popularity()), weights=(1, 1), scale=vt.scale.AsIs()).fit(DATA)
    assert isinstance(fitted, Blended)
    counts, first = cast(tuple[Form, Form], fitted.members)
    none = replace(first.catalogue, events=np.zeros_like(first.catalogue.events))
    without = replace(fitted, members=(counts, replace(first, catalogue=none)))
    np.testing.assert_array_equal(without.score_block(DATA.queries()), counts.score_block(DATA.queries()))


def test_cold_items_of_a_member_are_recommended():
    taken = DATA.select(DATA.events.items != 3)
    fitted = vt.Blend(models=(COUNTS, CONTENT), weights=(1, 1), scale=vt.scale.AsIs()).fit(taken)
    assert 3 in fitted.catalogue.items
    lists = fitted.recommend(taken.queries(), 24)
    assert ((lists.items == 3) & ~lists.fallback).any()


def test_weights_are_learned_on_validation():
    split = DATA.split(vt.split.LeaveOneOut(repeat=False))
    useless = vt.RandomItems(seed=1)
    model = vt.Blend(models=(useless, COUNTS), scale=vt.scale.MinMax())
    fitted = model.fit(split.train)
    assert fitted.weights[1] > fitted.weights[0]
    note = next(note for note in fitted.notes if "weights learned" in note)
    validation = split.train.holdout()
    again = vt.Blend(models=model.models, weights=fitted.weights, scale=model.scale).fit(validation.train)
    lists = again.recommend(validation.queries, 10, eligible=validation.eligible)
    value = vt.evaluate.evaluate(lists, validation, ["nDCG@10"], intervals=False).numbers["value"][0]
    assert f"{value:.4f}" in note
    equal = vt.Blend(models=model.models, weights=(1, 1), scale=model.scale).fit(validation.train)
    lists = equal.recommend(validation.queries, 10, eligible=validation.eligible)
    assert value > vt.evaluate.evaluate(lists, validation, ["nDCG@10"], intervals=False).numbers["value"][0]


def test_a_validation_outside_of_the_training_part_costs_no_second_fit(monkeypatch):
    split = DATA.split(vt.split.LeaveOneOut(repeat=False, strict=True))
    fits = []
    monkeypatch.setattr(vt.TopPersonal, "fit", lambda self, data, **rest: fits.append(data) or vt.Popularity().fit(data))
    vt.Blend(models=(vt.TopPersonal(), COUNTS)).fit(split.train, validation=split.validation)
    assert len(fits) == 1
    vt.Blend(models=(vt.TopPersonal(), COUNTS)).fit(split.train)
    assert len(fits) == 3


def test_what_has_recommend_alone_is_blended_by_its_lists():
    fitted = vt.Blend(models=(FewPeople(), COUNTS), weights=(1, 1)).fit(DATA)
    assert isinstance(fitted, BlendedLists)
    assert fitted.recommend(DATA.queries(), 30).items.shape == (60, 24)


def test_it_says_what_its_members_say():
    weighed = replace(DATA, events=replace(DATA.events, weights=np.linspace(1, 2, DATA.n_events, dtype=np.float32)))
    notes = vt.Blend(models=(COUNTS, vt.RandomItems(seed=1)), weights=(1, 1)).fit(weighed).notes
    assert "RandomItems: Weights of events are not read." in notes
    assert "Weights of events are not read." not in notes


@pytest.mark.parametrize("weights", [(1,), (1, -1), (0, 0), (1, 1, 1)])
def test_weights_must_fit(weights):
    with pytest.raises(ParameterError, match="a weight for each of its 2 models"):
        vt.Blend(models=(COUNTS, CONTENT), weights=weights)


def test_one_model_is_no_blend():
    with pytest.raises(ParameterError, match="of Blend must be a list of 2 or more"):
        vt.Blend(models=(COUNTS,))


CONFIG = """
[data]
source = "log.csv"

[split]
rule = "GlobalTime"
quantile = 0.8

[models.both]
type = "Blend"
models = [{type = "Cooccurrence", neighbours = 8}, {type = "Reranked", model = "Popularity", reranker = {type = "ByHash", seed = 3}}]
weights = [1, 0.5]
scale = "MinMax"
"""


def test_a_config_file_names_it_and_an_artifact_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    DATA.frame().select("user_id", "item_id", "timestamp").write_csv("log.csv")
    (tmp_path / "vitrina.toml").write_text(CONFIG)
    run = CliRunner().invoke
    done = run(app, ["fit", "vitrina.toml", "--model", "both", "--out", "both"])
    assert done.exit_code == 0, done.output
    done = run(app, ["recommend", "both", "--user", "u1", "-k", "3", "--json"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.output)["users"][0]["items"]) == 3
    assert vt.load(tmp_path / "both").manifest["model"]["name"] == "Blend"
