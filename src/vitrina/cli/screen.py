"""Lists on the screen: for one history, for a few people, for what is alike."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import polars as pl
from rich.table import Table
from rich.text import Text

from vitrina.artifacts import Artifact
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.ids import alike
from vitrina.cli import answers, console
from vitrina.types import Eligibility, Queries, Recommendations

MOST = 20  # people whose lists fit a screen


def show_history(artifact: Artifact, history: str, k: int, eligible: Eligibility, *, json: bool) -> None:
    """Answer one ad-hoc history."""
    given = listed(history)
    codes = artifact.vocabulary.encode(given)
    for item, code in zip(given, codes, strict=True):
        if code < 0:
            console.warn(f"The model doesn't know the item {item!r}. {_closest_item(artifact, item)}")
    lists = artifact.recommender.recommend(Queries.of_histories(artifact.vocabulary, [given]), k, eligible=eligible)
    if json:
        unknown = [i for i, c in zip(given, codes, strict=True) if c < 0]
        console.print_json({"history": given, "unknown": unknown, "items": _rows(artifact, lists)})
        return
    known = artifact.names(codes[codes >= 0])
    _print_list(artifact, f"After {', '.join(known)}" if known else "Knowing nothing", lists)


def show_people(
    artifact: Artifact, source: Mapping[str, Any], given: str | list[str], k: int, eligible: Eligibility, *, json: bool
) -> None:
    """Answer a few people of the log: a list of ids, or what --users says."""
    data = answers.histories(artifact, source)
    column = source["read"].get("user", "user_id")
    users = given if isinstance(given, list) else answers.people(given, column, data.users)
    assert users is not None  # everybody goes into a file
    if len(users) > MOST:
        raise ParameterError(f"The lists of {len(users):,} people don't fit a screen. Write them to a file with --out lists.parquet.")
    queries = data.queries(users)
    if (queries.users < 0).all():
        raise DataError(f"No user of the log has the id {', '.join(map(repr, users))}. {_closest(str(users[0]), data.users.ids)}")
    lists = artifact.recommender.recommend(queries, k, eligible=eligible)
    shown = []
    for at, user in enumerate(users):
        one, known = lists[at : at + 1], int(queries.users[at]) >= 0
        why = f"after {int(queries.lengths[at]):,} events" if known else "who is not in the log, and gets what is popular"
        shown.append({"user": user, "in_log": known, "items": _rows(artifact, one)})
        if not json:
            _print_list(artifact, f"For {user}, {why}", one)
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
        one = lists[at : at + 1]
        shown.append({"similar_to": asked, "users" if people else "items": one.to_frame().drop("similar_to", "source")})
        if not json:
            _print_list(artifact, f"Like {asked}" if people else f"Like {artifact.names(artifact.vocabulary.encode([asked]))[0]}", one)
    if json:
        console.print_json({"similar": shown})


def listed(text: str) -> list[str]:
    """Ids between commas; those with a comma go in double quotes."""
    return [one.strip() for one in next(csv.reader([text], skipinitialspace=True), []) if one.strip()]


def _rows(artifact: Artifact, lists: Recommendations) -> pl.DataFrame:
    """Rank, item, score, source, the other columns of the lists, and the title, or the id where there is none."""
    frame = lists.to_frame()
    shown = frame.select("rank", "item_id", "score", "source", *(name for name in lists.extra if name != "source"))
    return shown.with_columns(title=pl.Series(artifact.names(lists.items[0][lists.items[0] >= 0]), dtype=pl.String))


def _print_list(artifact: Artifact, heading: str, lists: Recommendations) -> None:
    console.out().print(heading, markup=False, soft_wrap=True)
    if not lists.to_frame().height:
        console.out().print("nothing is left that may be shown")
        return
    people = lists.item_column != "item_id"
    shown = lists.to_frame().rename({lists.item_column: "id"}) if people else _rows(artifact, lists).rename({"item_id": "id"})
    with_ids = not people and artifact.titles is not None
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("user" if people else "item")
    if with_ids:
        table.add_column("id", style="dim")
    table.add_column("score", justify="right")
    for row in shown.iter_rows(named=True):
        score = "popular" if row["source"] == "fallback" else f"{row['score']:.4g}"
        table.add_row(str(row["rank"]), Text(str(row.get("title", row["id"]))), *([Text(str(row["id"]))] if with_ids else []), score)
    console.out().print(table)


def _closest_item(artifact: Artifact, item: str) -> str:
    """Ids that look like this one, or items with it in the title."""
    ids = artifact.vocabulary.ids.cast(pl.String)
    if artifact.titles is not None:
        named = ids.filter(artifact.titles.str.to_lowercase().str.contains(item.lower(), literal=True).fill_null(value=False)).head(3)
        if len(named):
            return f"By title it may be {', '.join(repr(i) for i in named)}."
    return _closest(item, ids)


def _closest(given: str, ids: pl.Series) -> str:
    if twin := alike(pl.Series([given]), ids.cast(pl.String)):
        return f"Did you mean {twin.known!r}?"
    close = get_close_matches(given, ids.cast(pl.String).head(100_000).to_list(), n=3)
    return f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else "Give ids as in the log."
