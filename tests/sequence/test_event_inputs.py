"""The kind and the value of an event as inputs: they are coded as said, decide what comes next where they do, and go everywhere that events go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.executor import Processes
from vitrina.data.sharded import held
from vitrina.forms.event_codes import EventCoding, KnownEvents
from vitrina.forms.windows import Sequences
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.sequence import windows
from vitrina.sequence.embed import Rows
from vitrina.sequence.embed.events import EventVectors, knots_of, known_values

S = vt.sequence
ITEMS, PEOPLE, LENGTH = 24, 300, 9
STEPS = {"look": 1, "take": 7}
REPEAT = vt.Eligibility(repeat=True)
TRAINING = S.Training(epochs=12, tokens=256, learning_rate=0.02, patience=None)
SMALL = {"dim": 16, "length": 8, "dropout": 0.0, "embed": S.Ids(), "training": TRAINING}
BOTH = S.EventInputs()


def a_log(decides="kind", seed=0, people=PEOPLE):
    """The next item is one further, or seven further where the last event was a "take", or one of a value above 50."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        item = int(rng.integers(ITEMS))
        for step in range(LENGTH):
            kind, value = str(rng.choice(list(STEPS))), float(np.exp(rng.normal(4, 2)))
            rows.append((f"u{person}", f"i{item}", step, kind, value))
            far = kind == "take" if decides == "kind" else value > 50
            item = (item + STEPS["take" if far else "look"]) % ITEMS
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "kind", "value"], orient="row")
    return vt.read_interactions(frame, user="user_id", item="item_id", time="timestamp", kind="kind", value="value")


LOG = a_log()
QUICK = {**SMALL, "training": S.Training(epochs=2, tokens=256, patience=None)}


def ndcg(fitted, split, queries=None):
    queries = split.queries if queries is None else queries
    lists = fitted.recommend(queries, 3, eligible=REPEAT)
    return float(metric("nDCG@3").per_query(Judged(lists, split.truth, split.train.catalogue, queries)).mean())


def without(queries, **columns):
    return replace(queries, events=replace(queries.events, **columns))


@pytest.mark.parametrize("decides", ["kind", "value"])
def test_a_model_learns_what_the_last_event_decides(decides):
    split = a_log(decides).split(vt.split.LeaveOneOut())
    blind = ndcg(vt.SequenceModel(**SMALL).fit(split.train), split)
    seeing = vt.SequenceModel(events=BOTH, **SMALL).fit(split.train)
    assert blind < 0.85  # at best two items, of which it can't tell the right one
    assert ndcg(seeing, split) > 0.95
    lacking = ndcg(seeing, split, without(split.queries, kinds=None, values=None))
    assert blind - 0.1 < lacking < 0.85  # it has learned to answer without, too


def test_the_code_of_values_is_linear_between_knots_on_the_scale_of_asinh():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.exp(rng.normal(3, 2, 500)), -np.exp(rng.normal(1, 1, 50)), np.zeros(30)])
    knots = knots_of(values, 9)
    assert len(knots) == 9
    assert (knots[0], knots[-1]) == (values.min(), values.max())
    for knot, level in zip(knots, np.linspace(0, 1, 9), strict=True):  # a quantile, by counting
        assert (values < knot).mean() <= level <= (values <= knot).mean() + 1e-12
    coding = EventCoding(("a",), knots, scale=4.0)
    vectors = rng.normal(size=(len(coding), 3)).astype(np.float32)
    asked = np.concatenate([knots, rng.choice(values, 50), [np.nan, 1e30, -1e30, np.inf]]).astype(np.float32)
    terms, amounts = coding.of_values(asked)
    for value, term, amount in zip(asked.astype(float), terms, amounts, strict=True):
        got = amount @ vectors[term]
        if np.isnan(value):
            expected = vectors[2 + 9].astype(float)
        else:
            inside = min(max(value, knots[0]), knots[-1])
            i = max(j for j in range(9) if knots[j] <= inside) if inside < knots[-1] else 7
            low, high, at = (np.log(x / 4 + np.sqrt((x / 4) ** 2 + 1)) for x in (knots[i], knots[i + 1], inside))
            share = (at - low) / (high - low)
            expected = (1 - share) * vectors[2 + i] + share * vectors[2 + i + 1]
        np.testing.assert_allclose(got, expected, atol=1e-4)
    one = EventCoding(None, np.array([5.0]), 5.0)  # a value that is always the same
    np.testing.assert_array_equal(one.of_values(np.array([1, 5, np.nan]))[0], [[0, 0], [0, 0], [1, 1]])


