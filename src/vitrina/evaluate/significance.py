"""Differences between models and what may be said of them: paired, with one correction for interval, p and power, and a verdict in words.

Models are compared on the queries where both say something. Which comparisons are corrected for (`correction`) depends on how the
baseline was found. Named before anybody looked: the others with it. Chosen because of its value on the same queries, as the winner of a
board is: all pairs of models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.former import with_former
from vitrina.base.printing import short, short_interval
from vitrina.evaluate.bootstrap import Bootstrap, Buckets, weights_of
from vitrina.evaluate.correction import FEWEST_DIFFER, FEWEST_PEOPLE, Correction, Difference, differences_of
from vitrina.evaluate.people import OwnDifferences, persons_of
from vitrina.types import Float64

SCHEMA = {
    "model": pl.String, "against": pl.String, **dict.fromkeys(("difference", "low", "high", "p", "p_adjusted", "detectable"), pl.Float64),
    "people": pl.Int64, "differ": pl.Int64, **dict.fromkeys(("helped", "harmed", "worst"), pl.Float64), "verdict": pl.String,
}  # fmt: skip


def compare_paired(
    per_query: Mapping[str, Float64],
    baseline: str,
    users: NDArray[Any],
    *,
    bootstrap: Bootstrap = Bootstrap(),
    lower_is_better: bool = False,
    chosen: bool = False,
    matters: float | None = None,
    more: Mapping[str, float] | None = None,
    weights: Float64 | None = None,
    **former: Any,
) -> pl.DataFrame:
    """Each model against the baseline on one metric, with the same people for both.

    There is no verdict below 20 people with a value for both, nor below 10 whose difference isn't zero. Where fewer than 20 differ, p
    is at least that of the exact test that flips their signs in all ways.

    Args:
        per_query: for each model (queries,) values of the metric, the same queries in the same order; NaN where a query says nothing.
        baseline: the model that the others are compared with.
        users: (queries,) codes.
        bootstrap: draws, seed and confidence, which is that of all the intervals and verdicts together.
        lower_is_better: what the word "better" means for this metric.
        chosen: whether the baseline was chosen by looking at these values, as the best or the weakest of several. Then the correction
            is for all pairs of models.
        matters: the smallest difference that matters; an interval within it is the verdict "about equal".
        more: further variance of a model's mean, in the metric's unit squared, taken as known: that of the seeds it was fitted with.
        weights: (queries,) from 0 up, of the means of all models; what a query is worth where queries aren't worth the same.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    Returns:
        A row for each model but the baseline: model, difference, low, high, p (of this comparison alone), p_adjusted (for all of
        them), detectable, people (with a value for both), differ (of them, whose difference isn't zero), helped and harmed (shares of them
        whose own mean is better or worse), worst (mean difference of the tenth who lose most), verdict. low, high, p_adjusted and
        detectable are null where too few people differ.

    Raises:
        UnknownNameError: the baseline is none of the models.
        ParameterError: there is not one user for each value, `matters` is not positive, or weights are no weights.

    Cost: a pass over the queries for each comparison, and with `chosen` for each pair of models; pairs^2 * (min(people, 16,384) + draws).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> base = rng.random(500)
    >>> table = compare_paired({"EASE": base + 0.1 * rng.random(500), "Popularity": base}, "Popularity", np.arange(500))
    >>> table["verdict"].item()
    'better by 0.050 (0.048 to 0.053)'
    """
    if baseline not in per_query:
        raise UnknownNameError.of("model", baseline, per_query)
    bootstrap = with_former(bootstrap, Bootstrap, former, "compare_paired", "bootstrap")
    others = [(model, baseline) for model in per_query if model != baseline]
    rest = [pair for pair in combinations(per_query, 2) if baseline not in pair] if chosen else []
    return _table(per_query, others, rest, users, bootstrap, lower_is_better, matters, more or {}, weights).drop("against")


def compare_with_best(
    per_query: Mapping[str, Float64],
    users: NDArray[Any],
    *,
    bootstrap: Bootstrap = Bootstrap(),
    lower_is_better: bool = False,
    matters: float | None = None,
    more: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Each model against the best of them on these queries: who is measurably behind, and who may be the best as well.

    The best is found by looking, so the correction is for all pairs: where all models are equal, somebody is called "worse" in as few
    runs as `confidence` says. The one-sided bounds of [Hsu 1981](https://doi.org/10.1214/aos/1176345582), which ask for less, say
    "not better than the best of the others": that is true of equal models, and no ground to drop one.

    Args:
        per_query, users, bootstrap, lower_is_better, matters, more: as in `compare_paired`.

    Returns:
        The columns of `compare_paired`, a row for each model but the best. Whoever isn't "worse" may be the best.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> base = rng.random(500)
    >>> models = {"EASE": base + 0.1, "KNN": base + 0.1 + rng.normal(0, 0.01, 500), "Popularity": base}
    >>> compare_with_best(models, np.arange(500)).select("model", "verdict").rows()[1]
    ('Popularity', 'worse by 0.100 (0.100 to 0.100)')
    """
    best = best_of(per_query, lower_is_better)
    return compare_paired(
        per_query, best, users, bootstrap=bootstrap, lower_is_better=lower_is_better, chosen=True, matters=matters, more=more
    )  # fmt: skip


