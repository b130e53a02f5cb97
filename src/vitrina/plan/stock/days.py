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
NEAR = 1e-6  # units by which sums of fractions miss each other
LEADS, RETURNS, RESALES = range(3)  # what is drawn
KINDS = 3


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
def stream(seed: int, series: int, path: int) -> np.uint64:
    """Where the draws of a path begin: whoever asks, in whatever order, gets the same."""
    x = np.uint64(seed)
    for count in (series, path):
        x = _mixed(x + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019))
    return x


@kernel
def chance(draws: np.uint64, day: int, what: int, number: int) -> float:
    """A number above 0 and below 1 that belongs to these counts, by the finaliser of splitmix64."""
    count = (np.uint64(day) << np.uint64(42)) + (np.uint64(what) << np.uint64(21)) + np.uint64(number + 1)
    return (np.float64(_mixed(draws + count * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)) + 0.5) / 9007199254740992.0


@kernel
def _mixed(x: np.uint64) -> np.uint64:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def some_of(units: float, share: float, draws: np.uint64, day: int, what: int) -> float:
    """How many of so many units: each whole one with the chance `share`, and the share of a fraction. By gaps between successes, so it costs their number."""
    if share <= 0 or units <= 0:
        return 0.0
    if share >= 1:
        return units
    whole = int(units + NEAR)
    fraction, rate = max(units - whole, 0.0), np.log1p(-share)
    found, at = 0, 0
    while True:
        at += 1 + int(min(np.log(chance(draws, day, what, found)) / rate, 1e15))
        if at > whole:
            return found + share * fraction
        found += 1


@kernel
def ordered(position: float, point: float, level: float, lot: float, minimum: float, pack: float) -> float:
    """Units of an order, 0 for none."""
    if position > point + NEAR:
        return 0.0
    units = lot * (np.floor((point - position) / lot + NEAR) + 1) if lot > 0 else level - position
    if units <= NEAR:
        return 0.0
    return np.ceil(max(units, minimum) / pack - NEAR) * pack


@kernel
def lead_of(drawn: float, chances: Float64) -> int:
    """The shortest lead whose summed chance reaches what was drawn."""
    lead = 0
    while lead < len(chances) - 1 and drawn > chances[lead]:
        lead += 1
    return lead


@kernel
def sent(due: Float64, day: int, units: float, lead: int) -> float:
    """Put an order on its way: the units that are there at once. What arrives after the last day isn't noted."""
    if lead == 0:
        return units
    if day + lead < len(due):
        due[day + lead] += units
    return 0.0


@kernel
def spoiled(shelf: Float64, oldest: int, expired: int) -> tuple[float, int]:
    """Clear the slots up to the one that has reached the end of its life: their units, and the first slot after them."""
    units = 0.0
    for at in range(oldest, expired + 1):
        units += shelf[at]
        shelf[at] = 0.0
    return units, expired + 1


@kernel
def taken(shelf: Float64, oldest: int, newest: int, units: float, gone: Float64) -> tuple[float, int]:
    """Take units off the shelf, the oldest first: what was taken, and the slot of the last ones. `gone` keeps what was taken of each slot, where it has any."""
    left = units
    while True:
        here = min(shelf[oldest], left)
        shelf[oldest] -= here
        left -= here
        if len(gone):
            gone[oldest] = here
        if left <= 0 or oldest >= newest:
            return units - left, oldest
        oldest += 1


@kernel
def come_back(
    scratch: Scratch, returns: float, resold: float, draws: np.uint64, day: int, expired: int, tally: Float64
) -> tuple[float, int]:
    """What was sold on the day and is returned: units that go back on the shelf, and the oldest slot of them. What is past its life is written off."""
    row = day % len(scratch.gone)
    back, oldest = 0.0, len(scratch.shelf)
    for at in range(scratch.reach[row, 0], scratch.reach[row, 1] + 1):
        returned = some_of(scratch.gone[row, at], returns, draws, day, RETURNS + KINDS * at)
        good = some_of(returned, resold, draws, day, RESALES + KINDS * at)
        tally[RETURNED] += returned
        tally[SPOILT] += returned - good
        if at <= expired:
            tally[WRITTEN_OFF] += good
        elif good > 0:
            scratch.shelf[at] += good
            back += good
            oldest = min(oldest, at)
    return back, oldest


@kernel
def _path(
    demand: Float32, terms: Terms, i: int, lost: bool, draws: np.uint64, scratch: Scratch, later: float, evening: Float32, tally: Float64
) -> None:
    shelf, due, gone, reach = scratch
    point, level, lot, minimum, pack = terms.point[i], terms.level[i], terms.lot[i], terms.minimum[i], terms.pack[i]
    life, review, chances = terms.life[i], terms.review[i], terms.chances[i]
    days, span, shift, nothing = len(demand), len(gone), terms.stock.shape[1] - 1, shelf[:0]
    held, way, waiting, oldest, look = shelf.sum(), due.sum() + later, 0.0, 0, 0
    arrived = written_off = wanted = sold = served = stock = waited = 0.0
    orders = short = 0
    tally[START] = held
    for t in range(days):
        today, expired = t + shift, t + shift - life
        come = due[t]
        way -= come
        if oldest <= expired:
            old, oldest = spoiled(shelf, oldest, expired)
            held, written_off = held - old, written_off + old
        if span and t >= span:
            back, first = come_back(scratch, terms.returns[i], terms.resold[i], draws, t - span, expired, tally)
            held, oldest = held + back, min(oldest, first)
        if t == look * review:
            at = min(look, len(point) - 1)
            units = ordered(held + come + way - waiting, point[at], level[at], lot, minimum, pack)
            look, orders = look + 1, orders + (units > 0)
            if units > 0:
                now = sent(due, t, units, lead_of(chance(draws, t, LEADS, 0), chances) if len(chances) else terms.lead[i])
                come, way = come + now, way + units - now
        shelf[today] += come
        arrived, held = arrived + come, held + come
        today_wanted = np.float64(demand[t])
        asked, given, begin = waiting + today_wanted, 0.0, oldest
        if asked > 0:
            given, oldest = taken(shelf, oldest, today, asked, gone[t % span] if span else nothing)
        if span:
            reach[t % span, 0], reach[t % span, 1] = begin, oldest if asked > 0 else -1
        met = max(given - waiting, 0.0)
        held, waiting = max(held - given, 0.0), 0.0 if lost else asked - given
        wanted, sold, served, short = wanted + today_wanted, sold + given, served + met, short + (today_wanted - met > NEAR)
        stock, waited = stock + held, waited + waiting
        if len(evening):
            evening[t] = held
    for day in range(days - span, days):
        held += come_back(scratch, terms.returns[i], terms.resold[i], draws, day, days - 1 + shift - life, tally)[0]
    tally[DEMAND], tally[SOLD], tally[SERVED], tally[LOST] = wanted, sold, served, wanted - sold if lost else 0.0
    tally[ARRIVED], tally[ORDERS], tally[STOCK], tally[WAITED], tally[SHORT] = arrived, orders, stock, waited, short
    tally[WRITTEN_OFF] += written_off
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
        for p in range(paths):
            scratch.shelf[:] = 0.0
            scratch.due[:] = 0.0
            for age in range(ages):
                scratch.shelf[ages - 1 - age] = terms.stock[i, age]
            scratch.due[:known] = terms.coming[i, :known]
            evening = evenings[slot[i], p] if slot[i] >= 0 else nobody
            _path(samples[i, p], terms, i, lost, stream(seed, i, p), scratch, terms.coming[i, known:].sum(), evening, tally[i, p])
