"""Every rule against a slow splitter in plain Python, on small logs with ties, overlapping baskets and repeats."""

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import ParameterError, SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.split.assemble import repeat_share
from vitrina.data.split.moments import Moments
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

DAY = 86_400_000_000
NOON = 1_700_000_000_000_000
TARGETS = ["successive", "last", "first", "random", "all", "basket"]
SEEDS = range(25)


def random_log(seed: int, *, unit: str | None = "us", baskets: bool = True) -> Dataset:
    """A few people and items; few distinct times, so that ties abound; basket numbers overlap and are shared between people."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 60))
    users, items = rng.integers(0, 6, n), rng.integers(0, 7, n).astype(np.int32)
    times = {"us": NOON + rng.integers(0, 15, n) * DAY // 2, "step": rng.integers(0, 30, n), None: None}[unit]
    numbers = rng.integers(-1, 9, n).astype(np.int32) if baskets else None
    if baskets and times is not None and seed % 2:  # half of the logs: a basket is short, as in a shop
        numbers = (times // (DAY if unit == "us" else 2) % 1000).astype(np.int32)
    vocabularies = Vocabulary.of([f"u{c}" for c in range(6)]), Vocabulary.of([f"i{c}" for c in range(8)])
    return Dataset.of_codes(users, Events(items, times, baskets=numbers), *vocabularies, time_unit=unit)


def rows(data: Dataset) -> list[dict]:
    e = data.events
    return [
        {
            "at": i, "user": int(data.user_of[i]), "item": int(e.items[i]),
            "time": None if e.times is None else int(e.times[i]), "basket": -1 if e.baskets is None else int(e.baskets[i]),
        }
        for i in range(data.n_events)
    ]  # fmt: skip


def groups_of(data: Dataset) -> list[list[dict]]:
    """Rows that happened at once, by merging pairs (and what lies between them) until nothing changes."""
    log = rows(data)
    label = list(range(len(log)))
    changed = True
    while changed:
        changed = False
        for a in log:
            for b in log[a["at"] + 1 :]:
                tie = a["time"] is not None and a["time"] == b["time"]
                together = a["basket"] == b["basket"] >= 0
                if a["user"] == b["user"] and (tie or together):
                    between = range(a["at"], b["at"] + 1)
                    lowest = min(label[i] for i in between)
                    changed |= any(label[i] != lowest for i in between)
                    for i in between:
                        label[i] = lowest
    return [[log[i] for i in range(len(log)) if label[i] == name] for name in sorted(set(label))]


def asked(split: vt.split.Split) -> list[tuple]:
    """(user, now, history, truth) of each query."""
    q = split.queries
    histories = q.histories()
    return [
        (int(q.users[i]), None if q.now is None else int(q.now[i]), histories[i].tolist(), split.truth[i].tolist()) for i in range(len(q))
    ]


def expected_query(data: Dataset, group: list[dict], now: int | None) -> tuple:
    user, first = group[0]["user"], group[0]["at"]
    mine = [r for r in rows(data) if r["user"] == user]
    before = [r for r in mine if (r["at"] < first if now is None else r["time"] < now)]
    return user, now, [r["item"] for r in before], sorted({r["item"] for r in group})


def expected_global(data: Dataset, cut: int, until: int, target: str) -> list[tuple]:
    after = [g for g in groups_of(data) if cut <= g[0]["time"] < until]
    by_user: dict[int, list] = {}
    for group in after:
        if target != "basket" or any(r["basket"] >= 0 for r in group):
            by_user.setdefault(group[0]["user"], []).append(group)
    found = []
    for user, groups in sorted(by_user.items()):
        if target == "all":
            history = [r["item"] for r in rows(data) if r["user"] == user and r["time"] < cut]
            found.append((user, cut, history, sorted({r["item"] for g in groups for r in g})))
        else:
            chosen = {"first": groups[:1], "last": groups[-1:]}.get(target, groups)
            found += [expected_query(data, g, g[0]["time"]) for g in chosen]
    return found


def apply_or_none(data: Dataset, rule: vt.split.Rule) -> vt.split.Split | None:
    try:
        return rule.apply(data)
    except SplitError:
        return None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("unit", ["us", "step"])
def test_global_time_equals_the_slow_splitter(target, unit):
    compared = 0
    for seed in SEEDS:
        data = random_log(seed, unit=unit)
        times = data.events.times
        cut, until = sorted(np.random.default_rng(seed).choice(times, 2).tolist())
        until += 1
        split = apply_or_none(data, vt.split.GlobalTime(at=cut, until=until, target=target, repeat=True))
        expected = expected_global(data, cut, until, target)
        if split is None:
            assert not expected or not (times < cut).any()
            continue
        compared += 1
        assert sorted(split.train.frame().rows()) == sorted(r for r, t in zip(data.frame().rows(), times, strict=True) if t < cut)
        if target == "random":
            assert set(map(str, asked(split))) <= set(map(str, expected))
            assert split.queries.users.tolist() == sorted({e[0] for e in expected})
        else:
            assert asked(split) == expected
    assert compared > 10


@pytest.mark.parametrize("unit", ["us", "step", None])
def test_moments_equal_the_slow_groups(unit):
    for seed in SEEDS:
        data = random_log(seed, unit=unit)
        moments = Moments.of(data)
        assert [list(range(a, b)) for a, b in zip(moments.start, moments.stop, strict=True)] == [
            [r["at"] for r in group] for group in groups_of(data)
        ]


@pytest.mark.parametrize("rule", [vt.split.GlobalTime(quantile=0.5, target=t) for t in TARGETS] + [vt.split.UserShare(share=0.5), vt.split.LeaveLastBasket()])  # fmt: skip
def test_no_history_event_is_at_or_after_the_query_and_no_basket_is_on_both_sides(rule):
    checked = 0
    for seed in SEEDS:
        data = random_log(seed)
        split = apply_or_none(data, rule)
        if split is None:
            continue
        q, events = split.queries, data.events
        for i in range(len(q)):
            history = slice(q.start[i], q.stop[i])
            assert (events.times[history] < q.now[i]).all()
            mine = np.flatnonzero(data.user_of == q.users[i])
            later = mine[events.times[mine] >= q.now[i]]
            targets = later[np.isin(events.items[later], split.truth[i])]
            begun = set(events.baskets[history].tolist()) - {-1}
            fresh = [t for t in targets if events.baskets[t] not in begun]
            assert set(events.items[fresh].tolist()) == set(split.truth[i].tolist())
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("unit", ["us", "step", None])
@pytest.mark.parametrize("position", [1, 2])
def test_leave_one_out_equals_the_slow_splitter(unit, position):
    for seed in SEEDS:
        data = random_log(seed, unit=unit)
        split = vt.split.LeaveOneOut(position=position, repeat=True).apply(data)
        expected, kept = [], []
        for user in range(6):
            mine = [r for r in rows(data) if r["user"] == user]
            if len(mine) > position:
                target, before = mine[-position], mine[:-position]
                expected.append((user, target["time"], [r["item"] for r in before], [target["item"]]))
            else:
                before = mine[:1]
            kept += [(user, r["item"]) for r in before]
        assert asked(split) == expected
        assert list(zip(split.train.user_of.tolist(), split.train.events.items.tolist(), strict=True)) == kept


def test_leave_one_out_of_position_two_is_the_holdout_of_the_training_part():
    for unit in ("us", "step", None):
        data = random_log(3, unit=unit)
        holdout = vt.split.LeaveOneOut(repeat=True).apply(data).train.holdout()
        direct = vt.split.LeaveOneOut(position=2, repeat=True).apply(data)
        assert asked(holdout) == asked(direct)
        assert holdout.train.frame().equals(direct.train.frame())


@pytest.mark.parametrize("unit", ["us", "step", None])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_leave_last_basket_equals_the_slow_splitter(unit, share):
    compared = 0
    for seed in SEEDS:
        data = random_log(seed, unit=unit)
        users = sorted({r["user"] for r in rows(data)})
        population = users[round(len(users) * (1 - share)) :]
        expected, kept = [], []
        for user in users:
            groups = [g for g in groups_of(data) if g[0]["user"] == user]
            mine = [r for g in groups for r in g]
            baskets = [g for g in groups if any(r["basket"] >= 0 for r in g)]
            target = baskets[-1] if baskets and user in population else None
            if target is None or target[0]["at"] == mine[0]["at"]:
                kept += [(user, r["item"]) for r in mine]
                continue
            before = [r for r in mine if r["at"] < target[0]["at"]]
            expected.append((user, target[0]["time"], [r["item"] for r in before], sorted({r["item"] for r in target})))
            kept += [(user, r["item"]) for r in before]
        split = apply_or_none(data, vt.split.LeaveLastBasket(test_share=share, repeat=True))
        if split is None:
            assert not expected
            continue
        compared += 1
        assert asked(split) == expected
        assert list(zip(split.train.user_of.tolist(), split.train.events.items.tolist(), strict=True)) == kept
    assert compared > 10


@pytest.mark.parametrize("unit", ["us", None])
def test_user_share_cuts_people_out_and_each_between_two_moments(unit):
    compared = 0
    for seed in SEEDS:
        data = random_log(seed, unit=unit, baskets=seed % 3 > 0)
        rule = vt.split.UserShare(share=0.5, fold_in=0.6, repeat=True, seed=seed)
        split = apply_or_none(data, rule)
        if split is None:
            continue
        out = set(range(6)) - set(split.train.user_of.tolist())
        assert set(split.queries.users.tolist()) <= out
        compared += len(split.queries)
        expected = []
        for user in sorted(out):
            groups = [g for g in groups_of(data) if g[0]["user"] == user]
            mine = [r for g in groups for r in g]
            limit = int(0.6 * len(mine))
            starts = [sum(len(g) for g in groups[:i]) for i in range(1, len(groups))]
            if not starts:
                continue
            cut = max([s for s in starts if s <= limit], default=starts[0])
            expected.append((user, mine[cut]["time"], [r["item"] for r in mine[:cut]], sorted({r["item"] for r in mine[cut:]})))
        assert asked(split) == expected
    assert compared > 20


def test_random_share_hides_items_and_never_shows_them_in_training():
    for seed in SEEDS:
        data = random_log(seed, unit=None)
        split = vt.split.RandomShare(share=0.4, seed=seed).apply(data)
        for user, _, history, truth in asked(split):
            every = {r["item"] for r in rows(data) if r["user"] == user}
            assert len(truth) == max(1, int(0.4 * len(every)))
            assert set(truth).isdisjoint(history)
            assert set(truth) | set(history) == every
            assert split.train.events.items[split.train.events_of(np.array([user]))].tolist() == history


def test_holdout_is_the_same_rule_just_before_the_cut():
    data = vt.testing.synthetic()
    end = int(data.events.times.max()) + 1
    for rule in (vt.split.GlobalTime(days=10, target="last"), vt.split.GlobalTime(at=end - 10 * DAY, target="last")):
        first = rule.apply(data)
        second = first.train.holdout()
        third = second.train.holdout()
        for split, days in ((first, 10), (second, 20), (third, 30)):
            direct = vt.split.GlobalTime(at=end - days * DAY, until=end - (days - 10) * DAY, target="last").apply(data)
            assert asked(split) == asked(direct)
            assert split.eligible == first.eligible
            assert split.train.events.times.max() < end - days * DAY <= split.queries.now.min()


def test_step_times_roll_by_the_same_number_of_steps():
    data = random_log(4, unit="step", baskets=False)
    split = vt.split.GlobalTime(at=20, until=30, repeat=True).apply(data)
    assert asked(split.train.holdout()) == expected_global(data.select(data.events.times < 20), 10, 20, "successive")


def test_rolling_folds_test_on_what_the_next_one_trains_on():
    data = vt.testing.synthetic()
    folds = vt.split.rolling(data, vt.split.GlobalTime(days=10), folds=3)
    for earlier, later in pairwise(folds):
        assert earlier.queries.now.max() <= later.train.events.times.max() < later.queries.now.min()
        assert earlier.train.n_events < later.train.n_events
    with pytest.raises(SplitError, match="long enough for"):
        vt.split.rolling(data, vt.split.GlobalTime(days=40), folds=4)
    with pytest.raises(ParameterError, match="at least 1"):
        vt.split.rolling(data, vt.split.LeaveOneOut(), folds=0)


def in_days(data: Dataset) -> Dataset:
    """The log of steps with each step a day."""
    return replace(data, events=replace(data.events, times=data.events.times * DAY), time_unit="us")


def in_steps(split: vt.split.Split, scale: int) -> tuple:
    """Everything of a split that a user of it can see, times in steps; a moment after the last event is in the next step."""
    q, train = split.queries, split.train
    queries = [(u, -(-now // scale), h, t) for u, now, h, t in asked(split)]
    events = (train.indptr.tolist(), train.events.items.tolist(), (train.events.times // scale).tolist())
    counted = {
        n: c
        for n, c in split.counts.items()
        if n not in ("test_start", "test_stop", "late_train_events", "late_train_events_share", "per_user_steps")
    }
    return queries, events, q.start.tolist(), q.stop.tolist(), split.eligible.repeat, counted


@pytest.mark.parametrize("baskets", [True, False])
def test_steps_are_split_as_the_same_log_in_days_is(baskets):
    rules = [vt.split.GlobalTime(quantile=share, target=t) for share in (0.3, 0.6) for t in TARGETS if baskets or t != "basket"]
    rules += [vt.split.UserShare(share=0.5, fold_in=0.5), vt.split.LeaveOneOut(), vt.split.LeaveOneOut(position=2, people=3)]
    rules += [vt.split.RandomShare(share=0.5), *([vt.split.LeaveLastBasket()] if baskets else [])]
    compared = 0
    for seed in SEEDS[::2]:
        steps = random_log(seed, unit="step", baskets=baskets)
        days = in_days(steps)
        pairs = [(rule.apply, rule.apply) for rule in rules]
        pairs += [
            (vt.split.GlobalTime(at=9, until=22, target=t).apply, vt.split.GlobalTime(at=9 * DAY, until=22 * DAY, target=t).apply)
            for t in ("successive", "last", "all")
        ]
        later = partial(vt.split.given, test=steps.events.times >= 15, holdout=vt.split.GlobalTime(quantile=0.5))
        pairs += [(later, later)]
        for of_steps, of_days in pairs:
            left, right = (_or_none(of_steps, steps), _or_none(of_days, days))
            while left is not None and right is not None:
                compared += 1
                assert in_steps(left, 1) == in_steps(right, DAY)
                left, right = (_or_none(Dataset.holdout, left.train), _or_none(Dataset.holdout, right.train))
            assert left is None
            assert right is None
    assert compared > 200


def _or_none(make, data):
    try:
        return make(data)
    except SplitError:
        return None


def test_equal_steps_are_one_query_with_what_is_strictly_before_it_as_history():
    steps = Events(np.arange(6, dtype=np.int32), np.array([1, 1, 1, 2, 2, 2]))
    data = Dataset.of_codes(np.zeros(6, int), steps, Vocabulary.of(["ann"]), Vocabulary.of(list("abcdef")), time_unit="step")
    assert asked(vt.split.GlobalTime(at=2).apply(data)) == [(0, 2, [0, 1, 2], [3, 4, 5])]
    split = vt.split.LeaveOneOut().apply(data)
    assert asked(split) == [(0, 2, [0, 1, 2, 3, 4], [5])]
    assert split.counts["targets_tied_to_history"] == 1
    assert "half the answer" in split.summary.leakage[-1]


def test_the_order_of_rows_of_one_moment_changes_no_question():
    """A row without a basket that stands first does not hide the basket of the same moment."""
    baskets = np.array([7, -1, 8, -1, 8], np.int32)
    times = NOON + DAY * np.array([0, 1, 1, 1, 1])
    for order in ([0, 1, 2, 3, 4], [0, 2, 1, 3, 4]):
        events = Events(np.array(order, np.int32), times, baskets=baskets[order])
        data = Dataset.of_codes(np.zeros(5, int), events, Vocabulary.of(["ann"]), Vocabulary.of(list("abcde")), time_unit="us")
        for rule in (vt.split.GlobalTime(at=NOON + DAY, target="basket"), vt.split.LeaveLastBasket()):
            assert asked(rule.apply(data)) == [(0, NOON + DAY, [0], [1, 2, 3, 4])]


def repeats_of(data: Dataset) -> float:
    """Of the distinct items of each moment after a person's first one, the share that an earlier moment had."""
    had, again, taken = {}, 0, 0
    for group in groups_of(data):
        user, items = group[0]["user"], {r["item"] for r in group}
        if user in had:
            taken += len(items)
            again += len(items & had[user])
        had[user] = had.get(user, set()) | items
    return again / max(taken, 1)


