"""Every number of an inspection against plain Python on logs whose answer can be counted by hand."""

import json
import math
from collections import Counter
from datetime import date

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset, Step
from vitrina.data.inspect import Inspection, measure
from vitrina.data.inspect.counted import Measured
from vitrina.data.inspect.people import OF_PEOPLE, OF_QUERIES, Asked
from vitrina.data.inspect.record import sparkline
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

DAY = 86_400_000_000
MINUTE = 60_000_000
MIDNIGHT = 19_700 * DAY  # 2023-12-09


def log(rows: list[tuple[str, str, int]], *, unit: str | None = "us", **rest) -> Dataset:
    """Rows of user, item, time."""
    users, items = (Vocabulary.of([r[i] for r in rows]) for i in (0, 1))
    times = None if unit is None else np.array([r[2] for r in rows])
    columns = {name: rest.pop(name) for name in ("values", "kinds", "baskets") if name in rest}
    events = Events(items.encode([r[1] for r in rows]), times, **columns)
    return Dataset.of_codes(users.encode([r[0] for r in rows]), events, users, items, time_unit=unit, **rest)


@pytest.fixture(scope="module")
def seen() -> Inspection:
    return vt.inspect(vt.testing.synthetic())


def plain_rows(data: Dataset) -> list[tuple[int, int, int]]:
    return list(zip(data.user_of.tolist(), data.events.items.tolist(), data.events.times.tolist(), strict=True))


def test_sizes_repeats_and_ties_equal_plain_counting(seen):
    data = vt.testing.synthetic()
    rows = plain_rows(data)
    pairs = {(u, i) for u, i, _ in rows}
    assert (seen.sizes.users, seen.sizes.items, seen.sizes.events) == (300, len({i for _, i, _ in rows}), len(rows))
    assert seen.sizes.density == pytest.approx(len(pairs) / 300 / seen.sizes.items)
    assert seen.histories.repeat_share == pytest.approx(1 - len(pairs) / len(rows))
    moments = Counter((u, t) for u, _, t in rows)
    assert seen.timing.ties == pytest.approx(sum(n for n in moments.values() if n > 1) / len(rows))
    assert seen.duplicates == sum(n - 1 for n in Counter(rows).values())


def test_the_tail_equals_plain_counting(seen):
    counts = sorted(Counter(i for _, i, _ in plain_rows(vt.testing.synthetic())).values(), reverse=True)
    pairs = sum(abs(a - b) for a in counts for b in counts)
    assert seen.tail.gini == pytest.approx(pairs / (2 * len(counts) * sum(counts)))
    assert seen.tail.top_10_percent == pytest.approx(sum(counts[: round(0.1 * len(counts))]) / sum(counts))
    for item_share, event_share in seen.tail.curve.iter_rows():
        assert event_share == pytest.approx(sum(counts[: round(item_share * len(counts))]) / sum(counts))


def test_histories_and_days_add_up(seen):
    lengths = Counter(Counter(u for u, _, _ in plain_rows(vt.testing.synthetic())).values())
    assert dict(seen.histories.lengths.iter_rows()) == lengths
    assert seen.timing.daily["events"].sum() == seen.sizes.events
    assert seen.timing.daily["day"].diff().drop_nulls().dt.total_days().unique().to_list() == [1]


def test_gaps_are_runs_of_days_without_events():
    days = [0, 1, 2, 6, 7, 9]
    timing = measure.timing(Measured.of(log([("ann", "tea", MIDNIGHT + d * DAY + MINUTE) for d in days])))
    assert timing.gap_days == 4
    assert timing.gaps.rows() == [(date(2023, 12, 12), date(2023, 12, 14), 3), (date(2023, 12, 17), date(2023, 12, 17), 1)]
    assert not timing.whole_days


def test_duplicates_need_the_same_user_item_and_time():
    rows = [("ann", "tea", 5), ("ann", "tea", 5), ("ann", "tea", 6), ("bob", "tea", 5), ("ann", "jam", 5), ("ann", "tea", 5)]
    assert Measured.of(log(rows)).duplicates == 2
    assert Measured.of(log(rows, kinds=np.array([0, 1, 0, 0, 0, 0], np.uint8), kind_names=("view", "buy"))).duplicates == 1
    assert Measured.of(log(rows, unit=None)).duplicates == 0


def test_a_basket_is_counted_by_its_id_wherever_its_rows_stand():
    rows = [("u", "a", 0), ("u", "b", 0), ("u", "c", 0), ("u", "d", 60), ("u", "e", 60), ("v", "a", 0)]
    found = measure.groups(Measured.of(log(rows, baskets=np.array([1, 2, 1, 2, 3, 1], np.int32))))
    assert (found.count, sorted(found.sizes.rows()), found.per_user_median) == (4, [(1, 2), (2, 2)], 2)
    assert found.one_time_share == 0.5


