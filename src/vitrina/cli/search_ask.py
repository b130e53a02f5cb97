"""What `vitrina search ask` and `vitrina search zeros` answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table
from rich.text import Text

from vitrina.base.errors import DataError, ParameterError
from vitrina.cli import answers, console
from vitrina.cli.search_make import part_of
from vitrina.cli.search_runs import ARTIFACT
from vitrina.cli.where import conditions

if TYPE_CHECKING:
    from vitrina.search import Lexical
    from vitrina.types import Eligibility, Queries

FACETS_SHOWN = 8  # values of a column, on a screen


@dataclass(frozen=True)
class Asked:
    """What somebody types, and what is set beside it."""

    text: str
    k: int
    where: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    as_typed: bool = False


def loaded(folder: Path, *, trust: bool) -> Any:
    """The search of a folder: an artifact, or the results of a build that hold one.

    Raises:
        DataError: it holds nothing.
        ParameterError: it holds something that doesn't search.
    """
    from vitrina import artifacts

    inside = folder / ARTIFACT
    if not any((place / "manifest.json").exists() for place in (inside, folder)):
        raise DataError(
            f"{folder} holds no search. Give the folder that 'vitrina search build goods.csv' wrote: vitrina-search, where it wasn't told another."
        )
    engine = artifacts.load(inside if inside.is_dir() else folder, trust=answers.trusting(trust)).recommender
    if words_of(engine) is None:
        raise ParameterError(f"{folder} holds no search but {type(engine).__name__}. Build one with: vitrina search build goods.csv")
    return engine


def words_of(engine: Any) -> Lexical | None:
    """The part of a search that knows words, and the table of items with them."""
    from vitrina.search import ItemIndex, Lexical

    found = part_of(engine, lambda part: isinstance(part, (Lexical, ItemIndex)))
    return found.lexical() if isinstance(found, ItemIndex) else found


def answered(folder: Path, asked: Asked, log: Path | None, *, trust: bool) -> dict[str, Any]:
    """The list, what was read in the text, why there is nothing, and the facets.

    Raises:
        ParameterError: a condition is none.
        UnknownNameError: there is no such column or value; lists the closest.
    """
    from vitrina.search import Logged, ZeroResults
    from vitrina.search.answering import answer_of
    from vitrina.search.facets import holding
    from vitrina.types import Eligibility, Queries

    where = conditions(asked.where)
    engine = loaded(folder, trust=trust)
    words = words_of(engine)
    assert words is not None
    eligible = holding(words, where, Eligibility()) if where else Eligibility()
    engine = engine if log is None else Logged(engine, ZeroResults(log))
    queries = Queries.of_texts(words.vocabulary, [asked.text])
    queries = replace(queries, context=pl.DataFrame({"as_typed": [1]})) if asked.as_typed else queries
    answer = answer_of(engine, queries, asked.k, eligible=eligible)
    told = {name: value for name, value in answer.told.row(0, named=True).items() if name != "query"}
    searched = replace(queries, texts=pl.Series("text", [told.get("searched") or asked.text], pl.String))
    facets = facets_of(words, searched, asked.facets, eligible)
    if where and not told["found"]:
        told["without_conditions"] = int(answer_of(engine, queries, asked.k).told["found"][0]) if log is None else None
    items = answer.lists.to_frame().drop("query", strict=False)
    return {"text": asked.text, "items": items, **told, "facets": facets}


def facets_of(words: Lexical, queries: Queries, columns: tuple[str, ...], eligible: Eligibility) -> dict[str, pl.DataFrame]:
    """How many of the eligible items that have the words have which value, by column."""
    from vitrina.search.facets import column_of, counted

    if not columns:
        return {}
    for name in columns:
        column_of(words, name)
    table = counted(words, words, queries, columns, eligible)
    return {name: table.filter(column=name).select("value", "count") for name in columns}


def show(found: Mapping[str, Any]) -> None:
    """The list, and what is to be said of it."""
    out = console.out()
    for sentence in sentences(found):
        out.print(sentence, markup=False, soft_wrap=True)
    items = found["items"]
    if len(items):
        said = [name for name in items.columns if items[name].null_count() < len(items) and (name, items[name].n_unique()) != ("source", 1)]
        out.print(_table(items.select(said)))
    for name, values in found["facets"].items():
        rest = len(values) - FACETS_SHOWN
        listed = ", ".join(f"{'unknown' if value is None else value} {count:,}" for value, count in values.head(FACETS_SHOWN).iter_rows())
        out.print(f"{name}: {listed or 'nothing'}{f', and {rest:,} more values' if rest > 0 else ''}", markup=False, soft_wrap=True)


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What was mended, given up, or is missing."""
    said = [found.get("told") and f"{found['told'][0].upper()}{found['told'][1:]}."]
    if found.get("relaxed"):
        gone = f" {found['without']!r}" if found.get("without") else ""
        given_up = {"words": f"without{gone}", "any": "for any of the words", "filter": "without the conditions"}
        said.append(f"Nothing was found for all of it ({found['why']}): searched {given_up.get(found['relaxed'], found['relaxed'])}.")
    elif not found["found"]:
        others = found.get("without_conditions")
        why = f"the conditions leave none; without them there are items, {others:,} in a list" if others else found.get("why")
        said.append(f"Nothing was found{f': {why}' if why else ''}.")
    return [sentence for sentence in said if sentence]


def _table(frame: pl.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in frame.iter_columns():
        table.add_column(column.name, justify="right" if column.dtype.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else Text("" if value is None else str(value)) for value in row))
    return table


def zeros(file: Path, k: int) -> dict[str, Any]:
    """What a log says was searched for and not found.

    Raises:
        DataError: there is no such file, or nothing in it is of such a log.
    """
    from vitrina.search import ZeroResults

    if not file.exists():
        raise DataError(f"There is no file {file}. Searches that find nothing are written by: vitrina search ask DIR TEXT --log {file}")
    log = ZeroResults(file)
    table, damaged = log.table(), log.damaged
    if damaged and not len(table):
        raise DataError(f"{file} isn't a log of searches without results: none of its {damaged:,} lines can be read.")
    times = [
        pl.Series(name, [datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in table[name]], pl.String)
        for name in ("first", "last")
    ]
    shown = table.with_columns(times).head(k)
    return {"texts": len(table), "times": int(table["times"].sum()), "damaged": damaged, "shown": shown}


def show_zeros(found: Mapping[str, Any]) -> None:
    """The table, and how much of it is shown."""
    out = console.out()
    out.print(f"{found['times']:,} searches of {found['texts']:,} texts found nothing.", markup=False)
    if len(found["shown"]):
        out.print(_table(found["shown"].select("times", "last", "typed", "why")))
    if found["damaged"]:
        console.warn(f"{found['damaged']:,} lines of the log can't be read and are left out.")
