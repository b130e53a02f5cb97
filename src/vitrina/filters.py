"""The filters, under the name that people type: `vt.filters.k_core(data)`."""

from vitrina.data.filters import compact, dedupe, k_core, kinds, min_length, min_value, period

__all__ = ["compact", "dedupe", "k_core", "kinds", "min_length", "min_value", "period"]