def best_of(per_query: Mapping[str, Float64], lower_is_better: bool = False) -> str:
    """The model with the best mean over its queries; the first of equal ones.

    Raises:
        ParameterError: there is no model.
    """
    if not per_query:
        raise ParameterError("The best of no models is asked for. Give the values of one or more.", parameter="per_query")
    sign = -1.0 if lower_is_better else 1.0
    means = {model: sign * float(np.nanmean(v)) if np.isfinite(v).any() else -np.inf for model, v in per_query.items()}
    return max(means, key=lambda model: means[model])


def compare_pairs(
    per_query: Mapping[str, Float64],
    pairs: Sequence[tuple[str, str]],
    users: NDArray[Any],
    *,
    bootstrap: Bootstrap = Bootstrap(),
    lower_is_better: bool = False,
    matters: float | None = None,
    more: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """The first model of each pair against the second, with one correction for all the pairs that are given.

    Args:
        pairs: of models; all that might be spoken of.
        per_query, users, bootstrap, lower_is_better, matters, more: as in `compare_paired`.

    Returns:
        A row for each pair: model, against, and the other columns of `compare_paired`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> base = rng.integers(0, 2, 500)
    >>> models = {"plain": base, "longer": base + 0.5, "longest": base + rng.random(500)}
    >>> compare_pairs(models, [("longer", "plain"), ("longest", "longer")], np.arange(500)).select("model", "against", "difference").row(0)
    ('longer', 'plain', 0.5)
    """
    for name in (name for pair in pairs for name in pair if name not in per_query):
        raise UnknownNameError.of("model", name, per_query)
    return _table(per_query, pairs, [], users, bootstrap, lower_is_better, matters, more or {})


def _table(
    per_query: Mapping[str, Float64], pairs: Sequence[tuple[str, str]], rest: Sequence[tuple[str, str]], users: NDArray[Any],
    bootstrap: Bootstrap, lower_is_better: bool, matters: float | None, more: Mapping[str, float], weights: Float64 | None = None,
) -> pl.DataFrame:  # fmt: skip
    """A row for each of the pairs, with one correction for them and the rest."""
    check_matters(matters)
    every = [*pairs, *rest]
    return Paired.of(per_query, every, users, weights).table(every, len(pairs), bootstrap, lower_is_better, matters, more)


def check_matters(matters: float | None) -> None:
    """Refuse a smallest difference that matters which is none."""
    if matters is not None and not matters > 0:
        raise ParameterError(f"What 'matters' is a difference above 0, the smallest one that does. Got {matters}.", parameter="matters")


@dataclass(frozen=True, eq=False)
class Paired:
    """What queries say of differences between models, in numbers that add up over parts of other people.

    Args:
        buckets: sums of the differences.
        own: what each difference is to single people.
    """

    buckets: Buckets
    own: tuple[OwnDifferences, ...]

    @classmethod
    def of(
        cls, per_query: Mapping[str, Float64], pairs: Sequence[tuple[str, str]], users: NDArray[Any], weights: Float64 | None = None
    ) -> Paired:
        """The first model of each pair minus the second; `weights` (queries,) of the means."""
        columns, persons = {model: np.asarray(v, np.float64) for model, v in per_query.items()}, persons_of(users)
        state = Buckets.of((columns[a] - columns[b] for a, b in pairs), users, weights)
        weights = None if weights is None else weights_of(weights, len(persons))
        return cls(state, tuple(OwnDifferences.of(columns[a] - columns[b], persons, weights) for a, b in pairs))

    def __add__(self, other: Paired) -> Paired:
        return Paired(self.buckets + other.buckets, tuple(a + b for a, b in zip(self.own, other.own, strict=True)))

    def table(
        self, pairs: Sequence[tuple[str, str]], shown: int, bootstrap: Bootstrap, lower_is_better: bool, matters: float | None,
        more: Mapping[str, float],
    ) -> pl.DataFrame:  # fmt: skip
        """A row for each of the first `shown` pairs, with one correction for all."""
        jackknife, noise = self.buckets.jackknife(), [more.get(a, 0.0) + more.get(b, 0.0) for a, b in pairs]
        found = differences_of(self.own, self.buckets.value, jackknife, noise)
        correction = Correction.of(found, jackknife.parts, bootstrap)
        rows = []
        for (a, b), one, own in list(zip(pairs, found, self.own, strict=True))[:shown]:
            low, high = correction.interval(one)
            rows.append({
                "model": a, "against": b, "difference": one.value, "low": low, "high": high, "p": one.p, "p_adjusted": correction.p(one),
                "detectable": correction.detectable(one), "people": one.people, "differ": one.differ,
                **own.moved(lower_is_better)._asdict(), "verdict": _verdict(one, correction, matters, lower_is_better),
            })  # fmt: skip
        return pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.selectors.float().fill_nan(None))


def _verdict(one: Difference, correction: Correction, matters: float | None, lower_is_better: bool) -> str:
    if one.people < FEWEST_PEOPLE:
        return f"too few people to tell: {one.people} of the {FEWEST_PEOPLE} that it takes"
    if not one.differ:
        return "the same on every query"
    if one.differ < FEWEST_DIFFER:
        return f"too few people differ to tell: {one.differ} of the {FEWEST_DIFFER} that it takes"
    low, high = correction.interval(one)
    if matters is not None and max(-low, high) < matters:
        return f"about equal: within {short(matters)}"
    if correction.p(one) <= correction.alpha:
        word = "better" if (one.value > 0) != lower_is_better else "worse"
        return f"{word} by {short_interval(abs(one.value), *sorted((abs(low), abs(high))))}"
    detectable = correction.detectable(one)
    seen = "" if np.isnan(detectable) else f"; a difference of {short(detectable)} or more would have been seen"
    return f"no measurable difference{seen}"
