"""What each arm would have brought each unit, unbiased where propensities are known: values of policies, trees, Qini curves and budgets are sums over these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


def aipw_scores(log: DecisionLog, predictions: Any, *, reward: str | None = None) -> NDArray[Any]:
    """The augmented inverse propensity score of each arm: its prediction, corrected on the rows where the arm was taken.

    Gamma[i, a] = mu[i, a] + 1{a_i = a} / p_i (r_i - mu[i, a]). With known propensities p the mean of column a over all units is an unbiased
    estimate of what the arm brings, for any predictions mu that didn't see the row ([Robins, Rotnitzky and Zhao 1994](https://doi.org/10.1080/01621459.1994.10476818)).

    Args:
        log: decisions with their propensities.
        predictions: (n, arms) of the reward, out of fold, in the order of `log.arms`; or what `cross_fit` returns.
        reward: its name, where the log has several.

    Returns:
        (n, arms), float32 where the predictions are float32, else float64.

    Raises:
        ParameterError: the predictions are not (n, arms).
        DataError: a prediction is not finite.

    Cost: one copy of the predictions and three columns.
    """
    scores = np.array(predictions_of(predictions, len(log), log.arms))
    rows = np.arange(len(log))
    fitted = scores[rows, log.actions]
    scores[rows, log.actions] += (log.reward(reward) - fitted) / log.propensity
    return scores


def predictions_of(predictions: Any, rows: int, arms: tuple[str, ...]) -> NDArray[Any]:
    """(rows, arms) float32 or float64, looked at once."""
    given = np.asarray(getattr(predictions, "values", predictions))
    if given.shape != (rows, len(arms)) or given.dtype.kind not in "fiu":
        raise ParameterError(
            f"Predictions are numbers, a row per row of the log ({rows:,}) and a column per arm ({', '.join(arms)}). Got {given.dtype} of the shape "
            f"{given.shape}.", parameter="predictions",
        )  # fmt: skip
    given = given if given.dtype in (np.float32, np.float64) else given.astype(np.float64)
    # a sum is finite only where all its terms are, and needs no mask of the size of the table
    if not np.isfinite(given.sum(dtype=np.float64)):
        bad = np.argwhere(~np.isfinite(given))
        if len(bad):
            row, arm = bad[0].tolist()
            raise DataError(
                f"Predictions must be finite. That of the arm {arms[arm]!r} in row {row} is {given[row, arm]}: mend the outcome model, or leave the row out."
            )
    return given
