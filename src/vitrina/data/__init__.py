"""The log, from files to questions: reading, the Dataset, filters, splits, a look at what is in it, and the copy that processes share.

For whoever fits or judges: `vt.read_interactions`, `vt.filters`, `vt.split`, `vt.inspect` are its public parts.
"""

from vitrina.data import filters, split

__all__ = ["filters", "split"]
