"""How effort answers to the ambition of goals, as far as a pilot measured it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text, between, fixed, places_of, short_interval, signed
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.experiments import Analysis
from vitrina.policy import Assignment, DecisionLog, Outcome, Units, assign_with_budget

NET = "net"  # the reward of the log: margin times outcome, less the bonus
WORTH, PAID = "kept", "bonus"


@final
@dataclass(frozen=True, eq=False, repr=False)
class GoalResponse:
    """What each level of ambition brought and cost in a pilot.

    Args:
        table: a row per level, rising: arm, ambition, units; outcome (per unit, if all had the level; doubly robust) with outcome_error, and concave (the nearest outcomes that rise ever less and then fall); bonus (paid per unit);
            uplift (of the outcome per unit, to the control) with uplift_low and uplift_high; more_bonus (than the control's) with its ends; gain (of the net value: margin x uplift - more bonus) with its ends and verdict; net (margin x
            outcome - bonus per unit, if all had the level; doubly robust) with net_low and net_high.
        segments: the same gains per group of the segment, with p_adjusted over all groups; None without a segment.
        analysis: of the net value, with its checks.
        parts: the analysis of outcome and bonus by themselves.
        log: the pilot as decisions with the rewards outcome, bonus, kept and net, ready for `vt.policy.fit_policy(response.log, learner, reward="net")`.
        control: the level that others are compared with.
        contradicted: the chance of estimates as far from concave as these, if the truth is a straight line.
        margin: kept of one more of the outcome.
        confidence: of intervals.
    """

    table: pl.DataFrame
    segments: pl.DataFrame | None
    analysis: Analysis
    parts: Analysis
    log: DecisionLog
    control: str
    contradicted: float
    margin: float
    confidence: float

    @property
    def best(self) -> str:
        """The level of the largest net value, whether or not it is measurably better than the others."""
        return self.table["arm"][int(self.table["net"].arg_max() or 0)]

    def best_by_segment(self) -> pl.DataFrame:
        """segment, arm, gain, low, high, p_adjusted: the level of the largest gain per group, where it is measurably better than the control; else the control, with no gain.

        Raises:
            ParameterError: no segment was named.
        """
        if self.segments is None:
            raise ParameterError(
                "No segment was named, so none has a level of its own. Give response_to_goals(..., segment=) a column that was known before.",
                parameter="segment",
            )
        rows = []
        for (group,), part in self.segments.group_by("group", maintain_order=True):
            sure = part.filter((pl.col("p_adjusted") <= 1 - self.confidence) & (pl.col("gain") > 0)).sort("gain", descending=True)
            one = sure.row(0, named=True) if sure.height else dict.fromkeys(("gain", "low", "high", "p_adjusted")) | {"arm": self.control}
            rows.append({"segment": group} | {key: one[key] for key in ("arm", "gain", "low", "high", "p_adjusted")})
        numbers = dict.fromkeys(("gain", "low", "high", "p_adjusted"), pl.Float64)
        return pl.DataFrame(rows, schema={"segment": pl.String, "arm": pl.String} | numbers)

    def assign(self, budget: float, table: Any = None) -> Assignment:
        """Who gets which level when bonuses may cost so much: what is kept beside what is paid, as models of the pilot expect both of each unit (`vt.policy.assign_with_budget`).

        Args:
            budget: for all bonuses together; infinite for the levels that are best whatever they cost.
            table: units with the features of the pilot; None: those of the pilot.

        Raises:
            ParameterError: not even the cheapest levels fit the budget.
            DataError: the table lacks a feature.
        """
        features = self.log.units.features.columns
        units = self.log.units if table is None else Units.of_frame(table, arms=self.log.arms, features=features)
        kept, paid = (Outcome().fit(self.log.units, self.log.actions, self.log.reward(name)).predict(units) for name in (WORTH, PAID))
        paid = np.maximum(paid, 0.0)
        return assign_with_budget(kept if np.isfinite(budget) else kept - paid, paid, budget)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The best level, whether that is sure, and how effort answers."""
        best = self.table.row(by_predicate=pl.col("arm") == self.best, named=True)
        at = places_of(best["net"])
        told = [
            f"An ambition of {best['ambition']:g} brought the most: {short_interval(best['net'], best['net_low'], best['net_high'])} per unit after bonuses. {self._sure(best)}"
        ]
        for row in self.table.filter(pl.col("arm") != self.control).iter_rows(named=True):
            uplift, more, gain = (
                f"{signed(row[name], at)} {between(row[f'{name}_low'], row[f'{name}_high'], at)}"
                for name in ("uplift", "more_bonus", "gain")
            )
            told.append(
                f"{row['ambition']:g} against {self._level:g}: outcome {uplift}, bonus {more}, net {gain} per unit: {row['verdict']}."
            )
        told.append(self._shape())
        if self.best in (self.table["arm"][0], self.table["arm"][-1]):
            told.append(
                f"{best['ambition']:g} is at the end of what was tried: whether a {'lower' if self.best == self.table['arm'][0] else 'higher'} one brings more isn't known."
            )
        refused = [check.sentence for check in self.analysis.checks.rows if check.verdict != "pass"]
        return (
            *refused,
            *told,
            "Nothing was measured of levels that no arm had, of other times of the year, and of people who leave in the long run over goals that pay less.",
        )

    @property
    def _level(self) -> float:
        return float(self.table.filter(arm=self.control)["ambition"][0])

    def _sure(self, best: Mapping[str, Any]) -> str:
        if best["arm"] == self.control:
            return "That is the control."
        better = best["verdict"] == "better"
        return f"It is better than {self._level:g} beyond doubt." if better else f"It is not measurably better than {self._level:g}."

    def _shape(self) -> str:
        if self.table.height < 3:
            return "Two levels are a straight line: whether the best lies between or beyond them isn't known."
        if self.contradicted < 1 - self.confidence:
            return f"The outcomes don't rise ever less and then fall (p {self.contradicted:.2g}): look for what else differed between the arms."
        return f"Outcomes that rise ever less with the ambition and then fall agree with the pilot (p {self.contradicted:.2f}); the column 'concave' has them."

    def __repr__(self) -> str:
        return f"GoalResponse({self.table.height} levels of ambition, {len(self.log):,} units; the most at {self.best}, checks: {self.analysis.checks.verdict})"

    def __str__(self) -> str:
        return as_text(self, 160)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        heads = ("units", "uplift", "interval", "bonus", "net per unit", "interval", "gain", "interval")
        shown = Table("ambition", *(Column(head, justify="right") for head in heads), box=None, header_style="bold", pad_edge=False)
        at = places_of(float(self.table["net"].to_numpy().max()))
        for row in self.table.iter_rows(named=True):
            cells = [
                f"{row['units']:,}",
                signed(row["uplift"], at),
                between(row["uplift_low"], row["uplift_high"], at),
                fixed(row["bonus"], at),
                fixed(row["net"], at),
            ]
            cells += [between(row["net_low"], row["net_high"], at), signed(row["gain"], at), between(row["gain_low"], row["gain_high"], at)]
            shown.add_row(f"{row['ambition']:g}", *cells)
        return Group(Fitted(shown), "", *map(Text, self.sentences))
