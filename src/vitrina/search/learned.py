"""A mix of sources that is learned from queries whose right answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Self, final

import numpy as np
import polars as pl
from pydantic import Field, model_validator
from scipy.optimize import minimize

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.split import Split
from vitrina.forms.scale import MinMax, ReciprocalRank, Scale
from vitrina.grades import Grades
from vitrina.metrics.graded import GradedNDCG
from vitrina.metrics.judged import Judged
from vitrina.ranking.pairs import Pairs
from vitrina.search.fusion import RRF, Fusion, mixed, parts_of
from vitrina.search.hybrid import Hybrid
from vitrina.types import Float64, Int64, Recommendations
from vitrina.vocabulary import hashes

FEWEST = 20  # queries with something of use among the candidates, to learn from
STEPS = 500
METRIC = GradedNDCG()


@final
class Mix(Fusion):
    """score = sum over sources and scales of weight * part, as `Learned` has found the weights.

    Args:
        sources: their names, in the order of the weights.
        scales: what makes parts of scores.
        weights: a row per source, with a weight per scale, none below 0.
    """

    sources: tuple[str, ...] = Field(min_length=1, strict=False)
    scales: tuple[Scale, ...] = Field(min_length=1, strict=False)
    weights: tuple[tuple[float, ...], ...] = Field(strict=False)

    @model_validator(mode="after")
    def _shape(self) -> Self:
        whole = len(self.weights) == len(self.sources) and all(len(row) == len(self.scales) for row in self.weights)
        if not whole or min(map(min, self.weights)) < 0 or not max(map(max, self.weights)) > 0:
            raise ValueError(f"Mix needs a weight for each source and scale, none below 0 and one above. Got {self.weights!r}.")
        return self

    @property
    def of_others(self) -> bool:
        return True

    def counted(self, sources: int) -> tuple[bool, ...]:
        if sources != len(self.sources):
            raise ParameterError(
                f"This mix was learned for the sources {', '.join(self.sources)}, and there are {sources}. Learn it again: Learned().fit(hybrid, split)."
            )
        return tuple(max(row) > 0 for row in self.weights)

    def of(self, pairs: Pairs) -> np.ndarray:
        return mixed(features_of(pairs, self.scales).astype(np.float32), np.array(self.weights).ravel())

    def table(self) -> pl.DataFrame:
        """A row per source and scale, with its weight."""
        rows = [(s, repr(c), w) for s, row in zip(self.sources, self.weights, strict=True) for c, w in zip(self.scales, row, strict=True)]
        return pl.DataFrame(rows, schema={"source": pl.String, "scale": pl.String, "weight": pl.Float64}, orient="row")


@final
class Learned(Config):
    """Weights of sources and scales that put good items above bad ones, from few labels: the default learns four numbers.

    A list is scored by s = sum of weight * part, and the weights are those of the least

        mean over queries of - sum over candidates i of g[i] / sum(g) * log(exp(s[i]) / sum over candidates of exp(s))  +  l2 / 2 * |weights|^2

    with g the grades, 0 of what isn't judged ([Cao et al. 2007](https://doi.org/10.1145/1273496.1273513), ListNet's top one). It is convex, so there is one answer and nothing is
    drawn; parts are put on a spread of 1 within a query first, so that `l2` means the same for all. No weight is below 0: whatever a source thinks better
    is never worse for it. With the scales MinMax and ReciprocalRank both `Convex` and `RRF` are among the mixes.

    Args:
        scales: what makes parts of the scores of each source.
        l2: how much weights are held back.
        folds: what it is worth is said of queries that it hadn't learned from; those of one text are always together.
        seed: of the folds.

    Raises:
        DataError: fewer than 20 queries have something of use among their candidates.

    Cost: candidates of all queries once, 8 bytes per pair, source and scale; folds + 1 fits of a second or less for a thousand queries.
    """

    scales: tuple[Scale, ...] = Field(default=(MinMax(), ReciprocalRank()), min_length=1, strict=False)
    l2: float = Field(default=0.01, gt=0)
    folds: int = Field(default=10, ge=2)
    seed: int = Field(default=0, ge=0)

    def fit(self, hybrid: Hybrid, split: Split) -> Hybrid:
        """The same sources in the order that was learned from the queries of a split, of its grades where it has them, else of its truth.

        The notes say what it is worth on queries of folds that it hadn't learned from, beside reciprocal ranks on the same.
        """
        lesson = _Lesson.of(self, hybrid, split)
        honest, plain = lesson.value(lesson.out_of_fold()), lesson.value(RRF().of(lesson.pairs))
        mix = lesson.mix(np.arange(len(split.queries)))
        weights = ", ".join(f"{source} {scale} {weight:.3g}" for source, scale, weight in mix.table().rows())
        note = (
            f"a mix learned from {lesson.useful:,} of {len(split.queries):,} queries ({weights}); on queries that it hadn't seen, in {self.folds} folds, "
            f"{METRIC.name} {honest:.4f}, by reciprocal ranks {plain:.4f}"
        )
        return replace(hybrid, fusion=mix, told=(*hybrid.told, note))

    def cross_fitted(self, hybrid: Hybrid, split: Split, k: int) -> Recommendations:
        """Lists of the queries of a split, each by a mix that was learned from those of the other folds: what may be compared with lists that nothing was learned for."""
        lesson = _Lesson.of(self, hybrid, split)
        return lesson.lists(lesson.out_of_fold(), k)


def features_of(pairs: Pairs, scales: Sequence[Scale]) -> Float64:
    """(pairs, sources * scales) parts, those of one source side by side. Places are those of a source's own list, scores those of all candidates that it knows."""
    columns = []
    for scale in scales:
        scores = np.where(pairs.found, pairs.scores, np.nan) if isinstance(scale, ReciprocalRank) else pairs.scores
        columns.append(parts_of(scale, scores, pairs.items))
    return np.stack(columns, axis=2).reshape(len(pairs), -1).astype(np.float64)


