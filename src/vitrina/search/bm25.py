"""BM25 over the segments of an inverted index: exact, whatever was added and deleted since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import polars as pl

from vitrina.base.arrays import Bool, Float32, Float64, Int32, Int64, Ragged, cuts
from vitrina.base.kernels import Spread
from vitrina.search.inverted import Inverted, Part

BLOCK = 1 << 22  # postings that are looked at between two lists
EVERY = np.ones(0, bool)


class Matches(NamedTuple):
    """What was found for each query, in no order."""

    items: Ragged  # (queries) each item once
    scores: Float32  # (found,)


@final
@dataclass(frozen=True, eq=False)
class Asked:
    """The terms of some queries, each once for a query, and what each of them is worth.

    Args:
        terms: (queries) numbers of terms among those of all queries.
        weights: (asked,) how often the query has the term, times its rarity: ln(1 + (N - df + 0.5) / (df + 0.5)).
        numbers: per segment, (terms,) the number there, -1 for none.
    """

    terms: Ragged
    weights: Float64
    numbers: Sequence[Int32]
    postings: Int64  # (queries,) documents to look at

    @classmethod
    def of(cls, inverted: Inverted, texts: Sequence[Sequence[str]]) -> Asked:
        counted = [Counter(terms) for terms in texts]
        distinct = list(dict.fromkeys(term for counts in counted for term in counts))
        numbers = inverted.found(pl.Series(distinct, dtype=pl.String))
        found = inverted.frequencies(numbers) if inverted.parts else np.zeros(len(distinct), np.int64)
        place = {term: number for number, term in enumerate(distinct)}
        terms = Ragged.of_lengths(
            np.array([len(counts) for counts in counted]), np.array([place[term] for counts in counted for term in counts], np.int32)
        )
        times = np.array([times for counts in counted for times in counts.values()], np.float64)
        weights = times * np.log1p((inverted.documents - found + 0.5) / (found + 0.5))[terms.values]
        postings = np.bincount(terms.row_of, found[terms.values], minlength=len(texts)).astype(np.int64)
        return cls(terms, weights, numbers, postings)


def matches(inverted: Inverted, texts: Sequence[Sequence[str]], k1: float, b: float, share: float) -> list[tuple[slice, Matches]]:
    """Documents that have the terms of each query, and their scores; runs of queries, so that memory is bounded.

    score(q, d) = sum over the terms t of q of times(t in q) * ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5)) * f(t, d) / (f(t, d) + k1 (1 - b + b |d| / mean |d|)),
    the form of Lucene, with f(t, d) the sum over the fields of the weight of the field times how often t is in it, and |d| that of all terms
    ([Robertson, Zaragoza and Taylor 2004](https://doi.org/10.1145/1031171.1031181)): a title of weight 3 is one that is there three times. N, df and the mean are those
    of the documents that hold now.

    Args:
        texts: the terms of each query.
        share: of the distinct terms of a query, how many a document must have; one at least.

    Cost: the postings of the terms, and 9 bytes per document for each thread.
    """
    asked = Asked.of(inverted, texts)
    return [(part, _of_run(inverted, asked, part, k1, b, share)) for part in cuts(asked.postings + 1, BLOCK)]


def _of_run(inverted: Inverted, asked: Asked, run: slice, k1: float, b: float, share: float) -> Matches:
    terms = asked.terms.rows(run)
    first = asked.terms.indptr[run.start]
    weights = asked.weights[first : first + len(terms.values)]
    need = np.maximum(np.ceil(terms.lengths * share - 1e-9), 1).astype(np.int64)
    rows, items, scores = [], [], []
    for part, numbers in zip(inverted.parts, asked.numbers, strict=True):
        lengths, own_items, own_scores = _of_part(
            part, numbers[terms.values], terms, weights, need, (k1 * (1 - b), k1 * b / inverted.mean_length)
        )
        rows.append(np.repeat(np.arange(len(terms)), lengths))
        items.append(own_items)
        scores.append(own_scores)
    if len(rows) == 1:
        return Matches(Ragged.of_lengths(np.bincount(rows[0], minlength=len(terms)), items[0]), scores[0])
    row = np.concatenate(rows) if rows else np.empty(0, np.int64)
    order = np.argsort(row, kind="stable")
    found = np.concatenate(items)[order] if rows else np.empty(0, np.int32)
    return Matches(
        Ragged.of_lengths(np.bincount(row, minlength=len(terms)), found),
        np.concatenate(scores)[order] if rows else np.empty(0, np.float32),
    )


def _of_part(
    part: Part, numbers: Int32, terms: Ragged, weights: Float64, need: Int64, norm: tuple[float, float]
) -> tuple[Int64, Int32, Float32]:
    """How many were found per query, and the items and scores one query after the other."""
    own = part.segment
    known = numbers >= 0
    starts = np.where(known, own.indptr[numbers], 0)
    stops = np.where(known, own.indptr[numbers + known], 0)
    room = np.zeros(len(terms) + 1, np.int64)
    np.cumsum(np.minimum(np.bincount(terms.row_of, stops - starts, minlength=len(terms)), len(own)), out=room[1:])
    items, scores, counts = np.empty(room[-1], np.int32), np.empty(room[-1], np.float32), np.zeros(len(terms), np.int64)
    if room[-1]:
        alive: Bool = EVERY if part.alive is None else part.alive
        _score(
            len(terms), terms.indptr, starts, stops, weights, need, own.rows, own.counts, own.lengths, norm[0], norm[1], alive, own.codes,
            room, items, scores, counts,
        )  # fmt: skip
    if (counts == np.diff(room)).all():
        return counts, items, scores
    taken = np.repeat(room[:-1] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return counts, items[taken], scores[taken]


@Spread
def _score(
    first, last, indptr, starts, stops, weights, need, rows, counts, lengths, base, slope, alive, codes, room, items, scores, found
):  # pragma: no cover  # fmt: skip
    sums = np.zeros(len(lengths), np.float64)
    hits = np.zeros(len(lengths), np.uint16)
    for q in range(first, last):
        begin = room[q]
        end = begin
        for term in range(indptr[q], indptr[q + 1]):
            for at in range(starts[term], stops[term]):
                row = rows[at]
                if len(alive) and not alive[row]:
                    continue
                if hits[row] == 0:
                    items[end] = row
                    end += 1
                hits[row] += 1
                count = counts[at]
                sums[row] += weights[term] * count / (count + base + slope * lengths[row])
        kept = begin
        for at in range(begin, end):
            row = items[at]
            if hits[row] >= need[q]:
                items[kept], scores[kept] = codes[row], sums[row]
                kept += 1
            hits[row], sums[row] = 0, 0
        found[q] = kept - begin
