"""Codes as an embedding of an id model: sums, cold items, artifacts, going on from a fitted model."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.sequence import GivenCodes, Ids, ResidualKMeans, SemanticIds, SumOf, Training
from vitrina.sequence.embed import Rows

COLD = [5, 9, 17]
SHORT = Training(epochs=2, tokens=200, patience=None)


def log_without(items):
    log = vt.testing.synthetic(users=40, items=30, mean_length=6)
    return log.select(~np.isin(log.events.items, items))


LOG = log_without(COLD)


@pytest.fixture
def given(tmp_path):
    """Two digits for every item but item 17."""
    rng = np.random.default_rng(0)
    path = str(tmp_path / "codes.parquet")
    codes = rng.integers(0, 4, size=(30, 2))
    pl.DataFrame({"item_id": LOG.items.ids, "code": codes.tolist()}).filter(pl.Series(np.arange(30) != 17)).write_parquet(path)
    return GivenCodes(path=path, column="code"), codes


def model(embed, **changes):
    return vt.SequenceModel(**({"embed": embed, "dim": 8, "training": SHORT, "length": 10} | changes))


@pytest.mark.parametrize("prefixes", [False, True])
def test_the_vector_of_an_item_is_the_sum_of_those_of_its_digits(given, prefixes):
    coder, codes = given
    embed = SemanticIds(codes=coder, prefixes=prefixes)
    rows = Rows.of(LOG, embed.covers(LOG))
    table = embed.build(LOG, rows, 4)
    weight = table.vectors.weight.detach().numpy()
    pairs = {pair: at for at, pair in enumerate(sorted({tuple(code) for item, code in enumerate(codes.tolist()) if item != 17}))}
    whole = table.whole().detach().numpy()
    for row, item in enumerate(rows.codes):
        first, second = codes[item]
        wanted = weight[first] + weight[4 + second] + (weight[8 + pairs[first, second]] if prefixes else 0)
        np.testing.assert_allclose(whole[row], 0 * wanted if item == 17 else wanted, atol=1e-6)
    (table() ** 2).sum().backward()
    assert table.vectors.weight.grad[:8].abs().sum(1).min() > 0


@pytest.mark.parametrize("alone", [True, False])
def test_items_without_an_event_are_recommended_by_their_codes(given, alone, tmp_path):
    codes = SemanticIds(codes=given[0])
    fitted = model(codes if alone else SumOf(parts=(Ids(), codes))).fit(LOG)
    assert fitted.catalogue.also.tolist() == [5, 9]
    repeat = vt.Eligibility(repeat=True)
    lists = fitted.recommend(LOG.queries(), 30, eligible=repeat)
    assert {5, 9} <= set(lists.items[lists.items >= 0].tolist())
    again = vt.load(vt.save(fitted, tmp_path / "model")).recommender
    np.testing.assert_array_equal(again.recommend(LOG.queries(), 30, eligible=repeat).items, lists.items)


def test_a_fit_goes_on_from_another_with_what_items_had(given):
    now = vt.testing.synthetic(users=40, items=30, mean_length=6)  # cold ones have events by now
    embed = SumOf(parts=(Ids(), SemanticIds(codes=given[0])))
    before = model(embed).fit(LOG)
    still = model(embed, training=Training(epochs=1, learning_rate=1e-12, patience=None)).fit(now, start=before)
    had = {int(code): before.table[row] for row, code in enumerate(before.codes)}
    for row, code in enumerate(still.codes):
        if int(code) in had:
            np.testing.assert_allclose(still.table[row], had[int(code)], atol=1e-4)


def test_other_codes_than_before_give_known_items_what_they_had_as_far_as_they_can():
    data = vt.testing.toy()
    embed = SemanticIds(codes=ResidualKMeans(sizes=(4, 4), vectors=vt.similarity.OfContent(dim=3)))
    before = model(embed).fit(data)
    other = SemanticIds(codes=ResidualKMeans(sizes=(4,), seed=3, vectors=vt.similarity.OfContent(dim=2)))
    still = model(other, training=Training(epochs=1, learning_rate=1e-12, patience=None)).fit(data, start=before)
    np.testing.assert_allclose(still.table, before.table, atol=1e-4)  # four items, four codes of their own


def test_dropout_is_of_training_alone(given):
    embed = SemanticIds(codes=given[0], dropout=0.5)
    table = embed.build(LOG, Rows.of(LOG, embed.covers(LOG)), 64)
    torch.manual_seed(0)
    assert 0.4 < (table() == 0).float().mean() < 0.6
    assert not (table.eval()() == 0).all(dim=1).any()


def test_alike_items_help_rare_ones():
    """Each person stays in one of four groups, which the first digit names; every asked item is without an event."""
    rng = np.random.default_rng(0)
    groups, size, users = 4, 10, 160
    group = np.arange(users) % groups
    events = [(f"u{u}", f"i{group[u]}-{item}", t) for u in range(users) for t, item in enumerate(rng.permutation(size - 2)[:5])]
    items = [f"i{g}-{item}" for g in range(groups) for item in range(size)]
    table = pl.DataFrame({"i": items, "kind": [item.split("-")[0] for item in items]})
    log = vt.read_interactions(pl.DataFrame(events, schema=["u", "i", "t"], orient="row"), user="u", item="i", time="t", items=table)
    coder = ResidualKMeans(sizes=(groups,), vectors=vt.similarity.OfCategories())
    embed = SumOf(parts=(Ids(), SemanticIds(codes=coder)))
    fitted = model(embed, training=Training(epochs=20, tokens=400, learning_rate=1e-2, patience=None)).fit(log)
    codes = log.items.encode(items).reshape(groups, size)
    cold = np.sort(codes[:, -2:].ravel()).astype(np.int32)
    lists = fitted.recommend(log.queries(), 2, eligible=vt.Eligibility(include=cold))
    place = {int(code): g for g in range(groups) for code in codes[g]}
    people = log.users.decode(np.arange(log.n_users)).to_list()
    right = [place[int(item)] == group[int(people[row][1:])] for row in range(len(people)) for item in lists.items[row]]
    assert np.mean(right) > 0.95