def test_repeats_are_decided_without_a_look_at_the_test_part():
    people = np.repeat(np.arange(30), 6)
    habit = np.tile([0, 1, 0, 1, 2, 3], 30)  # everybody comes back, and takes something new in the end
    fresh = np.tile([0, 1, 2, 3, 0, 1], 30)  # nobody comes back before the test part, where all do
    for items, allowed in ((habit, True), (fresh, False)):
        log = pl.DataFrame({"user": people, "item": items, "step": np.tile(np.arange(6), 30)})
        data = vt.read_interactions(log, user="user", item="item", time="step", time_unit="step")
        if allowed:
            split = vt.split.GlobalTime(at=4).apply(data)
            assert (split.eligible.repeat, split.counts["seen_targets"]) == (True, 0)
            assert "Set repeat=false" in " ".join(split.warnings)
        else:
            with pytest.raises(SplitError, match="Set repeat=true"):
                vt.split.GlobalTime(at=4).apply(data)


def test_what_counts_for_nothing_and_what_is_bought_at_once_is_no_repeat():
    log = pl.DataFrame(
        {"user": list("aaaaaaa"), "item": list("xyxxxyz"), "step": [0, 0, 1, 1, 2, 3, 4], "weight": [1.0, 1, 1, 1, -1, 0, 1]}
    )
    data = vt.read_interactions(log, user="user", item="item", time="step", time_unit="step", weight="weight")
    assert repeat_share(data) == pytest.approx(1 / 2)  # of x in step 1 and z in step 4


