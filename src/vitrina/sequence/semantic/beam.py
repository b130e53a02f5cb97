"""Beam search over a trie: only what exists is named, and only what may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final

import numpy as np
import torch
from torch import Tensor

from vitrina.base.heap import best_first, push
from vitrina.base.kernels import Spread
from vitrina.catalogue import Catalogue
from vitrina.retrieve.top_k import allowed_mask, known_candidates
from vitrina.sequence.semantic.decoder import Pair
from vitrina.sequence.semantic.trie import Trie
from vitrina.types import Eligibility, Float32, Int32, Int64, Queries, Ragged


class Speaker(Protocol):
    """What a search asks: logits of the tokens that may follow."""

    def begin(self, beams: Tensor) -> tuple[Tensor, list[Pair]]:
        """Before any token: (queries, tokens of the first level), and what `go_on` looks at."""
        ...

    def go_on(self, beams: Tensor, tokens: Tensor, place: int, past: list[Pair]) -> tuple[Tensor, list[Pair]]:
        """After `tokens` (all beams,), the `place`-th of the paths, 1 for the first: logits (all beams, tokens of that level); `beams` are how many each query has."""
        ...

    def first(self, place: int) -> int:
        """The token of the first logit, of those that come after `place` tokens."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Allowed:
    """Which leaves each query may be led to."""

    shared: Int32  # (nodes,) how many leaves under each node all queries may get
    closed: Ragged  # (queries) leaves of those that this query must not get, each once
    own: Ragged | None  # (queries) the only ones that this query may get, each once; None where there is no such list

    @classmethod
    def of(cls, trie: Trie, queries: Queries, eligible: Eligibility, catalogue: Catalogue) -> Allowed:
        allowed, n_items = allowed_mask(eligible, catalogue), len(catalogue.mask)
        may = allowed[trie.item]
        closed = trie.leaves_of(eligible.banned(queries), n_items)
        closed = closed.keep(may[closed.values])
        own = None
        if isinstance(eligible.include, Ragged):
            own = trie.leaves_of(known_candidates(eligible.include, allowed), n_items)
            banned = closed.row_of * len(trie) + closed.values
            own = own.keep(~np.isin(own.row_of * len(trie) + own.values, banned))
        return cls(trie.counts(may), closed, own)

    def take(self, chosen: Int64) -> Allowed:
        return Allowed(self.shared, self.closed.take(chosen), None if self.own is None else self.own.take(chosen))

    @property
    def most(self) -> Int64:
        """(queries,) how many leaves each may get."""
        return self.shared[0] - self.closed.lengths if self.own is None else self.own.lengths


class Beams(NamedTuple):
    """The beginnings that are kept: those of query q are the first `kept[q]` of its row, best first."""

    kept: Int64  # (queries,)
    leaf: Int32  # (queries, width) the first leaf of each beginning
    score: Float32  # (queries, width) logarithms of their chances
    parent: Int32  # (queries, width) the place of the beginning that each goes on from


