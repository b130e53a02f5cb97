"""What the page shows: a calibration, the decision that it is for, and what is known of the raters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from vitrina.judge import Calibration, Decision, NextLabels


class Tabled(Protocol):
    """Anything with tables by name: the verdicts on raters."""

    @property
    def tables(self) -> dict[str, pl.DataFrame]: ...


@dataclass(frozen=True)
class Study:
    """A judge beside people.

    Args:
        calibration: of `vitrina.judge.calibrate`.
        decision: what it was asked to decide; None where nothing was.
        raters: verdicts on them, with the tables "raters" and "copying".
        next_labels: what to label next.
        measure: that the page speaks of.
        settings: facts for the last section.
    """

    calibration: Calibration
    decision: Decision | None = None
    raters: Tabled | None = None
    next_labels: NextLabels | None = None
    measure: str = "kappa_quadratic"
    title: str = "Judge and people"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
