"""Histories of a log and of what came since are those of one log with all of it."""

import threading

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.artifacts import Artifact
from vitrina.base.errors import ParameterError
from vitrina.service.facts import Facts
from vitrina.service.histories import MOST_KINDS, OTHERS, Histories
from vitrina.service.pipeline import Pipeline
from vitrina.service.pipeline.asked import MOST_READ, Enrichment
from vitrina.service.records import Event
from vitrina.types import Events
from vitrina.wire import HistoryItem, RecommendRequest

KINDS, FIRST = ("view", "buy"), 1_700_000_000_000_000
USERS, ITEMS = ("ann", "bob", "cat"), tuple(f"i{n}" for n in range(6))
happened = st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 9), st.integers(0, 1), st.one_of(st.none(), st.integers(0, 3)))


def log_of(events):
    user, item, at, kind, basket = (list(column) for column in zip(*events, strict=True))
    columns = Events(
        np.array(item, np.int32), FIRST + np.array(at, np.int64), np.array(item, np.float32), np.array(kind, np.uint8),
        np.array([-1 if one is None else one for one in basket], np.int32),
    )  # fmt: skip
    users, items = vt.Vocabulary.of(USERS), vt.Vocabulary.of(ITEMS)
    return vt.Dataset.of_codes(np.array(user), columns, users, items, time_unit="us", kind_names=KINDS)


def record(at, event):
    user, item, moment, kind, basket = event
    return Event(str(at), KINDS[kind], USERS[user], ITEMS[item], FIRST + moment, 0, float(item), None if basket is None else str(basket))


def texts(histories, user):
    return [histories.items.texts[code] for code in histories.of(user).items.tolist()]


def new(item, at, *, user="ann", kind="buy", **rest):
    return Event(f"{item}{at}", kind, user, item, FIRST + at, 0, **rest)


