"""Where a model is good: the same numbers for parts of the queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.base.former import with_former
from vitrina.base.time import DAY
from vitrina.catalogue import Catalogue
from vitrina.data.split import Split
from vitrina.data.split.asked import AskedSplit, users_of
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.means import summarise
from vitrina.types import Int64

HISTORY_EDGES = (1, 5, 10, 20, 50, 100)
DAY_EDGES = (1, 3, 7, 14, 30, 60, 90)
WORD_EDGES = (1, 2, 3, 4, 6, 10)
RELEVANT_EDGES = (1, 2, 3, 6, 11, 21, 51)
FREQUENCY = "frequency"  # the column of the context that says how often a query was asked
FREQUENCY_EDGES = (1, 2, 10, 100, 1000, 10_000)
RARE = 10  # people; an item with fewer is rare
GROUPS = 8  # of a column with many values; the rest are "other"
SCHEMA = {
    "slice": pl.String, "group": pl.String, "order": pl.Int64, "metric": pl.String,
    "value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "queries": pl.Int64, "people": pl.Int64, "hits": pl.Int64,
}  # fmt: skip


def slice_labels(*splits: Split) -> dict[str, pl.Series]:
    """For each slice the group of each query, as an Enum whose categories are in the order to show.

    Queries are those of one split, or of several folds of one log, one after another.

    - `people`: known (with events in training), new but with a history, new and without one.
    - `items taken`: by the rarest item of the truth: one never seen in training, one that fewer than 10 people took, or neither.
    - `history`: events in the query's history.
    - `days after the cut-off`: from the last training event to the query, which shows how a model ages; only where real time
      divides training from every query.
    - `words asked`, of a search: how many words were typed, by the spaces between them.
    - `relevant items`, of judged queries: how many were judged relevant.
    - `times asked`: the column `frequency` of the queries' context.
    - `user: COLUMN` and `context: COLUMN`: each category and number of the user table and of the queries' context. Of many
      values the eight most frequent stay and the rest are "other"; of many numbers there are quartiles.

    A slice that would hold one group is left out.

    >>> import vitrina as vt
    >>> split = vt.testing.synthetic().split(vt.split.LeaveOneOut())
    >>> slice_labels(split)["history"].unique().sort().to_list()
    ['1 to 4', '5 to 9', '10 to 19', '20 to 49']
    """
    of_splits = [labels_of_part(split, split.train.catalogue, cut_of(split)) for split in splits]
    usual = {name: _joined(name, of_splits, splits) for name in dict.fromkeys(name for named in of_splits for name in named)}
    columns = [dict(_columns(split)) for split in splits]
    usual |= {name: labelled(_joined(name, columns, splits)) for name in dict.fromkeys(name for named in columns for name in named)}
    return {name: labels.rename(name) for name, labels in usual.items() if labels.n_unique() > 1}


def labels_of_part(split: Split, catalogue: Catalogue, cut: int | None) -> dict[str, pl.Series]:
    """The slices that any part of the queries has, by what is known of the whole: its catalogue, and `cut_of` it."""
    found = {
        "people": _people(split),
        "items taken": _items_taken(split, catalogue),
        "history": _binned(split.queries.lengths, HISTORY_EDGES),
    }
    if split.queries.texts is not None:
        words = split.queries.texts.fill_null("").str.extract_all(r"\S+").list.len()
        found["words asked"] = _binned(words.to_numpy(), WORD_EDGES)
    if split.grades is not None:
        found["relevant items"] = _binned(split.truth.lengths, RELEVANT_EDGES)
    if (times := _times_asked(split)) is not None:
        found["times asked"] = times
    if cut is not None and split.queries.now is not None:
        found["days after the cut-off"] = _binned((split.queries.now - cut) // DAY, DAY_EDGES)
    return found


def _times_asked(split: Split) -> pl.Series | None:
    """How often each query was asked, where the context says it; null where it doesn't say it of one."""
    context = split.queries.context
    if context is None or FREQUENCY not in context.columns or not context[FREQUENCY].dtype.is_numeric():
        return None
    return _binned(context[FREQUENCY].cast(pl.Float64).fill_nan(None).fill_null(0).to_numpy(), FREQUENCY_EDGES)


