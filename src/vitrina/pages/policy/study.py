"""All that the page shows, worked out: checks, values by every reward, what is advised, what money buys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.pages.policy.advice import Advice, Bench, advice
from vitrina.policy import DR, IPS, SNIPS, DecisionLog, PolicyValues, Qini, aipw_scores, cross_fit, modified_uplift, qini

COST, LEAST = "cost of the arm", 0.05  # a reward of our own; no predicted cost is below this share of its mean
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """What was found about policies on a log.

    Args:
        reward: what policies are judged by; `values` has the others too.
        estimator: the one whose values the page speaks of, as the table calls it.
        chances: (decisions, arms) of the policies that sections draw.
        claims: what the outcome model says of each policy.
        found: what is advised, and what it is told from.
    """

    title: str
    log: DecisionLog
    reward: str
    checks: Any
    values: PolicyValues
    estimators: Mapping[str, Any]
    estimator: str
    baseline: str
    confidence: float
    chances: Mapping[str, NDArray[Any]]
    predictions: NDArray[Any]
    scores: NDArray[Any]
    claims: Mapping[str, float]
    found: Advice
    curve: Any = None
    uplift: pl.DataFrame | None = None
    winsorised: str | None = None
    learned: str | None = None
    rules: pl.DataFrame | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""

    @property
    def told(self) -> Any:
        """The values that the page speaks of: one reward, one estimator."""
        table = self.values.table.filter(reward=self.reward, estimator=self.estimator)
        return replace(self.values, table=table.sort("value", descending=True, nulls_last=True))


def study(
    log: DecisionLog,
    policies: Mapping[str, Any],
    *,
    baseline: str,
    title: str = "Policies",
    estimators: Sequence[Any] | None = None,
    model: Any = None,
    folds: int = 5,
    seed: int = 0,
    biased: DecisionLog | None = None,
    confidence: float = 0.95,
    winsorise: float | None = None,
    learned: str | None = None,
    rules: pl.DataFrame | None = None,
    settings: Mapping[str, str] | None = None,
    date: str = "",
    force: bool = False,
    progress: Progress = lambda what, number, of: None,
) -> Study:
    """Judge policies and work out all that the page shows.

    Args:
        policies: by name; the first reward of the log is what they are judged by.
        baseline: the policy that all are compared with.
        winsorise: quantile at which the tail of the first reward is drawn in, as one more reward.
        learned: the name of the policy that was learned, which `rules` are about.
        settings: facts for the last section.
        progress: called with what is done, its number and how many there are.
    """
    reward, drawn_in = next(iter(log.rewards)), None
    if winsorise is not None:
        log = log.winsorised(winsorise, reward)
        drawn_in = list(log.rewards)[-1]
    steps = 3 + len(log.rewards)
    progress("checks", 0, steps)
    checks = log.check(policies)
    bench = Bench(log, policies, tuple(estimators or (IPS(), SNIPS(), DR())), baseline, confidence, force)
    tables, made = [], {}
    for at, name in enumerate(log.rewards, 1):
        progress(f"values of {name}", at, steps)
        made[name] = cross_fit(
            log, model, reward=name, folds=folds, seed=seed, biased=biased if name in getattr(biased, "rewards", ()) else None
        ).values
        tables.append(bench.values(name, made[name]))
    values = replace(tables[0], table=pl.concat(one.table for one in tables))
    progress("what is advised", steps - 2, steps)
    found = advice(bench, tables[0], made[reward], reward)
    progress("what money buys", steps - 1, steps)
    return Study(
        title=title, log=log, reward=reward, checks=checks, values=values, estimators=bench.named, confidence=confidence, baseline=baseline,
        estimator=values.told, chances={name: bench.chances(name) for name in (found.shown, found.rival, baseline)}, predictions=made[reward], scores=aipw_scores(log, made[reward], reward=reward), claims=bench.claims(made[reward]), curve=curve_of(log, made[reward], reward, costs_of(log, model, folds, seed), confidence),
        uplift=uplift_of(log, made[reward], reward, confidence),
        winsorised=drawn_in, learned=learned, rules=rules, settings=settings or {}, date=date, found=found,
    )  # fmt: skip


def curve_of(log: DecisionLog, predictions: NDArray[Any], reward: str, cost: NDArray[Any] | None, confidence: float) -> Qini | None:
    """What money buys; None where the log has no costs, or an arm costs no more than the control."""
    if cost is None:
        return None
    scores = aipw_scores(log, predictions, reward=reward)
    return qini(scores, predictions, cost, control=log.control, allowed=log.units.allowed, clusters=log.clusters, confidence=confidence)


def costs_of(log: DecisionLog, model: Any, folds: int, seed: int) -> NDArray[Any] | None:
    """(decisions, arms) or (arms,) what an arm costs more than the control.

    Where only the cost of the arm that was given is known, as of a discount on what is then bought, the others' are predicted from other decisions, as rewards are.
    """
    if log.arm_costs is None and log.costs is None:
        return None
    if log.arm_costs is not None:
        cost = log.arm_costs - log.arm_costs[..., log.control, None]
    else:
        predicted = cross_fit(log.with_reward(COST, log.costs), model, reward=COST, folds=folds, seed=seed).values
        cost = predicted - predicted[:, [log.control]]
        least = LEAST * np.maximum(cost.mean(axis=0), 0.0)
        cost = np.where(np.arange(len(log.arms)) == log.control, 0.0, np.maximum(cost, least))
    dear = np.delete(np.atleast_2d(cost), log.control, axis=1)
    return cost if (dear > 0).all() else None


def uplift_of(log: DecisionLog, predictions: NDArray[Any], reward: str, confidence: float) -> pl.DataFrame:
    """The value by the share that gets the arm predicted best for it, those first who are predicted to gain most, and beside it the same share at random."""
    allowed = predictions if log.units.allowed is None else np.where(log.units.allowed, predictions, -np.inf)
    scores = aipw_scores(log, predictions, reward=reward)
    found = modified_uplift(scores, predictions, allowed.argmax(axis=1), control=log.control, clusters=log.clusters, confidence=confidence)
    first, last = found["value"][0], found["value"][-1]
    return found.with_columns(random=first + pl.col("share") * (last - first))
