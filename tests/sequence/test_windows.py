"""A log in shards is trained on as one in memory: the same windows in the same order, the same judges, in bounded memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.data.sharded import Sharded, held
from vitrina.sequence import windows
from vitrina.sequence.embed import Rows
from vitrina.sequence.judges import Judges

S = vt.sequence
DATA = vt.testing.synthetic(users=60, items=30, seed=3)
QUICK = S.Training(epochs=3, tokens=200)


def random_log(seed, *, weights, integers):
    rng = np.random.default_rng(seed)
    n, people = int(rng.integers(1, 120)), int(rng.integers(1, 15))
    users = rng.integers(0, people, n)
    frame = pl.DataFrame({
        "user_id": users if integers else [f"u{user}" for user in users], "item_id": rng.integers(0, 9, n), "timestamp": rng.integers(0, 50, n),
        "weight": rng.choice([0.5, 1.0, 2.0], n) if weights else np.ones(n),
    })  # fmt: skip
    return vt.read_interactions(frame, user="user_id", item="item_id", time="timestamp", weight="weight" if weights else None)


@pytest.mark.parametrize("seed", range(100))
def test_windows_of_shards_are_those_of_memory(seed, tmp_path):
    data, length = random_log(seed, weights=seed % 2, integers=seed % 3), 1 + seed % 7
    row_of_item = Rows.of(data, np.zeros(data.n_items, bool)).row_of_item(data.n_items)
    whole = windows.in_memory(data, row_of_item, length + 1)
    made = windows.over_shards(held(data, 1 + seed % 5), row_of_item, length + 1, tmp_path / "windows", timed=True)
    again = windows.kept(whole, tmp_path / "again") if len(whole) else whole
    assert len(whole) == len(made)
    for some in (made, again):
        for one, other in zip(whole.start, some.start, strict=True):
            at = int(np.flatnonzero(whole.start == one)[0])
            n = int(whole.lengths[at])
            assert n == some.lengths[at] <= length + 1
            assert whole.users[at] == some.users[at]
            for name in ("rows", "times", "weights"):
                column, kept = getattr(whole, name), getattr(some, name)
                assert (column is None) == (kept is None)
                if column is not None:
                    np.testing.assert_array_equal(column[one : one + n], kept[other : other + n])


MODELS = {
    "SASRec": vt.SASRec(dim=8, training=QUICK),
    "BERT4Rec": vt.BERT4Rec(dim=8, training=QUICK.model_copy(update={"patience": None})),
    "time": vt.SequenceModel(dim=8, block=S.HSTU(), objective=S.DenseAllAction(days=3), training=QUICK.model_copy(update={"judges": 9})),
    "negatives": vt.SequenceModel(dim=8, loss=S.SampledSoftmax(negatives=S.Mixed(n=8), corrected=True), length=3, training=QUICK),
}


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("name", MODELS)
def test_a_fit_on_shards_is_that_in_memory(name, shards):
    weights = np.random.default_rng(0).choice([-1, 0, 1, 3], DATA.n_events).astype(np.float32)
    for data in (DATA, replace(DATA, events=replace(DATA.events, weights=weights))):
        whole, made = (MODELS[name].fit(log) for log in (data, held(data, shards)))
        np.testing.assert_array_equal(whole.table, made.table)
        assert whole.notes == made.notes


@pytest.mark.parametrize("shards", [1, 3])
def test_a_training_part_of_shards_is_judged_by_its_own_rule(shards):
    rule = vt.split.GlobalTime(quantile=0.8)
    few = QUICK.model_copy(update={"judges": 11, "refit": 1.0})
    whole, made = (vt.SASRec(dim=8, training=few).fit(log.split(rule).train) for log in (DATA, held(DATA, shards)))
    np.testing.assert_array_equal(whole.table, made.table)
    assert whole.notes == made.notes
    assert "on 11 queries" in made.notes[0]


@pytest.mark.parametrize("most", [1, 7, 40, 10_000])
def test_judges_are_drawn_by_ids_whatever_the_shards(most):
    rule = vt.split.GlobalTime(quantile=0.7)
    asked = []
    for log in (held(DATA, 1), held(DATA, 5)):
        judges = Judges.of(log.split(rule), most)
        people = judges.queries.people.decode(judges.queries.users).to_list()
        histories = [judges.queries.events.items[a:b].tolist() for a, b in zip(judges.queries.start, judges.queries.stop, strict=True)]
        asked.append(
            (people, histories, judges.queries.now.tolist(), [row.tolist() for row in map(judges.truth.__getitem__, range(len(judges)))])
        )
    assert asked[0] == asked[1]
    split = DATA.split(rule)
    assert len(asked[0][0]) == min(most, len(split.queries))
    expected = {
        (person, tuple(split.queries.events.items[a:b]), tuple(split.truth[q]))
        for q, (person, a, b) in enumerate(
            zip(DATA.users.decode(split.queries.users).to_list(), split.queries.start, split.queries.stop, strict=True)
        )
    }
    assert {(person, tuple(history), tuple(truth)) for person, history, _, truth in zip(*asked[0], strict=True)} <= expected


def test_features_of_persons_come_from_the_tables_of_the_shards():
    people = pl.DataFrame({"user_id": DATA.users.ids, "group": [str(code % 3) for code in range(len(DATA.users))]})
    data = vt.read_interactions(DATA.frame(), user="user_id", item="item_id", time="timestamp", users=people)
    model = vt.SASRec(dim=8, users=S.UserFeatures(), training=QUICK)
    whole, made = model.fit(data), model.fit(held(data, 4))
    np.testing.assert_array_equal(whole.users.vectors, made.users.vectors)
    shard = list(held(data, 4).shards())[2]
    lists = [fitted.recommend(queries, 5) for fitted in (whole, made) for queries in (shard.queries(), data.queries(shard.users.ids))]
    for other in lists[1:]:
        np.testing.assert_array_equal(lists[0].items, other.items)
    with pytest.raises(DataError, match="needs a table of users"):
        model.fit(held(DATA, 2))


def test_a_killed_fit_on_shards_goes_on(tmp_path):
    def kill(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    log, model = held(DATA, 3), vt.SASRec(dim=8, training=QUICK)
    with pytest.raises(KeyboardInterrupt):
        model.fit(log, checkpoint=tmp_path / "kept", report=kill)
    (tmp_path / "kept" / "work" / "search" / "windows").mkdir(parents=True)  # a kill -9 leaves it
    (tmp_path / "kept" / "work" / "search" / "windows" / "rows.int32").write_bytes(b"half")
    epochs = []
    fitted = model.fit(log, checkpoint=tmp_path / "kept", report=lambda progress: epochs.append(progress.epoch))
    assert epochs[0] == 3
    np.testing.assert_array_equal(fitted.table, model.fit(log).table)
    assert list(tmp_path.iterdir()) == []


def test_a_fit_opens_one_shard_at_a_time_and_holds_none():
    class Watched:
        def __init__(self, parts):
            self.parts, self.opened = parts, []

        def __len__(self):
            return len(self.parts)

        def load(self, index):
            self.opened.append(index)
            return self.parts.load(index)

    log = held(DATA, 4)
    watched = Watched(log.parts)
    about = {"items": log.items, "time_unit": log.time_unit, "n_events": log.n_events, "n_users": log.n_users, "columns": log.columns}
    vt.SASRec(dim=8, training=QUICK.model_copy(update={"patience": None})).fit(Sharded(watched, about))
    assert watched.opened == [0, 1, 2, 3] * 2  # the catalogue, and the windows; no epoch opens a shard


def test_a_log_on_disk_is_fitted_to_the_numbers_of_the_log_in_memory(tmp_path):
    DATA.frame().write_csv(tmp_path / "log.csv")
    names = {"user": "user_id", "item": "item_id", "time": "timestamp"}
    whole = vt.read_interactions(tmp_path / "log.csv", **names)
    vt.ingest(tmp_path / "log.csv", out=tmp_path / "shop", shards=3, **names)
    rule = vt.split.GlobalTime(quantile=0.8)
    for model in (vt.SASRec(dim=8, training=QUICK), vt.SequenceModel(dim=8, block=S.HSTU(), training=QUICK)):
        one, other = (model.fit(log.split(rule).train) for log in (whole, vt.Dataset.open(tmp_path / "shop")))
        np.testing.assert_array_equal(one.table, other.table)
        assert one.notes == other.notes
