"""Many small systems at once against one dense solution after another, in float64."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vitrina.forms.least_squares import CHUNK, Penalty, solved, straightened


def rows_of(rng, count, columns, longest):
    """Random rows of distinct columns: where each begins, and the columns."""
    lengths = rng.integers(0, longest + 1, count)
    chosen = [rng.choice(columns, length, replace=False) for length in lengths]
    return np.append(0, np.cumsum(lengths)), np.concatenate([np.empty(0, np.int32), *chosen]).astype(np.int32)


def oracle(indptr, columns, weights, vectors, size, penalty):
    """The normal equations of each row, as they are written."""
    v = vectors.astype(np.float64)
    c = np.ones(len(columns)) if not len(weights) else weights.astype(np.float64)
    out = np.zeros((len(indptr) - 1, v.shape[1]))
    for row in range(len(out)):
        own = slice(indptr[row], indptr[row + 1])
        if own.stop == own.start:
            continue
        chosen, weight = v[columns[own]], c[own]
        ridge = penalty.l2 * (weight.sum() + penalty.unobserved * size) ** penalty.nu
        left = chosen.T @ (weight[:, None] * chosen) + penalty.unobserved * v.T @ v + ridge * np.eye(v.shape[1])
        out[row] = np.linalg.solve(left, chosen.T @ weight)
    return out


@pytest.mark.parametrize("seed", range(200))
def test_each_row_solves_its_normal_equations(seed):
    rng = np.random.default_rng(seed)
    size, dim = int(rng.integers(1, 80)), int(rng.integers(1, 40))
    vectors = rng.standard_normal((size, dim)).astype(np.float32) * np.float32(rng.choice([0.1, 1, 3]) / np.sqrt(dim))
    squares = straightened(vectors)
    indptr, columns = rows_of(rng, 7, size, size)
    weights = np.empty(0, np.float32) if seed % 2 else rng.choice([0.25, 1, 7.5], len(columns)).astype(np.float32)
    penalty = Penalty(float(rng.choice([0, 0.01, 0.5])), float(rng.choice([0.01, 0.1, 3])), float(rng.choice([0, 0.5, 1])))
    got = solved(indptr, columns, weights, vectors, squares, size, penalty)
    expected = oracle(indptr, columns, weights, vectors, size, penalty)
    assert_allclose(got, expected, atol=3e-4 * max(np.abs(expected).max(), 1e-3))  # some systems have condition numbers of 10,000


def test_a_row_of_more_columns_than_are_gathered_at_once():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4 * CHUNK, 8)).astype(np.float32)
    squares, penalty = straightened(vectors), Penalty(0.1, 0.01, 1)
    indptr, columns = np.array([0, 3 * CHUNK + 5]), rng.permutation(4 * CHUNK)[: 3 * CHUNK + 5].astype(np.int32)
    weights = rng.random(len(columns)).astype(np.float32) + np.float32(0.1)
    got = solved(indptr, columns, weights, vectors, squares, len(vectors), penalty)
    assert_allclose(got, oracle(indptr, columns, weights, vectors, len(vectors), penalty), rtol=1e-4)


def test_a_weight_of_two_is_the_column_twice():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((9, 4)).astype(np.float32)
    squares, penalty = straightened(vectors), Penalty(0.1, 0.5, 1)
    weighed = solved(np.array([0, 2]), np.array([3, 5], np.int32), np.array([2, 1], np.float32), vectors, squares, 9, penalty)
    twice = solved(np.array([0, 3]), np.array([3, 3, 5], np.int32), np.empty(0, np.float32), vectors, squares, 9, penalty)
    assert_allclose(weighed, twice, rtol=1e-5)


def test_straightened_vectors_have_the_products_that_they_had():
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((50, 6)).astype(np.float32)
    before = vectors @ vectors.T
    squares = straightened(vectors)
    assert_allclose(vectors @ vectors.T, before, atol=1e-5)
    assert_allclose(vectors.T @ vectors, np.diag(squares), atol=1e-4)


def test_the_order_in_which_rows_are_taken_changes_nothing():
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((30, 5)).astype(np.float32)
    given = *rows_of(rng, 20, 30, 12), np.empty(0, np.float32), vectors, straightened(vectors), 30, Penalty(0.1, 0.01, 1)
    assert np.array_equal(solved(*given), solved(*given, order=rng.permutation(20).astype(np.int32)))
