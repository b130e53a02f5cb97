"""What a comparison asks and how it judges: the questions with their groups, and the metrics with the one that ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.board import sample
from vitrina.board.contenders import Answers
from vitrina.board.folds import Judgement, folds_of
from vitrina.data.split import Split
from vitrina.data.split.asked import users_of
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.run import Evaluation, evaluate, item_vectors
from vitrina.evaluate.slices import slice_labels
from vitrina.jobs.specs import to_spec
from vitrina.metrics import DEFAULT_METRICS, MetricInfo, metric
from vitrina.metrics.info import require_per_query, require_values, require_vectors
from vitrina.metrics.names import metrics_of
from vitrina.models.content_vectors import likeness
from vitrina.protocols import Metric, TableMetric
from vitrina.types import Float32, Int32, Recommendations

Slices = Mapping[str, pl.Series] | Sequence[str] | None


@dataclass(frozen=True)
class Questions:
    """The queries that every model answers: those of one split, or of its folds one after another.

    Args:
        folds: hold them, the oldest first; in a first look only some of each whole.
        labels: group of each query, by slice.
        wholes: the folds as they were given.
        quick: whether this is a first look.
    """

    folds: tuple[Split, ...]
    labels: Mapping[str, pl.Series]
    wholes: tuple[Split, ...]
    quick: bool

    @classmethod
    def of(cls, split: Split | Sequence[Split], slices: Slices, *, quick: bool, seed: int) -> Questions:
        """All queries, or those of a sample of people of each fold.

        Raises:
            ParameterError: it is no split; folds don't follow one another in time, or are not of one log.
            UnknownNameError: the user table has no column of a name.
        """
        wholes = folds_of(split)
        labels = _labels(wholes, slices)
        if not quick:
            return cls(wholes, labels, wholes, quick)
        rows = [sample.rows_of_people(fold, sample.QUICK_QUERIES, seed) for fold in wholes]
        asked = tuple(sample.take_queries(fold, some) for fold, some in zip(wholes, rows, strict=True))
        begins = np.cumsum([0, *(len(fold.queries) for fold in wholes)])
        of_all = np.concatenate([begin + some for begin, some in zip(begins, rows, strict=False)])
        return cls(asked, {name: groups.gather(of_all) for name, groups in labels.items()}, wholes, quick)

    @property
    def split(self) -> Split:
        """The latest fold: what depends on one training part is told of it."""
        return self.folds[-1]

    @property
    def whole(self) -> Split:
        """The latest fold as it was given."""
        return self.wholes[-1]

    @property
    def users(self) -> Int32:
        """(queries,) who asks; a person has one code in all folds."""
        return np.concatenate([fold.queries.users for fold in self.folds])


def _labels(folds: Sequence[Split], slices: Slices) -> dict[str, pl.Series]:
    """The usual slices with one's own; or, with names of columns, only these of the user table."""
    usual = slice_labels(*folds)
    if not slices:
        return usual
    if isinstance(slices, Mapping):
        return usual | dict(slices)
    table = users_of(folds[-1])
    known = [] if table is None else table.frame.columns
    for name in slices:
        if name not in known:
            raise UnknownNameError.of("column of the user table", name, known)
    return {name: s for name, s in usual.items() if not name.startswith("user: ") or name.removeprefix("user: ") in slices}


@dataclass(frozen=True)
class Judges:
    """The metrics of a comparison.

    Args:
        metrics: all of them.
        primary: the one that ranks, tunes, and that verdicts speak of.
        vectors: of the items, for the metrics that need some.
        k: length of the lists that people see.
    """

    metrics: tuple[Metric | TableMetric, ...]
    primary: Metric
    vectors: Float32 | None
    k: int

    @classmethod
    def of(cls, metrics: Sequence[Any] | None, primary: str | Metric, k: int, split: Split, vectors: Float32 | None) -> Judges:
        """The chosen metrics, or the usual ones with diversity where it can be told how alike two items are.

        Raises:
            ParameterError: the primary one has no value per query; one of your own lacks something; vectors don't fit.
            DataError: a metric needs vectors or values, and there are none.
        """
        vectors = likeness(split.train) if vectors is None else item_vectors(vectors, split.train.n_items)
        usual = DEFAULT_METRICS if vectors is None else (*DEFAULT_METRICS, f"ILD@{k}")
        chosen = metrics_of(usual if metrics is None else metrics)
        name = primary if isinstance(primary, str) else require_per_query(metric(primary)).name
        ranking = next((m for m in chosen if m.name == name), None)
        if ranking is None:
            ranking = metric(primary)
            chosen = [ranking, *chosen]
        require_vectors(chosen, vectors)
        require_values(chosen, "values" in split.train.columns or None)
        return cls(tuple(chosen), require_per_query(ranking), vectors, k)

    @property
    def depth(self) -> int:
        """How long lists must be for all metrics."""
        return max(self.k, *(m.k for m in self.metrics))

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        """What each metric says of itself."""
        return tuple(MetricInfo.of(m) for m in self.metrics)

    def check_tuning(self) -> None:
        """Refuse what a trial in another process would trip over.

        Raises:
            ParameterError: the primary metric needs vectors, or can't be built in another process.
        """
        if "vectors" in self.primary.needs:
            raise ParameterError(
                f"A search can't be judged by {self.primary.name}, which needs vectors of the items. Take another primary metric."
            )
        to_spec(self.primary)

    def judge(self, answers: Mapping[str, Answers], folds: Sequence[Split], bootstrap: Bootstrap) -> dict[str, Judgement]:
        """Every model's lists with the same draws of people, the best by the primary metric first."""
        judged = {
            name: Judgement.of([[self.evaluate(lists, fold) for lists in fits] for fits, fold in zip(given, folds, strict=True)], bootstrap)
            for name, given in answers.items()
        }
        sign = 1 if self.primary.lower_is_better else -1
        return dict(sorted(judged.items(), key=lambda pair: sign * pair[1].whole[self.primary.name]))

    def evaluate(self, lists: Recommendations, fold: Split) -> Evaluation:
        """The metrics of one set of lists, without intervals."""
        return evaluate(lists, fold, self.metrics, intervals=False, vectors=self.vectors)
