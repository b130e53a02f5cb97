"""The numbers that the service counts about itself, as a page shows them: quantiles of its histograms, counts by label."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from vitrina.service.metrics import Metrics

Sample = tuple[Mapping[str, str], float]


class Latency(Struct):
    """How long something took, in milliseconds; a quantile beyond the last bound of the histogram is that bound, and `over` says so."""

    of: str
    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    over: float


class Gauged:
    """All samples of a moment, by their names."""

    def __init__(self, metrics: Metrics) -> None:
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        for family in metrics.registry.collect():
            for sample in family.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def of(self, name: str, **labels: str) -> list[Sample]:
        """The samples of a name that have these labels."""
        return [one for one in self._samples.get(name, ()) if all(one[0].get(key) == value for key, value in labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """Their sum."""
        return sum(value for _, value in self.of(name, **labels))

    def latencies(self, name: str, by: str, **labels: str) -> list[Latency]:
        """Quantiles of a histogram for each value of a label, in the order in which they first came."""
        bounds: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        for own, value in self.of(f"{name}_bucket", **labels):
            bounds[own[by]][float(own["le"])] += value
        return [latency(of, sorted(counted.items())) for of, counted in bounds.items()]


def latency(of: str, cumulated: Sequence[tuple[float, float]]) -> Latency:
    """The quantiles of one histogram, of its bounds in seconds and how many were within each."""
    count = cumulated[-1][1]
    last = max((bound for bound, _ in cumulated if math.isfinite(bound)), default=0.0)
    found = [quantile(cumulated, share) for share in (0.5, 0.95, 0.99)]
    p50, p95, p99 = (None if value is None else value * 1000 for value in found)
    return Latency(of, int(count), p50, p95, p99, last * 1000)


def quantile(cumulated: Sequence[tuple[float, float]], share: float) -> float | None:
    """Within its bucket a quantile is where it would be if all were spread evenly; None where nothing was counted.

    >>> quantile([(0.1, 50), (0.2, 100), (math.inf, 100)], 0.75)
    0.15000000000000002
    >>> quantile([(0.1, 0), (math.inf, 4)], 0.5)
    0.1
    """
    wanted = share * cumulated[-1][1]
    if not wanted:
        return None
    low, before = 0.0, 0.0
    for bound, count in cumulated:
        if count >= wanted:
            return low if math.isinf(bound) else low + (bound - low) * (wanted - before) / (count - before)
        low, before = bound, count
    return low
