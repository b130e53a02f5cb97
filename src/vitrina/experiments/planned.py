"""A plan: what it found, in sentences first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, NamedTuple, final

import polars as pl
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.printing import MISSING, as_text, fixed, places_of
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.experiments.assign import Experiment
from vitrina.experiments.past import Past
from vitrina.experiments.sentences import percent
from vitrina.experiments.sequential import BURN_IN

WORTH_SAYING = 0.03  # by how much other shares see more
YEAR = 365


class Peeking(NamedTuple):
    """What it means to look at an experiment every day until its planned end.

    Args:
        ordinary: the chance that an ordinary interval, looked at on all of them, sees a difference where there is none.
        once: the same, looked at once.
        days: whole weeks after which the always-valid interval has seen the wanted effect with the power; None where the past is too short.
        mean: days after which it does so on average.
    """

    ordinary: float
    once: float
    days: int | None
    mean: float | None


class Purse(NamedTuple):
    """Money.

    Args:
        expected: what the treatments cost until the end.
        worst: that, and what every treatment loses where it is as bad as it may be.
        harm: how bad that is, per unit and in the metric.
        stopped: the worst case on average, where the always-valid interval ends it.
        effect: the effect for which the decision is worth `worth`.
        worth: of each treatment, given to everybody for `horizon` days.
        pays_from: the effect from which each treatment pays.
        horizon: days.
    """

    expected: float
    worst: float
    harm: float
    stopped: float | None
    effect: float
    worth: Mapping[str, float]
    pays_from: Mapping[str, float]
    horizon: float


@final
@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """How long, how many, what is seen, and what it costs.

    Args:
        experiment, past: what was planned, on what.
        metric: the one that decides.
        confidence, power: as they were asked.
        comparisons: goals times treatments, among which the error is divided.
        effect: the effect that has to be seen at the planned length, in the metric; NaN where none was given.
        relative: the same as a share, where it was given so.
        days: the planned length.
        reached: whether the effect is seen with the power then.
        table: a row per length: days, units, new_per_day, value (of the metric by then), detectable (the effect seen with the power at one look) and detectable_relative, power (to see the
            effect), always_valid, always_valid_relative, always_valid_power (the same for the interval that may be looked at every day; null before it says anything), cost
            (what the treatments cost), worst (where every treatment is as bad as it may be).
        arms: arm, share, units, detectable, detectable_relative, cost_per_unit, cost, at the planned length.
        peeking: what looking every day means; None where too few units come for that.
        others: the other metrics at this length.
        purse: the money; None where nothing was said of it.
    """

    experiment: Experiment
    past: Past
    metric: str
    confidence: float
    power: float
    comparisons: int
    effect: float
    relative: float | None
    days: int
    reached: bool
    table: pl.DataFrame
    arms: pl.DataFrame
    peeking: Peeking | None
    others: pl.DataFrame
    purse: Purse | None

    @property
    def row(self) -> dict[str, Any]:
        """Of the table, that of the planned length."""
        return self.table.row(by_predicate=pl.col("days") == self.days, named=True)

    @property
    def topics(self) -> dict[str, tuple[str, ...]]:
        """What a manager needs, by what it is about."""
        return {name: tuple(say(self)) for name, say in TOPICS.items()}

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in one row: the answer first."""
        return tuple(sentence for topic in self.topics.values() for sentence in topic)

    def __repr__(self) -> str:
        row = self.row
        return f"Plan({self.experiment.name!r}: {self.days} days, {row['units']:,.0f} units, {_seen(row)} of {self.metric} can be seen)"

    def __rich__(self) -> Group:
        return Group(*(Text(line) for line in self.sentences), Text(""), Fitted(_printed(self)))

    def __str__(self) -> str:
        return as_text(self.__rich__())

    def _repr_html_(self) -> str:
        return html_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "experiment": self.experiment.name, "metric": self.metric, "days": self.days, "units": self.row["units"], "reached": self.reached, "effect": self.effect,
            "relative": self.relative, "confidence": self.confidence, "power": self.power, "comparisons": self.comparisons, "sentences": list(self.sentences),
            "arms": self.arms.to_dicts(), "table": self.table.to_dicts(), "others": self.others.to_dicts(),
            "peeking": None if self.peeking is None else self.peeking._asdict(), "money": None if self.purse is None else self.purse._asdict(),
        }  # fmt: skip


def _seen(row: Mapping[str, Any], prefix: str = "detectable") -> str:
    relative, absolute = row[f"{prefix}_relative"], row[prefix]
    return percent(relative, sign=False) if relative is not None else fixed(absolute, places_of(absolute))


