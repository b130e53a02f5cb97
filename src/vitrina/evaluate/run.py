"""Numbers of one set of lists on one split: per query, and with their doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.table import Table

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.former import with_former
from vitrina.base.printing import as_text, fixed, places_of
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.data.split import Split
from vitrina.data.worth import usual_values
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.interval import TRUSTED, intervals_of
from vitrina.evaluate.people import People, persons_of
from vitrina.metrics import DEFAULT_METRICS, Judged, MetricInfo
from vitrina.metrics.info import require_values, require_vectors
from vitrina.metrics.names import metrics_of
from vitrina.protocols import Metric, TableMetric
from vitrina.types import Float32, Float64, Recommendations

NUMBERS = {
    "metric": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "people": pl.Int64, "hits": pl.Int64, "by_person": pl.Float64,
}  # fmt: skip


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
    """

    per_query: pl.DataFrame
    numbers: pl.DataFrame
    unreachable: float
    fallback: float
    confidence: float
    metrics: tuple[MetricInfo, ...]
    more: Mapping[str, float] = field(default_factory=dict)

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
        parts = [f"{len(self.per_query):,} queries", f"{self.confidence:.0%} intervals over users"]
        parts += [f"{share:.1%} {what}" for share, what in ((self.unreachable, "of the truth outside the catalogue"), (self.fallback, "of the places from popularity")) if share]  # fmt: skip
        few = self.numbers.filter(pl.col("low").is_not_null() & (pl.col("hits") < TRUSTED))["metric"].to_list()
        doubt = f"\nFewer than {TRUSTED} people have hits: the interval of {', '.join(few)} can't be trusted." if few else ""
        return ", ".join(parts) + doubt


def evaluate(
    recommendations: Recommendations,
    split: Split,
    metrics: Sequence[str | Metric | TableMetric] = DEFAULT_METRICS,
    *,
    intervals: bool = True,
    bootstrap: Bootstrap = Bootstrap(),
    vectors: Float32 | None = None,
    **former: Any,
) -> Evaluation:
    """Judge the lists for `split.queries` by `split.truth`.

    Metrics of the whole table (coverage, Gini) have no interval: they depend on how many people are asked, and a
    bootstrap, which draws fewer different people, would be centred elsewhere.

    Args:
        recommendations: a list per query, in the order of `split.queries`.
        split: holds the truth, the training catalogue and the histories.
        metrics: names ("nDCG@10", "repeat Recall@10") or metrics.
        intervals: make them, or leave low and high null.
        bootstrap: its confidence is that of the intervals.
        vectors: (items, dim) rows for the diversity metrics; of any scale.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    Raises:
        UnknownNameError: there is no metric of a name; the message says the closest.
        VocabularyError: lists and split speak of other items.
        ParameterError: the lists are shorter than a metric's k, or not one per query; a metric is named twice, or is your own and
            lacks something; vectors don't fit.
        DataError: a metric needs vectors or values, and there are none.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut())
    >>> lists = vt.Popularity().fit(split.train).recommend(split.queries, k=2, eligible=split.eligible)
    >>> evaluate(lists, split, ["HitRate@2", "Coverage@2"]).numbers["metric"].to_list()
    ['HitRate@2', 'Coverage@2']
    """
    bootstrap = with_former(bootstrap, Bootstrap, former, "evaluate", "bootstrap")
    chosen = metrics_of(metrics)
    if not isinstance(recommendations, Recommendations):
        raise ParameterError(f"What is judged are Recommendations, as recommend returns them. Got a {type(recommendations).__name__}.")
    split.eligible.check_rows(len(split.queries))
    recommendations.vocabulary.require_compatible(split.queries.vocabulary, "queries of the split")
    require_vectors(chosen, vectors)
    values = usual_values(split.train) if any("values" in m.needs for m in chosen) else None
    require_values(chosen, values)
    catalogue = replace(split.train.catalogue, values=values)
    if vectors is not None:
        catalogue = replace(catalogue, vectors=item_vectors(vectors, len(catalogue.users)))
    deepest = max((m.k for m in chosen), default=0)
    if out_of_items(recommendations, split, deepest):
        recommendations = recommendations.padded(deepest)
    judged = Judged(recommendations, split.truth, catalogue, split.queries)
    columns = {m.name: m.per_query(judged) for m in chosen if isinstance(m, Metric)}
    of_table = {m.name: m.value(m.state(judged)) for m in chosen if isinstance(m, TableMetric)}
    fallback = float(recommendations.fallback.mean()) if recommendations.items.size else 0.0
    judged_by = tuple(MetricInfo.of(m) for m in chosen)
    drawn, users = bootstrap if intervals else None, split.queries.users
    return evaluation_of(columns, of_table, users, judged_by, drawn, _unreachable(split), fallback, bootstrap.confidence)