def windows_of(queries, also=("kinds", "values")):
    return Sequences.of(queries, np.arange(ITEMS), also)


def test_training_and_answering_make_the_same_vectors_and_a_mask_has_none():
    coding = EventCoding(("look", "take"), np.array([1.0, 50.0, 400.0]), scale=20.0)
    module = EventVectors(coding, LOG.kind_names, 0.0, 5)
    every, rng = windows_of(LOG.queries()[:20]), np.random.default_rng(0)
    objectives = [S.ShiftedSequence(), S.RandomTarget(), S.NextAction(), S.ItemMasking(share=0.4)]
    for objective in objectives:
        batch = module.coded(objective.batch(every, rng), every, rng)
        vectors = module(batch.events).detach().numpy()
        np.testing.assert_allclose(module.fitted().of_windows(every, batch.place, LOG.kind_names), vectors, atol=1e-6)
        hidden = batch.rows.numpy() < 0
        np.testing.assert_array_equal(vectors[hidden], 0)
        np.testing.assert_array_equal(batch.place[hidden], -1)
        np.testing.assert_array_equal(batch.rows.numpy()[~hidden], every.rows[batch.place[~hidden]])
        name = LOG.kind_names[every.kinds[batch.place[~hidden][0]]]
        assert batch.events.terms[np.flatnonzero(~hidden)[0], 0] == coding.kinds.index(name)
        asked = objective.question(every)
        np.testing.assert_array_equal(asked.rows.numpy(), np.where(asked.place < 0, -1, every.rows[asked.place]))
    assert not set(every.stop - 1) & set(objectives[0].batch(every, rng).place)  # nothing is read of the last target


def test_a_share_of_the_windows_is_read_without_kinds_or_values():
    module = EventVectors(EventCoding(("look", "take"), np.array([1.0, 50.0]), 20.0), LOG.kind_names, 0.25, 4)
    every, rng = windows_of(LOG.queries()), np.random.default_rng(0)
    batch = module.coded(S.ShiftedSequence().batch(every, rng), every, rng)
    window = batch.layout.window.numpy()
    for column, unknown in ((0, 2), (1, 5)):
        lacking = batch.events.terms[:, column].numpy() == unknown
        shares = np.bincount(window[lacking], minlength=PEOPLE) / np.bincount(window)
        assert set(shares) == {0, 1}
        assert 0.15 < shares.mean() < 0.35


def relabelled_kinds(log):
    """The same log whose kinds have other codes, and a kind that nothing has."""
    names = ("nothing", *log.kind_names[::-1])
    new = np.array([names.index(name) for name in log.kind_names], np.uint8)
    return replace(log, kind_names=names, events=replace(log.events, kinds=new[log.events.kinds]))


@pytest.fixture(scope="module")
def fitted():
    return vt.SequenceModel(events=BOTH, **QUICK).fit(LOG)


def scores(recommender, queries):
    return recommender.score(queries, np.arange(ITEMS))


def test_kinds_are_known_by_their_names(fitted):
    other = relabelled_kinds(LOG)
    np.testing.assert_array_equal(vt.SequenceModel(events=BOTH, **QUICK).fit(other).table, fitted.table)
    queries = LOG.queries()
    expected = scores(fitted, queries)
    np.testing.assert_array_equal(scores(fitted, other.queries()), expected)
    strange = replace(queries, kind_names=("new", "newer"))
    np.testing.assert_array_equal(scores(fitted, strange), scores(fitted, without(queries, kinds=None)))
    assert np.abs(scores(fitted, strange) - expected).max() > 1e-3
    assert fitted.lacking(queries) is None
    assert "Of 16 events that it was given there are 16 without a kind that it knows (look, take): they are" in fitted.lacking(
        strange[:2]
    )  # it reads 8 each
    lacking = without(queries[:1], values=np.full(LOG.n_events, np.nan, np.float32))
    assert "8 without a value" in fitted.lacking(lacking)
    np.testing.assert_array_equal(scores(fitted, lacking), scores(fitted, without(queries[:1], values=None)))