def test_seen_targets_are_dropped_and_counted_or_kept():
    for seed in SEEDS:
        data = random_log(seed, baskets=False)
        rule = vt.split.GlobalTime(quantile=0.5)
        free = apply_or_none(data, rule.model_copy(update={"repeat": True}))
        strict = apply_or_none(data, rule.model_copy(update={"repeat": False}))
        if free is None or strict is None:
            continue
        seen = sum(len(set(truth) & set(history)) for _, _, history, truth in asked(free))
        fresh = [(u, now, h, sorted(set(t) - set(h))) for u, now, h, t in asked(free)]
        assert asked(strict) == [query for query in fresh if query[3]]
        assert strict.counts["seen_targets_dropped"] == seen
        assert strict.counts["queries_without_truth"] == sum(not query[3] for query in fresh)
        decided = rule.apply(data)
        allowed = repeats_of(decided.train) >= 0.1
        assert decided.counts["train_repeats_share"] == pytest.approx(repeats_of(decided.train))
        assert decided.eligible.repeat is allowed
        assert decided.train.rule.repeat is allowed
        assert asked(decided) == asked(free if allowed else strict)


def test_cold_items_and_people_are_counted_by_hand():
    log = [
        ("ann", "tea", 1),
        ("ann", "jam", 2),
        ("bob", "tea", 3),
        ("ann", "rye", 10),
        ("new", "tea", 11),
        ("new", "rye", 12),
        ("bob", "jam", 13),
    ]
    users, items = Vocabulary.of([r[0] for r in log]), Vocabulary.of([r[1] for r in log])
    events = Events(items.encode([r[1] for r in log]), NOON + DAY * np.array([r[2] for r in log]))
    data = Dataset.of_codes(users.encode([r[0] for r in log]), events, users, items, time_unit="us")
    split = vt.split.GlobalTime(at=NOON + 10 * DAY).apply(data)
    counts = split.counts
    assert (counts["cold_targets"], counts["cold_items"], counts["new_users"], counts["queries_without_history"]) == (2, 1, 1, 1)
    assert len(split.truth.values) == 4
    summary = split.summary
    assert summary.shares["cold_targets"] == 0.5
    assert summary.shares["new_users"] == pytest.approx(1 / 3)
    assert (summary.train.events, summary.test.events, summary.queries) == (3, 4, 4)
    assert summary.test.first == "2023-11-24 22:13"
    assert "without a training event" in " ".join(summary.warnings)


