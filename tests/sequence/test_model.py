"""The model as people use it."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.base.config import Config
from vitrina.base.errors import ArtifactError, DataError, ParameterError
from vitrina.cli.config import read_config
from vitrina.jobs.specs import of_spec, to_spec
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.sequence import (
    BCE,
    GBCE,
    AllAction,
    BERT4RecBlock,
    ContentProjection,
    CosineSimilarity,
    DenseAllAction,
    FullSoftmax,
    Ids,
    ItemMasking,
    LiGR,
    Mixed,
    NextAction,
    PersonalPopularity,
    PreNorm,
    RandomTarget,
    SampledSoftmax,
    SASRecBlock,
    ShiftedSequence,
    SumOf,
    Training,
    Uniform,
    published_eSASRec,
)  # fmt: skip
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.fitting import Fitting

SHORT = Training(epochs=2, tokens=200)
DATA = vt.testing.synthetic(users=60, items=30, seed=2)
REPEAT = vt.Eligibility(repeat=True)


def chain(people=300, items=40, length=8):
    """Whoever has item i takes i + 1 next."""
    start = np.random.default_rng(0).integers(0, items, people)
    frame = pl.DataFrame({
        "user_id": np.repeat(np.arange(people), length),
        "item_id": [f"i{(s + step) % items}" for s in start for step in range(length)],
        "timestamp": np.tile(np.arange(length), people),
    })  # fmt: skip
    return vt.read_interactions(frame, user="user_id", item="item_id", time="timestamp")


def ndcg(recommender, split):
    lists = recommender.recommend(split.queries, 10, eligible=split.eligible)
    return float(metric("nDCG@10").per_query(Judged(lists, split.truth, split.train.catalogue, split.queries)).mean())


@pytest.mark.parametrize(
    "model",
    [
        vt.eSASRec(dim=32, training=Training(epochs=15, tokens=256, learning_rate=0.01)),
        vt.SASRec(dim=32, training=Training(epochs=15, tokens=256, learning_rate=0.01)),
        vt.gSASRec(dim=32, loss=GBCE(negatives=Uniform(n=20)), training=Training(epochs=60, patience=60, tokens=256, learning_rate=0.01)),
    ],
    ids=["eSASRec", "SASRec", "gSASRec"],
)
def test_a_planted_chain_is_learned(model):
    split = chain().split(vt.split.LeaveOneOut())
    recommender = model.fit(split.train)
    assert ndcg(recommender, split) > 0.9
    assert "was best: nDCG@10" in recommender.notes[0]


MIXTURES = [
    vt.SASRec(loss=BCE(), similarity=CosineSimilarity()), vt.BERT4Rec(heads=4), vt.gSASRec(), published_eSASRec(),
    vt.SequenceModel(embed=SumOf(parts=(Ids(), ContentProjection(rank=4))), block=PreNorm(), objective=DenseAllAction()),
    vt.SequenceModel(embed=ContentProjection(rank=4), objective=AllAction(), personal=PersonalPopularity()),
    vt.SequenceModel(objective=NextAction(), block=BERT4RecBlock(), loss=SampledSoftmax(negatives=Mixed(n=9, shared=True), corrected=True)),
    vt.SequenceModel(objective=RandomTarget(), block=SASRecBlock(), loss=FullSoftmax(smoothing=0.1), personal=PersonalPopularity()),
]  # fmt: skip


def short(model, **changes):
    return type(model)(**{n: getattr(model, n) for n in type(model).model_fields} | {"dim": 8, "training": SHORT, "length": 10} | changes)


@pytest.mark.parametrize("model", MIXTURES, ids=repr)
def test_a_mixture_is_saved_and_answers_alone_as_among_others(model, tmp_path):
    recommender = short(model).fit(DATA)
    together = recommender.recommend(DATA.queries(), 5, eligible=REPEAT)
    loaded = vt.load(vt.save(recommender, tmp_path / "artifact", model=short(model), data=DATA)).recommender
    again = loaded.recommend(DATA.queries(), 5, eligible=REPEAT)
    assert np.array_equal(together.items, again.items)
    assert np.array_equal(together.scores, again.scores)
    assert loaded.notes == recommender.notes
    for row in (0, 7, 31):
        alone = recommender.recommend(DATA.queries()[row : row + 1], 5, eligible=REPEAT)
        assert np.array_equal(alone.items[0], together.items[row])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MIXTURES, ids=repr)
def test_a_mixture_goes_to_another_process(model):
    assert of_spec(json.loads(json.dumps(to_spec(model)))) == model


def test_states_times_item_vectors_are_the_scores():
    recommender = short(vt.SASRec(similarity=CosineSimilarity())).fit(DATA)
    scores = recommender.score_block(DATA.queries())
    ours = recommender.encode(DATA.queries()) @ recommender.item_vectors.T
    known = np.isfinite(scores)
    assert known.any(0).sum() == len(recommender.codes)
    np.testing.assert_allclose(ours[known], scores[known], rtol=1e-5, atol=1e-5)


def test_personal_counts_lift_what_was_taken():
    plain, personal = (short(vt.eSASRec(personal=p)).fit(DATA) for p in (None, PersonalPopularity(eps=1e-6)))
    own = [set(history.tolist()) for history in DATA.queries().last(10).histories()]
    shares = [
        np.mean(
            [i in had for row, had in zip(r.recommend(DATA.queries(), 3, eligible=REPEAT).items.tolist(), own, strict=True) for i in row]
        )
        for r in (plain, personal)
    ]
    assert shares[1] > 0.9 > shares[0]


def test_a_visitor_without_a_known_item_gets_the_fallback():
    recommender = short(vt.eSASRec()).fit(DATA)
    vocabulary = DATA.items.extended(pl.Series(["new"]))
    lists = recommender.recommend(vt.Queries.of_histories(vocabulary, [[], ["new"], ["i1", "new"], ["i1"]]), 4)
    assert lists.fallback.tolist() == [[True] * 4, [True] * 4, [False] * 4, [False] * 4]
    assert lists.items[0].tolist() == vt.Popularity().fit(DATA).recommend(DATA.queries()[:1], 4, eligible=REPEAT).items[0].tolist()
    assert np.array_equal(lists.items[2], lists.items[3])


def test_validation_is_the_split_that_made_the_data_or_the_one_given():
    seen = []

    class Spy(vt.split.LeaveOneOut):
        def apply(self, data):
            seen.append(data.n_events)
            return super().apply(data)

    split = DATA.split(Spy())
    short(vt.eSASRec()).fit(replace(split.train, rule=Spy()))
    assert seen == [DATA.n_events, split.train.n_events]
    short(vt.eSASRec()).fit(replace(split.train, rule=Spy()), validation=vt.split.LeaveOneOut().apply(split.train))
    assert len(seen) == 2
    without = short(vt.eSASRec(), training=Training(epochs=1, patience=None)).fit(replace(split.train, rule=Spy()))
    assert len(seen) == 2
    assert without.notes[0] == "trained for 1 epochs without validation"


def test_mistakes_are_said():
    with pytest.raises(ParameterError, match=r"multiple of 'heads'. Got dim=64, heads=3"):
        vt.SequenceModel(heads=3)
    with pytest.raises(DataError, match=r"at least two events .* which is what the validation part leaves"):
        vt.eSASRec().fit(DATA.select(np.arange(DATA.n_events) - DATA.indptr[DATA.user_of] < 2))  # one is left out
    with pytest.raises(ParameterError, match=r"'validation' of SequenceModel.fit must be a Split, .* Got a Dataset"):
        vt.eSASRec().fit(DATA, validation=DATA)
    with pytest.raises(ParameterError, match=r"report=print. Got True"):
        vt.eSASRec().fit(DATA, report=True)
    with pytest.raises(DataError, match="real time"):
        vt.SequenceModel(objective=AllAction()).fit(replace(DATA, time_unit="step"))
    with pytest.raises(DataError, match="table of items"):
        vt.SequenceModel(embed=ContentProjection()).fit(replace(DATA, item_table=None))


class Twice(Block):
    def build(self, dim, heads, dropout, length):
        return LiGR().build(dim, heads, dropout, length)


def test_a_block_of_ones_own_takes_one_class_and_is_read_where_it_is_trusted(tmp_path):
    class Hidden(Block):
        def build(self, dim, heads, dropout, length):
            return LiGR().build(dim, heads, dropout, length)

    recommender = short(vt.eSASRec(block=Twice())).fit(DATA)
    assert np.array_equal(recommender.table, short(vt.eSASRec()).fit(DATA).table)
    folder = vt.save(recommender, tmp_path / "artifact")
    with pytest.raises(ArtifactError, match=r"test_model:Twice, and loading it runs its code.*trust=True"):
        vt.load(folder)
    assert vt.load(folder, trust=True).recommender.answering.block == Twice()
    with pytest.raises(ArtifactError, match=r"Hidden.*at the top of a \.py file"):
        vt.save(short(vt.eSASRec(block=Hidden())).fit(DATA), tmp_path / "other")


def test_a_config_of_the_command_line_builds_nested_parts(tmp_path):
    DATA.frame().write_csv(tmp_path / "log.csv")
    (tmp_path / "vitrina.toml").write_text("""
