"""Item tables and the features of persons, against slow numpy."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.batch import aligned
from vitrina.data.features import FeatureTable
from vitrina.jobs.specs import of_spec, to_spec
from vitrina.models.content_vectors import likeness
from vitrina.sequence import ContentProjection, Features, Gated, Ids, ItemMasking, SumOf, Training, UserFeatures
from vitrina.sequence.embed import Bags, KnownUsers, Rows
from vitrina.sequence.embed.coding import Coding, Number
from vitrina.testing.laws import LAWS
from vitrina.vocabulary import id_hashes

COLD = [5, 9, 17]
SHORT = Training(epochs=2, tokens=200, patience=None)
REPEAT = vt.Eligibility(repeat=True)


def described(log, *, nothing_of=()):
    """The log with an item table of a category, a list, a number and text; `nothing_of` items have an empty row."""
    rng = np.random.default_rng(5)
    n = len(log.items)
    frame = pl.DataFrame({
        "group": [f"g{c % 6}" for c in range(n)],
        "tags": [[f"t{t}" for t in rng.integers(0, 5, rng.integers(0, 4))] for _ in range(n)],
        "price": [None if c % 7 == 0 else float(c % 11) for c in range(n)],
        "title": [f"Item {c} of group {c % 6}" for c in range(n)],
    }, schema_overrides={"tags": pl.List(pl.String)})  # fmt: skip
    empty = pl.Series(np.isin(np.arange(n), list(nothing_of)))
    frame = frame.with_columns(pl.when(empty).then(None).otherwise(pl.col(name)).alias(name) for name in frame.columns)
    kinds = {"group": "category", "tags": "categories", "price": "number", "title": "text"}
    return replace(log, item_table=FeatureTable(frame, kinds, "title"))


def people(log):
    """The log with a user table."""
    n = len(log.users)
    frame = pl.DataFrame({"age": [float(20 + u % 30) if u % 5 else None for u in range(n)], "town": [f"c{u % 6}" for u in range(n)]})
    return replace(log, user_table=FeatureTable(frame, {"age": "number", "town": "category"}))


def cold_log():
    """40 people, 30 items, three of them without an event; item 17 isn't described either."""
    log = vt.testing.synthetic(users=40, items=30, mean_length=6)
    return described(log.select(~np.isin(log.events.items, COLD)), nothing_of=[17])


LOG = cold_log()


def model(embed, **changes):
    return vt.SequenceModel(**({"embed": embed, "dim": 8, "training": SHORT, "length": 10} | changes))


def by_hand(table, coding, weight, codes):
    """Sum of the vectors of what a row has, one value at a time."""
    out = np.zeros((len(codes), weight.shape[1]))
    for at, code in enumerate(codes):
        row = table.frame.row(int(code), named=True)
        for term, (column, value) in enumerate(coding.names):
            cell = row[column]
            if cell is None:
                continue
            if value is None:
                scale = coding.columns[column]
                out[at] += (min(max(cell, scale.low), scale.high) - scale.mean) / scale.deviation * weight[term]
            elif value in (cell if isinstance(cell, list) else [cell]):
                out[at] += weight[term]
    return out


def test_features_are_the_sum_of_the_vectors_of_what_an_item_has():
    rows = Rows.of(LOG, Features().covers(LOG))
    table = Features().build(LOG, rows, 4)
    coding = table.bags.coding
    weight = table.bags.vectors.weight.detach().numpy()
    wanted = by_hand(LOG.item_table, coding, weight, rows.codes)
    np.testing.assert_allclose(table.whole().detach().numpy(), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table().detach().numpy(), wanted[: rows.trained], rtol=1e-5, atol=1e-6)
    assert {name for name, _ in coding.names} == {"group", "tags", "price"}
    seen = LOG.item_table.frame[LOG.catalogue.items.tolist()]
    prices = seen["price"].drop_nulls()
    assert coding.columns["price"] == Number(pytest.approx(prices.mean()), pytest.approx(prices.std(ddof=0)), prices.min(), prices.max())
    assert coding.columns["group"] == tuple(sorted(set(seen["group"].drop_nulls())))


