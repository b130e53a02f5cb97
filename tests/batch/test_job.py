"""Lists for everybody by workers: the same as at once in memory, person by person; a job goes on, is refused, is cancelled."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vitrina as vt
from vitrina.base.errors import ArtifactError, DataError, ParameterError
from vitrina.base.executor import InProcess, Processes
from vitrina.batch import parts
from vitrina.batch.job import cancel_job, folder_of
from vitrina.data.sharded import held

KEYS = ["user_id", "rank"]


def day(numbers):
    return pl.Series(np.datetime64("2024-01-01", "us") + np.asarray(numbers) * np.timedelta64(1, "D"))


def log(rng, users=60, items=30):
    """Ties of times and scores, duplicates, one person with half of the events."""
    owner = np.concatenate([rng.integers(0, users, 300), np.zeros(300, int)])
    item = rng.zipf(1.6, 600) % items
    frame = pl.DataFrame(
        {"user_id": [f"u{u}" for u in owner], "item_id": [f"i{i}" for i in item], "timestamp": day(rng.integers(0, 50, 600))}
    )
    return vt.read_interactions(pl.concat([frame, frame.head(40)]))


@pytest.fixture(scope="module")
def data():
    return log(np.random.default_rng(3))


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    fitted = vt.Cooccurrence(decay=vt.decay.Exponential(days=3)).fit(data)
    return vt.save(fitted, tmp_path_factory.mktemp("model") / "knn", data=data)


@pytest.fixture(scope="module")
def expected(data, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("expected") / "lists.parquet"
    vt.recommend_to(path, vt.load(model).recommender, data.queries(), k=5)
    return pl.read_parquet(path)


def with_empty_shards(data):
    """Shards of which some have nobody, or nobody with an event."""
    whole = held(data, 4)
    nobody = replace(whole.parts.load(0).user_range(0, 0), users=vt.Vocabulary(data.users.ids.head(0)), indptr=np.zeros(1, np.int64))
    idle = replace(whole.parts.load(1), indptr=np.zeros_like(whole.parts.load(1).indptr), events=whole.parts.load(1).events.take(slice(0)))
    mixed = [nobody, *whole.parts.datasets, idle]
    return whole, type(whole)(type(whole.parts)(tuple(mixed)), {"items": data.items, "time_unit": data.time_unit})


@pytest.mark.parametrize("executor", [InProcess(), Processes(2)], ids=["here", "processes"])
@pytest.mark.parametrize("ending", [".parquet", ".csv", ""])
def test_an_opened_log_gets_the_lists_of_one_in_memory(data, model, expected, executor, ending, tmp_path):
    for opened in with_empty_shards(data):
        out = tmp_path / f"lists{ending}"
        counts = []
        rows = vt.recommend_to(out, model, opened, k=5, executor=executor, done=counts.append)
        found = pl.read_csv(out, schema=expected.schema) if ending == ".csv" else pl.read_parquet(out / "*.parquet" if not ending else out)
        assert rows == len(found)
        assert_frame_equal(found.sort(KEYS), expected.sort(KEYS), abs_tol=1e-6)
        assert counts[-1] == data.n_users
        assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_fitted_model_answers_an_opened_log_here(data, model, expected, tmp_path):
    fitted = vt.load(model).recommender
    vt.recommend_to(tmp_path / "lists.parquet", fitted, with_empty_shards(data)[1], k=5)
    vt.recommend_to(tmp_path / "same.parquet", fitted, data, k=5)
    for name in ("lists", "same"):
        assert_frame_equal(pl.read_parquet(tmp_path / f"{name}.parquet").sort(KEYS), expected.sort(KEYS), abs_tol=1e-6)


def test_the_folder_has_a_manifest_of_its_files(data, model, tmp_path):
    vt.recommend_to(tmp_path / "lists", model, with_empty_shards(data)[1], k=5)
    about = json.loads((tmp_path / "lists" / "manifest.json").read_text())
    assert about["queries"] == data.n_users == sum(file["queries"] for file in about["files"])
    assert len(about["files"]) == 4
    assert {path.name for path in (tmp_path / "lists").iterdir()} == {"manifest.json"} | {file["file"] for file in about["files"]}
    vt.recommend_to(tmp_path / "lists", model, held(data, 2), k=5)  # takes the place of the first
    assert len(list((tmp_path / "lists").glob("*.parquet"))) == 2


@pytest.mark.parametrize("executor", [InProcess(), Processes(2)], ids=["here", "processes"])
def test_queries_in_memory_are_cut_and_keep_all_they_carry(data, model, executor, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", 7)  # of the number of parts; workers are told where theirs begin by it as well
    if executor.workers > 1:
        monkeypatch.undo()
    queries = data.queries(["u3", "nobody", "u0", *(f"u{n}" for n in range(5, 40))])
    some = vt.Eligibility(include=np.arange(0, 30, 2), exclude=vt.Ragged.of([[n % 7] for n in range(len(queries))]), repeat=True)
    for asked in (queries, replace(queries, people=None), queries[:0]):
        eligible = some if len(asked) else vt.Eligibility()
        vt.recommend_to(tmp_path / "here.parquet", vt.load(model).recommender, asked, k=4, eligible=eligible, user_column="who")
        vt.recommend_to(tmp_path / "job.parquet", model, asked, k=4, eligible=eligible, user_column="who", executor=executor)
        assert_frame_equal(pl.read_parquet(tmp_path / "job.parquet"), pl.read_parquet(tmp_path / "here.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.parquet", "job.parquet"]


def test_only_known_items_count_and_a_stranger_log_is_refused(data, model, tmp_path):
    fitted = vt.load(model).recommender
    more = pl.DataFrame({"user_id": ["u1", "new"], "item_id": ["unheard", "i1"], "timestamp": day([900, 60])})
    other = vt.read_interactions(pl.concat([data.frame().select(more.columns), more]))
    vt.recommend_to(tmp_path / "whole.parquet", fitted, vt.aligned(other, fitted.vocabulary).queries(), k=5)
    vt.recommend_to(tmp_path / "lists.parquet", model, held(other, 3), k=5)
    assert_frame_equal(
        pl.read_parquet(tmp_path / "lists.parquet").sort(KEYS), pl.read_parquet(tmp_path / "whole.parquet").sort(KEYS), abs_tol=1e-6
    )
    stranger = vt.read_interactions(pl.DataFrame({"user_id": ["a"], "item_id": ["b"]}))
    for asked in (held(stranger, 1), stranger):
        for by in (model, fitted):
            with pytest.raises(DataError, match="knows none of the items"):
                vt.recommend_to(tmp_path / "none.parquet", by, asked)


class StoppedError(Exception):
    pass


def stopping(at):
    def done(count):
        if count >= at:
            raise StoppedError

    return done


def test_a_job_goes_on_and_another_is_refused(data, model, expected, tmp_path):
    out, opened = tmp_path / "lists.parquet", held(data, 6)
    with pytest.raises(StoppedError):
        vt.recommend_to(out, model, opened, k=5, done=stopping(20))
    kept = {path: path.stat().st_mtime_ns for path in (folder_of(out) / "lists").iterdir()}
    assert 0 < len(kept) < 6
    assert not out.exists()
    for other in ({"k": 4}, {"item_column": "sku"}, {"eligible": vt.Eligibility(repeat=True)}, {"eligible": vt.Eligibility(exclude=[1])}):
        with pytest.raises(ParameterError, match="the parts of another job"):
            vt.recommend_to(out, model, opened, **({"k": 5} | other))
    with pytest.raises(ParameterError, match="the parts of another job"):
        vt.recommend_to(out, model, held(log(np.random.default_rng(4)), 6), k=5)
    with pytest.raises(StoppedError):
        vt.recommend_to(out, model, opened, k=5, done=stopping(data.n_users))  # at the last part
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    vt.recommend_to(out, model, opened, k=5)
    assert_frame_equal(pl.read_parquet(out).sort(KEYS), expected.sort(KEYS), abs_tol=1e-6)
    assert not folder_of(out).exists()


def test_a_kill_after_the_folder_is_in_place_changes_nothing(data, model, tmp_path, monkeypatch):
    from vitrina.batch import job

    out, opened = tmp_path / "lists", held(data, 3)
    out.mkdir()
    (out / "old.parquet").write_text("")
    monkeypatch.setattr(job.shutil, "rmtree", lambda folder: (_ for _ in ()).throw(StoppedError))
    with pytest.raises(StoppedError):
        vt.recommend_to(out, model, opened, k=5)
    monkeypatch.undo()
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert "old.parquet" not in before
    assert vt.recommend_to(out, model, opened, k=5) == sum(len(pl.read_parquet(path)) for path in out.glob("*.parquet"))
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == before
    assert not folder_of(out).exists()


def test_cancel_removes_all_but_what_is_whole(data, model, tmp_path):
    out = tmp_path / "lists.parquet"
    out.write_text("earlier")
    with pytest.raises(StoppedError):
        vt.recommend_to(out, model, held(data, 6), k=5, done=stopping(20))
    (tmp_path / ".lists.parquet-123").write_text("left by a kill")
    assert cancel_job(out)
    assert [path.name for path in tmp_path.iterdir()] == ["lists.parquet"]
    assert not cancel_job(out)


def test_what_cant_be_a_job_is_refused(data, model, tmp_path):
    fitted = vt.load(model).recommender
    with pytest.raises(ParameterError, match="Workers load the model from its folder"):
        vt.recommend_to(tmp_path / "a.parquet", fitted, held(data, 2), executor=Processes(2))
    with pytest.raises(ParameterError, match=r"end with .csv or .parquet. Got"):
        vt.recommend_to(tmp_path / "folder", fitted, held(data, 2))
    with pytest.raises(ParameterError, match="or be a folder"):
        vt.recommend_to(tmp_path / "a.json", model, held(data, 2))
    with pytest.raises(ParameterError, match="are for queries"):
        vt.recommend_to(tmp_path / "a.csv", model, held(data, 2), ["a"])
    with pytest.raises(ArtifactError):
        vt.recommend_to(tmp_path / "a.csv", tmp_path / "no-model", held(data, 2))


def test_a_model_that_is_replaced_meanwhile_is_refused(data, model, tmp_path):
    at = parts.ModelAt.of(model, trust=False)
    with pytest.raises(ArtifactError, match="was replaced"):
        _ = replace(at, stamp="other").recommender
