"""Whatever the catalogue, the rules and the request: never an ineligible item, never fewer than could be, no item twice."""

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.artifacts import Artifact
from vitrina.base.errors import ParameterError
from vitrina.data.features import FeatureTable
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline import Pipeline
from vitrina.service.records import Attributes, Event
from vitrina.types import Events
from vitrina.wire import RecommendRequest

AISLES, LATE = ("drinks", "dairy", "bakery"), 2_000_000_000_000_000
MODELS = {"popular": vt.Popularity(), "items": vt.EASE(l2=1), "sparse": vt.Cooccurrence()}
RULES = {
    "no drinks": vt.rules.Hide(where={"aisle": "drinks"}),
    "cheap": vt.rules.Only(where={"price": {"at_most": 3}}),
    "age": vt.rules.Suits(item="price", relation="at_most", person="age", default=9),
    "dairy up": vt.rules.Boost(where={"aisle": "dairy"}, by=0.5),
    "few bakery": vt.rules.AtMost(n=1, first=3, where={"aisle": "bakery"}),
    "dairy in": vt.rules.AtLeast(n=1, first=2, where={"aisle": "dairy"}),
    "each aisle": vt.rules.AtMost(n=2, first=5, each="aisle"),
}
CONDITIONS = (
    {"aisle": "dairy"},
    {"aisle": ["drinks", "bakery"]},
    {"price": {"above": 1}, "aisle": {"is_not": "drinks"}},
    {"price": {"missing": True}},
)


@st.composite
def worlds(draw):
    """A log with a table of items, what was said of items since, rules, and requests."""
    n = draw(st.integers(4, 14))
    users, items = vt.Vocabulary.of([f"u{at}" for at in range(4)]), vt.Vocabulary.of([f"i{at}" for at in range(n)])
    pairs = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, n - 1)), min_size=3, max_size=40))
    events = Events(np.array([item for _, item in pairs], np.int32), np.arange(len(pairs), dtype=np.int64) * 1000)
    price = st.one_of(st.none(), st.integers(0, 5).map(float))
    table = pl.DataFrame({
        "item_id": items.ids, "aisle": [*AISLES, *draw(st.lists(st.sampled_from((None, *AISLES)), min_size=n - 3, max_size=n - 3))],
        "price": pl.Series([1.0, *draw(st.lists(price, min_size=n - 1, max_size=n - 1))], dtype=pl.Float64),
    })  # fmt: skip
    data = vt.Dataset.of_codes(
        np.array([user for user, _ in pairs]), events, users, items, time_unit="us", item_table=FeatureTable.of(table, "item_id", items)
    )
    some = st.lists(st.integers(0, n + 1).map("i{}".format), max_size=n)  # two of them nobody knows
    said = draw(st.lists(st.builds(
        Attributes, st.integers(0, n + 1).map("i{}".format), st.fixed_dictionaries({}, optional={"aisle": st.sampled_from(AISLES), "price": price}), st.booleans(),
    ), max_size=5))  # fmt: skip
    requests = draw(st.lists(st.builds(
        RecommendRequest, user=st.sampled_from((None, "u0", "u1", "u3", "new")), history=st.one_of(st.none(), some), k=st.integers(1, n + 3),
        candidates=st.one_of(st.none(), some), where=st.one_of(st.none(), st.sampled_from(CONDITIONS)), exclude=some, repeat=st.booleans(),
        context=st.sampled_from(({}, {"age": 2}, {"age": 4.0})),
    ), min_size=1, max_size=6))  # fmt: skip
    rules = draw(st.lists(st.sampled_from(sorted(RULES)), unique=True, max_size=3))
    return data, said, {name: RULES[name] for name in rules}, requests, draw(st.sampled_from(sorted(MODELS)))


