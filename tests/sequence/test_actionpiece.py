"""ActionPiece against slow versions: what is read, what is learned, and which lists come out."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.features import FeatureTable
from vitrina.forms.windows import Sequences
from vitrina.sequence.layout import Layout
from vitrina.sequence.semantic.actionpiece import Learning
from vitrina.sequence.semantic.codes import SemanticCodes
from vitrina.sequence.semantic.features import FeatureSets
from vitrina.sequence.semantic.piece_network import PieceBatch
from vitrina.sequence.semantic.segmenting import lesson, question

SMALL = {"dim": 16, "segmentations": 2, "training": vt.sequence.Training(epochs=2, learning_rate=1e-2, patience=None, tokens=1024)}


def with_tags(data):
    """Items with a group and none to three tags, so that sets are of different sizes and one may be a part of another."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({
        "item_id": data.items.ids, "group": [f"g{i % 4}" for i in range(data.n_items)],
        "tags": [[f"t{t}" for t in rng.permutation(5)[: rng.integers(0, 4)]] for _ in range(data.n_items)], "price": rng.random(data.n_items),
    })  # fmt: skip
    return replace(data, item_table=FeatureTable.of(frame, "item_id", data.items))


@pytest.fixture(scope="module")
def data():
    return with_tags(vt.testing.synthetic(users=120, items=60, seed=3))


@pytest.fixture(scope="module")
def model():
    return vt.ActionPiece(columns=("group", "tags"), buckets=3, size=300, beam=100, **SMALL)


@pytest.fixture(scope="module")
def fitted(model, data):
    return model.fit(data)


def log_chance(network, batch, path, others):
    """log p of one path with plain loops: the whole decoder along it, and at each token a softmax over what paths with the same beginning go on with."""
    total = 0.0
    with torch.no_grad():
        depths = torch.tensor([len(path)])
        memory = network.read(batch)
        states = network.decoder(memory, batch.layout, batch.at, network.said[torch.tensor([path])], depths) + memory[-1]
        vectors = network.decoder.tokens(network.said)
        for level, state in enumerate(states):
            options = sorted({other[level] for other in others if other[:level] == path[:level]})
            logits = np.array([float(state @ vectors[token]) for token in options])
            total += logits[options.index(path[level])] - np.log(np.exp(logits).sum())
    return total


def paths_of(trie):
    return [tuple(token for token in path if token >= 0) for path in trie.paths.tolist()]


def test_a_wide_beam_gives_what_scoring_every_item_gives(data, fitted):
    queries, paths = data.queries()[:4], paths_of(fitted.trie)
    assert len({len(path) for path in paths}) > 1
    answer = fitted.recommend(queries, 60, eligible=vt.Eligibility(repeat=True))
    for row in range(len(queries)):
        histories = Sequences.of(queries[row : row + 1], fitted.leaf_of_item).last(fitted.speaking.length)
        batches = [question(fitted.pieces, fitted.sets, histories, fitted.speaking.seed + draw) for draw in range(2)]
        assert not torch.equal(batches[0].tokens, batches[1].tokens)
        chances = np.array([[np.exp(log_chance(fitted.network, batch, path, paths)) for path in paths] for batch in batches])
        np.testing.assert_allclose(chances.sum(1), 1, atol=1e-4)
        mean = chances.mean(0)
        order = np.argsort(-mean, kind="stable")
        np.testing.assert_allclose(np.exp(answer.scores[row]), mean[order], rtol=1e-3)
        assert (answer.items[row] == fitted.trie.item[order]).mean() > 0.9  # all but ties


def test_the_loss_is_that_of_each_question_by_itself(model, data):
    learning = Learning.of(model, data, None, None)
    batch = lesson(learning.pieces, learning.sets, learning.windows.take(np.arange(6)), np.random.default_rng(0))
    network, paths = learning.network.eval(), paths_of(learning.taught.trie)
    window, expected = batch.layout.window[batch.at], []
    for at, of, target in zip(batch.at.tolist(), window.tolist(), batch.targets.tolist(), strict=True):
        start = int(batch.layout.starts[of])
        alone = PieceBatch(
            batch.tokens[start : at + 1], Layout(torch.tensor([at + 1 - start])), torch.tensor([at - start]), torch.tensor([target])
        )
        # positions are counted from the end of the whole window
        x = network.decoder.tokens(alone.tokens) + network.body.positions[batch.layout.from_end[start : at + 1]]
        memory = stacked(network.body, x, alone.layout)
        states = memory[-1] + network.decoder(memory, alone.layout, alone.at, network.said[learning.taught.paths[alone.targets].clamp(min=0)], torch.tensor([len(paths[target])]))  # fmt: skip
        vectors, total = network.decoder.tokens(network.said), 0.0
        for level, state in enumerate(states):
            options = sorted({other[level] for other in paths if other[:level] == paths[target][:level]})
            logits = (vectors[options] @ state).detach().numpy()
            total -= logits[options.index(paths[target][level])] - np.log(np.exp(logits).sum())
        expected.append(total)
    assert len(expected) > 10
    np.testing.assert_allclose(
        network.loss(batch, learning.taught).item(), np.mean(expected), rtol=3e-3
    )  # first tokens in bfloat16 where that is fast


