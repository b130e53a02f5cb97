"""What was checked, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import polars as pl

Verdict = Literal["pass", "warn", "refuse"]
ORDER: tuple[Verdict, ...] = ("pass", "warn", "refuse")


class Check(NamedTuple):
    """One thing that must hold."""

    name: str
    verdict: Verdict
    sentence: str
    statistic: float | None = None
    p: float | None = None


@final
@dataclass(frozen=True)
class Checks:
    """All of them; `verdict` is the worst."""

    rows: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        return max((row.verdict for row in self.rows), key=ORDER.index, default="pass")

    @property
    def table(self) -> pl.DataFrame:
        """name, verdict, sentence, statistic, p."""
        schema = {"name": pl.String, "verdict": pl.String, "sentence": pl.String, "statistic": pl.Float64, "p": pl.Float64}
        return pl.DataFrame(list(self.rows), schema=schema, orient="row")

    def __str__(self) -> str:
        return "\n".join(f"{row.verdict}: {row.sentence}" for row in self.rows)
