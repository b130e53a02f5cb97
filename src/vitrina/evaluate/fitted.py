"""Differences between fitted models on a split, in shards too: each part is answered by all of them and counted up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import add
from typing import Any

import polars as pl

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.catalogue import Catalogue
from vitrina.data.split import Split
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.judge import recommended
from vitrina.evaluate.significance import Paired, check_matters
from vitrina.metrics import Judged
from vitrina.metrics.info import require_values, require_vectors
from vitrina.metrics.names import metrics_of
from vitrina.protocols import Metric, Recommender


@dataclass(frozen=True, eq=False)
class _Compare:
    """What a part of a split says of the differences: a function that goes to other processes."""

    recommenders: Mapping[str, Any]
    pairs: Sequence[tuple[str, str]]
    metric: Metric
    catalogue: Catalogue

    def __call__(self, split: Split) -> Paired:
        columns = {}
        for name, recommender in self.recommenders.items():
            lists = recommended(recommender, split, self.metric.k, self.catalogue)
            columns[name] = self.metric.per_query(Judged(lists, split.truth, self.catalogue, split.queries, split.grades))
        return Paired.of(columns, self.pairs, split.queries.persons)


def compare_fitted(
    recommenders: Mapping[str, Recommender | Callable[[], Recommender]],
    split: Split,
    baseline: str,
    metric: str | Metric = "nDCG@10",
    *,
    bootstrap: Bootstrap = Bootstrap(),
    chosen: bool = False,
    matters: float | None = None,
) -> pl.DataFrame:
    """Each fitted model against the baseline on one metric, with the same people for all: `compare_paired`, with the answers made here.

    A split of a log larger than memory is answered shard by shard, by the executor of the log; what is kept are sums by people and the different
    means of single people.

    Args:
        recommenders: by name; fitted on `split.train`. A function without arguments that gives one is lighter to send to other processes.
        split: what is asked, and what was taken.
        baseline: the name of the one that the others are compared with.
        metric: a name or a metric that has a value per query and needs neither vectors nor values.
        bootstrap, chosen, matters: as in `compare_paired`.

    Returns:
        The table of `compare_paired`.

    Raises:
        UnknownNameError: the baseline is none of the models, or there is no such metric.
        ParameterError: the metric has no value per query, or `matters` is not positive.

    >>> import vitrina as vt
    >>> split = vt.testing.synthetic().split(vt.split.LeaveOneOut())
    >>> models = {"Popularity": vt.Popularity().fit(split.train), "Cooccurrence": vt.Cooccurrence().fit(split.train)}
    >>> compare_fitted(models, split, "Popularity").select("model", "people").rows()
    [('Cooccurrence', 300)]
    """
    if baseline not in recommenders:
        raise UnknownNameError.of("model", baseline, recommenders)
    (judge,) = metrics_of([metric])
    if not isinstance(judge, Metric):
        raise ParameterError(f"Models are compared by a metric with a value per query. {judge.name} is one number of all lists.")
    require_vectors([judge], None)
    require_values([judge], None)
    check_matters(matters)
    others = [(model, baseline) for model in recommenders if model != baseline]
    rest = [pair for pair in combinations(recommenders, 2) if baseline not in pair] if chosen else []
    every = [*others, *rest]
    found = reduce(add, split.map_shards(_Compare(recommenders, every, judge, split.train.catalogue)))
    return found.table(every, len(others), bootstrap, judge.lower_is_better, matters, {}).drop("against")
