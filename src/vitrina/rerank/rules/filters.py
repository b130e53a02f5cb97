"""Rules that take items off before a model is asked, so that a list is short only where nothing else may be shown."""

from __future__ import annotations

from typing import Any, Literal, final

import numpy as np
import polars as pl
from pydantic import Field

from vitrina.base.arrays import Bool, Ragged, ranges
from vitrina.base.config import Days, Names
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.state import Arrays
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.read.io import read_interactions
from vitrina.rerank.rules.base import (
    PEOPLE,
    Filter,
    check_person_column,
    column_of_people,
    indices,
    missing_column,
    people_of,
    values_of,
    visitors,
)
from vitrina.rerank.rules.conditions import Conditions, item_column, mask_of, text_of, texts_of
from vitrina.types import Queries
from vitrina.vocabulary import hashes

Relation = Literal["at_most", "at_least", "equals", "is_not"]


@final
class Hide(Filter):
    """These items are not shown.

    Args:
        where: conditions on columns of the table of items (`item_id` are the ids), which must all hold; or `New`. A value, or a list of values of which one will do (also in a
            column of lists); `{above, below, at_least, at_most}` a number; `{contains = "text"}`; `{is_not = ...}`; `{missing = true}`.

    >>> Hide(where={"department": "TOBACCO", "price": {"above": 100}})
    Hide(where={'department': 'TOBACCO', 'price': {'above': 100}})
    """

    where: Conditions

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        return {"mask": mask_of(self.where, data)}

    def for_all(self, own: Arrays) -> Bool:
        return own["mask"]


@final
class Only(Filter):
    """Nothing but these items is shown.

    Args:
        where: as in `Hide`.

    >>> Only(where={"in_stock": True})
    Only(where={'in_stock': True})
    """

    where: Conditions

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        return {"mask": mask_of(self.where, data)}

    def for_all(self, own: Arrays) -> Bool:
        return ~own["mask"]


@final
class Suits(Filter):
    """Only what a column of the item allows for who asks: `item's column` `relation` `person's column`.

    An item that says nothing is for everybody. Who asks says it by a column of the request's context, or else of the table of people that the
    rules were fitted with, or else by the default. Without a default a missing column is an error, and of a person whose value is missing nothing
    is known: items that ask for something are hidden.

    Args:
        item: the column of the table of items, such as the least age.
        relation: "at_most", "at_least" (numbers), "equals", "is_not" (texts; of a column of lists, one of the list).
        person: the column of who asks.
        default: what holds where it isn't known.

    Raises:
        DataError: the queries have no such column, and there is no default.
        UnknownNameError: the table of items has no such column.

    >>> Suits(item="min_age", relation="at_most", person="age", default=0)
    Suits(item='min_age', relation='at_most', person='age', default=0)
    """

    item: str
    relation: Relation
    person: str
    default: str | float | int | None = None

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        column = item_column(data, self.item)
        check_person_column(self.person, data, defaulted=self.default is not None)
        person = column_of_people(data, self.person)
        if self.relation in ("at_most", "at_least"):
            if not column.dtype.is_numeric():
                raise ParameterError(f"the relation {self.relation!r} is for columns of numbers, and {self.item!r} holds {column.dtype}")
            return {"item": column.cast(pl.Float64).fill_null(np.nan).to_numpy(), **person}
        lists = column if isinstance(column.dtype, pl.List) else texts_of(column).to_frame().select(pl.concat_list(column.name)).to_series()
        lists = lists.cast(pl.List(pl.String)).list.drop_nulls().fill_null([])
        texts = lists.explode().drop_nulls()
        return {"indptr": np.append(0, np.cumsum(lists.list.len().to_numpy())).astype(np.int64), "item": hashes(texts), **person}

    def hidden(self, queries: Queries, own: Arrays) -> Ragged:
        given = values_of(queries, self.person, own)
        if given is None and self.default is None:
            raise missing_column(self.person, queries, "Or give the rule a default.")
        known = [None] * len(queries) if given is None else (given.fill_nan(None) if given.dtype.is_float() else given).to_list()
        values = known if self.default is None else [self.default if value is None else value for value in known]
        different = dict.fromkeys(values)
        codes = {value: np.flatnonzero(~self._allows(value, own)).astype(np.int32) for value in different}
        rows = [codes[value] for value in values]
        return indices(rows, np.array([len(row) for row in rows], np.int64))

    def _allows(self, value: Any, own: Arrays) -> Bool:
        """(items,) what may be shown to a person of this value."""
        item = own["item"]
        if self.relation in ("at_most", "at_least"):
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ParameterError(f"compares numbers, and the {self.person!r} of who asks is {value!r}")
            known = np.nan if value is None else float(value)
            with np.errstate(invalid="ignore"):
                return np.isnan(item) | (item <= known if self.relation == "at_most" else item >= known)
        lengths = np.diff(own["indptr"])
        row = np.repeat(np.arange(len(lengths)), lengths)
        same = np.zeros(len(lengths), np.bool_)
        if value is not None:
            same[row[item == hashes(pl.Series([text_of(value)]))[0]]] = True
        if self.relation == "equals":
            return same | (lengths == 0)
        return ~same if value is not None else lengths == 0


