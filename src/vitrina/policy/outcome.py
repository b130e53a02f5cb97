"""What each arm would bring each unit, as a model sees it, predicted for units that it didn't learn from."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.config import Config
from vitrina.base.errors import ArtifactError, DataError, ParameterError
from vitrina.base.places import places
from vitrina.base.state import State
from vitrina.policy.encoder import Encoder
from vitrina.policy.regress import Boosting, Ridge
from vitrina.policy.units import Units
from vitrina.types import Bool, Float32, Float64, Int32

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog

MANY = 10  # arms for which one model each would have too few rows
FEW = 50  # rows of an arm, likewise
LARGE = 20_000  # rows from which boosted trees are the default
Monotone = Literal["increasing", "decreasing"]


@final
class Outcome(Config):
    """How the reward of each arm is predicted from the features of a unit.

    Args:
        model: what has `fit(X, y)` and `predict(X)`: `Ridge()`, `Boosting()`, or anybody's. None: Ridge below 20,000 rows, Boosting from there on.
        together: one model for all arms, the arm being a feature of it; False: one model per arm. None: one for all where the order of arms means something (`monotone`),
            where there are more than 10 of them or one has fewer than 50 rows.
        monotone: what the reward does from each arm to the next one in their order, whatever the unit. Boosting grows its trees so; predictions of other models are put right per
            unit, by the nearest monotone numbers (weighted by the rows of each arm).

    >>> Outcome(monotone="increasing")
    Outcome(monotone='increasing')
    """

    model: Any = None
    together: bool | None = None
    monotone: Monotone | None = None

    @classmethod
    def of(cls, model: Any) -> Outcome:
        """A model, or none, as an Outcome.

        Raises:
            ParameterError: it can't learn.
        """
        outcome = model if isinstance(model, Outcome) else cls(model=model)
        if outcome.model is not None and not callable(getattr(outcome.model, "fit", None)):
            raise ParameterError(f"An outcome model has fit(X, y) and predict(X), such as Ridge(). Got {outcome.model!r}.", value=model)
        return outcome

    def fit(self, units: Units, actions: NDArray[Any], rewards: NDArray[Any], biased: Bool | None = None) -> FittedOutcome:
        """Learn from what came of decisions.

        Args:
            units: (n rows) who was decided on.
            actions: (n,) codes of `units.arms`.
            rewards: (n,).
            biased: (n,) whether the row is none of the trial's: a feature of its own, which predictions have at 0. None: no row is.

        Raises:
            DataError: an arm that should have a model of its own has no row.
        """
        encoder, arms = Encoder.of(units), len(units.arms)
        seen = encoder.matrix(units)
        if biased is not None:
            seen = np.column_stack([seen, biased.astype(np.float32)])
        counts = np.bincount(actions, minlength=arms)
        together = self.together
        if together is None:
            together = self.monotone is not None or arms > MANY or counts.min() < FEW
        model = self.model
        if model is None:
            model = Ridge() if len(rewards) < LARGE else Boosting()
        form = FittedOutcome(
            encoder, units.arms, (), self._layout(model, together=together), self.monotone, counts.astype(np.float64), biased is not None
        )
        if together:
            return form.with_models((_learned(model, form.joint(seen, actions), rewards, self._rising(model, form, seen.shape[1])),))
        if not counts.min():
            arm = units.arms[int(counts.argmin())]
            raise DataError(f"The arm {arm!r} has no row to learn from. Use Outcome(together=True), or leave the arm out of the log.")
        return form.with_models(tuple(_learned(model, seen[actions == arm], rewards[actions == arm]) for arm in range(arms)))

    def _layout(self, model: Any, *, together: bool) -> Layout:
        if not together:
            return "each"
        if self.monotone is None:
            return "arms"
        return "place" if isinstance(model, Boosting) else "products"

    def _rising(self, model: Any, form: FittedOutcome, width: int) -> tuple[int, ...] | None:
        """What Boosting has to know of its columns."""
        if form.layout != "place" or not isinstance(model, Boosting):
            return None
        return (*(0,) * width, 1 if self.monotone == "increasing" else -1)


Layout = Literal["each", "arms", "place", "products"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class FittedOutcome:
    """Predicts the reward of each arm.

    Args:
        encoder: of features.
        arms: their names.
        models: one per arm, or one for all.
        layout: what the one for all sees of the arm: "arms" a flag each; "place" its place in the order; "products" flags, and its place times each feature. "each": there is a model per arm.
        monotone: what predictions do from arm to arm.
        rows: (arms,) that each was learned from.
        flagged: whether the models know a flag of biased rows.
    """

    encoder: Encoder
    arms: tuple[str, ...]
    models: tuple[Any, ...]
    layout: Layout
    monotone: Monotone | None
    rows: Float64
    flagged: bool

    def with_models(self, models: tuple[Any, ...]) -> Self:
        return type(self)(self.encoder, self.arms, models, self.layout, self.monotone, self.rows, self.flagged)

    def __repr__(self) -> str:
        how = "a model per arm" if self.layout == "each" else "one model of all arms"
        return f"FittedOutcome({how}, {type(self.models[0]).__name__}, {len(self.arms)} arms)"

    def predict(self, units: Units) -> Float64:
        """(units, arms) expected rewards.

        Raises:
            DataError: a feature isn't there, or a model gives something else than a finite number per unit.
        """
        seen = self.encoder.matrix(units)
        if self.flagged:
            seen = np.column_stack([seen, np.zeros(len(seen), np.float32)])
        out = np.empty((len(units), len(self.arms)))
        for arm in range(len(self.arms)):
            model = self.models[arm if self.layout == "each" else 0]
            X = seen if self.layout == "each" else self.joint(seen, np.full(len(seen), arm))
            values = np.asarray(model.predict(X), np.float64)
            if values.shape != (len(units),) or not np.isfinite(values).all():
                raise DataError(
                    f"{type(model).__name__}.predict must give a finite number per row ({len(units):,}). Got the shape {values.shape}."
                )
            out[:, arm] = values
        return out if self.monotone is None or self.layout == "place" else monotone_rows(out, self.rows, self.monotone)

    def joint(self, seen: Float32, actions: NDArray[Any]) -> Float32:
        """(n, columns) features with the arm among them."""
        place = (actions / max(len(self.arms) - 1, 1)).astype(np.float32)[:, None]
        if self.layout == "place":
            return np.column_stack([seen, place])
        flags = (actions[:, None] == np.arange(len(self.arms))).astype(np.float32)
        return np.column_stack([seen, flags] if self.layout == "arms" else [seen, flags, place * seen])

    def state(self) -> State:
        for model in self.models:
            if not hasattr(model, "of_state"):
                raise ArtifactError(
                    f"What {type(model).__name__} has learned can't be saved: an artifact holds no code and no pickle. Use Ridge() or Boosting() as the model; "
                    "or save the decisions, as a table of units and arms."
                )
        return State(
            {"arms": self.arms, "layout": self.layout, "monotone": self.monotone, "flagged": self.flagged}, {"rows": self.rows},
            children={"encoder": self.encoder} | {f"model_{at}": model for at, model in enumerate(self.models)},
        )  # fmt: skip

    @classmethod
    def of_state(cls, state: State) -> FittedOutcome:
        models = tuple(state.children[f"model_{at}"] for at in range(len(state.children) - 1))
        return cls(state.children["encoder"], models=models, rows=state.arrays["rows"], **state.config)


def _learned(model: Any, X: Float32, y: NDArray[Any], rising: tuple[int, ...] | None = None) -> Any:
    """A copy of the model, fitted."""
    model = deepcopy(model)
    fitted = model.fit(X, y) if rising is None else model.fit(X, y, rising=rising)
    return fitted if hasattr(fitted, "predict") else model


def monotone_rows(values: Float64, weights: Float64, monotone: Monotone) -> Float64:
    """Each row as the numbers nearest to it, by weighted squares, that never fall (or never rise) from left to right.

    At k: the largest, over i <= k, of the least, over j >= k, weighted mean of i..j. [Robertson, Wright and Dykstra 1988], theorem 1.4.4.

    >>> monotone_rows(np.array([[1.0, 3, 2]]), np.ones(3), "increasing").tolist()
    [[1.0, 2.5, 2.5]]
    """
    if monotone == "decreasing":
        return -monotone_rows(-values, weights, "increasing")
    arms, weights = values.shape[1], np.maximum(weights, 1e-9)
    sums = np.column_stack([np.zeros(len(values)), np.cumsum(values * weights, axis=1)])
    totals, out = np.append(0.0, np.cumsum(weights)), np.full(values.shape, -np.inf)
    for first in range(arms):
        least = np.full(len(values), np.inf)
        for last in reversed(range(first, arms)):
            np.minimum(least, (sums[:, last + 1] - sums[:, first]) / (totals[last + 1] - totals[first]), out=least)
            np.maximum(out[:, last], least, out=out[:, last])
    return out


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
        model: what has `fit(X, y)` and `predict(X)`; an `Outcome`, which says how arms are treated; None: ridge or boosted trees by size.
        reward: its name, where the log has several.
        folds: parts; each is predicted by the others.
        seed: of the hash.
        biased: decisions whose chances nobody knows, such as those of a marketing department. They teach the model, with a flag, and nothing else: they are not predicted and never
            judged. A row of a cluster that is in the log teaches only where that cluster does.

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
    fit, notes = _fit_of(outcome, log, rewards, name, parts, biased)
    values = np.empty((len(log), len(log.arms)))
    for part in range(folds):
        held = parts == part
        values[held] = fit(part).predict(log.units.rows(held))
    return Predictions(values, parts, log.arms, name, notes)


def _fit_of(
    outcome: Outcome, log: DecisionLog, rewards: Float64, name: str, parts: Int32, biased: DecisionLog | None
) -> tuple[Callable[[int], FittedOutcome], tuple[str, ...]]:
    """What fits a model without one part, and notes on that."""
    if biased is None:
        return lambda part: outcome.fit(*_taken(log, rewards, parts != part)), ()
    other, other_parts = _aligned(biased, log), _parts_of(biased, log, parts)
    other_rewards = other.reward(name)

    def fit(part: int) -> FittedOutcome:
        own, more = _taken(log, rewards, parts != part), _taken(other, other_rewards, other_parts != part)
        flags = np.repeat([False, True], [len(own[0]), len(more[0])])
        return outcome.fit(stacked(own[0], more[0]), np.concatenate([own[1], more[1]]), np.concatenate([own[2], more[2]]), flags)

    return fit, (f"{len(biased):,} biased rows taught the outcome model; none of them is predicted or judged.",)


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


def _parts_of(biased: DecisionLog, log: DecisionLog, parts: Int32) -> Int32:
    """(biased rows,) the part of the log that has the same cluster; -1 where none has."""
    of_cluster = np.empty(len(log.cluster_ids), np.int32)
    of_cluster[log.clusters] = parts
    known = pl.DataFrame({"id": log.cluster_ids.cast(pl.String), "part": of_cluster})
    other = pl.DataFrame({"id": biased.cluster_ids.cast(pl.String)}).join(known, on="id", how="left", maintain_order="left")
    return other["part"].fill_null(-1).to_numpy()[biased.clusters]


def _aligned(biased: DecisionLog, log: DecisionLog) -> DecisionLog:
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
    return biased


def stacked(units: Units, more: Units) -> Units:
    """Both, with the features of the first."""
    ids = pl.concat([units.ids.cast(pl.String), more.ids.cast(pl.String)])
    features = pl.concat([units.features, more.features.select(units.features.columns)], how="vertical_relaxed")
    return Units(ids, features, units.arms)


def reward_name(log: DecisionLog, reward: str | None) -> str:
    """The name of the reward that is meant; of a log's only one where none is named."""
    return next(iter(log.rewards)) if reward is None else reward


def fitted_on(log: DecisionLog, model: Any, reward: str | None = None) -> FittedOutcome:
    """The model fitted on the whole log."""
    return Outcome.of(model).fit(log.units, log.actions, log.reward(reward))
