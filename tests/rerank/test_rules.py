"""Rules keep the laws of a re-ranker, do what each says, and say what they moved."""

from dataclasses import replace
from inspect import getsourcefile
from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.config import from_plain
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.exports import class_at, exports
from vitrina.data.features import FeatureTable
from vitrina.rerank.base import Candidates, RerankerConfig
from vitrina.rerank.rules import AtLeast, AtMost, Boost, FrequencyCap, Hide, HidePairs, NearCopies, New, Only, Pin, Suits
from vitrina.rerank.rules.bounds import limits_of
from vitrina.testing import ByHash, check_model, check_reranker
from vitrina.testing.laws import LAWS
from vitrina.types import Events, Queries

ALL = vt.Eligibility(repeat=True)
PARTS = {
    "no g0": Hide(where={"group": "g0"}),
    "g1 to g3": Only(where={"group": ["g1", "g2", "g3"]}),
    "shown": FrequencyCap(times=2, days=30),
    "lift g3": Boost(where={"group": "g3"}, by=0.3),
    "two of a group": AtMost(n=2, first=5, each="group"),
    "new": AtLeast(n=2, first=4, where=New(events=4)),
    "first": Pin(item="i5", place=1),
}
RULES = [
    *(vt.Rules(rules={name: rule}) for name, rule in PARTS.items()),
    vt.Rules(rules={"copies": NearCopies(above=0.9, vectors=vt.similarity.OfCategories())}),
    vt.Rules(rules={"for new ones": Pin(item="i9", place=2, who={"segment": {"missing": True}}), "two": PARTS["two of a group"]})
    and vt.Rules(rules=PARTS),
    vt.Rules(rules=PARTS, then=ByHash()),
]


@pytest.mark.parametrize("rules", RULES, ids=repr)
def test_rules_keep_the_laws_of_a_re_ranker(rules):
    assert set(check_reranker(rules).skipped) == {"diversity"}


@pytest.mark.parametrize("model", [vt.EASE(l2=20), vt.Cooccurrence(neighbours=4), vt.Popularity()], ids=repr)
def test_a_model_under_rules_keeps_the_laws_of_a_model(model):
    some = {name: PARTS[name] for name in ("lift g3", "two of a group", "new", "first")}
    ruled = vt.Reranked(model=model, reranker=vt.Rules(rules=some), candidates=8)
    ties = set() if isinstance(model, vt.EASE) else {"relabel"}  # ties at the end of the candidates are cut by their codes
    check_model(ruled, laws=set(LAWS) - ties)


DATA = vt.testing.synthetic(users=40, items=30, groups=5, seed=1)
QUERIES = DATA.queries()
CANDIDATES = vt.EASE(l2=20).fit(DATA).recommend(QUERIES, 20, eligible=ALL)
GROUP = np.arange(30) % 5


def ranked(rules, k=10, candidates=CANDIDATES, queries=QUERIES, data=DATA, then=None):
    return vt.Rules(rules=rules, then=then).fit(data).rerank(queries, candidates, k, eligible=ALL)


def reasons(lists, name):
    masks = lists.extra["reasons"]
    return (masks >> masks.dtype.type(lists.reason_names.index(name))) & masks.dtype.type(1) > 0


def first(lists, n):
    extra = {name: column[:, :n] for name, column in lists.extra.items()}
    return replace(lists, items=lists.items[:, :n], scores=lists.scores[:, :n], extra=extra)


# Inside the choice


def slow_mmr(row, vectors, diversity, keeps):
    """The definition among all orders of six candidates that keep the quotas: place by place the best that leaves one."""
    items, scores = CANDIDATES.items[row, :6].tolist(), CANDIDATES.scores[row, :6].astype(float)
    relevance = dict(zip(items, (scores - scores.min()) / (scores.max() - scores.min()), strict=True))
    kept = [order for order in permutations(items) if keeps(order)]
    chosen: list[int] = []
    while kept and len(chosen) < 6:
        may = {order[len(chosen)] for order in kept}
        value = {
            i: (1 - diversity) * relevance[i] - diversity * max((float(vectors[i] @ vectors[j]) for j in chosen), default=0.0) for i in may
        }
        chosen.append(max(value, key=lambda i: (value[i], relevance[i])))
        kept = [order for order in kept if list(order[: len(chosen)]) == chosen]
    return chosen


