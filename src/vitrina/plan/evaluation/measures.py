"""The numbers of a board of forecasters: for each what a series says at an origin, and what that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from vitrina.evaluate.bootstrap import Buckets
from vitrina.evaluate.interval import Ends, Interval, intervals_within
from vitrina.plan.evaluation.scores import Scores
from vitrina.types import Bool, Float64, Int64

COMPARED = ("WRMSSE", "WSPL")  # with the baseline, in verdicts
SLICED = (*COMPARED, "coverage", "bias")
SHARES = ("coverage", "sold out")  # of days: between 0 and 1


@dataclass(frozen=True, eq=False)
class Rows:
    """Series at origins, one origin after another.

    Args:
        item: (rows,) the unit over which intervals are.
        weight: (rows,) of `Known`, over the number of origins that have any.
        price: (rows,) of `Known`.
        scores: (rows,)
    """

    item: Int64
    weight: Float64
    price: Float64
    scores: Scores

    def select(self, rows: Bool) -> Rows:
        return Rows(self.item[rows], self.weight[rows], self.price[rows], self.scores.select(rows))


Measured = tuple[Float64, Float64]  # (rows,) values, NaN where a row says nothing, and what each counts


def _over(total: Callable[[Scores], Float64], count: Callable[[Scores], Float64]) -> Callable[[Rows], Measured]:
    """Of sums and counts."""

    def measure(rows: Rows) -> Measured:
        of, many = total(rows.scores), count(rows.scores)
        return np.divide(of, many, out=np.full(len(of), np.nan), where=many > 0), many

    return measure


def _bias(rows: Rows) -> Measured:
    """A ratio of two sums, as a mean with the jackknife of the ratio to first order: bias + (m - y - bias y) / mean y."""
    seen, units, expected = rows.scores.days > 0, rows.price * rows.scores.units, rows.price * rows.scores.expected
    count = seen.astype(np.float64)
    total = units[seen].sum()
    if not total:
        return np.full(len(seen), np.nan), count
    bias = (expected[seen].sum() - total) / total
    off = expected - (1 + bias) * units
    return np.where(seen, bias + off * seen.sum() / total, np.nan), count


def _each(value: Callable[[Scores], Float64]) -> Callable[[Rows], Measured]:
    return lambda rows: (value(rows.scores), np.isfinite(value(rows.scores)).astype(np.float64))


MEASURES: dict[str, Callable[[Rows], Measured]] = {
    "WRMSSE": lambda rows: (rows.scores.rmsse, rows.weight),
    "WSPL": lambda rows: (rows.scores.pinball, rows.weight),
    "coverage": _over(lambda s: s.inside, lambda s: s.days),
    "coverage, ends included": _over(lambda s: s.closed, lambda s: s.days),
    "coverage of totals": _each(lambda s: s.total_inside),
    "coverage of totals, ends included": _each(lambda s: s.total_closed),
    "bias": _bias,
    "MAPE": _over(lambda s: s.relative, lambda s: s.selling),
    "sold out above": _over(lambda s: s.beyond, lambda s: s.sold_out),
}


def measured(name: str, rows: Rows) -> Measured:
    """Values and what they count; a row that counts nothing says nothing."""
    value, count = MEASURES[name](rows)
    known = np.isfinite(value) & (count > 0)
    return np.where(known, value, np.nan), np.where(known, count, 0.0)


def number(name: str, rows: Rows, confidence: float) -> tuple[float, Interval, int]:
    """Value, interval over items, and how many series at origins say it."""
    value, count = measured(name, rows)
    many, total = int((count > 0).sum()), count.sum()
    if not many:
        return np.nan, Interval(np.nan, np.nan), 0
    ends = Ends.of(value) if name.startswith(SHARES) else Ends(-np.inf, np.inf)  # an error below 1 so far may be above
    low, high = intervals_within(Buckets.of([value], rows.item, count), [ends], confidence)[0]
    return float(np.nansum(value * count) / total), Interval(low if name == "bias" else max(low, 0.0), high), many


def groups_of(labels: dict[str, pl.Series]) -> Iterator[tuple[str, str, Bool]]:
    """Slice, group and (rows,) whether a row is in it, in the order of the Enum; of slices with more than one group."""
    for name, label in labels.items():
        order = label.dtype.categories if isinstance(label.dtype, pl.Enum) else label.unique(maintain_order=True)
        found = [group for group in order if (label == group).any()]
        if len(found) > 1:
            yield from ((name, group, (label == group).to_numpy()) for group in found)
