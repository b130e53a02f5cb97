"""Few labels of people and many of a judge, in one interval that a biased judge can't spoil: prediction-powered inference.

With y people's label and f the judge's, the mean of y is estimated by

    v = mean_labelled(y) - power * (mean_labelled(f) - mean_all(f)),

which has no bias whatever the judge says and whatever the power is, because labelled rows are drawn at random: both means of f have one expectation
([Angelopoulos, Bates et al. 2023](https://doi.org/10.1126/science.adi6000)). The power that makes v least variable is sum_c a_c b_c / sum_c b_c^2, where a_c and b_c are what the first mean and the bracket move by without cluster c
(PPI++, [Angelopoulos, Duchi and Zrnic 2023](https://arxiv.org/abs/2311.01453), by the jackknife over clusters): 0 where the judge tells nothing, so that nothing is lost but a degree of freedom. For the error each cluster's own part
is a_c - power_c b_c with the power of the others, because a power that was fitted to the very labels that it is judged by makes intervals of small gold sets too narrow: with 20 labels they would hold the truth 1 to 2 times in 100 less often.

Rows that were not drawn with one chance (`next_labels`) count by one over their chance ([Zrnic and Candès 2024](https://arxiv.org/abs/2403.03208)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.printing import fixed, short_interval
from vitrina.evaluate.bootstrap import Jackknife
from vitrina.judge.clusters import NAN, Estimate, codes_of
from vitrina.types import Float64, Int64

FEWEST = 4  # labelled queries: the power takes a degree of freedom, and the mean one
FEW = 50  # labelled queries, below whom intervals of skewed labels hold the truth less often than they say
RARE = 10  # labels that are not the commonest one, below which the error itself is not known


@final
@dataclass(frozen=True)
class Corrected:
    """A mean by people's labels and the judge's together, and what either says alone.

    Args:
        estimate: of both together.
        labels_alone: of people's labels only.
        judge_alone: of the judge's only; biased by as much as the judge is.
        power: how far the judge's labels are followed; 0 is not at all.
        labels: rows with a label of people.
        notes: where the interval is to be doubted.

    The `table` has a row for each of the three.
    """

    estimate: Estimate
    labels_alone: Estimate
    judge_alone: Estimate
    power: float
    labels: int
    notes: tuple[str, ...] = ()

    @property
    def narrowing(self) -> float:
        """Width of the interval over that of the labels alone."""
        return (self.estimate.high - self.estimate.low) / (self.labels_alone.high - self.labels_alone.low)

    @property
    def table(self) -> pl.DataFrame:
        named = {"labels and judge": self.estimate, "labels alone": self.labels_alone, "judge alone": self.judge_alone}
        return pl.DataFrame([{"by": name, **e.row} for name, e in named.items()])

    @property
    def sentences(self) -> tuple[str, ...]:
        both, alone, judge = (short_interval(e.value, e.low, e.high) for e in (self.estimate, self.labels_alone, self.judge_alone))
        return (
            f"{both} by {self.labels:,} labels of people and {self.judge_alone.rows:,} of the judge together (power {fixed(self.power, 2)}).",
            f"The labels alone say {alone}, {fixed(1 / self.narrowing, 2)} times as wide. The judge alone says {judge}, which is off by as much as it is biased.",
            *self.notes,
        )

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def corrected_mean(rows: pl.DataFrame, *, power: float | None = None, confidence: float = 0.95) -> Corrected:
    """The mean of people's labels over all rows, most of which only a judge has labelled.

    Args:
        rows: query; judge, the judge's number for each row; people, that of people, null where there is none; where rows were not labelled with one chance, also chance. Numbers are anything that has a mean: labels,
            gains, a metric of a query, a difference of two.
        power: how far to follow the judge; None finds what makes the interval narrowest. 0 is the labels alone, 1 the plain form.
        confidence: of the intervals, by query.
    Raises:
        DataError: a column is missing, a number of the judge is, or fewer than four queries have labels.

    The rows that people labelled must have been drawn at random, whole queries or single rows: labels of what looked doubtful, without their chances, make any estimate wrong and no check sees it.

    >>> truth = np.random.default_rng(0).normal(size=2000)
    >>> labelled = [t if n < 100 else None for n, t in enumerate(truth)]
    >>> found = corrected_mean(pl.DataFrame({"query": range(2000), "judge": truth + 0.5, "people": labelled}))
    >>> print(f"{truth.mean():.3f}", found.estimate, found.judge_alone, sep=chr(10))
    -0.028
    −0.028 (−0.072 to 0.017), 100 rows of 100 queries
    0.472 (0.428 to 0.516), 2,000 rows of 2,000 queries
    """
    y, f, labelled, weight, codes = _read(rows)
    sums = _Sums.of(y, f, labelled, weight, codes)
    queries = int((sums.weight > 0).sum())
    if queries < FEWEST:
        raise DataError(f"A corrected mean needs labels of people in {FEWEST} queries or more. Got {queries}: label rows of other queries.")
    (mean, a), (of_labelled, lost), (of_all, missed) = _left(sums.y, sums.weight), _left(sums.f, sums.weight), _left(sums.all_f, sums.rows)
    b = lost - missed
    found, own = _power(a, b, power)
    count, total = int(labelled.sum()), len(rows)
    value = mean - found * (of_labelled - of_all)
    both = _interval(value, a - own * b, queries, queries - (2 if power is None else 1), count, confidence)
    alone = _interval(mean, a, queries, queries - 1, count, confidence)
    judge = _interval(of_all, missed, len(sums.rows), len(sums.rows) - 1, total, confidence)
    return Corrected(both, alone, judge, found, count, _notes(y[labelled], queries))


def corrected_difference(rows: pl.DataFrame, *, power: float | None = None, confidence: float = 0.95) -> Corrected:
    """The mean difference between two systems, a minus b, by a metric of each query: `corrected_mean` of the differences.

    Args:
        rows: query, judge_a, judge_b, people_a, people_b; those of people are null together where there are no labels.
        power, confidence: as there.
    """
    _need(rows, ("query", "judge_a", "judge_b", "people_a", "people_b"))
    kept = ["query", *(["chance"] if "chance" in rows.columns else [])]
    differences = rows.select(*kept, judge=pl.col("judge_a") - pl.col("judge_b"), people=pl.col("people_a") - pl.col("people_b"))
    return corrected_mean(differences, power=power, confidence=confidence)


class _Sums(NamedTuple):
    """Over the rows of each cluster: of the labelled ones by their weights, and of all."""

    weight: Float64
    y: Float64
    f: Float64
    rows: Float64
    all_f: Float64

    @classmethod
    def of(cls, y: Float64, f: Float64, labelled: NDArray[np.bool_], weight: Float64, codes: Int64) -> _Sums:
        n = int(codes.max()) + 1
        weighted = np.where(labelled, weight, 0.0)
        columns = (weighted, weighted * np.where(labelled, y, 0.0), weighted * f, np.ones(len(f)), f)
        return cls(*(np.bincount(codes, column, n).astype(np.float64) for column in columns))


def _left(sums: Float64, weights: Float64) -> tuple[float, Float64]:
    """A mean, and by how much it moves without each cluster."""
    mean = float(sums.sum() / weights.sum())
    rest = weights.sum() - weights
    return mean, np.divide(mean * weights - sums, rest, out=np.zeros_like(sums), where=rest > 0)


def _power(a: Float64, b: Float64, fixed_power: float | None) -> tuple[float, float | Float64]:
    """The power, and for each cluster the one that the others would choose."""
    if fixed_power is not None:
        return fixed_power, fixed_power
    products, squares = a * b, b * b
    whole, rest = float(squares.sum()), squares.sum() - squares
    tiny = 1e-12 * max(whole, 1e-300)
    own = np.divide(products.sum() - products, rest, out=np.zeros_like(rest), where=rest > tiny)
    return (float(products.sum() / whole) if whole > 1e-24 else 0.0), own


def _interval(value: float, parts: Float64, clusters: int, most: int, rows: int, confidence: float) -> Estimate:
    if clusters < 2:
        return Estimate(value, NAN, NAN, NAN, NAN, clusters, rows, confidence)
    jackknife = Jackknife.of(parts[:, None], np.array([clusters]))
    error, freedom = float(jackknife.error[0]), min(float(jackknife.freedom[0]), float(most))
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return Estimate(value, value - half, value + half, error, freedom, clusters, rows, confidence)


def _read(rows: pl.DataFrame) -> tuple[Float64, Float64, NDArray[np.bool_], Float64, Int64]:
    _need(rows, ("query", "judge", "people"))
    judge = rows["judge"].cast(pl.Float64)
    if bad := judge.null_count() + int(judge.is_nan().sum() or 0):
        raise DataError(
            f"Each row has a number of the judge. {bad} of {len(rows)} have none: judge them first, or leave them out as a decision of your own."
        )
    people: Any = rows["people"].cast(pl.Float64).fill_nan(None)
    labelled = people.is_not_null().to_numpy()
    weight = np.ones(len(rows))
    if "chance" in rows.columns:
        chance = rows["chance"].cast(pl.Float64).fill_null(NAN).to_numpy()
        if not ((chance[labelled] > 0) & (chance[labelled] <= 1)).all():
            raise ParameterError("Each labelled row has a chance above 0 and up to 1 to be labelled. Some don't.", parameter="chance")
        weight = np.where(labelled, 1 / np.where(labelled, chance, 1.0), 0.0)
    return people.fill_null(0.0).to_numpy(), judge.to_numpy(), labelled, weight, codes_of(rows["query"])


def _need(rows: pl.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in rows.columns]
    if missing or not len(rows):
        raise DataError(
            f"A corrected estimate needs rows with the columns {', '.join(columns)}. Missing: {', '.join(missing) or 'all rows'}."
        )


def _notes(y: Float64, queries: int) -> tuple[str, ...]:
    values, counts = np.unique(y, return_counts=True)
    other = len(y) - counts.max()
    notes = []
    if queries < FEW:
        notes.append(
            f"Labels of {queries} queries are few: with 20 to 30 of them and skewed labels, 92 to 94 of 100 intervals hold the truth, and not 95."
        )
    if len(values) < 10 and other < RARE:
        notes.append(
            f"All labels but {other} are one and the same: below {RARE} others the error itself is hardly known, and intervals hold the truth far less often than they say. "
            "Label more, most of all where the judge sees the rare grade (next_labels)."
        )
    return tuple(notes)