def test_values_that_only_cold_items_have_are_not_learned():
    frame = LOG.item_table.frame.with_columns(group=pl.Series(["only cold" if c in COLD else "g" for c in range(30)]))
    log = replace(LOG, item_table=replace(LOG.item_table, frame=frame))
    rows = Rows.of(log, Features(columns=("group",)).covers(log))
    assert rows.trained == len(rows) == 27
    assert Features(columns=("group",)).build(log, rows, 4).bags.coding.columns == {"group": ("g",)}


@pytest.mark.parametrize(
    ("embed", "wanted"),
    [
        (Ids(), []),
        (ContentProjection(rank=4), [5, 9]),
        (Features(), [5, 9]),
        (SumOf(parts=(Ids(), ContentProjection(rank=4))), [5, 9]),
        (Gated(parts=(Features(columns=("group",)), Ids())), [5, 9]),
        (SumOf(parts=(Ids(), Ids())), []),
    ],
    ids=repr,
)
def test_cold_items_are_served_where_something_is_known_of_them(embed, wanted):
    recommender = model(embed).fit(LOG)
    assert recommender.catalogue.also.tolist() == wanted
    assert sorted(recommender.codes.tolist()) == sorted({*range(30)} - set(COLD) | set(wanted))
    lists = recommender.recommend(LOG.queries(), 30, eligible=REPEAT)
    assert set(lists.items[~lists.fallback & (lists.items >= 0)].tolist()) == set(recommender.codes.tolist())
    alone = recommender.recommend(vt.Queries.of_histories(LOG.items, [["i5"], ["i17"]]), 3)
    assert alone.fallback.all(axis=1).tolist() == [not wanted, True]


def test_the_table_of_a_fit_is_what_its_parts_say():
    content = model(ContentProjection(rank=4)).fit(LOG)
    order = np.argsort(id_hashes(LOG.items))
    vectors = np.empty((30, 4))
    vectors[order] = likeness(replace(LOG, item_table=LOG.item_table.take(order)), 4)
    vectors = vectors[content.codes]
    inputs = np.column_stack([vectors, np.ones(len(vectors))])
    solution = np.linalg.lstsq(inputs, content.table, rcond=None)[0]
    np.testing.assert_allclose(inputs @ solution, content.table, atol=1e-5)  # cold rows too: one projection for all
    both = model(SumOf(parts=(Ids(), ContentProjection(rank=4)))).fit(LOG)
    np.testing.assert_allclose(both.table, both.internals["0.vectors"] + both.internals["1.vectors"], atol=1e-6)
    trained = len(LOG.catalogue.items)
    assert not both.internals["0.vectors"][trained:].any()
    assert both.internals["0.vectors"][:trained].all(axis=1).any()


