"""What is said of items counts at once, in conditions and in rules; people's columns and the context reach rules too."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.artifacts import Artifact
from vitrina.base.errors import UnknownNameError
from vitrina.data.features import FeatureTable
from vitrina.rerank.rules.conditions import mask_of
from vitrina.service.facts import Facts
from vitrina.service.histories import Histories
from vitrina.service.pipeline import Pipeline
from vitrina.service.pipeline.columns import Columns
from vitrina.service.records import Attributes
from vitrina.wire import RecommendRequest, SimilarRequest

ITEMS = [f"i{n}" for n in range(8)]
TABLE = pl.DataFrame({
    "item_id": ITEMS, "title": [f"Title {n}" for n in range(8)], "brand": ["a", "b"] * 4, "price": [float(n) for n in range(8)],
    "tags": [["x", "y"], ["x"], [], None, ["y"], ["x"], ["y"], ["z"]], "in_stock": [True] * 8,
})  # fmt: skip


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    items, users = vt.Vocabulary.of(ITEMS), vt.Vocabulary.of([f"u{n}" for n in range(30)])
    events = vt.types.Events(rng.integers(0, 8, 120).astype(np.int32), np.arange(120, dtype=np.int64))
    table = FeatureTable.of(TABLE, "item_id", items)
    return vt.Dataset.of_codes(rng.integers(0, 30, 120), events, users, items, time_unit="us", item_table=table)


def served(data, facts=None, people=None, reranker=None, model=None):
    artifact = Artifact((model or vt.Popularity()).fit(data), {}, data.item_table)
    pipeline = Pipeline.of(
        artifact, Histories.of_log(data), facts or Facts(), people or Facts(), reranker=reranker, log=data, budget=None, repeat=True
    )
    return lambda **asked: pipeline.answer([RecommendRequest(**{"k": 8, **asked})])[0]


def ids(answered):
    assert answered.error is None, answered.error
    return {item.item for item in answered.items}


@pytest.mark.parametrize("where", [
    {"brand": "a"}, {"brand": ["a", "b"]}, {"price": {"above": 2, "at_most": 5}}, {"tags": "x"}, {"tags": {"contains": "z"}}, {"tags": {"missing": True}},
    {"brand": {"is_not": "a"}}, {"item_id": ["i1", "i2"]}, {"in_stock": True, "price": {"below": 4}},
])  # fmt: skip
def test_conditions_are_those_of_rules(where, data):
    assert ids(served(data)(where=where)) == set(np.array(ITEMS)[mask_of(where, data)])


def test_a_value_that_the_last_item_has_lost_is_no_typing_error_of_a_rule(data):
    facts = Facts()
    facts.set([Attributes(item, {"brand": "a"}) for item in ITEMS[1::2]])
    ask = served(data, facts, reranker=vt.Rules(rules={"no b": vt.rules.Hide(where={"brand": "b"})}))
    assert ids(ask()) == set(ITEMS)
    facts.set([Attributes("i3", {"brand": "b"})])
    assert ids(ask()) == set(ITEMS) - {"i3"}
    with pytest.raises(UnknownNameError, match="No item has the value 'c' in the column 'brand'"):
        served(data, facts, reranker=vt.Rules(rules={"no c": vt.rules.Hide(where={"brand": "c"})}))


def test_a_typing_error_is_told_as_it_is_where_the_model_knew_no_columns(data):
    facts = Facts()
    facts.set([Attributes("i1", {"colour": "red"})])
    with pytest.raises(UnknownNameError, match="No item has the value 'rde' in the column 'colour'"):
        served(replace(data, item_table=None), facts, reranker=vt.Rules(rules={"no red": vt.rules.Hide(where={"colour": "rde"})}))


def test_columns_that_are_set_count_and_go_back(data):
    facts = Facts()
    ask = served(data, facts)
    facts.set([Attributes("i1", {"brand": "new", "tags": "p|q", "title": "One", "price": None}), Attributes("i2", {"colour": "red"})])
    assert ids(ask(where={"brand": "new"})) == ids(ask(where={"tags": "q"})) == ids(ask(where={"price": {"missing": True}})) == {"i1"}
    assert ids(ask(where={"colour": "red"})) == {"i2"}
    assert {item.title for item in ask(candidates=["i1"]).items} == {"One"}
    facts.set([Attributes("i1", {}, delete=True), Attributes("i2", {"colour": None})])
    assert "i1" not in ids(ask())
    assert ids(ask(where={"colour": "red"})) == set()
    facts.set([Attributes("i1", {"price": 1.5})])  # there again, with what is set now, and the rest of the table
    assert ids(ask(where={"brand": "b", "tags": "x"})) == {"i1", "i5"}
    assert {item.title for item in ask(candidates=["i1"]).items} == {"Title 1"}
    assert ids(ask(where={"price": [1.5, 4]})) == {"i1", "i4"}


def test_columns_are_the_same_whatever_the_order_in_which_they_came(data):
    rng = np.random.default_rng(0)
    for _ in range(50):
        facts, last = Facts(), {}
        columns = Columns(data.item_table, data.items, ITEMS, facts)
        for _ in range(rng.integers(1, 12)):
            item, brand, gone = ITEMS[rng.integers(8)], str(rng.choice(["a", "b", "c"])), bool(rng.random() < 0.3)
            facts.set([Attributes(item, {} if gone else {"brand": brand}, delete=gone)])
            last[item] = None if gone else brand
            if rng.random() < 0.5:
                columns.refresh()
        columns.refresh()
        wanted = [last.get(item) or TABLE["brand"][at] for at, item in enumerate(ITEMS)]
        assert columns.table.frame["brand"].to_list() == wanted
        hidden = np.zeros(8, bool) if columns.hidden is None else columns.hidden
        assert hidden.tolist() == [item in last and last[item] is None for item in ITEMS]


@pytest.mark.parametrize("inside", [True, False])
def test_rules_read_columns_as_they_are_now(inside, data):
    rules = vt.Rules(rules={
        "in stock": vt.rules.Only(where={"in_stock": True}), "no c": vt.rules.Hide(where={"price": {"above": 90}}),
        "one each": vt.rules.AtMost(n=1, first=2, each="brand"), "for all": vt.rules.Suits(item="tags", relation="equals", person="taste", default="x"),
    })  # fmt: skip
    model = vt.Reranked(model=vt.Popularity(), reranker=rules) if inside else vt.Popularity()
    facts = Facts()
    ask = served(data, facts, reranker=None if inside else rules, model=model)
    before = ids(ask())
    assert before == {"i0", "i1", "i2", "i3", "i5"}  # tags with x, or none at all
    facts.set([Attributes("i0", {"in_stock": False}), Attributes("i1", {"price": 100}), Attributes("i4", {"tags": "x"})])
    assert ids(ask()) == {"i2", "i3", "i4", "i5"}
    facts.set([Attributes(item, {"brand": "same"}) for item in ITEMS] + [Attributes("i5", {"brand": "other"})])
    assert "i5" in [item.item for item in ask().items[:2]]
    facts.set([Attributes(item, {"in_stock": False}) for item in ITEMS])
    none = ask()
    assert none.items == []
    assert none.empty.startswith("Nothing may be shown: of 8 items, 8 are left out as rule 'in stock'")


def test_what_is_known_of_people_and_the_request_reaches_rules(data):
    people = Facts()
    rules = vt.Rules(rules={
        "age": vt.rules.Suits(item="price", relation="at_most", person="age"), "first": vt.rules.Pin(item="i0", place=1, who={"segment": "new"}),
    })  # fmt: skip
    ask = served(data, people=people, reranker=rules)
    people.set([Attributes("u1", {"age": 3, "segment": "new"}), Attributes("u2", {"age": 5, "segment": "old"})])
    assert ids(ask(user="u1")) == {"i0", "i1", "i2", "i3"}
    assert ask(user="u1").items[0].item == "i0"
    assert ask(user="u1").items[0].reasons in (["first"], [])
    assert ids(ask(user="u2")) == {"i0", "i1", "i2", "i3", "i4", "i5"}
    assert ids(ask(user="u2", context={"age": 1})) == {"i0", "i1"}  # what the request says goes before what is known
    assert "needs 'age' of who asks" in str(ask(user="u3", context={"segment": "new"}).error)


def test_rules_without_a_log_know_the_items(data):
    artifact = Artifact(vt.EASE().fit(data), {}, data.item_table)
    rules = vt.Rules(rules={"no a": vt.rules.Hide(where={"brand": "a"})})
    pipeline = Pipeline.of(artifact, Histories.of_log(), Facts(), Facts(), reranker=rules, budget=None)
    (answered,) = pipeline.answer([RecommendRequest(history=["i1"], repeat=True, k=8)])
    assert ids(answered) == {"i1", "i3", "i5", "i7"}
    assert {item.item for item in pipeline.similar(SimilarRequest("i1", k=8)).items} <= {"i3", "i5", "i7"}


def test_a_value_of_another_kind_is_refused_before_it_is_kept(data):
    facts = Facts()
    served(data, facts)
    assert facts.refused(Attributes("i1", {"price": "cheap"})) == "The column 'price' holds numbers. Got 'cheap'."
    assert facts.refused(Attributes("i1", {"in_stock": 1})) == "The column 'in_stock' holds true or false. Got 1."
    assert facts.refused(Attributes("i1", {"tags": "a|b", "price": 2, "brand": None, "size": 4})) is None
