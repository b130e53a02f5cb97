"""The compiled search for the levels of a rule: every series by itself, on the same paths for all its candidates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vitrina.base.kernels import Spread, kernel
from vitrina.plan.stock.days import Terms, play
from vitrina.types import Float32, Float64, Int64

UP_TO, MIN_MAX, QUANTITY = 0, 1, 2  # what the two levels of a candidate mean
FURTHER = 4  # steps of one unit in which a better level is looked for, at the end
BEST = 4  # candidates of the grid that are played on all paths
ROUNDS = 40  # of steps to a neighbour, or to half of the step, at most
_play = play.compiled


class Ground(NamedTuple):
    """What every candidate is played on, and the room for it."""

    samples: Float32  # (series, paths, days)
    terms: Terms  # point, level and lot are overwritten, a row per series
    rates: Float64  # (series, tallies) what each tally earns
    base: Float64  # (series, looks) what is added to the first level of a candidate
    lost: bool
    seed: int
    slot: Int64  # (series,) -1: no evening is kept
    evenings: Float32
    tally: Float64  # (series, paths, tallies)


class Bounds(NamedTuple):
    """Where a search looks, a row per series."""

    first: Float64  # (series, 2) least and most of the first level
    second: Float64  # (series, 2) of the second one; twice the same where there is none
    unit: Float64  # (series, 2) the smallest steps that can matter


@kernel
def earned(ground: Ground, kind: int, i: int, a: float, b: float) -> float:
    """Mean profit of series i over the paths, when its levels are a and b."""
    terms, tally = ground.terms, ground.tally
    for look in range(terms.point.shape[1]):
        point = a + (ground.base[i, look] if kind == UP_TO else 0.0)
        terms.point[i, look] = point
        terms.level[i, look] = point + b if kind == MIN_MAX else point
    terms.lot[i] = b if kind == QUANTITY else 0.0
    tally[i] = 0.0
    _play(i, i + 1, ground.samples, terms, ground.lost, ground.seed, ground.slot, ground.evenings, tally)
    total, paths = 0.0, tally.shape[1]
    for p in range(paths):
        for k in range(tally.shape[2]):
            total += tally[i, p, k] * ground.rates[i, k]
    return total / paths


@kernel
def stepped(low: float, high: float, share: float, unit: float, curved: bool) -> float:
    """A level between the bounds, in whole steps of a unit from the lower one; `curved` puts more of them at the lower end."""
    reach = high - low
    away = reach * share * share * share if curved else reach * share
    return min(low + np.round(away / unit) * unit, high)


@kernel
def around(ground: Ground, kind: int, i: int, found: Float64, bounds: Bounds, steps: Float64) -> bool:
    """Try the neighbours of what was found, a step away in either level or in both; move to the best, and say whether it was better."""
    a, b, best = found[0], found[1], found[2]
    for da in range(-1, 2):
        for db in range(-1, 2):
            x, y = a + da * steps[0], b + db * steps[1]
            inside = bounds.first[i, 0] <= x <= bounds.first[i, 1] and bounds.second[i, 0] <= y <= bounds.second[i, 1]
            if (da == 0 and db == 0) or (db != 0 and steps[1] <= 0) or not inside:
                continue
            value = earned(ground, kind, i, x, y)
            found[3] += 1
            if value > best:
                best = value
                found[0], found[1], found[2] = x, y, value
    return found[0] != a or found[1] != b


@kernel
def along(ground: Ground, kind: int, i: int, found: Float64, bounds: Bounds, steps: Float64) -> bool:
    """Look a few steps further, in one level or against the other, as `around` does for one step: packs make a saw of the profit."""
    a, b = found[0], found[1]
    for away in range(2, FURTHER + 1):
        for da, db in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1)):
            x, y = a + da * away * steps[0], b + db * away * steps[1]
            inside = bounds.first[i, 0] <= x <= bounds.first[i, 1] and bounds.second[i, 0] <= y <= bounds.second[i, 1]
            if inside and (db == 0 or steps[1] > 0):
                value = earned(ground, kind, i, x, y)
                found[3] += 1
                if value > found[2]:
                    found[0], found[1], found[2] = x, y, value
    return found[0] != a or found[1] != b


@kernel
def keep(best: Float64, a: float, b: float, value: float) -> None:
    """Put a candidate into its place among the best so far, rows of levels and profit, if it is one of them."""
    at = len(best)
    while at > 0 and value > best[at - 1, 2]:
        at -= 1
    for row in range(len(best) - 1, at, -1):
        best[row] = best[row - 1]
    if at < len(best):
        best[at, 0], best[at, 1], best[at, 2] = a, b, value


@kernel
def coarse(ground: Ground, kind: int, i: int, bounds: Bounds, points: tuple[int, int], best: Float64) -> int:
    """The best few of a grid over all that is allowed; returns how many were played."""
    last, played = -np.inf, 0
    two = bounds.second[i, 1] > bounds.second[i, 0]
    for row in range(points[1] if two else 1):
        b = stepped(bounds.second[i, 0], bounds.second[i, 1], row / max(points[1] - 1, 1), bounds.unit[i, 1], True)
        if b == last:
            continue
        last, before = b, np.nan
        for column in range(points[0]):
            a = stepped(bounds.first[i, 0], bounds.first[i, 1], column / max(points[0] - 1, 1), bounds.unit[i, 0], False)
            if a == before:
                continue
            before = a
            keep(best, a, b, earned(ground, kind, i, a, b))
            played += 1
    return played


@Spread
def search(
    first: int, last: int, rows: Int64, rough: Ground, ground: Ground, kind: int, bounds: Bounds, points: tuple[int, int], out: Float64
) -> None:
    """The best levels of the series rows[first] to rows[last - 1]: a grid, then steps around its best that shrink to one unit.

    The grid is played on `rough`, some of the paths, or all of them. `out` is (rows, 4): first and second level, mean profit per path, how many candidates were played.
    """
    steps, best = np.empty(2), np.empty((BEST, 3))
    for row in range(first, last):
        i, found = rows[row], out[row]
        best[:, 2] = -np.inf
        found[2], found[3] = -np.inf, coarse(rough, kind, i, bounds, points, best)
        for place in range(BEST):
            if best[place, 2] > -np.inf:
                value = earned(ground, kind, i, best[place, 0], best[place, 1])
                found[3] += 1
                if value > found[2]:
                    found[0], found[1], found[2] = best[place, 0], best[place, 1], value
        two = bounds.second[i, 1] > bounds.second[i, 0]
        steps[0] = (bounds.first[i, 1] - bounds.first[i, 0]) / max(points[0] - 1, 1) / 2
        steps[1] = max((found[1] - bounds.second[i, 0]) / 4, bounds.unit[i, 1]) if two else 0.0
        for _ in range(ROUNDS):
            for level in range(2):
                steps[level] = np.ceil(steps[level] / bounds.unit[i, level] - 1e-9) * bounds.unit[i, level]
            moved = around(ground, kind, i, found, bounds, steps)
            least = steps[0] <= bounds.unit[i, 0] and steps[1] <= bounds.unit[i, 1]
            if least and not moved and not along(ground, kind, i, found, bounds, steps):
                break
            for level in range(2):
                steps[level] = steps[level] if moved and least else steps[level] / 2
