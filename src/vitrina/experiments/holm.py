"""Many comparisons, one family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vitrina.base.errors import MissingExtraError


def holm(ps: Sequence[float]) -> list[float]:
    """Each p for its family by [Holm's](https://www.jstor.org/stable/4615733) step-down, through tea-tasting: below alpha with a probability of at most alpha for any of those without an effect.

    Raises:
        MissingExtraError: tea-tasting isn't installed.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if not ps:
        return []
    try:
        from tea_tasting import adjust_fwer  # noqa: PLC0415  an extra
        from tea_tasting.experiment import ExperimentResult  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError.of("tea-tasting", "experiments", "The analysis of an experiment") from None
    family = ExperimentResult({str(k): {"pvalue": p} for k, p in enumerate(ps)})
    rows = adjust_fwer(family, arbitrary_dependence=True, method="bonferroni").to_dicts()
    adjusted: dict[Any, Any] = {row["metric"]: row["pvalue_adj"] for row in rows}
    return [min(float(adjusted[str(k)]), 1.0) for k in range(len(ps))]
