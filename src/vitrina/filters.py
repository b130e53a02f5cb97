"""The filters, under the name that people type: `vt.filters.k_core(data)`."""

from vitrina.data.filters import compact, dedupe, k_core, kinds, min_length, min_value, period
from vitrina.data.outliers import dedupe_consecutive, item_quantiles, max_length, user_days, without

__all__ = [
    "compact", "dedupe", "dedupe_consecutive", "item_quantiles", "k_core", "kinds", "max_length", "min_length", "min_value", "period", "user_days",
    "without",
]  # fmt: skip
