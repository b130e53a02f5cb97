"""Why bonuses changed when goals came from another forecast: how much of it is accuracy, how much its bias, how much effort; and what the pilot is worth at equal ambition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.power import FEWEST_PEOPLE
from vitrina.base.printing import as_text, between, places_of, signed
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.plan.goals.bonus import Bonus
from vitrina.policy.log import DecisionLog
from vitrina.types import Float64

COLUMNS = ("outcome", "old", "new", "log outcome / old", "log outcome / new", "paid by old", "paid by new", "old met", "new met")
PARTS = ("accuracy", "bias", "effort", "total")


@final
@dataclass(frozen=True, eq=False, repr=False)
class BonusChange:
    """The change in bonuses per unit, in three parts that add up.

    Args:
        table: rows accuracy, bias, effort and total: bonus (per unit) with low and high, met (change of the share who met their goal) with met_low and met_high.
        worth: rows "sales" (uplift of the outcome per unit), "as piloted" (margin x uplift - change of bonuses) and "at equal ambition" (the same without the part of the bias): value, low, high.
        ratio: how far the new goals are too low for the ambition of the old ones: they must be multiplied by it. Medians of outcome over goal are then equal.
        equal: what the new goals must be multiplied by for as many control units to meet them as met the old ones.
        units: control and treated.
        margin: kept of one more of the outcome.
        confidence: of intervals.
        draws, seed: of units, for the intervals.
        control, treated: names of the arms.
    """

    table: pl.DataFrame
    worth: pl.DataFrame
    ratio: float
    equal: float
    units: tuple[int, int]
    margin: float
    confidence: float
    draws: int
    seed: int
    control: str
    treated: str

    def part(self, name: str) -> dict[str, Any]:
        """A row of the table."""
        return self.table.row(by_predicate=pl.col("part") == name, named=True)

    def value(self, name: str) -> dict[str, Any]:
        """A row of `worth`."""
        return self.worth.row(by_predicate=pl.col("what") == name, named=True)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the pilot looked like, why, and what it is worth."""
        at = places_of(self.part("total")["bonus"])
        total, bias, effort, accuracy = (_told(self.part(name), "bonus", at) for name in ("total", "bias", "effort", "accuracy"))
        piloted, fair = self.value("as piloted"), self.value("at equal ambition")
        sales = _told(self.value("sales"), "value", at)
        low, high = ("too low", "higher") if self.ratio > 1 else ("too high", "lower")
        return (
            f"Bonuses changed by {total} per unit: {accuracy} because the new forecast is nearer to what comes, {bias} because its goals are {abs(self.ratio - 1):.1%} {low} for the ambition of the old ones, "
            f"and {effort} because people sold more or less under them.",
            f"Sales changed by {sales} per unit, of which {self.margin:.0%} are kept. As it was piloted, that is worth {_told(piloted, 'value', at)} per unit after bonuses: {_verdict(piloted)}.",
            f"At equal ambition, with the new goals multiplied by {self.ratio:.3f}, it is worth {_told(fair, 'value', at)} per unit: {_verdict(fair)}. What people do under goals that much {high} was not "
            "piloted; the effort is taken as it was.",
            f"Intervals of {self.confidence:.0%} by {self.draws:,} draws of {self.units[0]:,} units of {self.control!r} and {self.units[1]:,} of {self.treated!r}; four times as many units would halve them.",
        )

    def __repr__(self) -> str:
        total, fair = self.part("total"), self.value("at equal ambition")
        at = places_of(total["bonus"])
        return f"BonusChange({_told(total, 'bonus', at)} per unit; at equal ambition worth {_told(fair, 'value', at)})"

    def __str__(self) -> str:
        return as_text(self, 160)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        shown = Table(
            "because of",
            *(Column(head, justify="right") for head in ("goals met", "interval", "bonus per unit", "interval")),
            box=None,
            header_style="bold",
            pad_edge=False,
        )
        at = places_of(self.part("total")["bonus"])
        for row in self.table.iter_rows(named=True):
            met = [signed(100 * row[key], 1) for key in ("met", "met_low", "met_high")]
            shown.add_row(
                row["part"], f"{met[0]} points", f"({met[1]} to {met[2]})", signed(row["bonus"], at), between(row["low"], row["high"], at)
            )
        return Group(Fitted(shown), "", *map(Text, self.sentences))


