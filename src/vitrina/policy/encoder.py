"""From what is known of units to a matrix that any model takes: encoded once, the same way when it is asked later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.state import State
from vitrina.policy.units import Units
from vitrina.types import Float32, Float64

LEVELS = 32  # values of a category that have a column of their own
MISSING = "(missing)"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Encoder:
    """Numbers on the scale of their standard deviation, and a column per value of a category; no gaps.

    A number that isn't known is the mean, and has a flag of its own where that happened when the encoder was made. A category has a column for each of its 32 most frequent
    values, of which "not known" is one; a rarer value, and one that was never seen, is a row of zeros. True and false are 1 and 0.

    Args:
        numbers: column, mean, scale, and whether it has a flag for what is missing; a row each.
        levels: column and level; a row for each column of the matrix.

    >>> import polars as pl
    >>> table = pl.DataFrame({"rides": [1, 5, None], "city": ["A", "B", "A"]})
    >>> encoder = Encoder.of(Units.of_frame(table, features=["rides", "city"], arms=["none", "mail"]))
    >>> encoder.names
    ('rides', 'rides (missing)', 'city = A', 'city = B')
    >>> later = Units.of_frame(pl.DataFrame({"rides": [5], "city": ["C"]}), features=["rides", "city"], arms=["none", "mail"])
    >>> encoder.matrix(later).tolist()
    [[1.0, 0.0, 0.0, 0.0]]
    """

    numbers: pl.DataFrame
    levels: pl.DataFrame

    @classmethod
    def of(cls, units: Units) -> Encoder:
        """Of the features of units, without a look at what came of them."""
        rows, levels = [], []
        for column in units.features:
            if _is_number(column):
                values = column.cast(pl.Float64)
                spread, mean = values.std(ddof=0), values.mean()
                rows.append((column.name, float(mean or 0.0), float(spread or 1.0), bool(values.null_count())))  # pyright: ignore[reportArgumentType]
            else:
                counts = _texts(column).alias("level").value_counts(name="rows").sort(["rows", "level"], descending=[True, False])
                levels += [(column.name, level) for level in counts["level"].head(LEVELS).to_list()]
        schema = {"column": pl.String, "mean": pl.Float64, "scale": pl.Float64, "gaps": pl.Boolean}
        return cls(pl.DataFrame(rows, schema, orient="row"), pl.DataFrame(levels, {"column": pl.String, "level": pl.String}, orient="row"))

    def __repr__(self) -> str:
        return f"Encoder({', '.join(self.names) or 'nothing is known of units'})"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of the matrix."""
        gaps = self.numbers.filter("gaps")["column"]
        return (
            *self.numbers["column"],
            *(f"{name} {MISSING}" for name in gaps),
            *(f"{name} = {level}" for name, level in self.levels.iter_rows()),
        )

    def matrix(self, units: Units) -> Float32:
        """(units, names).

        Raises:
            DataError: a column isn't there, or holds another kind of values than it did.
        """
        out = np.zeros((len(units), len(self.names)), np.float32)
        gap = self.numbers.height
        for at, (name, mean, scale, gaps) in enumerate(self.numbers.iter_rows()):
            values = self._number(units, name)
            missing = np.isnan(values)
            out[:, at] = np.where(missing, 0.0, (values - mean) / scale)
            if gaps:
                out[:, gap] = missing
                gap += 1
        for (name,), part in self.levels.group_by("column", maintain_order=True):
            texts = _texts(_column(units, str(name)))
            for level in part["level"]:
                out[:, gap] = (texts == level).to_numpy()
                gap += 1
        return out

    def _number(self, units: Units, name: str) -> Float64:
        column = _column(units, name)
        if not _is_number(column):
            raise DataError(
                f"The feature {name!r} held numbers when the model was fitted, and now holds {column.dtype}. Give it as numbers."
            )
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    def unseen(self, units: Units) -> dict[str, int]:
        """Per category how many units have a value of it that wasn't there when the encoder was made; those with more values than are kept aren't looked at."""
        counts = {}
        for (name,), part in self.levels.group_by("column", maintain_order=True):
            if part.height < LEVELS:
                column = _column(units, str(name))
                counts[str(name)] = int((column.is_not_null() & ~_texts(column).is_in(part["level"].to_list())).sum())
        return {name: count for name, count in counts.items() if count}

    def examples(self, arms: tuple[str, ...]) -> Units:
        """Three units that nobody is: of mean and frequent values, of others, and one of whom nothing is known."""
        columns: dict[str, pl.Series] = {}
        for name, mean, scale, _ in self.numbers.iter_rows():
            columns[name] = pl.Series([mean, mean + scale, None], dtype=pl.Float64)
        for (name,), part in self.levels.group_by("column", maintain_order=True):
            first, last = part["level"][0], part["level"][-1]
            columns[str(name)] = pl.Series([None if level == MISSING else level for level in (first, last, None)], dtype=pl.String)
        return Units(pl.Series("unit", [1, 2, 3]), pl.DataFrame(columns), arms)

    def state(self) -> State:
        return State(files={"numbers": self.numbers, "levels": self.levels})

    @classmethod
    def of_state(cls, state: State) -> Encoder:
        return cls(state.table("numbers"), state.table("levels"))


def _column(units: Units, name: str) -> pl.Series:
    if name not in units.features.columns:
        raise DataError(
            f"The units have no feature {name!r}, which the model was fitted with. Name it among features= of the units, whose features are: "
            f"{', '.join(units.features.columns) or 'none'}."
        )
    return units.features[name]


def _is_number(column: pl.Series) -> bool:
    return column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)


def _texts(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).fill_null(MISSING)
