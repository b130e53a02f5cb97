"""What people searched for and didn't find, kept in a file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import polars as pl

from vitrina.base.errors import DataError, WriteError
from vitrina.base.files import one_at_a_time
from vitrina.protocols import Recommender
from vitrina.search.answering import Answered, answer_of
from vitrina.search.around import Around
from vitrina.search.reading import plain
from vitrina.told import tables_of
from vitrina.types import Eligibility, Queries

LONGEST = 200  # letters of a query that is kept
SCHEMA = {"text": pl.String, "times": pl.Int64, "first": pl.Float64, "last": pl.Float64, "why": pl.String, "typed": pl.String}


@final
@dataclass(frozen=True)
class ZeroResults:
    """A file of queries that found nothing: a line of JSON for each, appended and put on the disk before `add` returns, so that a crash loses none.

    Several processes may write to one file; a line that was cut by a crash is skipped and counted in `damaged`. Keep in mind that people type names and numbers of their own:
    the file holds them, up to 200 letters each.

    >>> import tempfile
    >>> log = ZeroResults(tempfile.mkdtemp() + "/zero.jsonl")
    >>> log.add(["Самокат детский", "самокат  детский"], why=["no item has the word 'самокат'"] * 2)
    >>> log.table().select("text", "times").rows()
    [('самокат детский', 2)]
    """

    path: str | Path

    def add(self, texts: Sequence[str], *, why: Sequence[str | None] | None = None, at: float | None = None) -> None:
        """Append queries, as they were typed.

        Args:
            why: a reason for each, where one is known.
            at: the moment, in seconds since 1970; None is now.

        Raises:
            WriteError: the file can't be written.
        """
        reasons = [None] * len(texts) if why is None else list(why)
        moment = time.time() if at is None else at
        lines = [
            json.dumps({"text": plain(text)[:LONGEST], "typed": text[:LONGEST], "at": moment, "why": reason}, ensure_ascii=False) + "\n"
            for text, reason in zip(texts, reasons, strict=True)
            if text.strip()
        ]
        if lines:
            self._append("".join(lines).encode())

    def _append(self, body: bytes) -> None:
        path = Path(self.path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
            try:
                with one_at_a_time(path):  # else the end that is looked at is that of half a line
                    size = os.fstat(handle).st_size
                    cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # what a crash left stays a line of its own
                    written = os.write(handle, b"\n" * cut + body)
                    if written < len(body) + cut:
                        raise OSError(f"only {written:,} of {len(body) + cut:,} bytes were")
                    os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise WriteError(path, f"searches without results are not kept: {error}") from error

    def table(self) -> pl.DataFrame:
        """The queries that found nothing, the most frequent first: text, times, first, last (seconds since 1970), why and typed of the last time."""
        rows = [row for row in self._rows() if row is not None]
        if not rows:
            return pl.DataFrame(schema=SCHEMA)
        return (
            pl.DataFrame(rows, schema={"text": pl.String, "typed": pl.String, "at": pl.Float64, "why": pl.String})
            .sort("at", maintain_order=True)
            .group_by("text")
            .agg(
                times=pl.len().cast(pl.Int64),
                first=pl.col("at").first(),
                last=pl.col("at").last(),
                why=pl.col("why").last(),
                typed=pl.col("typed").last(),
            )
            .sort("times", "last", "text", descending=[True, True, False])
        )

    @property
    def damaged(self) -> int:
        """Lines that can't be read."""
        return sum(row is None for row in self._rows())

    def _rows(self) -> list[dict[str, Any] | None]:
        path = Path(self.path)
        if not path.exists():
            return []
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise DataError(f"The log of searches without results, {path}, can't be read: {error}.") from error
        return [_row(line) for line in lines if line]

    def of(self, source: Recommender) -> Logged:
        """The source, whose empty lists are written here."""
        return Logged(source, self)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        return {"text": str(row["text"]), "typed": str(row["typed"]), "at": float(row["at"]), "why": row["why"]}
    except (ValueError, KeyError, TypeError):
        return None


@final
@dataclass(frozen=True, eq=False, repr=False)
class Logged(Around):
    """A source whose empty lists are kept in a log, with why they are empty where the source says so.

    A log that can't be written stops no search: `tables` then says how many were lost, and why.
    """

    source: Recommender
    log: ZeroResults
    lost: list[str] = field(default_factory=list)  # why a list wasn't written, for each

    def __repr__(self) -> str:
        return f"Logged({self.source!r}, {str(self.log.path)!r})"

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Those of the source, and `zero results`."""
        lost = {"zero results that were lost": pl.Series("why", self.lost).value_counts()} if self.lost else {}
        return tables_of(self.source) | {"zero results": self.log.table()} | lost

    def answer(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Answered:
        """The answer of the source. A list that was found by giving something up counts as empty: what was typed has found nothing."""
        answered = answer_of(self.source, queries, k, eligible=eligible)
        told, texts = answered.told, [] if queries.texts is None else queries.texts.to_list()
        why = told["why"].to_list() if "why" in told.columns else [None] * len(texts)
        none = [
            (text, reason)
            for text, reason, found in zip(texts, why, told["found"], strict=True)
            if text is not None and (not found or reason)
        ]
        try:
            self.log.add([text for text, _ in none], why=[reason for _, reason in none])
        except WriteError as error:
            self.lost.extend([str(error)] * len(none))
        return answered
