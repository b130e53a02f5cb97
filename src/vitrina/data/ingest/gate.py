"""Which rows of a load are taken: asked while its sources are read into blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, final

import polars as pl

from vitrina.data.read.sources import Chunk, Source
from vitrina.data.read.validate import BadRows
from vitrina.types import Bool


class Gate(Protocol):
    """Sees every chunk once, in their order. What it knows goes into the record of each block, so that a load that was killed goes on."""

    @property
    def columns(self) -> list[str]: ...  # that it reads, beside those of the roles
    def before(self, source: Source, chunk: Chunk, bad: BadRows) -> Chunk: ...  # what goes on to be read as events
    def keep(
        self, frame: pl.DataFrame, ready: Mapping[str, pl.Series], first: int
    ) -> Bool | None: ...  # of good rows, those taken; None for all
    def cut(self) -> tuple[dict[str, Any], pl.DataFrame | None]: ...  # what is known now, and what came since the last block
    def take_up(self, state: Mapping[str, Any], came: pl.DataFrame | None) -> None: ...  # what `cut` gave, block by block


@final
class Everything:
    """Takes all good rows."""

    columns: list[str] = []  # noqa: RUF012  never written to

    def before(self, source: Source, chunk: Chunk, bad: BadRows) -> Chunk:
        return chunk

    def keep(self, frame: pl.DataFrame, ready: Mapping[str, pl.Series], first: int) -> Bool | None:
        return None

    def cut(self) -> tuple[dict[str, Any], pl.DataFrame | None]:
        return {}, None

    def take_up(self, state: Mapping[str, Any], came: pl.DataFrame | None) -> None:
        pass
