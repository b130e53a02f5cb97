"""Differences between models and what may be said of them: paired, with one correction for interval, p and power, and a verdict in words.

The value of a difference is the mean over the queries where both models say something, its error the bootstrap's of people
(`bootstrap`). In each draw every difference is off by t* of its own standard errors of that draw. The largest |t*| over all
comparisons that could have been reported has the quantile c, and that one number makes everything: the interval is
difference -+ c * error, p_adjusted the share of draws whose largest |t*| reaches |t|, and the difference that would have been seen in four
runs of five (c + z(0.8)) * error. This is the single-step max-T of [Westfall and Young 1993](https://doi.org/10.1002/bimj.4710350518),
with draws that know how models move together, so that it asks for less than Bonferroni and Holm do.

Which comparisons could have been reported depends on how the baseline was found. Named before anybody looked: the others with it.
Chosen because of its value on the same queries, as the winner of a board is: all pairs of models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.former import with_former
from vitrina.base.power import POWER
from vitrina.base.printing import short, short_interval
from vitrina.evaluate.bootstrap import Bootstrap, Buckets
from vitrina.evaluate.people import Moved, persons_of
from vitrina.types import Float64

FEWEST_PEOPLE = 20  # with a value for both models, below whom there is no verdict
FEWEST_DIFFER = 10  # of them, whose difference isn't zero
ENUMERATED = 20  # people who differ, below whom the signs are flipped in all ways
NAN = float("nan")
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
    **former: Any,
) -> pl.DataFrame:
    """Each model against the baseline on one metric, with the same draws of people for both.

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
        more: further variance of a model's mean, in the metric's unit squared: that of the seeds it was fitted with.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    Returns:
        A row for each model but the baseline: model, difference, low, high, p (of this comparison alone), p_adjusted (for all of
        them), detectable, people (with a value for both), differ (of them, whose difference isn't zero), helped and harmed (shares of them
        whose own mean is better or worse), worst (mean difference of the tenth who lose most), verdict. low, high, p_adjusted and
        detectable are null where too few people differ.

    Raises:
        UnknownNameError: the baseline is none of the models.
        ParameterError: there is not one user for each value, or `matters` is not positive.

    Cost: for each comparison a pass over the queries; draws * min(people, 16,384) for each of them and, with `chosen`, for each pair.

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
    table = compare_pairs(
        per_query, [*others, *rest], users, bootstrap=bootstrap, lower_is_better=lower_is_better, matters=matters, more=more
    )  # fmt: skip
    return table.head(len(others)).drop("against")


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
    if matters is not None and not matters > 0:
        raise ParameterError(f"What 'matters' is a difference above 0, the smallest one that does. Got {matters}.", parameter="matters")
    found, drawn = differences(per_query, pairs, users, bootstrap, lower_is_better, more or {})
    correction = Correction.of([drawn], bootstrap)
    rows = [{"model": a, "against": b, **_row(one, correction, matters, lower_is_better)} for (a, b), one in zip(pairs, found, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.selectors.float().fill_nan(None))


@dataclass(frozen=True, eq=False)
class Difference:
    """One model's mean minus another's over the queries where both have a value.

    Args:
        value: the difference; NaN where no query has both.
        error: its standard error.
        p: two-sided, of this comparison alone.
        exact: what no p may be below: that of flipping the signs of the few people who differ; 0 where many do.
        moved: what it means for single people.
    """

    value: float
    error: float
    p: float
    exact: float
    moved: Moved

    @property
    def enough(self) -> bool:
        """Whether so many people differ that a verdict may be given."""
        return self.moved.people >= FEWEST_PEOPLE and self.moved.differ >= FEWEST_DIFFER

    @property
    def t(self) -> float:
        """By how many standard errors it is off zero."""
        return abs(self.value) / self.error if self.error > 0 else (np.inf if self.value else 0.0)


def differences(
    per_query: Mapping[str, Float64], pairs: Sequence[tuple[str, str]], users: NDArray[Any], bootstrap: Bootstrap, lower_is_better: bool,
    more: Mapping[str, float],
) -> tuple[list[Difference], Float64]:  # fmt: skip
    """The first minus the second of each pair; and (draws,) the largest |t*| over those of whom there are enough."""
    persons = persons_of(users)
    columns = {model: np.asarray(values, np.float64) for model, values in per_query.items()}
    state = Buckets.of_columns([columns[a] - columns[b] for a, b in pairs], users)
    value, drawn = state.value, np.abs(state.studentised(bootstrap))
    found = []
    for i, (a, b) in enumerate(pairs):
        moved = Moved.of(columns[a] - columns[b], persons, lower_is_better)
        error = float(np.sqrt(state.error[i] ** 2 + more.get(a, 0.0) + more.get(b, 0.0)))
        one = Difference(float(value[i]), error, NAN, 0.0, moved)
        exact = sign_flip(moved.sums) if moved.differ < ENUMERATED else 0.0
        found.append(replace(one, p=max(_share(drawn[:, i], one.t), exact) if moved.people > 1 else NAN, exact=exact))
    enough = [i for i, one in enumerate(found) if one.enough]
    return found, drawn[:, enough].max(axis=1, initial=0.0)


@dataclass(frozen=True, eq=False)
class Correction:
    """What all comparisons together ask of each.

    Args:
        drawn: (draws,) the largest |t*| of each draw.
        confidence: of all verdicts together.
    """

    drawn: Float64
    confidence: float

    @classmethod
    def of(cls, parts: Sequence[Float64], bootstrap: Bootstrap) -> Correction:
        """Over the parts, whose draws are the same ones."""
        return cls(np.max(parts, axis=0), bootstrap.confidence)

    @property
    def critical(self) -> float:
        """c: above it p_adjusted is at most 1 - confidence."""
        reached = int((1 - self.confidence) * (1 + len(self.drawn)) + 1e-6)
        return float(np.sort(self.drawn)[-reached])

    def p(self, one: Difference) -> float:
        """p_adjusted: the share of draws in which some comparison is off by as much."""
        return max(_share(self.drawn, one.t), one.exact, one.p)

    def interval(self, one: Difference) -> tuple[float, float]:
        """The ends; they hold zero where only the exact test says that nothing was seen."""
        reach = self.critical * one.error
        if self.p(one) > 1 - self.confidence:
            reach = max(reach, abs(one.value))
        return one.value - reach, one.value + reach

    def detectable(self, one: Difference) -> float:
        """The difference that would have been seen in four runs of five; NaN where the draws know no doubt."""
        return (self.critical + float(ndtri(POWER))) * one.error if one.error > 0 else NAN


def sign_flip(sums: Float64) -> float:
    """The share of all ways to flip the signs of `sums` (people,) whose total is at least as far from zero: an exact test of symmetry.

    >>> sign_flip(np.array([1.0, 1.0, 0.0, 1.0, 1.0]))
    0.125
    """
    totals = np.zeros(1)
    for size in np.abs(sums[np.abs(sums) > 0]):
        totals = np.concatenate([totals + size, totals - size])
    seen = abs(sums.sum())
    return float((np.abs(totals) >= seen * (1 - 1e-9)).mean())


def _share(drawn: Float64, t: float) -> float:
    return float((1 + (drawn >= t).sum()) / (1 + len(drawn)))


def _row(one: Difference, correction: Correction, matters: float | None, lower_is_better: bool) -> dict[str, Any]:
    known = one.enough
    low, high = correction.interval(one) if known else (NAN, NAN)
    p = correction.p(one) if known else NAN
    detectable = correction.detectable(one) if known else NAN
    people, differ, helped, harmed, worst, _ = one.moved
    return {
        "difference": one.value, "low": low, "high": high, "p": one.p, "p_adjusted": p, "detectable": detectable,
        "people": people, "differ": differ, "helped": helped, "harmed": harmed, "worst": worst,
        "verdict": _verdict(one, (low, high), p <= 1 - correction.confidence, detectable, matters, lower_is_better),
    }  # fmt: skip


def _verdict(
    one: Difference, ends: tuple[float, float], sure: bool, detectable: float, matters: float | None, lower_is_better: bool
) -> str:
    people, differ = one.moved.people, one.moved.differ
    if people < FEWEST_PEOPLE:
        return f"too few people to tell: {people} of the {FEWEST_PEOPLE} that it takes"
    if not differ:
        return "the same on every query"
    if differ < FEWEST_DIFFER:
        return f"too few people differ to tell: {differ} of the {FEWEST_DIFFER} that it takes"
    if matters is not None and max(map(abs, ends)) < matters:
        return f"about equal: within {short(matters)}"
    if sure:
        word = "better" if (one.value > 0) != lower_is_better else "worse"
        return f"{word} by {short_interval(abs(one.value), *sorted(map(abs, ends)))}"
    seen = "" if np.isnan(detectable) else f"; a difference of {short(detectable)} or more would have been seen"
    return f"no measurable difference{seen}"