@pytest.mark.parametrize("diversity", [0.0, 0.4])
@pytest.mark.parametrize(("cap", "floor"), [((1, 2), (1, 2, "g2")), ((2, 4), (2, 5, "g0")), ((1, 3), (1, 3, "g4")), ((2, 3), (1, 1, "g1"))])
def test_quotas_inside_a_greedy_choice_are_those_of_a_search_through_all_lists(cap, floor, diversity):
    rules = {
        "cap": AtMost(n=cap[0], first=cap[1], each="group"),
        "floor": AtLeast(n=floor[0], first=floor[1], where={"group": floor[2]}),
    }
    vectors = np.asarray(vt.similarity.OfContent(dim=8).vectors(DATA), np.float64)
    then = vt.MMR(diversity=diversity, vectors=vt.similarity.OfContent(dim=8))
    lists = ranked(rules, 6, first(CANDIDATES, 6), then=then)
    met = 0

    def keeps(order):
        groups = [f"g{GROUP[i]}" for i in order]
        return max(groups[: cap[1]].count(g) for g in groups) <= cap[0] and groups[: floor[1]].count(floor[2]) >= floor[0]

    for row in range(len(QUERIES)):
        wanted = slow_mmr(row, vectors, diversity, keeps)
        if wanted:
            met += 1
            assert lists.items[row].tolist() == wanted
    assert met >= 4


def test_a_re_ranker_that_knows_no_limits_is_held_to_them():
    lists = ranked({"cap": AtMost(n=1, first=4, each="group")}, 8, then=ByHash(seed=3))
    free = ByHash(seed=3).fit(DATA).rerank(QUERIES, CANDIDATES, 20, eligible=ALL)
    for row in range(len(QUERIES)):
        wanted: list[int] = []
        for place in range(8):
            left = [i for i in free.items[row].tolist() if i not in wanted]
            open_to = [i for i in left if place >= 4 or GROUP[i] not in GROUP[wanted]]
            wanted.append((open_to or left)[0])
        assert lists.items[row].tolist() == wanted


GREEDY = [
    vt.MMR(diversity=0.4), vt.SMMR(diversity=0.4), vt.DPP(diversity=0.4), vt.SSD(diversity=0.4), vt.XQuAD(diversity=0.4), vt.Calibrated(diversity=0.4),
    vt.ranking.SessionValue(chance=vt.ranking.PlattCurve(slope=1.0, intercept=-2.0)),
]  # fmt: skip


def test_each_re_ranker_that_asks_for_limits_says_so():
    kinds = {cls for cls in map(class_at, exports().values()) if isinstance(cls, type) and issubclass(cls, RerankerConfig)}
    asking = {cls for cls in kinds - {vt.Rules} if "may_take(" in Path(getsourcefile(cls) or "").read_text()}
    assert {cls for cls in kinds if cls.obeys_limits} == asking == {type(then) for then in GREEDY}


@pytest.mark.parametrize("then", GREEDY, ids=lambda then: type(then).__name__)
def test_limits_are_met_inside_the_choice_of_each(then):
    """The list is the one that the re-ranker chooses within the limits, and not its free order with what they forbid left out."""
    rules = vt.Rules(rules={"cap": AtMost(n=1, first=4, each="group"), "floor": AtLeast(n=1, first=2, where={"group": "g2"})}, then=then)
    taken_of_log = rules.of_fitted(DATA, None)
    candidates = Candidates.of(QUERIES, CANDIDATES, 8, ALL)
    within = replace(candidates, limits=limits_of(rules.fitted(taken_of_log), QUERIES, candidates))
    own = then.of_fitted(DATA, None)
    wanted = candidates.listed(*then.order(QUERIES, within, own)).items
    assert (ranked(rules.rules, 8, then=then).items == wanted).all()
    assert (wanted != candidates.listed(*then.order(QUERIES, candidates, own)).items).any()


