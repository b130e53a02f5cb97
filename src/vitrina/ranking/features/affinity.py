"""How the candidate fits what the person takes: categories, numbers of the item table, and the values of events."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.config import Names
from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.ranking.features.base import Columns, FeatureGroup, ratio
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.types import Float64

VALUE = "value of its events"


@final
class Affinity(FeatureGroup):
    """What the person's events have in common with the candidate.

    For each column of categories, with T the categories of the candidate: "C: share of the person's events", the mean over T of the share of events whose item has the
    category; "C: share, by that of all people", the mean over T of that share / the share among all events of the log; "C: events since the last", the least over T of
    how many events of the history came later. For each column of numbers, and for the mean value that an item's events have in the log:
    "N", the number itself; "N: by the person's mean", number / mean over the person's events; "N: spreads from the person's mean",
    (number - mean) / standard deviation, which needs events that differ. What the table doesn't say is missing.

    Args:
        columns: columns of the item table; None takes all of categories and numbers but the title. Those of text are for content models.

    Raises:
        DataError: a column is missing or of text, or there is nothing to take: no table of items and no values.

    Cost: per column the length of the histories; 8 bytes x categories of scratch per thread.
    """

    columns: Names | None = None

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        learned: dict[str, Any] = {}
        for at, name in enumerate(self._chosen(data)):
            assert data.item_table is not None
            if data.item_table.kinds[name] == "number":
                learned |= {f"name-{at}": np.array(name), f"number-{at}": data.item_table.frame[name].cast(pl.Float64).to_numpy()}
                continue
            tags = categories(data.item_table, name)
            counts = np.bincount(tags.indices, np.repeat(data.catalogue.events, np.diff(tags.indptr)), minlength=tags.get_shape()[1])
            learned |= {
                f"name-{at}": np.array(name),
                f"indptr-{at}": tags.indptr.astype(np.int64),
                f"tags-{at}": tags.indices.astype(np.int32),
            }
            learned[f"shares-{at}"] = counts / max(data.n_events, 1)
        if data.events.values is not None:
            counts = np.bincount(data.events.items, minlength=data.n_items)
            learned["number-value"] = ratio(np.bincount(data.events.items, data.events.values, minlength=data.n_items), counts)
            learned["name-value"] = np.array(VALUE)
        if not learned:
            raise DataError(
                f"{self!r} needs categories or numbers of items, or values of events, and {data!r} has none. Leave Affinity out."
            )
        return learned

    def _chosen(self, data: Dataset) -> list[str]:
        """The columns of the item table to read."""
        table = data.item_table
        kinds = {} if table is None else {name: kind for name, kind in table.kinds.items() if kind != "text"}
        wrong = next((name for name in self.columns or () if name not in kinds), None)
        if wrong is not None:
            raise DataError(
                f"The 'columns' of Affinity must be columns of categories or numbers of the item table ({', '.join(kinds) or 'none'}). Got {wrong!r}."
            )
        return [name for name in kinds if table is None or name != table.title] if self.columns is None else list(self.columns)

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        columns: dict[str, Any] = {}
        for key, at in _keys(learned):
            name = str(learned[f"name-{at}"])
            columns |= _of_number(name, learned[key], pairs) if key.startswith("number") else _of_categories(name, at, learned, pairs)
        return columns


def _keys(learned: Arrays) -> list[tuple[str, str]]:
    """The array of each column, and what it is numbered by, in the order of the fit: files give arrays in the order of their names. The value is last."""
    parts = [(key, *key.partition("-")[::2]) for key in learned]
    found = [(key, at) for key, kind, at in parts if kind in ("number", "indptr")]
    return sorted(found, key=lambda one: (not one[1].isdigit(), one[1].zfill(9)))


def categories(table: FeatureTable, name: str) -> sparse.csr_matrix:
    """(items, categories) which categories of a column each item has, each once; categories in the order of their names."""
    column = table.frame[name]
    rows = pl.DataFrame({"item": np.arange(len(column)), "tag": column})
    rows = (rows.explode("tag") if isinstance(column.dtype, pl.List) else rows).drop_nulls().unique()
    tags, codes = np.unique(rows["tag"].cast(pl.String).to_numpy(), return_inverse=True)
    return sparse.csr_matrix((np.ones(len(codes)), (rows["item"].to_numpy(), codes)), shape=(len(column), len(tags)))


def _of_categories(name: str, at: str, learned: Arrays, pairs: Pairs) -> Columns:
    queries, shares = pairs.queries, learned[f"shares-{at}"]
    out = np.full((3, len(pairs)), np.nan)
    _affinity(
        len(queries), queries.events.items, queries.start, queries.stop, pairs.items.indptr, pairs.codes, learned[f"indptr-{at}"],
        learned[f"tags-{at}"], ratio(np.ones(len(shares)), shares, 0), *out,
    )  # fmt: skip
    return dict(
        zip(
            (f"{name}: share of the person's events", f"{name}: share, by that of all people", f"{name}: events since the last"),
            out,
            strict=True,
        )
    )


def _of_number(name: str, numbers: Float64, pairs: Pairs) -> Columns:
    queries = pairs.queries
    mean, spread = np.full(len(queries), np.nan), np.full(len(queries), np.nan)
    _mean_and_spread(len(queries), queries.events.items, queries.start, queries.stop, numbers, mean, spread)
    own, usual, differ = numbers[pairs.codes], mean[pairs.rows], spread[pairs.rows]
    by_mean = np.divide(own, usual, out=np.full(len(pairs), np.nan), where=np.abs(usual) > 0)
    return {name: own, f"{name}: by the person's mean": by_mean, f"{name}: spreads from the person's mean": ratio(own - usual, differ)}


@Spread
def _affinity(first, last, items, start, stop, indptr, codes, tag_indptr, tags, by_share, share, lift, since):  # pragma: no cover
    counts, newest, asked = np.zeros(len(by_share)), np.zeros(len(by_share), np.int64), np.full(len(by_share), -1, np.int64)
    for q in range(first, last):
        for at in range(start[q], stop[q]):
            for t in tags[tag_indptr[items[at]] : tag_indptr[items[at] + 1]]:
                counts[t] = counts[t] + 1 if asked[t] == q else 1
                newest[t], asked[t] = at, q
        length = stop[q] - start[q]
        for at in range(indptr[q], indptr[q + 1]):
            own = tags[tag_indptr[codes[at]] : tag_indptr[codes[at] + 1]]
            if not len(own) or not length:
                continue
            share[at], lift[at] = 0, 0
            for t in own:
                if asked[t] != q:
                    continue
                share[at] += counts[t] / length / len(own)
                lift[at] += counts[t] / length * by_share[t] / len(own)
                later = stop[q] - 1 - newest[t]
                if not since[at] <= later:
                    since[at] = later


@Spread
def _mean_and_spread(first, last, items, start, stop, numbers, mean, spread):  # pragma: no cover
    """Mean and standard deviation of the numbers of the items of each history; NaN where there is none."""
    for q in range(first, last):
        count, total, squares = 0, 0.0, 0.0
        for at in range(start[q], stop[q]):
            if not np.isnan(numbers[items[at]]):
                count += 1
                total += numbers[items[at]]
        if not count:
            continue
        mean[q] = total / count
        for at in range(start[q], stop[q]):
            if not np.isnan(numbers[items[at]]):
                squares += (numbers[items[at]] - mean[q]) ** 2
        spread[q] = np.sqrt(squares / count)
