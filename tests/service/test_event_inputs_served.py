"""A model that reads kinds and values of events is served: to known people, to visitors who tell theirs, and to those who don't."""

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt

pytest.importorskip("torch")

from vitrina.service.decoding import canonical
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline import Pipeline
from vitrina.service.records import Event
from vitrina.wire import HistoryItem, RecommendRequest

NAMES = ("look", "take")


@pytest.fixture(scope="module")
def log():
    log = vt.testing.synthetic(users=60, items=30, seed=2)
    kinds = np.random.default_rng(0).integers(0, 2, log.n_events).astype(np.uint8)
    return replace(log, events=replace(log.events, kinds=kinds), kind_names=NAMES)


@pytest.fixture(scope="module")
def artifact(log, tmp_path_factory):
    training = vt.sequence.Training(epochs=4, tokens=400, patience=None, learning_rate=0.05)
    model = vt.SequenceModel(events=vt.sequence.EventInputs(), dim=8, training=training)
    return vt.load(vt.save(model.fit(log), tmp_path_factory.mktemp("events") / "model", data=log))


def pipeline(artifact, histories):
    return Pipeline.of(artifact, histories, Facts(), Facts(), budget=None, clock=lambda: 2_000_000_000_000_000, version="v1")


def scored(answered):
    return [(item.item, pytest.approx(item.score, abs=1e-5)) for item in answered.items if item.score is not None]


def expected(artifact, items, kinds, values):
    queries = vt.Queries.of_histories(artifact.vocabulary, [items], kinds=[kinds], values=[values])
    lists = artifact.recommender.recommend(queries, 5)
    return list(zip(artifact.vocabulary.decode(lists.items[0]).to_list(), lists.scores[0].tolist(), strict=True))


@pytest.mark.parametrize("with_log", [True, False])
def test_a_visitor_tells_kinds_and_values(with_log, log, artifact):
    served = pipeline(artifact, Histories.of_log(log if with_log else None))
    items, kinds, values = ["i3", "i4", "i9"], ["take", "look", "take"], [5.0, None, 1.0]
    told = [HistoryItem(item, None, kind, value) for item, kind, value in zip(items, kinds, values, strict=True)]
    (answer,) = served.answer([canonical(RecommendRequest(history=told, k=5))])
    assert scored(answer) == expected(artifact, items, kinds, values)
    assert answer.notes == []
    others = expected(artifact, items, [*kinds[::-1][:2], "look"], [1.0, 2.0, 5.0])
    assert others != expected(artifact, items, kinds, values)


def test_known_people_are_asked_with_theirs_and_what_is_lacking_is_said(log, artifact):
    served = pipeline(artifact, Histories.of_log(log))
    known, visitor = served.answer([RecommendRequest(user="u3", k=5), RecommendRequest(history=["i3", "i4"], k=5)])
    lists = artifact.recommender.recommend(log.queries(["u3"]), 5)
    assert scored(known) == list(zip(log.items.decode(lists.items[0]).to_list(), lists.scores[0].tolist(), strict=True))
    assert known.notes == []
    assert len(visitor.notes) == 1
    assert "2 without a value: they are read as unknown" in visitor.notes[0]
    served.enrichment.histories.add([Event("1", "take", "u3", "i7", 1_900_000_000_000_000, 0, value=4.0)])
    (after,) = served.answer([RecommendRequest(user="u3", k=5)])
    assert scored(after) != scored(known)
