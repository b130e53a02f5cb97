import json
import os
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.artifacts import write
from vitrina.base.config import to_plain
from vitrina.base.errors import ArtifactError
from vitrina.base.files import atomic_file, atomic_folder, sha256_of

MODELS = [
    vt.Popularity(), vt.EASE(l2=20), vt.EASE(l2=20, max_items=3), vt.Cooccurrence(), vt.TopPersonal(), vt.TifuKNN(),
    vt.RandomItems(seed=3), vt.ContentSimilarity(),
]  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=40, items=20)


@pytest.fixture
def artifact(data, tmp_path):
    model = vt.EASE(l2=20)
    return vt.save(model.fit(data), tmp_path / "ease", model=model, data=data, metrics={"nDCG@10": 0.25}, source={"path": "log.csv"})


def answers(recommender, data):
    found = recommender.recommend(data.queries(), 5, eligible=vt.Eligibility(repeat=True))
    return found.items, found.scores


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_what_is_read_answers_as_what_was_written(model, data, tmp_path):
    fitted = model.fit(data)
    folder = vt.save(fitted, tmp_path / "artifact", model=model, data=data)
    read = vt.load(folder)
    assert type(read.recommender) is type(fitted)
    for wanted, got in zip(answers(fitted, data), answers(read.recommender, data), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert read.manifest["model"]["name"] == type(model).__name__
    assert getattr(read.recommender, "notes", ()) == getattr(fitted, "notes", ())


def test_the_manifest_says_what_it_is(artifact, data):
    read = vt.load(artifact)
    manifest = read.manifest
    assert manifest["form"] == "ItemMap"
    assert manifest["model"]["l2"] == 20
    assert manifest["data"]["fingerprint"] == data.fingerprint
    assert manifest["data"]["events"] == data.n_events
    assert manifest["vocabulary"] == {"items": 20, "fingerprint": data.items.fingerprint()}
    assert manifest["metrics"] == {"nDCG@10": 0.25}
    assert manifest["source"] == {"path": "log.csv"}
    assert set(manifest["files"]) == {p.relative_to(artifact).as_posix() for p in artifact.rglob("*") if p.is_file()} - {"manifest.json"}
    assert read.names(np.array([3])) == data.titles(np.array([3]))


def test_a_fitted_model_alone_is_enough_and_is_saved_again_as_it_was(data, tmp_path):
    model = vt.EASE(l2=7)
    read = vt.load(vt.save(model.fit(data), tmp_path / "a"))
    again = vt.load(vt.save(read.recommender, tmp_path / "b"))
    assert read.manifest["model"] == again.manifest["model"] == to_plain(model)
    assert read.titles.to_list() == again.titles.to_list() == data.titles(range(data.n_items))


def test_an_artifact_prints_in_a_line_and_says_where_its_model_is(artifact):
    read = vt.load(artifact)
    assert repr(read).startswith("Artifact(EASE of 20")
    assert repr(read).endswith("ItemMap(20 items))")
    with pytest.raises(AttributeError, match=r"artifact.recommender.similar_items"):
        _ = read.similar_items  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="An Artifact has no 'serve'"):
        _ = read.serve  # pyright: ignore[reportAttributeAccessIssue]


def test_a_form_made_by_hand_has_no_model(data, tmp_path):
    fitted = vt.EASE().fit(data)
    bare = vt.ItemMap(fitted.vocabulary, fitted.catalogue, fitted.weight_from_to, fitted.kept)
    assert vt.load(vt.save(bare, tmp_path / "a")).manifest["model"] is None


def test_without_data_there_are_ids_for_titles(data, tmp_path):
    read = vt.load(vt.save(vt.Popularity().fit(replace(data, item_table=None)), tmp_path / "a"))
    assert read.titles is None
    assert read.names(np.array([3])) == ["i3"]
    assert read.manifest["data"] is None


