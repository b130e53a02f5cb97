"""What each arm would bring each unit of a log, predicted by models that learned from others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.places import places
from vitrina.policy.expected import FittedOutcome, Outcome
from vitrina.policy.units import Units
from vitrina.types import Bool, Float64, Int32

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


@final
@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """What a model expects of each arm for each row of a log, learned from rows of other clusters.

    Args:
        values: (rows, arms) rewards, columns as `log.arms`.
        folds: (rows,) the part that each row was in; the clusters of a part are whole.
        arms: of the columns.
        reward: which it is.
        notes: what was done, in sentences.
    """

    values: Float64
    folds: Int32
    arms: tuple[str, ...]
    reward: str
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Predictions({len(self):,} rows, {len(self.arms)} arms, {self.folds.max(initial=0) + 1} folds, of {self.reward!r})"

    def quality(self, log: DecisionLog) -> pl.DataFrame:
        """How well they hit: a row per arm, of the rows that got it.

        Returns:
            arm, rows, mean (of the reward), predicted (mean), error (root of the mean square), explained (the share of the reward's variance; below 0 the mean would be better).
        """
        rewards, rows = log.reward(self.reward), []
        for arm, name in enumerate(self.arms):
            y, mu = rewards[log.actions == arm], self.values[log.actions == arm, arm]
            square, spread = (float(((y - at) ** 2).mean()) if len(y) else None for at in (mu, y.mean() if len(y) else 0.0))
            explained = None if not spread or square is None else 1 - square / spread
            rows.append(
                (
                    name,
                    len(y),
                    float(y.mean()) if len(y) else None,
                    float(mu.mean()) if len(y) else None,
                    None if square is None else square**0.5,
                    explained,
                )
            )
        schema = {"arm": pl.String, "rows": pl.Int64} | dict.fromkeys(("mean", "predicted", "error", "explained"), pl.Float64)
        return pl.DataFrame(rows, schema, orient="row")


def cross_fit(
    log: DecisionLog, model: Any = None, *, reward: str | None = None, folds: int = 5, seed: int = 0, biased: DecisionLog | None = None
) -> Predictions:
    """Predict the reward of every arm for every row by models that saw no row of its cluster.

    Clusters are dealt to folds by a hash of (seed, id). The estimate of a policy with these predictions is unbiased however wrong they are, as long as propensities
    are right ([Chernozhukov et al. 2018](https://doi.org/10.1111/ectj.12097)).

    Args:
        log: decisions.
        model: what has `fit(X, y)` and `predict(X)`; an `Outcome`, which says how arms are treated; None: see `Outcome`.
        reward: its name, where the log has several.
        folds: parts; each is predicted by the others.
        seed: of the hash.
        biased: decisions whose chances nobody knows, such as those of a marketing department. A model of them is fitted first, and the log teaches what differs from it:
            mu(x) = mu_biased(x) + delta(x). They are not predicted and never judged. A row of a cluster that is in the log teaches only where that cluster does.

    Raises:
        ParameterError: fewer clusters than folds, or fewer than 2 folds.
        DataError: the biased log has other arms, features or rewards.

    Cost: `folds` fits of the model.

    >>> from vitrina.policy.simulate import OfferWorld
    >>> log = OfferWorld().log(3000, seed=1)
    >>> predictions = cross_fit(log, reward="orders")
    >>> predictions
    Predictions(3,000 rows, 3 arms, 5 folds, of 'orders')
    """
    outcome, rewards, name = Outcome.of(model), log.reward(reward), reward_name(log, reward)
    parts = folds_of(log, folds, seed)
    prior = _prior_of(outcome, log, name, parts, biased)
    values = np.empty((len(log), len(log.arms)))
    for part in range(folds):
        held = parts == part
        values[held] = outcome.fit(*_taken(log, rewards, ~held), prior(part)).predict(log.units.rows(held))
    notes = () if biased is None else (f"{len(biased):,} biased rows taught the outcome model; none of them is predicted or judged.",)
    return Predictions(values, parts, log.arms, name, notes)


def _prior_of(
    outcome: Outcome, log: DecisionLog, name: str, parts: Int32, biased: DecisionLog | None
) -> Callable[[int], FittedOutcome | None]:
    """What biased decisions say to whom is not in a part of the log: a model for all parts where the two logs share no cluster."""
    if biased is None:
        return lambda part: None
    other = aligned(biased, log)
    rewards, other_parts = other.reward(name), parts_of(other, log, parts)
    apart = other_parts.max(initial=-1) < 0

    @cache
    def fitted(part: int) -> FittedOutcome:
        return outcome.fit(*_taken(other, rewards, other_parts != part))

    return lambda part: fitted(-2 if apart else part)


def _taken(log: DecisionLog, rewards: Float64, where: Bool) -> tuple[Units, Int32, Float64]:
    return log.units.rows(where), log.actions[where], rewards[where]


def folds_of(log: DecisionLog, folds: int, seed: int) -> Int32:
    """(rows,) the part of each row, 0 to folds - 1: clusters in the order of a hash of (seed, id), dealt out one by one.

    Raises:
        ParameterError: there are fewer clusters than folds, or fewer than 2 folds.
    """
    if not 2 <= folds <= len(log.cluster_ids):
        raise ParameterError(
            f"The 'folds' must be from 2 to the number of clusters ({len(log.cluster_ids):,}), so that each is predicted from others. Got {folds}.", parameter="folds", value=folds,
        )  # fmt: skip
    order = np.argsort(places("fold", str(seed), log.cluster_ids.cast(pl.String))[0], kind="stable")
    of_cluster = np.empty(len(order), np.int32)
    of_cluster[order] = np.arange(len(order)) % folds
    return of_cluster[log.clusters]


def parts_of(biased: DecisionLog, log: DecisionLog, parts: Int32) -> Int32:
    """(biased rows,) the part of the log that has the same cluster; -1 where none has."""
    of_cluster = np.empty(len(log.cluster_ids), np.int32)
    of_cluster[log.clusters] = parts
    known = pl.DataFrame({"id": log.cluster_ids.cast(pl.String), "part": of_cluster})
    other = pl.DataFrame({"id": biased.cluster_ids.cast(pl.String)}).join(known, on="id", how="left", maintain_order="left")
    return other["part"].fill_null(-1).to_numpy()[biased.clusters]


def aligned(biased: DecisionLog, log: DecisionLog) -> DecisionLog:
    """The biased log, which speaks of the same arms and features."""
    if not hasattr(biased, "actions"):
        raise ParameterError(
            f"The 'biased' decisions are a DecisionLog, which needs no propensity: DecisionLog.of_frame(table, action=, reward=, features=, arms=). Got {type(biased).__name__}."
        )
    if biased.arms != log.arms:
        raise DataError(f"The biased log must have the arms of the log, in their order: arms={list(log.arms)}. It has {list(biased.arms)}.")
    missing = set(log.units.features.columns) - set(biased.units.features.columns)
    if missing:
        raise DataError(
            f"The biased log must have the features of the log. It lacks {', '.join(sorted(missing))}: name them among its features=."
        )
    features = biased.units.features.select(log.units.features.columns)
    return replace(biased, units=replace(biased.units, features=features))


def reward_name(log: DecisionLog, reward: str | None) -> str:
    """The name of the reward that is meant; of a log's only one where none is named."""
    return next(iter(log.rewards)) if reward is None else reward


def fitted_on(log: DecisionLog, model: Any, reward: str | None = None, biased: DecisionLog | None = None) -> FittedOutcome:
    """The model fitted on the whole log."""
    outcome, name = Outcome.of(model), reward_name(log, reward)
    prior = None if biased is None else fitted_on(aligned(biased, log), outcome, name)
    return outcome.fit(log.units, log.actions, log.reward(name), prior)
