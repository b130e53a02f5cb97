"""Nothing that happens at or after the moment of asking reaches a feature: not of the person, not of others, not of the rest of the basket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_logs import ITEMS, SOURCES, made

import vitrina as vt
from vitrina.base.time import HOUR
from vitrina.data.dataset import Dataset
from vitrina.ranking import FeatureSet, Pairs, Sources, standard


def rewritten(data: Dataset, moment: int, rng: np.random.Generator) -> Dataset:
    """The log with everything at or after a moment made up anew: events dropped, of other items, values, kinds, baskets, times and people."""
    events, later = data.events, data.events.times >= moment
    keep = ~later | (rng.random(len(later)) < 0.7)
    columns = {name: column[keep].copy() for name, column in events.columns().items()}
    users, later = data.user_of[keep].copy(), later[keep]
    n = int(later.sum())
    users[later] = rng.integers(0, len(data.users), n)
    columns["items"][later] = rng.integers(0, ITEMS, n)
    columns["times"][later] = moment + HOUR * rng.integers(0, 3, n) * rng.integers(0, 200, n)
    made_up = {
        "values": rng.integers(0, 1000, n), "kinds": rng.integers(0, 2, n), "baskets": rng.permutation(columns["baskets"][later]),
        "weights": rng.choice([5, 1, 0, -1], n),
    }  # fmt: skip
    for name in made_up.keys() & columns.keys():
        columns[name][later] = made_up[name]
    rest = {"time_unit": "us", "item_table": data.item_table, "kind_names": data.kind_names}
    return Dataset.of_codes(users, replace(events, **columns), data.users, data.items, **rest)


def by_question(split: vt.split.Split, moment: int) -> dict[tuple[int, int], tuple[bytes, ...]]:
    """Candidates, features and what the sources say, by person and moment, for all questions up to a moment."""
    sources = Sources.fit(SOURCES, split.train)
    pairs = sources.candidates(split.queries, eligible=split.eligible)
    values = FeatureSet.fit(standard(split.train), split.train, sources).compute(pairs)
    answers = {}
    for q in range(len(split.queries)):
        own, asked = slice(*pairs.items.indptr[[q, q + 1]]), (int(split.queries.users[q]), int(split.queries.now[q]))
        if asked[1] <= moment:
            parts = (pairs.codes, pairs.scores, pairs.ranks, values)
            answers[asked] = tuple(np.ascontiguousarray(part[own]).tobytes() for part in parts)
    return answers


@pytest.mark.parametrize("seed", range(8))
def test_what_comes_later_changes_no_bit(seed):
    data, rng = made(seed), np.random.default_rng(seed)
    moments = np.unique(data.events.times)
    begin = int(moments[int(0.6 * len(moments))])
    rule = vt.split.GlobalTime(at=begin, repeat=True)
    split = data.split(rule)
    for moment in rng.choice(moments[moments >= begin], 4, replace=False).tolist():
        before = by_question(split, moment)
        after = by_question(rewritten(data, moment, rng).split(rule), moment)
        same = before.keys() & after.keys()
        assert len(same) >= 0.8 * sum(asked[1] < moment for asked in before)  # a target may be gone, and its question with it
        assert all(before[asked] == after[asked] for asked in same)


@pytest.mark.parametrize("seed", range(4))
def test_what_comes_at_the_moment_itself_is_future(seed):
    data = made(seed)
    moments = np.unique(data.events.times)
    rule = vt.split.GlobalTime(at=int(moments[int(0.6 * len(moments))]), repeat=True)
    split = data.split(rule)
    for q in range(len(split.queries)):
        past = slice(split.queries.start[q], split.queries.stop[q])
        assert (data.events.times[past] < split.queries.now[q]).all()
        held = data.events.baskets[past]
        target = data.events.baskets[split.queries.stop[q]]
        assert target < 0 or target not in held
    changed = data.events.items.copy()
    for q in range(len(split.queries)):  # all that shares the moment with its target
        changed[split.queries.stop[q]] = (changed[split.queries.stop[q]] + 1) % ITEMS
    first = int(np.argmin(split.queries.now))
    moment = int(split.queries.now[first])
    turned = replace(data, events=replace(data.events, items=changed))
    before, after = by_question(split, moment), by_question(turned.split(rule), moment)
    assert before.keys() == after.keys()
    assert all(before[asked] == after[asked] for asked in before)


def test_the_check_sees_a_leak():
    """A feature that looks at the whole log of events behind the queries is found out."""

    class Leaky(vt.ranking.FeatureGroup):
        def compute(self, pairs: Pairs, learned):
            return {"events of all times": np.bincount(pairs.queries.events.items, minlength=ITEMS)[pairs.codes]}

    data, rng = made(0, rich=False), np.random.default_rng(0)
    moments = np.unique(data.events.times)
    moment = int(moments[int(0.6 * len(moments))])
    rule = vt.split.GlobalTime(at=moment, repeat=True)
    seen = []
    for log in (data, rewritten(data, moment + HOUR, rng)):
        split = log.split(rule)
        sources = Sources.fit(SOURCES, split.train)
        pairs = sources.candidates(split.queries[:1], eligible=split.eligible)
        seen.append(FeatureSet.fit((Leaky(),), split.train, sources).compute(pairs).tobytes())
    assert seen[0] != seen[1]
