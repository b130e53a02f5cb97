"""What makes vectors of texts: the contract, and what every encoder shares."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import track

from vitrina.base.arrays import Float32, Int64
from vitrina.catalogue import unit_rows

PART = 1024  # texts that are made vectors of at a time


@runtime_checkable
class TextEncoder(Protocol):
    """A frozen config that makes vectors of texts. A query and an item are alike as the product of their vectors says."""

    @property
    def dim(self) -> int: ...  # numbers of a vector

    def encode(
        self, texts: pl.Series
    ) -> Float32: ...  # (texts, dim), rows of length 1; zeros for an empty text, and for one that isn't there


def encoded(texts: pl.Series, dim: int, encode: Callable[[list[str]], Float32]) -> Float32:
    """(texts, dim) what `encode` makes of the texts that say something, each distinct one once; zeros of the others.

    Many texts go in parts, with a bar on a terminal.
    """
    stripped = texts.cast(pl.String).str.strip_chars()
    distinct = stripped.drop_nulls().unique(maintain_order=True)
    distinct = distinct.filter(distinct != "")
    out = np.zeros((len(distinct) + 1, dim), np.float32)
    parts = range(0, len(distinct), PART)
    for first in (
        track(parts, "Vectors of texts", console=Console(stderr=True), transient=True) if len(parts) > 1 and sys.stderr.isatty() else parts
    ):
        out[first : min(first + PART, len(distinct))] = unit_rows(encode(distinct.slice(first, PART).to_list()))
    place = stripped.replace_strict(distinct, pl.Series(np.arange(len(distinct))), default=len(distinct), return_dtype=pl.Int64)
    return out[place.fill_null(len(distinct)).to_numpy()]


def batches(lengths: Sequence[int], tokens: int) -> Iterator[Int64]:
    """Places of texts of about the same length, with so many tokens together at most, or one text."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and (last + 1 - first) * lengths[order[last]] <= tokens:
            last += 1
        yield order[first:last]
        first = last


def padded(rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """(texts, longest) int64 token numbers, 0 where a text has ended, and 1 where there is a token."""
    longest = max(len(row) for row in rows)
    numbers, mask = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), np.int64)
    for at, row in enumerate(rows):
        numbers[at, : len(row)], mask[at, : len(row)] = row, 1
    return numbers, mask
