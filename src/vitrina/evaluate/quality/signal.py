"""Signal to noise: how far apart models are, in units of what a seed alone changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrina.evaluate.quality.values import ModelValues
from vitrina.types import Float64

DRAWS = 20_000  # of the interval


@dataclass(frozen=True)
class SignalToNoise:
    """What a benchmark can see of models, over what it sees of luck.

    Args:
        signal: the largest difference of two means, as a share of the mean of all.
        noise: the standard deviation over seeds, as a share of the same mean; None where no model was fitted twice.
        ratio: signal / noise; None where the noise is unknown or nothing.
        low, high: its interval; None as the ratio is.
        freedom: degrees of freedom of the noise.
    """

    signal: float | None
    noise: float | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    freedom: int = 0


def signal_to_noise(values: ModelValues, confidence: float = 0.95, seed: int = 0) -> SignalToNoise:
    """(max_ij |m_i - m_j| / mean) / (s / mean), of the means m of models and their standard deviation s over seeds.

    [Heineman et al. 2025](https://arxiv.org/abs/2508.13144). s is pooled over the models that were fitted several times, which are taken to
    spread alike; a model without a seed has none. The interval takes means over fits as normal: the standardised difference of two models is
    t sqrt(chi^2 / f) - z in its fiducial distribution, which is the interval of the noncentral t. Its upper end is the largest of all
    pairs, its lower end the largest of all pairs at 1 / pairs of the error, because the pair that is furthest apart was found by looking.

    Args:
        values: of one metric.
        confidence: of the interval.
        seed: of its draws.

    >>> fits = {"A": np.array([[0.30, 0.30], [0.32, 0.32], [0.31, 0.31]]), "B": np.array([[0.2, 0.2], [0.21, 0.21], [0.19, 0.19]])}
    >>> found = signal_to_noise(ModelValues.of_fits("nDCG@10", fits, np.arange(2)))
    >>> round(found.ratio, 1), found.freedom
    (11.0, 4)
    """
    means, level = values.means, abs(float(values.means.mean()))
    spread = float(means.max() - means.min())
    signal = spread / level if level else None
    if not values.freedom:
        return SignalToNoise(signal, None)
    deviation = float(np.sqrt(values.pooled(own=False)))
    noise = deviation / level if level else None
    if deviation <= 0:
        return SignalToNoise(signal, noise, freedom=values.freedom)
    low, high = _interval(means / deviation, values.shares(), values.freedom, confidence, seed)
    return SignalToNoise(signal, noise, spread / deviation, low, high, values.freedom)


def _interval(standard: Float64, shares: Float64, freedom: int, confidence: float, seed: int) -> tuple[float, float]:
    """Of the largest difference over s, from means (models,) over s and the share of s^2 that each has."""
    rng = np.random.default_rng(seed)
    scale = np.sqrt(rng.chisquare(freedom, DRAWS) / freedom)
    first, second = np.triu_indices(len(standard), 1)
    alpha, ends = 1 - confidence, []
    z = rng.standard_normal(DRAWS)
    for i, j in zip(first, second, strict=True):
        drawn = abs(standard[i] - standard[j]) * scale - np.sqrt(shares[i] + shares[j]) * z
        ends.append(np.quantile(drawn, [alpha / 2 / len(first), 1 - alpha / 2]))
    lows, highs = np.array(ends).T
    return max(float(lows.max()), 0.0), float(highs.max())
