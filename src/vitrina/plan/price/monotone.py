"""The closest numbers that never rise: pool adjacent violators."""

from __future__ import annotations

import numpy as np

from vitrina.base.kernels import kernel
from vitrina.types import Float64


def falling(values: Float64, weights: Float64) -> Float64:
    """The numbers that never rise from left to right and are closest to `values`: min sum w (y - x)^2 ([Barlow et al. 1972](https://search.worldcat.org/title/279217), chapter 1).

    Neighbours in the wrong order become one block of their weighted mean, until none is.

    Args:
        values: (rows, places).
        weights: (rows, places) above 0.

    >>> falling(np.array([[3.0, 1, 2, 0]]), np.array([[1.0, 1, 3, 1]])).tolist()
    [[3.0, 1.75, 1.75, 0.0]]
    """
    out = np.empty(values.shape, np.float64)
    _falling(np.ascontiguousarray(values, np.float64), np.ascontiguousarray(weights, np.float64), out)
    return out


@kernel
def _falling(values, weights, out):  # pragma: no cover
    rows, places = values.shape
    level, weight, size = np.empty(places), np.empty(places), np.empty(places, np.int64)
    for row in range(rows):
        blocks = 0
        for place in range(places):
            level[blocks], weight[blocks], size[blocks] = values[row, place], weights[row, place], 1
            blocks += 1
            while blocks > 1 and level[blocks - 2] < level[blocks - 1]:
                both = weight[blocks - 2] + weight[blocks - 1]
                level[blocks - 2] = (weight[blocks - 2] * level[blocks - 2] + weight[blocks - 1] * level[blocks - 1]) / both
                weight[blocks - 2] = both
                size[blocks - 2] += size[blocks - 1]
                blocks -= 1
        at = 0
        for block in range(blocks):
            for _ in range(size[block]):
                out[row, at] = level[block]
                at += 1
