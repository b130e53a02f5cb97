"""The tables of a board, from the lists of its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.board.choice import Choice
from vitrina.board.folds import Judgement, span_of
from vitrina.catalogue import Catalogue
from vitrina.data.split import Split
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.pareto import front
from vitrina.evaluate.run import Evaluation
from vitrina.evaluate.significance import compare_paired, compare_with_best
from vitrina.evaluate.slices import by_slice
from vitrina.metrics import MetricInfo
from vitrina.protocols import Metric
from vitrina.types import Float64, Int32, Recommendations

BEYOND = ("ILD", "Coverage", "MIUF", "Serendipity", "Gini")  # what accuracy is weighed against first
BUCKETS = (("top 1%", 0.01), ("1 to 5%", 0.05), ("5 to 20%", 0.2), ("20 to 50%", 0.5), ("the other half", 1.0))
NEVER = "not in training"
CURVE_POINTS = 60
COMPARISON = {
    "model": pl.String, "metric": pl.String, "baseline": pl.String, "difference": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "p": pl.Float64, "p_adjusted": pl.Float64, "detectable": pl.Float64, "people": pl.Int64, "differ": pl.Int64,
    "helped": pl.Float64, "harmed": pl.Float64, "worst": pl.Float64, "verdict": pl.String,
}  # fmt: skip
FOLDS = {"model": pl.String, "fold": pl.Int64, "from": pl.String, "to": pl.String, "queries": pl.Int64, "value": pl.Float64}
FITS = {"model": pl.String, "fit": pl.Int64, "value": pl.Float64}
SPREADS = {"model": pl.String, "metric": pl.String, "fits": pl.Int64, "variance": pl.Float64, "of_people": pl.Float64}
Evaluations = Mapping[str, Evaluation]


def numbers(evaluations: Evaluations) -> pl.DataFrame:
    """model, metric, value, low, high, people, hits, by_person, queries (with a value)."""
    return pl.concat([_numbers(name, e) for name, e in evaluations.items()])


def _numbers(model: str, evaluation: Evaluation) -> pl.DataFrame:
    counts = {name: series.count() for name, series in evaluation.per_query.to_dict().items()}
    of_metric = pl.col("metric").replace_strict(counts, default=None, return_dtype=pl.Int64)
    return evaluation.numbers.select(pl.lit(model).alias("model"), pl.all(), of_metric.alias("queries"))


def per_query(evaluations: Evaluations) -> pl.DataFrame:
    """model, query, user, and a column per metric."""
    return pl.concat([e.per_query.select(pl.lit(name).alias("model"), pl.all()) for name, e in evaluations.items()])


def column(evaluation: Evaluation, metric: str) -> Float64:
    """One metric of one model, NaN where a query says nothing."""
    return evaluation.per_query[metric].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def columns(evaluations: Evaluations, metric: str) -> dict[str, Float64]:
    """One metric of each model."""
    return {name: column(e, metric) for name, e in evaluations.items()}


def of_seeds(evaluations: Evaluations, metric: str) -> dict[str, float]:
    """The variance of each model's mean that its seeds bring; 0 where it was fitted once."""
    return {name: e.more.get(metric, 0.0) for name, e in evaluations.items()}


def users_of(evaluations: Evaluations) -> NDArray[Any]:
    """(queries,) codes of who asks."""
    return next(iter(evaluations.values())).per_query["user"].to_numpy()


def query_metrics(evaluations: Evaluations) -> list[MetricInfo]:
    """Metrics with a value per query."""
    first = next(iter(evaluations.values()))
    return [info for info in first.metrics if info.name in first.per_query.columns]


def comparisons(
    evaluations: Evaluations, choice: Choice, metrics: Sequence[MetricInfo], primary: str, bootstrap: Bootstrap, matters: float | None
) -> pl.DataFrame:
    """Each model with the baseline; the correction is over the models, metric by metric. What matters is of the primary metric."""
    tables = [pl.DataFrame(schema=COMPARISON)]
    for metric in metrics:
        table = compare_paired(
            columns(evaluations, metric.name), choice.baseline, users_of(evaluations), bootstrap=bootstrap, lower_is_better=metric.lower_is_better,
            chosen=choice.chosen == "test", matters=matters if metric.name == primary else None, more=of_seeds(evaluations, metric.name),
        )  # fmt: skip
        tables.append(_named(table, metric.name, choice.baseline))
    return pl.concat(tables)


def against_winner(evaluations: Evaluations, metric: Metric, bootstrap: Bootstrap, matters: float | None) -> pl.DataFrame:
    """Each model with the best one, which is the first."""
    table = compare_with_best(
        columns(evaluations, metric.name),
        users_of(evaluations),
        bootstrap=bootstrap,
        lower_is_better=metric.lower_is_better,
        matters=matters,
        more=of_seeds(evaluations, metric.name),
    )
    return _named(table, metric.name, next(iter(evaluations)))


def _named(table: pl.DataFrame, metric: str, baseline: str) -> pl.DataFrame:
    return table.with_columns(metric=pl.lit(metric), baseline=pl.lit(baseline)).select(list(COMPARISON))


