"""Where in the distribution of a forecast the units fell: a step, as units are whole."""

from __future__ import annotations

import numpy as np

from vitrina.types import Float32, Float64


def step_of(ordered: Float32 | Float64, units: Float64) -> tuple[Float64, Float64]:
    """The step of the distribution function at what came true: from the chance of less to the chance of no more.

    [Czado, Gneiting and Held 2009](https://doi.org/10.1111/j.1541-0420.2009.01191.x). A number drawn evenly from the step is even on 0 to 1 if the forecast is
    true. With m paths the step is (less, less + equal + 1) / (m + 1): what came true is one more path, so that this holds for any m.

    Args:
        ordered: (..., paths) ascending.
        units: (...) what came true.
    """
    paths = ordered.shape[-1]
    less = (ordered < units[..., None]).sum(axis=-1)
    most = (ordered <= units[..., None]).sum(axis=-1)
    return less / (paths + 1), (most + 1) / (paths + 1)


def share_of_step(low: Float64, high: Float64, first: float, last: float) -> Float64:
    """Which share of a step lies between first and last: the chance that a number drawn from it does."""
    return np.maximum(np.minimum(high, last) - np.maximum(low, first), 0.0) / (high - low)
