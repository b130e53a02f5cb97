"""Judging ranked lists: numbers with their doubt, by slice, and on the Pareto front. Knows no model by name.

For whoever has lists and a truth, a model's or anybody's: `evaluate` gives the numbers, `compare_paired` what differences may be called.
"""

import warnings
from typing import Any

from vitrina.base.power import people_needed
from vitrina.evaluate.fits import variance_of_fits
from vitrina.evaluate.fitted import compare_fitted
from vitrina.evaluate.interval import TRUSTED, mean_interval
from vitrina.evaluate.leads import leads_within
from vitrina.evaluate.pareto import best_at, front
from vitrina.evaluate.quality import (
    ModelValues,
    Quality,
    monotonicity,
    order_agreement,
    people_apart,
    quality_of,
    signal_to_noise,
    stable_size,
)
from vitrina.evaluate.run import Evaluation, evaluate
from vitrina.evaluate.sessions import OrderAndMoney, order_and_money, revenue_per_session
from vitrina.evaluate.significance import compare_paired, compare_pairs, compare_with_best
from vitrina.evaluate.slices import by_slice, slice_labels

__all__ = [
    "TRUSTED", "Evaluation", "ModelValues", "OrderAndMoney", "Quality", "best_at", "by_slice", "compare_fitted", "compare_paired", "compare_pairs",
    "compare_with_best", "evaluate", "front", "leads_within", "mean_interval", "monotonicity", "order_agreement", "order_and_money", "people_apart", "people_needed",
    "quality_of", "revenue_per_session", "signal_to_noise", "slice_labels", "stable_size", "variance_of_fits",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The former name of `mean_interval`, for one more release."""
    if name != "bootstrap_interval":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "bootstrap_interval is now mean_interval(values, users, confidence), which draws nothing. The old name goes with the next release.",
        FutureWarning,
        stacklevel=2,
    )
    return lambda values, users, bootstrap=None: mean_interval(values, users, 0.95 if bootstrap is None else bootstrap.confidence)