def test_sessions_end_after_half_an_hour_and_baskets_come_first():
    minutes = [0, 10, 40, 71, 500]
    rows = [("ann", "tea", m * MINUTE) for m in minutes] + [("bob", "tea", 505 * MINUTE)]
    sessions = measure.groups(Measured.of(log(rows)))
    assert (sessions.what, sessions.count, sessions.size_max) == ("sessions", 4, 3)
    baskets = measure.groups(Measured.of(log(rows, baskets=np.array([1, 1, 2, 2, 2, -1], np.int32))))
    assert (baskets.what, baskets.count, baskets.sizes.rows()) == ("baskets", 2, [(2, 1), (3, 1)])
    assert baskets.one_time_share == 0
    assert measure.groups(Measured.of(log(rows, unit=None))) is None


def test_a_robot_is_named_and_people_are_not():
    rows = [(f"u{u}", f"i{i}", MIDNIGHT + (u * 40 + i) * MINUTE) for u in range(30) for i in range(5 + u % 7)]
    assert vt.inspect(log(rows)).bots.height == 0
    rows += [("crawler", f"i{i % 50}", MIDNIGHT + i * MINUTE) for i in range(900)]
    found = vt.inspect(log(rows))
    assert found.bots.select("user_id", "events").rows() == [("crawler", 900)]
    assert any("crawler (900 events)" in warning for warning in found.warnings)


def test_splits_hold_what_the_rules_say(seen):
    data = vt.testing.synthetic()
    for row in seen.splits.iter_rows(named=True):
        split = eval_rule(row["split"]).apply(data)
        assert (row["queries"], row["targets"], row["train_events"]) == (len(split.queries), len(split.truth.values), split.train.n_events)
        assert row["seen_targets"] == split.counts["seen_targets_share"]
    assert seen.splits["split"][0] == "GlobalTime(days=7)"
    assert seen.recommended == vt.split.GlobalTime(days=7, repeat=True)


def eval_rule(text: str) -> vt.split.Rule:
    known = {
        str(rule): rule
        for rule in (
            vt.split.GlobalTime(days=7), vt.split.GlobalTime(days=7, target="all"), vt.split.LeaveOneOut(), vt.split.UserShare(),
        )
    }  # fmt: skip
    return known[text]


def test_the_recommended_split_fits_the_kind_of_log():
    rows = [(f"u{u}", f"i{(u * 7 + i) % 9}", u + 3 * i) for u in range(12) for i in range(6)]
    basket = np.arange(len(rows), dtype=np.int32) // 2
    assert isinstance(vt.inspect(log(rows, unit=None)).recommended, vt.split.LeaveOneOut)
    assert isinstance(vt.inspect(log(rows, unit=None, baskets=basket)).recommended, vt.split.LeaveLastBasket)
    assert vt.inspect(log(rows, unit="step")).recommended.quantile == 0.9
    own = [(user, item, i % 6) for i, (user, item, _) in enumerate(rows)]
    positions = vt.inspect(log(own, unit="step"))
    assert positions.steps_are_per_user
    assert isinstance(positions.recommended, vt.split.LeaveOneOut)
    assert positions.splits["late_train_events"].is_null().all()
    dated = [(user, item, MIDNIGHT + t * DAY) for user, item, t in rows]
    assert vt.inspect(log(dated, baskets=basket)).recommended.target == "basket"


def test_warnings_name_their_consequence_and_are_silent_on_a_clean_log():
    dated = [(f"u{u}", f"i{(u + i) % 20}", MIDNIGHT + (i * 7 + u % 5) * DAY) for u in range(60) for i in range(12)]
    text = " ".join([*vt.inspect(log(dated)).choices, *vt.inspect(log(dated)).warnings])
    assert "whole day" in text
    assert "negative" not in text
    returned = np.where(np.arange(len(dated)) % 10 == 0, -1, 1).astype(np.float32)
    assert "10.0% of the values are negative" in " ".join(vt.inspect(log(dated, values=returned)).warnings)
    baskets = np.unique([f"{u} {t}" for u, _, t in dated], return_inverse=True)[1].astype(np.int32)
    several = [(u, i, t + MINUTE) for u, _, t in dated for i in ("x", "y")]
    assert "baskets have one time stamp each" in " ".join(vt.inspect(log(several, baskets=np.repeat(baskets, 2))).choices)


def test_values_and_kinds_and_features_are_described():
    rows = [
        ("ann", "tea", MIDNIGHT),
        ("ann", "jam", MIDNIGHT + DAY),
        ("bob", "tea", MIDNIGHT + 2 * DAY),
        ("bob", "rye", MIDNIGHT + 3 * DAY),
    ]
    kinds = np.array([0, 0, 1, 0], np.uint8)
    data = log(rows, values=np.array([1, -2, 0, 5], np.float32), kinds=kinds, kind_names=("view", "buy"))
    seen = vt.inspect(data)
    assert (seen.values["least"], seen.values["most"], seen.values["negative_share"], seen.values["zero_share"]) == (-2, 5, 0.25, 0.25)
    assert seen.kinds.rows() == [("view", 3, 0.75), ("buy", 1, 0.25)]
    toy = vt.inspect(vt.testing.toy())
    assert toy.features.rows() == [("items", "title", "category", 1.0, 4), ("items", "aisle", "category", 1.0, 4)]


