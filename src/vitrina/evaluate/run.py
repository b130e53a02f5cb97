"""Numbers of one set of lists on one split: per query, and with their doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.table import Table

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.former import with_former
from vitrina.base.printing import as_text, fixed, places_of
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.catalogue import Catalogue
from vitrina.data.split import Split
from vitrina.data.split.shards import ShardedSplit
from vitrina.data.worth import usual_values
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.interval import TRUSTED
from vitrina.evaluate.judge import Judge, Judgement, numbers_of, sliced, to_file, total
from vitrina.evaluate.means import NUMBERS, Summary, summarise
from vitrina.evaluate.slices import cut_of
from vitrina.metrics import DEFAULT_METRICS, MetricInfo
from vitrina.metrics.info import require_judgements, require_values, require_vectors
from vitrina.metrics.names import metrics_of
from vitrina.protocols import Metric, Recommender, TableMetric
from vitrina.types import Float32, Float64, Recommendations


@final
@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the lists are worth.

    Args:
        per_query: query, user (code) and a column for each metric that has a value per query; null where a query says nothing.
        numbers: metric, value, low, high, people (with a value), hits (people whose value isn't zero on some query), by_person (mean over
            people of their own means). low and high are null without intervals; all but the value for metrics of the whole table. Below
            50 people with hits (`TRUSTED`) an interval can't be trusted.
        unreachable: share of the truth outside the ranked catalogue: misses whatever the model.
        fallback: share of the places that popularity filled.
        confidence: of the intervals.
        metrics: what each metric says of itself, in the order of `numbers`.
        more: further variance of the mean, by metric, which is in the intervals beside that of people: of the seeds of several fits.
        queries: how many were asked; `per_query` has them but for a split in shards.
        slices: the numbers by slice where they were asked for, as `by_slice` has them.
    """

    per_query: pl.DataFrame
    numbers: pl.DataFrame
    unreachable: float
    fallback: float
    confidence: float
    metrics: tuple[MetricInfo, ...]
    more: Mapping[str, float] = field(default_factory=dict)
    queries: int | None = None
    slices: pl.DataFrame | None = None

    def __getitem__(self, name: str) -> float:
        """The value of a metric by its name."""
        row = self.numbers.filter(pl.col("metric") == name)
        if row.is_empty():
            raise UnknownNameError.of("evaluated metric", name, self.numbers["metric"])
        return row["value"].item()

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> Fitted:
        table = Table(box=None, caption=self._caption(), caption_justify="left")
        table.add_column("metric")
        for heading in ("value", "low", "high", "people", "hits", "by person"):
            table.add_column(heading, justify="right")
        for name, value, low, high, people, hits, by_person in self.numbers.iter_rows():
            places = max(places_of(value), 4)
            shown = ["" if n is None else fixed(n, places) for n in (value, low, high, by_person)]
            counts = ["" if n is None else f"{n:,}" for n in (people, hits)]
            table.add_row(name, *shown[:3], *counts, shown[3])
        return Fitted(table)

    def __str__(self) -> str:
        return as_text(self, 100)

    def _caption(self) -> str:
        parts = [
            f"{len(self.per_query) if self.queries is None else self.queries:,} queries",
            f"{self.confidence:.0%} intervals over users",
        ]
        parts += [f"{share:.1%} {what}" for share, what in ((self.unreachable, "of the truth outside the catalogue"), (self.fallback, "of the places from popularity")) if share]  # fmt: skip
        few = self.numbers.filter(pl.col("low").is_not_null() & (pl.col("hits") < TRUSTED))["metric"].to_list()
        doubt = f"\nFewer than {TRUSTED} people have hits: the interval of {', '.join(few)} can't be trusted." if few else ""
        return ", ".join(parts) + doubt