def stacked(body, x, layout):
    for block in body.blocks:
        x = block(x, layout, True)
    return body.final(x)


def test_what_is_asked_sees_all_that_came_before_and_nothing_after(model, data):
    learning = Learning.of(model, data, None, None)
    windows = learning.windows
    batch = lesson(learning.pieces, learning.sets, windows, np.random.default_rng(0))
    features, window = learning.pieces.features, batch.layout.window[batch.at].numpy()
    places = [0]
    for at, of, target in zip(batch.at.tolist(), window.tolist(), batch.targets.tolist(), strict=True):
        start = int(batch.layout.starts[of])
        read = np.sort(np.concatenate([features[token] for token in batch.tokens[start : at + 1].tolist()]))
        rows = windows.rows[windows.start[of] : windows.stop[of]]
        sizes = np.cumsum((learning.sets[rows] >= 0).sum(1))
        events = int(np.searchsorted(sizes, len(read))) + 1  # that the tokens up to here hold
        wanted = learning.sets[rows[:events]]
        assert np.array_equal(read, np.sort(wanted[wanted >= 0]))
        assert rows[events] == target
        places.append(events)
    asked, borders = len(batch.at), int((windows.lengths - 1).sum())
    closed = borders - len(windows)  # a window is always asked at its end
    assert abs((asked - len(windows)) / closed - 0.5) < 4 * (0.25 / closed) ** 0.5
    assert (learning.pieces.features.lengths[batch.tokens.numpy()] > 1).any()


def test_items_of_equal_features_are_told_apart(data):
    codes = SemanticCodes(data.items, np.zeros((data.n_items, 2), np.int32), (4, 3))
    features = FeatureSets.of(data, codes, (), buckets=10)
    assert features.even
    assert len(np.unique(features.sets, axis=0)) == data.n_items
    assert features.base == 4 + 3 + data.n_items + 1
    mixed = FeatureSets.of(data, codes, ("group", "tags"), buckets=10)
    assert not mixed.even
    assert len(np.unique(mixed.sets, axis=0)) == data.n_items
    unknown = replace(codes, codes=np.where(np.arange(data.n_items)[:, None] == 5, -1, codes.codes))
    assert np.flatnonzero(~FeatureSets.of(data, unknown, ("group",), buckets=10).known).tolist() == [5]


def test_items_without_an_event_are_recommended_too(data):
    first = data.items.ids[0]
    rest = vt.read_interactions(
        pl.DataFrame({"user_id": data.users.ids.gather(data.user_of), "item_id": data.items.ids.gather(data.events.items), "timestamp": data.events.times}).filter(pl.col("item_id") != first),
        items=data.item_table.frame.with_columns(item_id=data.items.ids), item_kinds={"group": "category", "tags": "categories"},
    )  # fmt: skip
    fitted = vt.ActionPiece(columns=("group", "tags"), beam=100, **SMALL).fit(rest)
    cold = rest.items.encode([first])[0]
    answer = fitted.recommend(rest.queries()[:3], 60, eligible=vt.Eligibility(repeat=True))
    assert (answer.items == cold).any(axis=1).all()
    assert not answer.fallback[answer.items == cold].any()


def test_what_cannot_be_is_refused(data):
    with pytest.raises(ParameterError, match="needs features of items"):
        vt.ActionPiece()
    with pytest.raises(ParameterError, match="multiple of 'heads'"):
        vt.ActionPiece(columns=("group",), heads=3)
    with pytest.raises(DataError, match="price holds numbers"):
        vt.ActionPiece(columns=("price",), **SMALL).fit(data)
    with pytest.raises(DataError, match="needs a table of items"):
        vt.ActionPiece(columns=("group",), **SMALL).fit(vt.testing.synthetic(users=30, items=20, text=False))


def test_order_is_learned():
    """The next item follows the one before: far above popularity."""
    rng = np.random.default_rng(0)
    start, items = rng.integers(0, 40, 200), 40
    log = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(200), 8),
            "item_id": (start[:, None] + np.arange(8)).reshape(-1) % items,
            "timestamp": np.tile(np.arange(8), 200),
        }
    )
    table = pl.DataFrame({"item_id": np.arange(items), "group": [f"g{i // 5}" for i in range(items)]})
    data = vt.read_interactions(log, items=table, item_kinds={"group": "category"})
    split = data.split(vt.split.LeaveOneOut(repeat=True))
    model = vt.ActionPiece(
        columns=("group",),
        dim=32,
        segmentations=2,
        dropout=0.1,
        training=vt.sequence.Training(epochs=25, learning_rate=1e-2, patience=None, tokens=1024),
    )
    found = vt.evaluate.run.evaluate(model.fit(split.train).recommend(split.queries, 5, eligible=split.eligible), split, ["nDCG@5"])
    assert found["nDCG@5"] > 0.8