def test_leakage_is_said_only_where_there_is_some():
    data = vt.testing.synthetic()
    assert vt.split.GlobalTime(days=10).apply(data).summary.leakage == ()
    leave = vt.split.LeaveOneOut().apply(data)
    late = (leave.train.events.times >= leave.queries.now.min()).mean()
    assert leave.counts["late_train_events_share"] == pytest.approx(late)
    assert f"{late:.0%} of the training events" in leave.summary.leakage[0]
    step = random_log(1, unit=None, baskets=False)
    assert vt.split.LeaveOneOut().apply(step).summary.leakage == ()


def test_the_summary_prints_and_goes_to_json():
    strict = vt.split.LeaveOneOut(strict=True).apply(vt.testing.synthetic())
    assert f"{len(strict.validation.queries):,} queries of a validation part" in str(strict.summary)
    for rule in (vt.split.GlobalTime(days=10), vt.split.LeaveOneOut(), vt.split.RandomShare()):
        summary = rule.apply(vt.testing.synthetic()).summary
        assert json.loads(json.dumps(summary.to_dict()))["queries"] == summary.queries
        assert f"{summary.queries:,} queries" in str(summary)


def test_given_joins_the_ids_of_both_parts():
    whole = vt.testing.toy()
    mask = np.arange(whole.n_events) % 3 == 2
    direct = vt.split.given(whole, mask)
    frames = whole.frame().filter(~mask), whole.frame().filter(mask).filter(pl.Series(range(mask.sum())) < 99)
    parts = [_read(frame.sample(fraction=1, shuffle=True, seed=1), whole) for frame in frames]
    joined = vt.split.given(*parts)

    def named(split: vt.split.Split) -> dict:
        d = split.train
        return {d.users.decode([u])[0]: (d.items.decode(h).to_list(), set(d.items.decode(t).to_list())) for u, _, h, t in asked(split)}

    assert named(joined) == named(direct)
    titles = dict(zip(joined.train.items.ids, joined.train.titles(np.arange(joined.train.n_items)), strict=True))
    assert titles == {"tea": "Green tea", "milk": "Whole milk", "bread": "Rye bread", "jam": "Plum jam"}