def cut_of(split: Split) -> int | None:
    """The last training event, where real time divides training from every query."""
    if split.train.time_unit != "us":
        return None
    if not split.train.in_memory:
        trained, asked = split.tally.trained, split.tally.now
        return trained[1] if trained is not None and asked is not None and asked[0] > trained[1] else None
    times, now = split.train.events.times, split.queries.now
    if times is None or now is None or not len(times) or not len(now):
        return None
    cut = int(times.max())
    return cut if (now > cut).all() else None


def _joined(name: str, of_splits: Sequence[Mapping[str, pl.Series]], splits: Sequence[Split]) -> pl.Series:
    """One column of all splits; null for the queries of a split that has none of that name."""
    empty = next(named[name] for named in of_splits if name in named).clear()
    parts = [
        named[name] if name in named else empty.extend_constant(None, len(s.queries)) for named, s in zip(of_splits, splits, strict=True)
    ]
    return pl.concat(parts)


def by_slice(
    per_query: pl.DataFrame,
    labels: Mapping[str, pl.Series],
    metrics: Sequence[str] | None = None,
    *,
    intervals: bool = True,
    bootstrap: Bootstrap = Bootstrap(),
    **former: Any,
) -> pl.DataFrame:
    """The metrics of one model in each group of each slice, with intervals over the people of the group.

    Args:
        per_query: `Evaluation.per_query`.
        labels: from `slice_labels`, or a Series per slice with the group of each query: an Enum shows its groups in its
            order, anything else in sorted order; null is no group.
        metrics: columns of `per_query`; None takes all.
        intervals: make them, or leave low and high null.
        bootstrap: its confidence is that of the intervals.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    Returns:
        slice, group, order, metric, value, low, high, queries (of the group, with a value), people and hits as in `Evaluation.numbers`.

    Raises:
        ParameterError: a slice hasn't one label per query.

    >>> import polars as pl
    >>> scores = pl.DataFrame({"query": [0, 1, 2], "user": [0, 1, 2], "nDCG@10": [1.0, 0.0, 0.5]})
    >>> by_slice(scores, {"city": pl.Series(["Riga", "Oslo", "Riga"])}, intervals=False).select("group", "value", "queries").rows()
    [('Oslo', 0.0, 1), ('Riga', 0.75, 2)]
    """
    bootstrap = with_former(bootstrap, Bootstrap, former, "by_slice", "bootstrap")
    chosen = list(metrics) if metrics is not None else [c for c in per_query.columns if c not in ("query", "user")]
    users = per_query["user"].to_numpy()
    columns = {m: per_query[m].cast(pl.Float64).fill_null(float("nan")).to_numpy() for m in chosen}
    rows: list[tuple[Any, ...]] = []
    for name, order, group, index in groups_of(labels, len(per_query)):
        part = {m: c[index] for m, c in columns.items()}
        for m, (value, low, high, people, hits, _) in summarise(part, users[index], bootstrap if intervals else None).items():
            rows.append((name, group, order, m, value, low, high, int((~np.isnan(part[m])).sum()), people, hits))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def groups_of(labels: Mapping[str, pl.Series], queries: int) -> Iterator[tuple[str, int, str, Int64]]:
    """Slice, place in it, name and positions of each group that has some of the queries, in their order.

    Raises:
        ParameterError: a slice hasn't one label per query.
    """
    for name, series in labels.items():
        if len(series) != queries:
            raise ParameterError(f"The slice {name!r} must have a label for each query ({queries}). Got {len(series)}.")
        for order, value in enumerate(series.drop_nulls().unique().sort()):
            yield name, order, str(value), (series == value).fill_null(False).arg_true().to_numpy()


