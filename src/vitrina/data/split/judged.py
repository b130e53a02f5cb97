"""A split made of judgements: who asked what, which items people judged for it, and how good they found them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable, plain_ids, table_ids
from vitrina.data.split.base import Split
from vitrina.grades import Grades
from vitrina.types import Eligibility, Events, Int32, Queries, Ragged
from vitrina.vocabulary import Vocabulary

COLUMNS = ("query", "item", "gain")
SHOWN = 3  # ids that a message names


def judged(
    qrels: pl.DataFrame, queries: pl.DataFrame | Mapping[Any, str] | None, items: pl.DataFrame | Iterable[Any], *,
    log: Dataset | None = None, above: float = 0.0, repeat: bool = True,
) -> Split:  # fmt: skip
    """A split whose truth is what people judged: search engines and recommenders are asked the same questions, over the same items.

    The truth is what was judged of a gain above a limit; `Split.grades` has everything that was judged. All `items` belong to the catalogue, with
    events or without. Queries without anything relevant say nothing, and are left out and counted.

    Args:
        qrels: a row per judgement: `query`, `item` and `gain`, as `vt.search.read_qrels` gives them; and further columns of numbers, from which heads
            of `vt.TwoStage` learn, such as `bought`.
        queries: a row per query: `query`, `text`, and more columns where they are known: `user`, whose events in the log are the history; any other
            becomes the context (`frequency`, how often it was asked, makes slices). Or the text of each query. None where the texts are the ids.
        items: the whole catalogue: a table with a column `item`, which models find as `train.item_table`; or the ids alone.
        log: what people took, for popularity, histories and recommenders; None where there is none. Its items belong to the catalogue too.
        above: an item is relevant where its gain is above this.
        repeat: may items of the history be found again.

    Returns:
        A Split with `grades`, and a `train` part with the items of the catalogue. What people judged outside of it is a miss of everybody.

    Raises:
        DataError: a column is missing, a gain is no finite number, one item of a query has two gains, an id is empty or there twice.
        SplitError: nothing can be asked, or the log is larger than memory.

    >>> import polars as pl, vitrina as vt
    >>> qrels = pl.DataFrame({"query": ["1", "1", "2"], "item": ["tea", "salt", "milk"], "gain": [2, 0, 1]})
    >>> vt.split.judged(qrels, {"1": "green tea", "2": "oat milk"}, ["tea", "milk", "salt", "rice"])
    Split(judged queries: 0 training events, 2 queries, 2 targets)
    """
    asked, judgements = _queries_table(queries, qrels), _judgements(qrels)
    train, inside = _train(items, log)
    told = judgements.filter(pl.col("query").is_in(asked["query"].implode()))
    vocabulary = train.items.extended(told["item"])
    train = train.changed(items=vocabulary, item_table=_widened(train.item_table, len(vocabulary)))
    codes = vocabulary.encode(told["item"])
    rows = pl.Series(np.arange(len(asked), dtype=np.uint32))
    row = told["query"].replace_strict(asked["query"], rows, return_dtype=pl.UInt32).to_numpy()
    order = np.argsort(row, kind="stable")
    everything = Ragged.of_lengths(np.bincount(row, minlength=len(asked)), codes[order])
    more = {name: told[name].to_numpy()[order] for name in told.columns if name not in COLUMNS}
    grades = Grades(everything, told["gain"].to_numpy()[order], above, more)
    kept = np.flatnonzero(grades.relevant.lengths)
    if not len(kept):
        raise SplitError(
            f"No query has an item of a gain above {above:g}, so nothing can be asked. Give a lower limit: judged(..., above=0)."
        )
    grades, counts = grades.take(kept), _counts(qrels, judgements, told, len(asked) - len(kept), codes, inside)
    questions = _queries(asked[kept], train)
    counts |= _shares(questions, grades.relevant, train)
    return Split(train, questions, grades.relevant, Eligibility(repeat=repeat), counts=counts, warnings=_warnings(counts), grades=grades)


def _judgements(qrels: pl.DataFrame) -> pl.DataFrame:
    """query and item as text and the gain as a number, each pair once."""
    _require(qrels, COLUMNS, "judgements")
    numbers = [_numbers(qrels[name]) for name in qrels.columns if name not in COLUMNS[:2]]
    plain = pl.DataFrame([_text(qrels["query"], "query"), _text(qrels["item"], "item"), *numbers]).unique(maintain_order=True)
    twice = plain.filter(plain.select("query", "item").is_duplicated())
    if len(twice):
        query, item = twice.select("query", "item").row(0)
        both = " and ".join(f"{g:g}" for g in twice.filter((pl.col("query") == query) & (pl.col("item") == item))["gain"])
        raise DataError(
            f"The judgements say two things of the item {item!r} for the query {query!r}, the gains {both}. Keep one of them, "
            'or their mean: qrels.group_by("query", "item").mean().'
        )
    return plain


def _queries_table(queries: pl.DataFrame | Mapping[Any, str] | None, qrels: pl.DataFrame) -> pl.DataFrame:
    """query, text and whatever else is known, each query once, in the order given."""
    _require(qrels, COLUMNS, "judgements")
    if queries is None:
        ids = _text(qrels["query"], "query").unique(maintain_order=True)
        return pl.DataFrame([ids, ids.alias("text")])
    if isinstance(queries, Mapping):
        queries = pl.DataFrame({"query": pl.Series(list(queries)), "text": pl.Series(list(queries.values()), dtype=pl.String)})
    _require(queries, ("query", "text"), "queries")
    return queries.with_columns(table_ids(queries["query"]).alias("query"), pl.col("text").cast(pl.String))


def _train(items: pl.DataFrame | Iterable[Any], log: Dataset | None) -> tuple[Dataset, int]:
    """The log, or one without events, with the items of the catalogue, and how many items there are."""
    if log is not None and not log.in_memory:
        raise SplitError(f"Judged queries need a log in memory, and {log!r} is larger. Give the events of the people who ask: log=part.")
    table = items if isinstance(items, pl.DataFrame) else None
    if table is not None:
        _require(table, ("item",), "items")
    ids = table_ids(table["item"]) if table is not None else pl.Series([str(i) for i in items], dtype=pl.String)
    vocabulary = Vocabulary.of(ids) if log is None else log.items.extended(ids)
    codes = np.unique(vocabulary.encode(ids)).astype(np.int32)
    features = None if table is None else FeatureTable.of(table, "item", vocabulary)
    if log is None:
        nobody = Events(np.empty(0, np.int32))
        data = Dataset.of_codes(np.empty(0, np.int32), nobody, Vocabulary(pl.Series("id", [], pl.String)), vocabulary, name="items")
        return data.changed(item_table=features, also=codes), len(vocabulary)
    if features is None:
        features = _widened(log.item_table, len(vocabulary))
    return log.changed(items=vocabulary, item_table=features, also=codes), len(vocabulary)


def _queries(asked: pl.DataFrame, train: Dataset) -> Queries:
    """What was typed, under its id, with the history of who typed it and everything else as context."""
    users = np.full(len(asked), -1, np.int32)
    if "user" in asked.columns:
        users = train.users.encode(asked["user"])
    start, stop = (np.where(users < 0, 0, train.indptr[np.maximum(users, -1) + shift]) for shift in (0, 1))
    context = asked.drop("query", "text", "user", strict=False)
    return Queries(
        train.events, start.astype(np.int64), stop.astype(np.int64), train.items, users, kind_names=train.kind_names,
        context=context if context.width else None, texts=asked["text"], request_ids=asked["query"],
    )  # fmt: skip


def _counts(qrels: pl.DataFrame, plain: pl.DataFrame, told: pl.DataFrame, silent: int, codes: Int32, inside: int) -> dict[str, Any]:
    return {
        "judgements": len(told), "judgements_twice": len(qrels) - len(plain), "judgements_without_query": len(plain) - len(told),
        "judgements_without_item": int((codes >= inside).sum()), "queries_without_truth": silent,
    }  # fmt: skip


def _shares(queries: Queries, truth: Ragged, train: Dataset) -> dict[str, float]:
    """Of targets without an event in training and of those in the history, of queries without a history, and of people without events."""
    width, had = train.n_items, queries.histories()
    history = had.row_of * width + had.values
    people = np.unique(np.where(queries.users < 0, -1 - np.arange(len(queries)), queries.users))
    return {
        "cold_targets_share": float((train.catalogue.events[truth.values] == 0).mean()),
        "seen_targets_share": float(np.isin(truth.row_of * width + truth.values, history).mean()),
        "queries_without_history_share": float((queries.lengths == 0).mean()),
        "new_users_share": float((people < 0).mean()),
    }


def _warnings(counts: Mapping[str, Any]) -> tuple[str, ...]:
    said = {
        "judgements_without_query": "{} judgements are of queries that were not given: nobody is asked about them.",
        "judgements_without_item": "{} judgements are of items outside the catalogue: the relevant ones among them are misses of every model.",
        "judgements_twice": "{} judgements were there before, word for word: they count once.",
    }
    return tuple(text.format(f"{counts[name]:,}") for name, text in said.items() if counts[name])


def _widened(table: FeatureTable | None, rows: int) -> FeatureTable | None:
    """The table with empty rows for the items that were added to the vocabulary."""
    if table is None or len(table.frame) == rows:
        return table
    missing = table.frame.clear(rows - len(table.frame))
    return FeatureTable(pl.concat([table.frame, missing]), table.kinds, table.title, table.versions)


def _numbers(column: pl.Series) -> pl.Series:
    """A column as finite numbers."""
    numbers = column.cast(pl.Float32, strict=False)
    wrong = (numbers.is_null() | ~numbers.is_finite().fill_null(value=False)).arg_true()
    if len(wrong):
        at = int(wrong[0])
        raise DataError(
            f"Row {at + 1} of the judgements has the {column.name} {column[at]!r}, which must be a finite number. Mend it, or leave the row or the column out."
        )
    return numbers


def _text(column: pl.Series, name: str) -> pl.Series:
    """Ids as text, none empty."""
    try:
        text = plain_ids(column).alias(name)
    except DataError as error:
        raise DataError(f"In the judgements {error}") from None
    empty = (text.is_null() | (text.str.strip_chars() == "")).arg_true()
    if len(empty):
        raise DataError(f"Row {empty[0] + 1} of the judgements has an empty {name!r}. Leave such rows out, or write the id there.")
    return text


def _require(table: pl.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table that lacks a column."""
    for name in columns:
        if name not in table.columns:
            raise DataError(
                f"The table of {what} must have a column {name!r}. It has {', '.join(table.columns) or 'none'}; rename yours to it."
            )