def _read(frame: pl.DataFrame, whole: Dataset) -> Dataset:
    users, items = Vocabulary.of(frame["user_id"]), Vocabulary.of(frame["item_id"])
    times = frame["timestamp"].cast(pl.Int64).to_numpy()
    table = whole.item_table.frame.with_columns(item_id=whole.items.ids)
    table = table.filter(pl.col("item_id").is_in(items.ids.implode()))
    features = FeatureTable.of(table, "item_id", items)
    events = Events(items.encode(frame["item_id"]), times)
    return Dataset.of_codes(users.encode(frame["user_id"]), events, users, items, time_unit="us", item_table=features)


def test_given_keeps_test_ids_that_training_could_not_hold():
    train = vt.read_interactions(pl.DataFrame({"user_id": [1, 2], "item_id": [126, 7]}))
    test = vt.read_interactions(pl.DataFrame({"user_id": ["1", "x", "01"], "item_id": ["99X", "7", "0126"]}))
    split = vt.split.given(train, test)
    assert split.train.items.ids.to_list() == ["126", "7", "99X", "0126"]
    assert split.train.users.ids.to_list() == ["1", "2", "x", "01"]
    assert [split.truth[q].tolist() for q in range(3)] == [[2], [1], [3]]


def test_given_by_kind_forgets_the_kinds_and_works_without_time():
    kinds = np.array([0, 0, 1, 0, 0, 1], np.uint8)
    vocabulary = Vocabulary.of(["a", "b", "c"])
    events = Events(np.array([0, 1, 2, 1, 2, 0], np.int32), kinds=kinds)
    data = Dataset.of_codes(np.array([0, 0, 0, 1, 1, 1]), events, Vocabulary.of([7, 8]), vocabulary, kind_names=("train", "test"))
    split = vt.split.given(data, "test")
    assert asked(split) == [(0, None, [0, 1], [2]), (1, None, [1, 2], [0])]
    assert split.train.kind_names == ()
    assert isinstance(split.train.rule, vt.split.RandomShare)
    assert len(split.train.holdout().queries) == 2
    with pytest.raises(SplitError, match="train, test"):
        vt.split.given(data, "valid")
    with pytest.raises(SplitError, match="one true or false an event"):
        vt.split.given(data, np.array([True]))