def may_be_shown(data, said, rules, request, history):
    """What one request may be shown, item by item, in plain Python."""
    table = {row["item_id"]: dict(row) for row in data.item_table.frame.with_columns(item_id=data.items.ids).to_dicts()}
    deleted = set()
    for row in said:
        deleted.discard(row.id)
        if row.delete:
            deleted.add(row.id)
        elif row.id in table:
            table[row.id] |= row.columns
    taken = {data.items.ids[int(code)] for code in data.events.items}
    fine = {"aisle": lambda row, of: row["aisle"] in of, "price": lambda row, test: row["price"] is not None and test(row["price"])}
    kept = set()
    for item, row in table.items():
        conditions = [
            item in taken, item not in deleted, item not in request.exclude, request.candidates is None or item in request.candidates,
            request.repeat or item not in history,
            "no drinks" not in rules or row["aisle"] != "drinks",
            "cheap" not in rules or fine["price"](row, lambda price: price <= 3),
            "age" not in rules or row["price"] is None or row["price"] <= request.context.get("age", 9),
            request.where != CONDITIONS[0] or fine["aisle"](row, ["dairy"]),
            request.where != CONDITIONS[1] or fine["aisle"](row, ["drinks", "bakery"]),
            request.where != CONDITIONS[2] or (fine["price"](row, lambda price: price > 1) and fine["aisle"](row, ["dairy", "bakery"])),
            request.where != CONDITIONS[3] or row["price"] is None,
        ]  # fmt: skip
        if all(conditions):
            kept.add(item)
    return kept


def answering(recommender, data, rules, histories, items):
    """A pipeline; rules that can't hold together in this table are another test's."""
    reranker = vt.Rules(rules=rules) if rules else None
    artifact = Artifact(recommender, {}, data.item_table)
    try:
        return Pipeline.of(artifact, histories, items, Facts(), reranker=reranker, log=data, budget=None, candidates=5)
    except ParameterError:
        reject()


@given(worlds())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_never_what_may_not_be_shown_and_never_too_few(world):
    data, said, rules, requests, name = world
    said = [row for at, row in enumerate(said) if not any(row.id == other.id for other in said[:at])]
    items = Facts()
    histories, recommender = Histories.of_log(data), MODELS[name].fit(data)
    served = answering(recommender, data, rules, histories, items)
    items.set(said)
    histories.add([Event("1", "buy", "u0", "i1", LATE, 0)])
    own = {user: [histories.items.texts[code] for code in histories.of(user).items] for user in ("u0", "u1", "u3", "new")}
    for request, answered in zip(requests, served.answer(requests), strict=True):
        assert answered.error is None, answered.error
        history = [*own.get(request.user, ()), *(request.history or ())]
        wanted = may_be_shown(data, said, rules, request, history)
        got = [item.item for item in answered.items]
        assert set(got) <= wanted
        assert len(got) == len(set(got)) == min(request.k, len(wanted))
        assert (answered.empty is None) == bool(got)
        assert [item.rank for item in answered.items] == list(range(1, len(got) + 1))
        if not rules:
            codes = data.items.encode(sorted(wanted))
            events = [item for item in history if item in set(data.items.ids)]
            queries = vt.Queries.of_histories(data.items, [events])
            same = recommender.recommend(queries, request.k, eligible=vt.Eligibility(include=codes, repeat=True)).items[0]
            assert got == data.items.decode(same[same >= 0]).to_list()


@given(worlds())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_asked_together_changes_nobodys_answer(world):
    data, said, rules, requests, name = world
    items = Facts()
    items.set(said)
    recommender = MODELS[name].fit(data)
    served = answering(recommender, data, rules, Histories.of_log(data), items)
    alone = [served.answer([request])[0] for request in requests]
    assert served.answer(requests) == alone
    assert served.answer(requests[::-1]) == alone[::-1]
    traced = served.answer(requests, traced=True)
    assert [one.items for one in traced] == [one.items for one in alone]
    for one in traced:
        stages = {stage.name: stage for stage in one.trace.stages}
        left = int(recommender.catalogue.mask.sum()) - sum(stages["eligibility"].counts.values())
        assert stages["eligibility"].left == left
        assert len(one.items) <= left