def test_gates_are_sigmoids_of_all_parts():
    embed = Gated(parts=(Ids(), Features(columns=("group",)), ContentProjection(rank=3)))
    rows = Rows.of(LOG, embed.covers(LOG))
    table = embed.build(LOG, rows, 4)
    parts = [part.whole().detach().numpy().astype(np.float64) for part in table.parts]
    weight, bias = (p.detach().numpy().astype(np.float64) for p in (table.mix.gates.weight, table.mix.gates.bias))
    wanted = np.zeros((len(rows), 4))
    for row in range(len(rows)):
        together = np.concatenate([part[row] for part in parts])
        for place, part in enumerate(parts):
            own = slice(4 * place, 4 * place + 4)
            wanted[row] += part[row] / (1 + np.exp(-(weight[own] @ together + bias[own])))
    np.testing.assert_allclose(table.whole().detach().numpy(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("embed", [Features(), Gated(parts=(Ids(), Features(), ContentProjection(rank=3)))], ids=repr)
def test_gradients_reach_every_parameter(embed):
    table = embed.build(LOG, Rows.of(LOG, embed.covers(LOG)), 4)
    for parameter in table.parameters():
        torch.nn.init.normal_(parameter)
    (table() ** 2).sum().backward()
    for name, parameter in table.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_features_help_where_groups_are_all_there_is():
    """Each person stays in one group of items, and each item of the truth is cold."""
    rng = np.random.default_rng(0)
    groups, size, users = 4, 10, 160
    group = np.arange(users) % groups
    events = [(f"u{u}", f"i{group[u]}-{item}", t) for u in range(users) for t, item in enumerate(rng.permutation(size - 2)[:5])]
    items = [f"i{g}-{item}" for g in range(groups) for item in range(size)]
    frame = pl.DataFrame(events, schema=["u", "i", "t"], orient="row")
    described_items = pl.DataFrame({"i": items, "group": [item.split("-")[0] for item in items]})
    log = vt.read_interactions(frame, user="u", item="i", time="t", items=described_items)
    codes = log.items.encode(items).reshape(groups, size)
    both = SumOf(parts=(Ids(), Features()))
    fitted = model(both, training=Training(epochs=12, tokens=200, patience=None, learning_rate=0.01)).fit(log)
    cold = np.sort(codes[:, -2:].ravel()).astype(np.int32)
    lists = fitted.recommend(log.queries(), 2, eligible=vt.Eligibility(include=cold))
    place = {f"u{u}": group[u] for u in range(users)}
    own = np.array([place[name] for name in log.users.decode(log.queries().users)])
    assert np.isin(lists.items, codes[:, -2:]).all()
    right = [set(row) == set(codes[g, -2:]) for row, g in zip(lists.items.tolist(), own, strict=True)]
    assert np.mean(right) > 0.9


def test_persons_are_added_to_every_token():
    log = people(LOG)
    fitted = model(Ids(), users=UserFeatures(), training=Training(epochs=2, tokens=200, patience=None, learning_rate=0.05)).fit(log)
    queries = log.queries()
    vectors = by_hand(log.user_table, fitted.users.coding, fitted.users.vectors, queries.users)
    np.testing.assert_allclose(fitted.users.of_queries(queries), vectors, rtol=1e-4, atol=1e-5)
    assert np.abs(vectors).max() > 0.01
    # the same states from a table in which the person is part of each item
    plain = replace(fitted, users=None)
    for q in (0, 3, 11):
        shifted = replace(plain, table=(fitted.table + vectors[q]).astype(np.float32))
        np.testing.assert_allclose(fitted.encode(queries[q : q + 1]), shifted.encode(queries[q : q + 1]), rtol=1e-4, atol=1e-5)
    unknown = replace(queries, users=np.full(len(queries), -1, np.int32))
    np.testing.assert_array_equal(fitted.encode(unknown), plain.encode(queries))
    later = replace(queries, users=np.full(len(queries), 10_000, np.int32), people=None)
    np.testing.assert_array_equal(fitted.encode(later), plain.encode(queries))


def test_a_person_is_known_by_id_whatever_the_code(tmp_path):
    log = people(LOG)
    one = model(Ids(), users=UserFeatures())
    fitted = vt.load(vt.save(one.fit(log), tmp_path / "artifact", model=one, data=log)).recommender
    turned = pl.concat(
        [pl.DataFrame({"user_id": ["somebody new"], "item_id": [log.items.ids[0]]}), log.frame().select("user_id", "item_id").reverse()]
    )
    other = aligned(vt.read_interactions(turned.select(pl.col("user_id").cast(pl.String), "item_id")), log.items)
    ids = other.users.decode(other.queries().users)
    for place, person in enumerate(ids):
        code = int(log.users.encode([person])[0])
        asked = replace(other.queries()[place : place + 1], users=np.array([code], np.int32), people=None)
        np.testing.assert_array_equal(fitted.encode(other.queries()[place : place + 1]), fitted.encode(asked))
    assert (log.users.encode(ids) < 0).sum() == 1


def test_numbers_and_their_texts_are_one_person():
    log = people(LOG)
    numbers = replace(log, users=vt.Vocabulary.of(np.arange(len(log.users)) + 5))
    fitted = model(Ids(), users=UserFeatures()).fit(numbers)
    queries = numbers.queries()
    texts = replace(queries, people=numbers.users.extended(["somebody"]))
    assert texts.people.ids.dtype == pl.String
    np.testing.assert_array_equal(fitted.encode(texts), fitted.encode(queries))


def test_what_the_query_says_of_a_person_goes_before_the_table():
    log = people(LOG)
    fitted = model(Ids(), users=UserFeatures(columns=("town",))).fit(log)
    queries = log.queries()
    same = replace(queries, users=np.full(len(queries), -1, np.int32), context=log.user_table.frame[queries.users.tolist()])
    np.testing.assert_allclose(fitted.encode(same), fitted.encode(queries), rtol=1e-5, atol=1e-6)
    silent = replace(queries, context=pl.DataFrame({"town": ["c77"] * len(queries)}))
    np.testing.assert_allclose(fitted.encode(silent), replace(fitted, users=None).encode(queries), rtol=1e-5, atol=1e-6)
    beside = replace(queries, context=pl.DataFrame({"device": ["phone"] * len(queries)}))
    np.testing.assert_array_equal(fitted.encode(beside), fitted.encode(queries))


def test_features_of_a_person_are_trained():
    """Half of the people take item a next, the others b, after the same history: only the person tells."""
    events = [(f"u{u}", item, t) for u in range(120) for t, item in enumerate(["x", "y", "ab"[u % 2]])]
    who = pl.DataFrame({"u": [f"u{u}" for u in range(120)], "kind": ["left" if u % 2 else "right" for u in range(120)]})
    log = vt.read_interactions(pl.DataFrame(events, schema=["u", "i", "t"], orient="row"), user="u", item="i", time="t", users=who)
    plan = Training(epochs=20, tokens=100, patience=None, learning_rate=0.02)
    fitted = vt.SequenceModel(users=UserFeatures(), dim=8, dropout=0.0, training=plan).fit(log)
    queries = replace(log.queries(), stop=log.queries().stop - 1)
    best = fitted.recommend(queries, 1, eligible=vt.Eligibility(include=log.items.encode(["a", "b"]))).items[:, 0]
    wanted = log.events.items[log.queries().stop - 1]
    assert (best == wanted).mean() > 0.95


@pytest.mark.parametrize("embed", [Features(), Gated(parts=(Ids(), ContentProjection(rank=3)))], ids=repr)
def test_saved_and_loaded_it_is_the_same(embed, tmp_path):
    log = people(LOG)
    one = model(embed, users=UserFeatures(), objective=ItemMasking())
    assert of_spec(json.loads(json.dumps(to_spec(one)))) == one
    fitted = one.fit(log)
    loaded = vt.load(vt.save(fitted, tmp_path / "artifact", model=one, data=log)).recommender
    before, after = (r.recommend(log.queries(), 5) for r in (fitted, loaded))
    np.testing.assert_array_equal(before.items, after.items)
    np.testing.assert_array_equal(before.scores, after.scores)
    assert set(fitted.state().arrays) == set(loaded.state().arrays)
    assert all(np.array_equal(array, loaded.state().arrays[name]) for name, array in fitted.state().arrays.items())
    assert isinstance(loaded.users, KnownUsers)


@pytest.mark.parametrize("embed", [Features(), SumOf(parts=(Ids(), ContentProjection(rank=3)))], ids=repr)
def test_the_laws_of_a_recommender_hold(embed):
    data = vt.testing.synthetic(users=40, items=24, mean_length=6, groups=4, seed=7)
    data = people(described(data.select(~np.isin(data.events.items, [11, 20]))))
    one = model(embed, users=UserFeatures(), training=Training(epochs=1, tokens=400, patience=None))
    assert set(vt.testing.check_model(one, data).kept) == set(LAWS)


def test_batches_of_bags_are_rows_of_the_matrix():
    coding = Coding({"tags": ("a", "b", "c"), "size": Number(2.0, 0.5)})
    frame = pl.DataFrame({"tags": [["a", "a", "zzz"], [], None, ["c", "b"]], "size": [3.0, None, 2.0, float("nan")]})
    matrix = coding.matrix(frame).toarray()
    np.testing.assert_allclose(matrix, [[1, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0]])
    bags = Bags(coding, frame, 3)
    torch.nn.init.normal_(bags.vectors.weight)
    asked = np.array([3, -1, 0, 3, 1])
    wanted = np.vstack([matrix, np.zeros(4)])[asked] @ bags.vectors.weight.detach().numpy()
    np.testing.assert_allclose(bags(torch.from_numpy(asked)).detach().numpy(), wanted, rtol=1e-5, atol=1e-6)
    again = Coding.of_plain(coding.plain())
    assert again.columns == coding.columns
    assert coding.matrix(pl.DataFrame({"other": [1, 2]})).toarray().tolist() == np.zeros((2, 4)).tolist()


def test_mistakes_are_said():
    for embed in (Features(), SumOf(parts=(Ids(), Features()))):
        with pytest.raises(DataError, match="table of items"):
            model(embed).fit(replace(LOG, item_table=None))
    with pytest.raises(DataError, match=r"categories or numbers of the table \(group, tags, price\). Got title."):
        model(Features(columns=("title",))).fit(LOG)
    with pytest.raises(DataError, match="table of users"):
        model(Ids(), users=UserFeatures()).fit(LOG)
    with pytest.raises(DataError, match="Got colour"):
        model(Ids(), users=UserFeatures(columns=("colour",))).fit(people(LOG))


def test_a_rare_item_loses_more_of_its_vector_than_a_frequent_one():
    data = vt.read_interactions(pl.DataFrame({"user_id": ["a"] * 90 + ["b"] * 10, "item_id": ["often"] * 90 + ["seldom"] * 10}))
    rows = Rows.of(data, np.zeros(2, bool))
    table = Ids(dropout=0.1, rare=0.5).build(data, rows, 40_000).train()
    with torch.no_grad():
        table.ids.weight.fill_(1.0)
        dropped = table()
    for row, code in enumerate(rows.codes):
        share = max(0.1, 0.5 / (1 + data.catalogue.events[code] / 10) ** 0.5)
        assert float((dropped[row] == 0).float().mean()) == pytest.approx(share, abs=0.01)
        assert float(dropped[row].mean()) == pytest.approx(1, abs=0.02)
    assert torch.equal(table.eval()(), table.ids.weight)


@pytest.mark.parametrize("value", [0.1, 1.1, 3.3])
def test_a_number_that_is_the_same_for_all_is_not_blown_up(value):
    table = FeatureTable(pl.DataFrame({"price": [value] * 7 + [value + 1]}), {"price": "number"})
    coding = Coding.of(table, None, np.arange(7))
    np.testing.assert_allclose(coding.matrix(table.frame).toarray()[:, 0], np.zeros(8), atol=1e-6)


def test_a_number_beyond_those_of_training_says_no_more_than_the_outermost():
    table = FeatureTable(pl.DataFrame({"price": [10.0, 22.0, 16.0, 1000.0, -1e300, 1e308, None]}), {"price": "number"})
    coding = Coding.of(table, None, np.arange(3))
    edge = 6 / 24**0.5
    for same in (coding, Coding.of_plain(coding.plain())):
        np.testing.assert_allclose(same.matrix(table.frame).toarray()[:, 0], [-edge, edge, 0, edge, -edge, edge, 0], atol=1e-6)
    huge = Coding.of(table, None, np.arange(6)).matrix(table.frame).toarray()
    assert np.isfinite(huge).all()


def test_numbers_go_on_with_the_old_scale_and_the_range_of_both():
    table = FeatureTable(pl.DataFrame({"price": [10.0, 22.0, 40.0]}), {"price": "number"})
    old, new = Coding.of(table, None, [0, 1]), Coding.of(table, None, [1, 2])
    np.testing.assert_allclose(new.after(old).matrix(table.frame).toarray()[:, 0], [-1, 1, 4])
    unbounded = Coding.of_plain({"price": {"mean": 16, "deviation": 6}})  # of an older artifact, which answers as it did
    frame = pl.DataFrame({"price": [1000.0]})
    assert unbounded.matrix(frame)[0, 0] == 164
    assert new.after(unbounded).matrix(frame)[0, 0] == 4


def test_a_new_item_with_a_price_out_of_bounds_is_scored_as_the_dearest_of_training():
    log, cold = cold_log(), COLD[0]
    frame = log.item_table.frame
    dear = frame[log.catalogue.items.tolist()]["price"].max()

    def scores(price):
        prices = frame["price"].to_numpy().copy()
        prices[cold] = price
        other = replace(log, item_table=replace(log.item_table, frame=frame.with_columns(price=prices)))
        return model(Features(columns=("group", "price"))).fit(other).score(other.queries()[:10], np.array([cold], np.int32))

    np.testing.assert_allclose(scores(dear * 1000), scores(dear), rtol=1e-5)
