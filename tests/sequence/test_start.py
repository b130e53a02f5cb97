"""Going on from a fitted model: what was known stays, new items start somewhere sensible, codes don't matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.data.features import FeatureTable
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.sequence import ContentProjection, Features, Gated, Ids, PreNorm, SumOf, Training, UserFeatures
from vitrina.sequence.embed.content import directions
from vitrina.testing.cases import relabelled, same, translated

REPEAT = vt.Eligibility(repeat=True)
LEARN = Training(epochs=4, tokens=200, patience=None, learning_rate=0.02)
STILL = Training(epochs=1, tokens=1000, patience=None, learning_rate=1e-9)
NEW = [4, 13]
EMBEDS = [
    Ids(), ContentProjection(rank=5), Features(), SumOf(parts=(Ids(), ContentProjection(rank=5))),
    Gated(parts=(Ids(), Features(columns=("group",)))), SumOf(parts=(Ids(), Gated(parts=(Features(), ContentProjection(rank=3))))),
]  # fmt: skip


def whole():
    return vt.testing.synthetic(users=60, items=26, mean_length=8, groups=4, seed=3)


def early():
    """Without the new items, in an own vocabulary."""
    log = whole()
    return vt.filters.compact(log.select(~np.isin(log.events.items, NEW)))


def permuted(log, seed=1):
    new_code = np.random.default_rng(seed).permutation(len(log.items)).astype(np.int32)
    return relabelled(log, new_code), new_code


def model(embed=Ids(), training=LEARN, **changes):
    return vt.SequenceModel(**({"embed": embed, "dim": 8, "length": 10, "training": training} | changes))


def vectors_by_id(fitted, ids):
    place = dict(zip(fitted.vocabulary.decode(fitted.codes), fitted.table, strict=True))
    return np.array([place[item] for item in ids])


@pytest.mark.parametrize("embed", EMBEDS, ids=repr)
def test_what_was_known_stays(embed):
    log = whole()
    start = model(embed).fit(log)
    other, new_code = permuted(log)
    again = model(embed, STILL).fit(other, start=start)
    before, after = start.recommend(log.queries(), 5, eligible=REPEAT), again.recommend(other.queries(), 5, eligible=REPEAT)
    same(before, translated(after, new_code), "gone on from a start")
    anew = model(embed, STILL).fit(other)
    assert (translated(anew.recommend(other.queries(), 5, eligible=REPEAT), new_code).items != before.items).mean() > 0.3


@pytest.mark.parametrize("embed", [Ids(), SumOf(parts=(Ids(), Features(columns=("group",)))), SumOf(parts=(Ids(), Ids()))], ids=repr)
def test_known_items_keep_their_vectors_and_new_ones_get_a_start(embed):
    log, first = whole(), early()
    start = model(embed).fit(first)
    assert len(first.items) == 24
    again = model(embed, STILL).fit(permuted(log)[0], start=start)
    known = first.items.ids.to_list()
    np.testing.assert_allclose(vectors_by_id(again, known), vectors_by_id(start, known), atol=1e-6)
    new = vectors_by_id(again, [f"i{c}" for c in NEW])
    if any(isinstance(part, Features) for part in getattr(embed, "parts", ())):
        term = {value: vector for (_, value), vector in zip(coding_of(again).names, again.internals["1.terms"], strict=True)}
        np.testing.assert_allclose(new, [term[f"g{c % 4}"] for c in NEW], atol=1e-6)
    else:
        np.testing.assert_allclose(new, [start.table.mean(0)] * 2, atol=1e-6)


def coding_of(fitted):
    return fitted.internals["1.coding"]


def test_a_new_item_starts_from_the_projection_of_its_content():
    log, first = whole(), early()
    embed = SumOf(parts=(Ids(), ContentProjection(rank=5)))
    start = model(embed).fit(first)
    again = model(embed, STILL).fit(log, start=start)
    own, content = again.internals["0.vectors"], again.internals["1.vectors"]
    at = again.row_of_item[NEW]
    np.testing.assert_allclose(own[at], 0, atol=1e-6)
    np.testing.assert_allclose(again.table[at], content[at], atol=1e-6)
    assert np.abs(content[at]).max() > 1e-3
    # the projection is the least squares fit of the old content part in the new directions
    known = [c for c in range(26) if c not in NEW]
    inputs = np.column_stack([directions(log, 5), np.ones(26)])
    wanted = start.internals["1.vectors"][start.row_of_item[first.items.encode([f"i{c}" for c in known])]]
    solution = np.linalg.lstsq(inputs[known], wanted, rcond=None)[0]
    np.testing.assert_allclose(content[again.row_of_item], inputs @ solution, atol=1e-4)


def ndcg(fitted, split):
    lists = fitted.recommend(split.queries, 10, eligible=split.eligible)
    return float(metric("nDCG@10").per_query(Judged(lists, split.truth, split.train.catalogue, split.queries)).mean())


def test_a_few_epochs_from_a_start_are_worth_more_than_from_nothing():
    """A chain: whoever has item i takes i + 1 next; four items and half of the people come later."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 30, 300)
    events = pl.DataFrame({
        "u": np.repeat(np.arange(300), 8), "i": [f"i{(f + step) % 30}" for f in first for step in range(8)], "t": np.tile(np.arange(8), 300),
    })  # fmt: skip
    before = events.filter((pl.col("u") < 150) & ~pl.col("i").is_in(["i3", "i11", "i19", "i27"])).sample(fraction=1.0, shuffle=True, seed=4)
    log, old = (vt.read_interactions(frame, user="u", item="i", time="t") for frame in (events, before))
    assert log.items.ids.to_list()[: len(old.items)] != old.items.ids.to_list()
    split = log.split(vt.split.LeaveOneOut())
    training = Training(epochs=12, tokens=256, patience=None, learning_rate=0.01)
    start = model(dim=16, training=training).fit(old)
    few = Training(epochs=1, tokens=256, patience=None, learning_rate=0.001)
    anew, on = (ndcg(model(dim=16, training=few).fit(split.train, start=s), split) for s in (None, start))
    assert on > anew + 0.1
    assert on > 0.7