def _both(row: Mapping[str, Any], prefix: str = "detectable") -> str:
    """ "2.0% (0.31)"."""
    absolute = fixed(row[prefix], places_of(row[prefix]))
    return f"{_seen(row, prefix)} ({absolute})" if row[f"{prefix}_relative"] is not None else absolute


def _answer(plan: Plan) -> Iterator[str]:
    row, control = plan.row, plan.experiment.control
    arms = ", ".join(f"{units:,.0f} {arm!r}" for arm, units in plan.arms.select("arm", "units").iter_rows())
    size = f"{plan.days} days and {row['units']:,.0f} units ({arms})"
    often = f"in {plan.power:.0%} of experiments"
    asked = f"a difference of {_effect(plan)} in {plan.metric} from {control!r}"
    if plan.effect != plan.effect:
        yield f"With {size} a difference of {_both(row)} in {plan.metric} from {control!r} is seen {often}."
    elif plan.reached:
        yield f"{size} are enough: {asked} is seen {often}; {_both(row)} is the smallest of which that is so."
    else:
        chance = f"only in {percent(row['power'], sign=False)} of experiments"
        yield f"{size} are not enough: {asked} is seen {chance}, and {_both(row)} is the smallest that is seen {often}."
        yield _longer(plan)


def _care(plan: Plan) -> Iterator[str]:
    if plan.comparisons > 1:
        yield (
            f"{plan.comparisons} comparisons share the error of {percent(1 - plan.confidence, sign=False)}, so that by chance none of them is called a difference more often than that; "
            "the smallest treatment decides."
        )
    effective = plan.past.effective[plan.metric][plan.days - 1] * plan.arms["units"].min()
    if effective < BURN_IN:
        yield (
            f"A few units make most of the spread of {plan.metric}: the smallest arm counts as {effective:,.0f} units, and below {BURN_IN} a plan and its intervals are a rough guide. "
            "Plan on a metric that they can't make alone, such as the share who buy."
        )
    if plan.days % 7:
        yield f"{plan.days} days are no whole weeks: some weekdays count more than others."


def _effect(plan: Plan) -> str:
    absolute = fixed(plan.effect, places_of(plan.effect))
    return absolute if plan.relative is None else f"{percent(abs(plan.relative), sign=False)} ({absolute})"


def _longer(plan: Plan) -> str:
    """How long it would take at the pace of the last week, where the past doesn't reach."""
    row, last = plan.row, plan.table.row(-1, named=True)
    if plan.days != last["days"]:
        return "Take longer, more people, or be content with a larger difference."
    needed = row["units"] * (row["detectable"] / plan.effect) ** 2
    pace = last["new_per_day"]
    days = ceil(plan.days + (needed - row["units"]) / pace) if pace > 0 else 10 * YEAR
    about = f"about {days:,} days" if days <= YEAR else "more than a year"
    return f"The past has no longer experiment; at the pace of its last days the {needed:,.0f} units that it takes would need {about}, which the past can't confirm."


def _arrivals(plan: Plan) -> Iterator[str]:
    came = plan.past.arrivals * plan.experiment.share
    if plan.days >= 7 and came[0] > 0 and came[plan.days - 1] < 0.5 * came[0]:
        yield (
            f"New units become fewer: {came[0]:,.0f} on the first day, {came[plan.days - 7 : plan.days].mean():,.0f} a day in the last week; twice as many days don't bring twice as many units."
        )


def _covariate(plan: Plan) -> Iterator[str]:
    spread = plan.past.spread(plan.metric, plan.days - 1)
    if plan.past.uses_covariate(plan.metric):
        saved = 1 / (1 - spread.explained) if spread.explained < 1 else float("inf")
        yield f"The covariate takes {percent(spread.explained, sign=False)} of the spread away: without it {fixed(saved, 1)} times as many units would be needed."
    elif spread.explained > WORTH_SAYING:
        yield (
            f"The same metric in the {plan.past.before} days before would take {percent(spread.explained, sign=False)} of the spread away: as a covariate "
            f"(covariate=) it saves as large a share of the units."
        )


def _looking(plan: Plan) -> Iterator[str]:
    peeking = plan.peeking
    if peeking is None:
        return
    if peeking.ordinary > 1.1 * peeking.once:
        yield (
            f"Whoever looks at an ordinary interval every day for {plan.days} days sees a difference in {percent(peeking.ordinary, sign=False)} of experiments without "
            f"one; looked at once, in {percent(peeking.once, sign=False)}."
        )
    row = plan.row
    seen = "" if row["always_valid"] is None else f" After {plan.days} days it sees {_both(row, 'always_valid')}"
    if peeking.days is None:
        yield (
            f"The always-valid interval may be looked at every day.{seen}."
            if seen
            else "The always-valid interval says nothing yet at this length."
        )
        return
    yield (
        f"The always-valid interval may be looked at every day and keeps its error; it takes up to {peeking.days} days for the same certainty, and has seen a difference of this size after "
        f"{peeking.mean:.0f} days on average.{seen + '.' if seen else ''}"
    )


