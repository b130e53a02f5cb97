"""Filters: each takes a Dataset, gives a smaller one, and leaves a Step that says what it removed. Public as `vt.filters`, and in a config file."""

from vitrina.data.filters.basic import compact, dedupe, k_core, kinds, min_length, min_value, period
from vitrina.data.filters.outliers import dedupe_consecutive, item_quantiles, max_length, user_days, without

__all__ = [
    "compact", "dedupe", "dedupe_consecutive", "item_quantiles", "k_core", "kinds", "max_length", "min_length", "min_value", "period", "user_days",
    "without",
]  # fmt: skip