def test_errors_name_the_remedy():
    untimed = random_log(0, unit=None, baskets=False)
    with pytest.raises(SplitError, match="LeaveOneOut"):
        vt.split.GlobalTime().apply(untimed)
    with pytest.raises(SplitError, match="basket="):
        vt.split.GlobalTime(target="basket").apply(random_log(0, baskets=False))
    with pytest.raises(SplitError, match="basket="):
        vt.split.LeaveLastBasket().apply(untimed)
    with pytest.raises(SplitError, match="quantile"):
        vt.split.GlobalTime(days=3).apply(random_log(0, unit="step"))
    with pytest.raises(SplitError, match="no training events"):
        vt.split.GlobalTime(at="2000-01-01").apply(random_log(0))
    with pytest.raises(ParameterError, match="GlobalTime takes one of"):
        vt.split.GlobalTime(days=3, quantile=0.5)


def test_relabelling_users_and_items_relabels_the_split():
    data = random_log(6)
    rng = np.random.default_rng(0)
    users, items = rng.permutation(6), rng.permutation(8)
    moved = Events(items[data.events.items].astype(np.int32), data.events.times, baskets=data.events.baskets)
    other = Dataset.of_codes(users[data.user_of], moved, data.users, data.items, time_unit="us")
    rule = vt.split.GlobalTime(quantile=0.5, repeat=True)
    before, after = asked(rule.apply(data)), asked(rule.apply(other))
    relabelled = [(int(users[u]), now, items[h].tolist(), sorted(items[t].tolist())) for u, now, h, t in before]
    assert sorted(relabelled) == sorted(after)


def test_a_remembered_rule_can_be_written_down_and_typed_again():
    split = vt.split.GlobalTime(days=10).apply(vt.testing.synthetic())
    remembered = split.train.rule
    again = from_plain(json.loads(json.dumps(to_plain(remembered))))
    assert again == remembered == vt.split.GlobalTime(**dict(remembered) | {"until": str(remembered.until)})
    assert asked(again.apply(split.train)) == asked(split.train.holdout())
    assert f"until='{remembered.until}'" in str(remembered)


