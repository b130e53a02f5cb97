"""Whether a judge says today what it said of the same items before: models behind an endpoint change without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.printing import short_interval
from vitrina.judge.clusters import mean_of
from vitrina.judge.judgements import Judgements

SAME = 0.02  # of the labels: fewer that change are no drift, however sure


@final
@dataclass(frozen=True, eq=False, repr=False)
class Drift:
    """Each period beside the first.

    Args:
        table: period, judge (identity), items, changed (share of labels that are another), changed_low, changed_high, moved (mean of the new label minus the old one, in grades), low, high, verdict ("as before", "drift", "another judge").
        confidence: of all intervals of the table together.
    """

    table: pl.DataFrame
    confidence: float

    @property
    def alarm(self) -> bool:
        """Whether the last period is not as the first."""
        return self.table["verdict"][-1] != "as before"

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each period after the first."""
        return tuple(_sentence(row) for row in self.table.iter_rows(named=True))

    def __repr__(self) -> str:
        return f"Drift({', '.join(f'{period}: {verdict}' for period, verdict in self.table.select('period', 'verdict').iter_rows())})"

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def drift(periods: Sequence[tuple[str, Judgements]], confidence: float = 0.95) -> Drift:
    """Hold each period's labels of the same items against those of the first.

    Judge some fifty items of the gold set again every week, without a folder and without a cache: a known answer can't drift.

    Args:
        periods: a name and the labels of each, the oldest first.
        confidence: of all intervals together (Bonferroni's, over periods and the two numbers of each): an alarm that is looked at every week must not cry wolf.
    Raises:
        DataError: there are not two periods, or one shares no item with the first.
    """
    if len(periods) < 2:
        raise DataError(f"Drift is seen between two periods or more. Got {len(periods)}.")
    (_, first), *later = periods
    each = 1 - (1 - confidence) / (2 * len(later))
    rows = [_row(name, first, now, each) for name, now in later]
    return Drift(pl.DataFrame(rows), confidence)


def _row(name: str, first: Judgements, now: Judgements, confidence: float) -> dict[str, Any]:
    both = first.codes.join(now.codes, on=["query", "item"], suffix="_now")
    if not len(both):
        raise DataError(f"The period {name!r} has no item of the first one. Judge the same items again.")
    step = both["judge_now"] - both["judge"]
    changed = mean_of((step != 0).cast(pl.Float64), both["query"], confidence)
    moved = mean_of(step.cast(pl.Float64), both["query"], confidence)
    drifted = changed.low > SAME or moved.low > 0 or moved.high < 0
    verdict = "another judge" if now.judge != first.judge else "drift" if drifted else "as before"
    return {
        "period": name, "judge": now.judge, "items": len(both), "changed": changed.value, "changed_low": changed.low, "changed_high": changed.high,
        "moved": moved.value, "low": moved.low, "high": moved.high, "verdict": verdict,
    }  # fmt: skip


def _sentence(row: dict[str, Any]) -> str:
    seen = f"{row['changed']:.0%} of {row['items']:,} labels are others than in the first period, moved by {short_interval(row['moved'], row['low'], row['high'])} grades on average"
    end = {
        "as before": "no more than chance.",
        "drift": "this is a drift: calibrate the judge again before its labels are used.",
        "another judge": "and it is another judge, by its model, words or scale: its calibration doesn't carry over.",
    }
    return f"{row['period']}: {seen}; {end[row['verdict']]}"