@given(st.lists(happened, min_size=1, max_size=30), st.lists(happened, max_size=20), st.lists(st.integers(1, 4), max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_log_and_what_came_since_is_one_log(before, since, cuts):
    since = [(*event, None if basket is None else basket + 10) for *event, basket in since]  # names of the log's baskets are not kept
    log, whole = log_of(before), log_of([*before, *since])
    histories = Histories.of_log(log, kinds=KINDS)
    events = [record(at, event) for at, event in enumerate(since)]
    for cut in [*cuts, len(events)]:  # in batches, late and early ones as they come
        histories.add(events[:cut])
        events = events[cut:]
    for user in USERS:
        mine, code = histories.of(user), USERS.index(user)
        wanted = whole.events.take(slice(*whole.indptr[code : code + 2].tolist()))
        assert texts(histories, user) == whole.items.decode(wanted.items).to_list()
        assert mine.times.tolist() == wanted.times.tolist()
        assert [histories.kind_names[kind] for kind in mine.kinds] == [whole.kind_names[kind] for kind in wanted.kinds]
        assert mine.values.tolist() == wanted.values.tolist()
        assert_same_groups(mine.baskets.tolist(), wanted.baskets.tolist())


def assert_same_groups(one, other):
    assert [basket < 0 for basket in one] == [basket < 0 for basket in other]
    assert len({*zip(one, other, strict=True)}) == len(set(one)) == len(set(other))


def test_what_was_taken_stays_as_it_is_while_another_thread_adds():
    histories, wrong, done = Histories.of_log(vt.testing.toy()), [], threading.Event()

    def read():
        while not done.is_set():
            taken = histories.of("ann")
            count, items = len(taken), taken.items.copy()
            if (np.diff(taken.times) < 0).any() or len(histories.of("ann")) < count or (taken.items != items).any():
                wrong.append(taken)

    reader = threading.Thread(target=read)
    reader.start()
    rng = np.random.default_rng(0)
    for at in range(3000):
        late = rng.random() < 0.3
        histories.add([new(f"x{at % 50}", int(rng.integers(-(10**9), 0)) if late else 10**12 + at)])
    done.set()
    reader.join()
    assert not wrong
    assert len(histories.of("ann")) == 3000 + 4


@pytest.mark.parametrize("unit", ["step", None])
def test_without_real_times_what_is_new_comes_after_the_log(unit):
    items, users = vt.Vocabulary.of(["tea", "milk"]), vt.Vocabulary.of(["ann", "bob"])
    times = None if unit is None else np.array([0, 7, 3], np.int64)
    log = vt.Dataset.of_codes(np.array([0, 0, 1]), Events(np.array([0, 1, 0], np.int32), times), users, items, time_unit=unit)
    histories = Histories.of_log(log)
    histories.add([new("jam", 50), new("salt", 20), new("tea", 20)])
    assert texts(histories, "ann") == ["tea", "milk", "salt", "tea", "jam"]
    taken = histories.of("ann")
    assert taken.times is None if unit is None else taken.times.tolist() == [0, 7, 8, 9, 10]
    enrichment = Enrichment(histories, Facts(), items, repeat=False)
    asked = [enrichment.asked(RecommendRequest(user=user, history=["milk"]), 10**15) for user in ("ann", "bob")]
    queries = enrichment.queries(asked)
    assert items.decode(queries.events.items).to_list() == [
        "tea",
        "milk",
        "tea",
        "milk",
        "tea",
        "milk",
    ]  # what the model doesn't know is left out
    assert queries.now is None if unit is None else queries.now.tolist() == [12, 9]


def test_which_kinds_enter():
    log = log_of([(0, 0, 1, 1, None), (0, 1, 2, 1, None)])
    by_log, named, without = Histories.of_log(log), Histories.of_log(log, kinds=["view"]), Histories.of_log()
    events = [new("i3", 5, kind=kind) for kind in ("view", "buy", "impression", "like")]
    for histories, entered in ((by_log, ["buy"]), (named, ["view"]), (without, ["view", "buy", "like"])):
        assert histories.add(events) == len(entered)
        assert [histories.kind_names[kind] for kind in histories.of("ann").kinds][-len(entered) :] == entered
        assert sum(histories.left_out.values()) == 4 - len(entered)
    without.add([new("i1", 9, kind=f"kind {n}") for n in range(300)])  # of which only so many are told apart
    assert without.left_out.total() == 1 + 300 - (256 - 3)


def test_weights_are_those_that_the_kind_has_in_the_log():
    log = vt.filters.kinds(log_of([(0, 0, 1, 0, None), (0, 1, 2, 1, None)]), {"view": 0.5, "buy": -1})
    histories = Histories.of_log(log)
    histories.add([new("i3", 5, kind="view"), new("i4", 6, kind="buy")])
    assert histories.of("ann").weights.tolist() == [0.5, -1, 0.5, -1]
    enrichment = Enrichment(histories, Facts(), log.items, repeat=False)
    told = enrichment.asked(RecommendRequest(user="ann", history=[HistoryItem("i0", kind="buy"), HistoryItem("i1", kind="odd")]), 10**16)
    assert told.history.weights.tolist() == [0.5, -1, 0.5, -1, -1, 0.5]
    assert told.notes == ["No event has the kind 'odd' of 'history'."]


def test_several_models_read_one_history():
    histories = Histories.of_log(vt.testing.toy())
    histories.add([new("salt", 10**12)])
    for names in (["salt", "jam", "tea"], ["tea", "milk", "bread", "jam"], ["7", "salt"]):
        enrichment = Enrichment(histories, Facts(), vt.Vocabulary.of(names), repeat=False)
        history = enrichment.asked(RecommendRequest(user="ann"), 10**16).history
        assert [names[code] for code in history.items] == [text for text in texts(histories, "ann") if text in names]
        histories.add([new("later", 10**12)])  # nobody knows it, whenever it came


def test_numbers_and_their_texts_are_one_person_and_one_item():
    histories = Histories.of_log(vt.read_interactions(pl.DataFrame({"user_id": [7, 8], "item_id": [1, 2]})))
    enrichment = Enrichment(histories, Facts(), vt.Vocabulary.of([1, 2]), repeat=False)
    for user in (7, "7", "7.0"):
        assert enrichment.asked(RecommendRequest(user=user, history=[2, "2.0"]), 0).history.items.tolist() == [0, 1, 1]


def test_times_of_a_told_history_are_moments_after_what_is_known():
    histories = Histories.of_log(vt.testing.toy())
    newest = int(histories.of("ann").times[-1])
    enrichment = Enrichment(histories, Facts(), vt.Vocabulary.of(["tea", "milk", "bread", "jam"]), repeat=False)
    told = [HistoryItem("jam", time=1.0), HistoryItem("tea", time="2030-01-01T00:00:00Z"), HistoryItem("milk")]
    asked = enrichment.asked(RecommendRequest(user="ann", history=told), 1_800_000_000_000_000)
    later = 1_893_456_000_000_000
    assert asked.history.times[-3:].tolist() == [newest, later, later]
    assert asked.now == later + 1
    for wrong in ("yesterday", "2030-01-01T00:00:00", 1e300):
        with pytest.raises(ParameterError, match=r"send ISO 8601|has no offset|is no moment"):
            enrichment.asked(RecommendRequest(history=[HistoryItem("tea", time=wrong)]), 0)


def test_of_a_long_history_the_newest_is_read_and_nothing_seen_comes_back():
    data = vt.testing.synthetic(items=120)
    rng = np.random.default_rng(0)
    many = [Event(str(n), "buy", "heavy", f"i{item}", FIRST + n, 0) for n, item in enumerate([7, *rng.integers(20, 40, MOST_READ + 500)])]
    histories = Histories.of_log(data)
    histories.add(many)
    model = vt.EASE(l2=10).fit(data)
    served = Pipeline.of(Artifact(model, {}), histories, Facts(), Facts(), budget=None)
    newest = data.items.encode([event.item for event in many[-MOST_READ:]])
    queries = vt.Queries.of_histories(data.items, [data.items.decode(newest).to_list()])
    for repeat, exclude in ((False, data.items.encode(["i7"])), (True, None)):
        lists = model.recommend(queries, 90, eligible=vt.Eligibility(exclude=exclude, repeat=repeat))
        (answered,) = served.answer([RecommendRequest(user="heavy", k=90, repeat=repeat)])
        assert [item.item for item in answered.items] == data.items.decode(lists.items[0][lists.items[0] >= 0]).to_list()
    (traced,) = served.answer([RecommendRequest(user="heavy")], traced=True)
    assert "i7" in next(stage for stage in traced.trace.stages if stage.name == "eligibility").dropped["in the history"]


def test_who_is_erased_is_a_stranger():
    histories = Histories.of_log(vt.testing.toy())
    histories.add([new("jam", 10**12, user="zoe"), new("jam", 10**12)])
    assert {"ann", "zoe"} <= set(histories.users())
    assert (histories.erase("ann"), histories.erase("zoe"), histories.erase("nobody")) == (5, 1, 0)
    assert not {"ann", "zoe"} & set(histories.users())
    assert len(histories.of("ann")) == len(histories.of("zoe")) == 0
    histories.add([new("tea", 10**12)])
    assert texts(histories, "ann") == ["tea"]
    assert "ann" in histories.users()


def test_kinds_that_stay_out_are_counted_and_clients_cant_make_more_and_more_of_them():
    histories = Histories.of_log(None, kinds=["purchase"])
    histories.add([Event(str(n), f"kind {n}", "ann", "tea", n, 0) for n in range(1000)])
    histories.add([Event("again", "kind 7", "ann", "tea", 0, 0)])
    assert len(histories.left_out) == MOST_KINDS + 1
    assert histories.left_out["kind 7"] == 2
    assert histories.left_out[OTHERS] == 1000 - MOST_KINDS