def test_a_broken_cap_is_said_and_only_where_nothing_else_is_left():
    one_group = vt.Eligibility(include=np.flatnonzero(GROUP == 1).astype(np.int32), repeat=True)
    lists = vt.Rules(rules={"cap": AtMost(n=2, each="group")}).fit(DATA).rerank(QUERIES, CANDIDATES, 5, eligible=one_group)
    shown = lists.items >= 0
    assert not reasons(lists, "cap: nothing else was left")[:, :2].any()
    assert (reasons(lists, "cap: nothing else was left") == (shown & (np.arange(5) >= 2))).all()


def test_quotas_hold_for_strangers_whose_lists_are_all_fallback():
    strangers = vt.Queries.of_histories(DATA.items, [[], ["unknown"]])
    rules = vt.Rules(rules={"two": AtMost(n=1, first=3, each="group"), "i7": Pin(item="i7", place=2)})
    lists = vt.Reranked(model=vt.EASE(l2=20), reranker=rules).fit(DATA).recommend(strangers, 5)
    assert lists.fallback.all()
    assert (lists.items[:, 1] == 7).all()
    assert all(len(set(GROUP[row[:3]])) == 3 for row in lists.items)


# Reasons


@pytest.mark.parametrize("name", ["lift", "cap", "floor", "pin"])
def test_a_code_is_at_what_would_stand_elsewhere_without_the_rule(name):
    rules = {
        "lift": Boost(where={"group": "g3"}, by=0.2), "cap": AtMost(n=2, first=6, where={"group": ["g0", "g1"]}),
        "floor": AtLeast(n=2, first=5, where={"group": "g4"}), "pin": Pin(item="i5", place=3),
    }  # fmt: skip
    spoken = {"lift": GROUP == 3, "cap": GROUP < 2, "floor": GROUP == 4, "pin": np.arange(30) == 5}[name]
    whole, without = ranked(rules), ranked({other: rule for other, rule in rules.items() if other != name})
    assert np.array_equal(reasons(whole, name), spoken[whole.items] & (whole.items != without.items))
    assert reasons(whole, name).any()


def test_a_rule_that_changes_nothing_leaves_no_code_and_reasons_that_came_stay():
    came = replace(CANDIDATES, extra={**CANDIDATES.extra, "reasons": (CANDIDATES.items % 2).astype(np.uint8)}, reason_names=("odd",))
    lists = ranked({"cap": AtMost(n=9, each="group"), "lift": Boost(where={"group": "g0"}, by=0.5)}, candidates=came)
    assert lists.reason_names[:2] == ("odd", "cap")
    assert not reasons(lists, "cap").any()
    assert np.array_equal(reasons(lists, "odd"), lists.items % 2 == 1)


# Metamorphic


def test_other_scales_of_the_scores_change_nothing():
    rules = {
        "lift": Boost(where={"group": "g3"}, by=0.2),
        "cap": AtMost(n=2, first=6, each="group"),
        "new": AtLeast(n=1, first=3, where=New(events=9)),
    }
    scaled = replace(CANDIDATES, scores=(CANDIDATES.scores * 37 + 5).astype(np.float32))
    assert np.array_equal(ranked(rules).items, ranked(rules, candidates=scaled).items)


def test_rules_that_ask_nothing_keep_the_order_and_the_scores():
    lists = ranked(
        {"cap": AtMost(n=10, first=10, each="group"), "floor": AtLeast(n=1, first=10, where={"group": ["g0", "g1", "g2", "g3", "g4"]})}
    )
    assert np.array_equal(lists.items, CANDIDATES.items[:, :10])
    np.testing.assert_array_equal(lists.scores, CANDIDATES.scores[:, :10])


