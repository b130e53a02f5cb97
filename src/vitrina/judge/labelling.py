"""Which items people should label next: where the judge is likely to be wrong, with chances that keep the estimate honest.

A row that is labelled with the chance p adds e^2 / p to the variance of a corrected mean, where e^2 is the expected square of people's label minus what is made of the judge's. For so many labels it is least with p
proportional to e ([Zrnic and Candès 2024](https://arxiv.org/abs/2403.03208)); a part of the chance is spread evenly, in case the doubt is not what it seems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.printing import short
from vitrina.types import Float64

EVEN = 0.2  # of the labels are spread evenly


@final
@dataclass(frozen=True)
class NextLabels:
    """What to label next.

    Args:
        rows: the rows that were given, with chosen, and with chance (to be labelled now or to have been before) where a row is chosen or has a label: `corrected_mean` reads it.
        half_width: of the interval that is expected with these labels; None without earlier labels, which say how far the judge is off.
        half_width_even: of the one with as many labels drawn evenly.
    """

    rows: pl.DataFrame
    half_width: float | None
    half_width_even: float | None

    @property
    def chosen(self) -> pl.DataFrame:
        return self.rows.filter("chosen")

    @property
    def sentence(self) -> str:
        if self.half_width is None or self.half_width_even is None:
            return f"{len(self.chosen):,} rows to label, the doubtful ones more often."
        return (
            f"{len(self.chosen):,} rows to label: the interval is expected to reach {short(self.half_width)} to each side, and {short(self.half_width_even)} "
            "with as many drawn evenly."
        )

    def __str__(self) -> str:
        return self.sentence


def next_labels(rows: pl.DataFrame, labels: int, *, seed: int = 0, even: float = EVEN, confidence: float = 0.95) -> NextLabels:
    """Draw rows for people to label.

    Args:
        rows: query, judge, doubt (0 or more: how unsure the judge is of a row, as the spread of several judges or raters, or an entropy); people where there are labels, which must have been drawn evenly.
        labels: how many rows to draw.
        seed: of the draw.
        even: the share of the chance that doesn't go by doubt.
        confidence: of the interval that is foretold.
    Raises:
        DataError: a column is missing, or a doubt is.
        ParameterError: there are fewer rows without a label than asked for.

    >>> rows = pl.DataFrame({"query": range(100), "judge": [0.5] * 100, "doubt": [1.0] * 10 + [0.0] * 90})
    >>> drawn = next_labels(rows, 20).chosen
    >>> len(drawn), (drawn["doubt"] > 0).sum()
    (20, 10)
    """
    missing = [name for name in ("query", "judge", "doubt") if name not in rows.columns]
    if missing:
        raise DataError(f"What to label next is drawn of the columns query, judge, doubt. Missing: {', '.join(missing)}.")
    doubt = rows["doubt"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    if not (doubt >= 0).all():
        raise DataError("The 'doubt' of each row is 0 or more. Some are below or missing.")
    people = rows["people"].cast(pl.Float64) if "people" in rows.columns else pl.Series("people", [None] * len(rows), dtype=pl.Float64)
    known = people.is_not_null().to_numpy()
    if not 0 < labels <= int((~known).sum()) or not 0 < even <= 1:
        raise ParameterError(
            f"'labels' is 1 to the {int((~known).sum()):,} rows without one, and 'even' above 0 and up to 1. Got {labels} and {even}."
        )
    off = _expected_errors(rows["judge"].cast(pl.Float64).to_numpy(), people.fill_null(0.0).to_numpy(), known, doubt)
    chance = chances(np.sqrt(off), labels, even, ~known)
    chosen = np.zeros(len(rows), bool)
    chosen[~known] = _systematic(chance[~known], np.random.default_rng(seed))
    before = known.mean()
    together = before + (1 - before) * chance  # to have a label by either way
    told = rows.with_columns(chosen=pl.Series(chosen), chance=pl.Series(np.where(chosen | known, together, np.nan)).fill_nan(None))
    if known.sum() < 10:
        return NextLabels(told, None, None)
    z, even_chance = float(ndtri((1 + confidence) / 2)), (known.sum() + labels) / len(rows)
    return NextLabels(told, z * _error(off, together), z * _error(off, np.full(len(rows), even_chance)))


def chances(size: Float64, labels: int, even: float, free: NDArray[np.bool_]) -> Float64:
    """(rows,) chances that add up to `labels` over the free rows, proportional to `size` but for the even part, none above 1.

    A row that is not free has the chance that it would have if it were.
    """
    total = size[free].sum()
    share = (1 - even) * size / total + even / free.sum() if total > 0 else np.full(len(size), 1 / free.sum())
    sure = np.zeros(len(size), bool)
    while True:
        left = labels - (sure & free).sum()
        chance = np.where(sure, 1.0, share * left / max(share[~sure & free].sum(), 1e-300))
        over = (chance > 1 + 1e-12) & ~sure
        if not (over & free).any():
            return np.minimum(chance, 1.0)
        sure |= over


def _systematic(chance: Float64, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(rows,) which are drawn: as many as the chances add up to, each with its own chance, in random order."""
    order = rng.permutation(len(chance))
    ends = np.cumsum(chance[order])
    ends *= round(float(ends[-1])) / ends[-1]
    marks = np.floor(np.concatenate([[0.0], ends]) + rng.random())
    drawn = np.zeros(len(chance), bool)
    drawn[order] = np.diff(marks) > 0
    return drawn


def _expected_errors(judge: Float64, people: Float64, known: NDArray[np.bool_], doubt: Float64) -> Float64:
    """(rows,) the expected square of what is left of people's label after the judge's: level + slope * doubt^2, as earlier labels show; doubt^2 where there are hardly any."""
    squared = doubt**2
    if known.sum() < 10:
        return squared
    x, y = judge[known], people[known]
    spread = float(((x - x.mean()) ** 2).sum())
    power = float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 0 else 0.0
    left = (y - y.mean() - power * (x - x.mean())) ** 2
    own = squared[known]
    width = float(((own - own.mean()) ** 2).sum())
    slope = max(float(((own - own.mean()) * (left - left.mean())).sum() / width), 0.0) if width > 0 else 0.0
    return np.maximum(left.mean() + slope * (squared - own.mean()), 0.05 * left.mean())


def _error(off: Float64, chance: Float64) -> float:
    return float(np.sqrt((off / np.maximum(chance, 1e-12)).sum()) / len(off))
