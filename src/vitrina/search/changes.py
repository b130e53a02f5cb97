"""What makes another index of one: rows that come, change and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from vitrina.base.arrays import Bool, Float32, Int32
from vitrina.base.errors import ParameterError
from vitrina.catalogue import Catalogue, unit_rows
from vitrina.data.features import FeatureKind, FeatureTable
from vitrina.search.rows import check_columns, joined_text, read_rows, replaced, text_column
from vitrina.search.segment import Segment
from vitrina.search.vector_table import VectorTable

if TYPE_CHECKING:
    from vitrina.search.index import ItemIndex


def put(index: ItemIndex, table: Any, vectors: Float32 | None, *, new: bool) -> ItemIndex:
    """The index with the rows of a table: of items that are all `new`, or all there.

    Raises:
        ParameterError: an item is there already, or isn't.
    """
    assert index.item_table is not None
    rows = read_rows(table, index.fields.id, _kinds_in(table, index.item_table))
    ids = rows.frame[rows.id_column]
    there = _holds(index, index.vocabulary.encode(ids))
    if new:
        _refuse(ids, there, "is in the index already: update(...) changes it")
        check_columns([*index.fields.columns, *index.fields.read], rows.frame)
    else:
        _refuse(ids, ~there, "is not in the index: add(...) takes it in")
    known = index.vocabulary.extended(ids) if new else index.vocabulary
    codes = known.encode(ids)
    whole = replaced(index.item_table, codes, rows.frame.drop(rows.id_column), known)
    changed = replace(index, vocabulary=known, item_table=whole)
    rows_now = whole.frame[codes.astype(np.int64)]
    if new or vectors is not None or index.vectors is None:
        return with_rows(changed, codes, rows_now, vectors)
    said = joined_text(index.item_table.frame[codes.astype(np.int64)], index.fields.read)
    other = said.ne_missing(joined_text(rows_now, index.fields.read))  # what says the same as before keeps its vector
    return replace(
        with_rows(changed, codes, rows_now, None, encode=False),
        vectors=_vectors(changed, codes[other.to_numpy()], rows_now.filter(other), None),
    )


def without(index: ItemIndex, ids: Sequence[Any] | pl.Series) -> ItemIndex:
    """The index without these items.

    Raises:
        ParameterError: one isn't there.
    """
    codes = index.vocabulary.encode(ids)
    _refuse(ids, ~_holds(index, codes), "is not in the index, and can't be deleted")
    mask = index.catalogue.mask.copy()
    mask[codes] = False
    return replace(index, catalogue=_catalogue(index.catalogue, mask), inverted=index.inverted.without(codes))


def with_rows(index: ItemIndex, codes: Int32, rows: pl.DataFrame, vectors: Float32 | None, *, encode: bool = True) -> ItemIndex:
    """The index with these rows, which are in its table already, in place of what their items had."""
    texts = [(weight, text_column(rows[name])) for name, weight in index.fields.columns.items()]
    mask = np.zeros(len(index.vocabulary), bool)
    mask[index.catalogue.items] = True
    mask[codes] = True
    return replace(
        index,
        catalogue=_catalogue(index.catalogue, mask),
        inverted=index.inverted.put(Segment.of(codes, texts, index.fields.analysis)),
        vectors=_vectors(index, codes, rows, vectors) if encode else index.vectors,
    )


def _vectors(index: ItemIndex, codes: Int32, rows: pl.DataFrame, given: Float32 | None) -> VectorTable | None:
    encoder, before = index.fields.encoder, index.vectors
    if encoder is None:
        if given is not None:
            raise ParameterError(
                "The 'vectors' of items need the encoder that made them, which makes those of queries too: give 'encoder'."
            )
        return None
    made = encoder.encode(joined_text(rows, index.fields.read)) if given is None else np.asarray(given, np.float32)
    if made.ndim != 2 or made.shape != (len(codes), encoder.dim):
        raise ParameterError(f"The 'vectors' must be a row per row of the table, {(len(codes), encoder.dim)}. Got {made.shape}.")
    before = VectorTable(np.empty((0, encoder.dim), np.float32)) if before is None else before
    return before.put(codes, unit_rows(made), len(index.vocabulary))


def _holds(index: ItemIndex, codes: Int32) -> Bool:
    """Which codes are of items that are in the index."""
    return (codes >= 0) & index.catalogue.mask[codes]


def _refuse(ids: Any, wrong: Bool, why: str) -> None:
    if wrong.any():
        first = list(ids)[int(np.flatnonzero(wrong)[0])]
        raise ParameterError(f"The item {first!r} {why}{f' (and so with {wrong.sum() - 1:,} more)' if wrong.sum() > 1 else ''}.")


def _kinds_in(table: Any, known: FeatureTable) -> dict[str, FeatureKind]:
    """The kinds of columns that the table has, as the index has them."""
    there = [str(name) for name in getattr(table, "columns", [])]
    return {name: kind for name, kind in known.kinds.items() if name in there}


def _catalogue(before: Catalogue, mask: Bool) -> Catalogue:
    """What may be found, with what is known of its events."""
    events, users = (np.zeros(len(mask), np.int64) for _ in range(2))
    events[: len(before.events)], users[: len(before.users)] = before.events, before.users
    also = np.flatnonzero(mask).astype(np.int32)
    return Catalogue(events * mask, users * mask, before.n_users, also=also, fills=False)
