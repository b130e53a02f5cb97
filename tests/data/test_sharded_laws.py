"""Every filter and every split of a log in shards is that of the log in memory: ties, duplicates, empty shards, one giant person, dislikes, no times."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import VitrinaError
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.sharded import held
from vitrina.data.split.draws import Between, Counted, smallest
from vitrina.data.split.time import times_of
from vitrina.testing.shards_only import sent
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

NOON, DAY = 1_700_000_000_000_000, 86_400_000_000
F, S = vt.filters, vt.split
FILTERS = {
    "k_core": lambda d: F.k_core(d, users=2, items=2), "min_length": lambda d: F.min_length(d, 4), "max_length": lambda d: F.max_length(d, 6),
    "first": F.dedupe, "last": lambda d: F.dedupe(d, keep="last"), "sum": lambda d: F.dedupe(d, keep="sum"),
    "distinct": lambda d: F.dedupe(d, keep="all-distinct"), "some kinds": lambda d: F.kinds(d, ["buy"]),
    "weights": lambda d: F.kinds(d, {"view": 0.5, "buy": 2, "down": -1}), "value": lambda d: F.min_value(d, 2.5),
    "period": lambda d: F.period(d, start=NOON + DAY, end=NOON + 6 * DAY), "in a row": F.dedupe_consecutive,
    "days": lambda d: F.user_days(d, 2), "first days": lambda d: F.user_days(d, 2, keep="first"),
    "without": lambda d: F.without(d, users=["u1"], items=["i2"]), "quantiles": lambda d: F.item_quantiles(d, 0.2, 0.9), "compact": F.compact,
    "two": lambda d: F.k_core(F.min_length(d, 2), users=1, items=2),
}  # fmt: skip
RULES: list[Any] = [S.GlobalTime(quantile=0.5, target=t) for t in ("successive", "last", "first", "random", "all", "basket")] + [
    S.GlobalTime(at=NOON + 3 * DAY, until=NOON + 6 * DAY), S.GlobalTime(days=3, repeat=False), S.GlobalTime(quantile=0.8, strict=True),
    S.LeaveOneOut(), S.LeaveOneOut(people=3), S.LeaveOneOut(position=2, people=2), S.LeaveOneOut(ties=3), S.LeaveOneOut(strict=True, repeat=True),
    S.LeaveLastBasket(), S.LeaveLastBasket(test_share=0.5), S.LeaveLastBasket(strict=True), S.UserShare(share=0.4, fold_in=0.5),
    S.RandomShare(share=0.4),
]  # fmt: skip
LOGS = {
    "seed": st.integers(0, 10**6), "count": st.integers(1, 9), "unit": st.sampled_from(["us", "us", "step", None]), "giant": st.booleans(),
    "full": st.booleans(),
}  # fmt: skip
QUICK = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def made(seed: int, unit: str | None, giant: bool, full: bool) -> Dataset:
    """A few people, with few times and items; `full` has every column, a giant holds half of the log. Some people and items have no event."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 70))
    users, items = rng.integers(0, 7, n), rng.integers(0, 8, n).astype(np.int32)
    users[: n // 2 if giant else 0] = 3
    columns: dict[str, Any] = {
        "values": rng.integers(1, 6, n).astype(np.float32), "kinds": rng.integers(0, 3, n).astype(np.uint8),
        "baskets": rng.integers(-1, 9, n).astype(np.int32), "weights": rng.choice([-1, 0, 0.5, 1, 1], n).astype(np.float32),
    } if full else {}  # fmt: skip
    times = {"us": NOON + rng.integers(0, 15, n) * DAY // 2, "step": rng.integers(0, 20, n), None: None}[unit]
    table = FeatureTable(vt.testing.toy().items.ids.sample(9, with_replacement=True, seed=1).to_frame("title"), {}, "title")
    return Dataset.of_codes(
        users, Events(items, times, **columns), Vocabulary.of([f"u{c}" for c in range(8)]), Vocabulary.of([f"i{c}" for c in range(9)]),
        time_unit=unit, kind_names=("view", "buy", "down") if full else (), item_table=table,
    )  # fmt: skip


def told(ask: Any) -> Any:
    """What it gives, or the kind of refusal."""
    try:
        return ask()
    except VitrinaError as refusal:
        return type(refusal), str(refusal).replace("Sharded", "Dataset").partition("(")[0][:30]


def log_of(data: Dataset) -> Any:
    """Everything of a log but the numbers of its baskets, which are told by who shares one."""
    whole = data if data.in_memory else data.to_memory()
    baskets = whole.events.baskets
    same = None if baskets is None else [np.flatnonzero((baskets == b) & (whole.user_of == u)).tolist() if b >= 0 else [] for b, u in zip(baskets, whole.user_of, strict=True)]  # fmt: skip
    titles = whole.titles(np.arange(whole.n_items))
    return (
        whole.frame().drop("basket_id", strict=False).rows(),
        same,
        whole.users.ids.to_list(),
        whole.items.ids.to_list(),
        titles,
        data.steps,
    )


def split_of(split: S.Split) -> Any:
    """Everything of a split, whatever its shards."""
    asked = []
    for shard in split.shards():
        queries, histories = shard.queries, shard.queries.histories()
        people = queries.people.decode(queries.users).to_list()
        now = [None] * len(queries) if queries.now is None else queries.now.tolist()
        rows = [(histories[q].tolist(), shard.truth[q].tolist()) for q in range(len(queries))]
        asked += list(zip(people, queries.persons.tolist(), now, rows, strict=True))
    counts = {name: count for name, count in split.counts.items() if name != "people_by_place"}
    warnings = [warning for warning in split.warnings if "by the place" not in warning]
    said = (split.protocol.line, split.summary.train, split.summary.test, split.summary.shares, split.n_queries, split.n_targets)
    validation = None if split.validation is None else split_of(split.validation)
    return log_of(split.train), asked, counts, warnings, said, split.train.rule, validation


@pytest.mark.parametrize("name", FILTERS)
@QUICK
@given(**LOGS)
def test_a_filter_leaves_the_same(name, seed, count, unit, giant, full):
    whole, act = made(seed, unit, giant, full), FILTERS[name]
    assert told(lambda: log_of(act(whole))) == told(lambda: log_of(sent(act(sent(held(whole, count))))))


@pytest.mark.parametrize("rule", RULES, ids=str)
@QUICK
@given(**LOGS)
def test_a_split_is_the_same(rule, seed, count, unit, giant, full):
    whole = made(seed, unit, giant, full)
    assert told(lambda: split_of(whole.split(rule))) == told(lambda: split_of(sent(sent(held(whole, count)).split(rule))))


@QUICK
@given(**LOGS)
def test_folds_a_holdout_and_a_published_split_are_the_same(seed, count, unit, giant, full):
    whole = made(seed, unit, giant, full)
    rule, log = S.GlobalTime(quantile=0.7, repeat=True), held(whole, count)
    assert told(lambda: [split_of(s) for s in S.rolling(whole, rule, 2)]) == told(lambda: [split_of(s) for s in S.rolling(log, rule, 2)])
    assert told(lambda: split_of(S.given(whole, "buy"))) == told(lambda: split_of(S.given(log, "buy")))

    def filtered(data):
        return F.k_core(F.dedupe(data), users=1, items=2).split(S.LeaveOneOut(repeat=True)).train.holdout()

    assert told(lambda: split_of(filtered(whole))) == told(lambda: split_of(filtered(log)))


def test_what_cannot_be_done_over_shards_is_refused():
    log = held(vt.testing.toy(), 2)
    for other in (vt.testing.toy(), np.zeros(20, bool), log):
        with pytest.raises(vt.base.errors.SplitError, match=r"larger than memory.*test=\"test\""):
            S.given(log, other)
    split = log.split(S.LeaveOneOut())
    for name in ("queries", "truth"):
        with pytest.raises(vt.base.errors.DataError, match=r"split.shards\(\)"):
            getattr(split, name)
    with pytest.raises(vt.base.errors.SplitError, match="Filter before splitting"):
        F.dedupe(split.train)


@pytest.mark.parametrize("seed", range(5))
def test_the_value_at_a_place_is_exact_where_few_are_held(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    spread = int(rng.choice([3, 10**4, 2**62]))
    times = rng.integers(-spread, spread, 500)
    data = Dataset.of_codes(rng.integers(0, 9, 500), Events(np.zeros(500, np.int32), times), Vocabulary.of(range(9)), Vocabulary.of(["a"]))
    monkeypatch.setattr("vitrina.data.split.draws.FEW", 4)
    monkeypatch.setattr("vitrina.data.split.draws.BINS", 16)
    for place in (0, 3, 250, 499):
        assert smallest(held(data, 3), times_of, place, (int(times.min()), int(times.max())), 500) == np.sort(times)[place]
    low, high = int(times.min()), int(times.max())
    assert Counted(times_of, low, high, (high - low) // 16 + 1)(data).sum() == len(Between(times_of, low, high)(data)) == 500


@QUICK
@given(**LOGS)
def test_an_inspection_says_the_same(seed, count, unit, giant, full):
    whole = made(seed, unit, giant, full)
    if full:
        whole = F.compact(whole)
    pair = [vt.inspect(data).to_dict() for data in (whole, held(whole, count))]
    assert len(set(map(str, pair))) == 1
