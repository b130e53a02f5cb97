"""What the console says of an experiment on made-up stores of which the truth is known, and how much of a large store it reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from vitrina.base.time import DAY
from vitrina.experiments import Experiment
from vitrina.service.console import trials, window
from vitrina.service.console.trials import Running, running
from vitrina.service.records import Event
from vitrina.service.store.store import Store

TRIAL = Experiment(name="new", arms={"old": 0.5, "new": 0.5})


class Made:
    """A store of two tables, in parts."""

    def __init__(self, events: pl.DataFrame, shown: pl.DataFrame, part: int = 1000) -> None:
        self._events, self._shown, self._part = events, shown, part

    def events(self, tenant: str, after: int = 0, since: int = 0) -> Iterator[pl.DataFrame]:
        yield from self._events.with_row_index("at", 1).filter(pl.col("at") > after).drop("at").iter_slices(self._part)

    def shown(self, tenant: str, since: int = 0, after: int = 0) -> Iterator[pl.DataFrame]:
        later = self._shown.with_row_index("at", 1).filter(pl.col("at") > after).drop("at")
        yield from later.filter(pl.col("time") >= since).iter_slices(self._part)


def made(rates: dict[str, float], units: dict[str, int], *, days_ago: float = 4.0, seed: int = 0, late: bool = False) -> Made:
    """People of two arms, each with one to three lists; they click within the day, or all of them a day and a half later."""
    rng, start = np.random.default_rng(seed), time.time_ns() // 1000 - round(days_ago * DAY)
    shown, events = [], []
    for arm, count in units.items():
        for at in range(count):
            user, first = f"{arm}{at}", start + int(rng.integers(DAY))
            for turn in range(rng.integers(1, 4)):
                shown.append((f"{user}-{turn}", first + turn * 1000, "home", "v", user, None, TRIAL.name, arm, 1, "tea", "model"))
            if rng.random() < rates[arm]:
                when = first + (round(1.5 * DAY) if late else 60_000_000)
                events.append((len(events), "click", user, "tea", when, when, f"{user}-0"))
    return Made(pl.DataFrame(events, schema=window.EVENTS, orient="row"), pl.DataFrame(shown, schema=window.SHOWN, orient="row"))


def told(store: Any) -> Running:
    return running(store, "default", TRIAL, "home")


def test_a_large_difference_is_found_with_the_right_sign() -> None:
    found = told(made({"old": 0.1, "new": 0.3}, {"old": 1500, "new": 1500}))
    assert found.verdict == "pass"
    row = next(row for row in found.compared if row.metric == "users with click")
    assert (row.arm, row.control, row.verdict) == ("new", "old", "better")
    assert row.low is not None
    assert row.high is not None
    assert row.low < 0.2 < row.high
    assert row.control_value == pytest.approx(0.1, abs=0.03)
    assert found.complete == 3000


def test_where_nothing_differs_nothing_is_found() -> None:
    decided = 0
    for seed in range(12):
        found = told(made({"old": 0.2, "new": 0.2}, {"old": 700, "new": 700}, seed=seed))
        decided += any(row.verdict in ("better", "worse") for row in found.compared)
    assert decided <= 2  # 5% of looks at all days together


def test_arms_of_another_size_than_planned_are_told_first_and_no_effect() -> None:
    found = told(made({"old": 0.1, "new": 0.5}, {"old": 1500, "new": 1100}))
    assert found.verdict == "refuse"
    assert found.compared == []


def test_what_comes_after_the_day_is_not_counted() -> None:
    found = told(made({"old": 0.1, "new": 0.9}, {"old": 300, "new": 300}, late=True))
    assert found.compared == []
    assert "nobody in it has done anything" in found.sentences[0]


def test_few_people_or_a_first_day_are_too_early() -> None:
    few = told(made({"old": 0.2, "new": 0.4}, {"old": 40, "new": 40}))
    assert {row.verdict for row in few.compared} == {"too early"}
    assert all(row.difference is None for row in few.compared)
    young = told(made({"old": 0.2, "new": 0.4}, {"old": 400, "new": 400}, days_ago=0.9999))
    assert not [row for row in young.compared if row.verdict != "too early"]
    nobody = told(Made(pl.DataFrame(schema=window.EVENTS), pl.DataFrame(schema=window.SHOWN)))
    assert (nobody.verdict, nobody.started) == ("too early", None)


def test_a_window_holds_the_latest_rows_and_says_that_it_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "MOST", 2500)
    store = made({"old": 1.0, "new": 1.0}, {"old": 3000, "new": 3000}, days_ago=3)
    store._events = store._events.sort("received")
    read = window.read(store, "default")  # type: ignore[arg-type]
    assert read.cut
    assert read.events.height <= 2500
    assert read.events["received"].max() == store._events["received"].max()
    assert (read.events["received"] >= read.since).all()
    monkeypatch.setattr(window, "MOST", 100_000)
    whole = window.read(store, "default")  # type: ignore[arg-type]
    assert not whole.cut
    assert whole.events.height == store._events.height


def test_what_is_older_than_the_window_is_not_in_it() -> None:
    store = made({"old": 1.0, "new": 1.0}, {"old": 50, "new": 50}, days_ago=window.DAYS + 2)
    read = window.read(store, "default")  # type: ignore[arg-type]
    assert read.events.is_empty()
    assert read.shown.is_empty()
    assert trials.exposed(store, "default", TRIAL).height == 100  # type: ignore[arg-type]


def test_a_window_of_a_real_store_is_the_end_of_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "MOST", 3000)
    now = time.time_ns() // 1000

    async def filled() -> None:
        store = Store.open(tmp_path)
        for at in range(0, 25_000, 5000):
            await store.append(
                "default", [Event(f"e{n}", "click", f"u{n % 90}", "tea", now - 10, now - 25_000 + n) for n in range(at, at + 5000)]
            )
            await store.append("other", [Event(f"e{at}", "click", "u", "tea", now, now)])
        await store.close()

    asyncio.run(filled())
    store = Store.read_only(tmp_path)
    read = window.read(store, "default", now)  # type: ignore[arg-type]
    last = pl.concat(store.events("default")).tail(3000)
    assert read.cut
    assert read.events["sequence"].to_list() == last.filter(pl.col("received") >= read.since)["sequence"].to_list()
    assert read.events.height == 3000
