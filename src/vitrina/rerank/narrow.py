"""An eligibility with fewer items: what a re-ranker forbids, or asks a model for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitrina.base.arrays import Bool, Int32, Ragged
from vitrina.types import Eligibility


def without(eligible: Eligibility, hidden: Bool | None, rows: Sequence[Ragged] = ()) -> Eligibility:
    """The same without some items.

    Args:
        hidden: (items,) what is taken off for all queries.
        rows: what is taken off for each query.

    >>> eligible = without(Eligibility(exclude=[0]), np.array([False, False, True]), [Ragged.of([[1], []])])
    >>> eligible.include.tolist(), eligible.exclude.values.tolist()
    ([1], [1])
    >>> without(Eligibility(exclude=[0]), None, [Ragged.of([[1], []])]).exclude.lengths.tolist()
    [2, 1]
    """
    own = [part for part in (eligible.exclude, *rows) if isinstance(part, Ragged)]
    for_all = hidden is not None and hidden.any()
    if not own:
        given = [eligible.exclude] if isinstance(eligible.exclude, np.ndarray) else []
        codes = np.flatnonzero(hidden) if hidden is not None else np.empty(0, np.int64)
        return replace(eligible, exclude=np.concatenate([*given, codes]).astype(np.int32)) if for_all else eligible
    if isinstance(eligible.exclude, np.ndarray) and hidden is not None:
        hidden = hidden.copy()
        hidden[eligible.exclude[(eligible.exclude >= 0) & (eligible.exclude < len(hidden))]] = True
        for_all = True
    elif isinstance(eligible.exclude, np.ndarray):  # how many items there are isn't known here, so what is excluded for all is for each
        own.append(Ragged.of_lengths(np.full(len(own[0]), len(eligible.exclude)), np.tile(eligible.exclude, len(own[0]))))
    joined = Ragged.of_lengths(*_joined(own))
    return replace(only(eligible, np.flatnonzero(~hidden).astype(np.int32)) if for_all and hidden is not None else eligible, exclude=joined)


def only(eligible: Eligibility, items: Int32 | Ragged) -> Eligibility:
    """The same with no other items than these: codes for all queries, or a row per query.

    >>> only(Eligibility(include=[0, 2]), Ragged.of([[2, 1], [0]])).include.values.tolist()
    [2, 0]
    """
    given = eligible.include
    if given is None:
        return replace(eligible, include=items)
    if isinstance(given, Ragged) and isinstance(items, Ragged):
        width = max(int(given.values.max(initial=0)), int(items.values.max(initial=0))) + 1
        both = np.isin(items.row_of * width + items.values, given.row_of * width + given.values)
        return replace(eligible, include=items.keep(both))
    if isinstance(items, Ragged) and not isinstance(given, Ragged):
        return replace(eligible, include=items.keep(np.isin(items.values, given)))
    if isinstance(given, Ragged) and not isinstance(items, Ragged):
        return replace(eligible, include=given.keep(np.isin(given.values, items)))
    assert not isinstance(given, Ragged)
    assert not isinstance(items, Ragged)
    return replace(eligible, include=np.intersect1d(given, items).astype(np.int32))


def _joined(parts: Sequence[Ragged]) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and values of several rows per query as one."""
    order = np.argsort(np.concatenate([part.row_of for part in parts]), kind="stable")
    return np.sum([part.lengths for part in parts], axis=0), np.concatenate([part.values for part in parts])[order]