def test_a_copy_of_an_item_takes_its_share_of_a_cap_and_is_shown_once_where_copies_are_not():
    data = replace(
        DATA,
        item_table=FeatureTable.of(
            DATA.item_table.frame.with_columns(pl.Series("text", [f"thing {i // 2}" for i in range(30)]), item_id=DATA.items.ids),
            "item_id",
            DATA.items,
        ),
    )
    vectors = vt.similarity.OfContent(columns=("text",))
    lists = ranked({"copies": NearCopies(above=0.99, vectors=vectors)}, data=data)
    pairs = lists.items // 2
    assert all(len(set(row)) == 10 for row in pairs)
    assert any(len(set(row)) < 10 for row in CANDIDATES.items[:, :10] // 2)


# Filters


def fitted(rules, model=None, data=DATA):
    return vt.Reranked(model=model or vt.EASE(l2=20), reranker=vt.Rules(rules=rules)).fit(data)


def test_what_is_hidden_is_taken_off_before_the_model_so_lists_stay_full():
    lists = fitted({"no g1": Hide(where={"group": "g1"})}).recommend(QUERIES, 12, eligible=ALL)
    assert (lists.items >= 0).all()
    assert not (GROUP[lists.items] == 1).any()
    both = fitted({"g1 alone": Only(where={"group": "g1"}), "not 6": Hide(where={"item_id": ["i6"]})}).recommend(QUERIES, 12, eligible=ALL)
    assert (np.sort(both.items, axis=1)[:, -5:] == [1, 11, 16, 21, 26]).all()
    assert ((both.items >= 0).sum(axis=1) == 5).all()


def with_columns(**columns):
    frame = pl.DataFrame({"item_id": DATA.items.ids, "group": [f"g{g}" for g in GROUP], **columns})
    return replace(DATA, item_table=FeatureTable.of(frame, "item_id", DATA.items))


MIXED = with_columns(
    min_age=[18 if i % 3 == 0 else None for i in range(30)], tags=[["a", "b"] if i % 2 else ["b"] for i in range(30)],
    regions=[[] if i % 4 == 0 else ["north"] if i % 4 == 1 else ["north", "south"] for i in range(30)], price=[float(i) for i in range(30)], stock=[i % 5 != 0 for i in range(30)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"tags": "a"}, lambda i: i % 2), ({"price": {"above": 10, "at_most": 20}}, lambda i: 10 < i <= 20), ({"price": {"below": 3}}, lambda i: i < 3),
        ({"price": [3, 4.0]}, lambda i: i in (3, 4)), ({"stock": True}, lambda i: i % 5), ({"min_age": {"missing": True}}, lambda i: i % 3),
        ({"regions": {"missing": True}}, lambda i: i % 4 == 0), ({"min_age": {"at_least": 18}}, lambda i: i % 3 == 0),
        ({"group": {"is_not": ["g0", "g1"]}}, lambda i: i % 5 > 1), ({"group": {"contains": "G4"}}, lambda i: i % 5 == 4),
        ({"tags": "a", "stock": False}, lambda i: i % 2 and i % 5 == 0), ({"item_id": {"contains": "1"}}, lambda i: "1" in str(i)),
    ],
)  # fmt: skip
def test_conditions(where, wanted):
    mask = Hide(where=where).of_items(MIXED)["mask"]
    assert mask.tolist() == [bool(wanted(i)) for i in range(30)]


def asked(**columns):
    return replace(QUERIES[:3], context=pl.DataFrame(columns))


