"""Rows of the store as tables: the same columns whether they come from a database or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from msgspec.json import decode

TEXT, WHOLE, NUMBER = pl.String, pl.Int64, pl.Float64
EVENTS = {
    "sequence": WHOLE, "event_id": TEXT, "kind": TEXT, "user": TEXT, "item": TEXT, "time": WHOLE, "received": WHOLE, "value": NUMBER, "basket": TEXT,
    "recommendation_id": TEXT, "position": WHOLE, "session": TEXT, "properties": TEXT,
}  # fmt: skip
ANSWERS = {
    "sequence": WHOLE, "recommendation_id": TEXT, "time": WHOLE, "scenario": TEXT, "version": TEXT, "user": TEXT, "session": TEXT, "experiment": TEXT,
    "variant": TEXT, "propensity": NUMBER, "item": pl.List(TEXT), "score": pl.List(NUMBER), "source": pl.List(TEXT), "item_propensity": pl.List(NUMBER),
}  # fmt: skip
PLACES = [*list(ANSWERS)[:10], "position", "item", "score", "source", "item_propensity"]
TIMES = ("time", "received")
MOMENT = pl.Datetime("us", "UTC")


def of_events(rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """A table of rows in the order of `EVENTS`."""
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def of_shown(rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """A row per place, of rows per answer in the order of `ANSWERS`, their lists as JSON; an answer without items has none."""
    rows = [(*row[:10], *map(decode, row[10:])) for row in rows]
    answers = pl.DataFrame(rows, schema=ANSWERS, orient="row").filter(pl.col("item").list.len() > 0)
    lists = ["position", "item", "score", "source", "item_propensity"]
    lengths = pl.col("item").list.len()
    unknown = pl.lit(None, NUMBER).repeat_by(lengths)
    whole = answers.with_columns(
        position=pl.int_ranges(1, lengths + 1, dtype=WHOLE), item_propensity=pl.col("item_propensity").fill_null(unknown)
    )
    return whole.explode(lists).select(PLACES)


def to_file(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as moments, which whoever reads the file understands."""
    return frame.with_columns(pl.col(name).cast(MOMENT) for name in TIMES if name in frame.columns)


def of_file(frame: pl.DataFrame) -> pl.DataFrame:
    """Times as microseconds, as the service has them."""
    return frame.with_columns(pl.col(name).cast(WHOLE) for name in TIMES if name in frame.columns)