def test_items_are_matched_by_id_where_numbers_became_text():
    log = whole()
    numbers = replace(log, items=vt.Vocabulary.of(np.arange(len(log.items)) + 100))
    texts = replace(log, items=numbers.items.as_text())
    start = model().fit(numbers)
    for other in (numbers, texts):
        assert np.array_equal(model(training=STILL).fit(other, start=start).table, model(training=STILL).fit(numbers, start=start).table)
    asked = start.recommend(texts.queries(), 3)
    assert np.array_equal(asked.items, start.recommend(numbers.queries(), 3).items)


def test_events_that_the_start_may_have_learned_are_said():
    log = whole()
    start, stops = model().fit(log), Training(epochs=2, tokens=200, patience=1)
    assert any("may have learned" in note for note in model(training=stops).fit(log, start=start).notes)
    given = model(training=stops).fit(log, start=start, validation=log.split(vt.split.LeaveOneOut()))
    for fitted in (given, model().fit(log, start=start), model(training=stops).fit(log)):
        assert not any("may have learned" in note for note in fitted.notes)


def test_an_artifact_is_as_good_as_the_fitted_model(tmp_path):
    log, embed = whole(), SumOf(parts=(Ids(), Features()))
    start = model(embed).fit(early())
    artifact = vt.load(vt.save(start, tmp_path / "artifact", model=model(embed)))
    one, two, three = (model(embed).fit(log, start=s) for s in (start, artifact, artifact.recommender))
    for other in (two, three):
        assert all(np.array_equal(array, other.state().arrays[name]) for name, array in one.state().arrays.items())
    assert start.table.shape == (24, 8)  # and is not changed
    np.testing.assert_array_equal(start.table, artifact.recommender.table)


