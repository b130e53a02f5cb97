"""ONNX graphs say what PyTorch says, whatever the histories and their number; an artifact with them answers without PyTorch."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ArtifactError, ParameterError

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from vitrina import sequence as seq
from vitrina.forms.onnx_encoded import OnnxEncoded
from vitrina.sequence import onnx

SHORT = seq.Training(epochs=1, patience=None)
SMALL = {"dim": 16, "length": 12, "training": SHORT}
MODELS = {
    "SASRec": vt.SASRec(**SMALL),
    "BERT4Rec": vt.BERT4Rec(**SMALL),
    "gSASRec": vt.gSASRec(**SMALL),
    "eSASRec": vt.eSASRec(layers=2, **SMALL),
    "published eSASRec": seq.published_eSASRec(**SMALL),
    "PreNorm": vt.SequenceModel(block=seq.PreNorm(), layers=2, **SMALL),
    "masked SASRec": vt.SASRec(objective=seq.ItemMasking(), **SMALL),
    "HSTU": vt.SequenceModel(block=seq.HSTU(), layers=2, **SMALL),
    "HSTU that reads the moment": vt.SequenceModel(block=seq.HSTU(), layers=2, reads_now=True, **SMALL),
    "FuXi-alpha": vt.SequenceModel(block=seq.FuXiAlpha(), layers=2, **SMALL),
    "FuXi-beta": vt.SequenceModel(block=seq.FuXiBeta(), layers=2, **SMALL),
    "FuXi-Linear": vt.SequenceModel(block=seq.FuXiLinear(), layers=2, **SMALL),
    "places in the attention": vt.SequenceModel(block=seq.LiGR(positions=seq.RelativePositions()), layers=2, **SMALL),
    "turned": vt.SequenceModel(block=seq.PreNorm(positions=seq.Rotary()), layers=2, **SMALL),
    "HSTU without times": vt.SequenceModel(block=seq.HSTU(times=False), **SMALL),
    "masked HSTU": vt.SequenceModel(block=seq.HSTU(), objective=seq.ItemMasking(), **SMALL),
    "last event": vt.SequenceModel(objective=seq.NextAction(), **SMALL),
    "cosine and own counts": vt.SequenceModel(similarity=seq.CosineSimilarity(), personal=seq.PersonalPopularity(), **SMALL),
}
SAME = 1e-5


def a_log(people=40, items=30, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 30, people)
    times = np.concatenate([np.sort(rng.integers(0, 90 * 86_400, n)) for n in lengths]) + 1_700_000_000
    table = {"user_id": np.repeat(np.arange(people), lengths), "item_id": rng.integers(0, items, lengths.sum()), "timestamp": times}
    return vt.read_interactions(pl.DataFrame(table))


LOG = a_log()


@pytest.fixture(scope="module", params=MODELS)
def both(request, tmp_path_factory):
    """The same model by PyTorch and by ONNX."""
    folder = tmp_path_factory.mktemp("onnx") / "model"
    vt.save(MODELS[request.param].fit(LOG), folder, data=LOG, onnx=True)
    by_torch, by_onnx = vt.load(folder).recommender, vt.load(folder, onnx=True).recommender
    assert isinstance(by_torch, seq.Encoded)
    assert isinstance(by_onnx, OnnxEncoded)
    return by_torch, by_onnx


def histories(vocabulary, lengths, seed, *, timed):
    rng = np.random.default_rng(seed)
    items = [vocabulary.ids.gather(rng.integers(0, len(vocabulary), n)).to_list() for n in lengths]
    times = [np.sort(rng.integers(0, 10**15, n)).tolist() for n in lengths] if timed else None
    return vt.Queries.of_histories(vocabulary, items, times)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("lengths", [[1], [12], [40], [0], [0, 3, 1], [1] * 33, list(range(1, 33)), [12, 1, 1]], ids=len)
def test_states_and_scores_are_those_of_pytorch(both, lengths, timed):
    by_torch, by_onnx = both
    asked = histories(by_torch.vocabulary, lengths, len(lengths), timed=timed)
    expected = by_torch.encode(asked)
    np.testing.assert_allclose(by_onnx.encode(asked), expected, rtol=0, atol=SAME * max(np.abs(expected).max(initial=1), 1))
    np.testing.assert_allclose(by_onnx.score_block(asked), by_torch.score_block(asked), rtol=SAME, atol=SAME)


def test_the_lists_are_those_of_pytorch(both):
    by_torch, by_onnx = both
    asked = LOG.queries()
    one, other = (form.recommend(asked, 10) for form in both)
    assert (one.items == other.items).mean() > 0.99  # what rounding ties may change places
    assert by_onnx.adds == by_torch.adds
    np.testing.assert_allclose(by_onnx.item_vectors, by_torch.item_vectors, atol=1e-6)
    some = np.arange(5, dtype=np.int32)
    np.testing.assert_allclose(by_onnx.item_relations(some), by_torch.item_relations(some), atol=1e-5)


def test_one_is_as_in_a_batch(both):
    _, by_onnx = both
    asked = histories(by_onnx.vocabulary, [1, 5, 12, 3], 1, timed=True)
    alone = np.concatenate([by_onnx.encode(asked[place]) for place in range(4)])
    np.testing.assert_allclose(by_onnx.encode(asked), alone, rtol=0, atol=SAME * max(np.abs(alone).max(), 1))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A re-ranked model with graphs, nested in its artifact."""
    folder = tmp_path_factory.mktemp("kept") / "model"
    model = vt.Reranked(model=MODELS["eSASRec"], reranker=vt.testing.KeepOrder(), candidates=20)
    return vt.save(model.fit(LOG), folder, data=LOG, onnx=True)


