"""Ids of a log to codes, chunk by chunk, in the order of first appearance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from vitrina.hashing import IdTable
from vitrina.types import Int32

IdForm = Literal["whole", "text", "csv"]  # what a source held; "csv" is text that may mean numbers
WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"  # text that is the one way to write a whole number


@dataclass
class IdCoder:
    """Text ids to int32 codes; equal ids get equal codes in every chunk. Only distinct ids are kept."""

    table: IdTable = field(default_factory=IdTable)
    found: list[pl.Series] = field(default_factory=list)
    forms: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        return self.table.count

    def encode(self, text: pl.Series, form: IdForm) -> Int32:
        """Codes of one chunk of ids, none of them null."""
        self.forms.add(form)
        codes, places = self.table.add(text)
        # Through Python strings: a gathered Series would keep the buffers of the whole chunk alive.
        self.found.append(pl.Series("id", text.gather(places).to_list(), dtype=pl.String))
        return codes

    def ids(self) -> pl.Series:
        """The distinct ids: whole numbers where the sources held nothing else."""
        ids = pl.concat(self.found) if self.found else pl.Series("id", [], dtype=pl.String)
        if "text" in self.forms or not ids.str.contains(WHOLE).all():
            return ids
        return ids.cast(pl.Int64)

    def note(self, what: str) -> str:
        """What looks odd about the ids, in a sentence."""
        if {"whole", "text"} <= self.forms:
            return f"Ids of {what} are numbers in some files and text in others: all were taken as text."
        return ""
