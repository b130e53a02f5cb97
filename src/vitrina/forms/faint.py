"""Scores of histories with events so old that float32 can't hold what is left of them: the same sums, in levels.

Much slower than the kernels for plain weights, so only the queries that need it come here.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from vitrina.base.kernels import kernel
from vitrina.forms.levels import dense_scores, log1p_of, plus, times, weights_of
from vitrina.types import Float32, Float64, Int32, Int64


def mapped(start: Int64, counts: Int64, items: Int32, levels: Float32 | Float64, weight_from_to: sparse.csr_matrix, code: int) -> Float32:
    """(queries, items) scores of an item map. The history of query q is items[start[q]:start[q] + counts[q]], each with its level.

    Args:
        weight_from_to: (items, items), not negative.
        code: how weights are combined, of `vitrina.forms.combine`.
    """
    m = weight_from_to
    out = np.full((len(start), m.get_shape()[1]), -np.inf)
    _map(start, counts, items, levels, m.indptr, m.indices, m.data, code, out)
    return dense_scores(out)


@kernel
def _map(start, counts, items, levels, indptr, indices, data, code, out):  # pragma: no cover
    for q in range(len(start)):
        for h in range(start[q], start[q] + counts[q]):
            for at in range(indptr[items[h]], indptr[items[h] + 1]):
                to, term = indices[at], times(levels[h], data[at])
                if code == 1:
                    out[q, to] = max(out[q, to], term)
                else:
                    out[q, to] = plus(out[q, to], log1p_of(term) if code == 2 else term)


def cosines(indptr: Int64, items: Int32, levels: Float64, vectors: sparse.csr_matrix) -> Float32:
    """(queries, items) cosine of each item's vector and the sum of those of a history, times the weights of the events.

    Args:
        indptr: (queries + 1,) where each history begins in `items` and their `levels`.
        vectors: (items, dim), not negative, rows of length 1.
    """
    v, queries = vectors, len(indptr) - 1
    profile = np.full((queries, v.get_shape()[1]), -np.inf)
    _profile(indptr, items, levels, v.indptr, v.indices, v.data, profile)
    largest = np.floor(profile.max(axis=1, keepdims=True, initial=-np.inf))
    profile -= np.where(np.isfinite(largest), largest, 0)
    norms = np.sqrt((np.where(np.isfinite(profile), weights_of(np.where(np.isfinite(profile), profile, 0)), 0) ** 2).sum(axis=1))
    out = np.full((queries, len(v.indptr) - 1), -np.inf)
    _dot(profile, 1 / np.maximum(norms, 1e-300), v.indptr, v.indices, v.data, out)
    return dense_scores(out)


@kernel
def _profile(bounds, items, levels, indptr, indices, data, out):  # pragma: no cover
    for q in range(len(out)):
        for h in range(bounds[q], bounds[q + 1]):
            for at in range(indptr[items[h]], indptr[items[h] + 1]):
                out[q, indices[at]] = plus(out[q, indices[at]], times(levels[h], data[at]))


@kernel
def _dot(profile, factors, indptr, indices, data, out):  # pragma: no cover
    for q in range(len(out)):
        for item in range(out.shape[1]):
            for at in range(indptr[item], indptr[item + 1]):
                out[q, item] = plus(out[q, item], times(profile[q, indices[at]], data[at] * factors[q]))
