"""Judgements out of clicks: what stands higher is looked at more often, which is taken out before clicks are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from pydantic import Field
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from vitrina.base.config import Config
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.impressions import Impressions
from vitrina.types import Float64, Int64


@final
class PositionBased(Config):
    """The position-based model of clicks: an item is clicked where it is looked at and found good. [Chuklin et al. 2015](https://doi.org/10.2200/S00654ED1V01Y201507ICR043), section 3.4.

    P(click | query q, item i, place p) = looked[p] * good[q, i]

    Both are found by expectation maximisation over all requests; looked[1] is 1, as only products show. What ties them apart is that an item stands at
    different places for one query: places that no such item links can't be compared, and are refused. Shares of clicks alone would take the order that
    was shown for what people want.

    Args:
        prior: how often every item is taken to have been shown beside what it was, and found as good as the mean of all: what was hardly shown stays
            near the mean.
        steps: at most.
        tolerance: training ends when no chance of looking moves by more.

    Raises:
        DataError: nothing was clicked, there are no outcomes, or places are not linked.

    Cost: some 50 ns per different (query, item, place) and step.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"request_id": ["a", "a", "b", "b", "c", "c"], "user_id": ["u"] * 6, "item_id": ["tea", "jam", "jam", "tea", "tea", "jam"],
    ...     "position": [1, 2] * 3, "outcome": [1, 0, 0, 1, 1, 0]})
    >>> clicks = vt.search.PositionBased().fit(vt.Impressions.of_frame(table), ["breakfast"] * 3)
    >>> clicks.judgements().sort("gain", descending=True)["item"].to_list()
    ['tea', 'jam']
    """

    prior: float = Field(default=1.0, ge=0)
    steps: int = Field(default=2000, ge=1)
    tolerance: float = Field(default=1e-6, gt=0)

    def fit(self, impressions: Impressions, queries: Sequence[Any] | pl.Series) -> PositionBias:
        """Learn from what was shown.

        Args:
            impressions: with outcomes: above 0 is a click.
            queries: what each request asked, in the order of `impressions.requests`: its text, or the id of the query.
        """
        cells = _Cells.of(impressions, queries)
        cells.check()
        looked, good = np.full(len(cells.places), 0.5), np.full(len(cells.pairs), 0.5)
        steps, moved = 0, np.inf
        while steps < self.steps and moved > self.tolerance:
            before, steps = looked, steps + 1
            looked, good = self._step(cells, looked, good)
            moved = float(np.abs(looked - before).max())
        scale = looked[0]
        return PositionBias(cells, looked / scale, np.minimum(good * scale, 1.0), steps, moved <= self.tolerance)

    def _step(self, cells: _Cells, looked: Float64, good: Float64) -> tuple[Float64, Float64]:
        """One step: how often places were looked at and items were good, clicked or not, by what is believed; then both anew."""
        look, like = looked[cells.place], good[cells.pair]
        silent, neither = cells.shown - cells.clicks, np.maximum(1 - look * like, 1e-12)
        seen = cells.clicks + silent * look * (1 - like) / neither
        liked = cells.clicks + silent * like * (1 - look) / neither
        places = np.bincount(cells.place, cells.shown)
        pairs = np.bincount(cells.pair, cells.shown)
        mean = liked.sum() / cells.shown.sum()
        return np.bincount(cells.place, seen) / places, (np.bincount(cells.pair, liked) + self.prior * mean) / (pairs + self.prior)


class _Cells(NamedTuple):
    """How often each item was shown at each place for a query, and clicked."""

    pairs: pl.DataFrame  # query, item
    places: Int64  # ascending
    pair: Int64  # (cells,)
    place: Int64  # (cells,) in `places`
    shown: Float64  # (cells,)
    clicks: Float64  # (cells,)

    @classmethod
    def of(cls, impressions: Impressions, queries: Sequence[Any] | pl.Series) -> _Cells:
        if impressions.outcomes is None:
            raise DataError("Clicks are the outcomes of impressions, and these have none. Read them with outcome='clicked', or the like.")
        asked = pl.Series("query", queries).cast(pl.String) if len(queries) else pl.Series("query", [], pl.String)
        if len(asked) != len(impressions.requests) or asked.null_count():
            raise ParameterError(
                f"The 'queries' must say of each of the {len(impressions.requests):,} requests what it asked. "
                f"Got {len(asked):,}, {asked.null_count():,} of them empty.", parameter="queries",
            )  # fmt: skip
        rows = pl.DataFrame({
            "query": asked.gather(impressions.request_of.astype(np.uint32)), "item": impressions.vocabulary.ids.cast(pl.String).gather(impressions.items.astype(np.uint32)),
            "place": impressions.positions, "click": impressions.outcomes > 0,
        })  # fmt: skip
        cells = rows.group_by("query", "item", "place", maintain_order=True).agg(pl.len().alias("shown"), pl.col("click").sum())
        pairs = cells.select("query", "item").unique(maintain_order=True).with_row_index("pair")
        pair = cells.join(pairs, on=["query", "item"], how="left", maintain_order="left")["pair"].to_numpy().astype(np.int64)
        places, place = np.unique(cells["place"].to_numpy(), return_inverse=True)
        counts = (cells[name].to_numpy().astype(np.float64) for name in ("shown", "click"))
        return cls(pairs.drop("pair"), places.astype(np.int64), pair, place, *counts)

    def check(self) -> None:
        """Refuse a log that can't tell the place from the item."""
        if not self.clicks.any():
            raise DataError("Nothing was clicked in these impressions, so that nothing is known of what is good. Give a longer log.")
        links = sparse.coo_matrix(
            (np.ones(len(self.pair)), (self.place, len(self.places) + self.pair)), shape=(2 * [len(self.places) + len(self.pairs)])
        )
        _, group = connected_components(links, directed=False)
        own = group[: len(self.places)]
        apart = np.flatnonzero(own != own[0])
        if len(apart):
            raise DataError(
                f"No item of any query links the places {self.places[0]} and {self.places[apart[0]]}: nothing tells whether a place is looked at less, or holds worse "
                "items. Show some lists in another order (a few in a hundred suffice), or leave these places out."
            )
        places = np.bincount(self.place, self.clicks)
        silent = np.flatnonzero(places == 0)
        if len(silent):
            raise DataError(
                f"Nothing was ever clicked at the place {self.places[silent[0]]}, so that how often it is looked at isn't known. Leave these places out."
            )


