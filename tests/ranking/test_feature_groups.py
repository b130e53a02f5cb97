"""Every group of features against a slow one in plain Python, on logs with everything in them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from statistics import mean, pstdev

import numpy as np
import polars as pl
import pytest
from made_logs import asked, cut, history, in_baskets, made

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.time import DAY
from vitrina.ranking import (
    Affinity,
    Crosses,
    FeatureSet,
    ItemCounters,
    Relations,
    Source,
    Sources,
    SourceScores,
    Trends,
    UserCounters,
    UserItemCounters,
    standard,
)  # fmt: skip
from vitrina.testing import synthetic

NAN = float("nan")
SEEDS = range(12)


def compare(columns, pairs, expected):
    """Each column against what a function says of (query, item); a missing number is None."""
    for name, oracle in expected.items():
        wanted = [oracle(q, c) for q, c in zip(pairs.rows.tolist(), pairs.codes.tolist(), strict=True)]
        wanted = np.array([NAN if value is None else value for value in wanted], np.float32)
        np.testing.assert_allclose(columns[name], wanted, rtol=2e-5, atol=1e-6, err_msg=name)
    assert set(columns) == set(expected)


def divided(a, b):
    return a / b if b else None


def since(queries, q, time):
    return (queries.now[q] - time) / DAY


@pytest.mark.parametrize("seed", SEEDS)
def test_counters_of_people(seed):
    split = cut(made(seed))
    columns, pairs = asked(UserCounters(), split.train, split.queries)
    queries = split.queries
    past = [history(queries, q) for q in range(len(queries))]
    baskets = [in_baskets(events) for events in past]

    def first(q):
        return since(queries, q, past[q][0]["times"]) if past[q] else None

    def last(q):
        return since(queries, q, past[q][-1]["times"]) if past[q] else None

    different = [len({e["items"] for e in events}) for events in past]
    compare(columns, pairs, {
        "person: events": lambda q, _: len(past[q]),
        "person: different items": lambda q, _: different[q],
        "person: baskets": lambda q, _: len(baskets[q]),
        "person: events per basket": lambda q, _: divided(len(past[q]), len(baskets[q])),
        "person: events per item": lambda q, _: divided(len(past[q]), different[q]),
        "person: days since the first event": lambda q, _: first(q),
        "person: days since the last event": lambda q, _: last(q),
        "person: days between baskets": lambda q, _: (first(q) - last(q)) / (len(baskets[q]) - 1) if len(baskets[q]) > 1 else None,
        "person: mean value": lambda q, _: mean(e["values"] for e in past[q]) if past[q] else None,
    })  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_counters_of_items(seed):
    split = cut(made(seed))
    columns, pairs = asked(ItemCounters(), split.train, split.queries)
    log = split.train
    rows = [
        (u, i, t, v)
        for u, i, t, v, w in zip(log.user_of, log.events.items, log.events.times, log.events.values, log.events.weights, strict=True)
        if w > 0
    ]
    events, people = Counter(i for _, i, _, _ in rows), {c: len({u for u, i, _, _ in rows if i == c}) for c in range(log.n_items)}
    taken = Counter((u, i) for u, i, _, _ in rows)
    everybody = len({u for u, _, _, _ in rows})

    def place(c):
        return 1 + sum(people[o] > people[c] or (people[o] == people[c] and o < c) for o in people)

    compare(columns, pairs, {
        "item: share of all events": lambda _, c: events[c] / len(rows),
        "item: share of all people": lambda _, c: people[c] / everybody,
        "item: place by people": lambda _, c: place(c) if people[c] else None,
        "item: events per person": lambda _, c: divided(events[c], people[c]),
        "item: share who took it again": lambda _, c: divided(sum(n > 1 for (_, i), n in taken.items() if i == c), people[c]),
        "item: mean value": lambda _, c: mean(v for _, i, _, v in rows if i == c) if events[c] else None,
        "item: days since its first event": lambda q, c: since(split.queries, q, min(t for _, i, t, _ in rows if i == c)) if events[c] else None,
        "item: days since its last event": lambda q, c: since(split.queries, q, max(t for _, i, t, _ in rows if i == c)) if events[c] else None,
    })  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_trends(seed):
    split = cut(made(seed))
    columns, pairs = asked(Trends(windows=(20, 4)), split.train, split.queries)
    log = split.train
    rows = [(i, t) for i, t, w in zip(log.events.items, log.events.times, log.events.weights, strict=True) if w > 0]
    end = max(t for _, t in rows)
    windows = {w: [i for i, t in rows if t > end - w * DAY] for w in (4, 20)}
    past = [history(split.queries, q) for q in range(len(split.queries))]

    def share(c, w):
        return windows[w].count(c) / len(windows[w])

    def trend(c):
        one = 1 / len(windows[4])
        return math.log((share(c, 4) + one) / (share(c, 20) + one))

    compare(columns, pairs, {
        "item: share of 4 days": lambda _, c: share(c, 4),
        "item: share of 20 days": lambda _, c: share(c, 20),
        "item: trend of 4 days to 20": lambda _, c: trend(c),
        "person: events in 4 days": lambda q, _: sum(e["times"] >= split.queries.now[q] - 4 * DAY for e in past[q]),
        "person: events in 20 days": lambda q, _: sum(e["times"] >= split.queries.now[q] - 20 * DAY for e in past[q]),
    })  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_counters_of_person_and_item(seed):
    split = cut(made(seed))
    columns, pairs = asked(UserItemCounters(), split.train, split.queries)
    queries = split.queries
    past = [history(queries, q) for q in range(len(queries))]
    baskets = [in_baskets(events) for events in past]

    def holding(q, c):
        return [b for b, basket in enumerate(baskets[q]) if any(e["items"] == c for e in basket)]

    def gap(q, c):
        held = holding(q, c)
        return (held[-1] - held[0]) / (len(held) - 1) if len(held) > 1 else None

    def later(q, c):
        return len(baskets[q]) - 1 - holding(q, c)[-1] if holding(q, c) else None

    def times(q, c):
        return [e["times"] for basket in baskets[q] for e in basket if e["items"] == c]  # in the order of baskets

    def days(q, c):
        return since(queries, q, times(q, c)[-1]) if times(q, c) else None

    def days_apart(q, c):
        held = holding(q, c)
        return (times(q, c)[-1] - times(q, c)[0]) / DAY / (len(held) - 1) if len(held) > 1 else None

    def due(number, between):
        return None if between is None or not between > 0 else number / between

    compare(columns, pairs, {
        "taken before: baskets": lambda q, c: len(holding(q, c)),
        "taken before: share of baskets": lambda q, c: len(holding(q, c)) / len(baskets[q]) if baskets[q] else 0,
        "taken before: share of events": lambda q, c: sum(e["items"] == c for e in past[q]) / len(past[q]) if past[q] else 0,
        "taken before: baskets since the last": later,
        "taken before: baskets between two": gap,
        "taken before: baskets since the last, by those between": lambda q, c: due(later(q, c) + 1, gap(q, c)) if holding(q, c) else None,
        "taken before: days since the last": days,
        "taken before: days between two": days_apart,
        "taken before: days since the last, by those between": lambda q, c: due(days(q, c), days_apart(q, c)),
    })  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_affinity(seed):
    split = cut(made(seed))
    columns, pairs = asked(Affinity(), split.train, split.queries)
    log, frame = split.train, split.train.item_table.frame
    aisle = [[] if a is None else [a] for a in frame["aisle"].to_list()]
    tags = [[] if t is None else sorted(set(t)) for t in frame["tags"].to_list()]
    price = frame["price"].to_list()
    rows = [(i, v) for i, v, w in zip(log.events.items, log.events.values, log.events.weights, strict=True) if w > 0]
    value = [mean(v for i, v in rows if i == c) if any(i == c for i, _ in rows) else None for c in range(log.n_items)]
    past = [[e["items"] for e in history(split.queries, q)] for q in range(len(split.queries))]

    def share(of, q, t):
        return sum(t in of[i] for i in past[q]) / len(past[q])

    def average(of, q, c, number):
        return mean(number(t) for t in of[c]) if of[c] and past[q] else None

    def lift(of, q, t):
        everybody = sum(t in of[i] for i, _ in rows) / len(rows)
        return share(of, q, t) / everybody if everybody else 0

    def last(of, q, c):
        later = [len(past[q]) - 1 - at for at, i in enumerate(past[q]) if set(of[i]) & set(of[c])]
        return min(later) if later else None

    def usual(of, q):
        known = [of[i] for i in past[q] if of[i] is not None]
        return (mean(known), pstdev(known)) if known else (None, None)

    def of_tags(name, of):
        return {
            f"{name}: share of the person's events": lambda q, c: average(of, q, c, lambda t: share(of, q, t)),
            f"{name}: share, by that of all people": lambda q, c: average(of, q, c, lambda t: lift(of, q, t)),
            f"{name}: events since the last": lambda q, c: last(of, q, c),
        }

    def of_numbers(name, of):
        return {
            name: lambda _, c: of[c],
            f"{name}: by the person's mean": lambda q, c: None if of[c] is None or usual(of, q)[0] is None else of[c] / usual(of, q)[0],
            f"{name}: spreads from the person's mean": lambda q, c: (
                None if of[c] is None or not usual(of, q)[1] else (of[c] - usual(of, q)[0]) / usual(of, q)[1]
            ),
        }

    compare(
        columns,
        pairs,
        of_tags("aisle", aisle) | of_tags("tags", tags) | of_numbers("price", price) | of_numbers("value of its events", value),
    )


WEIGHTS = {
    "together": vt.Cooccurrence(neighbours=6),
    "next": vt.Cooccurrence(weighting=vt.weighting.Transitions(), gap=vt.decay.Window(events=1), one_way=True),
    "ridge": vt.EASE(l2=5),
}
FADE = vt.decay.All(of=(vt.decay.Exponential(events=4), vt.decay.Exponential(days=9)))


def aggregates(queries, pairs, relation, *, last, kinds):
    """Sum, maximum and last of a relation: (h, c) -> number, None where there is none."""

    def terms(q, c):
        asked = queries[q].counted().last(last)
        recent = history(asked, 0)
        for place, event in enumerate(recent):
            weight = 0.5 ** ((len(recent) - 1 - place) / 4) * 0.5 ** (since(queries, q, event["times"]) / 9)
            weight *= event["weights"] * (kinds[event["kinds"]])
            r = relation(event["items"], c)
            if weight > 0 and r is not None:
                yield weight * r

    def newest(q, c):
        run = history(queries[q].counted().last(last), 0)
        while len(run) > 1:
            a, b = run[0], run[-1]
            same = a["baskets"] == b["baskets"] if b["baskets"] >= 0 else a["times"] == b["times"]
            if same and all((e["baskets"] == b["baskets"]) if b["baskets"] >= 0 else e["times"] == b["times"] for e in run):
                break
            run = run[1:]
        return [r for e in run if kinds[e["kinds"]] > 0 and (r := relation(e["items"], c)) is not None]

    def silent(q):
        return not any(kinds[e["kinds"]] > 0 for e in history(queries[q].counted().last(last), 0))

    return {
        "sum": lambda q, c: None if silent(q) else sum(terms(q, c)),
        "maximum": lambda q, c: None if silent(q) else max(terms(q, c), default=0),
        "last": lambda q, c: None if silent(q) else max(newest(q, c), default=0),
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_relations_by_weights(seed):
    split = cut(made(seed))
    group = Relations(of=WEIGHTS, sources=False, last=7, fade=FADE, kinds={"view": 0.5 if seed % 2 else 0.0})
    columns, pairs = asked(group, split.train, split.queries)
    expected = {}
    for name, model in WEIGHTS.items():
        fitted = model.fit(split.train)
        weights = fitted.item_relations(np.arange(split.train.n_items, dtype=np.int32))

        def relation(h, c, weights=weights):
            return float(weights[h, c]) if np.isfinite(weights[h, c]) else None

        own = aggregates(split.queries, pairs, relation, last=7, kinds=(0.5 if seed % 2 else 0.0, 1.0))
        expected |= {f"{name}: {aggregate}": oracle for aggregate, oracle in own.items()}
    compare(columns, pairs, expected)


class Dense(vt.models.base.ModelConfig):
    """Item vectors of a random projection, some of them zeros."""

    def fit(self, data, *, validation=None, start=None):
        vectors = np.random.default_rng(5).normal(size=(data.n_items, 3)).astype(np.float32)
        vectors[::5] = 0
        return vt.forms.Embeddings(data.items, data.catalogue, vectors)


@pytest.mark.parametrize("seed", SEEDS)
def test_relations_by_vectors_leave_the_item_itself_out(seed):
    split = cut(made(seed))
    sources = (Source(model=Dense(), n=5, name="dense"), Source(model=vt.ContentSimilarity(columns=("aisle", "tags")), n=5, name="content"))
    columns, pairs = asked(Relations(of={}, last=7, fade=FADE), split.train, split.queries, sources)
    expected = {}
    for source in sources:
        vectors = source.model.fit(split.train).item_vectors
        vectors = np.asarray(vectors if isinstance(vectors, np.ndarray) else vectors.toarray(), np.float64)
        norms = np.linalg.norm(vectors, axis=1)

        def relation(h, c, vectors=vectors, norms=norms, dense=source.name == "dense"):
            product = vectors[h] @ vectors[c]
            nothing = norms[h] == 0 or norms[c] == 0 if dense else not ((vectors[h] != 0) & (vectors[c] != 0)).any()
            return None if h == c or nothing else product / norms[h] / norms[c]

        own = aggregates(split.queries, pairs, relation, last=7, kinds=(1.0, 1.0))
        expected |= {f"{source.name}: {aggregate}": oracle for aggregate, oracle in own.items()}
    compare(columns, pairs, expected)


def test_relations_of_the_sources_are_their_own():
    data = made(3)
    columns, _ = asked(Relations(of={}), data, data.queries())
    assert list(columns) == [
        f"{name}: {a}" for name in ("Cooccurrence", "EASE") for a in ("sum", "maximum", "last")
    ]  # popularity relates nothing
    with pytest.raises(ParameterError, match="Two relations are called 'EASE'"):
        asked(Relations(of={"EASE": vt.EASE()}), data, data.queries())
    with pytest.raises(ParameterError, match=r"Got Popularity\(\) for 'liked'"):
        asked(Relations(of={"liked": vt.Popularity()}), data, data.queries())


def test_crosses():
    data = synthetic(users=30)
    sources = Sources.fit((Source(model=vt.Popularity(), n=5), Source(model=vt.TopPersonal(), n=4)), data)
    pairs = sources.candidates(data.queries(), eligible=vt.Eligibility(repeat=True))
    names = ("TopPersonal: score", "item: share of all people")
    groups = [SourceScores(), ItemCounters(), *(Crosses(of=[names], how=how) for how in ("product", "ratio", "difference"))]
    features = FeatureSet.fit(groups, data, sources)
    columns = dict(zip(features.names, features.compute(pairs).T, strict=True))
    a, b = (columns[name] for name in names)
    np.testing.assert_allclose(columns[f"{names[0]} x {names[1]}"], a * b)
    np.testing.assert_allclose(columns[f"{names[0]} / {names[1]}"], a / b)
    np.testing.assert_allclose(columns[f"{names[0]} - {names[1]}"], a - b)
    with pytest.raises(UnknownNameError, match="Did you mean 'TopPersonal: score'"):
        FeatureSet.fit((SourceScores(), Crosses(of=[("TopPersonal score", "sources that found it")])), data, sources)


@pytest.mark.parametrize("seed", range(3))
def test_logs_without_times_values_or_baskets(seed):
    data = made(seed, timed=False, rich=False)
    sources = Sources.fit((Source(model=vt.Popularity(), n=6), Source(model=vt.Cooccurrence(), n=6)), data)
    features = FeatureSet.fit(standard(data), data, sources)
    assert not any("days" in name or "value" in name for name in features.names)
    values = features.compute(sources.candidates(data.queries(), eligible=vt.Eligibility(repeat=True)))
    assert np.isfinite(values).any(axis=0).all()
    stranger = sources.candidates(vt.Queries.of_histories(data.items, [[], ["i1", "new"]]))
    assert features.compute(stranger).shape == (len(stranger), len(features.names))
    with pytest.raises(DataError, match="Leave Trends out"):
        FeatureSet.fit((Trends(),), data, sources)


def test_affinity_of_a_file_gives_its_columns_in_the_order_of_the_fit():
    """Files give arrays in the order of their names, in which categories come before numbers, and column 10 before column 2."""
    log = synthetic(users=20, text=False).frame()
    ids = log["item_id"].unique(maintain_order=True)
    columns = {f"c{at}": [f"tag {n % 3}" if at % 2 else float(n % 5) for n in range(len(ids))] for at in range(12)}
    items = pl.DataFrame({"item_id": ids, **columns})
    kinds = {name: "category" if isinstance(values[0], str) else "number" for name, values in columns.items()}
    data = vt.read_interactions(log, user="user_id", item="item_id", time="timestamp", items=items, item_kinds=kinds)
    sources = Sources.fit((Source(model=vt.Popularity()),), data)
    features = FeatureSet.fit((Affinity(),), data, sources)
    assert list(dict.fromkeys(name.partition(":")[0] for name in features.names)) == [*columns, "value of its events"]
    state = features.state()
    filed = replace(state, arrays={name: state.arrays[name] for name in sorted(state.arrays)})
    pairs = sources.candidates(data.queries(), eligible=vt.Eligibility(repeat=True))
    np.testing.assert_array_equal(FeatureSet.of_state(filed).compute(pairs), features.compute(pairs))


def test_what_affinity_refuses():
    data = synthetic(users=20, text=False)
    sources = Sources.fit((Source(model=vt.Popularity()),), data)
    assert FeatureSet.fit((Affinity(),), data, sources).names[0] == "value of its events"
    with pytest.raises(DataError, match=r"must be columns of categories or numbers of the item table \(none\)"):
        FeatureSet.fit((Affinity(columns=("price",)),), data, sources)


@pytest.mark.parametrize("seed", range(4))
def test_one_query_alone_in_parts_and_after_saving(seed):
    split = cut(made(seed))
    sources = Sources.fit((Source(model=vt.Popularity(), n=6), Source(model=vt.Cooccurrence(), n=6)), split.train)
    features = FeatureSet.fit(standard(split.train), split.train, sources)
    pairs = sources.candidates(split.queries, eligible=split.eligible)
    whole = features.compute(pairs)
    alone = np.concatenate(
        [features.compute(sources.candidates(split.queries[q], eligible=split.eligible)) for q in range(len(split.queries))]
    )
    np.testing.assert_array_equal(whole, alone)
    np.testing.assert_array_equal(whole, FeatureSet.of_state(features.state()).compute(pairs))
    kept = np.random.default_rng(seed).random(len(pairs)) < 0.5
    mine = [at for at, group in enumerate(features.groups) if group != "SourceScores"]  # places among the candidates are of all of them
    np.testing.assert_allclose(features.compute(pairs.keep(kept))[:, mine], whole[kept][:, mine], rtol=1e-5)
