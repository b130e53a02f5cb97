"""Judgements and runs as the text files that the field exchanges: those of TREC, and the ones with three columns of BEIR."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.files import atomic_file
from vitrina.data.split import Split
from vitrina.types import Recommendations

QRELS, RUN = {"query": pl.String, "item": pl.String, "gain": pl.Float32}, 6
HEADINGS = frozenset({"query-id", "query_id", "qid", "query", "topic", "topic_id", "q_id"})


def read_qrels(path: str | Path) -> pl.DataFrame:
    """Judgements of a file, for `vt.split.judged`: query, item and gain, a row per line.

    A line is `query iteration item gain`, as TREC has it, or `query item gain`. Columns stand apart by tabs or, where a line has none, by spaces; with
    tabs an id may hold spaces. A first line of headings and empty lines are passed over; a line that is there twice is two rows, which a split counts.

    Raises:
        DataError: a line has another number of columns or no number for a gain, or two lines give one item of a query two gains; names the line.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as place:
    ...     path = pathlib.Path(place, "test.qrels")
    ...     _ = path.write_text("1 0 tea 2\\n1 0 salt 0\\n")
    ...     read_qrels(path).rows()
    [('1', 'tea', 2.0), ('1', 'salt', 0.0)]
    """
    rows: list[tuple[str, str, float]] = []
    known: dict[tuple[str, str], tuple[float, int]] = {}
    for number, parts in _lines(Path(path)):
        if len(parts) not in (3, 4):
            raise _wrong(
                path, number, f"has {len(parts)} columns, and judgements have 4 (query, iteration, item, gain) or 3 without the iteration"
            )
        gain = _number(path, number, parts[-1], "gain")
        pair = (parts[0], parts[-2])
        before, line = known.setdefault(pair, (gain, number))
        if before != gain:
            raise _wrong(
                path, number, f"gives {pair[1]!r} for the query {pair[0]!r} the gain {gain:g}, and line {line} gives {before:g}; keep one"
            )
        rows.append((*pair, gain))
    return pl.DataFrame(rows, schema=QRELS, orient="row")


def write_qrels(split: Split, path: str | Path) -> None:
    """The judgements of a split as `query 0 item gain`, with tabs between. The file appears when it is whole.

    A split without grades writes its truth with the gain 1.

    Raises:
        DataError: an id holds a tab or the end of a line.
    """
    judged = split.truth if split.grades is None else split.grades.items
    gains = np.ones(len(judged.values)) if split.grades is None else split.grades.gains
    names, known = _names(split), judged.values >= 0
    items = split.queries.vocabulary.decode(judged.values[known]).cast(pl.String)
    rows = zip(names.gather(judged.row_of[known]), items, gains[known].tolist(), strict=True)
    _write(Path(path), (f"{query}\t0\t{item}\t{gain:g}" for query, item, gain in rows), [names, items])


def read_run(path: str | Path, split: Split, k: int = 1000) -> Recommendations:
    """The lists that another engine gave, for the queries of a split: a file of `query Q0 item rank score name`.

    Lists are in the order of the scores, as every program for such files has it, and equal scores in that of the ranks. A query of the split that the file
    lacks has an empty list; queries that are not asked in the split are passed over.

    Args:
        path: columns stand apart as in `read_qrels`.
        split: says the order of the queries, by their ids, and the codes of the items.
        k: the most places of a list that are kept.

    Raises:
        DataError: a line has another number of columns or no number for rank or score, names an item again or one that the split doesn't know; or no
            query of the split is there.
    """
    places = {name: row for row, name in enumerate(_names(split))}
    found: list[tuple[int, str, float, float, int]] = []
    seen: set[tuple[int, str]] = set()
    for number, parts in _lines(Path(path)):
        if len(parts) != RUN:
            raise _wrong(path, number, f"has {len(parts)} columns, and a run has {RUN} (query, Q0, item, rank, score, name)")
        rank, score = _number(path, number, parts[3], "rank"), _number(path, number, parts[4], "score")
        row = places.get(parts[0])
        if row is None:
            continue
        if (row, parts[2]) in seen:
            raise _wrong(path, number, f"lists {parts[2]!r} for the query {parts[0]!r} again; keep its best place")
        seen.add((row, parts[2]))
        found.append((row, parts[2], score, rank, number))
    if not found:
        raise DataError(
            f"{path} has no line for any of the {len(places):,} queries of {split!r}: look whether both name the queries alike."
        )
    return _lists(found, split, k, path)


def _lists(found: list[tuple[int, str, float, float, int]], split: Split, k: int, path: str | Path) -> Recommendations:
    rows, items, scores, ranks, numbers = zip(*found, strict=True)
    codes = split.queries.vocabulary.encode(pl.Series(items, dtype=pl.String))
    if (codes < 0).any():
        at = int(np.flatnonzero(codes < 0)[0])
        raise _wrong(
            path,
            numbers[at],
            f"lists the item {items[at]!r}, which isn't in the catalogue of the split; leave it out, or give the split all items that are searched",
        )
    row, score = np.array(rows), np.array(scores)
    order = np.lexsort((np.array(ranks), -score, row))
    lengths = np.bincount(row, minlength=len(split.queries))
    place = np.arange(len(order)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    order, place = order[place < k], place[place < k]
    width = min(k, int(lengths.max()))
    listed, said = np.full((len(lengths), width), -1, np.int32), np.full((len(lengths), width), np.nan, np.float32)
    listed[row[order], place], said[row[order], place] = codes[order], score[order]
    return Recommendations(listed, said, split.queries.vocabulary, labels=split.queries.labels).padded(k)


def write_run(lists: Recommendations, split: Split, path: str | Path, name: str = "vitrina") -> None:
    """Lists as `query Q0 item rank score name`, with tabs between. The file appears when it is whole.

    Scores are those of the lists, but each is a little below the one above it, so that a program that orders equal scores by itself keeps the order.

    Raises:
        DataError: an id holds a tab or the end of a line, or there isn't a list per query of the split.
    """
    if len(lists) != len(split.queries):
        raise DataError(
            f"A run has a list per query of its split ({len(split.queries):,}). Got {len(lists):,} lists; recommend for split.queries."
        )
    names, ids = _names(split), lists.vocabulary.ids.cast(pl.String)

    def rows() -> Iterator[str]:
        for query, items, scores in zip(names, lists.items.tolist(), lists.scores.astype(np.float32), strict=True):
            above = np.float32(np.inf)
            for rank, (item, score) in enumerate(((i, s) for i, s in zip(items, scores, strict=True) if i >= 0), 1):
                unsaid = np.float32(0) if np.isinf(above) else above - 1  # of a place from popularity
                above = min(unsaid if np.isnan(score) else score, np.nextafter(above, np.float32(-np.inf)))  # trec_eval reads 32 bits
                yield f"{query}\tQ0\t{ids[item]}\t{rank}\t{float(above)!r}\t{name}"

    _write(Path(path), rows(), [names, ids])


def _names(split: Split) -> pl.Series:
    """(queries,) what each query is called: its id, else its text, else its number."""
    asked = split.queries
    for column in (asked.request_ids, asked.texts):
        if column is not None and not column.null_count() and column.n_unique() == len(column):
            return column.cast(pl.String)
    return pl.Series([str(row) for row in range(len(asked))], dtype=pl.String)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number, from 1, and columns of each line that has any."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} isn't UTF-8 text: byte {error.start} is no letter of it. Write it as UTF-8.") from None
    for number, line in enumerate(text.split("\n"), 1):
        parts = [part.strip() for part in line.rstrip("\r").split("\t")] if "\t" in line.strip() else line.split()
        if parts and not (number == 1 and parts[0].lower() in HEADINGS and not _is_number(parts[-1])):
            yield number, parts


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(path: Any, number: int, text: str, what: str) -> float:
    if not _is_number(text):
        raise _wrong(path, number, f"has the {what} {text!r}, which must be a finite number")
    return float(text)


def _wrong(path: Any, number: int, what: str) -> DataError:
    return DataError(f"Line {number} of {path} {what}.")


def _write(path: Path, lines: Iterator[str], ids: list[pl.Series]) -> None:
    for column in ids:
        wrong = column.filter(column.str.contains(r"[\t\r\n]"))
        if len(wrong):
            raise DataError(f"An id with a tab or the end of a line can't stand in such a file: {wrong[0]!r}. Give it another id.")
    with atomic_file(path) as staging, staging.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