def test_leaving_one_out_for_some_people_keeps_the_others_whole():
    data = vt.testing.synthetic(users=40, items=20, seed=3)
    split = vt.split.LeaveOneOut(people=6, repeat=True).apply(data)
    assert len(split.queries) == 6
    gone = np.diff(data.indptr) - np.diff(split.train.indptr)
    assert sorted(np.flatnonzero(gone)) == sorted(split.queries.users)
    assert gone.max() == 1
    whole = vt.split.LeaveOneOut(repeat=True).apply(data)
    of_whole = {int(u): whole.truth[q].tolist() for q, u in enumerate(whole.queries.users)}
    assert all(of_whole[int(u)] == split.truth[q].tolist() for q, u in enumerate(split.queries.users))
    assert len(vt.split.LeaveOneOut(people=1000, repeat=True).apply(data).queries) == len(whole.queries)


@pytest.mark.parametrize("rule", [vt.split.LeaveOneOut(), vt.split.LeaveLastBasket(), vt.split.GlobalTime(quantile=0.6)], ids=str)
def test_a_strict_split_is_the_holdout_taken_out_of_training_for_good(rule):
    compared = 0
    for seed in SEEDS:
        data = random_log(seed)
        rule = rule.model_copy(update={"repeat": True})
        usual = apply_or_none(data, rule)
        try:
            holdout = None if usual is None else usual.train.holdout()
        except SplitError:
            holdout = None
        strict = apply_or_none(data, rule.model_copy(update={"strict": True}))
        if holdout is None:
            assert strict is None
            continue
        compared += 1
        assert strict.train.frame().equals(holdout.train.frame())
        assert asked(strict) == asked(usual)
        assert asked(strict.validation) == asked(holdout)
        assert strict.validation.train is strict.train
        assert strict.validation.validation is None
        assert strict.rule.strict
        unused = usual.train.n_events - strict.train.n_events - holdout.counts["target_events"]
        assert strict.counts["events_not_used"] == usual.counts["events_not_used"] + unused
        warm = set(strict.train.events.items.tolist())
        assert strict.counts["cold_targets"] == sum(item not in warm for item in strict.truth.values.tolist())
    assert compared > 10


def test_strict_leave_one_out_by_hand():
    log = [("ann", i) for i in "abcd"] + [("bob", i) for i in "ba"] + [("cy", "c")] + [("di", i) for i in "cab"]
    data = vt.read_interactions(pl.DataFrame(log, schema=["user", "item"], orient="row"), user="user", item="item")
    strict = vt.split.LeaveOneOut(strict=True, repeat=False).apply(data)
    assert strict.train.frame().rows() == [("ann", "a"), ("ann", "b"), ("bob", "b"), ("cy", "c"), ("di", "c")]
    name = data.items.decode
    shown = [(q, "".join(name(h)), "".join(name(t))) for q, _, h, t in asked(strict)]
    assert shown == [(0, "abc", "d"), (1, "b", "a"), (3, "ca", "b")]
    assert [(q, "".join(name(h)), "".join(name(t))) for q, _, h, t in asked(strict.validation)] == [(0, "ab", "c"), (3, "c", "a")]


def test_nobodys_validation_item_is_in_the_training_part():
    data = vt.testing.synthetic(users=80, items=500, seed=1)  # hardly anybody takes an item twice
    strict = vt.split.LeaveOneOut(strict=True, repeat=False).apply(data)
    asked_about = strict.validation.queries.users, strict.validation.truth.values
    taken = set(zip(strict.train.user_of.tolist(), strict.train.events.items.tolist(), strict=True))
    assert not taken & set(zip(*(codes.tolist() for codes in asked_about), strict=True))
    assert len(strict.validation.queries) > 60


def test_strict_folds_roll_back_and_keep_their_validation_parts():
    data = vt.testing.synthetic()
    folds = vt.split.rolling(data, vt.split.GlobalTime(days=7, strict=True), folds=3)
    for earlier, later in pairwise(folds):
        assert earlier.queries.now.max() <= later.train.events.times.max() < later.validation.queries.now.min()
    assert all(fold.validation.queries.now.max() < fold.queries.now.min() for fold in folds)


def test_a_log_too_short_for_a_strict_split_is_refused():
    log = pl.DataFrame({"user": list("aabb"), "item": list("xyxy")})
    with pytest.raises(SplitError, match="finds no validation part before its test part"):
        vt.split.LeaveOneOut(strict=True, repeat=True).apply(vt.read_interactions(log, user="user", item="item"))


