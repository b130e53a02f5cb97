"""How good people said that items are for a question: more than taken or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.types import Bool, Float32, Float64, Int64, Ragged


@dataclass(frozen=True, eq=False)
class Grades:
    """What was judged for each query, and how good it was found. An item that isn't here was not judged, which is not the same as judged bad.

    Args:
        items: item codes that were judged, a row per query, each once; -1 for an item that no list can hold.
        gains: (judgements,) how good each is; 0 or less is of no use.
        above: an item is relevant to the metrics that know only yes and no where its gain is above this.
        more: by name, (judgements,) further numbers: minutes of reading, chances of a purchase. Heads of `vt.TwoStage` learn from them.

    Raises:
        ParameterError: the gains or further numbers are not one finite number per judgement, or a row names an item twice.

    >>> import vitrina as vt
    >>> grades = vt.Grades.of([[2, 0], [1]], [[3, 0], [1]])
    >>> [row.tolist() for row in (grades.relevant[0], grades.relevant[1])]
    [[2], [1]]
    """

    items: Ragged
    gains: Float32
    above: float = 0.0
    more: Mapping[str, Float32] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: np.asarray(column, np.float32) for name, column in {"gains": self.gains, **self.more}.items()}
        for name, column in columns.items():
            if column.shape != self.items.values.shape or not np.isfinite(column).all():
                raise ParameterError(
                    f"The {name!r} of Grades must be a finite number for each of the {len(self.items.values):,} judgements. "
                    f"Got {len(column) if column.ndim == 1 else column.shape}{'' if np.isfinite(column).all() else ', some NaN or infinite'}.",
                    parameter=name,
                )
        order = np.lexsort((self.items.values, self.items.row_of))
        items = Ragged(self.items.indptr, self.items.values[order])
        twice = np.flatnonzero((items.values[1:] == items.values[:-1]) & (items.row_of[1:] == items.row_of[:-1]) & (items.values[1:] >= 0))
        if len(twice):
            raise ParameterError(
                f"Grades must name each item of a query once. Query {items.row_of[twice[0]]} has two of item {items.values[twice[0]]}.",
                parameter="items",
            )
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "gains", columns["gains"][order])
        object.__setattr__(self, "more", {name: columns[name][order] for name in self.more})

    @classmethod
    def of(cls, rows: list[list[int]], gains: list[list[float]], above: float = 0.0) -> Grades:
        """Of a list of codes and a list of gains per query."""
        flat = np.concatenate([np.asarray(own, np.float32) for own in gains]) if gains else np.empty(0, np.float32)
        return cls(Ragged.of(rows), flat, above)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Grades({len(self.gains):,} judgements of {len(self):,} queries, relevant above {self.above:g})"

    @cached_property
    def relevant(self) -> Ragged:
        """Items of a gain above the limit, a row per query: the truth of metrics that know only yes and no."""
        return self.items.keep(self.gains > self.above)

    def column(self, name: str) -> Float32:
        """(judgements,) the gains, or a further number by its name.

        Raises:
            UnknownNameError: there is none of that name.
        """
        columns = {"gain": self.gains, **self.more}
        if name not in columns:
            raise UnknownNameError.of("number of the judgements", name, columns)
        return columns[name]

    @cached_property
    def useful(self) -> Float64:
        """(judgements,) the gains, 0 for those below 0."""
        return np.maximum(self.gains, 0).astype(np.float64)

    def take(self, rows: NDArray[np.integer] | Int64) -> Grades:
        """Those of some queries, in their order."""
        at = Ragged.of_lengths(self.items.lengths, np.arange(len(self.gains), dtype=np.int32)).take(rows).values
        return Grades(self.items.take(rows), self.gains[at], self.above, {name: column[at] for name, column in self.more.items()})

    def within(self, truth: Ragged) -> Grades:
        """Without the relevant ones that `truth` doesn't name: what is asked of a part of the truth."""
        stays = self._is_in(truth) | (self.gains <= self.above)
        more = {name: column[stays] for name, column in self.more.items()}
        return Grades(self.items.keep(stays), self.gains[stays], self.above, more)

    def _is_in(self, truth: Ragged) -> Bool:
        width = max(int(self.items.values.max(initial=0)), int(truth.values.max(initial=0))) + 2
        return np.isin(self.items.row_of * width + self.items.values + 1, truth.row_of * width + truth.values + 1)

    def best(self, k: int) -> Float64:
        """(queries, k) the k highest useful gains of each query, best first; 0 where fewer were judged."""
        order = np.lexsort((-self.useful, self.items.row_of))
        place = np.arange(len(order)) - self.items.indptr[:-1][self.items.row_of]
        out = np.zeros((len(self), k))
        first = place < k
        out[self.items.row_of[first], place[first]] = self.useful[order][first]
        return out


def require_grades(grades: Grades | None, metric: str) -> Grades:
    """The grades, if there are any.

    Raises:
        DataError: nobody judged anything, so that what wasn't taken may be good or bad.
    """
    if grades is None:
        raise DataError(
            f"{metric} needs to know what was judged and found bad, and a log of what people took doesn't say it. "
            "Split by judgements, vt.split.judged(qrels, queries, items), or leave the metric out."
        )
    return grades
