"""How many units, how many days, which difference can be seen, what looking every day costs, and what all that costs in money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from vitrina.base.arrays import Float64, Int64
from vitrina.base.errors import MissingExtraError, ParameterError, UnknownNameError
from vitrina.base.power import FEWEST_PEOPLE
from vitrina.experiments.assign import Experiment
from vitrina.experiments.moments import Moments
from vitrina.experiments.money import Money
from vitrina.experiments.past import COVARIATES, Past
from vitrina.experiments.planned import Peeking, Plan, Purse
from vitrina.experiments.repeated import GROWTH, RepeatedTest
from vitrina.experiments.sequential import BURN_IN, half_width

WEEK = 7


def plan(
    experiment: Experiment,
    past: Past,
    *,
    effect: float | None = None,
    relative: float | None = None,
    days: int | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
    money: Money | None = None,
) -> Plan:
    """Plan an experiment on what units did before.

    The error of the difference between control c and arm a after d days is sqrt(V_d / n_d (1 / p_c + 1 / p_a)), with the n_d units that had come by then, times the share of
    people in the experiment, the variance V_d of what each adds to the metric by then (linearised for ratios, less what its covariate explains) and the shares p. A fixed length is
    solved by tea-tasting at 1 - (1 - confidence) / comparisons, where comparisons are goals times treatments, for the smallest treatment. The always-valid interval
    (`sequential`, narrowest at the planned end) is followed day by day (`RepeatedTest`).

    Args:
        experiment: arms, their shares, and the share of people in it.
        past: what experiments of each length would have seen; its first metric decides.
        effect: the difference from control that has to be seen, in the metric.
        relative: the same as a share of the control's value, such as 0.02; of what grows with each day that a unit is there, this is what stays the same.
        days: the length, where it is given; else it is the fewest whole weeks that show the effect with this power.
        power: chance with which the effect is seen.
        confidence: of the intervals, of all goals and arms together.
        money: what units and treatments are worth.

    Raises:
        ParameterError: nothing was asked; both effects; a number outside its domain; a length that the past doesn't have.
        UnknownNameError: a cost of an arm that the experiment doesn't have.
        MissingExtraError: tea-tasting isn't installed.

    Cost: a second.

    >>> import polars as pl
    >>> from vitrina.experiments import Experiment, Mean, Past
    >>> users = pl.DataFrame({"spent": np.random.default_rng(0).exponential(10, 5000)})
    >>> past = Past.of_units(users, {"spent": Mean(column="spent")}, per_day=1000, days=56)
    >>> planned = plan(Experiment(name="offer", arms={"none": 0.5, "ten": 0.5}), past, relative=0.05)
    >>> planned
    Plan('offer': 14 days, 14,000 units, 4.8% of spent can be seen)
    """
    _check(experiment, past, effect, relative, days, power, confidence, money)
    name = next(iter(past.metrics))
    goals = sum(not metric.guards for metric in past.metrics.values()) or 1
    alpha = (1 - confidence) / (goals * len(experiment.treatments))
    design = _Design(experiment, past, name, alpha, power)
    wanted = _Wanted(effect, relative)
    rows = [
        at
        for at in range(len(past.days))
        if design.enough(at) and (at + 1 in (days, len(past.days)) or (at + 1) % WEEK == 0 or past.days[-1] < 2 * WEEK)
    ]
    if not rows:
        raise ParameterError(
            f"The past brings {past.units[-1]:,.0f} units in {past.days[-1]} days, too few for {len(experiment.arms)} arms. Take a longer log, or more people."
        )
    powers = {at: design.solved("power", at, wanted.at(design.value(at))) if wanted.given else None for at in rows}
    last, reached = _length(rows, powers, days, power)
    looks, at_look = design.looks(last, rows[-1])
    table = _table(design, wanted, rows, powers, looks, at_look, money)
    arms = pl.DataFrame([_arm(design, arm, last, money) for arm in experiment.arms], infer_schema_length=None)
    return Plan(
        experiment, past, name, confidence, power, goals * len(experiment.treatments), wanted.at(design.value(last)), relative, int(past.days[last]), reached, table, arms,
        _peeking(design, wanted, last, rows, looks, at_look), _others(design, last, confidence), _purse(design, wanted, last, arms, looks, at_look, money),
    )  # fmt: skip


def _check(
    experiment: Experiment, past: Past, effect: Any, relative: Any, days: Any, power: float, confidence: float, money: Money | None
) -> None:
    if effect is None and relative is None and days is None:
        raise ParameterError(
            "A plan needs the effect that has to be seen (effect= or relative=), or the days that there are (days=). Got none of them."
        )
    if effect is not None and relative is not None:
        raise ParameterError("An effect is given in the metric (effect=) or as a share of it (relative=), not both.", parameter="relative")
    for name, value in (("effect", effect), ("relative", relative)):
        if value is not None and (not np.isfinite(value) or value == 0):
            raise ParameterError(f"The {name!r} of a plan must be a number other than 0. Got {value!r}.", parameter=name, value=value)
    for name, value in (("power", power), ("confidence", confidence)):
        if not 0.5 <= value < 1:
            raise ParameterError(f"The {name!r} of a plan must be from 0.5 to 1, such as {0.8 if name == 'power' else 0.95}. Got {value!r}.", parameter=name, value=value)  # fmt: skip
    if days is not None and not 1 <= days <= past.days[-1]:
        raise ParameterError(
            f"The past tells of experiments of 1 to {past.days[-1]} days. Got days={days!r}; take one of these, a longer log or fewer days before it (before=).",
            parameter="days", value=days,
        )  # fmt: skip
    for arm in money.costs if money else ():
        if arm not in experiment.arms:
            raise UnknownNameError.of("arm with a cost", arm, experiment.arms)


@dataclass(frozen=True)
class _Wanted:
    """The effect that has to be seen."""

    effect: float | None
    relative: float | None

    @property
    def given(self) -> bool:
        return self.effect is not None or self.relative is not None

    def at(self, value: float) -> float:
        """The size of the effect where the control has this value; NaN where none was given."""
        if self.relative is not None:
            return abs(self.relative * value)
        return abs(self.effect) if self.effect is not None else float("nan")


@final
@dataclass(frozen=True, eq=False)
class _Design:
    """The error of each comparison after each number of days."""

    experiment: Experiment
    past: Past
    metric: str
    alpha: float
    power: float

    @property
    def hardest(self) -> str:
        """The treatment with the fewest units."""
        return min(self.experiment.treatments, key=lambda arm: self.experiment.arms[arm])

    def units(self, at: int, arm: str | None = None) -> float:
        """In the experiment, or in one arm of it."""
        return float(self.past.units[at]) * self.experiment.share * (1.0 if arm is None else self.experiment.arms[arm])

    def enough(self, at: int) -> bool:
        return min(self.units(at, arm) for arm in self.experiment.arms) >= FEWEST_PEOPLE

    def pair(self, at: int, arm: str) -> float:
        """Units of the arm and of control."""
        return self.units(at, arm) + self.units(at, self.experiment.control)

    def value(self, at: int) -> float:
        return self.past.spread(self.metric, at).value

    def error(self, at: int, arm: str) -> float:
        each = 1 / self.units(at, arm) + 1 / self.units(at, self.experiment.control)
        return float(np.sqrt(self.past.spread(self.metric, at).variance * each))

    def solved(self, parameter: Literal["power", "effect_size"], at: int, effect: float | None = None, arm: str | None = None, metric: str | None = None) -> float:  # fmt: skip
        """By tea-tasting: the power to see an effect, or the effect that is seen with the power."""
        arm, metric = arm or self.hardest, metric or self.metric
        names, lengths = self.past.moments[metric]
        known = names if self.past.uses_covariate(metric) else [name for name in names if name not in COVARIATES]
        ratio = self.experiment.arms[arm] / self.experiment.arms[self.experiment.control]
        return solve_power(known, names, lengths[at], parameter, int(self.pair(at, arm)), ratio, self.alpha, self.power, effect)

    def looks(self, planned: int, last: int) -> tuple[RepeatedTest | None, Int64]:
        """The hardest comparison looked at daily by the always-valid interval, in relative terms where control has a value; and the look of each day (-1 before the first).

        A day that adds next to nothing to what is known is no look of its own.
        """
        arm = self.hardest
        information: list[float] = []
        bounds: list[float] = []
        at_look = np.full(last + 1, -1)
        for at in range(last + 1):
            effective = self.past.effective[self.metric][at] * min(self.units(at, arm), self.units(at, self.experiment.control))
            error = 0.0 if effective < BURN_IN else self.error(at, arm) / self.scale(at)
            if error > 0 and (not information or error**-2 >= information[-1] * GROWTH):
                information.append(error**-2)
                bounds.append(float(half_width(self.pair(at, arm), 1.0, self.pair(planned, arm), self.alpha)))
            at_look[at] = len(information) - 1
        return (RepeatedTest(np.array(information), np.array(bounds)) if information else None), at_look

    def scale(self, at: int) -> float:
        """What differences are divided by, so that one stays the same while units add up."""
        return abs(self.value(at)) or 1.0


def solve_power(
    known: Sequence[str],
    names: Sequence[str],
    moments: Moments,
    parameter: Literal["power", "effect_size"],
    units: int,
    ratio: float,
    alpha: float,
    power: float,
    effect: float | None,
) -> float:
    """tea-tasting's power of a mean or ratio, from moments; normal, as there are dozens of units at least.

    Args:
        known: the parts that are used, of `names`.
        units: of both arms.
        ratio: units of the treatment per unit of control.
    """
    try:
        from tea_tasting import RatioOfMeans  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("tea-tasting", "experiments", "The plan of an experiment") from None
    from vitrina.experiments.effects import PARTS, aggregates  # noqa: PLC0415

    metric = RatioOfMeans(
        "numerator",
        *(part if part in known else None for part in PARTS[1:]),
        alpha=alpha,
        ratio=ratio,
        power=power,
        n_obs=units,
        effect_size=effect,
        use_t=False,
    )
    return float(getattr(metric.solve_power_from_aggregates(aggregates(names, moments), parameter)[0], parameter))


def _length(rows: Sequence[int], powers: Mapping[int, float | None], days: int | None, power: float) -> tuple[int, bool]:
    """The place of the length, and whether it has the power."""
    if days is not None:
        at = days - 1
        if at not in powers:
            raise ParameterError(
                f"In {days} days too few units come for every arm to have {FEWEST_PEOPLE}. Take more days.", parameter="days", value=days
            )
        found = powers[at]
        return at, found is None or found >= power
    enough = [at for at in rows if (powers[at] or 0.0) >= power]
    return (enough[0], True) if enough else (rows[-1], False)


def _table(design: _Design, wanted: _Wanted, rows: Sequence[int], powers: Mapping[int, float | None], looks: RepeatedTest | None, at_look: Int64, money: Money | None) -> pl.DataFrame:  # fmt: skip
    """A row per length: what is seen, at one look and at a look per day, and what it costs."""
    past, always = design.past, None if looks is None else looks.detectable(design.power)
    ended = None if looks is None or not wanted.given else _ended(design, wanted, looks, at_look)
    table, before = [], -1
    for at in rows:
        value, seen = design.value(at), design.solved("effect_size", at)
        valid = None if always is None or at_look[at] < 0 else float(always[at_look[at]]) * design.scale(at)
        new = (past.units[at] - (past.units[before] if before >= 0 else 0.0)) / (at - before)
        row = {
            "days": int(past.days[at]), "units": design.units(at), "new_per_day": float(new) * design.experiment.share, "value": value, "detectable": seen,
            "detectable_relative": seen / abs(value) if value else None, "power": powers[at], "always_valid": valid,
            "always_valid_relative": None if valid is None or not value else valid / abs(value), "always_valid_power": None if ended is None else float(ended[at]),
        }  # fmt: skip
        if money is not None:
            row |= {"cost": _cost(design, at, money), "worst": _worst(design, at, money, _harm(money, seen))}
        table.append(row)
        before = at
    return pl.DataFrame(table, infer_schema_length=None)


def _ended(design: _Design, wanted: _Wanted, looks: RepeatedTest, at_look: Int64) -> Float64:
    """(days,) the chance that the always-valid interval has seen the wanted effect by then."""
    first = [int(np.flatnonzero(at_look == look)[0]) for look in range(len(looks.bounds))]
    by_look = looks.ended(np.array([wanted.at(design.value(at)) / design.scale(at) for at in first]))
    return np.append(np.maximum.accumulate(by_look), 0.0)[at_look]


def _arm(design: _Design, arm: str, last: int, money: Money | None) -> dict[str, Any]:
    value = design.value(last)
    seen = None if arm == design.experiment.control else design.solved("effect_size", last, arm=arm)
    row = {
        "arm": arm, "share": design.experiment.arms[arm], "units": design.units(last, arm), "detectable": seen,
        "detectable_relative": None if seen is None or not value else seen / abs(value),
    }  # fmt: skip
    if money is not None:
        cost = money.costs.get(arm, 0.0)
        row |= {"cost_per_unit": cost, "cost": cost * design.units(last, arm)}
    return row


def _cost(design: _Design, at: int, money: Money) -> float:
    return sum(cost * design.units(at, arm) for arm, cost in money.costs.items())


def _harm(money: Money, seen: float) -> float:
    """How much a unit loses in the worst case."""
    return seen if money.worst is None else abs(money.worst)


def _worst(design: _Design, at: int, money: Money, harm: float) -> float:
    """Costs, and every treatment as bad as it may be."""
    per_unit = design.past.spread(design.metric, at).per_unit
    return _cost(design, at, money) + harm * money.value * per_unit * sum(design.units(at, arm) for arm in design.experiment.treatments)


def _peeking(
    design: _Design, wanted: _Wanted, last: int, rows: Sequence[int], looks: RepeatedTest | None, at_look: Int64
) -> Peeking | None:
    """What it means to look every day until the planned end."""
    if looks is None or at_look[last] < 0:
        return None
    until = at_look[last] + 1
    z = float(-ndtri(design.alpha / 2))
    ordinary = RepeatedTest(looks.information[:until], np.full(until, z)).ended(0.0)[-1]
    one = float(2 * ndtr(-z))
    if not wanted.given:
        return Peeking(float(ordinary), one, None, None)
    ended = _ended(design, wanted, looks, at_look)
    enough = next((int(design.past.days[at]) for at in rows if ended[at] >= design.power), None)
    stop = len(ended) - 1 if enough is None else enough - 1
    mean = float(1 + (1 - ended[:stop]).sum())
    return Peeking(float(ordinary), one, enough, mean if enough is not None else None)


def _others(design: _Design, last: int, confidence: float) -> pl.DataFrame:
    """What is seen of the other metrics at this length; a guard is shown at the confidence of one comparison."""
    rows = []
    for name, metric in list(design.past.metrics.items())[1:]:
        own = _Design(design.experiment, design.past, name, 1 - confidence if metric.guards else design.alpha, design.power)
        value, seen = own.value(last), own.solved("effect_size", last)
        relative = seen / abs(value) if value else None
        rows.append((name, "guard" if metric.guards else "goal", value, seen, relative, metric.margin))
    names = ("value", "detectable", "detectable_relative", "margin")
    return pl.DataFrame(rows, schema={"metric": pl.String, "role": pl.String, **dict.fromkeys(names, pl.Float64)}, orient="row")


def _purse(
    design: _Design, wanted: _Wanted, last: int, arms: pl.DataFrame, looks: RepeatedTest | None, at_look: Int64, money: Money | None
) -> Purse | None:
    if money is None:
        return None
    spread, treatments = design.past.spread(design.metric, last), design.experiment.treatments
    seen = design.solved("effect_size", last)
    harm = _harm(money, seen)
    per_effect = money.value * spread.per_unit
    expected, worst = _cost(design, last, money), _worst(design, last, money, harm)
    effect = wanted.at(spread.value) if wanted.given else seen
    periods = money.horizon / float(design.past.days[last])
    everybody = float(design.past.units[last]) * periods
    worth = {arm: everybody * (effect * per_effect - money.costs.get(arm, 0.0)) for arm in treatments}
    pays_from = {arm: money.costs.get(arm, 0.0) / per_effect for arm in treatments}
    stopped = _stopped(design, last, harm, money, looks, at_look)
    return Purse(expected, worst, harm, stopped, effect, worth, pays_from, money.horizon)


def _stopped(design: _Design, last: int, harm: float, money: Money, looks: RepeatedTest | None, at_look: Int64) -> float | None:
    """What the worst case costs on average where the always-valid interval is looked at every day and ends it."""
    if looks is None or at_look[last] < 0:
        return None
    ended = np.append(np.maximum.accumulate(looks.ended(harm / design.scale(last))), 0.0)[at_look][: last + 1]
    ends = np.diff(np.append(ended[:-1], 1.0), prepend=0.0)
    costs = [_worst(design, at, money, harm / design.scale(last) * design.scale(at)) for at in range(last + 1)]
    return float(ends @ np.array(costs))