def tied(data: Dataset, split: vt.split.Split) -> float:
    """Share of the people asked whose last event shares its time with another item of theirs."""
    found = []
    for user in split.queries.users:
        mine = [r for r in rows(data) if r["user"] == user]
        last = mine[-1]
        key = "basket" if last["time"] is None else "time"
        found.append(any(r["item"] != last["item"] and r[key] == last[key] and (key == "time" or r[key] >= 0) for r in mine))
    return float(np.mean(found))


@pytest.mark.parametrize("unit", ["us", "step"])
def test_targets_that_are_a_tie_break_are_counted(unit):
    shares = []
    for seed in SEEDS:
        data = random_log(seed, unit=unit)
        split = vt.split.LeaveOneOut(repeat=True).apply(data)
        assert split.counts["tie_breaks_share"] == pytest.approx(tied(data, split))
        assert split.protocol.ties == split.counts["tie_breaks_share"]
        shares.append(split.protocol.ties)
    assert max(shares) > 0.3
    assert "LeaveOneOut(ties=0)" in " ".join(split.warnings) or split.protocol.ties < 0.05
    without = random_log(0, unit=None, baskets=False)
    assert vt.split.LeaveOneOut(repeat=True).apply(without).protocol.ties is None
    assert vt.split.GlobalTime(quantile=0.5, repeat=True).apply(random_log(0)).protocol.ties == 0.0


def test_ties_are_drawn_evenly_and_nothing_else_moves():
    log = pl.DataFrame({"user": ["a"] * 5 + ["b"] * 2, "item": list("vwxyz") + list("vw"), "day": [1, 2, 3, 3, 3, 1, 2]})
    data = vt.read_interactions(log, user="user", item="item", time="day", time_unit="step")
    last = []
    for seed in range(300):
        split = vt.split.LeaveOneOut(ties=seed, repeat=True).apply(data)
        assert split.train.rule.ties is None
        histories = [split.queries.vocabulary.decode(h).to_list() for h in split.queries.histories()]
        target = split.queries.vocabulary.decode(split.truth.values).to_list()
        assert (histories[0][:2], histories[1], target[1]) == (["v", "w"], ["v"], "w")
        assert sorted([*histories[0][2:], target[0]]) == list("xyz")
        last.append(target[0])
    assert all(70 < last.count(item) < 130 for item in "xyz")
    again = vt.split.LeaveOneOut(ties=7, repeat=True, strict=True).apply(data)
    assert asked(again) == asked(vt.split.LeaveOneOut(ties=7, repeat=True).apply(data))
    with pytest.raises(SplitError, match="neither times nor baskets"):
        vt.split.LeaveOneOut(ties=0).apply(random_log(0, unit=None, baskets=False))


def test_a_protocol_says_how_a_number_came_about_and_survives_the_codec():
    data = vt.testing.synthetic()
    usual, strict = (data.split(vt.split.LeaveOneOut(strict=s, repeat=False)) for s in (False, True))
    protocol = strict.protocol.judged_by("nDCG@10", "gain over that of the best list.")
    assert (usual.protocol.trained_on, usual.protocol.validation) == ("retrained", None)
    assert (protocol.trained_on, protocol.validation, protocol.queries) == ("strict", len(strict.validation.queries), len(strict.queries))
    assert protocol.candidates == len(strict.train.catalogue.items)
    assert from_plain(json.loads(json.dumps(to_plain(protocol)))) == protocol
    for part in (
        "strict, validated on",
        "seen items left out",
        "full ranking of",
        "of targets cold",
        "nDCG@10: gain over that of the best list",
    ):
        assert part in protocol.line
    assert usual.protocol.future == usual.counts["late_train_events_share"] > 0.3
    assert "of training events not before the first query" in usual.protocol.line
    later = data.split(vt.split.GlobalTime(days=10, repeat=True)).protocol
    assert later.future == 0
    assert "training events" not in later.line
    assert "seen items may come back" in later.line


def test_the_candidates_of_a_protocol_are_those_that_can_be_shown():
    split = vt.testing.toy().split(vt.split.LeaveOneOut(repeat=True))
    warm = len(split.train.catalogue.items)

    def candidates(**parts):
        return replace(split, eligible=vt.Eligibility(repeat=True, **parts)).protocol.candidates

    assert candidates() == warm
    assert candidates(exclude=np.array([0, -1])) == warm - 1
    assert candidates(include=np.array([0, 1, 1, -1])) == 2
    assert "ranking of chosen 2 items" in replace(split, eligible=vt.Eligibility(include=np.array([0, 1]))).protocol.line
    by_hand = replace(split, counts={})
    assert by_hand.protocol.cold == split.protocol.cold
    assert candidates(include=vt.Ragged.of([[0]] * 2 + [[0, 1, 2]] * 4), exclude=np.array([2])) == 2
