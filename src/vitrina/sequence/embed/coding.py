"""Feature columns as a sparse matrix: which learned vectors describe an item or a person, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import inf
from typing import Any, final

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from vitrina.base.errors import DataError
from vitrina.data.features import FeatureTable
from vitrina.types import Float64, Int64

CODED = ("category", "categories", "number")


@dataclass(frozen=True)
class Number:
    """What a number column is standardised by, and the range that it had: no number says more than the outermost one of training."""

    mean: float
    deviation: float
    low: float = -inf  # what an artifact without a range was fitted with
    high: float = inf

    def scaled(self, values: Float64) -> Float64:
        return (np.clip(values, self.low, self.high) - self.mean) / self.deviation

    def after(self, old: Number) -> Number:
        """On the scale of an older fit, with the range of both."""
        ranges = [r for r in ((self.low, self.high), (old.low, old.high)) if np.isfinite(r).all()]
        return Number(old.mean, old.deviation, min(low for low, _ in ranges), max(high for _, high in ranges))


@dataclass(frozen=True, eq=False)
class Coding:
    """One term for each value of a category column, and one for each number column, which weighs (x - mean) / deviation, with
    x clipped to the range that it had when the coding was made.

    Values that were not there when the coding was made, and unknown ones, have no term.
    """

    columns: Mapping[str, tuple[str, ...] | Number]

    @classmethod
    def of(cls, table: FeatureTable, columns: Sequence[str] | None, rows: NDArray[Any]) -> Coding:
        """Of the values that these rows of the table have. `columns` None takes all of categories and numbers.

        Raises:
            DataError: a column is missing or is neither, or there is none to take.
        """
        usable = [name for name in table.frame.columns if table.kinds.get(name) in CODED]
        chosen = usable if columns is None else list(columns)
        wrong = [name for name in chosen if name not in usable]
        if wrong or not chosen:
            asked = f"Got {', '.join(wrong)}." if wrong else "There is none."
            raise DataError(f"The features must be columns of categories or numbers of the table ({', '.join(usable) or 'none'}). {asked}")
        frame = table.frame[np.asarray(rows, np.int64)]
        return cls({name: _number(frame[name]) if table.kinds[name] == "number" else _values(frame[name]) for name in chosen})

    @cached_property
    def starts(self) -> dict[str, int]:
        """The first term of each column."""
        sizes = [1 if isinstance(terms, Number) else len(terms) for terms in self.columns.values()]
        return dict(zip(self.columns, np.cumsum([0, *sizes]).tolist(), strict=False))

    @cached_property
    def names(self) -> list[tuple[str, str | None]]:
        """(column, value) of each term; None for a number."""
        return [(name, value) for name, terms in self.columns.items() for value in ((None,) if isinstance(terms, Number) else terms)]

    def matrix(self, frame: pl.DataFrame) -> sparse.csr_matrix:
        """(rows, terms) float32. Columns that the frame hasn't are unknown."""
        parts = [self._entries(name, frame[name]) for name in self.columns if name in frame.columns]
        rows, terms, values = (np.concatenate([np.empty(0, np.int64), *(part[i] for part in parts)]) for i in range(3))
        return sparse.csr_matrix((values.astype(np.float32), (rows, terms)), shape=(len(frame), len(self.names)))

    def _entries(self, name: str, column: pl.Series) -> tuple[Int64, Int64, Float64]:
        """Rows, terms and values; a value that stands twice in a list counts once."""
        terms, start = self.columns[name], self.starts[name]
        if isinstance(terms, Number):
            values = _floats(column)
            rows = np.flatnonzero(~np.isnan(values))
            return rows, np.full(len(rows), start), terms.scaled(values[rows])
        code = pl.DataFrame({"value": list(terms), "term": np.arange(start, start + len(terms))}, schema_overrides={"value": pl.String})
        entries = _long(column).unique().join(code, on="value")
        return entries["row"].to_numpy(), entries["term"].to_numpy(), np.ones(len(entries))

    def after(self, old: Coding) -> Coding:
        """The same values, with the scales of numbers that an older coding had."""
        old_numbers = {name: terms for name, terms in old.columns.items() if isinstance(terms, Number)}
        return Coding({
            name: terms.after(old_numbers[name]) if isinstance(terms, Number) and name in old_numbers else terms for name, terms in self.columns.items()
        })  # fmt: skip

    def plain(self) -> dict[str, Any]:
        """What an artifact keeps of it."""
        return {name: asdict(terms) if isinstance(terms, Number) else {"values": terms} for name, terms in self.columns.items()}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Coding:
        """The inverse of `plain`."""
        return cls({name: tuple(terms["values"]) if "values" in terms else Number(**terms) for name, terms in plain.items()})


