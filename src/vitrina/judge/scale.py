"""What a judge may say: grades from worst to best, each with what it means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, final

import numpy as np
from pydantic import Field, model_validator

from vitrina.base.config import Config, Names
from vitrina.base.errors import DataError
from vitrina.types import Int64


@final
class Scale(Config):
    """Grades from worst to best.

    Args:
        grades: what each means, the worst first; a judge reads these words.
        first: the number of the worst; the others follow by one.

    >>> scale = Scale(grades=("not relevant", "partly", "exactly what was asked for"))
    >>> scale.values, scale.said(2)
    ((0, 1, 2), 'exactly what was asked for')
    """

    grades: Names = Field(min_length=2)
    first: int = 0

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.grades)) < len(self.grades) or not all(g.strip() for g in self.grades):
            raise ValueError(f"The 'grades' of Scale are texts of which no two are the same. Got {list(self.grades)}.")
        return self

    def __len__(self) -> int:
        return len(self.grades)

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers of the grades, from worst to best."""
        return tuple(range(self.first, self.first + len(self.grades)))

    def said(self, value: int) -> str:
        """What a grade means."""
        return self.grades[value - self.first]

    def codes(self, labels: Iterable[Any], whose: str = "labels") -> Int64:
        """(labels,) their places on the scale, the worst 0; -1 where there is none (null or NaN).

        Raises:
            DataError: a label is not on the scale.
        """
        values = np.array([np.nan if v is None else v for v in labels], np.float64)
        known = ~np.isnan(values)
        off = known & ~np.isin(values, self.values)
        if off.any():
            raise DataError(
                f"The {whose} must be on the scale {self.values[0]} to {self.values[-1]}. Got {values[off][0]:g} in {int(off.sum())} of "
                f"{len(values)}: map them onto the scale, or give the scale its own grades and 'first'."
            )
        return np.where(known, np.nan_to_num(values) - self.first, -1).astype(np.int64)
