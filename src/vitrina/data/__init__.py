"""The log: reading it, the Dataset, filters, splits, and what is in it. Public parts: `vt.filters`, `vt.split`."""

from vitrina.data import filters, split

__all__ = ["filters", "split"]