def test_numbers_are_measured_as_they_were_and_new_values_start_from_nothing():
    log, first = whole(), early()

    def priced(data, by, **more):
        numbers = [float(item[1:]) * by for item in data.items.ids]
        frame = data.item_table.frame.with_columns(price=pl.Series(numbers), **more)
        return replace(data, item_table=replace(data.item_table, frame=frame, kinds={"group": "category", "price": "number"}))

    embed = Features(columns=("group", "price"))
    start = model(embed).fit(priced(first, 1.0))
    strange = pl.when(pl.Series(np.arange(26) == NEW[0])).then(pl.lit("strange")).otherwise(pl.col("group"))
    again = model(embed, STILL).fit(priced(log, 1.0, group=strange), start=start)
    known = first.items.ids.to_list()
    np.testing.assert_allclose(vectors_by_id(again, known), vectors_by_id(start, known), atol=1e-5)
    old = model(embed, STILL).fit(priced(log, 1.0), start=start)
    coding = again.internals["coding"]
    by_group = {value: vector for (_, value), vector in zip(coding.names, again.internals["terms"], strict=True)}
    np.testing.assert_allclose(by_group["strange"], 0, atol=1e-6)
    np.testing.assert_allclose(vectors_by_id(old, ["i4"]) - vectors_by_id(again, ["i4"]), [by_group["g0"]], atol=1e-5)


def test_persons_keep_what_their_values_had():
    def known(data):
        towns = pl.DataFrame({"town": [f"c{int(u[1:]) % 3}" for u in data.users.ids]})
        return replace(data, user_table=FeatureTable(towns, {"town": "category"}))

    log, first = known(whole()), known(early())
    start = model(users=UserFeatures()).fit(first)
    again = model(users=UserFeatures(), training=STILL).fit(log, start=start)
    np.testing.assert_allclose(again.users.vectors, start.users.vectors, atol=1e-6)
    from_none = model(users=UserFeatures(), training=STILL).fit(log, start=model().fit(first))
    np.testing.assert_allclose(from_none.users.vectors, 0, atol=1e-6)
    with pytest.raises(ParameterError, match="features of persons"):
        model().fit(log, start=start)


def test_an_item_whose_events_are_held_back_keeps_its_vector():
    log = whole()
    start = model().fit(log)
    fewer = log.select(log.events.items != 2)
    again = model(training=STILL).fit(fewer, start=start)
    np.testing.assert_allclose(vectors_by_id(again, ["i2"]), vectors_by_id(start, ["i2"]), atol=1e-6)
    lists = again.recommend(fewer.queries(), 26, eligible=REPEAT)
    assert 2 not in lists.items  # no event, nothing known of it: it is part of histories and not of the catalogue
    ask = vt.Queries.of_histories(fewer.items, [["i2"]])
    np.testing.assert_allclose(again.encode(ask), start.encode(ask), atol=1e-5)


def test_a_log_that_has_grown_goes_on_with_as_many_blocks(monkeypatch):
    log = whole()
    start = model(training=STILL).fit(log)
    monkeypatch.setattr("vitrina.sequence.model.LARGE", log.n_events)
    again = model(training=STILL).fit(log, start=start)
    assert (start.answering.layers, again.answering.layers) == (1, 1)
    assert model(training=STILL).fit(log).answering.layers == 2
    assert again.notes[1:] == ("layers=1 as the start has", f"dropout=0.1 for a log of {log.n_events} events")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dim": 16}, "This one has dim=16, the start has dim=8"),
        ({"layers": 3, "heads": 2}, "layers=3, heads=2, the start has layers=1, heads=1"),
        ({"block": PreNorm()}, r"block=PreNorm\(\), the start has block=LiGR\(\)"),
        ({"length": 20}, "length=20"),
        ({"embed": SumOf(parts=(Ids(), Features()))}, r"This one has embed='SumOf\(Ids, Features\)', the start has embed='Ids'"),
        ({"embed": Gated(parts=(Ids(), Ids()))}, r"embed='Gated\(Ids, Ids\)'"),
        ({"embed": ContentProjection(rank=3)}, "embed='ContentProjection'"),
    ],
)
def test_a_start_of_another_make_is_refused(changes, says):
    start = model(training=STILL).fit(whole())
    with pytest.raises(ParameterError, match=says):
        model(**({"training": STILL} | changes)).fit(whole(), start=start)


def test_a_start_that_is_no_sequence_model_or_knows_nothing_is_refused():
    with pytest.raises(ParameterError, match=r"vt.load\(folder\).recommender. Got Static"):
        model().fit(whole(), start=vt.Popularity().fit(whole()))
    log = whole()
    renamed = replace(log, items=vt.Vocabulary.of([f"other {item}" for item in log.items.ids]))
    with pytest.raises(ParameterError, match="knows none of the 26 items"):
        model().fit(renamed, start=model(training=STILL).fit(log))