def _people(split: Split) -> pl.Series:
    users, has_events = split.queries.users, split.trained if isinstance(split, AskedSplit) else np.diff(split.train.indptr) > 0
    trained = np.zeros(len(users), np.bool_)
    inside = (users >= 0) & (users < len(has_events))
    trained[inside] = has_events[users[inside]]
    place = np.where(trained, 0, np.where(split.queries.lengths > 0, 1, 2))
    return _enum(place, ["known", "new, with a history", "new, without one"])


def _items_taken(split: Split, catalogue: Catalogue) -> pl.Series:
    truth = split.truth
    people = np.zeros(len(truth.values), np.int64)
    inside = (truth.values >= 0) & (truth.values < len(catalogue.users))
    people[inside] = catalogue.users[truth.values[inside]]
    rarest = np.full(len(truth), RARE, np.int64)
    np.minimum.at(rarest, truth.row_of, people)
    place = np.where(rarest == 0, 2, np.where(rarest < RARE, 1, 0))
    return _enum(place, ["known", f"one known to under {RARE} people", "one never seen in training"])


def _columns(split: Split) -> Iterator[tuple[str, pl.Series]]:
    """Columns as they are: of many values those of all splits together decide which have a group."""
    table, users, context = users_of(split), split.queries.users, split.queries.context
    if table is not None:
        place = pl.Series(users.astype(np.int64)).replace(-1, None)
        for column in (*table.columns("category"), *table.columns("number")):
            yield f"user: {column}", table.frame[column].gather(place)
    for column in () if context is None else context.iter_columns():
        if column.name == FREQUENCY and column.dtype.is_numeric():
            continue  # a slice of its own
        if column.dtype.is_numeric() or column.dtype in (pl.String, pl.Categorical, pl.Boolean) or isinstance(column.dtype, pl.Enum):
            yield f"context: {column.name}", column


def labelled(column: pl.Series) -> pl.Series:
    """Groups of any column, as an Enum in the order to show; nulls are "unknown"."""
    text, order = _of_numbers(column) if column.dtype.is_numeric() else _of_names(column.cast(pl.String))
    rest = [] if "unknown" in order else ["unknown"]
    return text.fill_null("unknown").cast(pl.Enum(order + rest))


def _of_names(text: pl.Series) -> tuple[pl.Series, list[str]]:
    """The names, the most frequent first; of many the rest become "other"."""
    order = text.drop_nulls().value_counts(sort=True)[text.name].to_list()
    if len(order) <= GROUPS:
        return text, order
    frequent = order[:GROUPS]
    merged = pl.select(pl.when(text.is_null() | text.is_in(frequent)).then(text).otherwise(pl.lit("other"))).to_series()
    return merged, frequent if "other" in frequent else [*frequent, "other"]


def _of_numbers(column: pl.Series) -> tuple[pl.Series, list[str]]:
    """The numbers, or quartiles of many."""
    column = column.fill_nan(None) if column.dtype.is_float() else column
    values = column.drop_nulls().unique().sort()
    if len(values) <= GROUPS:
        return column.cast(pl.String), values.cast(pl.String).to_list()
    edges = np.unique(np.quantile(column.drop_nulls().to_numpy(), (0, 0.25, 0.5, 0.75, 1)))
    names = list(dict.fromkeys(f"{low:g} to {high:g}" for low, high in pairwise(edges)))
    place = np.clip(np.searchsorted(edges, column.fill_null(values[0]).to_numpy(), side="left") - 1, 0, len(names) - 1)
    return pl.Series(np.array(names)[place]).set(column.is_null(), None), names


def _binned(values: NDArray[Any], edges: Sequence[int]) -> pl.Series:
    """Whole numbers from 0 in bins that start at 0 and at each edge; "5 to 9", and a bin of one number is that number."""
    starts = (0, *edges)
    names = [str(a) if b == a + 1 else f"{a} to {b - 1}" for a, b in zip(starts, edges, strict=False)]
    return _enum(np.searchsorted(edges, values, side="right"), [*names, f"{edges[-1]} or more"])


def _enum(place: NDArray[Any], names: Sequence[str]) -> pl.Series:
    return pl.Series(list(names)).gather(place.astype(np.uint32)).cast(pl.Enum(list(names)))