def evaluate(
    recommendations: Recommendations | Recommender | Callable[[], Recommender],
    split: Split,
    metrics: Sequence[str | Metric | TableMetric] = DEFAULT_METRICS,
    *,
    intervals: bool = True,
    bootstrap: Bootstrap = Bootstrap(),
    vectors: Float32 | None = None,
    slices: bool = False,
    per_query: str | Path | None = None,
    **former: Any,
) -> Evaluation:
    """Judge the lists for `split.queries` by `split.truth`.

    Metrics of the whole table (coverage, Gini) have no interval: they depend on how many people are asked, and a
    bootstrap, which draws fewer different people, would be centred elsewhere.

    The split of a log larger than memory is answered and judged shard by shard, by the executor of the log: every number is of sums that add up, and
    nothing is kept per query but what goes to a file.

    Args:
        recommendations: a list per query, in the order of `split.queries`; or the fitted model that gives them, as long as the deepest metric reads
            and at least 10. For an executor in other processes a function that gives the model is lighter to send than the model.
        split: holds the truth, the training catalogue and the histories.
        metrics: names ("nDCG@10", "repeat Recall@10") or metrics.
        intervals: make them, or leave low and high null.
        bootstrap: its confidence is that of the intervals.
        vectors: (items, dim) rows for the diversity metrics; of any scale.
        slices: numbers by slice too: those of `slice_labels` that don't need tables of people or of requests.
        per_query: a Parquet file for the values per query, written shard by shard; the codes of people are those of the whole log.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    Raises:
        UnknownNameError: there is no metric of a name; the message says the closest.
        VocabularyError: lists and split speak of other items.
        ParameterError: the lists are shorter than a metric's k, or not one per query; a metric is named twice, or is your own and
            lacks something; vectors don't fit; lists are given for a split in shards.
        DataError: a metric needs vectors, values or grades, and there are none.

    Memory: of a split in shards what a shard takes, and 260 kB per metric (and group of a slice).

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut())
    >>> lists = vt.Popularity().fit(split.train).recommend(split.queries, k=2, eligible=split.eligible)
    >>> evaluate(lists, split, ["HitRate@2", "Coverage@2"]).numbers["metric"].to_list()
    ['HitRate@2', 'Coverage@2']
    """
    bootstrap = with_former(bootstrap, Bootstrap, former, "evaluate", "bootstrap")
    chosen = metrics_of(metrics)
    whole = not isinstance(split, ShardedSplit)
    if not whole and isinstance(recommendations, Recommendations):
        raise ParameterError(
            f"{split!r} is answered shard by shard, so its lists can't be given as a whole. Give the fitted model: evaluate(fitted, split)."
        )
    if whole:
        split.eligible.check_rows(len(split.queries))
    require_vectors(chosen, vectors)
    require_judgements(chosen, split.grades)
    judge = Judge(
        recommendations, tuple(chosen), _catalogue(split, chosen, vectors), whole or per_query is not None, slices,
        cut_of(split) if slices else None,
    )  # fmt: skip
    parts = split.map_shards(judge)
    found = total(parts, chosen) if per_query is None else to_file(Path(per_query), parts, chosen)
    judged_by, drawn = tuple(MetricInfo.of(m) for m in chosen), bootstrap if intervals else None
    numbers = numbers_of(found, chosen, drawn)
    frame = found.frame() if whole else Judgement.empty_frame(chosen)
    by_group = sliced(found, chosen, drawn) if slices else None
    return Evaluation(frame, numbers, found.unreachable, found.fallback, bootstrap.confidence, judged_by, {}, found.queries, by_group)


def _catalogue(split: Split, chosen: Sequence[Metric | TableMetric], vectors: Float32 | None) -> Catalogue:
    """The training catalogue, with what the metrics need of items."""
    values = usual_values(split.train) if any("values" in m.needs for m in chosen) else None
    require_values(chosen, values)
    catalogue = replace(split.train.catalogue, values=values)
    return catalogue if vectors is None else replace(catalogue, vectors=item_vectors(vectors, len(catalogue.users)))


def evaluation_of(
    columns: dict[str, Float64], of_table: Mapping[str, float], users: Any, metrics: Sequence[MetricInfo], bootstrap: Bootstrap | None,
    unreachable: float, fallback: float, confidence: float, more: Mapping[str, float] | None = None,
) -> Evaluation:  # fmt: skip
    """The numbers of values per query (NaN where one says nothing) and of the whole table, in the order of `metrics`; `more` as in `summarise`."""
    values = {name: Summary(value) for name, value in of_table.items()} | summarise(columns, users, bootstrap, more)
    numbers = pl.DataFrame([(m.name, *values[m.name]) for m in metrics], schema=NUMBERS, orient="row")
    return Evaluation(_frame(columns, users), numbers, unreachable, fallback, confidence, tuple(metrics), more or {}, len(users))


def item_vectors(vectors: NDArray[Any], items: int) -> NDArray[Any]:
    """The vectors, if they can be those of so many items.

    Raises:
        ParameterError: there isn't a row for each item, or a row holds NaN or an infinite number.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != items:
        raise ParameterError(
            f"The 'vectors' must have a row for each of the {items} items. Got the shape {vectors.shape}.", parameter="vectors"
        )
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise ParameterError(
            f"The 'vectors' must be finite numbers. NaN or infinity is in row {wrong[0]}{' and others' * (len(wrong) > 1)}; "
            "give zeros to items without a vector.",
            parameter="vectors",
        )
    return vectors


def _frame(columns: dict[str, Float64], users: Any) -> pl.DataFrame:
    head = {"query": np.arange(len(users), dtype=np.int64), "user": np.asarray(users, np.int32)}
    return pl.DataFrame(head | columns).with_columns(pl.col(name).fill_nan(None) for name in columns)