def test_an_age_limit_is_a_column_of_the_item_against_one_of_who_asks():
    model = fitted({"adults": Suits(item="min_age", relation="at_most", person="age", default=0)}, data=MIXED)
    lists = model.recommend(asked(age=[17.0, 18.0, None]), 20, eligible=ALL)
    assert [bool((row % 3 == 0).any()) for row in lists.items] == [False, True, False]
    assert (lists.items >= 0).all()
    assert not (model.recommend(QUERIES[:2], 20, eligible=ALL).items % 3 == 0).any()  # nobody said anything: the default


def test_without_a_default_a_missing_column_is_an_error_and_a_missing_value_is_the_safe_side():
    model = fitted({"adults": Suits(item="min_age", relation="at_most", person="age")}, data=MIXED)
    with pytest.raises(
        DataError, match=r"The rule 'adults': needs 'age' of who asks, and the queries have no context. Add it: replace\(queries"
    ):
        model.recommend(QUERIES, 5)
    with pytest.raises(DataError, match="a context of hour"):
        model.recommend(asked(hour=[1, 2, 3]), 5)
    assert not (model.recommend(asked(age=[None, None, None]), 20, eligible=ALL).items % 3 == 0).any()
    with pytest.raises(ParameterError, match=r"The rule 'adults': compares numbers, and the 'age' of who asks is 'old'"):
        model.recommend(asked(age=["old", "old", "old"]), 5)


def test_a_region_may_be_one_of_a_list_and_stands_in_the_table_of_people():
    users = FeatureTable.of(pl.DataFrame({"user_id": DATA.users.ids, "region": ["south", "north"] * 20}), "user_id", DATA.users)
    model = fitted({"here": Suits(item="regions", relation="equals", person="region")}, data=replace(MIXED, user_table=users))
    lists = model.recommend(QUERIES, 12, eligible=ALL)
    for row, items in enumerate(lists.items):
        allowed = (0, 2, 3) if DATA.users.ids[int(QUERIES.users[row])] in DATA.users.ids[::2].to_list() else (0, 1, 2, 3)
        assert set(items[items >= 0] % 4) <= set(allowed)
    with pytest.raises(
        UnknownNameError, match=r"The rule 'here': There is no column of the table of people 'regoin'. Did you mean 'region'"
    ):
        fitted({"here": Suits(item="regions", relation="equals", person="regoin")}, data=replace(MIXED, user_table=users))


def test_pairs_of_a_table_are_hidden_from_these_people_in_any_log(tmp_path):
    pl.DataFrame({"who": ["u1", "u1", "u2", "stranger"], "what": ["i3", "i8", "i3", "i4"]}).write_csv(tmp_path / "returns.csv")
    model = fitted({"sent back": HidePairs(table=str(tmp_path / "returns.csv"), user="who", item="what")})
    other = DATA.queries(["u2", "stranger", "u1"])
    lists = model.recommend(other, 24, eligible=ALL)
    shown = [set(row[row >= 0].tolist()) for row in lists.items]
    assert [code for code in (3, 4, 8) if code not in shown[0]] == [3]
    assert [code for code in (3, 4, 8) if code not in shown[2]] == [3, 8]
    assert 4 not in shown[1]


def test_what_was_shown_often_of_late_is_not_shown_again():
    day = 24 * 3_600_000_000
    events = Events(
        np.array([0, 0, 0, 1, 1, 2], np.int32), np.array([1, 8, 9, 2, 9, 9]) * day, kinds=np.array([0, 0, 0, 0, 0, 1], np.uint8)
    )
    queries = Queries(
        events, np.array([0]), np.array([6]), DATA.items, np.array([-1], np.int32), np.array([10 * day]), kind_names=("view", "buy")
    )
    with_kinds = replace(DATA, kind_names=("view", "buy"))

    def hidden(rule):
        return rule.hidden(queries, rule.of_items(with_kinds)).values.tolist()

    assert hidden(FrequencyCap(times=2)) == [0, 1]
    assert hidden(FrequencyCap(times=2, days=7)) == [0]
    assert hidden(FrequencyCap(times=1, days=2, kinds=("buy",))) == [2]
    with pytest.raises(UnknownNameError, match=r"no kind of event 'bay'\. Did you mean 'buy'"):
        FrequencyCap(times=1, kinds=("bay",)).of_items(with_kinds)
    with pytest.raises(DataError, match="'days' need the times of events"):
        FrequencyCap(times=1, days=2).of_items(replace(DATA, time_unit="step"))