def test_histories_from_outside_say_kinds_and_values(fitted):
    items, kinds, values = ["i3", "new", "i4"], ["take", "look", "look"], [80, 3.5, None]
    asked = vt.Queries.of_histories(LOG.items, [items, []], kinds=[kinds, []], values=[values, []])
    assert asked.kind_names == ("take", "look")
    assert asked.events.kinds.tolist() == [0, 1]
    np.testing.assert_array_equal(asked.events.values, np.array([80, np.nan], np.float32))
    other = vt.Queries.of_histories(LOG.items, [items], kinds=[["look"] * 3], values=[values])
    assert np.abs(scores(fitted, asked)[0] - scores(fitted, other)).max() > 1e-3
    for wrong, reason in (
        ({"kinds": [kinds]}, "a list for each of the 2 histories"), ({"kinds": [["take"], []]}, "one for each of its items"),
        ({"kinds": [["take", None, "look"], []]}, "must be names"), ({"values": [[1, 2, "much"], []]}, "must be numbers"),
        ({"values": [[1, 2, float("inf")], []]}, "must be numbers"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=reason):
            vt.Queries.of_histories(LOG.items, [items, []], **wrong)


def test_a_question_alone_and_among_others_and_after_saving(fitted, tmp_path):
    queries = LOG.queries()[np.arange(0, PEOPLE, 29)]
    expected = scores(fitted, queries)
    np.testing.assert_allclose(np.concatenate([scores(fitted, queries[q : q + 1]) for q in range(len(queries))]), expected, atol=1e-5)
    vt.save(fitted, tmp_path / "model", data=LOG)
    loaded = vt.load(tmp_path / "model").recommender
    np.testing.assert_array_equal(scores(loaded, queries), expected)
    assert loaded.notes == fitted.notes
    assert any("reads the kind of an event (look, take) and its value (16 knots from " in note for note in fitted.notes)


@pytest.mark.parametrize("objective", [S.ShiftedSequence(), S.ItemMasking()], ids=repr)
def test_onnx_answers_the_same(objective, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    fitted = vt.SequenceModel(events=BOTH, **QUICK, objective=objective).fit(LOG)
    vt.save(fitted, tmp_path / "model", data=LOG, onnx=True)
    by_onnx = vt.load(tmp_path / "model", onnx=True).recommender
    for queries in (LOG.queries()[:40], relabelled_kinds(LOG).queries()[:40], without(LOG.queries()[:3], kinds=None)):
        np.testing.assert_allclose(scores(by_onnx, queries), scores(fitted, queries), atol=1e-5)


def test_shards_and_processes_give_what_memory_gives(fitted, tmp_path):
    one = vt.SequenceModel(events=BOTH, **QUICK)
    made = one.fit(held(LOG, 3))
    np.testing.assert_array_equal(made.table, fitted.table)
    np.testing.assert_array_equal(made.events.vectors, fitted.events.vectors)
    assert made.notes == fitted.notes
    row_of_item = Rows.of(LOG, np.zeros(ITEMS, bool)).row_of_item(ITEMS)
    whole = windows.in_memory(LOG, row_of_item, 5, BOTH.reads)
    some = windows.over_shards(held(LOG, 4), row_of_item, 5, tmp_path / "windows", timed=False, also=BOTH.reads)
    again = windows.kept(whole, tmp_path / "again")
    for column in ("kinds", "values"):
        for other in (some, again):
            for q in range(0, PEOPLE, 17):
                own = [getattr(side, column)[side.start[q] : side.stop[q]] for side in (whole, other)]
                np.testing.assert_array_equal(*own)
    np.testing.assert_array_equal(np.sort(known_values(whole)), np.sort(known_values(some)))
    together = one.fit(LOG.on(Processes(2)))
    np.testing.assert_allclose(together.events.vectors, fitted.events.vectors, atol=2e-3)


def test_a_start_goes_on_with_what_it_knew(fitted):
    still = {**QUICK, "training": S.Training(epochs=1, tokens=1000, patience=None, learning_rate=1e-9)}
    again = vt.SequenceModel(events=BOTH, **still).fit(relabelled_kinds(LOG), start=fitted)
    np.testing.assert_allclose(scores(again, LOG.queries()), scores(fitted, LOG.queries()), atol=1e-4)
    # a kind that comes later starts as an unknown one did, and knots of other values from what their value had
    newer = a_log(seed=1, people=80)
    newer = replace(newer, kind_names=("look", "give"), events=replace(newer.events, values=newer.events.values * 3))
    later = vt.SequenceModel(events=BOTH, **still).fit(newer, start=fitted)
    names, vectors = later.events.coding.kinds, later.events.vectors
    assert names == ("give", "look")
    old = dict(zip((*fitted.events.coding.kinds, None), fitted.events.vectors, strict=False))
    np.testing.assert_allclose(vectors[:3], [old[None], old["look"], old[None]], atol=1e-6)
    terms, amounts = fitted.events.coding.of_values(later.events.coding.knots)
    np.testing.assert_allclose(vectors[3:-1], [a @ fitted.events.vectors[t] for t, a in zip(terms, amounts, strict=True)], atol=1e-6)
    plain = vt.SequenceModel(**QUICK).fit(LOG)
    from_none = vt.SequenceModel(events=BOTH, **still).fit(LOG, start=plain)
    np.testing.assert_allclose(scores(from_none, LOG.queries()), scores(plain, LOG.queries()), atol=1e-4)
    for less, remedy in ((None, "kinds=True, values=True"), (S.EventInputs(values=False), "kinds=True, values=True")):
        with pytest.raises(ParameterError, match=remedy):
            vt.SequenceModel(events=less, **still).fit(LOG, start=fitted)


def test_a_killed_fit_goes_on(fitted, tmp_path):
    def kill(progress):
        raise KeyboardInterrupt

    one = vt.SequenceModel(events=BOTH, **QUICK)
    with pytest.raises(KeyboardInterrupt):
        one.fit(LOG, checkpoint=tmp_path / "kept", report=kill)
    np.testing.assert_array_equal(one.fit(LOG, checkpoint=tmp_path / "kept").events.vectors, fitted.events.vectors)


def test_what_a_log_lacks_is_refused_with_a_remedy():
    plain = vt.testing.synthetic(users=30, items=20)  # has values, and no kinds
    with pytest.raises(DataError, match=r"Read the log with kind=\.\.\., or use EventInputs\(kinds=False\)"):
        vt.SequenceModel(events=BOTH, **QUICK).fit(plain)
    vt.SequenceModel(events=S.EventInputs(kinds=False), **QUICK).fit(plain)
    with pytest.raises(DataError, match=r"value=\.\.\., or leave events out"):
        vt.SequenceModel(events=S.EventInputs(kinds=False), **QUICK).fit(vt.testing.toy())
    none = replace(plain, events=replace(plain.events, values=np.full(plain.n_events, np.nan, np.float32)))
    with pytest.raises(DataError, match="none of those"):
        vt.SequenceModel(events=S.EventInputs(kinds=False), **QUICK).fit(none)
    with pytest.raises(ParameterError, match="must read the kinds of events, their values, or both"):
        S.EventInputs(kinds=False, values=False)

    class Own(S.Objective):
        def batch(self, windows, rng):
            return replace(S.ShiftedSequence().batch(windows, rng), place=None)

        def asked(self, windows):
            return S.ShiftedSequence().asked(windows)

    with pytest.raises(ParameterError, match=r"Batch\.place"):
        vt.SequenceModel(events=BOTH, **QUICK, objective=Own()).fit(LOG)


def test_what_is_not_known_adds_nothing_before_training():
    module = EventVectors(EventCoding(("a", "b"), np.array([1.0, 2.0]), 1.0), ("a", "b"), 0.0, 4)
    module.begin()
    weight = module.vectors.weight.detach().numpy()
    assert (np.abs(weight).max(1) == 0).tolist() == [False, False, True, False, False, True]
    known = KnownEvents(module.coding, weight)
    asked = windows_of(LOG.queries()[:2], ())
    np.testing.assert_array_equal(known.of_windows(asked, np.arange(4), ("a",)), np.zeros((4, 4)))
    assert torch.equal(module.vectors.weight[0], torch.from_numpy(weight[0]))


def test_the_laws_hold_with_events_and_persons():
    log = vt.testing.synthetic(users=60, items=30, seed=2)
    kinds = np.random.default_rng(0).integers(0, 2, log.n_events).astype(np.uint8)
    log = replace(log, events=replace(log.events, kinds=kinds), kind_names=("look", "take"))
    people = vt.read_interactions(
        log.frame(), user="user_id", item="item_id", time="timestamp", kind="kind", value="value",
        users=pl.DataFrame({"user_id": log.users.ids, "group": [str(code % 3) for code in range(len(log.users))]}),
    )  # fmt: skip
    model = vt.SequenceModel(events=BOTH, users=S.UserFeatures(), dim=8, training=S.Training(epochs=1, tokens=400, patience=None))
    vt.testing.check_model(model, people)
    fitted = model.fit(people)
    asked = replace(people.queries(), context=pl.DataFrame({"group": ["1"] * len(people.queries())}))
    assert np.abs(fitted.score(asked, np.arange(30)) - fitted.score(people.queries(), np.arange(30))).max() > 1e-4
