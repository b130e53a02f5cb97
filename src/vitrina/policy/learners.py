"""What learns a policy from a log: a plug-in, a learner of effects, and the best small tree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, final

from pydantic import Field

from vitrina.base.config import Config
from vitrina.policy.expected import Outcome
from vitrina.policy.greedy import Effects, Greedy
from vitrina.policy.outcome import aligned, cross_fit, fitted_on
from vitrina.policy.policies import Policy
from vitrina.policy.scores import aipw_scores
from vitrina.policy.tree import TreePolicy, grown
from vitrina.types import Float64

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

INNER = 5  # folds of the predictions behind the scores that a learner learns from


class Learner(Config, ABC):
    """The base of what learns a policy from a log: `fit` gives the policy."""

    model: Any = None

    @abstractmethod
    def fit(self, log: DecisionLog, reward: str, *, seed: int = 0, biased: DecisionLog | None = None) -> Policy:
        """Learn from all rows.

        Args:
            log: decisions with known chances.
            reward: what should be large; costs are taken off beforehand (`log.with_reward`).
            seed: of folds inside.
            biased: decisions whose chances nobody knows; see `cross_fit`.
        """


@final
class Plugin(Learner):
    """Each unit gets the arm of the largest predicted reward.

    Args:
        model: of rewards: anything with `fit` and `predict`, or an `Outcome`. None: see `Outcome`.

    >>> Plugin()
    Plugin()
    """

    def fit(self, log: DecisionLog, reward: str, *, seed: int = 0, biased: DecisionLog | None = None) -> Greedy:
        return Greedy(fitted_on(log, self.model, reward, biased))


@final
class DRLearner(Learner):
    """Each unit gets the arm of the largest predicted effect, where the effect of an arm is a regression of its doubly robust scores less those of the control.

    A model of rewards spends itself on who buys much; this one learns only what differs between arms ([Kennedy 2023](https://doi.org/10.1214/23-EJS2157)). With biased decisions the effect is
    theirs plus a correction learned from the scores: tau(x) = tau_biased(x) + delta(x) ([Kallus, Puli and Shalit 2018](https://arxiv.org/abs/1810.11646)).

    Args:
        model: of rewards, and of effects: anything with `fit` and `predict`, or an `Outcome`. None: see `Outcome` for rewards, and Ridge for effects.

    >>> DRLearner()
    DRLearner()
    """

    def fit(self, log: DecisionLog, reward: str, *, seed: int = 0, biased: DecisionLog | None = None) -> Greedy:
        outcome = Outcome.of(self.model)
        scores = _scores(log, outcome, reward, seed)
        prior = None if biased is None else fitted_on(aligned(biased, log), outcome, reward)
        return Greedy(Effects.of(log.units, scores, log.control, outcome, prior))


@final
class PolicyTree(Learner):
    """The tree of tests whose leaves are arms with the largest sum of doubly robust scores, of all trees: it prints as rules.

    The search is exact over the tests that are offered: between all different values of a column, or between `bins` quantiles where there are more ([Zhou, Athey and Wager 2023](https://doi.org/10.1287/opre.2022.2271)).

    Args:
        depth: tests on the way to a leaf: 1, 2 or 3.
        model: of rewards, behind the scores: anything with `fit` and `predict`, or an `Outcome`. None: see `Outcome`.
        bins: parts that a column is cut into.
        min_rows: of a leaf.

    Cost: 7 ns x rows x arms x columns^2 at depth 2, 14 s for a million rows, 5 arms and 20 columns; at depth 3 as often as there are tests, which is refused beyond a minute or two.

    >>> PolicyTree(depth=1)
    PolicyTree(depth=1)
    """

    depth: int = Field(default=2, ge=1, le=3)
    bins: int = Field(default=32, ge=2, le=256)
    min_rows: int = Field(default=50, ge=1)

    def fit(self, log: DecisionLog, reward: str, *, seed: int = 0, biased: DecisionLog | None = None) -> TreePolicy:
        scores = _scores(log, Outcome.of(self.model), reward, seed, biased)
        return grown(log.units, scores, depth=self.depth, bins=self.bins, min_rows=self.min_rows)


def _scores(log: DecisionLog, model: Any, reward: str, seed: int, biased: DecisionLog | None = None) -> Float64:
    return aipw_scores(
        log, cross_fit(log, model, reward=reward, folds=min(INNER, len(log.cluster_ids)), seed=seed, biased=biased), reward=reward
    )