@final
class HidePairs(Filter):
    """Pairs of a person and an item that are not shown, from a table: what was sent back, what a person blocked.

    Args:
        table: a CSV, Parquet or other file as `read_interactions` takes it, with a pair per row; relative to the config file where it stands in one.
        user: its column of people.
        item: its column of items.

    Raises:
        DataError: the file can't be read, or lacks a column.

    >>> HidePairs(table="returns.csv", user="customer", item="sku")
    HidePairs(table='returns.csv', user='customer', item='sku')
    """

    table: str
    user: str = "user_id"
    item: str = "item_id"

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        pairs = read_interactions(self.table, user=self.user, item=self.item)
        items = data.items.encode(pairs.items.ids)[pairs.events.items]
        people = hashes(pairs.users.ids)[pairs.user_of]
        order = np.lexsort((items, people))
        order = order[items[order] >= 0]
        return {"pair_people": people[order], "pair_items": items[order], **people_of(data)}

    def remarks(self, own: Arrays) -> tuple[str, ...]:
        return () if len(own["pair_items"]) else (f"hits no item: no item of {self.table} is in the log",)

    def hidden(self, queries: Queries, own: Arrays) -> Ragged:
        who = visitors(queries, own[PEOPLE])
        start, stop = (np.searchsorted(own["pair_people"], who, side=side) for side in ("left", "right"))
        return Ragged.of_lengths(stop - start, own["pair_items"][ranges(start, stop - start)])


@final
class FrequencyCap(Filter):
    """What a person was shown, or took, often enough of late is not shown again. It is read from the history in the question, so nothing is kept of anybody.

    With `times=1` and the kind of a purchase it is "bought within the last days". An event without a kind counts, and so does one without a time.

    Args:
        times: so many events of one item are enough.
        days: before the moment of asking; None is the whole history.
        kinds: names of the kinds of event that count; None is every kind.

    Raises:
        DataError: there are `days`, and the log has no times.
        UnknownNameError: the log has no such kind of event.

    >>> FrequencyCap(times=3, days=7, kinds=["view"])
    FrequencyCap(times=3, days=7.0, kinds=('view',))
    """

    times: int = Field(ge=1)
    days: Days | None = None
    kinds: Names | None = None

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        for kind in self.kinds or ():
            if kind not in data.kind_names:
                raise UnknownNameError.of("kind of event", kind, data.kind_names)
        if self.days is not None and data.time_unit != "us":
            raise DataError(f"'days' need the times of events, and {data!r} has none. Leave 'days' out to count the whole history.")
        return {}

    def hidden(self, queries: Queries, own: Arrays) -> Ragged:
        queries = queries if queries.whole is None else queries.whole
        events, place = queries.events, ranges(queries.start, queries.lengths)
        rows = np.repeat(np.arange(len(queries)), queries.lengths)
        counts = np.ones(len(place), np.bool_)
        if self.kinds is not None and events.kinds is not None:
            counts &= np.isin(queries.kind_names, self.kinds)[events.kinds[place]]
        if self.days is not None and events.times is not None and len(events):
            now = np.full(len(queries), events.times.max() + 1) if queries.now is None else queries.now
            counts &= events.times[place] >= now[rows] - self.days * DAY
        keys = rows[counts] * (int(events.items.max(initial=0)) + 1) + events.items[place[counts]]
        seen, often = np.unique(keys, return_counts=True)
        row, item = np.divmod(seen[often >= self.times], int(events.items.max(initial=0)) + 1)
        return Ragged.of_lengths(np.bincount(row, minlength=len(queries)), item)