def test_large_arrays_are_mapped(tmp_path):
    data = vt.testing.synthetic(users=60, items=200)
    read = vt.load(vt.save(vt.EASE().fit(data), tmp_path / "a", model=vt.EASE()))
    base = read.recommender.weight_from_to
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_every_damaged_file_is_found(artifact):
    for path in sorted(p for p in artifact.rglob("*") if p.is_file() and p.name != "manifest.json"):
        whole = path.read_bytes()
        for broken in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
            path.write_bytes(broken)
            with pytest.raises(ArtifactError, match=f"damaged: {path.relative_to(artifact)}"):
                vt.load(artifact)
        path.unlink()
        with pytest.raises(ArtifactError, match="is missing"):
            vt.load(artifact)
        path.write_bytes(whole)
    vt.load(artifact)


def test_a_file_that_is_not_in_the_manifest_is_refused(artifact):
    np.save(artifact / "parameters" / "extra.npy", np.zeros(3))
    with pytest.raises(ArtifactError, match="doesn't know"):
        vt.load(artifact)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m | {"format": 99}, "format 99.*Upgrade Vitrina"),
        (lambda m: m | {"kind": "other"}, "not of an artifact of Vitrina"),
        (lambda m: m | {"form": "os.system"}, "form 'os.system', which this version doesn't know"),
        (lambda m: m | {"vocabulary": {"fingerprint": "0"}}, "item ids are not those"),
        (lambda m: {k: v for k, v in m.items() if k != "files"}, "has no files"),
        (lambda m: m | {"files": {"../../secret": "0"}}, r"\.\./\.\./secret is missing"),
        (lambda m: m | {"files": ["items.parquet"]}, "no table of names"),
        (lambda m: [1], "not of an artifact"),
    ],
)
def test_a_foreign_or_newer_manifest_is_refused(artifact, change, sentence):
    path = artifact / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ArtifactError, match=sentence):
        vt.load(artifact)


def test_a_cut_manifest_and_a_folder_without_one_are_refused(artifact, tmp_path):
    (artifact / "manifest.json").write_text((artifact / "manifest.json").read_text()[:40])
    with pytest.raises(ArtifactError, match="is damaged"):
        vt.load(artifact)
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        vt.load(tmp_path)
    with pytest.raises(ArtifactError, match="There is no folder"):
        vt.load(tmp_path / "nowhere")


def test_objects_are_never_unpickled(artifact):
    victim = artifact / "parameters" / "weights.npy"
    np.save(victim, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["files"]["parameters/weights.npy"] = sha256_of(victim)
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="can't be read"):
        vt.load(artifact)


def test_an_old_artifact_is_replaced_whole_and_kept_when_writing_fails(artifact, data, monkeypatch):
    before = vt.load(artifact)
    monkeypatch.setattr(write, "_write_item_table", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        vt.save(vt.Popularity().fit(data), artifact, model=vt.Popularity())
    assert vt.load(artifact).manifest == before.manifest
    monkeypatch.undo()
    vt.save(vt.Popularity().fit(data), artifact, model=vt.Popularity())
    assert vt.load(artifact).manifest["form"] == "Static"
    answers(before.recommender, data)  # the mapped files of the old one are still readable
    assert os.listdir(artifact.parent) == ["ease"]


def test_other_peoples_folders_are_left_alone(data, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="not an artifact of Vitrina"):
        vt.save(vt.Popularity().fit(data), tmp_path, model=vt.Popularity())
    with pytest.raises(ArtifactError, match="is a file"):
        vt.save(vt.Popularity().fit(data), tmp_path / "notes.txt", model=vt.Popularity())
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_two_renames_do_where_there_is_no_exchange(tmp_path, monkeypatch):
    monkeypatch.setattr("vitrina.base.files.os.name", "other")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with atomic_folder(tmp_path / "a") as staging:
        (staging / "new").touch()
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "new"]


def test_a_file_is_whole_or_the_old_one(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(target) as staging:  # noqa: PT012
        staging.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_titles_survive_with_nulls(tmp_path):
    data = vt.testing.toy()
    table = data.item_table.frame.with_columns(title=pl.Series(["Green tea", None, "Rye bread", "Plum jam"]))

    data = replace(data, item_table=replace(data.item_table, frame=table))
    read = vt.load(vt.save(vt.Popularity().fit(data), tmp_path / "a", model=vt.Popularity(), data=data))
    assert read.names(np.array([0, 1])) == ["Green tea", "milk"]
