"""Where the places of the lists come from, and what a re-ranker did to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.board.judging import Judges
from vitrina.board.sample import take_queries
from vitrina.data.split import Split
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.significance import compare_paired
from vitrina.jobs.answers import Before
from vitrina.recommendations import SOURCES
from vitrina.types import Bool, Recommendations

BY_RULE = "rules"  # the source of what a rule asked for, see `vt.Rules`
BY_SOURCE = {"model": pl.String, "source": pl.String, "places": pl.Float64, "hits": pl.Float64}
MOVES = {"model": pl.String, "lists": pl.Int64, "changed": pl.Float64, "entered": pl.Float64, "moved": pl.Float64}
EFFECTS = {
    "model": pl.String, "metric": pl.String, **dict.fromkeys(("before", "after", "difference", "low", "high"), pl.Float64), "verdict": pl.String
}  # fmt: skip
REASONS = {"model": pl.String, "reason": pl.String, "places": pl.Float64, "lists": pl.Float64}


def sources(lists: Mapping[str, Recommendations], split: Split, k: int) -> pl.DataFrame:
    """Of the models that name sources of their own: the share of the first k places, and of the hits, by source."""
    rows = []
    for model, given in lists.items():
        if not _named(given):
            continue
        source, filled = given.extra["source"][:, :k], given.items[:, :k] >= 0
        hit = hits(given, split)[:, :k]
        for at, name in enumerate(given.sources):
            own = filled & (source == at)
            rows.append((model, name, _share(own.sum(), filled.sum()), _share((own & hit).sum(), hit.sum())))
    return pl.DataFrame(rows, schema=BY_SOURCE, orient="row")


def moves(lists: Mapping[str, Recommendations], before: Mapping[str, Before], k: int) -> pl.DataFrame:
    """What each re-ranker did to the first k places: lists that it changed; places with an item from further down, or at another rank."""
    rows = []
    for model, was in before.items():
        now, then = lists[model].items[was.rows][:, :k], was.lists.items[:, :k]
        filled = now >= 0
        same = (now[:, :, None] == then[:, None, :]) & filled[:, :, None]
        entered = filled & ~same.any(axis=2)
        moved = filled & ~entered & (now != then)
        changed = (now != then).any(axis=1)
        rows.append(
            (model, len(now), _share(changed.sum(), len(now)), _share(entered.sum(), filled.sum()), _share(moved.sum(), filled.sum()))
        )
    return pl.DataFrame(rows, schema=MOVES, orient="row")


def effects(
    lists: Mapping[str, Recommendations], before: Mapping[str, Before], split: Split, judges: Judges, bootstrap: Bootstrap
) -> pl.DataFrame:
    """What a re-ranker cost and brought: each metric of the lists before and after it, on the queries that have both; intervals of one metric by itself."""
    tables = [pl.DataFrame(schema=EFFECTS)]
    for model, was in before.items():
        some = take_queries(split, was.rows)
        then, now = judges.evaluate(was.lists, some), judges.evaluate(lists[model][was.rows], some)
        for metric in now.metrics:
            row = {"model": model, "metric": metric.name, "before": then[metric.name], "after": now[metric.name]}
            if metric.name in now.per_query.columns:
                columns = {
                    name: e.per_query[metric.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
                    for name, e in (("", then), (model, now))
                }
                table = compare_paired(columns, "", some.queries.users, bootstrap=bootstrap, lower_is_better=metric.lower_is_better)
                row |= table.select("difference", "low", "high", "verdict").row(0, named=True)
            tables.append(pl.DataFrame([row], schema=EFFECTS))
    return pl.concat(tables)


def reasons(lists: Mapping[str, Recommendations], k: int) -> pl.DataFrame:
    """How often each reason holds: the share of the first k places, and of the lists that have one of them."""
    rows = []
    for model, given in lists.items():
        if "reasons" not in given.extra:
            continue
        masks, filled = given.extra["reasons"][:, :k], given.items[:, :k] >= 0
        for bit, name in enumerate(given.reason_names):
            holds = (masks >> masks.dtype.type(bit) & masks.dtype.type(1)).astype(bool) & filled
            rows.append((model, name, _share(holds.sum(), filled.sum()), _share(holds.any(axis=1).sum(), len(holds))))
    return pl.DataFrame(rows, schema=REASONS, orient="row")


def hits(given: Recommendations, split: Split) -> Bool:
    """(queries, k) whether the item at a place was taken, by one sorted search over (query, item) pairs."""
    width = split.train.n_items + 1
    wanted = split.truth.row_of * width + split.truth.values
    places = np.arange(len(given))[:, None] * width + given.items
    return np.isin(places, wanted) & (given.items >= 0)


def reasons_of(given: Recommendations, query: int, places: NDArray[np.intp]) -> tuple[tuple[str, ...], ...]:
    """The names of the reasons at some places of one list; nothing where it has none."""
    if "reasons" not in given.extra:
        return ()
    masks = given.extra["reasons"][query, places].tolist()
    return tuple(tuple(name for bit, name in enumerate(given.reason_names) if mask >> bit & 1) for mask in masks)


def sources_of(given: Recommendations, query: int, places: NDArray[np.intp]) -> tuple[str, ...]:
    """The source at some places of one list; nothing where it names none of its own."""
    if not _named(given):
        return ()
    return tuple(given.sources[at] for at in given.extra["source"][query, places])


def _named(given: Recommendations) -> bool:
    """Whether lists say more of where a place comes from than a model, popularity or a rule."""
    return "source" in given.extra and bool(set(given.sources) - {*SOURCES, BY_RULE})


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
