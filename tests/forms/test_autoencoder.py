"""The network in NumPy against loops in float64, and the forms that answer by it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

import vitrina as vt
from vitrina.catalogue import Catalogue
from vitrina.forms import Autoencoder, SigmoidProduct
from vitrina.forms.network import Layer, Network
from vitrina.types import Eligibility, Events, Queries

N_ITEMS = 12


def floats(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def network_of(rng, n_items=N_ITEMS, normalise=True):
    """Table, a residual run with norms, a plain layer, and another run."""

    def norm(width):
        return {"scale": floats(rng, width), "shift": floats(rng, width), "eps": 0.1}

    layers = (
        Layer(floats(rng, 5), None, "swish", **norm(5)),
        Layer(floats(rng, 5), floats(rng, 5, 5), "swish", True, **norm(5)),
        Layer(floats(rng, 5), floats(rng, 5, 5), "swish", True, **norm(5)),
        Layer(floats(rng, 3), floats(rng, 5, 3)),
        Layer(floats(rng, 4), floats(rng, 3, 4), "tanh"),
    )
    return Network(floats(rng, n_items, 5), layers, normalise)


def slowly(network, history):
    """Each layer's output for one history, number by number."""
    history = np.asarray(history, np.float64)
    length = np.sqrt(sum(v * v for v in history)) or 1.0
    x = sum(v * network.inputs[i].astype(np.float64) for i, v in enumerate(history)) / (length if network.normalise else 1.0)
    before, out = [], []
    for layer in network.layers:
        x = (x if layer.weights is None else x @ layer.weights.astype(np.float64)) + layer.bias
        if layer.residual:
            x = x + sum(before)
        x = {"none": lambda v: v, "tanh": np.tanh, "swish": lambda v: v / (1 + np.exp(-v))}[layer.activation](x)
        if layer.scale is not None:
            x = layer.scale * (x - x.mean()) / np.sqrt(x.var() + layer.eps) + layer.shift
        before = [*before, x] if layer.residual else [x]
        out.append(x)
    return out


@pytest.mark.parametrize("normalise", [True, False])
def test_layers_are_what_the_loops_say(normalise):
    rng = np.random.default_rng(0)
    for _ in range(200):
        network = network_of(rng, normalise=normalise)
        histories = (rng.random((3, N_ITEMS)) < 0.3) * rng.choice([1, 1, 2], (3, N_ITEMS))
        got = network.outputs(sparse.csr_matrix(histories.astype(np.float32)))
        for q in range(3):
            for layer, expected in zip(got, slowly(network, histories[q]), strict=True):
                assert_allclose(layer[q], expected, rtol=2e-4, atol=2e-5)


@pytest.fixture(scope="module")
def log():
    return vt.testing.synthetic(users=40, items=N_ITEMS, groups=3, mean_length=6)


def form_of(log, seed=1):
    rng = np.random.default_rng(seed)
    vectors = floats(rng, log.n_items, 5)
    vectors[log.catalogue.events == 0] = 0
    return Autoencoder(log.items, log.catalogue, network_of(rng, log.n_items), vectors)


def test_scores_are_the_product_of_state_and_vector(log):
    form, queries = form_of(log), log.queries()
    history = queries.csr().toarray() > 0
    expected = [np.append(slowly(form.network, row)[-1], 1) @ form.vectors.T.astype(np.float64) for row in history]
    assert_allclose(form.score_block(queries), expected, rtol=1e-3, atol=1e-4)
    assert_allclose(form.encode(queries) @ form.item_vectors.T, form.score_block(queries), rtol=1e-5, atol=1e-5)


def test_an_item_counts_once_with_the_largest_of_its_weights(log):
    form = form_of(log)
    one = vt.Queries.of_histories(log.items, [["i1", "i2"]])
    again = vt.Queries.of_histories(log.items, [["i1", "i2", "i1", "i1"]])
    assert_allclose(form.score_block(one), form.score_block(again), rtol=1e-6)
    codes = log.items.encode(["i1", "i2", "i1"]).astype(np.int32)
    weighted = Queries(
        Events(codes, weights=np.array([1, 2, 3], np.float32)), np.array([0]), np.array([3]), log.items, np.array([-1], np.int32)
    )
    history = np.zeros(log.n_items)
    history[codes[:2]] = 3, 2
    expected = np.append(slowly(form.network, history)[-1], 1) @ form.vectors.T.astype(np.float64)
    assert_allclose(form.score_block(weighted)[0], expected, rtol=1e-3, atol=1e-4)


def test_who_has_no_known_item_gets_popularity_and_an_item_without_a_vector_no_score(log):
    form = form_of(log)
    form.vectors[3] = 0  # before anybody asked
    queries = vt.Queries.of_histories(log.items, [[], ["i3"], ["i3", "i4"], ["i4"]])
    scores = form.score_block(queries)
    assert np.isneginf(scores[:2]).all()
    assert not form.encode(queries)[:2].any()
    assert np.isneginf(scores[2:, 3]).all()
    assert_allclose(np.delete(scores[2], 3), np.delete(scores[3], 3), rtol=1e-6)  # nor does it change the history
    assert form.recommend(queries, k=5).fallback[:2].all()


def test_similar_items_are_by_cosine_without_the_bias(log):
    form = form_of(log)
    vectors = form.vectors[:, :-1].astype(np.float64)
    cosines = vectors @ vectors[4] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[4])
    order = [i for i in np.argsort(-cosines) if i != 4]
    assert form.similar_items(["i4"], k=5).items[0].tolist() == order[:5]


def test_a_product_of_sigmoids_is_what_the_loops_say(log):
    rng = np.random.default_rng(3)
    network = network_of(rng, log.n_items, normalise=False)
    vectors, linear = (floats(rng, log.n_items, 5), floats(rng, log.n_items, 4)), floats(rng, log.n_items, 2)
    form = SigmoidProduct(log.items, log.catalogue, network, (4, 3), vectors, linear)
    queries = log.queries()
    form = SigmoidProduct(log.items, log.catalogue, network, (4, 3), (vectors[0], vectors[1][:, :4].copy()), linear)
    scores = form.score_block(queries)
    a = linear.astype(np.float64)
    to = a @ a.T
    np.fill_diagonal(to, 0)
    for q, history in enumerate(queries.csr().toarray() > 0):
        out = slowly(network, history)
        logits = [np.append(out[4], 1) @ vectors[0].T, np.append(out[3], 1) @ vectors[1][:, :4].T, history.astype(float) @ to]
        assert_allclose(scores[q], sum(np.log(1 / (1 + np.exp(-x))) for x in logits), rtol=2e-3, atol=1e-4)
    assert form.recommend(queries, 3, eligible=Eligibility(repeat=True)).items.shape == (40, 3)
    assert type(form).of_state(form.state(), log.items, log.catalogue).score_block(queries).tolist() == scores.tolist()


def test_logits_that_a_float_cant_raise_keep_their_order():
    catalogue = Catalogue(np.ones(3, np.int64), np.ones(3, np.int64), 3)
    vocabulary = vt.Vocabulary.of(["a", "b", "c"])
    network = Network(np.eye(3, 1, dtype=np.float32), (Layer(np.zeros(1, np.float32)),), normalise=False)
    vectors = np.array([[-200, 0], [-300, 0], [-150, 0]], np.float32)
    form = SigmoidProduct(vocabulary, catalogue, network, (0,), (vectors,), np.ones((3, 1), np.float32))
    answer = form.recommend(vt.Queries.of_histories(vocabulary, [["a"]]), 3, eligible=Eligibility(repeat=True))
    assert answer.items.tolist() == [[2, 0, 1]]
