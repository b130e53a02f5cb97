"""A piece of an inverted index: which items have a term, and how often. It never changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.arrays import Bool, Float32, Int32, Int64
from vitrina.base.hashing import IdTable
from vitrina.search.analysis import TextAnalysis

BLOCK = 1 << 17  # documents that are analysed at a time


@final
@dataclass(frozen=True, eq=False)
class Segment:
    """Documents and the terms in them, by term: those of term t are `rows[indptr[t]:indptr[t + 1]]`, ascending.

    Args:
        codes: (documents,) the item of each document, ascending.
        lengths: (documents,) weighted number of terms.
        names: (terms,) each once.
        indptr: (terms + 1,)
        rows: (postings,) documents.
        counts: (postings,) how often the term is in the document, each time as often as the weight of its field says.
    """

    codes: Int32
    lengths: Float32
    names: pl.Series
    indptr: Int64
    rows: Int32
    counts: Float32

    @cached_property
    def _table(self) -> IdTable:
        table = IdTable()
        table.add(self.names)
        return table

    def __len__(self) -> int:
        return len(self.codes)

    def find(self, terms: pl.Series) -> Int32:
        """(terms,) the numbers of terms, -1 for one that no document has."""
        return self._table.look_up(terms)

    @classmethod
    def of(cls, codes: Int32, fields: Sequence[tuple[float, pl.Series]], analysis: TextAnalysis) -> Segment:
        """Of documents with fields, each of them a weight and the texts.

        Args:
            codes: the items, in any order, each once.

        Cost: that of the analysis; memory for a block of documents beside what comes of it.
        """
        order = np.argsort(codes, kind="stable")
        parts = [_block(codes[rows], fields, rows, analysis) for rows in np.split(order, range(BLOCK, len(order), BLOCK))]
        return merged([(part, None) for part in parts])

    @classmethod
    def of_parts(cls, codes: Int32, names: pl.Series, matrix: Any) -> Segment:
        """Of a matrix (documents, terms) of counts, each entry once."""
        lengths = np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel().astype(np.float32)
        return cls(codes, lengths, names, matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))


def _block(codes: Int32, fields: Sequence[tuple[float, pl.Series]], rows: Int64, analysis: TextAnalysis) -> Segment:
    table, names, found = IdTable(), [], []
    for weight, texts in fields:
        terms, own = analysis.texts(texts.gather(rows))
        number, first = table.add(own)
        names.append(own.gather(first))
        found.append((terms, number, weight))
    documents = np.concatenate([terms.row_of for terms, _, _ in found])
    numbers = np.concatenate([number[terms.values] for terms, number, _ in found])
    weights = np.concatenate([np.full(len(terms.values), weight, np.float32) for terms, _, weight in found])
    matrix = sparse.coo_matrix((weights, (documents, numbers)), shape=(len(codes), table.count)).tocsc()
    matrix.sort_indices()
    return Segment.of_parts(codes, pl.concat(names), matrix)


def merged(parts: Iterable[tuple[Segment, Bool | None]]) -> Segment:
    """One segment of several, without the documents that are dead; terms that nobody has any more go.

    Cost: a pass over the postings.
    """
    parts = list(parts)
    if len(parts) == 1 and parts[0][1] is None:
        return parts[0][0]
    codes = np.concatenate([part.codes if alive is None else part.codes[alive] for part, alive in parts])
    place = np.empty(len(codes), np.int64)
    place[np.argsort(codes, kind="stable")] = np.arange(len(codes))
    table, names, columns, first = IdTable(), [], [], 0
    for part, alive in parts:
        number, new = table.add(part.names)
        names.append(part.names.gather(new))
        kept = slice(None) if alive is None else alive[part.rows]
        row_of = np.arange(len(part)) if alive is None else np.cumsum(alive) - 1
        terms = np.repeat(number, np.diff(part.indptr))[kept]
        columns.append((place[first + row_of[part.rows[kept]]].astype(np.int32), terms, part.counts[kept]))
        first += len(part) if alive is None else int(alive.sum())
    documents, terms, counts = (np.concatenate([column[at] for column in columns]) for at in range(3))
    used = np.bincount(terms, minlength=table.count) > 0
    terms = (np.cumsum(used) - 1)[terms].astype(np.int32)
    matrix = sparse.coo_matrix((counts, (documents, terms)), shape=(len(codes), int(used.sum()))).tocsc()
    matrix.sort_indices()
    return Segment.of_parts(np.sort(codes), pl.concat(names).filter(pl.Series(used)), matrix)
