"""What `vitrina recommend` does with an artifact."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table
from rich.text import Text

from vitrina.batch import aligned, check_ending, recommend_to
from vitrina.cli import build, console
from vitrina.cli.idlist import read_ids, strangers
from vitrina.cli.log import given_columns, has_fingerprint, read_log
from vitrina.errors import DataError, ParameterError
from vitrina.persist import Artifact
from vitrina.types import Eligibility, Queries

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset

ABOUT_EVENTS = ("dedupe", "kinds", "min_value")  # filters that also shape a history; the others only choose what to learn from


def source_of(artifact: Artifact, data: str | None, given: Mapping[str, str | None]) -> dict[str, Any]:
    """How to read the log with the histories: as at the fit, but for what the command names."""
    kept = artifact.manifest.get("source") or {}
    read = kept.get("read") if isinstance(kept, Mapping) else None
    if read is None:
        if data is None:
            raise ParameterError("The artifact doesn't say which log it was fitted on. Name the log with the histories: --data LOG")
        return {"read": given_columns(data, given)}
    named = {key: value for key, value in given.items() if value is not None}
    read = {key: value for key, value in (read | named).items() if key not in ("items", "users", "title", "item_kinds", "user_kinds") and value != ""}  # fmt: skip
    if data is not None:
        return {"read": read | {"source": data}, "filters": kept.get("filters", {})}
    return {"read": read, "filters": kept.get("filters", {}), "fingerprint": kept.get("fingerprint")}


def eligibility(artifact: Artifact, candidates: Path | None, repeat: bool | None) -> Eligibility:
    """Candidates from a file, and the job's rule on repeats unless the command says otherwise."""
    kept = artifact.manifest.get("source") or {}
    by_default = bool(kept.get("repeat")) if isinstance(kept, Mapping) else False
    include = None if candidates is None else _candidates(artifact, candidates)
    return Eligibility(include=include, repeat=by_default if repeat is None else repeat)


def _candidates(artifact: Artifact, path: Path) -> Any:
    ids = read_ids(path, _columns(artifact)[1]).ids(artifact.vocabulary)
    codes = artifact.vocabulary.encode(ids)
    unknown = int((codes < 0).sum())
    if not unknown:
        return codes
    which = strangers(ids, codes < 0, artifact.vocabulary)
    if unknown == len(ids):
        raise DataError(f"The model knows none of the {len(ids):,} items in {path} {which} Give ids as in the log.")
    console.warn(f"The model doesn't know {unknown:,} of the {len(ids):,} items in {path} {which} They can't be recommended.")
    return codes[codes >= 0]


def _columns(artifact: Artifact) -> tuple[str, str]:
    """The names of the columns of users and items in the log of the fit."""
    kept = artifact.manifest.get("source") or {}
    read = kept.get("read", {}) if isinstance(kept, Mapping) else {}
    return read.get("user", "user_id"), read.get("item", "item_id")


def show_history(artifact: Artifact, history: str, k: int, eligible: Eligibility, *, json: bool) -> None:
    """Answer one ad-hoc history on the screen."""
    given = [item.strip() for item in next(csv.reader([history], skipinitialspace=True), []) if item.strip()]
    codes = artifact.vocabulary.encode(given)
    for item, code in zip(given, codes, strict=True):
        if code < 0:
            console.warn(f"The model doesn't know the item {item!r}. {_closest(artifact, item)}")
    lists = artifact.recommender.recommend(Queries.of_histories(artifact.vocabulary, [given]), k, eligible=eligible)
    shown = lists.to_frame().drop("query")
    shown = shown.with_columns(title=pl.Series(artifact.names(lists.items[0][lists.items[0] >= 0]), dtype=pl.String))
    if json:
        console.print_json({"history": given, "unknown": [i for i, c in zip(given, codes, strict=True) if c < 0], "items": shown})
        return
    known = artifact.names(codes[codes >= 0])
    console.out().print(f"After {', '.join(known)}" if known else "Knowing nothing", markup=False, soft_wrap=True)
    console.out().print(_table(shown, with_ids=artifact.titles is not None))


def _closest(artifact: Artifact, item: str) -> str:
    """Ids that look like this one, or items with it in the title."""
    ids = artifact.vocabulary.ids.cast(pl.String)
    if artifact.titles is not None:
        named = ids.filter(artifact.titles.str.to_lowercase().str.contains(item.lower(), literal=True).fill_null(value=False)).head(3)
        if len(named):
            return f"By title it may be {', '.join(repr(i) for i in named)}."
    close = get_close_matches(item, ids.head(100_000).to_list(), n=3)
    return f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else "Give ids as in the log."


def _table(shown: pl.DataFrame, *, with_ids: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("item")
    if with_ids:
        table.add_column("id", style="dim")
    table.add_column("score", justify="right")
    for rank, item, score, source, title in shown.select("rank", "item_id", "score", "source", "title").iter_rows():
        said = "popular" if source == "fallback" else f"{score:.4g}"
        table.add_row(str(rank), Text(title), *([Text(str(item))] if with_ids else []), said)
    return table


def write_lists(artifact: Artifact, source: Mapping[str, Any], users: str, k: int, eligible: Eligibility, out: Path, *, json: bool) -> None:
    """Answer everybody, block by block, into a file."""
    check_ending(out)
    user_column, item_column = source["read"].get("user", "user_id"), source["read"].get("item", "item_id")
    asked = None if users == "all" else read_ids(Path(users), user_column)
    data = _histories(artifact, source)
    queries = data.queries(None if asked is None else asked.ids(data.users))
    assert queries.labels is not None
    unknown = queries.users < 0
    if unknown.any():
        which = strangers(queries.labels, unknown, data.users)
        console.warn(f"{unknown.sum():,} of {len(queries):,} users are not in the log {which} They get what is popular.")
    with console.steps() as progress:
        rows = recommend_to(
            out,
            artifact.recommender,
            queries,
            queries.labels.alias(user_column),
            k,
            eligible=eligible,
            item_column=item_column,
            done=lambda count: progress("Users", count, len(queries)),
        )
    if json:
        console.print_json(
            {"out": out, "users": len(queries), "users_not_in_log": int(unknown.sum()), "rows": rows, "k": k, "repeat": eligible.repeat}
        )
    else:
        console.out().print(f"Wrote {rows:,} rows for {len(queries):,} users to {out}", markup=False, soft_wrap=True)


def _histories(artifact: Artifact, source: Mapping[str, Any]) -> Dataset:
    """The log in the model's item codes; says what has changed since the fit."""
    data = read_log(source["read"], as_typed=True)
    if source.get("fingerprint") is not None and not has_fingerprint(data, source["fingerprint"]):
        console.warn("The log has changed since the fit: histories are as it is now, the model is as it was.")
    for name, argument in source.get("filters", {}).items():
        if name in ABOUT_EVENTS:
            data = build.filtered(data, name, argument)
    known = aligned(data, artifact.vocabulary)
    missing = data.n_events - known.n_events
    if missing == data.n_events:
        raise DataError(f"The model knows none of the items of {data.name!r}. Name another item column with --item, or fit on this log.")
    if missing:
        console.warn(f"{missing:,} of {data.n_events:,} events are of items that the model doesn't know; they are left out of histories.")
    return known
