"""What policies would have brought, had they decided in place of the log: one question, one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.policy.estimators import DM, DR, IPS, SNIPS, Estimator
from vitrina.policy.judge import Doubt, Judge
from vitrina.policy.outcome import cross_fit
from vitrina.policy.policies import chances_of
from vitrina.policy.scores import predictions_of
from vitrina.policy.values import PolicyValues
from vitrina.policy.weights import Weights, weighted, weights_of
from vitrina.types import Float64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

FEWEST_DRAWS = 200


def evaluate(
    log: DecisionLog,
    policies: Mapping[str, Any],
    *,
    reward: str | Sequence[str] | None = None,
    estimators: Sequence[Estimator] | None = None,
    predictions: Any = None,
    baseline: str | None = None,
    groups: Mapping[str, str] | None = None,
    confidence: float = 0.95,
    bootstrap: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> PolicyValues:
    """What each policy is worth per decision, with its doubt, and beside the baseline on the same rows.

    Values are means over decisions whose chances were known, weighed by how much likelier the policy would have decided so. Clusters of the log are independent, their rows are not. Intervals are
    Student's t with the jackknife over clusters and the degrees of freedom that the weights leave; differences are paired and, where there are several policies, corrected together.

    Args:
        log: decisions with known chances.
        policies: name -> a `Policy`, chances (n, arms), or one arm per row (names or codes).
        reward: one or more; None: all of the log.
        estimators: configs; None: IPS and SNIPS, and DR where predictions are given. Sentences go by the last that isn't DM.
        predictions: of the reward, (n, arms) and out of fold: an array, what `cross_fit` returns, or a model, which is then cross-fitted. With several rewards name -> predictions, or a model.
        baseline: the policy that the others are compared with; None: the first of them.
        groups: arm -> group, for many arms: weights are those of groups of arms. Right where arms of one group bring the same; it is your claim, and no interval holds its error.
        confidence: of the interval of a value, and of all verdicts of one estimator on one reward together.
        bootstrap: draws of clusters, 1,000 or more are usual; intervals are then those of the bootstrap's t, which fits skewed rewards better. None: the jackknife.
        seed: of draws, and of folds where a model is given.
        force: give values that the checks of the log refuse too.

    Raises:
        DataError: the chances of the log aren't known.
        ParameterError: an estimator needs predictions, predictions don't fit, or nothing is to be judged.
        UnknownNameError: the baseline is none of the policies.

    Cost: for each policy a few passes over the rows and four columns of their length; with bootstrap, draws times the clusters, at most 16,384 groups of them.

    >>> import numpy as np, polars as pl, vitrina as vt
    >>> rng = np.random.default_rng(0)
    >>> arms, old = rng.integers(0, 2, 2000), rng.random(2000) < 0.5
    >>> table = pl.DataFrame({"mail": arms, "spent": 1 + arms * np.where(old, 1, -1) + rng.normal(0, 1, 2000)})
    >>> log = vt.policy.DecisionLog.of_frame(table, action="mail", reward="spent", propensity={0: 0.5, 1: 0.5})
    >>> values = evaluate(log, {"nobody": np.zeros(2000, int), "the old": old.astype(int)})
    >>> values.sentences[1]
    "'the old': spent 1.589 (1.518 to 1.660) per decision by SNIPS, better than 'nobody' by 0.563 (0.490 to 0.636)."
    """
    rewards = [reward] if isinstance(reward, str) else list(log.rewards if reward is None else reward)
    chosen = named_estimators(estimators, predictions is not None)
    baseline = require_baseline(policies, baseline)
    tables = {name: _predictions(log, predictions, name, len(rewards), seed) for name in rewards}
    refused = {} if force else _refusals(log, policies)
    judge = Judge(log.clusters, chosen, doubt_of(confidence, bootstrap, seed))
    for name, policy in policies.items():
        chances = chances_of(policy, log) if log.arms else of_lists(policy, log)
        if name in refused:
            judge.refuse(name, refused[name], Weights.of(weights_of(log, chances, groups)))
            continue
        for one in rewards:
            judge.take(name, one, (weighted(log, chances, one, tables[one], groups),))
    return PolicyValues(judge.table(list(policies), rewards, baseline), baseline, confidence, told_by(chosen), _notes(chosen, groups))


def of_lists(chances: Any, log: DecisionLog) -> Float64:
    """(n,) chances of the lists of a log of whole lists.

    Raises:
        ParameterError: they are not chances, one per row.
    """
    given = np.asarray(chances, np.float64)
    if given.shape != (len(log),) or not ((given >= 0) & (given <= 1)).all():
        raise ParameterError(
            f"Of a log of whole lists a policy is its chance, from 0 to 1, of each list that was shown ({len(log):,}). Got the shape {given.shape}.",
            parameter="policies",
        )
    return given


def named_estimators(estimators: Sequence[Estimator] | None, with_model: bool) -> dict[str, Estimator]:
    """By the names that tables show.

    Raises:
        ParameterError: there is none, one is no estimator or there twice, or one needs predictions and there are none.
    """
    if isinstance(estimators, Estimator):
        estimators = (estimators,)
    chosen = (IPS(), SNIPS(), *((DR(),) if with_model else ())) if estimators is None else tuple(estimators)
    named: dict[str, Estimator] = {}
    for one in chosen:
        if not isinstance(one, Estimator):
            raise ParameterError(f"Estimators are configs such as SNIPS() or DR(clip=10). Got {one!r}.", parameter="estimators")
        if one.needs_model and not with_model:
            raise ParameterError(
                f"{one!r} needs predictions of an outcome model: predictions=cross_fit(log), an array (n, arms), or a model with fit and predict. "
                "IPS() and SNIPS() need none.", parameter="predictions",
            )  # fmt: skip
        name = repr(one).removesuffix("()")
        if name in named:
            raise ParameterError(f"Each estimator may be there once. Got {name} twice.", parameter="estimators")
        named[name] = one
    if not named:
        raise ParameterError("There must be an estimator. Got none.", parameter="estimators")
    return named


def told_by(chosen: Mapping[str, Estimator]) -> str:
    """The estimator that sentences go by: the last that doesn't believe its model, where there is one."""
    return ([name for name, one in chosen.items() if not isinstance(one, DM)] or [*chosen])[-1]


