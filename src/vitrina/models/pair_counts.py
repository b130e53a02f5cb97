"""How many people took both of every pair of items: what a co-occurrence that goes on keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from vitrina.base.arrays import cuts
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.models.histories import Histories, Reader, Sums, summed
from vitrina.models.news import News
from vitrina.models.rows import CELLS, Rows

CELL = 8  # bytes of a count and its item


def counted(data: Dataset, reader: Reader) -> sparse.csr_matrix:
    """(items, items) int32, without a diagonal; blocks of rows bound what is held beside it.

    Cost: the sum over users of the squared number of their items; 8 bytes per pair and direction.
    """
    kept, sums = summed(data.map_shards(replace(reader, keep=True)))
    histories, n_items = Histories.joined(kept), data.n_items
    empty: Any = np.empty(0)
    rows = Rows(reader, 0, sums, (_no_content(n_items), 0.0, (empty, empty, empty, empty, 0.0, 0.0, 1.0), empty, data.catalogue.mask))
    cells = np.minimum(sums.work, n_items).astype(np.int64)
    blocks = [rows.sums_of(block, histories) for block in cuts(cells, CELLS // CELL)]
    return sparse.csr_matrix(sparse.vstack(blocks, format="csr"))


def with_news(news: News, n_items: int) -> sparse.csr_matrix:
    """The counts of now: those of the start in the codes of now, and the pairs that came with what the people added.

    Of a person with the row b who gets a, b + a has a'a + a'b + b'a more pairs than b has.
    """
    assert news.basis.pairs is not None
    pairs = _in_codes(news.basis.pairs, news.codes, n_items)
    before, added = news.before.astype(np.int32), news.added.astype(np.int32)
    more = sparse.csr_matrix(added.T @ (before + added) + before.T @ added)
    more.setdiag(0)
    more.eliminate_zeros()
    return sparse.csr_matrix(pairs + more)


def sums_of(pairs: sparse.csr_matrix, catalogue: Catalogue) -> Sums:
    """What a fit knows of the whole log beside the pairs."""
    nothing = np.zeros(0)
    return Sums(catalogue.users.astype(np.float64), np.diff(pairs.indptr).astype(np.float64), nothing, nothing, (), 0, faint=False)


def _in_codes(pairs: sparse.csr_matrix, codes: Any, n_items: int) -> sparse.csr_matrix:
    """The same counts where item i has `codes[i]`; items without one have no pairs."""
    if (codes == np.arange(len(codes))).all():
        indptr = np.append(pairs.indptr, np.full(n_items - len(codes), pairs.indptr[-1]))
        return sparse.csr_matrix((pairs.data, pairs.indices, indptr), shape=(n_items, n_items))
    rows = np.repeat(codes, np.diff(pairs.indptr))
    return sparse.csr_matrix((pairs.data, (rows, codes[pairs.indices])), shape=(n_items, n_items))


def _no_content(n_items: int) -> tuple[Any, ...]:
    return (np.zeros(n_items + 1, np.int64), np.empty(0, np.int32), np.empty(0), np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0))
