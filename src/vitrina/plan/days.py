"""The compiled days of a simulation of stock: one series and path at a time, without a copy of anything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vitrina.base.kernels import Spread, kernel
from vitrina.types import Float32, Float64, Int64

TALLIES = (
    "demand", "sold", "lost", "returned", "spoilt", "written_off", "arrived", "orders", "stock", "waited", "served", "short", "start", "left", "waiting", "coming",
)  # fmt: skip
(
    DEMAND, SOLD, LOST, RETURNED, SPOILT, WRITTEN_OFF, ARRIVED, ORDERS, STOCK, WAITED, SERVED, SHORT, START, LEFT, WAITING, COMING,
) = range(len(TALLIES))  # fmt: skip
NEAR = 1e-9  # units by which sums of fractions miss each other
LEADS, RETURNS, RESALES = 1, 2, 3  # what is drawn


class Terms(NamedTuple):
    """What goods and rules say, a row per series."""

    point: Float64  # (series, looks or 1)
    level: Float64  # (series, looks or 1)
    lot: Float64  # units; 0 orders up to the level
    pack: Float64
    minimum: Float64
    life: Int64  # days
    lead: Int64  # days; the longest, where they vary
    chances: Float64  # (series, leads) of this lead or a shorter one; no column where it is always the same
    review: Int64
    returns: Float64
    return_days: Int64
    resold: Float64
    stock: Float64  # (series, ages)
    coming: Float64  # (series, days)


class Scratch(NamedTuple):
    """What a path is played on. The slot of a unit is the day on which it arrived, counted from the oldest that is there at the start."""

    shelf: Float64  # (slots,) units
    due: Float64  # (days,) units that arrive in the morning
    gone: Float64  # (return days, slots) units sold on each of the last days; no row where nothing is returned
    reach: Int64  # (return days, 2) the first and the last slot of them


@kernel
def chance(seed: int, series: int, path: int, day: int, what: int, number: int) -> float:
    """A number from 0 to 1 that belongs to these counts, by the finaliser of splitmix64: whoever asks, in whatever order, gets the same."""
    x = np.uint64(seed)
    for count in (series, path, day, what, number):
        x = (x + np.uint64(count)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (np.float64(x >> np.uint64(11)) + 0.5) / 9007199254740992.0


@kernel
def some_of(units: float, share: float, seed: int, series: int, path: int, day: int, what: int) -> float:
    """How many of so many units: each whole one with the chance `share`, and the share of a fraction. By gaps between successes, so it costs their number."""
    if share <= 0 or units <= 0:
        return 0.0
    if share >= 1:
        return units
    whole = int(units + NEAR)
    fraction = max(units - whole, 0.0)
    found, at, number = 0, 0, 0
    while True:
        at += 1 + int(min(np.log(chance(seed, series, path, day, what, number)) / np.log1p(-share), 1e15))
        number += 1
        if at > whole:
            return found + share * fraction
        found += 1


@kernel
def ordered(position: float, point: float, level: float, lot: float, minimum: float, pack: float) -> float:
    """Units of an order, 0 for none."""
    if lot > 0:
        if position > point + NEAR:
            return 0.0
        units = lot * (np.floor((point - position) / lot + NEAR) + 1)
    else:
        if position > point + NEAR or level - position <= NEAR:
            return 0.0
        units = level - position
    return np.ceil(max(units, minimum) / pack - NEAR) * pack


@kernel
def taken(scratch: Scratch, oldest: int, newest: int, units: float, day: int) -> tuple[float, int]:
    """Take units off the shelf, the oldest first: what was taken, and the slot of the oldest that may be left."""
    shelf, left, span = scratch.shelf, units, len(scratch.gone)
    while True:
        here = min(shelf[oldest], left)
        if here > 0:
            shelf[oldest] -= here
            left -= here
            if span:
                row = day % span
                scratch.gone[row, oldest] += here
                scratch.reach[row, 0] = min(scratch.reach[row, 0], oldest)
                scratch.reach[row, 1] = max(scratch.reach[row, 1], oldest)
        if left <= 0 or oldest >= newest:
            return units - left, oldest
        oldest += 1


@kernel
def come_back(scratch: Scratch, terms: Terms, i: int, p: int, seed: int, day: int, expired: int, tally: Float64) -> tuple[float, int]:
    """What was sold on the day and is returned: units that go back on the shelf, and the oldest slot of them. What is past its life is written off."""
    row = day % len(scratch.gone)
    back, oldest = 0.0, len(scratch.shelf)
    for at in range(scratch.reach[row, 0], scratch.reach[row, 1] + 1):
        sold = scratch.gone[row, at]
        scratch.gone[row, at] = 0.0
        returned = some_of(sold, terms.returns[i], seed, i, p, day, RETURNS + 4 * at)
        good = some_of(returned, terms.resold[i], seed, i, p, day, RESALES + 4 * at)
        tally[RETURNED] += returned
        tally[SPOILT] += returned - good
        if at <= expired:
            tally[WRITTEN_OFF] += good
        elif good > 0:
            scratch.shelf[at] += good
            back += good
            oldest = min(oldest, at)
    scratch.reach[row, 0], scratch.reach[row, 1] = len(scratch.shelf), -1
    return back, oldest


@kernel
def order(terms: Terms, i: int, p: int, seed: int, day: int, position: float) -> tuple[float, int]:
    """Units of an order, 0 for none, and its lead."""
    look = min(day // terms.review[i], terms.point.shape[1] - 1)
    units = ordered(position, terms.point[i, look], terms.level[i, look], terms.lot[i], terms.minimum[i], terms.pack[i])
    lead = terms.lead[i]
    if units > 0 and terms.chances.shape[1]:
        drawn = chance(seed, i, p, day, LEADS, 0)
        lead = 0
        while lead < terms.chances.shape[1] - 1 and drawn > terms.chances[i, lead]:
            lead += 1
    return units, lead


@kernel
def _path(
    demand: Float32, terms: Terms, i: int, p: int, lost: bool, seed: int, scratch: Scratch, later: float, evening: Float32, tally: Float64
) -> None:
    shelf, due, span, shift = scratch.shelf, scratch.due, len(scratch.gone), terms.stock.shape[1] - 1
    life, review = terms.life[i], terms.review[i]
    held, way, waiting, oldest = shelf.sum(), due.sum() + later, 0.0, 0
    tally[START] = held
    for t in range(len(demand)):
        today, expired = t + shift, t + shift - life
        shelf[today] += due[t]
        held, way = held + due[t], way - due[t]
        tally[ARRIVED] += due[t]
        while oldest <= expired:
            held -= shelf[oldest]
            tally[WRITTEN_OFF] += shelf[oldest]
            shelf[oldest] = 0.0
            oldest += 1
        if span and t >= span:
            back, first = come_back(scratch, terms, i, p, seed, t - span, expired, tally)
            held, oldest = held + back, min(oldest, first)
        if t % review == 0:
            units, lead = order(terms, i, p, seed, t, held + way - waiting)
            tally[ORDERS] += units > 0
            if lead == 0:
                shelf[today] += units
                held += units
                tally[ARRIVED] += units
            else:
                way += units
                if t + lead < len(due):
                    due[t + lead] += units
        wanted = np.float64(demand[t])
        given, oldest = taken(scratch, oldest, today, waiting + wanted, t)
        served = max(given - waiting, 0.0)
        missed = wanted - served
        held = max(held - given, 0.0)
        waiting = 0.0 if lost else waiting + wanted - given
        tally[DEMAND] += wanted
        tally[SOLD] += given
        tally[SERVED] += served
        tally[LOST] += missed if lost else 0.0
        tally[SHORT] += missed > NEAR
        tally[STOCK] += held
        tally[WAITED] += waiting
        if len(evening):
            evening[t] = held
    for day in range(len(demand) - span, len(demand)):
        held += come_back(scratch, terms, i, p, seed, day, len(demand) - 1 + shift - life, tally)[0]
    tally[LEFT], tally[WAITING], tally[COMING] = held, waiting, way


@Spread
def play(
    first: int, last: int, samples: Float32, terms: Terms, lost: bool, seed: int, slot: Int64, evenings: Float32, tally: Float64
) -> None:
    """Every path of the series first to last - 1; `tally` is (series, paths, tallies), zeros before, and `evenings` (traced, paths, days) their stock."""
    paths, days = samples.shape[1:]
    ages, known = terms.stock.shape[1], min(terms.coming.shape[1], days)
    slots = days + ages
    nobody = np.empty(0, np.float32)
    for i in range(first, last):
        span = min(terms.return_days[i], days) if terms.returns[i] > 0 else 0
        scratch = Scratch(np.empty(slots), np.empty(days), np.zeros((span, slots)), np.empty((span, 2), np.int64))
        scratch.reach[:, 0] = slots
        scratch.reach[:, 1] = -1
        for p in range(paths):
            scratch.shelf[:] = 0.0
            scratch.due[:] = 0.0
            for age in range(ages):
                scratch.shelf[ages - 1 - age] = terms.stock[i, age]
            scratch.due[:known] = terms.coming[i, :known]
            evening = evenings[slot[i], p] if slot[i] >= 0 else nobody
            _path(samples[i, p], terms, i, p, lost, seed, scratch, terms.coming[i, known:].sum(), evening, tally[i, p])