def require_baseline(policies: Mapping[str, Any], baseline: str | None) -> str | None:
    """The name of the policy that others are compared with; None where there is only one."""
    if not isinstance(policies, Mapping) or not policies:
        raise ParameterError("Policies are named: {'old': ..., 'new': ...}. Got " + repr(policies)[:80] + ".", parameter="policies")
    if baseline is not None and baseline not in policies:
        raise UnknownNameError.of("policy", baseline, policies)
    return (baseline or next(iter(policies))) if len(policies) > 1 else None


def doubt_of(confidence: float, bootstrap: int | None, seed: int) -> Doubt:
    """How intervals are made, of parameters that make sense."""
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
    fewest = max(FEWEST_DRAWS, int(np.ceil(20 / (1 - confidence))))
    if bootstrap is not None and (isinstance(bootstrap, bool) or not isinstance(bootstrap, int) or bootstrap < fewest):
        raise ParameterError(
            f"The 'bootstrap' is how many draws are made, {fewest:,} or more at this confidence. Got {bootstrap!r}.", parameter="bootstrap"
        )
    return Doubt(confidence, bootstrap, seed)


def _predictions(log: DecisionLog, given: Any, reward: str, rewards: int, seed: int) -> NDArray[Any] | None:
    """(n, arms) of this reward; None without a model."""
    if isinstance(given, Mapping):
        if reward not in given:
            raise UnknownNameError.of("reward among the predictions", reward, given)
        given = given[reward]
    elif rewards > 1 and given is not None and not hasattr(given, "fit"):
        raise ParameterError(
            f"Predictions are of one reward, and {rewards} are judged. Give reward -> predictions, or a model.", parameter="predictions"
        )
    if hasattr(given, "fit"):
        given = cross_fit(log, given, reward=reward, seed=seed)
    return None if given is None else predictions_of(given, len(log), log.arms)


def _refusals(log: DecisionLog, policies: Mapping[str, Any]) -> dict[str, str]:
    """Why no value may be given of which policy."""
    checks = log.check(policies)
    found = {name: " ".join(checks.refusals(name)) for name in policies}
    return {name: why for name, why in found.items() if why}


def _notes(chosen: Mapping[str, Estimator], groups: Mapping[str, str] | None) -> tuple[str, ...]:
    notes = []
    if any(isinstance(one, DM) for one in chosen.values()):
        notes.append(
            "DM believes its model: where the model is wrong so is the value, and its interval doesn't hold that. Judge by the others."
        )
    if groups is not None:
        notes.append(
            f"Weights are those of {len(set(groups.values()))} groups of {len(groups)} arms: right where arms of one group bring the same. "
            "That is taken as given, and no interval holds its error."
        )
    return tuple(notes)
