"""The fitted form of item-to-item models: a history through weights from its items to all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

import numpy as np
from scipy import sparse

from vitrina.base.config import parameters_of
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.forms.faint import mapped
from vitrina.forms.history import known_only
from vitrina.forms.levels import DEEP
from vitrina.forms.matrices import sparse_arrays, sparse_of_arrays
from vitrina.forms.reading import History, Reading
from vitrina.retrieve.top_k import block_size, top_k_ragged
from vitrina.types import Bool, Eligibility, Float32, Int32, Int64, Queries, Ragged, Recommendations, cuts
from vitrina.vocabulary import Vocabulary

CANDIDATES = 1 << 22  # a block: 32 MB of items and scores


@final
@dataclass(frozen=True, eq=False)
class Basis:
    """What a later fit goes on from, and answers don't need.

    Args:
        until: the time of the last event of the fit.
        digest: of the rows of the people (`vitrina.models.news.digest`).
        diagonal: (kept,) float32, of the inverse matrix behind dense weights; empty for others.
        pairs: (items, items) how many people took both; None for others.
    """

    until: int
    digest: int
    diagonal: Float32 = field(default_factory=lambda: np.empty(0, np.float32))
    pairs: sparse.csr_matrix | None = None

    def arrays(self) -> dict[str, Any]:
        """What an artifact keeps of it."""
        pairs = {} if self.pairs is None else {f"pairs_{name}": array for name, array in sparse_arrays(self.pairs).items()}
        return {"until": np.array([self.until]), "digest": np.array([self.digest], np.uint64), "diagonal": self.diagonal} | pairs

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Basis | None:
        if "until" not in arrays:
            return None
        pairs = {name.removeprefix("pairs_"): array for name, array in arrays.items() if name.startswith("pairs_")}
        return cls(int(arrays["until"][0]), int(arrays["digest"][0]), arrays["diagonal"], sparse_of_arrays(pairs) if pairs else None)


@final
@dataclass(frozen=True, eq=False, repr=False)
class ItemMap(Form):
    """score[j] = the combined weights from the history's items to j; -inf for items that nothing in the history points to.

    Weights are sparse (each item's nearest ones), or a dense square over the items in `kept`, row = from, column = to.

    Cost: a query costs history x neighbours, or history x items with dense weights; where it follows one whose history its own begins
    with, only what is new in the history. Memory beside the weights, whatever
    the number of queries: sparse 32 MB of candidates and 12 bytes x items x threads; dense a block of scores of 16 MB.

    Args:
        weight_from_to: (items, items) float32 CSR (float64 where float32 can't hold it), or (kept, kept) float32.
        kept: item codes of the rows and columns of dense weights, ascending; empty with sparse weights.
        reading: how the history is read and combined.
        basis: what a later fit goes on from; None where none can.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    weight_from_to: sparse.csr_matrix | Float32
    kept: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    reading: Reading = field(default_factory=Reading)
    basis: Basis | None = None

    @property
    def is_dense(self) -> bool:
        return isinstance(self.weight_from_to, np.ndarray)

    @cached_property
    def row_of(self) -> Int32:
        """(items,) row of each item in dense weights, -1 for those not kept."""
        rows = np.full(len(self.vocabulary), -1, np.int32)
        rows[self.kept] = np.arange(len(self.kept), dtype=np.int32)
        return rows

    def queries_per_block(self) -> int:
        return block_size(len(self.vocabulary)) if self.is_dense else SPARSE_QUERIES

    def score_block(self, queries: Queries) -> Float32:
        out = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        history, code = self.reading.read(queries, len(self.vocabulary)), self.reading.combine.code
        if isinstance(self.weight_from_to, np.ndarray):
            _score_dense(len(queries), *history, self.weight_from_to, self.kept, self.row_of, code, out)
        else:
            m = self.weight_from_to
            _score_sparse(len(queries), *history, m.indptr, m.indices, m.data, code, out)
            faint = self._faint(queries)
            if faint.any():
                out[faint] = mapped(*self.reading.read_levels(queries[faint], len(self.vocabulary)), m, code)
        return out

    @cached_property
    def _smallest(self) -> tuple[float, Bool]:
        """The binary logarithm of the smallest weight that float32 holds, at most 0, and the (items,) that have smaller ones."""
        data = self._sparse.data
        tiny = data < 2.0**-DEEP
        rows = np.zeros(len(self.vocabulary), bool)
        rows[np.searchsorted(self._sparse.indptr, np.flatnonzero(tiny & (data > 0)), side="right") - 1] = True
        return float(np.log2(data.min(initial=1, where=~tiny))), rows

    @cached_property
    def _has_negative(self) -> bool:
        return bool(self._sparse.data.min(initial=0) < 0)

    def _faint(self, queries: Queries) -> Bool:
        """(queries,) whose scores may not fit into float32."""
        if self._has_negative:
            return np.zeros(len(queries), bool)
        smallest, rows = self._smallest
        deep = self.reading.faint(queries, DEEP + smallest)
        if rows.any():
            known = known_only(queries, len(rows))
            deep[np.repeat(np.arange(len(queries)), known.lengths)[rows[known.histories().values]]] = True
        return deep

    def item_relations(self, items: Int32) -> Float32:
        """The weights from each of `items` to all others."""
        out = np.full((len(items), len(self.vocabulary)), -np.inf, np.float32)
        if isinstance(self.weight_from_to, np.ndarray):
            known = self.row_of[items] >= 0
            out[np.ix_(known, self.kept)] = self.weight_from_to[self.row_of[items[known]]]
            return out
        rows = sparse.csr_matrix(self.weight_from_to[items])
        out[np.repeat(np.arange(len(items)), np.diff(rows.indptr)), rows.indices] = rows.data
        return out

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        if self.is_dense:
            return super().answer_block(queries, k, eligible)
        if self._faint(queries).any():
            blocks = queries.blocks(block_size(len(self.vocabulary)))
            return Recommendations.concat([super(ItemMap, self).answer_block(block, k, eligible.rows(part)) for part, block in blocks])
        history = self.reading.read(queries, len(self.vocabulary))
        room = self._room(history)
        return Recommendations.concat(
            [self._answer(history.rows(p), room[p], queries[p], k, eligible.rows(p)) for p in list(cuts(room, CANDIDATES)) or [slice(0, 0)]]
        )

    @property
    def _sparse(self) -> sparse.csr_matrix:
        assert not isinstance(self.weight_from_to, np.ndarray)
        return self.weight_from_to

    def _room(self, history: History) -> Int64:
        """(queries,) how many candidates each query can have at most."""
        rows = np.append(np.diff(self._sparse.indptr).astype(np.int64)[history.items], 0)
        sums = np.concatenate([[0], np.cumsum(rows)])
        return np.minimum(sums[history.start + history.counts] - sums[history.start], len(self.vocabulary))

    def _answer(self, history: History, room: Int64, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        candidates = Ragged.of_lengths(room, np.zeros(int(room.sum()), np.int32))
        scores = np.full(len(candidates.values), -np.inf, np.float32)  # what stays so is skipped by the top-k
        m = self._sparse
        _candidates(
            len(queries), *history, m.indptr, m.indices, m.data, self.reading.combine.code, len(self.vocabulary), candidates.indptr,
            candidates.values, scores,
        )  # fmt: skip
        return top_k_ragged(candidates, scores, queries, k, eligible, self.catalogue, self.vocabulary)

    def state(self) -> State:
        dense = isinstance(self.weight_from_to, np.ndarray)
        weights = {"weights": self.weight_from_to, "kept": self.kept} if dense else sparse_arrays(self._sparse)
        return State({"reading": parameters_of(self.reading)}, weights | ({} if self.basis is None else self.basis.arrays()))

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> ItemMap:
        reading, basis = Reading(**state.config["reading"]), Basis.of_arrays(state.arrays)
        if "weights" in state.arrays:
            return cls(vocabulary, catalogue, state.arrays["weights"], state.arrays["kept"], reading, basis)
        return cls(vocabulary, catalogue, sparse_of_arrays(state.arrays), reading=reading, basis=basis)


@kernel
def _with(code, score, term):  # pragma: no cover
    """One more weight in a score; the codes are those of vitrina.forms.combine."""
    if code == 0:
        return score + term
    if code == 1:
        return max(score, term)
    return score + np.log1p(term)


@kernel
def _shared(q, first_query, start, counts, items, weights):  # pragma: no cover
    """How long the history of the query before is, where that of `q` begins with it; 0 where it doesn't."""
    if q == first_query or counts[q] < counts[q - 1]:
        return 0
    for at in range(counts[q - 1]):
        if items[start[q] + at] != items[start[q - 1] + at] or weights[start[q] + at] != weights[start[q - 1] + at]:
            return 0
    return counts[q - 1]


@Spread
def _candidates(
    first_query, last_query, start, counts, items, weights, indptr, indices, data, code, n_items, out_indptr, out_items, out_scores
):  # pragma: no cover
    """Each query's candidates from `out_indptr[q]` on; `place` says where behind that an item of the query is written."""
    place, size = np.full(n_items, -1, np.int64), 0
    for q in range(first_query, last_query):
        first, shared = out_indptr[q], _shared(q, first_query, start, counts, items, weights)
        if shared:
            before = out_indptr[q - 1]
            out_items[first : first + size] = out_items[before : before + size]
            out_scores[first : first + size] = out_scores[before : before + size]
        else:
            size = 0
        for h in range(start[q] + shared, start[q] + counts[q]):
            item, weight = items[h], weights[h]
            for at in range(indptr[item], indptr[item + 1]):
                to, term = indices[at], np.float32(weight * data[at])
                spot = place[to]
                if spot < 0 or spot >= size or out_items[first + spot] != to:
                    place[to] = size
                    out_items[first + size] = to
                    out_scores[first + size] = term if code < 2 else np.log1p(term)
                    size += 1
                else:
                    out_scores[first + spot] = _with(code, out_scores[first + spot], term)


@Spread
def _score_sparse(first, last, start, counts, items, weights, indptr, indices, data, code, out):  # pragma: no cover
    for q in range(first, last):
        row, shared = out[q], _shared(q, first, start, counts, items, weights)
        if shared:
            row[:] = out[q - 1]
        for h in range(start[q] + shared, start[q] + counts[q]):
            item, weight = items[h], weights[h]
            for at in range(indptr[item], indptr[item + 1]):
                to, term = indices[at], np.float32(weight * data[at])
                if row[to] == -np.inf:
                    row[to] = term if code < 2 else np.log1p(term)
                else:
                    row[to] = _with(code, row[to], term)


@Spread
def _score_dense(first, last, start, counts, items, weights, matrix, kept, row_of, code, out):  # pragma: no cover
    """Rows of weights are added up in a buffer that stays in the cache, and then put in their places."""
    total, known = np.empty(len(kept), np.float32), False
    for q in range(first, last):
        shared = _shared(q, first, start, counts, items, weights)
        if not shared:
            known = False
            total[:] = -np.inf if code == 1 else 0
        for h in range(start[q] + shared, start[q] + counts[q]):
            row = row_of[items[h]]
            if row < 0:
                continue
            known = True
            weight, vector = weights[h], matrix[row]
            if code == 0:
                for j in range(len(vector)):
                    total[j] += weight * vector[j]
            else:
                for j in range(len(vector)):
                    total[j] = _with(code, total[j], weight * vector[j])
        if known:
            for j in range(len(kept)):
                out[q, kept[j]] = total[j]