def search(trie: Trie, speaker: Speaker, allowed: Allowed, width: int, told: Int32 | None = None) -> tuple[Ragged, Float32]:
    """The leaves of each query, best first, with the logarithms of their chances: the sum over levels of log softmax over the tokens that may follow.

    The softmax is over everything that exists, so that a chance depends on no eligibility; what may not be shown is then not gone on with. A
    beginning stays alive while something eligible is under it, and gives at least one item. So each query gets min(width, what it may get) leaves:
    a beam never dies out, and with `width` leaves or more the search is complete.

    Args:
        told: (leaves, levels) what the speaker is told of each step towards a leaf; None tells the tokens.

    Cost: a step of the decoder for each beginning of several leaves, at most width per query and level; the first level is asked once per query.
    """
    n = len(allowed.closed)
    beams = Beams(
        (allowed.most > 0).astype(np.int64), np.tile(trie.lowest[:1], (n, 1)), np.zeros((n, 1), np.float32), np.zeros((n, 1), np.int32)
    )
    row = np.zeros((n, 1), np.int64)  # of the logits, for beginnings that go on; -1 for others
    past: list[Pair] = []
    told = trie.paths if told is None else told
    for level in range(trie.levels):
        at_node = trie.node_at[beams.leaf, level]
        there = np.arange(beams.leaf.shape[1]) < beams.kept[:, None]
        open_ = there & (trie.leaves[at_node] > 1)
        if not open_.any():
            break
        counts = open_.sum(axis=1)
        if level == 0:
            logits, past = speaker.begin(torch.from_numpy(counts))
        else:
            came = torch.from_numpy(row[np.arange(n)[:, None], beams.parent][open_])
            past = [(keys[came], values[came]) for keys, values in past]
            tokens = torch.from_numpy(told[beams.leaf[open_], level - 1].astype(np.int64))
            logits, past = speaker.go_on(torch.from_numpy(counts), tokens, level, past)
        row = np.where(open_, np.cumsum(open_).reshape(open_.shape) - 1, -1)
        beams = _next(trie, allowed, beams, at_node, row, logits.float().numpy(), speaker.first(level), level, width)
    inside = np.arange(beams.leaf.shape[1]) < beams.kept[:, None]
    return Ragged.of_lengths(beams.kept, beams.leaf[inside]), beams.score[inside]


def _next(
    trie: Trie, allowed: Allowed, beams: Beams, node: Int32, row: Int64, logits: Float32, first_token: int, level: int, width: int
) -> Beams:
    n, width = len(beams.kept), min(width, int(allowed.most.max(initial=1)))
    out = Beams(np.zeros(n, np.int64), np.zeros((n, width), np.int32), np.zeros((n, width), np.float32), np.zeros((n, width), np.int32))
    own = Ragged.empty(n) if allowed.own is None else allowed.own
    _grow(
        n, beams.kept, node, beams.score, row, logits, first_token, level, trie.first_child, trie.token, trie.lowest, trie.leaves, trie.node_at,
        allowed.shared, allowed.closed.indptr, allowed.closed.values, allowed.own is not None, own.indptr, own.values, *out,
    )  # fmt: skip
    return out


@Spread
def _grow(
    first, last, count, node, score, row, logits, first_token, level, first_child, token, lowest, leaves, node_at, shared, closed_start, closed,
    limited, own_start, own, out_count, out_leaf, out_score, out_parent,
):  # fmt: skip  # pragma: no cover
    """The best `width` of all beginnings with one more token. `less` counts, per node, the leaves that this query must not get, or those that it may."""
    width = out_leaf.shape[1]
    less, place = np.zeros(len(token), np.int32), np.zeros(len(token), np.int32)
    for q in range(first, last):
        begin, end, values = (own_start[q], own_start[q + 1], own) if limited else (closed_start[q], closed_start[q + 1], closed)
        for at in range(begin, end):
            less[node_at[values[at], level + 1]] += 1
        size = 0
        for beam in range(count[q]):
            parent = node[q, beam]
            place[parent] = beam
            if leaves[parent] == 1:
                size = push(out_leaf[q], out_score[q], size, width, lowest[parent], score[q, beam])
                continue
            said, begin_child, end_child = logits[row[q, beam]], first_child[parent], first_child[parent + 1]
            highest = -np.inf
            for child in range(begin_child, end_child):
                highest = max(highest, said[token[child] - first_token])
            total = 0.0
            for child in range(begin_child, end_child):
                total += np.exp(np.float64(said[token[child] - first_token] - highest))
            rest = score[q, beam] - highest - np.log(total)
            for child in range(begin_child, end_child):
                alive = less[child] if limited else shared[child] - less[child]
                if alive > 0:
                    value = np.float32(rest + said[token[child] - first_token])
                    size = push(out_leaf[q], out_score[q], size, width, lowest[child], value)
        best_first(out_leaf[q], out_score[q], size)
        out_count[q] = size
        for beam in range(size):
            out_parent[q, beam] = place[node_at[out_leaf[q, beam], level]]
        for at in range(begin, end):
            less[node_at[values[at], level + 1]] = 0