def explain_bonuses(
    table: Any,
    *,
    arm: str,
    outcome: str,
    old: str,
    new: str,
    bonus: Bonus,
    margin: float,
    unit: str | None = None,
    control: Any = None,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> BonusChange:
    """Take the bonuses of a pilot apart: goals of the control came from an old forecast, those of the treated from a new one, by lot.

    With b the mean bonus, c control, t treated, old and new the goals that each forecast would set for the same unit:

        accuracy = b_c(k new) - b_c(old)    the same sales beside goals of the same ambition that are nearer to the mark
        bias     = b_c(new) - b_c(k new)    the new goals are lower or higher than that
        effort   = b_t(new) - b_c(new)      the same goals beside the sales of those who worked for them
        total    = b_t(new) - b_c(old)

    where k = exp(median log(sales / new) - median log(sales / old)) over control makes the medians of sales over goals equal. The first two see sales that the new goals didn't move, and the third is the difference that the lot
    makes. A forecast that is tuned on MAPE is too low by exp(-sd^2) of lognormal errors, and its goals too.

    Intervals are percentiles over draws of units within arms, medians taken anew in each. The uplift of sales, and of what is kept of it, is adjusted by the new goal, which was known before (CUPED).

    Args:
        table: a Polars, pandas or Arrow table, or a path: a row per unit, whatever its arm. The new goal of control units, and the old one of treated ones, were not told to them and must be there.
        arm: column of the arm, two of them.
        outcome: column of what was sold.
        old, new: columns of the goals.
        bonus: what is paid for the outcome beside its goal.
        margin: what is kept of one more of the outcome, such as 0.3 where it is money.
        unit: column of ids.
        control: the arm whose goals were the old ones; None: the first by name.
        draws: of units.
        confidence: of intervals.
        seed: of draws.

    Raises:
        DataError: a column or a row can't be used, or a number is missing, which of an arm it names.
        ParameterError: not two arms, an arm of fewer than 20 units, a goal or outcome of 0 or less, a parameter outside its domain.

    Cost: draws times a pass over the units.

    >>> from vitrina.plan.goals.world import GoalWorld
    >>> pilot = GoalWorld().pilot(4000, seed=1)
    >>> found = explain_bonuses(pilot, arm="arm", outcome="outcome", old="goal_old", new="goal_new", control="old", bonus=Bonus(fixed=200), margin=0.3, draws=200)
    >>> {row["part"]: round(row["bonus"], 1) for row in found.table.to_dicts()}
    {'accuracy': -7.3, 'bias': 17.9, 'effort': 23.9, 'total': 34.5}
    """
    _in_domain(margin, draws, confidence)
    log = DecisionLog.of_frame(table, unit=unit, action=arm, reward=[outcome, old, new], control=control)
    pilot = _read(log, (outcome, old, new), bonus)
    estimate = _estimated(pilot, bonus, margin)
    rng = np.random.default_rng(seed)
    drawn = np.array([_estimated(pilot.drawn(rng), bonus, margin).numbers() for _ in range(draws)])
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    values = estimate.numbers()
    names = [*PARTS, *PARTS, "sales", "as piloted", "at equal ambition"]
    rows = list(zip(names, values.tolist(), low.tolist(), high.tolist(), strict=True))
    parts = pl.DataFrame(rows[:4], schema=["part", "bonus", "low", "high"], orient="row")
    met = pl.DataFrame([row[1:] for row in rows[4:8]], schema=["met", "met_low", "met_high"], orient="row")
    worth = pl.DataFrame(rows[8:], schema=["what", "value", "low", "high"], orient="row")
    arms = (log.arms[log.control], log.arms[1 - log.control])
    return BonusChange(
        parts.hstack(met), worth, estimate.ratio, _equal(pilot.control), (pilot.control.shape[1], pilot.treated.shape[1]), margin, confidence, draws, seed, *arms
    )  # fmt: skip


class _Pilot(NamedTuple):
    """Both arms, a row per `COLUMNS`."""

    control: Float64  # (columns, units)
    treated: Float64  # (columns, units)

    def drawn(self, rng: np.random.Generator) -> _Pilot:
        """As many units of each arm, with repeats."""
        return _Pilot(*(arm[:, rng.integers(0, arm.shape[1], arm.shape[1])] for arm in self))


class _Estimated(NamedTuple):
    """What one table, or one draw of it, says."""

    ratio: float
    bonus: Float64  # (4,)
    met: Float64  # (4,)
    worth: Float64  # (3,)

    def numbers(self) -> Float64:
        return np.concatenate([self.bonus, self.met, self.worth])


def _estimated(pilot: _Pilot, bonus: Bonus, margin: float) -> _Estimated:
    before, after = (arm.mean(axis=1) for arm in pilot)
    sold, new = pilot.control[0], pilot.control[2]
    ratio = float(np.exp(np.median(pilot.control[4]) - np.median(pilot.control[3])))
    paid = [before[5], bonus.paid(sold, ratio * new).mean(), before[6], after[6]]
    met = [before[7], (sold >= ratio * new).mean(), before[8], after[8]]
    uplift, parts = _uplift(pilot), _steps(paid)
    return _Estimated(ratio, parts, _steps(met), np.array([uplift, margin * uplift - parts[3], margin * uplift - parts[3] + parts[1]]))


def _steps(means: list[float]) -> Float64:
    """Accuracy, bias, effort, and their sum."""
    return np.append(np.diff(means), means[-1] - means[0])


def _uplift(pilot: _Pilot) -> float:
    """The difference of outcomes, less what the new goal, known before, explains of it."""
    products = squares = 0.0
    for arm in pilot:
        off = arm[2] - arm[2].mean()
        products, squares = products + float(arm[0] @ off), squares + float(off @ off)
    (sold, _, goal, *_), (sold_before, _, goal_before, *_) = (arm[:3].mean(axis=1) for arm in reversed(pilot))
    return float(sold - sold_before - (products / squares if squares else 0.0) * (goal - goal_before))


def _equal(control: Float64) -> float:
    """What multiplies the new goals so that as many of control meet them as met the old ones."""
    sold, old, new = control[:3]
    met = int((sold >= old).sum())
    shares = np.sort(sold / new)[::-1]
    return float(shares[max(met - 1, 0)])


def _read(log: DecisionLog, columns: tuple[str, str, str], bonus: Bonus) -> _Pilot:
    if len(log.arms) != 2:
        raise ParameterError(f"Bonuses are explained between two arms. Got {len(log.arms)}: {', '.join(log.arms)}. Leave the others out.", parameter="arm")  # fmt: skip
    numbers = np.stack([log.reward(name) for name in columns], axis=1)
    if not (numbers > 0).all():
        row, column = np.argwhere(~(numbers > 0))[0].tolist()
        raise DataError(
            f"Outcomes and goals must be above 0 to be compared by their ratio. {columns[column]!r} of row {row} is {numbers[row, column]:g}: leave the unit out of both arms, or take a longer period."
        )
    first = log.actions == log.control
    if min(first.sum(), (~first).sum()) < FEWEST_PEOPLE:
        raise ParameterError(f"Each arm needs {FEWEST_PEOPLE} units at least. Got {first.sum()} and {(~first).sum()}.", parameter="arm")
    sold, old, new = numbers.T
    known = [sold, old, new, np.log(sold / old), np.log(sold / new), bonus.paid(sold, old), bonus.paid(sold, new), sold >= old, sold >= new]
    table = np.array(known, np.float64)
    return _Pilot(np.ascontiguousarray(table[:, first]), np.ascontiguousarray(table[:, ~first]))


def _in_domain(margin: float, draws: int, confidence: float) -> None:
    if not (np.isfinite(margin) and margin > 0):
        raise ParameterError(
            f"The 'margin' is what is kept of one more of the outcome, above 0. Got {margin}.", parameter="margin", value=margin
        )
    if draws < 100:
        raise ParameterError(f"The 'draws' are 100 or more. Got {draws}.", parameter="draws", value=draws)
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' is between 0 and 1. Got {confidence}.", parameter="confidence", value=confidence)


def _told(row: dict[str, Any], name: str, places: int) -> str:
    return f"{signed(row[name], places)} {between(row['low'], row['high'], places)}"


def _verdict(row: dict[str, Any]) -> str:
    if row["low"] > 0:
        return "a gain"
    return "a loss" if row["high"] < 0 else "no measurable gain or loss"