# Named items


def test_a_pinned_item_and_a_floor_are_asked_of_the_model_where_its_candidates_lack_them():
    rules = vt.Rules(rules={"i29 third": Pin(item="i29", place=3), "g4": AtLeast(n=2, first=5, where={"group": "g4"})})
    ruled = vt.Reranked(model=vt.EASE(l2=20), reranker=rules, candidates=5).fit(DATA)
    lists = ruled.recommend(QUERIES, 5, eligible=ALL)
    plain = ruled.recommender.recommend(QUERIES, 5, eligible=ALL)
    assert (lists.items[:, 2] == 29).all()
    assert ((GROUP[lists.items] == 4).sum(axis=1) >= 2).all()
    assert (plain.items != 29).all(axis=1).any()
    longer = ruled.recommend(QUERIES, 24, eligible=ALL)
    assert np.array_equal(longer.items[:, :5], lists.items)
    assert all(len(set(row.tolist())) == 24 for row in longer.items)


def test_a_pin_is_for_some_and_only_where_it_may_be_shown():
    model = fitted({"i4": Pin(item="i4", place=1, who={"segment": ["new", "guest"]})})
    lists = model.recommend(asked(segment=["new", "old", None]), 5, eligible=ALL)
    assert [row[0] == 4 for row in lists.items] == [True, False, False]
    none = model.recommend(asked(segment=["new", "new", "new"]), 5, eligible=vt.Eligibility(exclude=np.array([4], np.int32), repeat=True))
    assert not (none.items == 4).any()
    with pytest.raises(DataError, match="The rule 'i4': needs 'segment' of who asks"):
        model.recommend(QUERIES, 5)


def test_new_is_of_the_last_days_or_few_events():
    times = DATA.events.times
    assert times is not None
    first_seen = {int(i): int(times[DATA.events.items == i].min()) for i in np.unique(DATA.events.items)}
    counts = np.bincount(DATA.events.items, minlength=30)
    late = int(times.max()) - 80 * 24 * 3_600_000_000
    assert New(days=80).mask(DATA).tolist() == [counts[i] == 0 or first_seen[i] > late for i in range(30)]
    assert New(events=5).mask(DATA).tolist() == (counts <= 5).tolist()


# Saved, and what is refused