@final
@dataclass(frozen=True, eq=False, repr=False)
class PositionBias:
    """How often places are looked at, and how good items are for queries, out of clicks.

    Args:
        cells: what was shown and clicked.
        looked: (places,) the chance that a place is looked at, beside that of the first.
        good: (pairs,) the chance that an item is clicked for a query when it is looked at as the first is.
        steps: that were made.
        settled: whether they had come to rest.
    """

    cells: _Cells
    looked: Float64
    good: Float64
    steps: int
    settled: bool

    def __repr__(self) -> str:
        rest = "" if self.settled else "; not settled, give more steps"
        return f"PositionBias({len(self.looked)} places, {len(self.good):,} items of queries, {self.steps} steps{rest})"

    @property
    def places(self) -> pl.DataFrame:
        """A row per place: place, looked (beside the first), shown, clicks."""
        shown, clicks = (np.bincount(self.cells.place, column) for column in (self.cells.shown, self.cells.clicks))
        return pl.DataFrame({"place": self.cells.places, "looked": self.looked, "shown": shown, "clicks": clicks})

    def judgements(self, least: float = 0.0) -> pl.DataFrame:
        """Judgements for `vt.split.judged`: query, item and gain, with shown, seen (how often it was looked at, by the model) and clicks.

        Args:
            least: how often an item must have been looked at for a query; what was seen less says little.
        """
        cells = self.cells
        shown, clicks = (np.bincount(cells.pair, column) for column in (cells.shown, cells.clicks))
        seen = np.bincount(cells.pair, cells.shown * self.looked[cells.place])
        table = cells.pairs.with_columns(gain=pl.Series(self.good), shown=pl.Series(shown), seen=pl.Series(seen), clicks=pl.Series(clicks))
        return table.filter(pl.col("seen") >= least)