[data]
source = "log.csv"
user = "user_id"
item = "item_id"
[models.mine]
type = "SequenceModel"
dim = 32
heads = [1, 2]
block = "PreNorm"
embed = {type = "SumOf", parts = [{type = "Ids", dropout = 0.1}, {type = "ContentProjection", rank = 8}]}
loss = {type = "SampledSoftmax", corrected = true, negatives = {type = "Mixed", n = 64, ratio = 0.2}}
training = {type = "Training", epochs = 3, schedule = {type = "WarmupCosine", warmup = 1}}
[models.plain]
type = "SequenceModel"
loss = {type = "SampledSoftmax", corrected = true, negatives = {type = "Mixed", n = 64, ratio = 0.2}}
""")
    plan = read_config(tmp_path / "vitrina.toml")
    assert plan.models["plain"] == vt.SequenceModel(loss=SampledSoftmax(corrected=True, negatives=Mixed(n=64, ratio=0.2)))
    assert not isinstance(plan.models["mine"], vt.SequenceModel)  # a search over heads
    assert isinstance(plan.models["mine"], Config) or hasattr(plan.models["mine"], "fit")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # what an import finds when it isn't installed
import vitrina as vt
from vitrina.cli import names
from vitrina.base.errors import MissingExtraError
assert "EASE" in names.models() and "SequenceModel" not in names.models()
for ask in (lambda: vt.eSASRec, lambda: vt.sequence, lambda: names.find("model", "SequenceModel", names.models())):
    try:
        ask()
    except MissingExtraError as error:
        assert "pip install 'vitrina[torch]'" in str(error), error
    else:
        raise SystemExit("nothing was said")
"""

