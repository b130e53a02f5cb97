"""The inverse behind EASE with some rows of X added: Woodbury's identity, a block of people at a time."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from vitrina.forms.itemmap import ItemMap
from vitrina.models.news import News
from vitrina.types import Float32, Float64, Int32, Int64

SHARE = 0.4  # columns per item from which a new inverse is the quicker, as measured
BLOCK = 128  # people at a time
PANEL = 1024  # rows of P at a time, so that there is never a second P


def updated(start: ItemMap, news: News, kept: Int32, l2: float) -> Float32 | None:
    """P = (X'X + l2 I)^-1 over the `kept` items of now, from the weights of the start and what came since; None where it wouldn't pay or can't be had so.

    X'X gets U K U' with, for each person, the columns a (what the row got) and b (the row before) in U and K = [[1, 1], [1, 0]], and so
    P changes by -P U (K^-1 + U' P U)^-1 U' P. An item that is new had no rows, and begins with 1 / l2.
    """
    had = news.codes[start.kept]
    new = np.setdiff1d(kept, had)
    known = np.zeros(len(news.codes), bool)
    known[start.catalogue.events > 0] = True
    if (had < 0).any() or len(np.setdiff1d(had, kept)) or len(np.intersect1d(new, news.codes[known])):
        return None
    added, before = (sparse.csr_matrix(rows[:, kept]) for rows in (news.added, news.before))
    changed = np.flatnonzero(np.diff(added.indptr))
    columns = len(changed) + np.count_nonzero(np.diff(before.indptr)[changed])
    if columns > SHARE * len(kept):
        return None
    inverse = _inverse_of(start, np.searchsorted(kept, had), np.searchsorted(kept, new), l2)
    for first in range(0, len(changed), BLOCK):
        people = changed[first : first + BLOCK]
        _add(inverse, added[people], before[people])
    return inverse


def _inverse_of(start: ItemMap, places: Int64, new: Int64, l2: float) -> Float32:
    """P of the start, its items at `places` among those of now."""
    assert isinstance(start.weight_from_to, np.ndarray)
    assert start.basis is not None
    size, diagonal = len(places) + len(new), start.basis.diagonal
    inverse = np.zeros((size, size), np.float32)
    for row, place in enumerate(places):  # weight[i, j] = -P[i, j] / P[j, j]
        inverse[place, places] = start.weight_from_to[row] * -diagonal
    inverse[places, places] = diagonal
    inverse[new, new] = 1 / l2
    return inverse


def _add(inverse: Float32, added: sparse.csr_matrix, before: sparse.csr_matrix) -> None:
    """Put the changes of a block of people into P."""
    had = np.flatnonzero(np.diff(before.indptr))
    columns = sparse.csr_matrix(sparse.vstack([added, before[had]], format="csr"), dtype=np.float32)  # U'
    seen = columns @ inverse  # U' P
    middle = _of_people(np.diff(before.indptr) > 0) + columns @ seen.T.astype(np.float64)
    share = np.linalg.solve(middle, seen.astype(np.float64)).astype(np.float32)
    for first in range(0, len(inverse), PANEL):
        rows = slice(first, first + PANEL)
        inverse[rows] -= seen[:, rows].T @ share


def _of_people(had: np.ndarray) -> Float64:
    """K^-1 of all columns: [[0, 1], [1, -1]] per person who had a row, 1 for one who had none."""
    people, old = len(had), np.flatnonzero(had)
    middle = np.zeros((people + len(old), people + len(old)))
    middle[np.arange(people), np.arange(people)] = ~had
    behind = people + np.arange(len(old))
    middle[old, behind] = middle[behind, old] = 1
    middle[behind, behind] = -1
    return middle