def _shares(plan: Plan) -> Iterator[str]:
    """What other shares would see."""
    shares = [plan.experiment.arms[arm] for arm in plan.experiment.treatments]
    control = 1 / (1 + sqrt(len(shares)))
    best = 1 / control + len(shares) / (1 - control)
    gain = 1 - sqrt(best / (1 / plan.experiment.arms[plan.experiment.control] + 1 / min(shares)))
    if gain > WORTH_SAYING:
        yield (
            f"With {percent(control, sign=False)} in control and {percent((1 - control) / len(shares), sign=False)} in each treatment the same units would see "
            f"differences {percent(gain, sign=False)} smaller."
        )


def _guards(plan: Plan) -> Iterator[str]:
    for row in plan.others.iter_rows(named=True):
        if row["margin"] is None:
            yield f"{row['metric']}: a difference of {_both(row)} can be seen."
        elif row["detectable_relative"] is not None and row["detectable_relative"] <= row["margin"]:
            yield f"{row['metric']} (guard): the length is enough to show that it loses less than {percent(row['margin'], sign=False)}."
        else:
            yield (
                f"{row['metric']} (guard): the length is not enough to show that it loses less than {percent(row['margin'], sign=False)}; "
                f"{_seen(row)} is the margin that can be shown."
            )


def _money(plan: Plan) -> Iterator[str]:
    purse = plan.purse
    if purse is None:
        return
    harm = fixed(purse.harm, places_of(purse.harm))
    ended = "" if purse.stopped is None else f"; ended by the always-valid interval, {fixed(purse.stopped, 0)} on average"
    yield f"The treatments cost {fixed(purse.expected, 0)}. At worst, where each loses {harm} of {plan.metric} per unit, the experiment costs {fixed(purse.worst, 0)}{ended}."
    best = max(purse.worth, key=lambda arm: purse.worth[arm])
    effect = fixed(purse.effect, places_of(purse.effect))
    if purse.worth[best] > 0:
        yield f"If {best!r} brings {effect} per unit, giving it to everybody for {purse.horizon:,.0f} days is worth {fixed(purse.worth[best], 0)}: {_verdict(purse, best)}."
    else:
        yield f"Even if it brings {effect} per unit, {best!r} costs more than it earns ({fixed(purse.worth[best], 0)} in {purse.horizon:,.0f} days); plan for the effect from which it pays."
    for arm, least in purse.pays_from.items():
        if least > 0:
            seen = plan.row["detectable"]
            apart = (
                ""
                if seen < least
                else f", and the experiment can't tell such an effect from none: differences below {fixed(seen, places_of(seen))} are missed too often"
            )
            yield f"{arm!r} pays from {fixed(least, places_of(least))} per unit{apart}."


def _verdict(purse: Purse, best: str) -> str:
    ratio = purse.worth[best] / purse.worst if purse.worst > 0 else float("inf")
    return (
        f"{fixed(ratio, 0)} times what the experiment costs at worst"
        if ratio >= 2
        else "not much beside what the experiment costs at worst"
    )


def _made(plan: Plan) -> Iterator[str]:
    yield f"Planned on {plan.past.source}."
    yield from plan.experiment.notes


TOPICS: Mapping[str, Callable[[Plan], Iterator[str]]] = {
    "answer": _answer, "care": _care, "arrivals": _arrivals, "covariate": _covariate, "looking": _looking, "shares": _shares, "others": _guards, "money": _money, "made": _made,
}  # fmt: skip


def _printed(plan: Plan) -> Table:
    money = plan.purse is not None
    heads = (
        "days",
        "units",
        "new a day",
        "can be seen",
        "power",
        "looked at daily",
        "power daily",
        *(("cost", "at worst") if money else ()),
    )
    table = Table(*(Column(head, justify="right") for head in heads), box=None)
    for row in plan.table.iter_rows(named=True):
        cells = [
            f"{row['days']}{'*' if row['days'] == plan.days else ''}", fixed(row["units"], 0), fixed(row["new_per_day"], 0), _both(row),
            MISSING if row["power"] is None else percent(row["power"], sign=False), MISSING if row["always_valid"] is None else _both(row, "always_valid"),
            MISSING if row["always_valid_power"] is None else percent(row["always_valid_power"], sign=False),
        ]  # fmt: skip
        table.add_row(*cells, *((fixed(row["cost"], 0), fixed(row["worst"], 0)) if money else ()))
    return table
