"""How fast this machine is, by measurements of a fraction of a second: what estimates of time are divided by."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

SIDE = 1536  # of the matrices that are multiplied
PLACES = 1 << 20  # that are jumped among: beyond the nearer caches, as the items of a large log are
TRIES = 3


def product_rate() -> float:
    """Operations per second of a product of float32 matrices, an addition and a multiplication two, on the threads that NumPy takes."""
    matrix = np.ones((SIDE, SIDE), np.float32)
    return 2 * SIDE**3 / best_of(lambda: np.matmul(matrix, matrix))


def jump_rate() -> float:
    """Additions per second to random places of memory, on one thread."""
    places = np.random.default_rng(0).integers(0, PLACES, PLACES)
    return PLACES / best_of(lambda: np.bincount(places, minlength=PLACES))


def best_of(work: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of the quickest of a few tries."""
    seconds = []
    for _ in range(tries):
        begin = perf_counter()
        work()
        seconds.append(perf_counter() - begin)
    return min(seconds)
