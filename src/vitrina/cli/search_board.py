"""`vitrina search evaluate`: ways to search, side by side on queries that people judged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.table import Table

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.cli import build, console, outputs
from vitrina.cli.search_file import WORDS
from vitrina.cli.search_make import engine_of, index_of, mixed, sources_of
from vitrina.cli.tables import Role, read_roles

if TYPE_CHECKING:
    from vitrina.cli.search_file import SearchJob
    from vitrina.data.split import Split
    from vitrina.pages.search import Study
    from vitrina.types import Recommendations

DEPTH = 100  # of the lists that are judged
HYBRID, LEARNED, WHOLE = "hybrid", "learned mix", "whole search"
TABLES = (".csv", ".parquet", ".pq", ".xlsx", ".jsonl", ".json")
NUMBERS, PAGE = "search-board.json", "search-board.html"


def judged(job: SearchJob, out: Path | None, *, force: bool) -> tuple[Study, Path]:
    """Every system on the judged queries; the numbers and the page are written.

    Raises:
        ParameterError: the file has no [judged].
    """
    from vitrina.base.files import write_text
    from vitrina.pages.search import render

    folder = out or job.out
    outputs.check_folder(folder, (NUMBERS, PAGE), {"source": job.sources()}, force=force)
    with console.working("Reading the items and the judgements"):
        table = job.items()
        split = split_of(job, table)
    for warning in split.warnings:
        console.warn(warning)
    notes: list[str] = []
    lists = dict(_lists(job, table, split, folder, notes))
    board = _board(job, split, lists, len(table), notes)
    write_text(folder / NUMBERS, _as_text(board))
    write_text(folder / PAGE, render(board))
    return board, folder / PAGE


def as_json(board: Study) -> dict[str, Any]:
    """Every number but those of single queries."""
    return {name: value for name, value in vars(board).items() if name not in ("per_query", "settings", "date")}


def _as_text(board: Study) -> str:
    import json

    return json.dumps(console.plain(as_json(board)), ensure_ascii=False, indent=2) + "\n"


def split_of(job: SearchJob, table: pl.DataFrame) -> Split:
    """The judged queries over all items.

    Raises:
        ParameterError: the file has no [judged].
        DataError: a judgement can't be used; names it.
    """
    from vitrina.data.split import judged as judged_split
    from vitrina.search import read_qrels

    given = job.settings.judged
    if given is None:
        raise ParameterError(
            f'{job.file.path}: this command needs the table [judged]. For example: [judged] qrels = "judged.csv", query = "query", item = "item", gain = "gain"'
        )
    (path,) = job.paths("judged", "qrels", given.qrels)
    with build.located(job.file, ("judged",)):
        if Path(path).suffix in TABLES:
            roles: dict[str, tuple[str, Role]] = {"query": (given.query, "id"), "item": (given.item, "id"), "gain": (given.gain, "number")}
            qrels = read_roles(job.file, ("judged",), [path], roles)
        else:
            qrels = read_qrels(path)
        queries = None
        if given.queries is not None:
            asked: dict[str, tuple[str, Role]] = {"query": (given.id, "id"), "text": (given.text, "text")}
            queries = read_roles(job.file, ("judged",), job.paths("judged", "queries", given.queries), asked)
            queries = queries.drop_nulls("text")
        ids = table[job.settings.items.id].cast(pl.String)
        return judged_split(qrels, queries, ids.to_list(), above=given.above)


def _lists(
    job: SearchJob, table: pl.DataFrame, split: Split, folder: Path, notes: list[str]
) -> Iterator[tuple[str, tuple[Recommendations, float | None]]]:
    """The lists of every system, and the milliseconds of a query."""
    index = index_of(job, table, folder, split.train.items)
    sources = sources_of(job, index)
    whole = mixed(job, sources)
    engines = dict(sources) | ({HYBRID: whole} if len(sources) > 1 else {})
    engines |= {WHOLE: engine_of(job, index, whole)}
    for name, engine in engines.items():
        with console.working(f"Asking {name}"):
            began = time.perf_counter()
            lists = engine.recommend(split.queries, DEPTH, eligible=split.eligible)
            yield name, (lists.padded(DEPTH), 1000 * (time.perf_counter() - began) / len(split.queries))
        if name == HYBRID and job.settings.evaluate.learned:
            yield from _learned(job, whole, split, notes)
    yield from _runs(job, split)


def _learned(job: SearchJob, hybrid: Any, split: Split, notes: list[str]) -> Iterator[tuple[str, tuple[Recommendations, None]]]:
    from vitrina.search import Learned

    given = job.settings.evaluate
    try:
        with console.working("Learning a mix"):
            lists = Learned(folds=given.folds, seed=given.seed).cross_fitted(hybrid, split, DEPTH)
    except DataError as error:
        notes.append(f"No mix was learned: {error}")
        return
    notes.append(
        f"The {LEARNED} answers each query with weights that the queries of the other {given.folds - 1} of {given.folds} folds taught."
    )
    yield LEARNED, (lists.padded(DEPTH), None)


def _runs(job: SearchJob, split: Split) -> Iterator[tuple[str, tuple[Recommendations, None]]]:
    from vitrina.search import read_run

    for name, path in job.settings.evaluate.runs.items():
        with build.located(job.file, ("evaluate", "runs")):
            yield name, (read_run(job.paths("evaluate", "runs", path)[0], split, DEPTH), None)


def _board(job: SearchJob, split: Split, lists: dict[str, tuple[Recommendations, float | None]], items: int, notes: list[str]) -> Study:
    from vitrina.evaluate import compare_pairs, evaluate
    from vitrina.evaluate.bootstrap import Bootstrap
    from vitrina.pages.policy.answer import today
    from vitrina.pages.search import Study as Study_

    given = job.settings.evaluate
    doubt = Bootstrap(confidence=given.confidence)
    rows, per_query = [], {}
    for name, (answers, ms) in lists.items():
        found = evaluate(answers, split, list(dict.fromkeys([given.metric, "Recall@100", "MRR@10", "Unjudged@10"])), bootstrap=doubt)
        numbers = {row["metric"]: row for row in found.numbers.iter_rows(named=True)}
        own = numbers[given.metric]
        per_query[name] = found.per_query[given.metric].to_numpy()
        rows.append({
            "system": name, "value": own["value"], "low": own["low"], "high": own["high"], **{m: n["value"] for m, n in numbers.items() if m != given.metric},
            "empty": int((answers.items < 0).all(axis=1).sum()), "ms": ms,
        })  # fmt: skip
    pairs = _pairs(job, list(lists))
    verdicts = compare_pairs(per_query, pairs, np.arange(len(split.queries)), bootstrap=doubt)
    judgements = 0 if split.grades is None else len(split.grades.gains)
    systems = pl.DataFrame(rows, schema_overrides={"ms": pl.Float64})
    texts = split.queries.texts
    typed = pl.Series("query", range(len(split.queries))) if texts is None else texts.alias("query")
    left = split.counts["queries_without_truth"]
    notes += [f"{left:,} queries have no relevant item among the judgements and are left out."] if left else []
    return Study_(
        given.metric, systems, verdicts, pl.DataFrame([typed, *(pl.Series(name, values) for name, values in per_query.items())]), tuple(notes),
        len(split.queries), judgements, items, given.confidence, job.title, job.facts(), today(),
    )  # fmt: skip


def _pairs(job: SearchJob, names: list[str]) -> list[tuple[str, str]]:
    """Each against the baseline, a mix against each of its sources, and the learned one against the other mix.

    Raises:
        UnknownNameError: the baseline is none of them.
    """
    baseline = job.settings.evaluate.baseline or WORDS
    if baseline not in names:
        with build.located(job.file, ("evaluate", "baseline")):
            raise UnknownNameError.of("system", baseline, names)
    more = [(HYBRID, "vectors"), (LEARNED, HYBRID)]
    pairs = [*((name, baseline) for name in names if name != baseline), *(pair for pair in more if set(pair) <= set(names))]
    return list(dict.fromkeys(pairs))


def show(board: Study, page: Path) -> None:
    """The board, the verdicts and the notes."""
    out = console.out()
    out.print(f"{board.queries:,} queries, {board.judgements:,} judgements, {board.items:,} items.", markup=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    names = {"system": "system", "value": board.metric, "interval": "interval", "empty": "empty lists", "ms": "ms per query"}
    more = board.more
    for name in ("system", "value", "interval", *more, "empty", "ms"):
        table.add_column(names.get(name, name), justify="left" if name == "system" else "right")
    for row in board.systems.sort("value", descending=True).iter_rows(named=True):
        ms = "" if row["ms"] is None else f"{row['ms']:.1f}"
        interval = "" if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"
        table.add_row(row["system"], f"{row['value']:.4f}", interval, *(f"{row[m]:.4f}" for m in more), str(row["empty"]), ms)
    out.print(table)
    out.print()
    for sentence in board.verdicts:
        out.print(sentence, markup=False, soft_wrap=True)
    for note in board.notes:
        console.note(note)
    console.note(f"Report: {page}")
