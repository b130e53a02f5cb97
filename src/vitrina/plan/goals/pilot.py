"""A pilot of ambition: reading what came of it, and planning one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.experiments import Analysis, Experiment, Mean, Money, Past, analyse
from vitrina.experiments import Plan as PilotPlan
from vitrina.experiments import plan as plan_experiment
from vitrina.plan.demand.demand import ABSENT, Demand
from vitrina.plan.goals.bonus import Bonus
from vitrina.plan.goals.concave import concave_fit
from vitrina.plan.goals.effort import NET, PAID, WORTH, GoalResponse
from vitrina.plan.goals.goals import check_levels
from vitrina.policy import DR, Always, DecisionLog, cross_fit, evaluate

NO_PILOT = (
    "How effort answers to the ambition of goals can't be told from goals that nobody drew by lot: whoever had a high one differs in all that made it high. Draw levels at random for a share of the shops or people, "
    "as plan_pilot says for how many and how long, and give the table of that."
)


def response_to_goals(
    table: Any,
    *,
    arm: str,
    outcome: str,
    margin: float,
    forecast: str | None = None,
    goal: str | None = None,
    bonus: Bonus | None = None,
    paid: str | None = None,
    unit: str | None = None,
    ambitions: Mapping[str, float] | None = None,
    shares: Mapping[Any, float] | None = None,
    control: Any = None,
    segment: str | None = None,
    features: Sequence[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
) -> GoalResponse:
    """What each level of ambition brought and cost in a pilot in which levels were drawn by lot.

    Outcome, bonus and net = margin x outcome - bonus are compared with the control by `vt.experiments.analyse` (the forecast is the covariate: CUPED; Holm over the levels, for the net value by itself), and each level given to all is valued
    by `vt.policy.evaluate` with the doubly robust estimator. Both refuse a pilot whose arms don't have the shares that were drawn.

    Args:
        table: a Polars, pandas or Arrow table, or a path: a row per unit that was drawn, whatever came of it.
        arm: column of the level that each unit had.
        outcome: column of what was sold, in money where the bonus is.
        margin: kept of one more of the outcome before the bonus.
        forecast: column that was known before the period, the forecast of the outcome best of all. None: no covariate.
        goal: column of the goal that each unit was told; with `bonus` it says what was paid.
        bonus: what is paid. Either this with a goal, or `paid`.
        paid: column of what was paid.
        unit: column of ids.
        ambitions: arm -> level; None: the arms are numbers, and are the levels.
        shares: arm -> chance with which it was drawn; None: equal.
        control: the level that others are compared with; None: the lowest.
        segment: column of groups, known before, whose own best level is asked.
        features: more columns that were known before, which models of `assign` may look at.
        confidence: of intervals, and of all verdicts together.
        seed: of folds.

    Raises:
        ParameterError: nothing says what was paid, an arm has no level, levels that are no chances.
        DataError: there is no pilot (None), or a column or a row can't be used, such as an outcome that is missing.
        MissingExtraError: tea-tasting isn't installed.

    >>> from vitrina.plan.goals.world import GoalWorld
    >>> pilot = GoalWorld().levels(8000, (0.35, 0.5, 0.65), seed=1)
    >>> found = response_to_goals(pilot, arm="ambition", outcome="outcome", forecast="forecast", goal="goal", bonus=Bonus(fixed=100), margin=0.3)
    >>> found
    GoalResponse(3 levels of ambition, 8,000 units; the most at 0.65, checks: pass)
    """
    if table is None:
        raise DataError(NO_PILOT)
    _in_domain(margin, bonus, goal, paid)
    known = [name for name in dict.fromkeys((forecast, segment, *features)) if name is not None]
    rewards = [outcome, *([goal] if goal and paid is None else []), *([paid] if paid else [])]
    log = DecisionLog.of_frame(
        table, unit=unit, action=arm, reward=list(dict.fromkeys(rewards)), features=known or None, propensity=_chances(table, arm, shares)
    )
    levels = _levels(log.arms, ambitions)
    order = sorted(log.arms, key=lambda name: levels[name])
    named = order[0] if control is None else str(control)
    log = _with_rewards(log, outcome, log.reward(paid) if bonus is None else bonus.paid(log.reward(outcome), log.reward(goal)), margin)
    net, parts = _analyses(log, outcome, named, shares, forecast, segment, confidence)
    rows = _table(log, order, levels, named, outcome, net, parts, confidence, seed)
    fit = None if rows.height < 3 else concave_fit(rows["ambition"], rows["outcome"], rows["outcome_error"], seed=seed)
    rows = rows.with_columns(concave=rows["outcome"] if fit is None else pl.Series(fit.values))
    groups = None if net.slices is None else net.slices.rename({"difference": "gain"})
    return GoalResponse(rows, groups, net, parts, log, named, float("nan") if fit is None else fit.p, margin, confidence)


def plan_pilot(
    demand: Demand,
    ambitions: Sequence[float],
    *,
    by: Any = None,
    effect: float | None = None,
    relative: float | None = 0.03,
    days: int | None = None,
    shares: Sequence[float] | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
    money: Money | None = None,
    name: str = "ambition",
) -> PilotPlan:
    """How many units and days a pilot of ambition takes to see how effort answers: `vt.experiments.plan` on the days of the log.

    Units are the series, or the places, of the demand; the metric is what each sells in the days of the pilot, with what it sold in the 28 days before as covariate (CUPED). All of them are there from the first day, so more days make
    the noise smaller and bring no more units.

    Args:
        demand: of the past. Days on which nothing is known are left out; a day that was sold out counts with what was sold.
        ambitions: the levels, two or more, each between 0 and 1; the first is the control.
        by: (series,) labels of the units, such as places; None: each series is one.
        effect: difference of sales per unit that has to be seen; or
        relative: the same as a share of the control's sales.
        days: the length, where it is given.
        shares: of units per level; None: equal.
        power, confidence, money: as in `vt.experiments.plan`.
        name: of the experiment, whose hash assigns units.

    Raises:
        ParameterError: a level that is no chance, fewer than two, or too few units for so many levels.
        MissingExtraError: tea-tasting isn't installed.

    >>> from datetime import date
    >>> from vitrina import Vocabulary
    >>> sold = np.random.default_rng(0).poisson(np.random.default_rng(1).gamma(3, 4, (300, 1)), (300, 120)).astype(np.float32)
    >>> demand = Demand(sold, np.ones(sold.shape, np.int8), np.arange(300, dtype=np.int32), Vocabulary.of(np.arange(300)), date(2027, 1, 1))
    >>> plan_pilot(demand, [0.5, 0.7], relative=0.03)
    Plan('ambition': 14 days, 300 units, 3.0% of sold can be seen)
    """
    check_levels("ambition", ambitions)
    if len(set(ambitions)) < max(len(ambitions), 2):
        raise ParameterError(f"A pilot compares two different ambitions at least. Got {list(ambitions)}.", parameter="ambitions", value=list(ambitions))  # fmt: skip
    share = [1 / len(ambitions)] * len(ambitions) if shares is None else list(shares)
    if len(share) != len(ambitions):
        raise ParameterError(f"The 'shares' are one per ambition ({len(ambitions)}). Got {len(share)}.", parameter="shares")
    experiment = Experiment(name=name, arms={f"{level:g}": part for level, part in zip(ambitions, share, strict=True)})
    past = Past.of_events(
        _events(demand, by), {"sold": Mean(column="sold", covariate="sold_before")}, unit="unit", time="day", any_year=True
    )
    wanted = {} if effect is not None else {"relative": relative}
    return plan_experiment(experiment, past, effect=effect, days=days, power=power, confidence=confidence, money=money, **wanted)


def _events(demand: Demand, by: Any) -> pl.DataFrame:
    """A row per unit and day on which something is known of it."""
    labels = pl.Series("unit", np.arange(len(demand)) if by is None else by)
    if len(labels) != len(demand):
        raise ParameterError(f"The 'by' of a pilot is a label per series ({len(demand):,}). Got {len(labels):,}.", parameter="by")
    row, column = np.nonzero(demand.state != ABSENT)
    first = datetime(demand.start.year, demand.start.month, demand.start.day, tzinfo=UTC)
    days = pl.Series([first + timedelta(days=int(day) * demand.step) for day in range(demand.days)]).gather(column)
    frame = pl.DataFrame({"unit": labels.gather(row), "day": days, "sold": demand.units[row, column].astype(np.float64)})
    return frame.group_by("unit", "day", maintain_order=True).agg(pl.col("sold").sum())


def _in_domain(margin: float, bonus: Bonus | None, goal: str | None, paid: str | None) -> None:
    if not (np.isfinite(margin) and margin > 0):
        raise ParameterError(
            f"The 'margin' is what is kept of one more of the outcome, above 0. Got {margin}.", parameter="margin", value=margin
        )
    if (paid is None) != (bonus is not None and goal is not None) or (paid is not None and bonus is not None):
        raise ParameterError(
            "A pilot needs what was paid: a column of it (paid=), or the column of goals and the rule (goal=, bonus=). Give one of the two.", parameter="paid"
        )  # fmt: skip


def _chances(table: Any, arm: str, shares: Mapping[Any, float] | None) -> Mapping[Any, float]:
    if shares is not None:
        return shares
    arms = DecisionLog.of_frame(table, action=arm, reward=None).arms
    return dict.fromkeys(arms, 1 / len(arms))


def _levels(arms: Sequence[str], ambitions: Mapping[str, float] | None) -> dict[str, float]:
    if len(arms) < 2:
        raise ParameterError(f"A pilot compares two levels at least. Got {', '.join(arms)}.", parameter="arm")
    given = {str(name): level for name, level in (ambitions or {}).items()}
    levels: dict[str, float] = {}
    for arm in arms:
        try:
            levels[arm] = float(given.get(arm, arm) if ambitions is None else given[arm])
        except (KeyError, ValueError):
            raise ParameterError(
                f"The arm {arm!r} has no ambition. Say ambitions={{{arm!r}: 0.6, ...}}, a level between 0 and 1 per arm.",
                parameter="ambitions",
            ) from None
    check_levels("ambition", list(levels.values()))
    return levels


def _with_rewards(log: DecisionLog, outcome: str, paid: Any, margin: float) -> DecisionLog:
    if (paid < 0).any():
        row = int(np.flatnonzero(paid < 0)[0])
        raise DataError(
            f"What was paid is 0 or more. Row {row} has {paid[row]:g}: leave out what was taken back, or give bonus= and goal=."
        )
    kept = margin * log.reward(outcome)
    return log.with_reward(PAID, paid).with_reward(WORTH, kept).with_reward(NET, kept - paid)


def _analyses(
    log: DecisionLog, outcome: str, control: str, shares: Mapping[Any, float] | None, forecast: str | None, segment: str | None, confidence: float
) -> tuple[Analysis, Analysis]:  # fmt: skip
    """Of the net value, and of outcome and bonus."""
    if control not in log.arms:
        raise ParameterError(
            f"The 'control' is one of the levels of the pilot: {', '.join(log.arms)}. Got {control!r}.", parameter="control"
        )
    columns = {
        "arm": pl.Series(log.arms).gather(log.actions),
        "outcome": log.reward(outcome),
        "bonus": log.reward(PAID),
        "net": log.reward(NET),
    }
    frame = pl.DataFrame(columns)
    for name, column in (("covariate", forecast), ("segment", segment)):
        frame = frame if column is None else frame.with_columns(log.units.features[column].alias(name))
    covariate = None if forecast is None else "covariate"
    planned = {arm: 1 / len(log.arms) for arm in log.arms} if shares is None else {str(arm): part for arm, part in shares.items()}
    planned = {control: planned[control]} | planned
    metrics = {"outcome": Mean(column="outcome", covariate=covariate), "bonus": Mean(column="bonus", lower_is_better=True)}
    net = analyse(
        frame,
        {"net": Mean(column="net", covariate=covariate)},
        arm="arm",
        control=control,
        shares=planned,
        slices=["segment"] if segment else [],
        confidence=confidence,
    )
    return net, analyse(frame, metrics, arm="arm", control=control, shares=planned, confidence=confidence)


def _table(
    log: DecisionLog, order: Sequence[str], levels: Mapping[str, float], control: str, outcome: str, net: Analysis, parts: Analysis, confidence: float, seed: int
) -> pl.DataFrame:  # fmt: skip
    policies = {arm: Always(arm) for arm in order}
    values = {}
    for reward in (outcome, NET):
        predictions = cross_fit(log, reward=reward, seed=seed)
        found = evaluate(log, policies, reward=reward, estimators=(DR(),), predictions=predictions, confidence=confidence)
        values[reward] = {row["policy"]: row for row in found.table.iter_rows(named=True)}
    compared = {(row["metric"], row["arm"]): row for row in (*net.table.to_dicts(), *parts.table.to_dicts())}
    rows = []
    for arm in order:
        own, sold = values[NET][arm], values[outcome][arm]
        row = {"arm": arm, "ambition": levels[arm], "units": int((log.actions == log.arms.index(arm)).sum())}
        row |= {
            "outcome": sold["value"],
            "outcome_error": sold["error"],
            "bonus": float(log.reward(PAID)[log.actions == log.arms.index(arm)].mean()),
        }
        for name, metric in (("uplift", "outcome"), ("more_bonus", "bonus"), ("gain", "net")):
            one = compared.get((metric, arm), {"difference": None, "low": None, "high": None})
            row |= {name: one["difference"], f"{name}_low": one["low"], f"{name}_high": one["high"]}
        row |= {"net": own["value"], "net_low": own["low"], "net_high": own["high"]}
        rows.append(row | {"verdict": "control" if arm == control else compared["net", arm]["verdict"]})
    return pl.DataFrame(rows, infer_schema_length=None)