def evaluation_of(
    columns: dict[str, Float64], of_table: Mapping[str, float], users: Any, metrics: Sequence[MetricInfo], bootstrap: Bootstrap | None,
    unreachable: float, fallback: float, confidence: float, more: Mapping[str, float] | None = None,
) -> Evaluation:  # fmt: skip
    """The numbers of values per query (NaN where one says nothing) and of the whole table, in the order of `metrics`; `more` as in `summarise`."""
    values = {name: Summary(value) for name, value in of_table.items()} | summarise(columns, users, bootstrap, more)
    numbers = pl.DataFrame([(m.name, *values[m.name]) for m in metrics], schema=NUMBERS, orient="row")
    return Evaluation(_frame(columns, users), numbers, unreachable, fallback, confidence, tuple(metrics), more or {})


class Summary(NamedTuple):
    """One metric of one model: the row of `Evaluation.numbers` but its name. None where there is no number."""

    value: float | None
    low: float | None = None
    high: float | None = None
    people: int | None = None
    hits: int | None = None
    by_person: float | None = None


def summarise(
    columns: Mapping[str, Float64], users: Any, bootstrap: Bootstrap | None = Bootstrap(), more: Mapping[str, float] | None = None
) -> dict[str, Summary]:
    """Of each column (queries,) the mean over the queries that say something, its interval if there is a bootstrap, and what people say.

    Args:
        columns: by metric, NaN where a query says nothing.
        users: (queries,) codes.
        bootstrap: its confidence is that of the intervals; None leaves them out.
        more: further variance of the mean, by metric: that of the seeds a model was fitted with.
    """
    persons, drawn = persons_of(users), {}
    if columns and bootstrap is not None:
        extra = [(more or {}).get(name, 0.0) for name in columns]
        drawn = dict(zip(columns, intervals_of(list(columns.values()), users, bootstrap.confidence, extra), strict=True))
    found = {}
    for name, column in columns.items():
        low, high = drawn.get(name, (float("nan"), float("nan")))
        people = People.of(column, persons)
        found[name] = Summary(_known(_mean(column)), _known(low), _known(high), people.people, people.hits, _known(people.by_person))
    return found


def out_of_items(lists: Recommendations, split: Split, k: int) -> bool:
    """Whether lists are shorter than `k` because there are no more items to recommend."""
    return k > lists.k >= len(split.train.catalogue.items)


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


def _mean(column: Float64) -> float:
    known = column[~np.isnan(column)]
    return float(known.mean()) if len(known) else float("nan")


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _frame(columns: dict[str, Float64], users: Any) -> pl.DataFrame:
    head = {"query": np.arange(len(users), dtype=np.int64), "user": np.asarray(users, np.int32)}
    return pl.DataFrame(head | columns).with_columns(pl.col(name).fill_nan(None) for name in columns)


def _unreachable(split: Split) -> float:
    items, mask = split.truth.values, split.train.catalogue.mask
    if not len(items):
        return 0.0
    inside = (items >= 0) & (items < len(mask))
    return float(1 - mask[items[inside]].sum() / len(items))
