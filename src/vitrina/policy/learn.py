"""Learning who should get which arm, and saying honestly what that is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
import polars as pl
from rich.console import Group

from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text, places_of, short, short_interval, signed
from vitrina.base.showing import html_of
from vitrina.policy.estimate import evaluate
from vitrina.policy.estimators import DM, DR, SNIPS
from vitrina.policy.learners import Learner
from vitrina.policy.outcome import Predictions, aligned, cross_fit, parts_of, reward_name
from vitrina.policy.policies import Always, Policy, chances_of
from vitrina.policy.values import PolicyValues
from vitrina.types import Float64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


NEARLY_EQUAL = (
    "A learned policy's folds have most of their teachers in common, so where arms are nearly equal its interval, and that of its differences, is too narrow: without any effect 86% to 90% of "
    "95% intervals held, and one or the other arm was called better than it in 12% of tables, worse in 3%. A gain over every arm, which the verdict asks for, was called in none of 800."
)


@final
@dataclass(frozen=True, eq=False, repr=False)
class LearnedPolicy:
    """A policy learned from a log, and what it is worth on rows that it didn't learn from.

    Args:
        policy: fitted on the whole log: the one to be used and saved (`vt.save(learned.policy, folder)`).
        name: what the tables call it.
        values: of the learned policy and of every arm given to all, by DM (what the model claims), SNIPS and DR (what the log says). Each row was decided by a policy that never saw its cluster, and
            so was the model that judges it; differences are paired. Where arms are nearly equal intervals of the learned policy are too narrow, as its notes say; `gains` is not.
        chances: (rows, arms) those decisions.
        predictions: of that model.
        reward: what was made large.
        biased: how many decisions of unknown chances taught it.
    """

    policy: Policy
    name: str
    values: PolicyValues
    chances: Float64
    predictions: Predictions
    reward: str
    biased: int = 0

    @property
    def gains(self) -> bool:
        """Whether it is better than every single arm given to all, beyond doubt at the confidence of `values`."""
        return all(str(verdict).startswith("worse by") for verdict in self._others()["verdict"])

    @property
    def verdict(self) -> str:
        """One sentence: what it is worth, and whether that is more than the best single arm for all."""
        own, others = (
            self._rows().filter(policy=self.name).row(0, named=True),
            self._others().sort("value", descending=True, nulls_last=True),
        )
        if own["refused"]:
            return f"{self.name} has no value: {own['refused']}"
        best = others.row(0, named=True)
        more, low, high = (-best[name] for name in ("difference", "difference_high", "difference_low"))
        places = places_of(more)
        said = f"{self.name} brings {short_interval(own['value'], own['low'], own['high'])} {self.reward} per decision by DR, {signed(more, places)} against {best['policy']!r}"
        if self.gains:
            return f"{said} ({signed(low, places)} to {signed(high, places)}), the best single arm for all: a gain."
        seen = "" if best["detectable"] is None else f"; a difference of {short(best['detectable'])} or more would have been seen"
        return f"{said}, the best single arm for all: no measurable gain{seen}."

    def _rows(self) -> pl.DataFrame:
        """The rows of DR."""
        return self.values.table.filter(estimator="DR")

    def _others(self) -> pl.DataFrame:
        return self._rows().filter(pl.col("policy") != self.name)

    def __repr__(self) -> str:
        return f"LearnedPolicy({self.policy!r}: {self.verdict})"

    def __str__(self) -> str:
        return as_text(self, 160)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> Group:
        own: Any = self.policy  # a tree prints as rules
        return Group(own if hasattr(own, "__rich__") else repr(own), "", self.values, "", self.verdict)


def fit_policy(
    log: DecisionLog,
    learner: Learner,
    *,
    reward: str | None = None,
    folds: int = 5,
    model: Any = None,
    seed: int = 0,
    biased: DecisionLog | None = None,
    confidence: float = 0.95,
    force: bool = False,
) -> LearnedPolicy:
    """Learn a policy, and judge it on rows that it never saw.

    The log is cut into folds of whole clusters. For each fold a policy is learned from the others and decides on it; the model of rewards behind the doubly robust value of those decisions is
    learned from the others, too. The policy that is given back is learned once more from all rows; it is as good as these or better, as it has more rows.

    Args:
        log: decisions with known chances.
        learner: `Plugin()`, `DRLearner()`, `PolicyTree()`.
        reward: what should be large, where the log has several; for profit take costs off first: `log.with_reward("profit", log.reward("spent") - log.costs)`.
        folds: parts; each is judged by what the others teach.
        model: of rewards, for judging alone; None: that of the learner.
        seed: of folds.
        biased: decisions whose chances nobody knows. They teach and are never judged.
        confidence: of all verdicts together.
        force: give values that the checks of the log refuse too.

    Raises:
        DataError: the chances of the log aren't known.
        ParameterError: the learner is none, or there are fewer clusters than folds.

    Cost: `folds` + 1 times that of the learner, and of the model.

    >>> from vitrina.policy import OfferWorld, PolicyTree
    >>> learned = fit_policy(OfferWorld().log(3000, seed=1), PolicyTree(depth=1), reward="orders")
    >>> print(learned.policy)
                          arm  share  value  value of 10%
    promo_share ≤ 0.5465  5%   54.7%   5.36          4.97
    promo_share > 0.5465  10%  45.3%   6.11          6.11
    >>> learned.verdict
    "PolicyTree brings 5.630 (5.433 to 5.827) orders per decision by DR, +0.145 against '10% to all', the best single arm for all: no measurable gain; a difference of 0.320 or more would have been seen."
    """
    if not isinstance(learner, Learner):
        example = f"Plugin(model={learner!r})" if callable(getattr(learner, "fit", None)) else "PolicyTree(depth=2)"
        raise ParameterError(
            f"The 'learner' is Plugin(), DRLearner() or PolicyTree(), for example {example}. Got {learner!r}.", parameter="learner"
        )
    name, title = reward_name(log, reward), type(learner).__name__
    judging = learner.model if model is None else model
    predictions = cross_fit(log, judging, reward=reward, folds=folds, seed=seed, biased=biased)
    other_parts = None if biased is None else parts_of(aligned(biased, log), log, predictions.folds)
    chances = np.empty((len(log), len(log.arms)))
    for part in range(folds):
        held = predictions.folds == part
        more = None if biased is None or other_parts is None else biased.rows(other_parts != part)
        chances[held] = chances_of(learner.fit(log.rows(~held), name, seed=seed, biased=more), log.units.rows(held))
    judged = {title: chances} | {f"{arm} to all": Always(arm) for arm in log.arms}
    values = evaluate(
        log,
        judged,
        reward=name,
        estimators=(DM(), SNIPS(), DR()),
        predictions=predictions,
        baseline=title,
        confidence=confidence,
        seed=seed,
        force=force,
    )
    policy, values = learner.fit(log, name, seed=seed, biased=biased), replace(values, notes=(*values.notes, NEARLY_EQUAL))
    return LearnedPolicy(policy, title, values, chances, predictions, name, 0 if biased is None else len(biased))
