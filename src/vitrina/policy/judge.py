"""From what estimators keep of policies to one table: values, their doubt, and paired differences under one correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from vitrina.base.printing import short, short_interval
from vitrina.evaluate.bootstrap import Bootstrap, Jackknife, drawn
from vitrina.evaluate.correction import FEWEST_DIFFER, FEWEST_PEOPLE, Correction, Difference, exact_of, largest_of
from vitrina.policy.estimators.base import Estimator, Weighted
from vitrina.policy.estimators.robust import DM
from vitrina.policy.resample import Drawn, resampled
from vitrina.policy.sums import Sums, grouped
from vitrina.policy.weights import Weights
from vitrina.types import Float64

FEWEST_DRAWN = 0.99  # of the draws, that must give a number: else the few rows that speak of a policy are no ground for an interval
SCHEMA = {
    "reward": pl.String, "estimator": pl.String, "policy": pl.String, "value": pl.Float64, "error": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "baseline": pl.String, "difference": pl.Float64, "difference_error": pl.Float64, "difference_low": pl.Float64, "difference_high": pl.Float64,
    "p": pl.Float64, "p_adjusted": pl.Float64, "detectable": pl.Float64, "verdict": pl.String, "ess": pl.Float64, "mean_weight": pl.Float64,
    "largest_weight": pl.Float64, "rows": pl.Int64, "clusters": pl.Int64, "freedom": pl.Float64, "refused": pl.String,
}  # fmt: skip


class Doubt(NamedTuple):
    """How intervals are made.

    Args:
        confidence: of each interval of a value, and of all verdicts on the policies of one reward by one estimator together.
        draws: of the bootstrap; None: the jackknife and Student's t.
        seed: of draws.
    """

    confidence: float = 0.95
    draws: int | None = None
    seed: int = 0

    @property
    def together(self) -> Bootstrap:
        """How many differences are judged together (`vitrina.evaluate.correction`)."""
        fewest = int(np.ceil(1 / (1 - self.confidence)))
        return Bootstrap(seed=self.seed, confidence=self.confidence, draws=max(Bootstrap().draws, fewest))


@final
class Judge:
    """Takes the policies one after another, so that the rows of only one are held, and gives the table of all.

    Args:
        clusters: (n,) codes from 0 on.
        estimators: by name, in order.
        doubt: how intervals are made.
    """

    def __init__(self, clusters: NDArray[Any], estimators: Mapping[str, Estimator], doubt: Doubt) -> None:
        self.clusters, self.estimators, self.doubt = grouped(clusters), estimators, doubt
        self.count = int(clusters.max(initial=-1)) + 1
        self.groups = int(self.clusters.max(initial=-1)) + 1
        self.kept: dict[tuple[str, str], dict[str, Sums]] = {}
        self.weights: dict[str, Weights] = {}
        self.refused: dict[str, str] = {}

    def take(self, policy: str, reward: str, stages: Sequence[Weighted]) -> None:
        """One policy on one reward."""
        self.weights[policy] = Weights.of(stages[-1].weights)
        for name, estimator in self.estimators.items():
            self.kept.setdefault((reward, name), {})[policy] = Sums.of(estimator, stages, self.clusters, self.groups)

    def refuse(self, policy: str, reason: str, weights: Weights) -> None:
        """One of which no value may be given."""
        self.refused[policy], self.weights[policy] = reason, weights

    def table(self, policies: Sequence[str], rewards: Sequence[str], baseline: str | None) -> pl.DataFrame:
        """A row per reward, estimator and policy, in that order."""
        judged = [policy for policy in policies if policy not in self.refused]
        against = baseline if baseline in judged else None
        keys = [(reward, name) for reward in rewards for name in self.estimators] if judged else []
        families = [[self.kept[key][policy] for policy in judged] for key in keys]
        pairs = [] if against is None else [(at, judged.index(against)) for at, policy in enumerate(judged) if policy != against]
        draws = resampled(families, pairs, self.doubt.draws, self.doubt.seed) if self.doubt.draws and families else [None] * len(families)
        found = {key: self._family(family, pairs, own) for key, family, own in zip(keys, families, draws, strict=True)}
        rows = [
            self._row(policy, reward, name, against) | (found[reward, name][judged.index(policy)] if policy in judged else {})
            for reward in rewards for name in self.estimators for policy in policies
        ]  # fmt: skip
        return pl.DataFrame(
            [{key: None if isinstance(cell, float) and isnan(cell) else cell for key, cell in row.items()} for row in rows], schema=SCHEMA
        )

    def _row(self, policy: str, reward: str, estimator: str, baseline: str | None) -> dict[str, Any]:
        """What is known without an estimate."""
        weights = self.weights[policy]
        return {
            "reward": reward, "estimator": estimator, "policy": policy, "baseline": baseline if policy != baseline else None, "ess": weights.ess,
            "mean_weight": weights.mean, "largest_weight": weights.most, "rows": len(self.clusters), "clusters": self.count,
            "refused": self.refused.get(policy), "verdict": f"refused: {self.refused[policy]}" if policy in self.refused else None,
        }  # fmt: skip

    def _family(self, family: Sequence[Sums], pairs: Sequence[tuple[int, int]], own: Drawn | None) -> list[dict[str, Any]]:
        """All policies by one estimator: for each what its row says."""
        values, parts = np.array([sums.value for sums in family]), np.stack([sums.parts for sums in family], axis=1)
        there = family[0].counts > 0
        people = np.full(len(family), int(there.sum()))
        jackknife = Jackknife.of(parts[there], people)
        freedom = [None] * len(family) if own is not None else np.where(np.isfinite(jackknife.error), jackknife.freedom, np.nan).tolist()
        said = [
            {"value": value, "error": error, "low": low, "high": high, "freedom": free}
            for value, error, (low, high), free in zip(values.tolist(), *self._intervals(values, jackknife, own), freedom, strict=True)
        ]
        if not pairs:
            return said
        moved = np.stack([parts[there, a] - parts[there, b] for a, b in pairs], axis=1)
        differences = [self._difference(family[a], family[b], moved[:, at], there) for at, (a, b) in enumerate(pairs)]
        correction = self._correction(differences, moved, None if own is None else own.t[:, len(family) :])
        believed = isinstance(family[0].estimator, DM)
        for at, (policy, _) in enumerate(pairs):
            said[policy] |= _compared(differences[at], correction, believed)
        return said

    def _intervals(self, values: Float64, jackknife: Jackknife, own: Drawn | None) -> tuple[list[float], list[tuple[float, float]]]:
        """Errors, and ends: Student's t with the jackknife, or the bootstrap's t."""
        error, tail = jackknife.error, (1 - self.doubt.confidence) / 2
        if own is None:
            half = stdtrit(jackknife.freedom, 1 - tail) * error
            return error.tolist(), list(zip((values - half).tolist(), (values + half).tolist(), strict=True))
        t = own.t[:, : len(values)]
        known = np.isfinite(t).mean(axis=0) >= FEWEST_DRAWN
        low, high = np.nanquantile(np.where(known, t, 0.0), (tail, 1 - tail), axis=0)
        error = np.where(known, error, np.nan)
        return error.tolist(), list(zip((values - high * error).tolist(), (values - low * error).tolist(), strict=True))

    def _difference(self, one: Sums, other: Sums, parts: Float64, there: NDArray[np.bool_]) -> Difference:
        value, people, differ = one.value - other.value, int(there.sum()), one.differs(other)[there]
        jackknife = Jackknife.of(parts[:, None], np.array([people]))
        own = (value / max(people, 1) - parts)[differ]  # what each cluster adds to the difference
        exact = exact_of(own, len(own)) if len(own) and np.isfinite(own).all() else 0.0
        return Difference(value, float(jackknife.error[0]), float(jackknife.freedom[0]), people, len(own), exact)

    def _correction(self, found: Sequence[Difference], parts: Float64, t: Float64 | None) -> Correction:
        """Over the policies of which enough clusters differ from the baseline."""
        counted = [at for at, one in enumerate(found) if one.enough and np.isfinite(one.error)]
        some, own = [found[at] for at in counted], parts[:, counted]
        if t is None or not counted:
            return Correction.over(some, largest_of(drawn(own, self.doubt.together), own), self.doubt.together)
        largest = np.sort(np.nanmax(np.abs(t[:, counted]), axis=1))
        alpha = 1 - self.doubt.confidence
        reached = float(largest[-max(int(alpha * (1 + len(largest)) + 1e-6), 1)])
        return Correction(largest, len(some), float(np.median([one.freedom for one in some])), self.doubt.confidence, reached)


def _compared(one: Difference, correction: Correction, believed: bool) -> dict[str, Any]:
    """The part of a row that speaks of the baseline."""
    low, high = correction.interval(one) if one.differ or one.value else (0.0, 0.0)
    return {
        "difference": one.value, "difference_error": one.error, "difference_low": low, "difference_high": high, "p": one.p,
        "p_adjusted": correction.p(one), "detectable": correction.detectable(one), "verdict": _verdict(one, correction, believed),
    }  # fmt: skip


def _verdict(one: Difference, correction: Correction, believed: bool) -> str:
    silent = (
        (not np.isfinite(one.value), "nothing can be told, as no row speaks of one of the two"),
        (not one.differ, "the same, as the two decide alike on every row"),
        (believed, "no verdict, as the model may be wrong and its interval doesn't hold that"),
        (not np.isfinite(one.error), "nothing can be told, as one cluster alone speaks of one of the two"),
        (one.people < FEWEST_PEOPLE, f"too few clusters to tell, {one.people} of the {FEWEST_PEOPLE} that it takes"),
        (one.differ < FEWEST_DIFFER, f"too few clusters differ to tell, {one.differ} of the {FEWEST_DIFFER} that it takes"),
    )
    for holds, sentence in silent:
        if holds:
            return sentence
    if correction.p(one) <= correction.alpha:
        return f"{'better' if one.value > 0 else 'worse'} by {short_interval(abs(one.value), *sorted(abs(end) for end in correction.interval(one)))}"
    detectable = correction.detectable(one)
    seen = "" if np.isnan(detectable) else f"; a difference of {short(detectable)} or more would have been seen"
    return f"no measurable difference{seen}"
