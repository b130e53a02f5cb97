"""Slices against plain Python over the same split."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.data.features import FeatureTable
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.interval import mean_interval
from vitrina.evaluate.run import evaluate
from vitrina.evaluate.slices import by_slice, slice_labels
from vitrina.types import Ragged

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def split():
    data = vt.testing.synthetic(users=200)
    rng = np.random.default_rng(0)
    cities = rng.choice([f"c{i}" for i in range(12)], 200, p=np.arange(12, 0, -1) / 78)
    table = pl.DataFrame({"user_id": data.users.ids, "city": cities, "age": rng.integers(18, 80, 200), "plan": rng.choice([1, 2], 200)})
    table = table.with_columns(pl.when(pl.int_range(200) == 7).then(None).otherwise("city").alias("city"))
    data = replace(data, user_table=FeatureTable.of(table, "user_id", data.users, kinds={"city": "category"}))
    split = data.split(vt.split.GlobalTime(days=20))
    device = rng.choice(["phone", "desk"], len(split.queries))
    return replace(split, queries=replace(split.queries, context=pl.DataFrame({"device": device})))


@pytest.fixture(scope="module")
def labels(split):
    return slice_labels(split)


def test_history_bins(split, labels):
    for length, label in zip(split.queries.lengths.tolist(), labels["history"].to_list(), strict=True):
        low, _, high = label.partition(" to ")
        assert int(low.split()[0]) <= length <= (int(high) if high else (0 if label == "0" else 10**9))


def test_people(split):
    train = split.train
    few = split.queries[np.arange(3)]
    users = np.array([few.users[0], -1, -1], np.int32)
    small = replace(
        split,
        queries=replace(few, users=users, stop=np.where([False, False, True], few.start, few.stop)),
        truth=split.truth.rows(slice(0, 3)),
    )
    assert np.diff(train.indptr)[users[0]] > 0
    assert small.queries.lengths[1] > 0
    assert slice_labels(small)["people"].to_list() == ["known", "new, with a history", "new, without one"]


def test_items_taken(split):
    users = split.train.catalogue.users
    rare, often = int(np.flatnonzero((users > 0) & (users < 10))[0]), int(users.argmax())
    few = replace(split, queries=split.queries[np.arange(4)], truth=Ragged.of([[often], [rare, often], [999, rare], [often, -1]]))
    expected = ["known", "one known to under 10 people", "one never seen in training", "one never seen in training"]
    assert slice_labels(few)["items taken"].to_list() == expected


def test_days_after_the_cut_off(split, labels):
    cut = int(split.train.events.times.max())
    for now, label in zip(split.queries.now.tolist(), labels["days after the cut-off"].to_list(), strict=True):
        low, _, high = label.partition(" to ")
        assert int(low.split()[0]) <= (now - cut) // DAY <= int(high or low.split()[0])
    leave_one_out = vt.testing.synthetic().split(vt.split.LeaveOneOut())
    assert "days after the cut-off" not in slice_labels(leave_one_out), "no moment divides training from the queries"


def test_columns_of_the_user_table_and_the_context(split, labels):
    cities = labels["user: city"]
    assert cities.dtype.categories.to_list()[-2:] == ["other", "unknown"]
    truth = split.train.user_table.frame["city"].gather(split.queries.users).to_list()
    for city, label in zip(truth, cities.to_list(), strict=True):
        assert label in (city, "other") if city else label == "unknown"
    ages = split.train.user_table.frame["age"].gather(split.queries.users)
    assert labels["user: age"].n_unique() == 4
    for age, label in zip(ages.to_list(), labels["user: age"].to_list(), strict=True):
        low, high = (float(x) for x in label.split(" to "))
        assert low <= age <= high
    assert labels["user: plan"].unique().sort().to_list() == ["1", "2"]
    assert labels["context: device"].cast(pl.String).equals(split.queries.context["device"])


def test_a_slice_of_one_group_is_left_out(split):
    few = replace(
        split,
        queries=replace(split.queries[np.arange(2)], context=pl.DataFrame({"device": ["phone", "phone"]})),
        truth=split.truth.rows(slice(0, 2)),
    )
    assert "context: device" not in slice_labels(few)


def test_every_query_is_in_one_group_and_groups_average_to_the_whole(split, labels):
    lists = vt.Popularity().fit(split.train).recommend(split.queries, k=10, eligible=split.eligible)
    found = evaluate(lists, split, ["nDCG@10", "Recall@10"], intervals=False)
    table = by_slice(found.per_query, labels, ["nDCG@10"], bootstrap=Bootstrap(draws=50))
    assert table.columns == ["slice", "group", "order", "metric", "value", "low", "high", "queries", "people", "hits"]
    for _, part in table.group_by("slice"):
        assert part["queries"].sum() == len(split.queries)
        assert (part["value"] * part["queries"]).sum() / len(split.queries) == pytest.approx(found["nDCG@10"])
        assert part["order"].to_list() == list(range(len(part)))
    history = table.filter(slice="history")["group"].to_list()
    assert history == [g for g in labels["history"].dtype.categories.to_list() if g in history]


def test_a_group_is_what_its_own_queries_say(split, labels):
    scores = np.random.default_rng(0).random(len(split.queries))
    scores[5] = np.nan
    per_query = pl.DataFrame({"query": np.arange(len(scores)), "user": split.queries.users, "m": scores}).with_columns(
        pl.col("m").fill_nan(None)
    )
    table = by_slice(per_query, labels, bootstrap=Bootstrap(draws=200, seed=2))
    row = table.filter(slice="context: device", group="phone").row(0, named=True)
    mine = (split.queries.context["device"] == "phone").to_numpy()
    assert row["value"] == pytest.approx(np.nanmean(scores[mine]))
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(scores[mine], split.queries.users[mine]))
    assert row["queries"] == (~np.isnan(scores[mine])).sum()


def test_labels_of_ones_own_are_checked(split):
    per_query = pl.DataFrame({"query": [0, 1, 2], "user": [0, 1, 2], "m": [1.0, 0.0, None]})
    table = by_slice(per_query, {"tier": pl.Series(["b", None, "a"])}, intervals=False)
    assert table.select("group", "value", "queries").rows() == [("a", None, 0), ("b", 1.0, 1)]
    with pytest.raises(ParameterError, match=r"'tier' must have a label for each query \(3\). Got 1"):
        by_slice(per_query, {"tier": pl.Series(["b"])})
