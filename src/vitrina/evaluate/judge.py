"""Judging a part of the queries: what comes of it adds up over parts of other people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from vitrina.base.errors import ParameterError
from vitrina.base.files import atomic_file
from vitrina.catalogue import Catalogue
from vitrina.data.split import Split
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.means import NUMBERS, Means, Summary
from vitrina.evaluate.slices import SCHEMA, labels_of_part
from vitrina.metrics import Judged
from vitrina.protocols import Metric, TableMetric
from vitrina.types import Float64, Int64, Recommendations

SHORTEST = 10  # lists that a recommender is asked for are never shorter


@dataclass(frozen=True, eq=False)
class Judgement:
    """What lists are worth for a part of the queries.

    Args:
        means: of the metrics per query.
        tables: states of the metrics of the whole table, by name.
        filled, places: places that popularity filled, and all.
        reachable, targets: items of the truth in the ranked catalogue, and all.
        queries: how many.
        slices: of each slice the groups, by the place to show: name, and means of its queries.
        columns: per query, by metric; empty where they are not kept.
        users: (queries,) codes of people in the whole log; empty where columns are.
    """

    means: Means
    tables: Mapping[str, Any]
    filled: int
    places: int
    reachable: int
    targets: int
    queries: int
    slices: Mapping[str, Mapping[int, tuple[str, Means]]]
    columns: Mapping[str, Float64]
    users: Int64

    def plus(self, other: Judgement, metrics: Sequence[Metric | TableMetric]) -> Judgement:
        """Of both parts; per query nothing is kept."""
        of_table = [m for m in metrics if isinstance(m, TableMetric)]
        return Judgement(
            self.means + other.means, {m.name: m.merge(self.tables[m.name], other.tables[m.name]) for m in of_table},
            self.filled + other.filled, self.places + other.places, self.reachable + other.reachable, self.targets + other.targets,
            self.queries + other.queries, _merged(self.slices, other.slices), {}, self.users[:0],
        )  # fmt: skip

    @property
    def unreachable(self) -> float:
        return float(1 - self.reachable / self.targets) if self.targets else 0.0

    @property
    def fallback(self) -> float:
        return float(self.filled / self.places) if self.places else 0.0

    @staticmethod
    def empty_frame(metrics: Sequence[Metric | TableMetric]) -> pl.DataFrame:
        """The frame of no queries."""
        columns = {m.name: pl.Float64 for m in metrics if isinstance(m, Metric)}
        return pl.DataFrame(schema={"query": pl.Int64, "user": pl.Int32, **columns})

    def frame(self, first: int = 0) -> pl.DataFrame:
        """query (numbered from `first`), user, and a column per metric, null where a query says nothing."""
        head = {"query": np.arange(first, first + len(self.users), dtype=np.int64), "user": self.users.astype(np.int32)}
        return pl.DataFrame(head | dict(self.columns)).with_columns(pl.col(name).fill_nan(None) for name in self.columns)


@dataclass(frozen=True, eq=False)
class Judge:
    """Answers and judges a part of a split: a function that goes to other processes.

    Args:
        answered: the lists of the part, a recommender that gives them, or a function without arguments that gives the recommender.
        metrics: what is asked.
        catalogue: of the whole training part.
        kept: whether values per query are.
        slices: whether there are numbers by slice.
        cut: the last training event of the whole split, where it has days after its cut-off.
    """

    answered: Any
    metrics: tuple[Metric | TableMetric, ...]
    catalogue: Catalogue
    kept: bool = True
    slices: bool = False
    cut: int | None = None

    def __call__(self, split: Split) -> Judgement:
        lists = recommended(self.answered, split, max((m.k for m in self.metrics), default=0), self.catalogue)
        judged = Judged(lists, split.truth, self.catalogue, split.queries, split.grades)
        columns = {m.name: m.per_query(judged) for m in self.metrics if isinstance(m, Metric)}
        users, items, mask = split.queries.persons, split.truth.values, self.catalogue.mask
        inside = items[(items >= 0) & (items < len(mask))]
        return Judgement(
            Means.of(list(columns.values()), users), {m.name: m.state(judged) for m in self.metrics if isinstance(m, TableMetric)},
            int(lists.fallback.sum()), lists.items.size, int(mask[inside].sum()), len(items), len(users),
            self._slices(split, columns, users) if self.slices else {},
            columns if self.kept else {}, users if self.kept else users[:0],
        )  # fmt: skip

    def _slices(self, split: Split, columns: Mapping[str, Float64], users: Int64) -> Mapping[str, Mapping[int, tuple[str, Means]]]:
        found: dict[str, dict[int, tuple[str, Means]]] = {}
        for name, labels in labels_of_part(split, self.catalogue, self.cut).items():
            place = labels.to_physical().to_numpy()
            for order in np.unique(place).tolist():
                index = np.flatnonzero(place == order)
                means = Means.of([column[index] for column in columns.values()], users[index])
                found.setdefault(name, {})[order] = (str(labels[int(index[0])]), means)
        return found


def recommended(answered: Any, split: Split, k: int, catalogue: Catalogue) -> Recommendations:
    """The lists of a split for metrics that read `k` places: those that are given; or of a recommender, or of the one that a function gives."""
    lists = _answer(answered, split, max(k, SHORTEST))
    lists.vocabulary.require_compatible(split.queries.vocabulary, "queries of the split")
    return lists.padded(k) if out_of_items(lists, catalogue, k) else lists


def out_of_items(lists: Recommendations, catalogue: Catalogue, k: int) -> bool:
    """Whether lists are shorter than `k` because there are no more items to recommend."""
    return k > lists.k >= len(catalogue.items)


def _answer(answered: Any, split: Split, k: int) -> Recommendations:
    if isinstance(answered, Recommendations):
        return answered
    if not hasattr(answered, "recommend") and callable(answered):
        answered = answered()
    if not hasattr(answered, "recommend"):
        raise ParameterError(
            f"What is judged are Recommendations, as recommend returns them, or the fitted model that gives them. Got a {type(answered).__name__}."
        )
    return answered.recommend(split.queries, k, eligible=split.eligible)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """The groups of both parts; means of one group are added up."""
    both = {name: dict(groups) for name, groups in one.items()}
    for name, groups in other.items():
        own = both.setdefault(name, {})
        for order, (group, means) in groups.items():
            own[order] = (group, own[order][1] + means) if order in own else (group, means)
    return both


def total(parts: Iterable[Judgement], metrics: Sequence[Metric | TableMetric]) -> Judgement:
    """Of all parts, added up in their order."""
    return reduce(lambda one, other: one.plus(other, metrics), parts)


def numbers_of(found: Judgement, metrics: Sequence[Metric | TableMetric], bootstrap: Bootstrap | None) -> pl.DataFrame:
    """The rows of `Evaluation.numbers`, in the order of the metrics."""
    names = [m.name for m in metrics if isinstance(m, Metric)]
    of_table = {m.name: Summary(m.value(found.tables[m.name])) for m in metrics if isinstance(m, TableMetric)}
    values = of_table | found.means.summaries(names, bootstrap)
    return pl.DataFrame([(m.name, *values[m.name]) for m in metrics], schema=NUMBERS, orient="row")


def sliced(found: Judgement, metrics: Sequence[Metric | TableMetric], bootstrap: Bootstrap | None) -> pl.DataFrame:
    """The numbers by slice, as `by_slice` has them; a slice of one group is left out."""
    names, rows = [m.name for m in metrics if isinstance(m, Metric)], []
    for name, groups in found.slices.items():
        for order, (group, means) in enumerate(groups[place] for place in sorted(groups)):
            for at, (metric, row) in enumerate(means.summaries(names, bootstrap).items()):
                rows.append((name, group, order, metric, *row[:3], int(means.queries[at]), row.people, row.hits))
    kept = [row for row in rows if len(found.slices[row[0]]) > 1]
    return pl.DataFrame(kept, schema=SCHEMA, orient="row")


def to_file(path: Path, parts: Iterable[Judgement], metrics: Sequence[Metric | TableMetric]) -> Judgement:
    """Of all parts, whose values per query are written to a Parquet file as they come, which appears when it is whole."""
    found: list[Judgement] = []

    def frames() -> Iterator[pl.DataFrame]:
        for part in parts:
            first = found[0].queries if found else 0
            found[:] = [found[0].plus(part, metrics) if found else part]
            yield part.frame(first)

    walk = frames()
    first = next(walk)
    lazy = register_io_source(lambda *_: chain([first], walk), schema=first.schema)
    with atomic_file(path) as staging, staging.open("wb") as file:  # an open one, as for lists that are written
        lazy.sink_parquet(file)
    return found[0]