def test_a_service_needs_no_pytorch(tmp_path):
    folder = vt.save(MODELS["eSASRec"].fit(LOG), tmp_path / "model", data=LOG, onnx=True)
    program = (
        f"import sys, vitrina as vt\nfitted = vt.load({str(folder)!r}, onnx=True)\n"
        "lists = fitted.recommender.recommend(vt.Queries.of_histories(fitted.vocabulary, [['1', '2']]), 3)\n"
        "print(len(fitted.names(lists.items[0])), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False"]


def test_graphs_of_parts_are_found_where_the_parts_are(kept):
    inner = vt.load(kept, onnx=True).recommender.recommender
    assert isinstance(inner, OnnxEncoded)
    assert isinstance(vt.load(kept).recommender.recommender, seq.Encoded)


def test_a_graph_that_was_changed_is_seen(kept, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(kept, folder)
    graph = next(folder.rglob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"untimed\.onnx is not the file that was saved"):
        vt.load(folder, onnx=True)


def test_a_graph_that_nobody_named_is_refused(kept, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(kept, folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "timed.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError, match="which its manifest doesn't know"):
        vt.load(folder)


def test_an_artifact_without_graphs_answers_by_pytorch(tmp_path):
    folder = vt.save(MODELS["eSASRec"].fit(LOG), tmp_path / "model")
    assert isinstance(vt.load(folder, onnx=True).recommender, seq.Encoded)
    assert "onnx" not in vt.load(folder).manifest


def test_a_model_with_features_of_persons_says_why_it_has_no_graph(tmp_path):
    users = pl.DataFrame({"user_id": np.arange(40), "group": ["a", "b"] * 20})
    events = pl.DataFrame({"user_id": np.repeat(np.arange(40), 3), "item_id": np.tile(np.arange(6), 20), "timestamp": np.arange(120)})
    data = vt.read_interactions(events, users=users, time_unit="step")
    fitted = vt.SequenceModel(users=seq.UserFeatures(), **SMALL).fit(data)
    with pytest.raises(ParameterError, match="reads features of persons"):
        onnx.graphs(fitted)
    folder = vt.save(fitted, tmp_path / "model", onnx=True)
    assert "features of persons" in vt.load(folder).manifest["onnx"]
    assert isinstance(vt.load(folder, onnx=True).recommender, seq.Encoded)


def test_what_answers_by_onnx_is_not_saved_again(kept, tmp_path):
    with pytest.raises(ArtifactError, match="read it without"):
        vt.save(vt.load(kept, onnx=True).recommender, tmp_path / "again")