LIGHT = """
import sys, vitrina, vitrina.cli.main
vitrina.EASE, vitrina.compare, vitrina.load
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("script", [WITHOUT_TORCH, LIGHT], ids=["without torch", "light"])
def test_torch_is_only_needed_by_who_uses_it(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_negatives_are_counted_as_often_as_they_are_targets():
    frame = pl.DataFrame({"user_id": [*"aaa", *"bb", "c"], "item_id": ["x", "y", "z", "x", "y", "x"], "timestamp": [1, 2, 3, 1, 2, 1]})
    data = vt.read_interactions(frame, time="timestamp")
    fit = Fitting.of(vt.SequenceModel(dim=4).sized(data), data, None)
    counted = dict(zip(data.items.decode(fit.rows.codes).to_list(), fit.pool.counts.tolist(), strict=True))
    assert counted == {"x": 0, "y": 2, "z": 1}


def test_depth_and_dropout_follow_the_size_of_the_log_unless_they_are_given(monkeypatch):
    monkeypatch.setattr("vitrina.sequence.model.LARGE", DATA.n_events)
    fewer = DATA.select(np.arange(DATA.n_events) > 0)
    model = vt.SequenceModel()
    assert [(sized.layers, sized.dropout) for sized in (model.sized(DATA), model.sized(fewer))] == [(2, 0.1), (1, 0.3)]
    given = vt.SequenceModel(layers=3, dropout=0.0)
    assert given.sized(DATA) == given == given.sized(fewer)
    fitted = short(vt.SequenceModel(layers=3)).fit(DATA)
    assert (fitted.answering.layers, fitted.notes[-1]) == (3, f"dropout=0.1 for a log of {DATA.n_events:,} events")
    assert not any("for a log of" in note for note in short(given).fit(DATA).notes)


class ByTheClock(Block):
    """A block whose states are moved by how long before the moment of asking the history began."""

    @property
    def needs_time(self):
        return True

    def build(self, dim, heads, dropout, length):
        return Clock()


class Clock(torch.nn.Module):
    def forward(self, x, layout, causal):
        if layout.times is None:
            return x
        return x + 1 + (layout.asked_at - layout.times[layout.starts[layout.window]])[:, None].float().log1p()


OBJECTIVES = [ShiftedSequence(), RandomTarget(), DenseAllAction(), NextAction(), AllAction(), ItemMasking()]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_a_block_that_needs_time_answers_visitors_with_and_without(objective):
    recommender = short(vt.SequenceModel(block=ByTheClock(), objective=objective, reads_now=True)).fit(DATA)
    known = DATA.queries()
    assert vt.testing.check_model(short(vt.SequenceModel(block=ByTheClock(), objective=objective)), DATA, laws=["untimed"]).kept
    later, timeless = replace(known, now=known.now + 10**12), replace(known, now=None, events=vt.types.Events(known.events.items))
    lists = [recommender.encode(queries) for queries in (known, later, replace(known, now=None), timeless)]
    assert all(np.isfinite(states).all() for states in lists)
    for one, other in itertools.combinations(lists, 2):
        assert not np.allclose(one, other)  # each moment of asking is another question


def test_a_block_that_needs_time_refuses_a_log_without():
    for unit in ("step", None):
        with pytest.raises(DataError, match=r"ByTheClock\(\) needs events with real time, and Dataset\(.*\) has none. Use LiGR\(\)."):
            vt.SequenceModel(block=ByTheClock()).fit(replace(DATA, time_unit=unit))


def test_the_epochs_that_validation_judged_are_a_table_and_come_back(tmp_path: Path) -> None:
    data = vt.testing.synthetic(users=60, items=30)
    fitted = vt.SequenceModel(dim=8, heads=1, training=vt.sequence.Training(epochs=2)).fit(data)
    table = fitted.tables["epochs"]
    assert table["epoch"].to_list() == [1, 2]
    assert table["metric"].to_list() == ["nDCG@10"] * 2
    assert table["value"].max() == pytest.approx(float(fitted.notes[0].split("nDCG@10 ")[1].split(" ")[0]), abs=5e-5)
    vt.save(fitted, tmp_path / "model")
    assert vt.load(tmp_path / "model").recommender.tables["epochs"].equals(table)
    assert not vt.SequenceModel(dim=8, heads=1, training=vt.sequence.Training(epochs=1, patience=None)).fit(data).tables
