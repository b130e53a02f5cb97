"""Ids of a log to codes, chunk by chunk, in the order of first appearance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from vitrina.base.hashing import IdTable
from vitrina.base.ids import ALIKE, alike_among, without_zero_fraction
from vitrina.types import Int32
from vitrina.vocabulary import numbers_or_text

IdForm = Literal["whole", "text", "csv"]  # what a source held; "csv" is text that may mean numbers
LOOKED_AT = 1_000_000  # distinct ids that are compared with each other


@dataclass
class IdCoder:
    """Text ids to int32 codes; equal ids get equal codes in every chunk. Only distinct ids are kept."""

    table: IdTable = field(default_factory=IdTable)
    ids_of_chunks: list[pl.Series] = field(default_factory=list)
    forms: set[str] = field(default_factory=set)
    rewritten: int = 0  # rows with "7.0" where the id is "7"
    example: str = ""  # the first of them

    @property
    def count(self) -> int:
        return self.table.count

    def encode(self, text: pl.Series, form: IdForm) -> Int32:
        """Codes of one chunk of ids, none of them null."""
        plain = self.plain(text, form)
        codes, places = self.table.add(plain)
        # Through Python strings: a gathered Series would keep the buffers of the whole chunk alive.
        self.ids_of_chunks.append(pl.Series("id", plain.gather(places).to_list(), dtype=pl.String))
        return codes

    def plain(self, text: pl.Series, form: IdForm) -> pl.Series:
        """The texts that ids of one chunk are compared by."""
        self.forms.add(form)
        plain = without_zero_fraction(text)
        if plain is not text:
            changed = text.filter(plain != text)
            self.rewritten += len(changed)
            self.example = self.example or changed[0]
        return plain

    def ids(self) -> pl.Series:
        """The distinct ids: whole numbers where the sources held nothing else."""
        ids = pl.concat(self.ids_of_chunks) if self.ids_of_chunks else pl.Series("id", [], dtype=pl.String)
        return ids if "text" in self.forms else numbers_or_text(ids)

    def notes(self, what: str) -> list[str]:
        """What was decided about the ids, and what looks odd about them, in sentences."""
        notes = []
        if {"whole", "text"} <= self.forms:
            notes.append(f"Ids of {what} are numbers in some files and text in others: all were taken as text.")
        if self.rewritten:
            notes.append(rewritten_note(self.rewritten, self.example, what))
        ids = self.ids()
        twins = alike_among(ids.head(LOOKED_AT)) if ids.dtype == pl.String else None
        if twins is not None:
            notes.append(
                f"Ids of {what} that differ only in {ALIKE} were taken as different {what}: {twins.known!r} and {twins.id!r}"
                f"{f', and {twins.total - 1:,} more' * (twins.total > 1)}. Write them alike if they are one."
            )
        return notes


def rewritten_note(count: int, example: str, what: str) -> str:
    """A sentence about numbers that were written with a zero fraction."""
    return f"Ids of {what} like {example!r} were read as whole numbers ({count:,} row{'s' * (count > 1)})."
