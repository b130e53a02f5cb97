"""Repurchase against the same estimate with loops over people and dense arrays, in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.models.repurchase import EDGES, MIDDLES
from vitrina.types import Eligibility, Events, Queries

CONFIGS = [
    vt.Repurchase(), vt.Repurchase(shrinkage=1, timing=1), vt.Repurchase(timing=0), vt.Repurchase(decay=vt.decay.Exponential(days=30))
]  # fmt: skip


def density(parts, days):
    share, scale, middle, spread = parts
    return (1 - share) * np.exp(-days / scale) / scale + share * np.exp(-(((days - middle) / spread) ** 2) / 2) / spread / np.sqrt(
        2 * np.pi
    )


def estimated(counts, steps, parts):
    """Expectation maximisation on gaps in bins."""
    share, scale, middle, spread = parts
    for _ in range(steps):
        normal = share * np.exp(-(((MIDDLES - middle) / spread) ** 2) / 2) / spread / np.sqrt(2 * np.pi)
        part = counts * normal / np.maximum(density((share, scale, middle, spread), MIDDLES), 1e-300)
        share, scale = part.sum() / counts.sum(), (counts - part) @ MIDDLES / (counts - part).sum()
        middle = part @ MIDDLES / part.sum()
        spread = max(np.sqrt(part @ (MIDDLES - middle) ** 2 / part.sum()), 0.1 * middle)
    return share, scale, middle, spread


def gaps_of(log):
    """(items, bins) gaps and (items,) purchases, person by person: events of one moment or basket are one purchase."""
    counts, purchases = np.zeros((log.n_items, len(MIDDLES))), np.zeros(log.n_items)
    weights = np.ones(log.n_events) if log.events.weights is None else log.events.weights
    baskets = np.full(log.n_events, -1) if log.events.baskets is None else log.events.baskets
    for user in range(log.n_users):
        last = {}
        for at in range(log.indptr[user], log.indptr[user + 1]):
            item, time, basket = int(log.events.items[at]), int(log.events.times[at]), int(baskets[at])
            if item in last and (last[item][0] == time or (basket >= 0 and basket == last[item][1])):
                continue
            if item in last:
                days = (time - last[item][0]) / DAY
                counts[item, min(max(int(np.searchsorted(EDGES, days, side="right")) - 1, 0), len(MIDDLES) - 1)] += weights[at]
            last[item] = time, basket
            purchases[item] += weights[at]
    return counts, purchases


def expected_scores(model, log, queries):
    counts, purchases = gaps_of(log)
    gaps = counts.sum(axis=0)
    mean = gaps @ MIDDLES / gaps.sum()
    everybody = estimated(gaps, 200, (0.5, mean, mean, mean / 2))
    returns = (counts.sum(axis=1) + model.shrinkage * gaps.sum() / purchases.sum()) / (purchases + model.shrinkage)
    scores = np.zeros((len(queries), log.n_items))
    for q in range(len(queries)):
        own = range(queries.start[q], queries.stop[q])
        for item in {int(queries.events.items[at]) for at in own}:
            events = [at for at in own if queries.events.items[at] == item]
            days = [(queries.now[q] - queries.events.times[at]) / DAY for at in events]
            weights = np.ones(len(own)) if queries.events.weights is None else queries.events.weights[own.start :]
            fades = [1 if model.decay is None else 0.5 ** (day / model.decay.days) for day in days]
            prior = model.shrinkage * gaps / gaps.sum()
            parts = estimated(counts[item] + prior, 20, everybody) if counts[item].any() else everybody
            intensity = sum(weights[at - own.start] * fade for at, fade in zip(events, fades, strict=True))
            scores[q, item] = returns[item] * intensity * density(parts, min(days)) ** model.timing
    return scores


def drawn(seed, *, baskets=False, weights=False):
    log = vt.testing.synthetic(users=12, items=9, mean_length=10, seed=seed)
    rng = np.random.default_rng(seed)
    changes = {}
    if baskets:
        changes["baskets"] = np.where(rng.random(log.n_events) < 0.2, -1, np.cumsum(rng.random(log.n_events) < 0.5)).astype(np.int32)
    if weights:
        changes["weights"] = rng.choice([0.5, 1, 3], log.n_events).astype(np.float32)
    return replace(log, events=replace(log.events, **changes))


@pytest.mark.parametrize("model", CONFIGS, ids=repr)
@pytest.mark.parametrize("seeds", [range(25), range(25, 50)], ids=repr)
def test_scores_equal_the_loops(model, seeds):
    for seed in seeds:
        log = drawn(seed, baskets=seed % 2 == 0, weights=seed % 3 == 0)
        queries = replace(log.queries(), now=np.full(log.n_users, log.events.times.max() + 3 * DAY))
        scores, expected = model.fit(log).score_block(queries), expected_scores(model, log, queries)
        np.testing.assert_array_equal(np.isfinite(scores), expected > 0)
        np.testing.assert_allclose(np.where(np.isfinite(scores), scores, 0), expected, rtol=1e-4)


def rhythms(people=400, seed=0):
    """Milk comes back every 7 days, give or take one; jam whenever, 20 days on average."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for user in range(people):
        for item, draw in enumerate((lambda: rng.normal(7, 1, 12), lambda: rng.exponential(20, 12))):
            moments = np.cumsum(np.maximum(draw(), 0.05))
            users += [user] * 12
            items += [item] * 12
            times += (1_600_000_000_000_000 + moments * DAY).astype(np.int64).tolist()
    order = np.argsort(times, kind="stable")
    events = Events(np.array(items, np.int32)[order], np.array(times)[order])
    names = vt.Vocabulary.of(["milk", "jam"])
    return vt.Dataset.of_codes(np.array(users)[order], events, vt.Vocabulary.of([f"u{u}" for u in range(people)]), names, time_unit="us")