def test_rules_are_saved_and_answer_the_same(tmp_path):
    pl.DataFrame({"user_id": ["u1"], "item_id": ["i3"]}).write_csv(tmp_path / "pairs.csv")
    rules = {
        **{name: PARTS[name] for name in ("shown", "lift g3", "two of a group", "new", "first")},
        "only": Only(where={"group": {"is_not": "g2"}}),
        "pairs": HidePairs(table=str(tmp_path / "pairs.csv")),
        "copies": NearCopies(above=0.99),
        "some": Pin(item="i9", place=2, who={"age": {"above": 20}}),
    }
    model = vt.Reranked(model=vt.EASE(l2=20), reranker=vt.Rules(rules=rules, then=vt.MMR(diversity=0.2))).fit(DATA)
    again = vt.load(vt.save(model, tmp_path / "ruled")).recommender
    (tmp_path / "pairs.csv").unlink()
    queries = replace(QUERIES, context=pl.DataFrame({"age": [10 + q for q in range(len(QUERIES))]}))
    before, after = (m.recommend(queries, 10, eligible=ALL) for m in (model, again))
    assert before.to_frame().equals(after.to_frame())
    assert from_plain(again.model) == model.model


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (Pin(item="a", place=1), Pin(item="b", place=1), "both keep place 1"),
        (Pin(item="a", place=1), Pin(item="a", place=2), "can't stand at place 1 and at place 2"),
        (Hide(where={"item_id": ["a"]}), Pin(item="a", place=2), "hidden by one and has place 2"),
        (Only(where={"item_id": ["b"]}), Pin(item="a", place=2), "hidden by one and has place 2"),
        (Hide(where={"group": "g1"}), Only(where={"group": "g1"}), "nothing is left"),
        (AtLeast(n=1, first=3, where={"group": "g1"}), Hide(where={"group": "g1"}), "one hides the items"),
        (AtMost(n=1, first=5, where={"group": "g1"}), AtLeast(n=2, first=4, where={"group": "g1"}), "of the first 4 places at most 1"),
        (AtMost(n=1, first=5, each="group"), AtLeast(n=3, first=6, where={"group": "g1"}), "of the first 6 places at most 2"),
    ],
)  # fmt: skip
def test_rules_that_contradict_each_other_are_refused_with_both_names(one, other, why):
    with pytest.raises(ParameterError, match=rf"The rules 'this' and 'that' contradict each other: .*{why}"):
        vt.Rules(rules={"this": one, "that": other})


def test_what_contradicts_only_in_its_columns_is_refused_at_fit():
    for rules, why in [
        ({"this": Hide(where={"group": "g1"}), "that": Pin(item="i1", place=1)}, "the first hides the item 'i1'"),
        ({"this": Only(where={"group": "g1"}), "that": AtLeast(n=1, first=3, where={"group": "g2"})}, "the first hides every item"),
        ({"this": AtLeast(n=2, first=3, where={"group": "g1"}), "that": AtLeast(n=2, first=3, where={"group": "g2"})}, "need 2 and 2 of the first 3 places"),
        ({"this": AtMost(n=1, first=3, each="group"), "x": Pin(item="i1", place=1), "that": Pin(item="i6", place=3)}, "2 items of one group have places"),
    ]:  # fmt: skip
        with pytest.raises(ParameterError, match=rf"The rules 'this' and 'that' contradict each other: .*{why}"):
            vt.Rules(rules=rules).fit(DATA)


def test_rules_that_go_together_are_taken():
    vt.Rules(rules={
        "a": Pin(item="i1", place=1, who={"s": "new"}), "b": Pin(item="i2", place=1, who={"s": ["old", "gone"]}),
        "c": AtMost(n=1, first=5, each="group"), "d": AtLeast(n=2, first=6, where={"group": "g1"}),
    }).fit(DATA)  # fmt: skip


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: AtMost(n=1), "needs 'each' .* or 'where'"), (lambda: AtMost(n=0, each="group"), "vt.rules.Hide does that"),
        (lambda: AtLeast(n=3, first=2, where={"a": 1}), "can't be met"), (lambda: Boost(where={"a": 1}, by=0), "must not be 0"), (New, "needs 'days' or 'events'"),
        (lambda: Hide(where={}), "without one it would be all items"), (lambda: Hide(where={"price": {"abve": 3}}), "Did you mean 'above'"),
        (lambda: Hide(where={"price": {"above": "3"}}), "'above' takes a number, and not '3'"), (lambda: Hide(where={"brand": []}), "a value or a list of values"),
        (lambda: vt.Rules(rules={}), "rules"), (lambda: vt.Rules(rules={"a|b": Pin(item="x", place=1)}), "without a '|'"),
        (lambda: vt.Rules(rules={"a": Pin(item="x", place=1)}, then=vt.Rules(rules={"a": Pin(item="x", place=1)})), "Put all rules into one"),
    ],
)  # fmt: skip
def test_what_no_rule_could_mean_is_refused_when_it_is_made(make, says):
    with pytest.raises(ParameterError, match=says):
        make()


