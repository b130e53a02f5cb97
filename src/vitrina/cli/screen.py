"""Lists on the screen: for one history, for a few people, for what is alike."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import polars as pl
from rich.table import Table
from rich.text import Text

from vitrina.artifacts import Artifact
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.ids import alike
from vitrina.cli import answers, console, why
from vitrina.cli.log import column_of
from vitrina.data.dataset import Dataset
from vitrina.told import explained
from vitrina.types import Eligibility, Queries

MOST = 20  # people whose lists fit a screen


def show_history(artifact: Artifact, history: str, k: int, eligible: Eligibility, *, explain: bool, json: bool) -> None:
    """Answer one ad-hoc history."""
    given = listed(history)
    codes = artifact.vocabulary.encode(given)
    for item, code in zip(given, codes, strict=True):
        if code < 0:
            console.warn(f"The model doesn't know the item {item!r}. {_closest_item(artifact, item)}")
    asked = Queries.of_histories(artifact.vocabulary, [given])
    answers.say_lacking(artifact, asked)
    (table,) = _tables(artifact, asked, k, eligible, explain=explain)
    if json:
        unknown = [i for i, c in zip(given, codes, strict=True) if c < 0]
        console.print_json({"history": given, "unknown": unknown, "items": table})
        return
    known = artifact.names(codes[codes >= 0])
    _print_list(artifact, f"After {', '.join(known)}" if known else "Knowing nothing", table, explain=explain)


def show_people(
    artifact: Artifact, source: Mapping[str, Any], given: str | list[str], k: int, eligible: Eligibility, *, explain: bool, json: bool
) -> None:
    """Answer a few people of the log: a list of ids, or what --users says."""
    log = answers.log_of(source)
    users = given if isinstance(given, list) else answers.people(given, column_of(source["read"], "user"), log)
    assert users is not None  # everybody goes into a file
    if len(users) > MOST:
        raise ParameterError(f"The lists of {len(users):,} people don't fit a screen. Write them to a file with --out lists.parquet.")
    data = answers.histories(artifact, source, log, users)
    queries = data.queries(users)
    if (queries.users < 0).all():
        raise DataError(f"No user of the log has the id {', '.join(map(repr, users))}. {_closest(str(users[0]), _known(log))}")
    answers.say_lacking(artifact, queries)
    shown = []
    for at, (user, table) in enumerate(zip(users, _tables(artifact, queries, k, eligible, explain=explain), strict=True)):
        known = int(queries.users[at]) >= 0
        about = f"after {int(queries.lengths[at]):,} events" if known else "who is not in the log, and gets what is popular"
        shown.append({"user": user, "in_log": known, "items": table})
        if not json:
            _print_list(artifact, f"For {user}, {about}", table, explain=explain)
    if json:
        console.print_json({"users": shown})


def show_similar(artifact: Artifact, ids: Sequence[str], k: int, eligible: Eligibility, *, people: bool, json: bool) -> None:
    """What is most like each of these items, or people.

    Raises:
        ParameterError: the model says nothing of what is alike.
        DataError: an item is not known.
    """
    recommender: Any = artifact.recommender
    if not hasattr(recommender, "similar_users" if people else "similar_items"):
        raise ParameterError(
            f"{recommender!r} says nothing of what is alike. Similar items come from co-occurrence, EASE, content and sequence models, similar "
            "users from TifuKNN: fit one of them, without a re-ranker."
        )
    if not people:
        for item, code in zip(ids, artifact.vocabulary.encode(ids), strict=True):
            if code < 0:
                raise DataError(f"The model doesn't know the item {item!r}. {_closest_item(artifact, item)}")
    lists = recommender.similar_users(ids, k) if people else recommender.similar_items(ids, k, eligible=eligible)
    shown = []
    for at, asked in enumerate(ids):
        table = lists[at : at + 1].to_frame()
        shown.append({"similar_to": asked, "users" if people else "items": table.drop("similar_to", "source")})
        if not json:
            heading = f"Like {asked}" if people else f"Like {artifact.names(artifact.vocabulary.encode([asked]))[0]}"
            _print_list(artifact, heading, table if people else _titled(artifact, table), item_column=lists.item_column)
    if json:
        console.print_json({"similar": shown})


def listed(text: str) -> list[str]:
    """Ids between commas; those with a comma go in double quotes."""
    return [one.strip() for one in next(csv.reader([text], skipinitialspace=True), []) if one.strip()]


def _tables(artifact: Artifact, queries: Queries, k: int, eligible: Eligibility, *, explain: bool) -> list[pl.DataFrame]:
    """A table per query: rank, item, score, source, the other columns of the lists and, where asked for, why; and the title, or the id where there is none."""
    numbered, recommender = replace(queries, labels=None), artifact.recommender
    whole = (
        explained(recommender, numbered, k, eligible=eligible)
        if explain
        else recommender.recommend(numbered, k, eligible=eligible).to_frame()
    )
    if explain and (said := why.missing(whole)) is not None:
        console.note(said)
    return [_titled(artifact, whole.filter(pl.col("query") == at).drop("query")) for at in range(len(queries))]


def _titled(artifact: Artifact, table: pl.DataFrame) -> pl.DataFrame:
    """With the title behind the other columns, or the id where there is none."""
    titles = pl.Series("title", artifact.names(artifact.vocabulary.encode(table["item_id"])), dtype=pl.String)
    return table.drop("title", strict=False).with_columns(titles)


def _print_list(artifact: Artifact, heading: str, shown: pl.DataFrame, item_column: str = "item_id", *, explain: bool = False) -> None:
    console.out().print(heading, markup=False, soft_wrap=True)
    if not shown.height:
        console.out().print("nothing is left that may be shown")
        return
    people = item_column != "item_id"
    with_ids = not people and artifact.titles is not None
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("user" if people else "item")
    if with_ids:
        table.add_column("id", style="dim")
    table.add_column("score", justify="right")
    for name in ("source", "why") if explain else ():
        table.add_column(name, style="dim")
    for row in shown.iter_rows(named=True):
        score = "popular" if row["source"] == "fallback" else f"{row['score']:.4g}"
        ids = [Text(str(row[item_column]))] if with_ids else []
        said = [Text(why.source(row)), Text(why.why(row))] if explain else []
        table.add_row(str(row["rank"]), Text(str(row.get("title", row[item_column]))), *ids, score, *said)
    console.out().print(table)


def _closest_item(artifact: Artifact, item: str) -> str:
    """Ids that look like this one, or items with it in the title."""
    ids = artifact.vocabulary.ids.cast(pl.String)
    if artifact.titles is not None:
        named = ids.filter(artifact.titles.str.to_lowercase().str.contains(item.lower(), literal=True).fill_null(value=False)).head(3)
        if len(named):
            return f"By title it may be {', '.join(repr(i) for i in named)}."
    return _closest(item, ids)


def _known(log: Dataset) -> pl.Series:
    """Ids that people of the log have: some of those of an opened one."""
    return log.users.ids if log.in_memory else next(log.shards()).users.ids


def _closest(given: str, ids: pl.Series) -> str:
    if twin := alike(pl.Series([given]), ids.cast(pl.String)):
        return f"Did you mean {twin.known!r}?"
    close = get_close_matches(given, ids.cast(pl.String).head(100_000).to_list(), n=3)
    return f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else "Give ids as in the log."
