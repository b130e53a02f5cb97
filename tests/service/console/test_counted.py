"""Numbers of the pages, each beside a slow and obvious way to get it."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import polars as pl
import pytest

from vitrina.base.time import HOUR
from vitrina.service.console import counted, window
from vitrina.service.console.compare import mean_of, spread
from vitrina.service.console.gauged import Gauged, quantile
from vitrina.service.console.window import Window
from vitrina.service.console.words import age, duration, moment, wilson
from vitrina.service.metrics import Metrics

NOW = 1_764_000_000_000_000


def made(rng: np.random.Generator, lists: int = 40) -> Window:
    """A made-up window: lists of some people, and events on some of their items, also twice, also of no list."""
    shown, events = [], []
    for at in range(lists):
        user = None if rng.random() < 0.2 else str(rng.integers(8))
        items = [str(item) for item in rng.choice(20, rng.integers(1, 6), replace=False)]
        time = NOW - int(rng.integers(100 * HOUR))
        for place, item in enumerate(items, 1):
            shown.append((f"r{at}", time, str(rng.choice(["home", "cart"])), "v1", user, f"s{at}", None, None, place, item, "model"))
            for _ in range(rng.integers(0, 3)):
                linked = f"r{at}" if rng.random() < 0.8 else None
                events.append((len(events) + 1, str(rng.choice(["click", "buy", "impression"])), user, item, time, time + 5, linked))
    return Window(
        pl.DataFrame(events, schema=window.EVENTS, orient="row"),
        pl.DataFrame(shown, schema=window.SHOWN, orient="row"),
        NOW - 168 * HOUR,
        NOW,
    )


@pytest.mark.parametrize("seed", range(50))
def test_shares_are_those_of_a_count_by_hand(seed: int) -> None:
    seen = made(np.random.default_rng(seed))
    clicks = {
        (e["recommendation_id"], e["item"]) for e in seen.events.iter_rows(named=True) if e["kind"] == "click" and e["recommendation_id"]
    }
    by_hand: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for row in seen.shown.iter_rows(named=True):
        counts = by_hand[row["scenario"], row["position"]]
        counts[0] += 1
        counts[1] += (row["recommendation_id"], row["item"]) in clicks
    found = counted.shares(counted.answered(seen, "click"), "scenario", by_position=True)
    assert {(row.of, row.position): [row.shown, row.clicked] for row in found} == dict(by_hand)
    assert all(row.low - 1e-12 <= row.share <= row.high + 1e-12 for row in found)


@pytest.mark.parametrize("seed", range(10))
def test_order_and_a_second_event_of_the_same_place_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = made(rng)
    doubled = Window(pl.concat([seen.events, seen.events]).sample(fraction=1, shuffle=True, seed=seed), seen.shown.sample(fraction=1, shuffle=True, seed=1), seen.since, seen.until)  # fmt: skip
    one, other = (counted.shares(counted.answered(w, "click"), "scenario") for w in (seen, doubled))
    assert [(r.of, r.shown, r.clicked, r.people) for r in one] == [(r.of, r.shown, r.clicked, r.people) for r in other]
    assert np.allclose([(r.low, r.high) for r in one], [(r.low, r.high) for r in other])


def test_the_interval_holds_the_truth_though_people_come_often() -> None:
    """People click at rates of their own, and come one to twenty times: 95% intervals hold the overall rate in about 95 of 100 worlds."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        n = rng.integers(1, 21, 150).astype(np.float64)
        hits = rng.binomial(n.astype(int), rng.beta(1, 4, 150)).astype(np.float64)
        low, high = counted.interval(n, hits)
        held += low <= 0.2 <= high
    assert 0.92 <= held / 400 <= 0.98  # an interval for independent places holds it in 75


def test_popularity_of_what_was_shown_is_told_beside_the_logs() -> None:
    events = np.array([100, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    ids = pl.Series("id", [str(i) for i in range(11)])
    found = counted.reach(["0", "0", "1", "9", "unknown"], events, ids, events > 0)
    assert (found.items, found.catalogue, found.places) == (3, 10, 4)
    assert found.of_top[1] == (0.1, 0.5, pytest.approx(100 / 109))


@pytest.mark.parametrize("hours", [1, 30, 168])
def test_bins_over_time_hold_every_event_once(hours: int) -> None:
    rng = np.random.default_rng(hours)
    times = pl.Series(rng.integers(NOW - hours * HOUR, NOW, 500))
    width, points = counted.over_time(times, NOW - hours * HOUR, NOW)
    assert sum(count for _, count in points) == 500
    assert len(points) <= counted.BINS + 2
    for start, count in points:
        assert count == sum(start <= time < start + width for time in times)


def test_quantiles_of_a_histogram_are_within_its_buckets() -> None:
    rng = np.random.default_rng(1)
    metrics, values = Metrics(), rng.exponential(0.02, 5000)
    for value in values:
        metrics.request("/v1/recommend", 200, float(value))
    (found,) = Gauged(metrics).latencies("vitrina_request_seconds", "route")
    bounds = [0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25]
    for share, told in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        true = float(np.quantile(values, share))
        at = np.searchsorted(bounds, true)
        assert told is not None
        assert bounds[at - 1] * 1000 <= told <= bounds[at] * 1000
    assert found.count == 5000


def test_a_quantile_of_nothing_is_none_and_beyond_the_last_bound_is_the_bound() -> None:
    assert quantile([(0.1, 0), (math.inf, 0)], 0.5) is None
    assert quantile([(0.1, 1), (math.inf, 10)], 0.99) == 0.1


def test_wilson_holds_at_both_ends() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(7, 7)
    assert 0 < low < high == 1.0


def test_ages_are_said_in_the_largest_unit() -> None:
    assert age("2026-01-01T00:00:00+00:00", moment("2026-01-01T00:00:30+00:00")) == "30 seconds"
    assert age("2026-01-01T00:00:00", moment("2026-02-01T00:00:00+00:00")) == "31 days"
    assert age("no date") == "–"
    assert duration(90 * 60 * 1e6) == "1 hour"


def test_people_are_spread_evenly_and_a_mean_has_its_doubt() -> None:
    users = [str(i) for i in range(1000)]
    assert spread(users, 4) == ["0", "250", "500", "750"]
    assert spread(users[:3], 10) == users[:3]
    assert spread([], 10) == []
    assert mean_of([]) == (None, None)
    mean, half = mean_of([0.0, 1.0] * 50)
    assert mean == 0.5
    assert half == pytest.approx(1.96 * 0.5025 / 10, rel=0.01)
