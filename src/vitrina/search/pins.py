"""What merchandisers want to stand first, or not at all, for a query."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.data.read.sources import AS_FOUND
from vitrina.data.read.tables import read_table
from vitrina.protocols import Recommender
from vitrina.recommendations import pad_of
from vitrina.request import check_request, list_width
from vitrina.rerank.narrow import without
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.search.answering import Answered, answer_of
from vitrina.search.around import Around
from vitrina.search.hybrid import without_fallback
from vitrina.search.reading import plain
from vitrina.types import Eligibility, Float32, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

SCHEMA = {"query": pl.String, "item": pl.String, "action": pl.String, "place": pl.Int64}
ACTIONS = ("pin", "hide")


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pins:
    """Items that are pinned or hidden for queries, by the query as it is counted everywhere: lower case, ё as е, single blanks.

    Args:
        table: query, item (its id, as text), action ("pin" or "hide"), place (from 1; null: after those before it, from the first place on).

    Raises:
        DataError: a column is missing, a row is incomplete or of another action, an item is there twice for a query, or two share a place.

    >>> import polars as pl
    >>> Pins.of(pl.DataFrame({"query": ["Чай "], "item": ["sku1"], "action": ["pin"]}))
    Pins(1 pinned, 0 hidden, 1 query)
    """

    table: pl.DataFrame

    def __repr__(self) -> str:
        counts = [int((self.table["action"] == action).sum()) for action in ACTIONS]
        queries = self.table["query"].n_unique()
        return f"Pins({counts[0]:,} pinned, {counts[1]:,} hidden, {queries:,} quer{'y' if queries == 1 else 'ies'})"

    @classmethod
    def of(cls, source: Any) -> Pins:
        """Of a table, or a file: CSV, Parquet, or TOML with a table per query, `["green tea"]`, `pin = ["sku1"]`, `hide = ["sku7"]`."""
        frame = (
            _of_toml(Path(source))
            if isinstance(source, (str, Path)) and str(source).endswith(".toml")
            else read_table(source, "pins", AS_FOUND)[1]
        )
        missing = [name for name in ("query", "item", "action") if name not in frame.columns]
        if missing:
            raise DataError(
                f"A table of pins has the columns query, item, action and, if wanted, place. There is no {missing[0]!r} in {', '.join(frame.columns)}."
            )
        place = frame["place"] if "place" in frame.columns else pl.Series("place", [None] * len(frame), pl.Int64)
        table = frame.select(pl.col("query", "item", "action").cast(pl.String)).with_columns(
            place.cast(pl.Int64, strict=False).alias("place")
        )
        _check(table, place)
        texts = pl.Series("query", [plain(text) for text in table["query"]], pl.String)
        table = table.with_columns(texts)
        twice = table.filter(table.select("query", "item").is_duplicated())
        shared = table.filter(pl.col("place").is_not_null() & table.select("query", "place").is_duplicated())
        for wrong, what in ((twice, "the item {item!r} twice"), (shared, "two items at the place {place}")):
            if len(wrong):
                row = wrong.row(0, named=True)
                raise DataError(f"The pins of a query name an item and a place once. Got {what.format(**row)} for {row['query']!r}.")
        return cls(table)

    def before(self, source: Recommender) -> Pinned:
        """The source, whose lists begin with what is pinned."""
        return Pinned(source, self)

    def state(self) -> State:
        return State(files={"pins": self.table})

    @classmethod
    def of_state(cls, state: State) -> Pins:
        return cls(state.table("pins"))


def _check(table: pl.DataFrame, place: pl.Series) -> None:
    whole = table.select("query", "item").null_count().row(0) == (0, 0)
    wrong = table.filter(~pl.col("action").is_in(ACTIONS).fill_null(False))
    if not whole or len(wrong):
        raise DataError(
            f"A row of pins has a query, an item and the action 'pin' or 'hide'. Got {(wrong if len(wrong) else table.filter(pl.any_horizontal(pl.all().is_null()))).row(0)}."
        )
    if table["place"].null_count() > place.null_count() or (table["place"] < 1).any():
        raise DataError("The 'place' of a pin is a whole number from 1 on, or empty for the first free one.")


def _of_toml(path: Path) -> pl.DataFrame:
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"The pins in {path} can't be read: {error}") from error
    rows = []
    for query, own in parsed.items():
        known = isinstance(own, Mapping) and set(own) <= set(ACTIONS) and all(isinstance(items, list) for items in own.values())
        if not known:
            raise DataError(
                f'The pins in {path} are a table per query: ["green tea"], pin = ["sku1"], hide = ["sku7"]. Got {own!r} for {query!r}.'
            )
        rows += [(query, str(item), action, None) for action, items in own.items() for item in items]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


class Fixed(NamedTuple):
    """What is fixed for one query: codes with places (0: the first free one), and codes that are hidden."""

    pinned: Int32
    places: Int32
    hidden: Int32


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pinned(Around):
    """A source whose lists begin with what is pinned for the query, and never hold what is hidden.

    A pinned item that isn't eligible isn't shown; the others move up. The rest of the list is the source's, without what is pinned. The column `source` says "pinned", and
    such an item has no score. Around an `Understood` source pins are of what was typed; inside one of what is searched for.

    Args:
        source: any recommender that reads texts.
        pins: of which items that the source doesn't know are left out, which the notes say.
    """

    source: Recommender
    pins: Pins

    def __repr__(self) -> str:
        return f"Pinned({self.source!r}, {self.pins!r})"

    @property
    def notes(self) -> tuple[str, ...]:
        unknown = int((self.vocabulary.encode(self.pins.table["item"]) < 0).sum())
        return (*self.source.notes, *([f"{unknown:,} of {len(self.pins.table):,} pins are of items that aren't known"] if unknown else []))

    @cached_property
    def _fixed(self) -> dict[str, Fixed]:
        table = self.pins.table.with_columns(code=pl.Series(self.vocabulary.encode(self.pins.table["item"]))).filter(pl.col("code") >= 0)
        found = {}
        for (query,), own in table.group_by("query", maintain_order=True):
            pinned = own.filter(pl.col("action") == "pin")
            hidden = own.filter(pl.col("action") == "hide")["code"].to_numpy()
            found[query] = Fixed(pinned["code"].to_numpy(), pinned["place"].fill_null(0).to_numpy().astype(np.int32), hidden)
        return found

    def answer(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Answered:
        """The lists, and beside them how many items are `pinned` in each, and how many are `hidden` for the query."""
        k = list_width(check_request(queries, k, eligible), self.catalogue)
        nothing = Fixed(*(np.empty(0, np.int32),) * 3)
        texts = [None] * len(queries) if queries.texts is None else queries.texts.to_list()
        own = [nothing if text is None else self._fixed.get(plain(text), nothing) for text in texts]
        hidden, pinned = Ragged.of([one.hidden for one in own]), Ragged.of([one.pinned for one in own])
        kept = eligible if not len(hidden.values) else without(eligible, None, [hidden])
        shown = self._eligible(pinned, queries, kept)
        rest = answer_of(self.source, queries, k, eligible=without(kept, None, [pinned]) if len(pinned.values) else kept)
        lists, counts = _with_pins(rest.lists.padded(k), [_placed(one, row) for one, row in zip(own, shown, strict=True)])
        said = pl.DataFrame({"pinned": counts, "hidden": hidden.lengths})
        return rest.with_lists(lists).beside(queries, said)

    def _eligible(self, pinned: Ragged, queries: Queries, eligible: Eligibility) -> list[set[int]]:
        """Which of the pinned items of each query it may get."""
        most = max(int(pinned.lengths.max(initial=0)), 1)
        scores: Float32 = np.zeros(len(pinned.values), np.float32)
        lists = without_fallback(top_k_ragged(pinned, scores, queries, most, eligible, self.catalogue, self.vocabulary))
        return [{int(item) for item in row if item >= 0} for row in lists.items]

    def state(self) -> State:
        return State(children={"source": self.source, "pins": self.pins})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Pinned:
        return cls(state.children["source"], state.children["pins"])


def _placed(own: Fixed, allowed: set[int]) -> dict[int, int]:
    """Items by their places, from 0; those without one of their own take the first free ones."""
    there = [(int(place), int(item)) for place, item in zip(own.places, own.pinned, strict=True) if int(item) in allowed]
    placed = {place - 1: item for place, item in there if place}
    free = (at for at in range(len(there) + max(placed, default=0) + 1) if at not in placed)
    return placed | {next(free): item for place, item in there if not place}


def _with_pins(lists: Recommendations, placed: list[dict[int, int]]) -> tuple[Recommendations, list[int]]:
    """The lists with items at places, what was there moved on; and how many were put into each."""
    names = (*lists.sources, "pinned")
    extra = {"source": np.zeros(lists.items.shape, np.uint8)} | dict(lists.extra)
    columns = {"items": lists.items.copy(), "scores": lists.scores.copy()} | {
        f"own {name}": column.copy() for name, column in extra.items()
    }
    counts = [0] * len(placed)
    for q, own in enumerate(placed):
        if own:
            order = _order(own, np.flatnonzero(lists.items[q] >= 0).tolist(), lists.k)
            filled = np.array([place >= 0 for place in order])
            for name, column in columns.items():
                before = column[q].copy()
                column[q] = pad_of(name.removeprefix("own "), column) if name != "items" else -1
                column[q, : len(order)][filled] = before[[place for place in order if place >= 0]]
            columns["items"][q, : len(order)][~filled] = [~place for place in order if place < 0]
            columns["own source"][q, : len(order)][~filled] = len(names) - 1
            counts[q] = int((~filled).sum())
    shown = {name: columns[f"own {name}"] for name in extra}
    return replace(lists, items=columns["items"], scores=columns["scores"], extra=shown, sources=names), counts


def _order(own: dict[int, int], rest: list[int], k: int) -> list[int]:
    """The place that each item of the new list had in the old one; ~item of a pinned one. What is pinned behind the end of a list is its end."""
    waiting, order = sorted(own.items()), []
    while len(order) < k and (waiting or rest):
        pinned = waiting and (waiting[0][0] <= len(order) or not rest)
        order.append(~waiting.pop(0)[1] if pinned else rest.pop(0))
    return order
