"""What prices do, from prices that were drawn for people, visits or shops: arms of a log of decisions with known chances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.plan.price.monotone import falling
from vitrina.plan.price.pooled import shrunk
from vitrina.plan.price.response import Curve, PriceResponse
from vitrina.policy.log import DecisionLog
from vitrina.policy.outcome import cross_fit
from vitrina.policy.reading import arm_name
from vitrina.policy.scores import aipw_scores
from vitrina.types import Float64, Int64
from vitrina.vocabulary import Vocabulary

TINY = 1e-3  # of the best arm's demand: what an arm without any is taken to have, as a logarithm of 0 is none
VAGUE = 10.0  # standard deviation of the centre of elasticities beforehand


def arm_response(
    log: DecisionLog,
    prices: Mapping[Any, float],
    *,
    reward: str | None = None,
    by: str | None = None,
    predictions: Any = None,
    confidence: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> PriceResponse:
    """Demand per arm of a log whose arms are prices, never rising with the price, and the elasticity that fits it.

    The demand of an arm is the mean of its doubly robust scores (`vt.policy.aipw_scores`), its error that of whole clusters. Arms in the wrong order are pooled, weighed by one over their variance (isotonic
    regression); draws of the curve are draws of the means, pooled likewise. The elasticity is the slope of log demand over log price by generalised least squares, where `by` gives several items
    drawn to each other as `price_response` does. The prices were drawn, so there is no warning.

    Args:
        log: decisions with known chances; units were demanded or not, bought or not.
        prices: arm -> its price; or what is left of the price, 0.9 for a discount of 10%.
        reward: units, or whether somebody bought; its name where the log has several.
        by: a feature of the units: a response for each of its values (an item, a category). None: one for all, called "all".
        predictions: (rows, arms) of the reward out of fold, what `vt.policy.cross_fit` returns, or a model; None: means of arms, which makes the demand a self-normalised mean.
        confidence: of the intervals.
        draws: of the curve.
        seed: of draws and folds.

    Returns:
        A PriceResponse with `curve`. Its base is the price of the control arm.

    Raises:
        ParameterError: arms lack a price, a price isn't above 0, or there are fewer than two.
        DataError: chances aren't known, checks of the log refuse it, or nothing was demanded.
        UnknownNameError: there is no such feature.

    Cost: a pass over (rows, arms), and draws * values of `by` * arms.

    >>> import polars as pl, vitrina as vt
    >>> rng = np.random.default_rng(0)
    >>> price = rng.choice([8.0, 9.0, 10.0], 20_000)
    >>> table = pl.DataFrame({"price": price, "bought": rng.random(20_000) < 0.1 * (price / 10) ** -2})
    >>> log = vt.policy.DecisionLog.of_frame(table, action="price", reward="bought", propensity={8.0: 1 / 3, 9.0: 1 / 3, 10.0: 1 / 3})
    >>> arm_response(log, {8.0: 8, 9.0: 9, 10.0: 10}).elasticity.round(0).tolist()
    [-2.0]
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
    at = _prices(log, prices)
    refused = log.check().refusals()
    if refused:
        raise DataError("The log can't tell what a price does. " + " ".join(refused))
    names, level = _levels(log, by)
    means = _means(log, _scores(log, predictions, reward, level, len(names), seed), level, names, np.argsort(at))
    own, error = _slopes(means, np.sort(at))
    if not np.isfinite(error).any():
        raise DataError("No item was demanded at two prices, so there is no slope. Take more decisions.")
    found, (curve, pooled) = shrunk(own, error, 0.0, VAGUE), _curve(means, np.sort(at), draws, seed)
    items, ones = Vocabulary.of(names), np.ones(len(names))
    base, least, most = at[log.control] * ones, at.min() * ones, at.max() * ones
    table = pl.DataFrame({
        "item": items.ids, "title": items.ids.cast(pl.String), "category": pl.Series([None] * len(names), dtype=pl.String), "base": base, "least": least, "most": most, "prices": np.full(len(names), len(at)),
        "days": pl.Series([None] * len(names), dtype=pl.Int64), "units": np.bincount(level, log.reward(reward), len(names)),
        "rows": np.bincount(level, minlength=len(names)), "own": np.where(np.isinf(error), np.nan, own), "own_error": error,
    }).with_columns(pl.col("own").fill_nan(None))  # fmt: skip
    notes = (
        f"{pooled:,} of {len(names):,} items had arms in the wrong order, which were pooled: their demand is the same at these prices.",
    ) * (pooled > 0)
    rows = np.arange(len(names), dtype=np.int32)
    return PriceResponse(
        items, rows, found.mean, found.error, base, least, most, False, table, confidence, None, (*log.notes, *notes), curve
    ).tabled()


class _Means(NamedTuple):
    """Demand per arm, arms by their price.

    Args:
        mean: (rows, arms)
        cov: (rows, arms, arms)
    """

    mean: Float64
    cov: Float64