def test_relabelling_people_and_items_changes_nothing_but_names():
    data = vt.testing.synthetic(users=80, text=False)
    rng = np.random.default_rng(0)
    users, items = rng.permutation(80), rng.permutation(120)
    moved = Events(items[data.events.items].astype(np.int32), data.events.times, data.events.values)
    other = vt.inspect(Dataset.of_codes(users[data.user_of], moved, data.users, data.items, time_unit="us", name="synthetic")).to_dict()
    same = vt.inspect(data).to_dict()
    for found in (other, same):  # which people are drawn depends on their codes
        found["splits"] = [row for row in found["splits"] if row["label"] != "unseen users"]
    assert other == same


def test_it_prints_everywhere_and_goes_to_json(seen):
    steps = (Step("k-core", 10, 8, 4, 3, 5, 5, "5 events per user"),)
    with_steps = vt.inspect(log([("ann", "tea", 1), ("ann", "jam", 2), ("bob", "tea", 3)], unit=None, steps=steps, name="tiny"))
    assert "10 → 8" in str(with_steps)
    for record in (seen, with_steps):
        plain = json.loads(json.dumps(record.to_dict(), allow_nan=False))
        assert plain["sizes"]["events"] == record.sizes.events
        assert str(record).startswith(record.name)
    assert "What a split would hold" in str(seen)
    assert all(len(line) <= 120 for line in str(seen).splitlines())


def test_an_empty_log_is_refused():
    toy = vt.testing.toy()
    with pytest.raises(DataError, match="nothing to inspect"):
        vt.inspect(toy.select(np.zeros(toy.n_events, bool)))


def test_a_sparkline_is_blank_only_where_nothing_happened():
    assert sparkline(np.array([0.0, 0.001, 4.0, 8.0])) == " ▁▄█"
    assert sparkline(np.zeros(2)) == "  "


def test_frames_are_there_for_plots(seen):
    for frame in (
        seen.timing.daily,
        seen.timing.gaps,
        seen.tail.curve,
        seen.histories.lengths,
        seen.groups.sizes,
        seen.splits,
        seen.features,
    ):
        assert isinstance(frame, pl.DataFrame)


def test_people_count_by_what_they_ask():
    rows = [(f"u{u}", f"i{i % 7}", MIDNIGHT + (u + 50 * i) * MINUTE) for u in range(40) for i in range(10)]
    rows += [("shop", f"i{i % 7}", MIDNIGHT + (50 * 8 + i) * MINUTE) for i in range(100)]
    found = vt.inspect(log(rows)).asked
    assert found is not None
    split = log(rows).split(vt.inspect(log(rows)).recommended)
    counts = list(Counter(split.queries.users.tolist()).values())
    total = sum(counts)
    assert max(counts) > 0.3 * total
    assert (found.people, found.queries, found.busiest) == (len(counts), total, max(counts) / total)
    assert found.effective == pytest.approx(total**2 / sum(n * n for n in counts))
    assert found.effective < 0.5 * found.people
    error = math.sqrt(
        OF_PEOPLE**2 * sum(n * n for n in counts) / total**2 + OF_QUERIES**2 / total
    )  # of the mean of N queries that people share
    assert found.seen == pytest.approx((1.959964 + 0.841621) * error, rel=1e-5)
    for wished, people in found.needed.items():
        assert people == max(math.ceil(len(counts) * (found.seen / float(wished)) ** 2), 20)


def test_what_is_said_to_be_seen_is_seen_in_four_runs_of_five():
    rng = np.random.default_rng(0)
    counts = rng.geometric(0.2, 200)
    users = np.repeat(np.arange(200), counts)
    found = Asked.of(users)
    worlds = []
    for _ in range(2000):
        d = found.seen + OF_PEOPLE * rng.standard_normal(200)[users] + OF_QUERIES * rng.standard_normal(len(users))
        error = math.sqrt((np.bincount(users, d - d.mean()) ** 2).sum()) / len(users)
        worlds.append(d.mean() > 1.96 * error)
    assert np.mean(worlds) == pytest.approx(0.8, abs=0.03)


def test_people_are_said_and_few_of_them_promise_nothing(seen):
    assert "194 people can be asked, worth 153 who ask alike (one asks 1.7% of the queries): a difference of 0.028 nDCG@10" in " ".join(
        str(seen).split()
    )
    few = vt.inspect(vt.testing.toy())
    assert few.asked is not None
    assert few.asked.people < 20
    assert "no verdict on two models can be given below 20" in " ".join(str(few).split())
    assert min(few.asked.needed.values()) >= 20
    assert json.loads(json.dumps(few.to_dict()))["asked"]["needed"].keys() == {"0.01", "0.005", "0.002"}
    assert vt.inspect(log([("a", "x", MIDNIGHT), ("b", "y", MIDNIGHT)])).asked is None
