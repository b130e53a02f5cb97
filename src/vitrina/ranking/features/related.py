"""Relations between items, as fitted models have them, and the sums and maxima of a candidate's relations to the events of a history."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.catalogue import unit_rows
from vitrina.forms.itemmap import ItemMap
from vitrina.forms.reading import History
from vitrina.protocols import Encoder
from vitrina.types import Float32, Ragged


def relation_of(recommender: Any) -> dict[str, Any] | None:
    """The weights from item to item, or the items' vectors of length 1, as arrays; None where a model has neither.

    Dense weights are "weights" and "row_of"; dense vectors "vectors" and "known"; sparse weights "indptr", "indices", "data"; sparse vectors the same and "terms",
    how many there are.
    """
    if isinstance(recommender, ItemMap):
        if isinstance(recommender.weight_from_to, np.ndarray):
            return {"weights": recommender.weight_from_to, "row_of": recommender.row_of}
        return _sparse(recommender.weight_from_to)
    if not isinstance(recommender, Encoder):
        return None
    vectors = recommender.item_vectors
    if isinstance(vectors, np.ndarray):
        return {"vectors": unit_rows(vectors), "known": np.any(vectors != 0, axis=1)}
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    scaled = sparse.diags_array(np.divide(1, norms, out=np.zeros(len(norms)), where=norms > 0)) @ vectors
    return _sparse(sparse.csr_matrix(scaled)) | {"terms": np.array(vectors.get_shape()[1])}


def _sparse(matrix: sparse.csr_matrix) -> dict[str, Any]:
    return {"indptr": matrix.indptr.astype(np.int64), "indices": matrix.indices.astype(np.int32), "data": matrix.data.astype(np.float32)}


def put_together(relation: Arrays, history: History, candidates: Ragged, total: Float32, largest: Float32) -> None:
    """Write the weighted sum (pairs,) of each candidate's relations to the events of its query, and the largest of the terms; 0 where it has none.

    Args:
        relation: what `relation_of` gave.
        history: the events of each query and their weights.
        candidates: codes, a row per query.
    """
    rest = *history, candidates.indptr, candidates.values
    total[:], largest[:] = 0, -np.inf
    if "weights" in relation:
        _dense_weights(len(candidates), *rest, relation["weights"], relation["row_of"], total, largest)
    elif "vectors" in relation:
        _dense_vectors(len(candidates), *rest, relation["vectors"], relation["known"], total, largest)
    elif "terms" in relation:
        arrays = relation["indptr"], relation["indices"], relation["data"], int(relation["terms"])
        _sparse_vectors(len(candidates), *rest, *arrays, total, largest)
    else:
        _sparse_weights(len(candidates), *rest, relation["indptr"], relation["indices"], relation["data"], total, largest)
    largest[np.isneginf(largest)] = 0


@Spread
def _sparse_weights(
    first, last, start, counts, items, weights, indptr, codes, row_indptr, indices, data, total, largest
):  # fmt: skip  # pragma: no cover
    place = np.full(len(row_indptr) - 1, -1, np.int32)
    for q in range(first, last):
        for at in range(indptr[q], indptr[q + 1]):
            place[codes[at]] = at - indptr[q]
        for h in range(start[q], start[q] + counts[q]):
            for n in range(row_indptr[items[h]], row_indptr[items[h] + 1]):
                spot = place[indices[n]]
                if spot >= 0:
                    at, term = indptr[q] + spot, np.float32(weights[h] * data[n])
                    total[at] += term
                    largest[at] = max(largest[at], term)
        for at in range(indptr[q], indptr[q + 1]):
            place[codes[at]] = -1


@Spread
def _dense_weights(first, last, start, counts, items, weights, indptr, codes, matrix, row_of, total, largest):  # pragma: no cover
    for q in range(first, last):
        for h in range(start[q], start[q] + counts[q]):
            if row_of[items[h]] < 0:
                continue
            row = matrix[row_of[items[h]]]
            for at in range(indptr[q], indptr[q + 1]):
                column = row_of[codes[at]]
                if column >= 0:
                    term = np.float32(weights[h] * row[column])
                    total[at] += term
                    largest[at] = max(largest[at], term)


@Spread
def _dense_vectors(first, last, start, counts, items, weights, indptr, codes, vectors, known, total, largest):  # pragma: no cover
    for q in range(first, last):
        begin, length = start[q], counts[q]
        if not length or indptr[q] == indptr[q + 1]:
            continue
        events, candidates = items[begin : begin + length], codes[indptr[q] : indptr[q + 1]]
        cosines = np.dot(vectors[events], vectors[candidates].T)
        for h in range(length):
            if not known[events[h]]:
                continue
            for c in range(len(candidates)):
                if known[candidates[c]] and candidates[c] != events[h]:
                    at, term = indptr[q] + c, np.float32(weights[begin + h] * cosines[h, c])
                    total[at] += term
                    largest[at] = max(largest[at], term)


@Spread
def _sparse_vectors(
    first, last, start, counts, items, weights, indptr, codes, row_indptr, terms, data, n_terms, total, largest
):  # fmt: skip  # pragma: no cover
    """The events of a query by term, as lists that are linked: a candidate meets only those that share a term with it."""
    head = np.full(n_terms, -1, np.int64)
    for q in range(first, last):
        begin, length, entries = start[q], counts[q], 0
        for h in range(begin, begin + length):
            entries += row_indptr[items[h] + 1] - row_indptr[items[h]]
        after, event, value, filled = np.empty(entries, np.int64), np.empty(entries, np.int64), np.empty(entries, np.float32), 0
        for h in range(length):
            for n in range(row_indptr[items[begin + h]], row_indptr[items[begin + h] + 1]):
                after[filled], event[filled], value[filled] = head[terms[n]], h, data[n]
                head[terms[n]] = filled
                filled += 1
        cosine, met = np.zeros(length, np.float32), np.zeros(length, np.bool_)
        for at in range(indptr[q], indptr[q + 1]):
            cosine[:], met[:] = 0, False
            for n in range(row_indptr[codes[at]], row_indptr[codes[at] + 1]):
                entry = head[terms[n]]
                while entry >= 0:
                    cosine[event[entry]] += data[n] * value[entry]
                    met[event[entry]] = True
                    entry = after[entry]
            for h in range(length):
                if met[h] and items[begin + h] != codes[at]:
                    term = np.float32(weights[begin + h] * cosine[h])
                    total[at] += term
                    largest[at] = max(largest[at], term)
        for h in range(begin, begin + length):
            for n in range(row_indptr[items[h]], row_indptr[items[h] + 1]):
                head[terms[n]] = -1
