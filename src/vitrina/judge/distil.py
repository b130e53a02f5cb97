"""A judge's labels as a truth to learn from: each grade counts for what people make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.judge.calibration import Calibration
from vitrina.judge.judgements import Judgements
from vitrina.types import Float64

PRIOR = 2.0  # labels of each grade of the judge that are added, spread as people's labels are over all


@final
@dataclass(frozen=True, eq=False, repr=False)
class Distilled:
    """Labels to learn from.

    Args:
        table: query, item, label (the judge's), gain: what such a label is worth by people's labels.
        worth: label, gain, plain (the gain of the grade itself), people (labels of people behind it).
    """

    table: pl.DataFrame
    worth: pl.DataFrame

    def __repr__(self) -> str:
        told = ", ".join(f"{label}: {gain:.2f}" for label, gain in self.worth.select("label", "gain").iter_rows())
        return f"Distilled({len(self.table)} labels; gains {told})"


def distil(judged: Judgements, calibration: Calibration | None = None, gains: tuple[float, ...] | None = None) -> Distilled:
    """Gains of a judge's labels, for a truth with gains and for a ranker that learns from it.

    With a calibration the gain of the judge's grade j is what people's labels of such items are worth on average, sum_y P(y | j) gain(y), with P from the confusion of the gold set; a grade that the judge gives too freely counts for less.
    Two labels of the prior keep rare grades from being sure, and gains never fall with the grade (isotonic, pooled by numbers of labels).

    Args:
        judged: labels; rows without one are left out.
        calibration: of this judge. None: each grade has its own gain.
        gains: of the grades from worst to best; None: 0, 1, 2, ...
    Raises:
        DataError: the calibration is of another judge, or there is not one gain for each grade.
    """
    grades = len(judged.scale)
    plain = np.arange(grades, dtype=np.float64) if gains is None else np.asarray(gains, np.float64)
    if len(plain) != grades:
        raise DataError(f"There is one gain for each of {grades} grades. Got {len(plain)}.")
    counts = np.zeros((grades, grades))
    worth = plain
    if calibration is not None:
        if calibration.judge != judged.judge:
            raise DataError(
                f"The calibration is of {calibration.model!r} as {calibration.judge}, and the labels are of {judged.model!r} as {judged.judge}: calibrate the judge that labelled."
            )
        counts = calibration.confusion["labels"].to_numpy().reshape(grades, grades).astype(np.float64)  # people, judge
        spread = counts.sum(axis=1) / counts.sum()
        smoothed = counts + PRIOR * spread[:, None]
        worth = _rising(plain @ (smoothed / smoothed.sum(axis=0)), counts.sum(axis=0) + PRIOR)
    table = judged.kept.with_columns(gain=pl.Series(worth)[judged.kept["judge"]]).select("query", "item", "label", "gain")
    people = counts.sum(axis=0).astype(np.int64)
    return Distilled(table, pl.DataFrame({"label": judged.scale.values, "gain": worth, "plain": plain, "people": people}))


def _rising(values: Float64, weights: Float64) -> Float64:
    """The nearest values that never fall: neighbours that do are pooled."""
    pools: list[list[float]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pools.append([float(value), float(weight), 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, m), (b, w, n) = pools[-2:]
            pools[-2:] = [[(a * v + b * w) / (v + w), v + w, m + n]]
    return np.concatenate([np.full(int(n), mean) for mean, _, n in pools])
