"""What is right, in money: the best order is not always the one that earns most."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np

from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread
from vitrina.metrics.base import PerQuery
from vitrina.metrics.judged import Judged
from vitrina.types import Float64


@final
class Value(PerQuery):
    """What the hits among the first k places are worth: sum_{j <= k} hit[j] * value[item_j], in the unit of the log's values.

    value[i] is the mean value of the events of item i in training; an item without one there counts as the mean of all. NaN where nothing was taken.

    Raises:
        DataError: the log has no values.

    >>> Value().name
    'Value@10'
    """

    label: ClassVar[str] = "Value"
    needs: ClassVar[frozenset[str]] = frozenset({"truth", "values"})
    in_words: ClassVar[str] = "what the things in the list that the person then took are worth"

    def per_query(self, judged: Judged) -> Float64:
        judged.first(self.k, self.name)
        values = judged.catalogue.values
        if values is None:
            raise DataError(
                f"{self.name} needs to know what items are worth, and the log has no values. Read it with value='price', or the like."
            )
        total = np.zeros(len(judged))
        _worth(len(judged), judged.items, judged.hits, self.k, values.astype(np.float64), float(values.mean()), total)
        return np.where(judged.relevant > 0, total, np.nan)


@Spread
def _worth(first, last, items, hits, k, values, stranger, out):  # pragma: no cover
    """(queries,) sum of the values of the hits."""
    for q in range(first, last):
        for place in range(k):
            if hits[q, place]:
                out[q] += values[items[q, place]] if items[q, place] < len(values) else stranger
