"""A board of forecasters: numbers with intervals, differences to the seasonal naive one, and where each is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import final

import polars as pl
from rich.table import Table

from vitrina.base.errors import UnknownNameError
from vitrina.base.printing import as_text, fixed, short_interval
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted

SHOWN = {
    "WRMSSE": "WRMSSE", "WSPL": "WSPL", "coverage": "days within", "coverage of totals": "totals within", "bias": "bias", "MAPE": "MAPE (see below)",
}  # fmt: skip
PERCENT = ("coverage", "coverage of totals", "bias", "MAPE")
WARNING = "MAPE leaves out the days without a sale, and the forecast with the best MAPE is too low; don't choose by it (vitrina.plan.mape_figures says what it does to a plan)."


@final
@dataclass(frozen=True, eq=False)
class DemandBoard:
    """What forecasters are worth on the same days, the best first.

    Args:
        numbers: forecaster, metric, value, low, high, series (at origins, that say something), items.
        differences: metric, forecaster, difference to the baseline and what may be said of it: the columns of `compare_paired`, of items.
        slices: slice, group, and the columns of numbers; difference and verdict for WRMSSE and WSPL.
        per_series: forecaster, series (row of the demand), name, sales (class at the last origin), days, weight, RMSSE, SPL, coverage, units,
            expected, part (of the WRMSSE that is this series'); the largest part first.
        histogram: forecaster, first, last, share: of days by where they fell in the forecast; even if it is true.
        seconds: to fit and forecast, over all origins.
        origins: first days of the forecasts.
        baseline: name of the seasonal naive forecaster.
        days: columns of each forecast.
        step: days in one column.
        paths: per series.
        seed: of the paths.
        interval: the chance that an interval promises.
        confidence: of the intervals of the numbers, and of all verdicts on one metric together.
        series: how many.
        notes: sentences on what was left out, and of the forecasters.
    """

    numbers: pl.DataFrame
    differences: pl.DataFrame
    slices: pl.DataFrame
    per_series: pl.DataFrame
    histogram: pl.DataFrame
    seconds: Mapping[str, float]
    origins: tuple[date, ...]
    baseline: str
    days: int
    step: int
    paths: int
    seed: int
    interval: float
    confidence: float
    series: int
    notes: tuple[str, ...] = ()

    @property
    def forecasters(self) -> list[str]:
        """Names, the least WRMSSE first."""
        return list(self.seconds)

    @property
    def best(self) -> str:
        """The name of the one with the least WRMSSE."""
        return self.forecasters[0]

    def __getitem__(self, key: tuple[str, str]) -> float:
        """The value of (forecaster, metric); NaN where nothing says it."""
        row = self.numbers.filter((pl.col("forecaster") == key[0]) & (pl.col("metric") == key[1]))
        if row.is_empty():
            known, kind, name = (
                (self.forecasters, "forecaster", key[0])
                if key[0] not in self.seconds
                else (self.numbers["metric"].unique(), "metric", key[1])
            )
            raise UnknownNameError.of(kind, name, known)
        value = row["value"].item()
        return float("nan") if value is None else value

    @property
    def table(self) -> pl.DataFrame:
        """A row per forecaster: the value of each metric, the verdicts, and seconds."""
        wide = self.numbers.pivot("metric", index="forecaster", values="value", maintain_order=True)
        for metric in self.differences["metric"].unique(maintain_order=True):
            said = self.differences.filter(pl.col("metric") == metric).select("forecaster", pl.col("verdict").alias(f"{metric} verdict"))
            wide = wide.join(said, on="forecaster", how="left", maintain_order="left")
        return wide.with_columns(pl.Series("seconds", list(self.seconds.values())))

    @property
    def sentences(self) -> list[str]:
        """What may be said: of each forecaster beside the baseline, of its intervals, and of what was left out."""
        return [*(self._sentence(name) for name in self.forecasters), self._doubt(), WARNING, *self.notes]

    def _sentence(self, name: str) -> str:
        by_metric = dict(self.differences.filter(pl.col("forecaster") == name).select("metric", "verdict").iter_rows())
        verdicts = ", ".join(f"{metric} {verdict}" for metric, verdict in by_metric.items())
        against = f"against {self.baseline}: {verdicts}. " if verdicts else "the baseline. "
        covered, bias = self[name, "coverage"], self[name, "bias"]
        return f"{name}, {against}Its {self.interval:.0%} intervals hold {covered:.1%} of days; it forecasts {abs(bias):.1%} too {'much' if bias > 0 else 'little'}."

    def _doubt(self) -> str:
        return (
            f"Intervals of {self.confidence:.0%} are over items, on the days of {len(self.origins)} origins; four times as many items halve them, and other weeks may differ by more "
            f"(slices by origin). Forecasts are of {self.paths:,} paths (seed {self.seed}), which add up to {1 / (2 * self.paths):.2%} to errors; four times as many leave a quarter of that."
        )

    def __str__(self) -> str:
        return as_text(self, 140)

    def __repr__(self) -> str:
        return f"DemandBoard({len(self.seconds)} forecasters, {self.series:,} series, {len(self.origins)} origins)"

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> Fitted:
        table = Table(box=None, caption="\n".join([_caption(self), WARNING, *self.notes]), caption_justify="left")
        table.add_column("forecaster")
        for heading in SHOWN.values():
            table.add_column(heading, justify="right")
        table.add_column(f"WRMSSE against {self.baseline}")
        table.add_column("seconds", justify="right")
        verdicts = dict(self.differences.filter(pl.col("metric") == "WRMSSE").select("forecaster", "verdict").iter_rows())
        for name in self.forecasters:
            cells = [_cell(self, name, metric) for metric in SHOWN]
            table.add_row(name, *cells, verdicts.get(name, "the baseline"), fixed(self.seconds[name], 1))
        return Fitted(table)


def _cell(board: DemandBoard, name: str, metric: str) -> str:
    row = board.numbers.row(by_predicate=(pl.col("forecaster") == name) & (pl.col("metric") == metric), named=True)
    if metric in PERCENT:
        return "–" if row["value"] is None else f"{row['value']:.1%}".replace("-", "−")
    return short_interval(row["value"], row["low"], row["high"])


def _caption(board: DemandBoard) -> str:
    unit = "days" if board.step == 1 else f"steps of {board.step} days"
    return (
        f"{board.series:,} series, {board.days} {unit} from each of {', '.join(str(day) for day in board.origins)}; {board.confidence:.0%} intervals over items. "
        f"{board.interval:.0%} intervals should hold {board.interval:.0%} of days and of totals."
    )