def test_a_rhythm_and_a_memory_are_found_again():
    kernels = vt.Repurchase(shrinkage=1).fit(rhythms()).kernels
    assert kernels.share[0] > 0.95
    assert kernels.middle[0] == pytest.approx(7, rel=0.03)
    assert kernels.spread[0] == pytest.approx(1, rel=0.15)
    days = np.array([1.0, 5, 20, 60])
    found = 2 ** kernels.log2_density(np.ones(4, np.int32), days)
    np.testing.assert_allclose(found, np.exp(-days / 20) / 20, rtol=0.25)


def test_an_item_with_a_rhythm_is_in_front_when_its_day_comes():
    log = rhythms()
    fitted = vt.Repurchase(timing=1).fit(log)
    start = 1_600_000_000_000_000
    asked = Queries.of_histories(log.items, [["milk", "jam"]] * 3, [[start, start]] * 3)
    asked = replace(asked, now=start + np.array([2, 7, 21]) * DAY)
    lists = fitted.recommend(asked, k=2, eligible=Eligibility(repeat=True))
    assert lists.items[:, 0].tolist() == [1, 0, 1]


def test_what_is_too_old_for_float32_keeps_its_order():
    log = rhythms()
    fitted = vt.Repurchase(timing=1).fit(log)
    asked = Queries.of_histories(log.items, [["milk", "jam"]], [[0, 0]])
    scores = fitted.score_block(replace(asked, now=np.array([9_000 * DAY])))
    assert (scores[0] > 0).all()
    assert scores[0, 1] > scores[0, 0]  # the rhythm forgets faster


def test_a_log_without_times_or_returns_is_refused_with_a_remedy():
    log = drawn(0)
    with pytest.raises(DataError, match=r"needs events with real time.*Use TopPersonal"):
        vt.Repurchase().fit(replace(log, events=Events(log.events.items), time_unit=None))
    once = vt.filters.dedupe(log)
    with pytest.raises(DataError, match="nobody did"):
        vt.Repurchase().fit(once)
    with pytest.raises(ParameterError, match="'shrinkage' parameter of Repurchase"):
        vt.Repurchase(shrinkage=0)


def test_shards_add_up():
    log = drawn(3, baskets=True)
    one, three = vt.Repurchase().fit(log), vt.Repurchase().fit(log.sharded(3))
    np.testing.assert_allclose(one.kernels.middle, three.kernels.middle, rtol=1e-5)
    np.testing.assert_array_equal(one.returns, three.returns)