class _Lesson(NamedTuple):
    """Candidates of queries, what sources say of them, and how good they are."""

    settings: Learned
    hybrid: Hybrid
    split: Split
    grades: Grades
    pairs: Pairs
    features: Float64  # (pairs, sources * scales), each on a spread of 1 within queries
    spread: Float64  # (sources * scales,) what they were divided by
    gains: Float64  # (pairs,) 0 of what isn't judged

    @classmethod
    def of(cls, settings: Learned, hybrid: Hybrid, split: Split) -> _Lesson:
        first = Mix(sources=tuple(hybrid.members), scales=settings.scales, weights=((1.0,) * len(settings.scales),) * len(hybrid.members))
        pairs = hybrid.with_fusion(first).candidates(split.queries, eligible=split.eligible)
        grades = Grades(split.truth, np.ones(len(split.truth.values), np.float32)) if split.grades is None else split.grades
        width = len(hybrid.vocabulary)
        judged = dict(zip((grades.items.row_of * width + grades.items.values).tolist(), grades.useful, strict=True))
        gains = np.array([judged.get(key, 0.0) for key in (pairs.rows * width + pairs.codes).tolist()], np.float64)
        features = features_of(pairs, settings.scales)
        counts = np.maximum(np.bincount(pairs.rows, minlength=len(pairs.queries)), 1)
        means = np.stack([np.bincount(pairs.rows, column, len(counts)) / counts for column in features.T], axis=1)
        spread = np.sqrt(((features - means[pairs.rows]) ** 2).mean(axis=0)) if len(features) else np.ones(features.shape[1])
        spread = np.where(spread > 0, spread, 1)
        lesson = cls(settings, hybrid, split, grades, pairs, features / spread, spread, gains)
        if lesson.useful < FEWEST:
            raise DataError(
                f"A mix is learned from {FEWEST} queries or more with something relevant among their candidates. Got {lesson.useful} of "
                f"{len(split.queries):,}: judge more queries, or take vt.search.RRF(), which needs no labels."
            )
        return lesson

    @property
    def useful(self) -> int:
        """Queries that have something of use among their candidates."""
        return len(np.unique(self.pairs.rows[self.gains > 0]))

    def mix(self, queries: Int64) -> Mix:
        """What these queries teach."""
        shape = len(self.hybrid.members), len(self.settings.scales)
        weights = (self._weights(queries) / self.spread).reshape(shape)
        weights = weights / weights.max() if weights.max() > 0 else np.ones(shape)
        return Mix(sources=tuple(self.hybrid.members), scales=self.settings.scales, weights=tuple(tuple(row) for row in weights.tolist()))

    def _weights(self, queries: Int64) -> Float64:
        asked = np.intersect1d(queries, self.pairs.rows[self.gains > 0])
        own = np.isin(self.pairs.rows, asked)
        features, gains, rows = self.features[own], self.gains[own], np.searchsorted(asked, self.pairs.rows[own])
        starts = np.searchsorted(rows, np.arange(len(asked)))
        wanted = gains / np.bincount(rows, gains)[rows]

        def loss(weights: Float64) -> tuple[float, Float64]:
            scores = features @ weights
            scores -= np.maximum.reduceat(scores, starts)[rows]
            sums = np.add.reduceat(np.exp(scores), starts)
            off = np.exp(scores) / sums[rows] - wanted
            value = float(np.log(sums).sum() - wanted @ scores) / len(asked) + self.settings.l2 / 2 * float(weights @ weights)
            return value, off @ features / len(asked) + self.settings.l2 * weights

        start = np.full(features.shape[1], 1 / features.shape[1])
        return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start), options={"maxiter": STEPS}).x

    def out_of_fold(self) -> np.ndarray:
        """(pairs,) scores of each query by what the other folds taught; queries of one text are in one fold."""
        texts = self.split.queries.texts
        named = (
            pl.Series(map(str, range(len(self.split.queries))))
            if texts is None
            else texts.fill_null("").str.to_lowercase().str.strip_chars()
        )
        keys = hashes(named + f"|{self.settings.seed}")
        _, place = np.unique(keys, return_inverse=True)
        folds = place % self.settings.folds
        scores = np.zeros(len(self.pairs), np.float32)
        for fold in range(self.settings.folds):
            own = folds[self.pairs.rows] == fold
            scores[own] = self.mix(np.flatnonzero(folds != fold)).of(self.pairs.keep(own))
        return scores

    def lists(self, scores: np.ndarray, k: int) -> Recommendations:
        """The lists of candidates with such scores."""
        return self.hybrid.listed(self.pairs, scores, k, self.split.eligible)

    def value(self, scores: np.ndarray) -> float:
        """The metric of those lists."""
        lists = self.lists(scores, METRIC.k).padded(METRIC.k)
        judged = Judged(lists, self.split.truth, self.hybrid.catalogue, self.split.queries, self.grades)
        return float(np.nanmean(METRIC.per_query(judged)))
