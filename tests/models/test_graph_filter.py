"""GF-CF and Turbo-CF against their dense formulas in float64; singular vectors against those of LAPACK."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.linalg import expm

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.data.sharded import held
from vitrina.models import spectrum
from vitrina.models.spectrum import right_singular


def weights_by_hand(r: np.ndarray, dim: int, alpha: float, sharpening: float) -> np.ndarray:
    """(items, items) by the formula, in float64 and with nothing left out."""
    of_people, of_items = r.sum(1), r.sum(0)
    known = of_items > 0
    inverse = np.where(known, 1 / np.sqrt(np.where(known, of_items, 1)), 0)
    normal = r / np.sqrt(of_people)[:, None] * inverse
    _, values, right = np.linalg.svd(normal, full_matrices=False)
    found = min(dim, int((values > 1e-9).sum()))
    v, squares = right[:found].T, values[:found] ** 2
    smooth = normal.T @ normal + alpha * np.diag(inverse) @ v @ v.T @ np.diag(np.sqrt(of_items))
    return smooth @ expm(-sharpening * v @ np.diag(squares) @ v.T)


def random_log(rng: np.random.Generator, *, weighted: bool = False) -> tuple[vt.Dataset, np.ndarray]:
    """A log whose entries are given, and its matrix; each person has something, some items may have nothing."""
    people, items = int(rng.integers(3, 30)), int(rng.integers(2, 20))
    r = (rng.random((people, items)) < rng.uniform(0.1, 0.6)).astype(float)
    r[np.arange(people), rng.integers(0, items, people)] = 1
    if weighted:
        r *= rng.uniform(0.2, 3, r.shape).astype(np.float32)
    users, codes = np.nonzero(r)
    weights = {"weights": r[users, codes].astype(np.float32)} if weighted else {}
    events = vt.types.Events(codes.astype(np.int32), **weights)
    indptr = np.append(0, np.cumsum(np.bincount(users, minlength=people)))
    vocabulary = vt.Vocabulary.of([f"i{i}" for i in range(items)])
    data = vt.Dataset(events, indptr, vt.Vocabulary.of([f"u{u}" for u in range(people)]), vocabulary)
    return data, r


def log_of(columns: dict) -> vt.Dataset:
    return vt.read_interactions(pl.DataFrame(columns), user="user", item="item")


def scores(fitted, data: vt.Dataset) -> np.ndarray:
    return np.asarray(fitted.score(data.queries(), np.arange(data.n_items, dtype=np.int32)), float)


@pytest.mark.parametrize("seed", range(200))
def test_scores_are_those_of_the_dense_formula(seed):
    rng = np.random.default_rng(seed)
    data, r = random_log(rng, weighted=seed % 4 == 3)
    alpha, sharpening = float(rng.choice([0, 0.3, 1])), float(rng.choice([0, 0.5, 2.5]))
    dim = 200  # all of them: where values are equal, some of their vectors are anybody's choice
    found = scores(vt.GFCF(dim=dim, alpha=alpha, sharpening=sharpening).fit(data), data)
    expected = r @ weights_by_hand(r, dim, alpha, sharpening)
    scored = np.isfinite(found)
    assert np.allclose(found[scored], expected[scored], rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert np.allclose(expected[~scored], 0, atol=1e-9)


@pytest.mark.parametrize("dim", [1, 4, 10])
def test_only_the_strongest_vectors_are_taken(dim):
    data = vt.testing.synthetic(users=80, items=30, seed=2)
    r = data.csr().toarray().astype(float)
    found = scores(vt.GFCF(dim=dim, alpha=0.5, sharpening=1.5).fit(data), data)
    expected = r @ weights_by_hand(r, dim, 0.5, 1.5)
    scored = np.isfinite(found)
    assert np.allclose(found[scored], expected[scored], rtol=1e-4, atol=1e-5)


def test_without_a_filter_what_no_shared_person_leads_to_has_no_score():
    log = log_of({"user": ["a", "a", "b"], "item": ["tea", "milk", "rice"]})
    fitted = vt.GFCF(alpha=0, sharpening=0).fit(log)
    rice = int(log.items.encode(["rice"])[0])
    answer = scores(fitted, log)
    assert np.isneginf(answer[0, rice])
    assert np.isfinite(np.delete(answer[0], rice)).all()


def test_shards_give_the_same_weights():
    data = vt.testing.synthetic(users=60, items=25, seed=4)
    model = vt.GFCF(dim=5, sharpening=1)
    one, three = model.fit(data), model.fit(held(data, 3))
    for left, right in zip(one.paths, three.paths, strict=True):
        for f, g in zip(left.factors, right.factors, strict=True):
            assert np.array_equal(f, g) if isinstance(f, np.ndarray) else (f != g).nnz == 0


def test_an_item_twice_counts_once():
    once = log_of({"user": ["a", "a", "b"], "item": ["tea", "milk", "tea"]})
    twice = log_of({"user": ["a", "a", "a", "b"], "item": ["tea", "milk", "tea", "tea"]})
    assert np.array_equal(scores(vt.GFCF(dim=2).fit(once), once), scores(vt.GFCF(dim=2).fit(twice), twice))


def test_a_log_without_events_is_refused():
    data = vt.testing.toy()
    with pytest.raises(DataError, match="GFCF needs events to learn from"):
        vt.GFCF().fit(data.select(np.zeros(data.n_events, bool)))


def planted(rng: np.random.Generator, rows: int, columns: int, rank: int) -> sparse.csr_matrix:
    """A sparse matrix with strong directions: people of a group take the items of the group."""
    matrix = sparse.random(rows, columns, 0.05, random_state=rng, dtype=np.float32).tolil()
    for group in range(rank):
        matrix[group * 20 : group * 20 + 20, group * 10 : group * 10 + 10] = 1 + 0.1 * group
    return sparse.csr_matrix(matrix)


def test_lanczos_finds_the_strong_directions(monkeypatch):
    monkeypatch.setattr(spectrum, "EXACT", 0)
    monkeypatch.setattr(spectrum, "BLOCK", 4)
    monkeypatch.setattr(spectrum, "REACH", 12)
    matrix = planted(np.random.default_rng(0), 300, 150, 6)
    start = np.random.default_rng(1).standard_normal((150, 4)).astype(np.float32)
    values, vectors = right_singular(matrix, 6, start)
    _, true, right = np.linalg.svd(matrix.toarray().astype(float), full_matrices=False)
    assert np.allclose(values, true[:6], rtol=1e-4)
    assert np.allclose(vectors @ vectors.T, right[:6].T @ right[:6], atol=1e-2)
    again, _ = right_singular(matrix, 6, start)
    assert np.array_equal(values, again)


def test_there_are_no_more_vectors_than_the_rank():
    matrix = sparse.csr_matrix(np.outer([1.0, 2, 3], [1.0, 1, 0, 2]).astype(np.float32))
    values, vectors = right_singular(matrix, 4, np.ones((4, 32), np.float32))
    assert values.shape == (1,)
    assert vectors.shape == (4, 1)


@pytest.mark.parametrize("seed", range(200))
def test_turbo_cf_is_its_dense_polynomial(seed):
    rng = np.random.default_rng(seed)
    data, r = random_log(rng, weighted=seed % 4 == 3)
    asymmetry, power, neighbours = float(rng.uniform(0, 1)), float(rng.uniform(0.5, 2)), int(rng.choice([3, 100]))
    coefficients = tuple(rng.uniform(0.1, 1, int(rng.integers(1, 4))).tolist())
    of_items = np.where(r.sum(0) > 0, r.sum(0), 1)
    normal = r * (r.sum(1) ** -asymmetry)[:, None] * of_items ** (asymmetry - 1)
    graph = normal.T @ normal
    if neighbours < len(graph):
        smallest = -np.sort(-graph, axis=1)[:, [neighbours - 1]]
        if any(len(np.unique(row[row > 0].round(6))) < (row > 0).sum() for row in graph):
            return  # ties, which rounding breaks
        graph = np.where(graph >= smallest, graph, 0)
    graph = np.where(graph > 0, np.where(graph > 0, graph, 1) ** power, 0)
    expected = r @ sum(c * np.linalg.matrix_power(graph, order) for order, c in enumerate(coefficients, 1))
    fitted = vt.TurboCF(asymmetry=asymmetry, power=power, coefficients=coefficients, neighbours=neighbours).fit(data)
    found = scores(fitted, data)
    scored = np.isfinite(found)
    assert np.allclose(found[scored], expected[scored], rtol=1e-4)
    assert np.allclose(expected[~scored], 0)
