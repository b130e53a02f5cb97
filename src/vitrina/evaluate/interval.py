"""The interval of a mean over queries, when people come with all their queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from vitrina.base.former import with_former
from vitrina.evaluate.bootstrap import Bootstrap, Buckets
from vitrina.types import Float64

TRUSTED = 50  # people whose value isn't zero, below whom an interval can't be trusted


class Interval(NamedTuple):
    """The ends of an interval; NaN where fewer than two people say something."""

    low: float
    high: float


def intervals_of(columns: Sequence[Float64], users: NDArray[Any], confidence: float, more: Sequence[float] = ()) -> list[Interval]:
    """Of each column (queries,), NaN where a query says nothing; `more` is further variance of each mean."""
    state = Buckets.of_columns(columns, users)
    extra = np.asarray(more, np.float64) if len(more) else np.zeros(len(columns))
    freedom = np.maximum((state.counts > 0).sum(axis=0) - 1, 1)
    reach = stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(state.error**2 * (1 + 1 / freedom) + extra)
    found = []
    for column, value, half in zip(columns, state.value, reach, strict=True):
        share = bool(np.nanmin(column, initial=0.0) >= 0 and np.nanmax(column, initial=0.0) <= 1 and 0 < value < 1)
        ends = expit(logit(value) + np.array([-1, 1]) * half / (value * (1 - value))) if share else value + np.array([-1, 1]) * half
        found.append(Interval(float(ends[0]), float(ends[1])))
    return found


def bootstrap_interval(values: Float64, users: NDArray[Any], bootstrap: Bootstrap = Bootstrap(), **former: Any) -> Interval:
    """The percentile interval of the mean of `values` over queries, when people are drawn with all their queries.

    Args:
        values: (queries,), NaN where a query says nothing.
        users: (queries,) codes.
        bootstrap: draws, seed and confidence.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    >>> import numpy as np
    >>> values = np.random.default_rng(0).random(400)
    >>> low, high = bootstrap_interval(values, np.arange(400))
    >>> bool(low < values.mean() < high)
    True
    """
    bootstrap = with_former(bootstrap, Bootstrap, former, "bootstrap_interval", "bootstrap")
    return intervals_of([np.asarray(values, np.float64)], users, bootstrap.confidence)[0]
