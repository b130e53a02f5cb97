"""Which policy to take: one that chooses where it is measurably better than the best single arm for all, or is the only one that is measurably better than the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.printing import finite
from vitrina.policy import Always, DecisionLog, PolicyValues, evaluate
from vitrina.policy.policies import chances_of

SEEN = 2.8  # errors that a difference must have to be seen in four cases of five


@dataclass(frozen=True)
class Bench:
    """Policies on a log, and how they are judged.

    Args:
        policies: by name.
        estimators: of values.
        baseline: the policy that all are compared with.
        force: give values that the checks refuse.
    """

    log: DecisionLog
    policies: Mapping[str, Any]
    estimators: Sequence[Any]
    baseline: str
    confidence: float
    force: bool = False

    @cached_property
    def named(self) -> dict[str, Any]:
        """The estimators by what a table calls them."""
        return {repr(e).removesuffix("()"): e for e in self.estimators}

    @cached_property
    def same_for_all(self) -> list[str]:
        """Policies that don't choose, and the baseline."""
        return list(dict.fromkeys([self.baseline, *(n for n, p in self.policies.items() if isinstance(p, Always))]))

    def values(self, reward: str, predictions: NDArray[Any]) -> PolicyValues:
        """All policies by one reward."""
        return evaluate(
            self.log, self.policies, reward=reward, estimators=list(self.estimators), predictions=predictions, baseline=self.baseline,
            confidence=self.confidence, force=self.force,
        )  # fmt: skip

    def paired(self, policy: str, other: str, estimator: str, reward: str, predictions: NDArray[Any]) -> dict[str, Any]:
        """The row of one policy beside another one."""
        two = {name: self.policies[name] for name in (other, policy)}
        found = evaluate(
            self.log, two, reward=reward, estimators=[self.named[estimator]], predictions=predictions, baseline=other, confidence=self.confidence,
            force=self.force,
        )  # fmt: skip
        return found.table.row(by_predicate=pl.col("policy") == policy, named=True)

    def chances(self, name: str) -> NDArray[Any]:
        """(decisions, arms) of a policy."""
        return chances_of(self.policies[name], self.log)

    def claims(self, predictions: NDArray[Any]) -> dict[str, float]:
        """What the outcome model says of each policy, by itself."""
        return {name: float(np.einsum("ij,ij->i", self.chances(name), predictions).mean()) for name in self.policies}


@dataclass(frozen=True)
class Runner:
    """The best policy that chooses, and how it differs from the best that gives everybody the same."""

    policy: str
    against: str
    difference: Mapping[str, Any]


@dataclass(frozen=True)
class Advice:
    """What to take, and what it is told from.

    Args:
        advised: the policy to take; None where none has a value.
        runner: None where no policy chooses.
        shown: the policy whose choices are worth a look: the best that chooses, where there is one.
        rival: the policy that the shown one is told from.
        needed: units per arm of a test that would show the advised difference from the baseline in four cases of five.
        seen: the difference from the baseline that twice as many decisions would show.
    """

    advised: str | None
    runner: Runner | None
    shown: str
    rival: str
    needed: float | None
    seen: float


def advice(bench: Bench, values: PolicyValues, predictions: NDArray[Any], reward: str) -> Advice:
    """Read the values.

    A single arm for all is advised where it is told from the baseline, else the baseline is. A policy that chooses is advised where it is told from the best single arm; where no single arm is told from
    the baseline, being told from the baseline is enough, and what it is beside the best single arm is said.
    """
    rows = {r["policy"]: r for r in values.table.filter(reward=reward, estimator=values.told).iter_rows(named=True) if finite(r["value"])}
    if bench.baseline not in rows:
        return Advice(None, None, bench.baseline, bench.baseline, None, float("nan"))
    same = [name for name in bench.same_for_all if name in rows]
    best = max(same, key=lambda name: rows[name]["value"])
    plain = best if above(rows[best]) else bench.baseline
    choosers = [name for name in rows if name not in same]
    runner, advised = None, plain
    if choosers:
        first = max(choosers, key=lambda name: rows[name]["value"])
        runner = Runner(first, best, bench.paired(first, best, values.told, reward, predictions))
        advised = first if above(runner.difference if plain == best else rows[first]) else plain
    others = [name for name in rows if name != advised]
    rival = plain if runner or advised != bench.baseline else max(others, key=lambda name: rows[name]["value"], default=plain)
    rival = bench.baseline if rival == advised and runner is None else rival
    return Advice(
        advised, runner, runner.policy if runner else advised, rival, _needed(bench, rows[advised], reward), _seen(rows, bench.baseline)
    )


def above(row: Mapping[str, Any]) -> bool:
    """Whether a difference is told from zero, and above it."""
    return finite(row["difference_low"]) and row["difference_low"] > 0


def _needed(bench: Bench, row: Mapping[str, Any], reward: str) -> float | None:
    """2 (2.8 sd / difference)^2 units per arm."""
    if not above(row):
        return None
    return 2 * (SEEN * float(bench.log.reward(reward).std()) / row["difference"]) ** 2


def _seen(rows: Mapping[str, Mapping[str, Any]], baseline: str) -> float:
    """By the least sure difference from the baseline, with an error that is smaller by the root of 2."""
    errors = [r["difference_error"] for name, r in rows.items() if name != baseline and finite(r["difference_error"])]
    return SEEN * max(errors, default=float("nan")) / 2**0.5
