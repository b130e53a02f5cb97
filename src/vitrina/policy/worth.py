"""What decisions of unknown chances bought: errors of values with and without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from vitrina.policy.estimate import evaluate
from vitrina.policy.estimators import DR
from vitrina.policy.outcome import cross_fit

if TYPE_CHECKING:
    from vitrina.policy.log import DecisionLog


def worth_of_biased(
    log: DecisionLog,
    biased: DecisionLog,
    policies: Mapping[str, Any],
    *,
    model: Any = None,
    reward: str | None = None,
    folds: int = 5,
    seed: int = 0,
    force: bool = False,
) -> pl.DataFrame:
    """Standard errors of the same values with an outcome model of the log alone, and with one that biased decisions taught, too.

    Both values are unbiased, as only rows of known chances are judged; they differ by how much of the noise the model explains. An error that is smaller by the factor r is what 1 / r^2 times the
    rows would have given.

    Args:
        log: decisions with known chances.
        biased: decisions whose chances nobody knows; see `cross_fit`.
        policies: name -> policy, as in `evaluate`.
        model: of rewards; None: see `Outcome`.
        reward: its name, where the log has several.
        folds: of the cross-fit.
        seed: of folds.
        force: give values that the checks of the log refuse too.

    Returns:
        A row per policy: policy; value and error without the biased decisions; value_with, error_with; ratio of the errors; rows (that the log would need for the smaller error by itself, less those it has:
        below 0 the biased decisions cost precision).

    Cost: two cross-fits.

    >>> from vitrina.policy import Always, DecisionLog, OfferWorld
    >>> world = OfferWorld()
    >>> history = DecisionLog.of_frame(
    ...     world.table(5000, 2, random=0.0), action="arm", reward="orders", features=["rides", "promo_share", "city", "age"], arms=world.arms
    ... )
    >>> worth_of_biased(world.log(500, 1), history, {"10% to all": Always("10%")}, reward="orders").columns
    ['policy', 'value', 'error', 'value_with', 'error_with', 'ratio', 'rows']
    """
    tables = []
    for more in (None, biased):
        predictions = cross_fit(log, model, reward=reward, folds=folds, seed=seed, biased=more)
        name = predictions.reward
        tables.append(
            evaluate(log, policies, reward=name, estimators=(DR(),), predictions=predictions, force=force).table.select(
                "policy", "value", "error"
            )
        )
    both = tables[0].join(tables[1].rename({"value": "value_with", "error": "error_with"}), on="policy", maintain_order="left")
    ratio = pl.col("error_with") / pl.col("error")
    return both.with_columns(ratio=ratio, rows=(len(log) * (1 / ratio**2 - 1)).round().cast(pl.Int64))
