"""LightGCN: what the graph spreads against dense matrices, the losses against plain sums, and the fold-in of who asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError

torch = pytest.importorskip("torch")

from vitrina.models.entries import entries_of  # noqa: E402
from vitrina.models.graph.base import Step  # noqa: E402  after PyTorch is known to be there
from vitrina.models.graph.steps import Graph, Pairs, _loss, mean_of  # noqa: E402
from vitrina.models.graph_filter import normalise  # noqa: E402

CPU = torch.device("cpu")


def dense_layers(normal: np.ndarray, people: np.ndarray, items: np.ndarray, layers: int) -> list[np.ndarray]:
    """Powers of the whole adjacency matrix in float64."""
    n = len(people)
    adjacency = np.block([[np.zeros((n, n)), normal], [normal.T, np.zeros((len(items), len(items)))]])
    out = [np.vstack([people, items]).astype(np.float64)]
    for _ in range(layers):
        out.append(adjacency @ out[-1])
    return out


def random_graph(rng: np.random.Generator) -> tuple[vt.Dataset, np.ndarray]:
    """A log in which everybody has something, and its normalised matrix."""
    people, items = int(rng.integers(3, 15)), int(rng.integers(3, 12))
    r = (rng.random((people, items)) < 0.4).astype(float)
    r[np.arange(people), rng.integers(0, items, people)] = 1
    users, codes = np.nonzero(r)
    table = pl.DataFrame({"user": [f"u{u:02}" for u in users], "item": [f"i{i:02}" for i in codes]})
    data = vt.read_interactions(table, user="user", item="item")
    r = data.csr().toarray().astype(float)
    return data, r / np.sqrt(r.sum(1))[:, None] / np.sqrt(r.sum(0))


@pytest.mark.parametrize("seed", range(200))
def test_the_graph_spreads_as_powers_of_the_adjacency_matrix(seed):
    rng = np.random.default_rng(seed)
    data, normal = random_graph(rng)
    entries = entries_of(data)
    normalise(entries)
    people, items = (torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32)) for n in normal.shape)
    layers = int(rng.integers(1, 5))
    found = Graph.of(entries, CPU).layers(people, items, layers)
    expected = dense_layers(normal, people.numpy(), items.numpy(), layers)
    for (p, i), both in zip(found, expected, strict=True):
        assert np.allclose(np.vstack([p, i]), both, atol=1e-5)
    assert np.allclose(np.vstack(mean_of(found)), np.mean(expected, axis=0), atol=1e-5)


def test_the_gradient_is_that_of_dense_products():
    rng = np.random.default_rng(3)
    data, normal = random_graph(rng)
    entries = entries_of(data)
    normalise(entries)
    tables = [torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32)).requires_grad_() for n in normal.shape]
    mean_of(Graph.of(entries, CPU).layers(*tables, 2))[0].square().sum().backward()
    doubles = [table.detach().double().requires_grad_() for table in tables]
    matrix = torch.from_numpy(normal)
    first = matrix @ doubles[1]
    ((doubles[0] + first + matrix @ (matrix.T @ doubles[0])) / 3).square().sum().backward()
    for table, double in zip(tables, doubles, strict=True):
        assert torch.allclose(table.grad.double(), double.grad, atol=1e-5)


def test_who_asks_is_a_person_of_the_graph_without_an_own_vector():
    data = vt.testing.synthetic(users=40, items=20, seed=1)
    model = vt.LightGCN(dim=6, epochs=2, layers=3)
    layers, _ = model.spread(data)
    r = data.csr().toarray().astype(float)
    degrees = np.maximum(r.sum(0), 1)
    mean = np.mean([items for _, items in layers], axis=0)
    scores = model.fit(data).score(data.queries(), np.arange(20, dtype=np.int32))
    for person in range(len(r)):
        own = r[person] / np.sqrt(r[person].sum()) / np.sqrt(degrees)
        folded = sum(own @ items for _, items in layers[:-1]) / len(layers)
        expected = mean @ folded * np.sqrt(r[person].sum())  # of the length of the history nothing hangs but the scale
        known = np.isfinite(scores[person])
        assert np.allclose(scores[person][known], expected[known], atol=1e-5)
        rest = np.mean([people[person] for people, _ in layers], axis=0) - layers[0][0][person] / len(layers)
        assert np.allclose(rest, folded, atol=1e-5)  # what a known person's vector is beside the trained one


def step_of(rng: np.random.Generator) -> Step:
    people, items = (torch.from_numpy(rng.standard_normal((n, 4)).astype(np.float32)) for n in (5, 7))
    users, positives, negatives, others = (torch.from_numpy(rng.integers(0, n, 6)) for n in (5, 7, 7, 7))
    return Step(people, items, users, positives, negatives, others, lambda noise: (people + noise, items - noise))


@pytest.mark.parametrize("seed", range(20))
def test_losses_are_their_formulas(seed):
    step = step_of(np.random.default_rng(seed))
    people, items = step.people.double().numpy(), step.items.double().numpy()
    pairs = list(zip(step.users.tolist(), step.positives.tolist(), step.negatives.tolist(), strict=True))
    ranking = np.mean([np.log1p(np.exp(people[u] @ (items[n] - items[p]))) for u, p, n in pairs])
    assert np.isclose(float(vt.graph.Pairwise().of(step)), ranking, rtol=1e-5)

    def contrast(one, codes):  # both views are the same here, as the noise is a number that moves both alike
        unit = one[codes] / np.linalg.norm(one[codes], axis=1)[:, None]
        e = np.exp(unit @ unit.T / 0.5)
        return np.mean(-np.log(np.diag(e) / e.sum(1)))

    both = contrast(people + 0.1, sorted(set(step.users.tolist()))) + contrast(items - 0.1, sorted(set(step.positives.tolist())))
    assert np.isclose(float(vt.graph.SimGCL(weight=0.3, temperature=0.5).of(step)), ranking + 0.3 * both, rtol=1e-4)


class Told(vt.graph.GraphLoss):
    """Keeps what it is shown."""

    def of(self, step: Step):
        STEPS.append(step)
        return vt.graph.Pairwise().of(step)


STEPS: list[Step] = []


@pytest.mark.parametrize("l2", [0, 0.3])
def test_the_loss_of_a_batch_has_the_squares_of_its_first_vectors(l2):
    rng = np.random.default_rng(5)
    data, normal = random_graph(rng)
    entries = entries_of(data)
    normalise(entries)
    tables = [torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32)) for n in normal.shape]
    batch = [torch.from_numpy(rng.integers(0, n, 4)) for n in (len(normal), *[normal.shape[1]] * 3)]
    found = float(_loss(vt.LightGCN(dim=3, layers=2, l2=l2, loss=Told()), Graph.of(entries, CPU), tables, batch, None))
    layers, n = dense_layers(normal, tables[0].numpy(), tables[1].numpy(), 2), len(normal)
    mean, (first, *rest) = np.mean(layers, axis=0), layers
    users, positives, negatives, _ = (part.numpy() for part in batch)
    ahead = (mean[users] * (mean[n + positives] - mean[n + negatives])).sum(axis=1)
    squares = sum((first[rows] ** 2).sum() for rows in (users, n + positives, n + negatives))
    assert np.isclose(found, np.log1p(np.exp(-ahead)).mean() + l2 / 2 * squares / 4, rtol=1e-5)
    assert np.allclose(np.vstack(STEPS[-1].view(0.0)), np.mean(rest, axis=0), atol=1e-5)  # a view is without the first vectors


def test_noise_moves_each_vector_of_a_layer_by_its_length_in_its_own_orthant():
    rng = np.random.default_rng(6)
    data, normal = random_graph(rng)
    entries = entries_of(data)
    normalise(entries)
    tables = [torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32)) for n in normal.shape]
    graph = Graph.of(entries, CPU)
    plain, moved = graph.layers(*tables, 1), graph.layers(*tables, 1, 0.25)
    for before, after in zip(plain[1], moved[1], strict=True):
        step = (after - before).numpy()
        assert np.allclose(np.linalg.norm(step, axis=1), 0.25, rtol=1e-4)
        assert (step * before.numpy() >= 0).all()
    assert all(torch.equal(a, b) for a, b in zip(plain[0], moved[0], strict=True))


@pytest.mark.parametrize("become", ["positive", "left out"])
def test_negatives_like_the_history_are_labelled_anew(become):
    table = pl.DataFrame({"item": ["tea", "green tea", "milk", "soap"], "words": ["hot leaf", "hot leaf", "cold white", "clean"]})
    log = pl.DataFrame({"user": ["a", "a", "b", "b", "c"], "item": ["tea", "milk", "soap", "milk", "green tea"]})
    data = vt.read_interactions(log, user="user", item="item", items=table)
    code = {name: int(c) for name, c in zip(table["item"], data.items.encode(table["item"].to_list()), strict=True)}
    loss = vt.graph.Relabelled(quantile=0.5, become=become, columns=("words",))
    entries = entries_of(data)
    step = replace(
        step_of(np.random.default_rng(0)), users=torch.tensor([0, 0]), positives=torch.tensor([code["milk"]] * 2),
        negatives=torch.tensor([code["green tea"], code["soap"]]), others=torch.tensor([code["soap"]] * 2),
        prepared=loss.prepared(data, entries, np.arange(4, dtype=np.int32)),
    )  # fmt: skip
    people, items = step.people.double().numpy(), step.items.double().numpy()

    def cost(positive: str, negative: str) -> float:
        return float(np.log1p(np.exp(people[0] @ (items[code[negative]] - items[code[positive]]))))

    terms = [cost("milk", "soap"), cost("milk", "soap")] + ([cost("green tea", "soap")] if become == "positive" else [])
    assert np.isclose(float(loss.of(step)), np.mean(terms), rtol=1e-5)


def test_negatives_are_not_what_the_person_took():
    data = vt.testing.synthetic(users=50, items=30, seed=2)
    entries = entries_of(data)
    taken = entries.toarray() > 0
    for users, positives, negatives, others in Pairs.of(entries).batches(64, np.random.default_rng(0)):
        assert taken[users, positives].all()
        assert taken[users, negatives].mean() < 0.02
        assert taken[users, others].mean() < 0.02


def test_training_finds_planted_groups():
    data = vt.testing.synthetic(users=200, items=40, groups=4, seed=3)
    split = data.split(vt.split.LeaveOneOut())
    found = [
        vt.evaluate.evaluate(model.fit(split.train).recommend(split.queries, 10), split, ["nDCG@10"]).numbers["value"][0]
        for model in (vt.LightGCN(dim=16, epochs=15, learning_rate=0.02), vt.Popularity())
    ]
    assert found[0] > 1.3 * found[1]


def test_what_can_not_be_is_refused():
    data = vt.testing.toy()
    with pytest.raises(DataError, match="LightGCN needs events to learn from"):
        vt.LightGCN().fit(data.select(np.zeros(data.n_events, bool)))
    bare = replace(data, item_table=None)
    with pytest.raises(DataError, match=r"Relabelled\(\) needs a table of items"):
        vt.LightGCN(loss=vt.graph.Relabelled(), epochs=1).fit(bare)
    with pytest.raises(ParameterError, match="'quantile' parameter of Relabelled"):
        vt.graph.Relabelled(quantile=1)