def slices(evaluations: Evaluations, labels: Mapping[str, pl.Series], metrics: Sequence[str], bootstrap: Bootstrap) -> pl.DataFrame:
    """The metrics of each model in each group of queries."""
    tables = [
        by_slice(e.per_query, labels, metrics, bootstrap=bootstrap).select(pl.lit(name).alias("model"), pl.all())
        for name, e in evaluations.items()
    ]
    return pl.concat(tables)


def folds(judgements: Mapping[str, Judgement], splits: Sequence[Split], primary: str) -> pl.DataFrame:
    """The primary metric of each model in each fold: the oldest is fold 1."""
    spans = [span_of(split) for split in splits]
    rows = [
        (model, number, *spans[number - 1], len(splits[number - 1].queries), values[primary])
        for model, judgement in judgements.items()
        for number, values in enumerate(judgement.folds, 1)
    ]
    return pl.DataFrame(rows, schema=FOLDS, orient="row").with_columns(pl.col("value").fill_nan(None))


def fits(judgements: Mapping[str, Judgement], primary: str) -> pl.DataFrame:
    """The primary metric of each fit over the queries of all folds, of the models that were fitted more than once."""
    rows = [
        (model, number, values[primary])
        for model, judgement in judgements.items()
        if len(judgement.fits) > 1
        for number, values in enumerate(judgement.fits, 1)
    ]
    return pl.DataFrame(rows, schema=FITS, orient="row").with_columns(pl.col("value").fill_nan(None))


def spreads(judgements: Mapping[str, Judgement]) -> pl.DataFrame:
    """How far the fits of a model are apart on each metric, of the models that were fitted more than once."""
    rows = [
        (model, metric, *spread)
        for model, judgement in judgements.items()
        for metric, spread in judgement.spreads.items()
        if spread.fits > 1
    ]
    return pl.DataFrame(rows, schema=SPREADS, orient="row")


def pareto(values: pl.DataFrame, primary: MetricInfo, metrics: Sequence[MetricInfo]) -> pl.DataFrame:
    """The models by the primary metric and one that isn't about hits: the first of `BEYOND`, else any; empty where there is none."""
    other = [m for m in metrics if not m.about_hits and m != primary]
    for beyond in sorted(other, key=lambda m: next((at for at, label in enumerate(BEYOND) if m.name.startswith(label)), len(BEYOND))):
        if values.filter(pl.col("metric") == beyond.name)["value"].is_not_null().any():
            points = front(values, primary, beyond)
            return points.with_columns(x_metric=pl.lit(primary.name), y_metric=pl.lit(beyond.name))
    return pl.DataFrame(schema={"model": pl.String, "x": pl.Float64, "y": pl.Float64, "on_front": pl.Boolean})


def popularity(lists: Mapping[str, Recommendations], split: Split) -> pl.DataFrame:
    """Shares of places by how popular the item was in training: buckets by rank among the catalogue, most popular first."""
    bucket = _bucket_of(split.train.catalogue)
    names = [name for name, _ in BUCKETS] + [NEVER]
    tables = []
    for model, items in {"taken": split.truth.values, **{n: r.items[r.items >= 0] for n, r in lists.items()}}.items():
        counts = np.bincount(bucket[items], minlength=len(names))
        share = counts / max(counts.sum(), 1)
        tables.append(pl.DataFrame({"model": model, "bucket": names, "order": np.arange(len(names)), "share": share}))
    table = pl.concat(tables)
    used = table.group_by("bucket").agg(pl.col("share").sum()).filter(pl.col("share") > 0)["bucket"]
    return table.filter(pl.col("bucket").is_in(used.implode()) | (pl.col("bucket") != NEVER))


def _bucket_of(catalogue: Catalogue) -> Int32:
    """(items,) which bucket an item is in; items without an event are in the last one. Code -1 reads the last place."""
    ranked = catalogue.by_popularity[catalogue.events[catalogue.by_popularity] > 0]
    edges = np.ceil(np.array([share for _, share in BUCKETS]) * len(ranked))
    bucket = np.full(len(catalogue.events) + 1, len(BUCKETS), np.int32)
    bucket[ranked] = np.searchsorted(edges, np.arange(len(ranked)), side="right")
    return bucket


def coverage(lists: Mapping[str, Recommendations]) -> pl.DataFrame:
    """Cumulative share of the places that the most recommended items take, at ranks spread evenly on a logarithmic scale."""
    tables = []
    for model, given in lists.items():
        items = given.items[given.items >= 0]
        counts = np.sort(np.bincount(items))[::-1] if len(items) else np.zeros(0, np.int64)
        counts = counts[counts > 0]
        share = np.cumsum(counts) / max(len(items), 1)
        ranks = np.unique(np.geomspace(1, max(len(counts), 1), CURVE_POINTS).round().astype(np.int64))[: len(counts)]
        tables.append(
            pl.DataFrame({"model": [model] * len(ranks), "rank": ranks, "share": share[ranks - 1] if len(counts) else ranks * 0.0})
        )
    return pl.concat(tables)
