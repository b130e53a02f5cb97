"""Policies that leave a share to chance, so that tomorrow's log can be judged again; who gets what; what that costs and buys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from vitrina.base.errors import ParameterError
from vitrina.base.places import places
from vitrina.base.state import State
from vitrina.policy.outcome import Predictions, cross_fit
from vitrina.policy.policies import Always, AtRandom, Policy, chances_of
from vitrina.policy.scores import aipw_scores
from vitrina.policy.units import Units
from vitrina.types import Bool, Float64, Int64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

QUANTILES = 64  # of an arm's value, over which the chance to be the best is a mean
POWER = 0.8  # with which a detectable difference is seen
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@final
@dataclass(frozen=True)
class Explored:
    """A policy that hands a share of its decisions to another one, by default to pure chance (epsilon-greedy).

    Its chances are (1 - share) * policy + share * towards, exactly; `assign` draws by them and gives them as propensities. With AtRandom every arm that a unit may get has at least the chance
    share / arms, so weights of tomorrow's log are at most arms / share.

    Args:
        policy: what decides otherwise.
        share: above 0 and at most 1.
        towards: what decides on the share.

    >>> from vitrina.policy import Always
    >>> units = Units.of_frame(pl.DataFrame({"client": ["a"]}), unit="client", arms=["none", "mail"])
    >>> chances_of(Explored(Always("mail"), share=0.1), units).round(3).tolist()
    [[0.05, 0.95]]
    """

    policy: Any
    share: float = 0.1
    towards: Any = field(default_factory=AtRandom)
    arms: None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.share, (int, float)) and 0 < self.share <= 1):
            raise ParameterError(f"The 'share' of Explored must be above 0 and at most 1. Got {self.share!r}.", parameter="share")
        for name in ("policy", "towards"):
            if not isinstance(getattr(self, name), Policy):
                raise ParameterError(
                    f"The {name!r} of Explored must be a Policy, such as fit_policy(...).policy. Got {getattr(self, name)!r}."
                )

    def probabilities(self, units: Units) -> Float64:
        """(units, arms of the units) chances."""
        return (1 - self.share) * chances_of(self.policy, units) + self.share * chances_of(self.towards, units)

    def examples(self) -> Units:
        """Units that nobody is, to ask it about."""
        return self.policy.examples()

    def state(self) -> State:
        return State({"share": self.share}, children={"policy": self.policy, "towards": self.towards})

    @classmethod
    def of_state(cls, state: State) -> Explored:
        return cls(state.children["policy"], state.config["share"], state.children["towards"])


@final
@dataclass(frozen=True)
class Thompson:
    """Each arm with the chance that it is the best one for the unit, as far as the policy knows.

    The value of each arm is taken as normal around the policy's prediction with its standard error, and as independent of the other arms'; the chance that it is the largest is a mean over 64 quantiles of it,
    the same for the same unit, and nothing is drawn. Where it is sure it explores little: by `least`.

    Args:
        policy: a fitted one whose model knows its errors: a PolicyTree, or a Plugin or DRLearner with Ridge and a model per arm.
        least: chance of each arm that a unit may get, so that no weight of tomorrow's log is above 1 / least.
    """

    policy: Any
    least: float = 0.01

    def __post_init__(self) -> None:
        if not callable(getattr(self.policy, "values", None)):
            raise ParameterError(
                f"Thompson needs a fitted policy that predicts the value of each arm, such as fit_policy(...).policy. Got {self.policy!r}."
            )
        if not 0 < self.least * len(self.policy.arms) < 1:
            most = 1 / len(self.policy.arms)
            raise ParameterError(
                f"The 'least' of Thompson must be above 0 and below {most:.4g}, as the chances sum to 1. Got {self.least!r}.",
                parameter="least",
            )

    @property
    def arms(self) -> tuple[str, ...]:
        return self.policy.arms

    def probabilities(self, units: Units) -> Float64:
        """(units, arms) chances."""
        values, errors = self.policy.values(units)
        free = np.ones(values.shape, bool) if units.allowed is None else units.allowed
        best = chance_of_best(values, errors, free)
        return self.least * free + (1 - self.least * free.sum(axis=1, keepdims=True)) * best

    def examples(self) -> Units:
        """Units that nobody is, to ask it about."""
        return self.policy.examples()

    def state(self) -> State:
        return State({"least": self.least}, children={"policy": self.policy})

    @classmethod
    def of_state(cls, state: State) -> Thompson:
        return cls(state.children["policy"], state.config["least"])


def chance_of_best(values: Float64, errors: Float64, free: Bool) -> Float64:
    """(n, arms) the chance that each arm is the best of those that are free, for independent normal values.

    Cost: arms^2 * 64 normal distribution functions per row.

    >>> chance_of_best(np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]]), np.ones((1, 2), bool)).round(2).tolist()
    [[0.24, 0.76]]
    """
    nodes = ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES)
    errors, chances = np.maximum(errors, 1e-12 + 1e-9 * np.abs(values)), np.zeros(values.shape)
    for arm in range(values.shape[1]):
        for node in nodes:
            own = values[:, arm] + errors[:, arm] * node
            wins = np.ones(len(values))
            for other in range(values.shape[1]):
                if other != arm:
                    wins *= np.where(free[:, other], ndtr((own - values[:, other]) / errors[:, other]), 1.0)
            chances[:, arm] += wins
    chances *= free
    return chances / chances.sum(axis=1, keepdims=True)


def assign(policy: Any, units: Units, *, salt: str) -> pl.DataFrame:
    """Who gets which arm: drawn by a hash of (salt, id of the unit), so that the same call gives the same answer anywhere, and the chance of it is known.

    The place of a unit between 0 and 1 is `vitrina.base.places` of "policy", the salt and the id; it gets the first arm whose cumulated chance is above that. A unit keeps its place as long as the
    salt is the same: take a new one for each round that should be drawn anew.

    Args:
        policy: a `Policy`, an array of chances (units, arms), or one arm per unit.
        units: whom.
        salt: the name of the round, such as "taxi-2026-11"; no ":".

    Returns:
        unit, arm, propensity: the chance with which the unit got this arm. Log all three.

    Raises:
        ParameterError: the salt is none, or the policy gives no chances.

    Cost: what the policy takes, and 0.7 s per million units.

    >>> from vitrina.policy import Always
    >>> units = Units.of_frame(pl.DataFrame({"client": ["ann", "bob"]}), unit="client", arms=["none", "mail"])
    >>> assign(Explored(Always("mail"), share=0.5), units, salt="may").rows()
    [('ann', 'mail', 0.75), ('bob', 'none', 0.25)]
    """
    if not isinstance(salt, str) or not salt or ":" in salt:
        raise ParameterError(f"The 'salt' is the name of the round, a text without ':'. Got {salt!r}.", parameter="salt", value=salt)
    chances = chances_of(policy, units)
    codes = drawn_arms(chances, places("policy", salt, units.ids.cast(pl.String))[0])
    propensity = chances[np.arange(len(codes)), codes]
    return pl.DataFrame({"unit": units.ids, "arm": pl.Series(units.arms, dtype=pl.String).gather(codes), "propensity": propensity})


def drawn_arms(chances: Float64, at: NDArray[Any]) -> Int64:
    """(n,) the arm in whose part of [0, 1) each place falls; an arm of chance 0 has none."""
    ends = np.cumsum(chances, axis=1)
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1)  # rounding may leave the sum below 1
    return np.minimum((at[:, None] >= ends).sum(axis=1), last)


def exploration(
    log: DecisionLog,
    policy: Any,
    *,
    shares: Sequence[float] = SHARES,
    rows: int | None = None,
    baseline: Any = None,
    reward: str | None = None,
    predictions: Predictions | Any = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """What a random share of decisions costs, and what it buys: how narrow next period's interval is.

    If next period the share x is decided by lot and the rest by the policy, then x times the difference between the policy and chance is lost, and the logged chances are
    p' = (1 - x) policy + x / arms. The doubly robust difference d = policy - baseline will have the variance Var(sum_a d_a mu_a) + E[sum_a d_a^2 / p'_a (r - mu_a)^2], of which the second term is
    estimated on the present log with its own chances. Clusters are as large as now.

    Args:
        log: decisions with known chances.
        policy: that is to be used. It must not have been learned from these rows: give `learned.chances`, in which each row is decided by a policy that didn't see it.
        shares: above 0 and at most 1.
        rows: decisions of the next period; None: as many as the log has.
        baseline: what the policy will be compared with; None: the control for all.
        reward: its name, where the log has several.
        predictions: (n, arms) out of fold; None: cross-fitted.
        confidence: of intervals.

    Returns:
        A row per share: share; cost (value lost per decision), cost_low, cost_high; total_cost (of all rows); half_width (of next period's interval of the difference to the baseline); detectable (the
        difference that would be seen four times of five).

    Cost: a cross-fit where there are no predictions, and a pass per share.
    """
    wrong = [share for share in shares if not 0 < share <= 1]
    if wrong:
        raise ParameterError(
            f"The 'shares' must be above 0 and at most 1: with 0 nothing can be told next time. Got {wrong[0]!r}.", parameter="shares"
        )
    rows = len(log) if rows is None else rows
    mu = cross_fit(log, None, reward=reward) if predictions is None else predictions
    scores, mu = aipw_scores(log, mu, reward=reward), np.asarray(getattr(mu, "values", mu), np.float64)
    own, chance = chances_of(policy, log), chances_of(AtRandom(), log)
    apart = own - chances_of(Always(log.arms[log.control]) if baseline is None else baseline, log)
    lost, error = _mean(((own - chance) * scores).sum(axis=1), log.clusters)
    terms, at = (apart * scores).sum(axis=1), np.arange(len(log))
    swell = (_mean(terms, log.clusters)[1] / _mean(terms, np.arange(len(log)))[1]) ** 2 if terms.any() else 1.0
    left = (log.reward(reward) - mu[at, log.actions]) ** 2 * apart[at, log.actions] ** 2 / log.propensity
    spread, quantile = float((apart * mu).sum(axis=1).var()), float(stdtrit(np.inf, (1 + confidence) / 2))
    made = []
    for share in shares:
        later = (1 - share) * own + share * chance
        half = np.sqrt(swell * (spread + float((left / later[at, log.actions]).mean())) / rows)
        half_cost = share * quantile * error
        made.append(
            (
                share,
                share * lost,
                share * lost - half_cost,
                share * lost + half_cost,
                share * lost * rows,
                quantile * half,
                (quantile + ndtri(POWER)) * half,
            )
        )
    names = ("share", "cost", "cost_low", "cost_high", "total_cost", "half_width", "detectable")
    return pl.DataFrame(made, dict.fromkeys(names, pl.Float64), orient="row")


def _mean(terms: Float64, clusters: NDArray[Any]) -> tuple[float, float]:
    """The mean, and its error when clusters come whole."""
    mean = float(terms.mean())
    sums = np.bincount(clusters, terms - mean)
    sizes = np.bincount(clusters)
    groups = int((sizes > 0).sum())
    return mean, float(np.sqrt(groups / max(groups - 1, 1) * (sums**2).sum())) / len(terms)
