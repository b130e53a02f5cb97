"""Artifacts that earlier code wrote answer as they did; see fixtures/make_format_1.py and make_format_2.py."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.artifacts import format_1
from vitrina.base.config import to_plain
from vitrina.base.errors import ParameterError, VocabularyError
from vitrina.data.features import FeatureTable

FOLDER, FOLDER_2 = (Path(__file__).parents[1] / "fixtures" / f"artifacts-{number}" for number in (1, 2))
RECORD = json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(RECORD["answers"]))
def test_an_artifact_of_format_1_answers_as_it_did(name):
    artifact = vt.load(FOLDER / name)
    histories, wanted = RECORD["histories"], RECORD["answers"][name]
    queries = vt.Queries.of_histories(artifact.vocabulary, histories, [list(range(len(h))) for h in histories])
    lists = artifact.recommender.recommend(queries, 5, eligible=vt.Eligibility(repeat=True))
    if name == "shuffled":  # its lists are random, and made by a simpler rule than they were
        assert lists.items.shape == np.shape(wanted["items"])
        return
    assert lists.items.tolist() == wanted["items"]
    np.testing.assert_allclose(lists.scores, np.array(wanted["scores"], np.float64), rtol=1e-4, atol=1e-5)
    assert artifact.names(np.array([3])) == ["Item 3 of group 3"]


RECORD_2 = json.loads((FOLDER_2 / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(RECORD_2["answers"]))
def test_an_artifact_of_format_2_answers_as_it_did(name):
    artifact = vt.load(FOLDER_2 / name)
    histories, wanted = RECORD_2["histories"], RECORD_2["answers"][name]
    queries = vt.Queries.of_histories(artifact.vocabulary, histories, [list(range(len(h))) for h in histories])
    lists = artifact.recommender.recommend(queries, 5, eligible=vt.Eligibility(repeat=True))
    assert lists.items.tolist() == wanted["items"]
    np.testing.assert_allclose(lists.scores, np.array(wanted["scores"], np.float64), rtol=1e-4, atol=1e-5)
    assert artifact.item_table.kinds["group"] == "category"


@pytest.mark.parametrize("code", [-1, 10_000, 0.5, True, "tea"])
@pytest.mark.parametrize("name", sorted(RECORD["answers"]))
def test_no_form_scores_what_is_no_item(name, code):
    recommender = vt.load(FOLDER / name).recommender
    queries = vt.Queries.of_histories(recommender.vocabulary, [[], []])
    with pytest.raises(ParameterError, match=r"[Cc]ode"):
        recommender.score(queries, np.array([0, code]) if isinstance(code, int) and code is not True else np.array([code]))
    with pytest.raises(ParameterError, match=r"[Cc]ode"):
        recommender.score_pairs(queries, vt.Ragged.of([[0], [code]]))
    with pytest.raises(VocabularyError, match="other item ids"):
        recommender.score(vt.Queries.of_histories(vt.Vocabulary.of(["no such item"]), [[]]), np.array([0]))


def test_every_form_is_kept():
    kept = {json.loads((FOLDER / name / "manifest.json").read_text(encoding="utf-8"))["form"] for name in RECORD["answers"]}
    assert kept == {"Embeddings", "Encoded", "ItemMap", "Neighbours", "Personal", "Shuffled", "Static"}


def as_bytes(plain):
    return np.frombuffer(json.dumps(plain).encode(), np.uint8)


def test_features_of_items_and_people_were_kept_as_bytes_in_arrays():
    from vitrina.sequence import Features, Ids, SumOf, Training, UserFeatures

    data = vt.testing.synthetic(users=20, items=12)
    people = FeatureTable(
        pl.DataFrame({"city": ["a", "b"] * 10, "age": [float(age) for age in range(20)]}), {"city": "category", "age": "number"}
    )
    data = replace(data, user_table=people)
    embed = SumOf(parts=(Ids(), Features(columns=("group",))))
    fitted = vt.eSASRec(dim=8, layers=1, embed=embed, users=UserFeatures(), training=Training(epochs=1, patience=None)).fit(data)
    state = fitted.state()

    def old(coding):  # numbers as a list, values in a table
        return as_bytes({name: terms if "values" in terms else list(terms.values()) for name, terms in coding.items()})

    answering = {name: to_plain(value) for name, value in state.config["answering"].items()}
    arrays = {**state.arrays, "answering": as_bytes(answering), "users.coding": old(state.config["users"]["coding"])}
    arrays |= {f"embed.{name}": old(coding) for name, coding in state.config["codings"].items()}
    upgraded = format_1.upgraded("Encoded", arrays)
    assert list(upgraded.config["codings"]) == ["1.coding"]
    again = type(fitted).of_state(upgraded, fitted.vocabulary, fitted.catalogue)
    np.testing.assert_array_equal(again.score_block(data.queries()), fitted.score_block(data.queries()))
    assert again.answering == fitted.answering
    assert again.users.coding.columns == fitted.users.coding.columns
    assert again.internals["1.coding"].columns == fitted.internals["1.coding"].columns


def test_a_decay_was_kept_as_its_curves():
    curves = [{"name": "Exponential", "events": 4.0, "days": None}, {"name": "Linear", "events": None, "days": 80.0}]
    both = vt.decay.All(of=(vt.decay.Exponential(events=4), vt.decay.Linear(days=80)))
    for kept, decay in ((curves, both), (curves[:1], both.of[0])):
        assert format_1.upgraded("Personal", {"decay": as_bytes(kept)}).config == {"decay": decay}
    assert format_1.upgraded("Personal", {}).config == {"decay": None}


@pytest.mark.parametrize(("ids", "arrays"), [
    (["ann", "bö", ""], {"people": np.frombuffer("annbö".encode(), np.uint8), "people_bytes": np.array([3, 3, 0])}),
    ([7, 12], {"people": np.array([7, 12])}),
    (None, {}),
])  # fmt: skip
def test_people_were_kept_as_numbers_or_as_bytes_of_texts(ids, arrays):
    settings = {"profile": np.array([0.9, 0.7, 7.0, 0.0]), "settings": np.array([300.0, 0.25])}
    state = format_1.upgraded("Neighbours", settings | arrays)
    assert state.config == {"profile": {"within": 0.9, "between": 0.7, "groups": 7, "short": "oldest"}, "neighbours": 300, "alpha": 0.25}
    assert state.arrays == {}
    assert ids == (state.table("people")["id"].to_list() if ids else None)
