"""What was saved is what is opened: in this process and in another."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ArtifactError
from vitrina.data.store import open_dataset, open_split, save_dataset, save_split
from vitrina.jobs.folders import split_fingerprint
from vitrina.types import Events

LOG = pl.DataFrame({
    "user_id": [3, 3, 5, 5, 5], "item_id": ["x", "y", "x", "z", "x"], "timestamp": [1, 2, 3, 4, 5], "value": [1.0, 2.0, 3.0, 4.0, 5.0],
    "kind": ["a", "b", "a", "a", "b"], "basket_id": [1, 1, 2, 3, 3],
})  # fmt: skip
RULES = [vt.split.GlobalTime(quantile=0.8), vt.split.LeaveOneOut(), vt.split.GlobalTime(days=10, target="last", repeat=True)]
RULES += [vt.split.LeaveOneOut(strict=True), vt.split.GlobalTime(days=10, strict=True)]


def full():
    data = vt.read_interactions(
        LOG, time_unit="step", items=pl.DataFrame({"item_id": ["x", "y"], "title": ["X", "Y"], "tags": [["p"], ["q", "r"]]})
    )
    return vt.filters.min_length(data, 2)


def arrays(data):
    return {"indptr": data.indptr} | data.events.columns()


@pytest.mark.parametrize(
    "data", [full(), replace(vt.testing.toy(), repeat=True), vt.testing.synthetic(users=20)], ids=["full", "toy", "synthetic"]
)
def test_a_dataset_comes_back(data, tmp_path):
    save_dataset(data, tmp_path / "data")
    opened = open_dataset(tmp_path / "data")
    for name in ("time_unit", "kind_names", "steps", "name", "rule", "shard_count", "repeat", "fingerprint"):
        assert getattr(opened, name) == getattr(data, name)
    assert opened.frame().equals(data.frame())
    del opened.__dict__["fingerprint"]
    assert opened.fingerprint == data.fingerprint
    for name, column in arrays(data).items():
        assert arrays(opened)[name].dtype == column.dtype
    assert opened.titles(np.arange(opened.n_items)) == data.titles(np.arange(data.n_items))


def test_arrays_are_mapped_and_writing_to_them_leaves_the_file(tmp_path):
    data = vt.testing.toy()
    save_dataset(data, tmp_path / "data")
    opened = open_dataset(tmp_path / "data")
    assert isinstance(opened.events.items.base, np.memmap)
    opened.events.items[:] = 0
    assert np.array_equal(open_dataset(tmp_path / "data").events.items, data.events.items)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_split_comes_back(rule, tmp_path):
    split = vt.testing.synthetic(users=50).split(rule)
    save_split(split, tmp_path / "split")
    opened = open_split(tmp_path / "split")
    assert (opened.rule, opened.eligible, opened.warnings) == (split.rule, split.eligible, split.warnings)
    assert opened.counts == {
        k: v if isinstance(v, (str, int, float, bool, dict, list, type(None))) else opened.counts[k] for k, v in split.counts.items()
    }
    assert opened.train.fingerprint == split.train.fingerprint
    assert opened.train.rule == split.train.rule
    assert opened.queries.vocabulary is opened.train.items
    for name in ("start", "stop", "users", "now"):
        assert np.array_equal(getattr(opened.queries, name), getattr(split.queries, name))
    assert np.array_equal(opened.queries.histories().values, split.queries.histories().values)
    assert np.array_equal(opened.truth.values, split.truth.values)
    assert np.array_equal(opened.truth.indptr, split.truth.indptr)
    assert len(opened.train.holdout().queries) == len(split.train.holdout().queries)
    assert split_fingerprint(opened) == split_fingerprint(split) != split_fingerprint(replace(split, validation=split))
    assert (opened.validation is None) == (split.validation is None)
    if split.validation is not None:
        assert opened.validation.train is opened.train
        assert opened.validation.rule == split.validation.rule
        assert np.array_equal(opened.validation.queries.histories().values, split.validation.queries.histories().values)
        assert split_fingerprint(opened.validation) == split_fingerprint(split.validation)


def test_a_validation_part_with_a_training_part_of_its_own_comes_back(tmp_path):
    split = vt.testing.synthetic(users=50).split(vt.split.LeaveOneOut())
    save_split(replace(split, validation=split.train.holdout()), tmp_path / "split")
    opened = open_split(tmp_path / "split")
    assert opened.validation.train.fingerprint == split.train.holdout().train.fingerprint
    assert opened.train.fingerprint == split.train.fingerprint


def test_a_split_with_everything_comes_back(tmp_path):
    split = vt.testing.toy().split(vt.split.LeaveOneOut())
    context = pl.DataFrame({"page": [f"p{k}" for k in range(len(split.queries))]})
    include = vt.Ragged.of([[0, 1]] * len(split.queries))
    split = replace(
        split, queries=replace(split.queries, context=context, events=Events(split.queries.events.items), now=None), rule=None,
        eligible=vt.Eligibility(include=include, exclude=np.array([3], np.int32), repeat=True, seen_kinds=("buy",)), warnings=("careful",),
    )  # fmt: skip
    save_split(split, tmp_path / "split")
    opened = open_split(tmp_path / "split")
    assert opened.queries.context.equals(context)
    assert opened.queries.now is None
    assert opened.rule is None
    assert opened.eligible.include.values.tolist() == include.values.tolist()
    assert opened.eligible.exclude.tolist() == [3]
    assert (opened.eligible.repeat, opened.eligible.seen_kinds, opened.warnings) == (True, ("buy",), ("careful",))


def test_another_process_answers_the_same(tmp_path):
    split = vt.testing.toy().split(vt.split.LeaveOneOut())
    save_split(split, tmp_path / "split")
    code = (
        "import sys, vitrina as vt; from vitrina.data.store import open_split; s = open_split(sys.argv[1]);"
        "print(vt.Popularity().fit(s.train).recommend(s.queries, 3, eligible=s.eligible).items.tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "split")], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(vt.Popularity().fit(split.train).recommend(split.queries, 3, eligible=split.eligible).items.tolist())


def test_a_part_without_events_comes_back(tmp_path):
    data = vt.testing.toy()
    empty = data.select(np.zeros(data.n_events, bool))
    save_dataset(empty, tmp_path / "data")
    assert open_dataset(tmp_path / "data").n_events == 0


def test_what_is_no_such_folder_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"is no dataset folder: it has no dataset\.json"):
        open_dataset(tmp_path)
    with pytest.raises(ArtifactError, match="is no split folder"):
        open_split(tmp_path)
    save_dataset(vt.testing.toy(), tmp_path / "data")
    (tmp_path / "data" / "items.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ArtifactError, match=r"items\.npy is damaged"):
        open_dataset(tmp_path / "data")
    (tmp_path / "data" / "dataset.json").write_text('{"format": 99}')
    with pytest.raises(ArtifactError, match="has format 99"):
        open_dataset(tmp_path / "data")
    (tmp_path / "data" / "dataset.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"dataset\.json is damaged"):
        open_dataset(tmp_path / "data")


def test_saving_again_replaces(tmp_path):
    save_dataset(full(), tmp_path / "data")
    save_dataset(vt.testing.toy(), tmp_path / "data")
    assert open_dataset(tmp_path / "data").name == "toy"
    assert not (tmp_path / "data" / "baskets.npy").exists()
