"""Artifacts that earlier code wrote answer as they did; see fixtures/make_format_1.py."""

import json
from pathlib import Path

import numpy as np
import pytest

import vitrina as vt

FOLDER = Path(__file__).parent / "fixtures" / "artifacts-1"
RECORD = json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(RECORD["answers"]))
def test_an_artifact_of_format_1_answers_as_it_did(name):
    artifact = vt.load(FOLDER / name)
    histories, wanted = RECORD["histories"], RECORD["answers"][name]
    queries = vt.Queries.of_histories(artifact.vocabulary, histories, [list(range(len(h))) for h in histories])
    lists = artifact.recommender.recommend(queries, 5, eligible=vt.Eligibility(repeat=True))
    assert lists.items.tolist() == wanted["items"]
    np.testing.assert_allclose(lists.scores, np.array(wanted["scores"], np.float64), rtol=1e-4, atol=1e-5)
    assert artifact.names(np.array([3])) == ["Item 3 of group 3"]


def test_every_form_is_kept():
    kept = {json.loads((FOLDER / name / "manifest.json").read_text(encoding="utf-8"))["form"] for name in RECORD["answers"]}
    assert kept == {"Embeddings", "Encoded", "ItemMap", "Neighbours", "Personal", "Shuffled", "Static"}