@pytest.mark.parametrize(
    ("rule", "error", "says"),
    [
        (Hide(where={"grup": "g1"}), UnknownNameError, "no column of the table of items 'grup'. Did you mean 'group'"),
        (Hide(where={"group": "g9"}), UnknownNameError, "No item has the value 'g9' in the column 'group'. Did you mean 'g4'|Did you mean"),
        (Hide(where={"group": {"above": 3}}), ParameterError, "'above' is for columns of numbers"),
        (AtMost(n=1, each="grup"), UnknownNameError, "Did you mean 'group'"), (Pin(item="i99", place=1), UnknownNameError, "no item 'i99'"),
        (Suits(item="group", relation="at_most", person="age"), ParameterError, "for columns of numbers, and 'group' holds"),
    ],
)  # fmt: skip
def test_what_the_log_does_not_know_is_refused_at_fit_with_the_rule(rule, error, says):
    with pytest.raises(error, match=rf"The rule 'mine': .*{says}") as caught:
        vt.Rules(rules={"mine": rule}).fit(DATA)
    assert caught.value.parameter == "mine"
    with pytest.raises(DataError, match="Read the log with items="):
        vt.Rules(rules={"mine": Hide(where={"group": "g1"})}).fit(replace(DATA, item_table=None))


def test_what_hits_nothing_or_hides_everything_is_said():
    notes = fitted({"dear": Hide(where={"price": {"above": 1000}}), "lift": Boost(where={"price": {"below": 0}}, by=0.1)}, data=MIXED).notes
    assert {"the rule 'dear' hits no item", "the rule 'lift' hits no item"} <= set(notes)
    model = fitted({"g0": Hide(where={"group": ["g0", "g1", "g2"]}), "rest": Hide(where={"group": ["g3", "g4"]})})
    assert "nothing may be shown to anybody: every item is hidden by 'g0', 'rest'" in model.notes
    assert (model.recommend(QUERIES, 5).items == -1).all()


def test_a_preview_says_what_each_rule_hides_and_moves():
    rules = {
        "no g0": Hide(where={"group": "g0"}),
        "cap": AtMost(n=1, first=3, each="group"),
        "i4": Pin(item="i4", place=1),
        "dear": Hide(where={"item_id": "i29"}),
    }
    model = fitted(rules)
    shown = vt.rules.preview(model, QUERIES, 5, eligible=ALL, people=20)
    lines = {rule.name: rule for rule in shown.rules}
    chosen = np.unique(np.linspace(0, 39, 20).astype(int))
    before = model.recommender.recommend(QUERIES[chosen], 5, eligible=ALL)
    assert lines["no g0"].places == int((GROUP[before.items] == 0).sum())
    assert (lines["no g0"].items, lines["dear"].items, lines["cap"].items) == (6, 1, 30)
    unpinned = fitted({name: rule for name, rule in rules.items() if name != "i4"}).recommend(QUERIES[chosen], 5, eligible=ALL)
    assert lines["i4"].people == int((unpinned.items[:, 0] != 4).sum())
    who, title, _, after = lines["i4"].examples[0]
    assert (title, after) == ("Item 4 of group 4", 1)
    assert shown.to_dict()["rules"][2]["examples"][0]["who"] == who
    assert "Item 4 of group 4 to place 1 of" in str(shown)
    with pytest.raises(ParameterError, match="A preview is of a model with rules"):
        vt.rules.preview(vt.EASE().fit(DATA), QUERIES)  # type: ignore[arg-type]


def test_no_rules_and_rules_at_odds_are_refused_in_whole_sentences():
    with pytest.raises(ParameterError, match=r"'rules' parameter of Rules must be a table of 1 or more\. Got {}\.$"):
        vt.Rules(rules={})
    pins = {name: vt.rules.Pin(item=name, place=1) for name in ("a", "b")}
    with pytest.raises(ParameterError, match=r"both keep place 1, for the same people\.$"):
        vt.Rules(rules=pins)
