"""What the stages did to a batch, written down as they go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import final

import polars as pl

from vitrina.service.trace import Stage


@final
class Report:
    """Seconds, counts and what was skipped, by stage.

    Args:
        patient: sources may take what they take, as when everything is asked for the first time.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.patient = patient
        self.told: pl.DataFrame | None = None  # a row per list: what a search tells beside it
        self._stages: dict[str, Stage] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, str]]:
        """Measure a stage; gives what takes the names of parts that were skipped. A stage that is entered again adds up."""
        before = self._stages.get(name, Stage(name, 0.0, counts={}, skipped={}))
        skipped = dict(before.skipped)
        began = time.perf_counter()
        try:
            yield skipped
        finally:
            now = self._stages.get(name, before)
            self._stages[name] = replace(now, seconds=now.seconds + time.perf_counter() - began, skipped={**now.skipped, **skipped})

    def count(self, name: str, counts: dict[str, int]) -> None:
        """Items that a stage left out of the lists of a batch, by what did."""
        stage = self._stages.get(name, Stage(name, 0.0))
        more = {what: stage.counts.get(what, 0) + count for what, count in counts.items() if count}
        self._stages[name] = replace(stage, counts={**stage.counts, **more})

    @property
    def stages(self) -> tuple[Stage, ...]:
        return tuple(self._stages.values())

    @property
    def skipped(self) -> dict[str, str]:
        """Parts that were left out, of all stages."""
        return {name: why for stage in self._stages.values() for name, why in stage.skipped.items()}
