"""A slow simulator of stock, written from the description alone: a unit is an object with the day on which it arrived. An oracle, not a part of the product."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil, floor

import numpy as np


@dataclass
class Unit:
    born: int


@dataclass
class Shop:
    """One item on one path, whole units only; returns are none or all, and all or none of them are good again."""

    demand: list[int]
    life: float
    pack: int
    minimum: int
    review: int
    leads: list[int]  # of an order of each day
    stock: list[int]  # by age
    coming: list[int]
    returned: bool
    return_days: int
    resold: bool
    lost: bool
    shelf: list[Unit] = field(default_factory=list)
    sold: list[tuple[int, Unit]] = field(default_factory=list)
    orders: list[tuple[int, int]] = field(default_factory=list)
    waiting: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def play(self, wish: object) -> tuple[Counter[str], list[int]]:
        """`wish(day, position)` is how many units the rule asks for."""
        self.shelf = [Unit(-age) for age, units in enumerate(self.stock) for _ in range(units)]
        self.orders = [(day, units) for day, units in enumerate(self.coming)]
        self.counts["start"] = len(self.shelf)
        evenings = []
        for day, wanted in enumerate(self.demand):
            self.arrive(day)
            self.spoil(day)
            self.bring_back([unit for sold_on, unit in self.sold if sold_on == day - self.return_days], day)
            if day % self.review == 0:
                self.order(day, wish)
            self.sell(day, wanted)
            evenings.append(len(self.shelf))
        last = len(self.demand) - 1
        self.bring_back([unit for sold_on, unit in self.sold if sold_on > last - self.return_days], last)
        self.counts["left"], self.counts["waiting"] = len(self.shelf), self.waiting
        self.counts["coming"] = sum(units for _, units in self.orders)
        return self.counts, evenings

    def arrive(self, day: int) -> None:
        for due, units in self.orders:
            if due == day:
                self.shelf += [Unit(day) for _ in range(units)]
                self.counts["arrived"] += units
        self.orders = [(due, units) for due, units in self.orders if due > day]

    def spoil(self, day: int) -> None:
        old = [unit for unit in self.shelf if day - unit.born >= self.life]
        self.shelf = [unit for unit in self.shelf if unit not in old]
        self.counts["written_off"] += len(old)

    def bring_back(self, units: list[Unit], day: int) -> None:
        if not self.returned:
            return
        self.counts["returned"] += len(units)
        if not self.resold:
            self.counts["spoilt"] += len(units)
            return
        self.shelf += units
        self.spoil(day)

    def order(self, day: int, wish: object) -> None:
        position = len(self.shelf) + sum(units for _, units in self.orders) - self.waiting
        units = wish(day, position)  # type: ignore[operator]
        if units > 1e-6:
            packs = ceil(max(units, self.minimum) / self.pack - 1e-6)
            self.counts["orders"] += 1
            self.orders.append((day + self.leads[day], packs * self.pack))
            self.arrive(day)

    def sell(self, day: int, wanted: int) -> None:
        self.counts["demand"] += wanted
        self.shelf.sort(key=lambda unit: unit.born)
        queue = ["before"] * self.waiting + ["today"] * wanted
        served, left = queue[: len(self.shelf)], queue[len(self.shelf) :]
        self.sold += [(day, unit) for unit in self.shelf[: len(served)]]
        self.shelf = self.shelf[len(served) :]
        self.counts["sold"] += len(served)
        self.counts["served"] += served.count("today")
        self.counts["short"] += "today" in left
        self.counts["lost"] += len(left) if self.lost else 0
        self.waiting = 0 if self.lost else len(left)
        self.counts["stock"] += len(self.shelf)
        self.counts["waited"] += self.waiting


def needed(samples: np.ndarray, day: int, length: int, service: float | None) -> float:
    """Demand of so many days from the day on, over (paths, days): the mean, or a quantile; beyond the end the mean of the last week."""
    paths, days = samples.shape
    sums = []
    for path in range(paths):
        week = samples[path, max(days - 7, 0) :]
        sums.append(sum(samples[path, at] if at < days else week.mean() for at in range(day, day + length)))
    return float(np.mean(sums)) if service is None else sorted(sums)[max(ceil(service * paths - 1e-9), 1) - 1]


def lots(position: float, point: float, quantity: float) -> float:
    """Units that bring the position above the point."""
    return 0.0 if position > point else quantity * (floor((point - position) / quantity) + 1)