def known_terms(new: Coding, old: Coding, weight: Tensor) -> Tensor:
    """(terms, dim): what each term had before; zeros for a new one, so that it changes nothing until it has been trained."""
    place = {name: at for at, name in enumerate(old.names)}
    rows = torch.tensor([place.get(name, len(place)) for name in new.names], dtype=torch.int64)
    return torch.cat([weight, weight.new_zeros(1, weight.shape[1])])[rows]


@final
class Bags(nn.Module):
    """`forward(rows)`: the sum of the learned vectors of each row's terms, times their values, (rows, dim); zeros for row -1."""

    indptr: Tensor
    terms: Tensor
    values: Tensor

    def __init__(self, coding: Coding, frame: pl.DataFrame, dim: int) -> None:
        super().__init__()
        self.frame = frame.select(name for name in coding.columns if name in frame.columns)
        self.vectors = nn.Embedding(len(coding.names), dim)
        self.describe(coding)

    def describe(self, coding: Coding) -> None:
        """Look at the features through a coding with the same terms."""
        self.coding, matrix = coding, coding.matrix(self.frame)
        indptr = np.append(matrix.indptr, matrix.indptr[-1])  # row -1 is the empty one behind the last
        for name, array in (("indptr", indptr), ("terms", matrix.indices)):
            self.register_buffer(name, torch.from_numpy(array.astype(np.int64)), persistent=False)
        self.register_buffer("values", torch.from_numpy(matrix.data), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        rows = rows % (len(self.indptr) - 1)
        start, lengths = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        first = torch.cumsum(lengths, 0) - lengths
        at = torch.arange(int(lengths.sum()), device=rows.device) + torch.repeat_interleave(start - first, lengths)
        return F.embedding_bag(self.terms[at], self.vectors.weight, first, mode="sum", per_sample_weights=self.values[at])

    def internals(self) -> dict[str, Any]:
        return {"coding": self.coding, "terms": self.vectors.weight}

    def continue_from(self, internals: Mapping[str, Any]) -> None:
        """Terms have what they had before, numbers are measured as before, new terms start from nothing; so do all where there are no internals."""
        if not internals:
            self.vectors.weight.zero_()
            return
        old: Coding = internals["coding"]
        self.describe(self.coding.after(old))
        self.vectors.weight.copy_(known_terms(self.coding, old, internals["terms"]))


def _values(column: pl.Series) -> tuple[str, ...]:
    return tuple(_long(column)["value"].unique().sort().to_list())


def _long(column: pl.Series) -> pl.DataFrame:
    """Row and value of each category that is known."""
    frame = pl.DataFrame({"row": np.arange(len(column)), "value": column})
    if isinstance(column.dtype, pl.List):
        frame = frame.explode("value")
    return frame.with_columns(pl.col("value").cast(pl.String)).drop_nulls()


def _floats(column: pl.Series) -> Float64:
    """NaN where unknown."""
    values = column.cast(pl.Float64, strict=False).to_numpy().copy()
    values[~np.isfinite(values)] = np.nan
    return values


def _number(column: pl.Series) -> Number:
    values = _floats(column)
    values = values[~np.isnan(values)]
    if not len(values):
        return Number(0.0, 1.0, 0.0, 0.0)
    low, high = float(values.min()), float(values.max())
    largest = max(abs(low), abs(high)) or 1.0  # sums and squares of huge numbers are infinite
    deviation = float((values / largest).std()) * largest if high > low else 0.0  # that of equal values rounds to almost nothing
    return Number(float((values / largest).mean()) * largest, deviation or 1.0, low, high)
