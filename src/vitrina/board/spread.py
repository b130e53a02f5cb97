"""How the primary metric spreads over folds in time and over fits by seed, as the tables of a board have it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import stdev
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from vitrina.base.printing import decimals, fixed

if TYPE_CHECKING:
    from vitrina.board.result import Board


class Spread(NamedTuple):
    """The values of one model, the oldest fold or the first fit first; None where one says nothing."""

    model: str
    values: tuple[float | None, ...]

    @property
    def known(self) -> list[float]:
        return [v for v in self.values if v is not None]

    @property
    def deviation(self) -> float | None:
        """The standard deviation, with one less than the number of values."""
        return stdev(self.known) if len(self.known) > 1 else None


def spreads(table: pl.DataFrame) -> list[Spread]:
    """Each model of `Board.folds` or `Board.fits` that has several values, in the order of the board.

    >>> spreads(pl.DataFrame({"model": ["EASE", "EASE", "Popularity"], "fold": [1, 2, 1], "value": [0.2, 0.4, 0.1]}))
    [Spread(model='EASE', values=(0.2, 0.4))]
    """
    if table.is_empty():
        return []
    parts = table.group_by("model", maintain_order=True).agg(pl.col("value"))
    return [Spread(model, tuple(values)) for model, values in parts.iter_rows() if len(values) > 1]


def spans(folds: pl.DataFrame) -> list[str]:
    """When each fold asks, the oldest first: "2024-01-03 to 2024-02-02"; empty for a single fold."""
    rows = [] if folds.is_empty() else folds.unique("fold", maintain_order=True).select("from", "to").rows()
    return [" to ".join(str(end).partition(" ")[0] for end in row) for row in rows] if len(rows) > 1 else []


def leaders(folds: pl.DataFrame, *, lower_is_better: bool = False) -> list[str]:
    """The model with the best value in each fold, the oldest first; empty for a single fold."""
    sign = -1 if lower_is_better else 1
    of_folds = zip(*(s.values for s in spreads(folds)), strict=True)
    names = [s.model for s in spreads(folds)]
    return [
        max(zip(names, values, strict=True), key=lambda pair: float("-inf") if pair[1] is None else sign * pair[1])[0]
        for values in of_folds
    ]


def printed(board: Board) -> Iterator[str]:
    """Lines for a terminal: the values fold by fold and fit by fit."""
    asked = spans(board.folds)
    if asked:
        yield f"{board.primary} in {len(asked)} folds ({'; '.join(asked)}):"
        yield from _lines(spreads(board.folds))
    if seeded := spreads(board.fits):
        yield f"{board.primary} of each fit, by seed:"
        yield from _lines(seeded)


def _lines(found: list[Spread]) -> Iterator[str]:
    places = max(decimals([v for s in found for v in s.values], [s.deviation for s in found]), 3)
    for spread in found:
        values = ", ".join(fixed(v, places) for v in spread.values)
        yield f"  {spread.model}: {values}; standard deviation {fixed(spread.deviation, places)}"