def _prices(log: DecisionLog, prices: Mapping[Any, float]) -> Float64:
    """(arms,) in the order of the log."""
    named = {arm_name(arm): price for arm, price in prices.items()}
    missing = [arm for arm in log.arms if arm not in named]
    if missing or len(named) != len(log.arms):
        raise ParameterError(
            f"Every arm has a price: {{arm: price}}. Without one or unknown: {', '.join(missing or sorted(set(named) - set(log.arms)))}.",
            parameter="prices",
        )
    at = np.array([named[arm] for arm in log.arms], np.float64)
    if not ((at > 0) & np.isfinite(at)).all() or len(np.unique(at)) < len(at) or len(at) < 2:
        raise ParameterError(
            f"Prices of arms are two or more different numbers above 0; what is left of the price, such as 0.9, where arms are discounts. Got {at.tolist()}.",
            parameter="prices",
        )
    return at


def _levels(log: DecisionLog, by: str | None) -> tuple[list[str], Int64]:
    """Names of what has a response of its own, and the (rows,) code of each decision."""
    if by is None:
        return ["all"], np.zeros(len(log), np.int64)
    if by not in log.units.features.columns:
        raise UnknownNameError.of("feature of the log", by, log.units.features.columns)
    values = log.units.features[by].cast(pl.String).fill_null("none")
    names = values.unique(maintain_order=True)
    return names.to_list(), np.asarray(values.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64))


def _scores(log: DecisionLog, predictions: Any, reward: str | None, level: Int64, levels: int, seed: int) -> NDArray[Any]:
    """(rows, arms) doubly robust scores."""
    if hasattr(predictions, "fit"):
        predictions = cross_fit(log, predictions, reward=reward, seed=seed)
    if predictions is None:
        cell = level * len(log.arms) + log.actions
        heavy, size = 1 / log.propensity, levels * len(log.arms)
        sums, weights = np.bincount(cell, heavy * log.reward(reward), size), np.bincount(cell, heavy, size)
        predictions = np.divide(sums, weights, out=np.zeros(size), where=weights > 0).reshape(levels, -1)[level]
    return aipw_scores(log, predictions, reward=reward)


def _means(log: DecisionLog, scores: NDArray[Any], level: Int64, names: list[str], order: NDArray[Any]) -> _Means:
    """Of each row; the covariance is that of whole clusters."""
    arms, count = scores.shape[1], np.bincount(level, minlength=len(names))
    mean = np.stack([np.bincount(level, scores[:, a], len(names)) for a in range(arms)], axis=1) / count[:, None]
    if not (mean.max(axis=1) > 0).all():
        row = int(np.flatnonzero(~(mean.max(axis=1) > 0))[0])
        raise DataError(f"Nothing was demanded at any price of {names[row]!r}. Leave it out, or take more decisions.")
    pairs, cell = np.unique(level * len(log.cluster_ids) + log.clusters, return_inverse=True)
    off = scores - mean[level]
    sums = np.stack([np.bincount(cell, off[:, a], len(pairs)) for a in range(arms)], axis=1)  # (clusters of rows, arms)
    of, cov = pairs // len(log.cluster_ids), np.zeros((len(names), arms, arms))
    np.add.at(cov, of, sums[:, :, None] * sums[:, None, :])
    clusters = np.bincount(of, minlength=len(names))
    cov *= (clusters / np.maximum(clusters - 1, 1) / count**2)[:, None, None]
    return _Means(mean[:, order], cov[:, order][:, :, order])


def _curve(means: _Means, at: Float64, draws: int, seed: int) -> tuple[Curve, int]:
    """The demand that never rises with the price, and of how many rows arms were in the wrong order."""
    rows, arms = means.mean.shape
    variance = np.maximum(np.diagonal(means.cov, axis1=1, axis2=2), 1e-300)
    floor = TINY * means.mean.max(axis=1)
    best = falling(means.mean, 1 / variance)
    values, axes = np.linalg.eigh(means.cov)
    noise = np.random.default_rng(seed).standard_normal((draws, rows, arms)) * np.sqrt(np.maximum(values, 0.0))
    drawn = means.mean + np.einsum("rab,drb->dra", axes, noise)
    drawn = falling(drawn.reshape(-1, arms), np.broadcast_to(1 / variance, drawn.shape).reshape(-1, arms)).reshape(drawn.shape)
    levels, sampled = np.log(np.maximum(best, floor[:, None])), np.log(np.maximum(drawn, floor[:, None]))
    return Curve(at, levels, sampled, means.mean, np.sqrt(variance)), int((np.abs(best - means.mean) > 1e-12).any(axis=1).sum())


def _slopes(means: _Means, at: Float64) -> tuple[Float64, Float64]:
    """(rows,) elasticities and their errors, by generalised least squares of log demand; an infinite error where fewer than two arms were demanded."""
    slope, error = np.full(len(means.mean), -1.0), np.full(len(means.mean), np.inf)
    for row, (mean, cov) in enumerate(zip(means.mean, means.cov, strict=True)):
        on = (mean > 0) & (np.diag(cov) > 0)
        if on.sum() < 2:
            continue
        logs = cov[np.ix_(on, on)] / np.outer(mean[on], mean[on])
        precise = np.linalg.pinv(logs)
        X = np.stack([np.ones(on.sum()), np.log(at[on])], axis=1)
        inverse = np.linalg.inv(X.T @ precise @ X)
        slope[row], error[row] = (inverse @ X.T @ precise @ np.log(mean[on]))[1], np.sqrt(inverse[1, 1])
    return slope, error
