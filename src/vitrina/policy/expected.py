"""How the reward of each arm is learned from what is known of a unit, and the fitted thing that predicts it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.config import Config
from vitrina.base.errors import ArtifactError, DataError, ParameterError
from vitrina.base.state import State
from vitrina.policy.encoder import Encoder
from vitrina.policy.regress import Boosting, Linear, Ridge
from vitrina.policy.units import Units
from vitrina.types import Float32, Float64

MANY = 10  # arms for which one model each would have too few rows
FEW = 50  # rows of an arm, likewise
LARGE = 20_000  # rows from which boosted trees are tried
HELD = 0.2  # of the rows, on which they must be better than a ridge
Monotone = Literal["increasing", "decreasing"]


@final
class Outcome(Config):
    """How the reward of each arm is predicted from the features of a unit.

    Args:
        model: what has `fit(X, y)` and `predict(X)`: `Ridge()`, `Boosting()`, or anybody's. None: Ridge below 20,000 rows; from there on Ridge or Boosting, whichever has the
            smaller error on a fifth of the rows.
        together: one model for all arms, the arm being a feature of it; False: one model per arm. None: one for all where the order of arms means something (`monotone`),
            where there are more than 10 of them or one has fewer than 50 rows, and for Boosting, which finds by itself what differs between arms.
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

    def fit(self, units: Units, actions: NDArray[Any], rewards: NDArray[Any], prior: FittedOutcome | None = None) -> FittedOutcome:
        """Learn from what came of decisions.

        Args:
            units: (n rows) who was decided on.
            actions: (n,) codes of `units.arms`.
            rewards: (n,).
            prior: what other data say. Only the difference to it is learned: mu(x) = mu_prior(x) + delta(x), which is little where the other data are right.

        Raises:
            DataError: an arm that should have a model of its own has no row.
        """
        if self.model is None and len(rewards) >= LARGE:
            return self._better(units, actions, rewards, prior).fit(units, actions, rewards, prior)
        arms, model = len(units.arms), Ridge() if self.model is None else self.model
        encoder, counts = Encoder.of(units), np.bincount(actions, minlength=arms)
        seen = encoder.matrix(units)
        if prior is not None:
            rewards = rewards - prior.predict(units)[np.arange(len(actions)), actions]
        together = self.together
        if together is None:
            together = self.monotone is not None or arms > MANY or counts.min() < FEW or isinstance(model, Boosting)
        form = FittedOutcome(
            encoder, units.arms, (), self._layout(model, together=together), self.monotone, counts.astype(np.float64), prior
        )
        if together:
            return form.with_models((_learned(model, form.joint(seen, actions), rewards, self._rising(model, form, seen.shape[1])),))
        if not counts.min():
            arm = units.arms[int(counts.argmin())]
            raise DataError(f"The arm {arm!r} has no row to learn from. Use Outcome(together=True), or leave the arm out of the log.")
        return form.with_models(tuple(_learned(model, seen[actions == arm], rewards[actions == arm]) for arm in range(arms)))

    def _better(self, units: Units, actions: NDArray[Any], rewards: NDArray[Any], prior: FittedOutcome | None) -> Outcome:
        """Ridge or Boosting, whichever predicts a fifth of the rows better from the others."""
        held = np.random.default_rng(0).random(len(rewards)) < HELD
        rows, errors = np.arange(int(held.sum())), {}
        for model in (Ridge(), Boosting()):
            one = self.model_copy(update={"model": model})
            fitted = one.fit(units.rows(~held), actions[~held], rewards[~held], prior)
            errors[one] = float(((fitted.predict(units.rows(held))[rows, actions[held]] - rewards[held]) ** 2).mean())
        return min(errors, key=lambda one: errors[one])

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
        prior: what other data say; the models are of what differs from it.
    """

    encoder: Encoder
    arms: tuple[str, ...]
    models: tuple[Any, ...]
    layout: Layout
    monotone: Monotone | None
    rows: Float64
    prior: FittedOutcome | None = None

    @classmethod
    def of_columns(cls, units: Units, columns: Float64, outcome: Outcome) -> FittedOutcome:
        """A model for each of (n, arms) columns of numbers that are known for every unit; nothing is learned of a column of zeros.

        Where no model is named it is Ridge: columns are scores, whose noise is large beside what there is to find in them.
        """
        encoder, model = Encoder.of(units), Ridge() if outcome.model is None else outcome.model
        seen = encoder.matrix(units)
        models = tuple(_learned(model, seen, column) if column.any() else Linear.zero(seen.shape[1]) for column in columns.T)
        return cls(encoder, units.arms, models, "each", outcome.monotone, np.full(columns.shape[1], float(len(columns))))

    def with_models(self, models: tuple[Any, ...]) -> Self:
        return replace(self, models=models)

    def __repr__(self) -> str:
        how = "a model per arm" if self.layout == "each" else "one model of all arms"
        return f"FittedOutcome({how}, {type(self.models[0]).__name__}, {len(self.arms)} arms)"

    def predict(self, units: Units) -> Float64:
        """(units, arms) expected rewards.

        Raises:
            DataError: a feature isn't there, or a model gives something else than a finite number per unit.
        """
        seen = self.encoder.matrix(units)
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
        out = out if self.prior is None else out + self.prior.predict(units)
        return out if self.monotone is None or self.layout == "place" else monotone_rows(out, self.rows, self.monotone)

    def errors(self, units: Units) -> Float64:
        """(units, arms) standard errors of predictions.

        Raises:
            ParameterError: the models know none.
        """
        if self.layout != "each" or not all(hasattr(model, "error") for model in self.models):
            raise ParameterError(
                f"{self!r} doesn't know how far off its predictions may be. Use a Ridge() per arm as the model, or a PolicyTree; or explore with AtRandom()."
            )
        seen = self.encoder.matrix(units)
        return np.stack([model.error(seen) for model in self.models], axis=1)

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
        prior = {} if self.prior is None else {"prior": self.prior}
        return State(
            {"arms": self.arms, "layout": self.layout, "monotone": self.monotone}, {"rows": self.rows},
            children=prior | {"encoder": self.encoder} | {f"model_{at}": model for at, model in enumerate(self.models)},
        )  # fmt: skip

    @classmethod
    def of_state(cls, state: State) -> FittedOutcome:
        children = dict(state.children)
        encoder, prior = children.pop("encoder"), children.pop("prior", None)
        return cls(
            encoder,
            models=tuple(children[f"model_{at}"] for at in range(len(children))),
            rows=state.arrays["rows"],
            prior=prior,
            **state.config,
        )


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
