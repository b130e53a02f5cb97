"""Artifacts that earlier code wrote answer as they did; see fixtures/make_format_1.py."""

import json
from pathlib import Path

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError, VocabularyError

FOLDER = Path(__file__).parent / "fixtures" / "artifacts-1"
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
