"""Events that count for nothing and dislikes: never targets, never interest, and what is disliked is never recommended."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.batch import aligned
from vitrina.data.store import open_split, save_split
from vitrina.retrieve.top_k import top_k_dense
from vitrina.types import Eligibility, disliked

AGAIN = Eligibility(repeat=True)
LOG = """ann tea like|ann milk dislike|bob tea like|bob jam like|cat jam dislike|cat tea view|dan milk like|dan jam dislike
ann jam like|ann bread like|bob milk dislike|bob bread like|cat jam like|cat bread like|cat milk dislike|dan jam like|dan tea dislike|dan bread view"""


def raw(moments=None, columns=()):
    rows = [row.split() for row in LOG.replace("\n", "|").split("|")]
    times = np.arange(len(rows)) if moments is None else moments
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "kind"], orient="row").with_columns(
        timestamp=np.array("2024-01-01", "datetime64[us]") + times * np.timedelta64(1, "D")
    )
    return vt.read_interactions(frame.with_columns(**dict(columns)))


def log(**given):
    return vt.filters.kinds(raw(**given), {"like": 1, "view": 0, "dislike": -1})


def said(data, person):
    """(item, weight) of a person, oldest first."""
    own = slice(*data.indptr[data.users.encode([person])[0] + np.array([0, 1])])
    return list(zip(data.items.decode(data.events.items[own]).to_list(), data.events.weights[own].tolist(), strict=True))


def names(data, codes):
    return sorted(data.items.decode(codes[codes >= 0]).to_list())


def test_the_last_word_wins():
    data = log()
    queries = data.queries()
    rows = disliked(data.events, queries.start, queries.stop)
    assert [names(data, rows[q]) for q in range(4)] == [["milk"], ["milk"], ["milk"], ["tea"]]  # cat and dan took the jam later
    assert said(data, "cat") == [("jam", -1), ("tea", 0), ("jam", 1), ("bread", 1), ("milk", -1)]


def test_what_counts_for_nothing_does_not_overturn_a_dislike():
    data = vt.filters.kinds(raw(), {"like": 0, "view": 1, "dislike": -1})
    queries = data.queries()
    rows = disliked(data.events, queries.start, queries.stop)
    assert [names(data, rows[q]) for q in range(4)] == [["milk"], ["milk"], ["jam", "milk"], ["jam", "tea"]]


@pytest.mark.parametrize("k", [1, 4])
def test_disliked_items_are_not_recommended_and_seen_ones_are_those_of_the_whole_history(k):
    data = log()
    queries = data.queries()
    for model in (vt.Popularity(), vt.TopPersonal(), vt.EASE(l2=1), vt.Cooccurrence(), vt.TifuKNN(), vt.RandomItems()):
        fitted = model.fit(data)
        for repeat in (True, False):
            lists = fitted.recommend(queries, k, eligible=Eligibility(repeat=repeat))
            for q, person in enumerate(("ann", "bob", "cat", "dan")):
                last = dict(said(data, person))
                away = {item for item, weight in last.items() if weight < 0 or not repeat}
                left = {"tea", "milk", "jam", "bread"} - away
                got = names(data, lists.items[q])
                assert set(got) <= left
                assert len(got) == min(k, len(left))  # before the top-k: a list is short only where nothing is left


def test_a_dislike_wins_over_include():
    data = log()
    milk = data.items.encode(["milk"])
    lists = vt.Popularity().fit(data).recommend(data.queries(), 2, eligible=Eligibility(include=milk, repeat=True))
    assert [names(data, items) for items in lists.items] == [[], [], [], ["milk"]]


def test_models_of_ones_own_get_it_from_the_shared_top_k():
    data = log()
    queries = data.queries()
    scores = np.tile(np.arange(4, dtype=np.float32), (4, 1))
    lists = top_k_dense(scores, queries, 4, AGAIN, data.catalogue, data.items)
    assert [("milk" in names(data, items), "tea" in names(data, items)) for items in lists.items] == [(False, True)] * 3 + [(True, False)]
    counted = queries.counted()
    assert [names(data, counted.histories()[q]) for q in range(4)] == [
        ["bread", "jam", "tea"],
        ["bread", "jam", "tea"],
        ["bread", "jam"],
        ["jam", "milk"],
    ]
    assert counted[1:3].whole.lengths.tolist() == queries[1:3].lengths.tolist()
    assert counted.counted() is counted
    assert np.array_equal(AGAIN.banned(counted).values, AGAIN.banned(queries).values)
    assert np.array_equal(Eligibility().banned(counted).values, Eligibility().banned(queries).values)


def test_the_catalogue_has_no_item_that_was_only_disliked():
    data = log()
    milk_disliked = data.select((data.events.items != data.items.encode(["milk"])[0]) | (data.events.weights < 0))
    assert names(data, milk_disliked.catalogue.items) == ["bread", "jam", "tea"]
    assert "milk" not in {
        i for row in vt.Popularity().fit(milk_disliked).recommend(data.queries(), 4, eligible=AGAIN).items for i in names(data, row)
    }


RULES = [
    vt.split.GlobalTime(quantile=0.5), vt.split.GlobalTime(quantile=0.5, target="all"), vt.split.GlobalTime(quantile=0.5, target="last"),
    vt.split.GlobalTime(quantile=0.5, target="first"), vt.split.GlobalTime(quantile=0.5, target="random"), vt.split.LeaveOneOut(),
    vt.split.LeaveOneOut(position=2), vt.split.UserShare(share=0.5, fold_in=0.4), vt.split.RandomShare(share=0.4),
    vt.split.GlobalTime(quantile=0.5, target="basket"), vt.split.LeaveLastBasket(),
]  # fmt: skip


@pytest.mark.parametrize("repeat", [True, False, None])
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_no_rule_asks_for_what_does_not_count_or_was_disliked_before(rule, repeat):
    data = log(columns={"basket_id": np.arange(18) // 2})
    split = rule.model_copy(update={"repeat": repeat}).apply(data)
    assert len(split.queries)
    for q, user in enumerate(split.queries.users):
        own = slice(data.indptr[user], data.indptr[user + 1])
        liked = set(data.events.items[own][data.events.weights[own] > 0].tolist())
        assert set(split.truth[q].tolist()) <= liked
    assert not set(split.truth.values.tolist()) - set(np.concatenate([data.events.items[data.events.weights > 0]]).tolist())
    refused = disliked(split.queries.events, split.queries.start, split.queries.stop)
    assert not any(set(refused[q]) & set(split.truth[q]) for q in range(len(split.queries)))
    assert (split.truth.lengths > 0).all()


def test_leave_one_out_takes_the_last_event_that_counts():
    data = log()
    split = data.split(vt.split.LeaveOneOut(repeat=True))
    asked = {data.users.decode([u])[0]: names(data, split.truth[q]) for q, u in enumerate(split.queries.users)}
    assert asked == {"ann": ["bread"], "bob": ["bread"], "cat": ["bread"]}  # dan's jam was a dislike before
    assert split.counts["disliked_targets_dropped"] == 1
    assert "1 targets were dropped: the person had disliked the item before" in " ".join(split.summary.notes)
    assert said(split.train, "cat") == [("jam", -1), ("tea", 0), ("jam", 1)]  # what came after the target is left out


def test_what_is_asked_after_a_cut_is_counted():
    split = log().split(vt.split.GlobalTime(quantile=0.5, repeat=True))
    assert split.counts["uncounted_targets"] == 0  # each moment has one event here, and those that don't count ask nothing
    split = log(moments=np.arange(18) // 9).split(vt.split.GlobalTime(quantile=0.5, repeat=True))
    assert split.counts["uncounted_targets"] == 4
    assert "4 events of the test part are no targets" in " ".join(split.summary.notes)


def test_a_given_split_asks_for_what_counts():
    data = log()
    late = data.events.times >= np.sort(data.events.times)[9]
    split = vt.split.given(data, late, repeat=True)
    asked = {data.users.decode([u])[0]: names(data, split.truth[q]) for q, u in enumerate(split.queries.users)}
    assert asked == {"ann": ["bread"], "bob": ["bread"], "cat": ["bread"]}
    assert split.counts["uncounted_targets"] == 4


def test_weights_of_one_make_the_split_of_no_weights():
    plain = vt.testing.synthetic(users=40)
    ones = replace(plain, events=replace(plain.events, weights=np.ones(plain.n_events, np.float32)))
    for rule in (r for r in RULES if getattr(r, "target", "") != "basket" and not isinstance(r, vt.split.LeaveLastBasket)):
        one, other = rule.apply(plain), rule.apply(ones)
        assert np.array_equal(one.train.events.items, other.train.events.items)
        assert np.array_equal(one.truth.values, other.truth.values)
        assert np.array_equal(one.queries.stop, other.queries.stop)
        assert one.counts == other.counts


def test_a_split_with_dislikes_is_kept_on_disk(tmp_path):
    split = log().split(vt.split.LeaveOneOut(repeat=True))
    save_split(split, tmp_path / "split")
    again = open_split(tmp_path / "split")
    assert again.train.events.weights.tolist() == split.train.events.weights.tolist()
    assert again.train.fingerprint == split.train.fingerprint
    assert AGAIN.banned(again.queries).values.tolist() == AGAIN.banned(split.queries).values.tolist()


def test_weights_are_part_of_the_log_and_their_absence_is_not():
    data = log()
    ones = replace(data.events, weights=np.ones(data.n_events, np.float32))
    assert len({raw().fingerprint, data.fingerprint, replace(data, events=ones).fingerprint}) == 3
    assert "weights" not in raw().events.columns()
    assert data.frame()["weight"].to_list() == data.events.weights.tolist()
    assert vt.testing.toy().fingerprint == "d406a9eac001729e"  # as it was before there were weights


def test_weights_go_where_events_go():
    data = log()
    moved = aligned(data, vt.Vocabulary.of(["bread", "tea"]))
    assert said(moved, "dan") == [("tea", -1), ("bread", 0)]
    assert said(vt.filters.k_core(data, 3, 2), "dan") == said(data, "dan")
    halves = [shard.events.weights for shard in data.sharded(2).shards()]
    assert np.concatenate(halves).tolist() == data.events.weights.tolist()


def test_a_dislike_is_not_put_together_with_likes():
    data = log()
    assert said(vt.filters.dedupe(data, "first"), "cat") == said(data, "cat")
    summed = vt.filters.dedupe(replace(data, kind_names=(), events=replace(data.events, kinds=None)), "sum")
    assert said(summed, "cat") == said(data, "cat")
    assert summed.events.values.tolist() == [1.0] * summed.n_events


def test_a_dislike_in_a_row_with_likes_stays():
    frame = pl.DataFrame({"user_id": ["a"] * 5, "item_id": ["x"] * 5, "timestamp": range(5), "weight": [1, 1, -1, -2, 1]})
    data = vt.read_interactions(frame, weight="weight", time_unit="step")
    assert said(vt.filters.dedupe_consecutive(data), "a") == [("x", 1), ("x", -1), ("x", 1)]
    assert said(vt.filters.dedupe_consecutive(data, "last"), "a") == [("x", 1), ("x", -2), ("x", 1)]


def test_sums_of_weights():
    frame = pl.DataFrame({"user_id": ["a", "a", "a"], "item_id": ["x", "x", "y"], "kind": ["view", "view", "buy"], "timestamp": [1, 2, 3]})
    data = vt.filters.kinds(vt.read_interactions(frame, time_unit="step"), {"view": 0.25, "buy": 1})
    assert said(vt.filters.dedupe(data, "sum"), "a") == [("x", 0.5), ("y", 1)]
    assert said(vt.filters.dedupe(data, "last"), "a") == [("x", 0.25), ("y", 1)]


def test_kinds_multiply_weights_that_the_log_has_and_a_dislike_stays_one():
    data = vt.filters.kinds(log(), {"like": 3, "view": 2, "dislike": 5})
    assert sorted(set(data.events.weights.tolist())) == [-1, 0, 3]
    assert vt.filters.kinds(data, {"like": -2, "view": -1, "dislike": -1}).events.weights.tolist() == [-1.0] * data.n_events


def test_weights_can_be_a_column_of_the_log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,value,weight\nann,tea,5,0.5\nann,jam,1,-1\nbob,tea,2,0\n")
    data = vt.read_interactions(path, weight="weight")
    assert data.events.weights.tolist() == [0.5, -1, 0]
    assert data.events.values.tolist() == [5, 1, 2]
    assert vt.read_interactions(path).events.weights is None  # a weight may be in grams
    path.write_text("user_id,item_id,weight\nann,tea,inf\n")
    with pytest.raises(DataError, match=r"'weight' must hold finite numbers"):
        vt.read_interactions(path, weight="weight")
