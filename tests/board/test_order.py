"""The baseline of order and content: where it is on a board, and what is searched."""

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board import order
from vitrina.board.baselines import baselines, possible_names
from vitrina.board.cautions import cautions
from vitrina.board.result import Entry
from vitrina.board.summary import Findings

DATA = vt.testing.synthetic(users=40, items=20)
SPLIT = DATA.split(vt.split.LeaveOneOut(repeat=False))
BARE = replace(SPLIT, train=replace(SPLIT.train, item_table=None))


def names(split, *given, tuned=False):
    return [c.name for c in baselines(split, given, tuned=tuned)]


def test_it_is_on_every_board_that_has_order_with_content_where_there_is_any():
    assert names(SPLIT)[-1] == "Transitions and content"
    assert names(BARE)[-1] == "Transitions"
    at_once = replace(BARE, train=replace(BARE.train, events=replace(BARE.train.events, times=np.zeros(BARE.train.n_events, np.int64))))
    assert names(at_once)[-1] == "EASE"
    by_rows = replace(BARE, train=replace(BARE.train, events=replace(BARE.train.events, times=None), time_unit=None))
    assert names(by_rows)[-1] == "Transitions"
    assert {"Transitions", "Transitions and content"} <= set(possible_names())


def test_content_is_left_out_where_it_would_take_minutes(monkeypatch):
    monkeypatch.setattr(order, "SCORES", 100)
    assert names(SPLIT)[-1] == "Transitions"


def test_it_is_tuned_where_others_are():
    tuned = {c.name: c.model for c in baselines(SPLIT, tuned=True)}
    assert tuned["Transitions and content"].size is None
    assert len(tuned["Transitions and content"].candidates(30)) == 30
    assert order.transitions_search().candidates(400) == order.transitions_search().candidates(500)  # there are 324


def test_a_model_of_its_kind_takes_its_place():
    assert names(BARE, order.transitions())[-2:] == ["Cooccurrence", "EASE"]
    assert names(BARE, vt.Cooccurrence())[-2:] == ["EASE", "Transitions"]
    assert names(SPLIT, order.with_content())[-1] == "EASE"
    assert names(SPLIT, order.content_search())[-1] == "EASE"
    plain = vt.Blend(models=(vt.EASE(), vt.Popularity()), weights=(1, 1))
    assert names(SPLIT, plain)[-1] == "Transitions and content"


def test_models_of_the_baseline_keep_the_laws():
    for model in (order.transitions(), order.with_content()):
        vt.testing.check_model(model)


def test_a_part_is_searched_inside_of_a_model():
    profile = vt.tune(vt.ContentSimilarity, decay=[None, vt.decay.Exponential(events=2)])
    search = vt.tune(vt.Blend, models=(vt.Cooccurrence(), profile), weights=[(1.0, 0.5), (1.0, 1.0)])
    found = search.candidates(10)
    assert {(model.models[1].decay, model.weights) for model in found} == {
        (decay, weights) for decay in (None, vt.decay.Exponential(events=2)) for weights in ((1.0, 0.5), (1.0, 1.0))
    }
    assert all(model.models[0] == vt.Cooccurrence() for model in found)
    assert search.candidates(3) == found[:3]
    with pytest.raises(ParameterError, match="k1"):
        vt.tune(vt.Cooccurrence, weighting=vt.tune(vt.weighting.BM25, k1=[-1.0, 1.0]))


@pytest.mark.usefixtures("one_process")
def test_a_board_tunes_it_and_says_what_was_taken(tmp_path):
    board = vt.compare(
        [vt.tune(vt.Popularity, days=[7, 30])], SPLIT, metrics=["nDCG@5"], budget=vt.Budget(trials=3), cache=tmp_path, progress=False
    )
    entry = next(e for e in board.entries if e.name == "Transitions and content")
    assert (entry.status, entry.trials, entry.baseline) == ("ok", 3, True)
    assert "Transitions(" in entry.call


@pytest.mark.parametrize("lead", [0.0, 0.3])
def test_a_transformer_that_does_not_beat_it_is_said_to(lead):
    rng = np.random.default_rng(0)
    values = rng.random(300) / 2
    columns = {"SASRec": np.clip(values + lead + rng.normal(0, 0.1, 300), 0, 1), order.BOTH: values}
    entries = [Entry("SASRec", {"name": "SequenceModel"}), Entry(order.BOTH, {"name": "Blend"}, baseline=True)]
    name, rows = order.against_order(entries, columns, np.arange(300, dtype=np.int32))
    assert name == order.BOTH
    people = {"hits": 300, "by_person": None}
    numbers = {m: {"value": float(v.mean()), "low": 0.0, "high": 1.0, "people": 300, **people} for m, v in columns.items()}
    against = vt.evaluate.compare_paired(columns, order.BOTH, np.arange(300))
    found = Findings("nDCG@10", order.BOTH, entries, numbers, against, against, order=name, against_order=rows)
    said = [sentence for sentence in cautions(found) if "transformer" in sentence]
    assert bool(said) == (lead == 0)
    assert order.against_order(entries[:1], columns, np.arange(300, dtype=np.int32)) == ("", None)
