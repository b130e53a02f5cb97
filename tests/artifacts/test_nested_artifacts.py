"""Artifacts of what is made of other fitted things, of one's own classes, with their table of items and their question."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.artifacts.check import difference
from vitrina.base.errors import ArtifactError
from vitrina.base.exports import names_of
from vitrina.data.features import FeatureTable
from vitrina.retrieve.top_k import top_k_dense

DATA = vt.testing.synthetic(users=40, items=20)


@dataclass(frozen=True, eq=False)
class Spread:
    """A fitted thing without a vocabulary, as a re-ranker is: adds something to each score."""

    additions: np.ndarray  # (items,)
    words: bytes

    def state(self):
        return vt.State(arrays={"additions": self.additions}, files={"words.txt": self.words})

    @classmethod
    def of_state(cls, state):
        return cls(state.arrays["additions"], state.files["words.txt"])


@dataclass(frozen=True, eq=False)
class Blend:
    """Two recommenders, which may be blends, and a `Spread`."""

    first: object
    second: object
    spread: Spread
    share: float
    table: pl.DataFrame

    @property
    def vocabulary(self):
        return self.first.vocabulary

    @property
    def catalogue(self):
        return self.first.catalogue

    def score_block(self, queries):
        parts = [part.score_block(queries.counted()) for part in (self.first, self.second)]
        first, second = (np.where(np.isfinite(part), part, 0) for part in parts)
        return (self.share * first + (1 - self.share) * second + self.spread.additions).astype(np.float32)

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        return top_k_dense(self.score_block(queries), queries, k, eligible, self.catalogue, self.vocabulary)

    def state(self):
        children = {"first": self.first, "second": self.second, "spread": self.spread}
        return vt.State({"share": self.share}, files={"table": self.table}, children=children)

    @classmethod
    def of_state(cls, state, vocabulary, catalogue):
        assert len(vocabulary) == len(catalogue.mask)
        return cls(**state.children, **state.config, **state.files)


def blend(first, second):
    return Blend(first, second, Spread(np.arange(20, dtype=np.float32) / 100, b"words"), 0.3, pl.DataFrame({"a": [1, 2]}))


@pytest.fixture(scope="module")
def nested():
    one, two, three = (model.fit(DATA) for model in (vt.EASE(l2=20), vt.Popularity(), vt.Cooccurrence()))
    return blend(blend(one, two), three)


@pytest.fixture
def folder(nested, tmp_path):
    return vt.save(nested, tmp_path / "nested")


def lists(recommender):
    return recommender.recommend(DATA.queries(), 7, eligible=vt.Eligibility(repeat=True))


def test_what_it_is_made_of_comes_back(nested, folder):
    read = vt.load(folder, trust=True).recommender
    np.testing.assert_array_equal(lists(read).items, lists(nested).items)
    np.testing.assert_array_equal(lists(read).scores, lists(nested).scores)
    assert [type(part).__name__ for part in (read.first, read.first.first, read.first.second, read.second)] == [
        "Blend",
        "ItemMap",
        "Static",
        "ItemMap",
    ]
    assert read.first.first.model["name"] == "EASE"
    assert read.spread.words == b"words"
    assert read.table.equals(nested.table)


def test_ids_and_catalogue_are_written_once(folder):
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("items.parquet")] == ["items.parquet"]
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("events.npy")] == ["catalogue/events.npy"]
    read = vt.load(folder, trust=True).recommender
    assert read.second.vocabulary is read.first.first.vocabulary
    assert read.second.catalogue is read.first.catalogue


def test_a_child_with_other_ids_has_its_own(tmp_path):
    other = vt.testing.synthetic(users=30, items=12, seed=5)
    small = vt.Popularity().fit(other)
    padded = replace(small, scores=np.zeros(20, np.float32))
    nested = blend(vt.EASE(l2=20).fit(DATA), padded)
    folder = vt.save(nested, tmp_path / "a")
    assert (folder / "children/second/items.parquet").exists()
    assert vt.load(folder, trust=True).recommender.second.vocabulary.ids.to_list() == other.items.ids.to_list()


def test_files_inside_are_checked_and_strange_ones_refused(folder):
    inner = folder / "children/first/children/first/parameters/weights.npy"
    whole = inner.read_bytes()
    inner.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"children/first/children/first/parameters/weights\.npy is not the file"):
        vt.load(folder, trust=True)
    inner.write_bytes(whole)
    (folder / "children/spread/files/more.txt").write_text("strange")
    with pytest.raises(ArtifactError, match=r"more\.txt, which its manifest doesn't know"):
        vt.load(folder, trust=True)
    with pytest.raises(ArtifactError, match=r"more\.txt, which is no part"):
        vt.save(vt.Popularity().fit(DATA), folder)


def test_classes_of_ones_own_are_named_and_not_run_unless_they_are_trusted(folder):
    assert json.loads((folder / "manifest.json").read_text())["own_classes"] == [
        "test_nested_artifacts:Blend",
        "test_nested_artifacts:Spread",
    ]
    with pytest.raises(ArtifactError, match=r"test_nested_artifacts:Blend, and loading it runs its code.*trust=True.*--trust"):
        vt.load(folder)


def test_a_class_that_is_gone_says_so(folder):
    manifest = folder / "manifest.json"
    for strange, sentence in (("no_such_module:Blend", "can't be imported: No module named"), ("os:path", "doesn't know")):
        manifest.write_text(re.sub('"form": "[^"]*:Blend"', f'"form": "{strange}"', manifest.read_text(), count=1))
        with pytest.raises(ArtifactError, match=sentence):
            vt.load(folder, trust=True)
        manifest.write_text(manifest.read_text().replace(strange, "test_nested_artifacts:Blend"))


def test_a_child_outside_the_folder_is_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["children"] = {"../../first": manifest["children"]["first"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"Got '../../first'"):
        vt.load(folder, trust=True)


class Bare:
    vocabulary = DATA.items

    def recommend(self, queries, k, *, eligible=vt.Eligibility()): ...


def test_what_says_nothing_of_its_state_is_told_what_to_write(tmp_path):
    with pytest.raises(
        ArtifactError, match=r"Bare doesn't\. Give it a method state\(self\).*vt\.State.*of_state\(cls, state, vocabulary, catalogue\)"
    ):
        vt.save(Bare(), tmp_path / "a")
    with pytest.raises(ArtifactError, match=r"EASE is not fitted yet.*vt.save\(EASE\(...\).fit\(data\), folder\)"):
        vt.save(vt.EASE(), tmp_path / "a")

    class Hidden(Blend): ...

    with pytest.raises(ArtifactError, match=r"Hidden can't be found again.*at the top of a \.py file"):
        vt.save(Hidden(vt.EASE().fit(DATA), vt.EASE().fit(DATA), Spread(np.zeros(20), b""), 0.5, pl.DataFrame()), tmp_path / "a")


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "", "a b"])
def test_names_that_are_no_files_are_refused(name, tmp_path):
    nested = blend(vt.EASE(l2=20).fit(DATA), vt.Popularity().fit(DATA))
    state = replace(nested.state(), files={name: b""})
    object.__setattr__(nested, "state", lambda: state)
    with pytest.raises(ArtifactError, match="named with letters"):
        vt.save(nested, tmp_path / "a")


# --- the table of items


def test_the_table_of_items_comes_back(tmp_path):
    frame = pl.DataFrame({
        "title": ["Tea", None, "Rye", "Jam"], "aisle": ["a", "b", None, "a"], "tags": [["x", "y"], [], None, ["z"]], "price": [1.5, None, 2.0, 3.0],
    })  # fmt: skip
    data = replace(
        vt.testing.toy(), item_table=FeatureTable(frame, {"aisle": "category", "tags": "categories", "price": "number"}, "title")
    )
    fitted = vt.TopPersonal().fit(data)
    again = vt.load(vt.save(fitted, tmp_path / "a"))
    for artifact in (again, vt.load(vt.save(again.recommender, tmp_path / "b"))):
        assert artifact.item_table.frame.equals(frame)
        assert artifact.item_table.kinds == data.item_table.kinds
        assert artifact.titles.to_list() == ["Tea", None, "Rye", "Jam"]
        assert artifact.recommender.item_table is artifact.item_table


def test_a_table_shorter_than_the_vocabulary_is_filled_with_nulls(tmp_path):
    fitted = vt.Popularity().fit(DATA)
    short = replace(fitted, item_table=replace(fitted.item_table, frame=fitted.item_table.frame.head(15)))
    table = vt.load(vt.save(short, tmp_path / "a")).item_table
    assert len(table.frame) == 20
    assert table.frame["title"].to_list()[13:] == [*fitted.titles.to_list()[13:15], *[None] * 5]


def test_what_a_blend_is_made_of_gives_the_table(folder):
    assert vt.load(folder, trust=True).item_table.frame.equals(DATA.item_table.frame)


# --- the question


def test_an_answer_that_is_another_is_refused(tmp_path):
    folder = vt.save(vt.EASE(l2=20).fit(DATA), tmp_path / "ease")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(manifest["check"]["items"]) == 5
    for change in (
        lambda c: c["items"].reverse(),
        lambda c: c["scores"].__setitem__(1, 0.5),
        lambda c: c["items"].pop() and c["scores"].pop(),
    ):
        changed = json.loads(json.dumps(manifest))
        change(changed["check"])
        (folder / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(ArtifactError, match="answers otherwise than when it was saved: "):
            vt.load(folder)


@pytest.mark.parametrize(
    ("items", "scores", "same"),
    [
        (["a", "b", "c"], [3.0, 2.0, 1.0], True),
        (["a", "b", "c"], [3.001, 2.0, 0.999], True),  # rounding
        (["a", "b", "c"], [3.1, 2.0, 1.0], False),
        (["b", "a", "c"], [3.0, 2.0, 1.0], False),
        (["a", "b", "d"], [3.0, 2.0, 1.0], True),  # a tie at the end, for all one knows
        (["a", "d", "c"], [3.0, 2.0, 1.0], False),
        (["a", "b", "c"], [3.0, 2.0, None], False),
        (["a", "b"], [3.0, 2.0], False),
    ],
)
def test_answers_may_differ_by_rounding(items, scores, same):
    before = {"items": ["a", "b", "c"], "scores": [3.0, 2.0, 1.0]}
    assert (difference(before, {"items": items, "scores": scores}) is None) == same


def test_ties_may_turn_and_what_popularity_fills_may_not():
    before = {"items": ["a", "b", "c", "d"], "scores": [2.0, 2.0, None, None]}
    assert difference(before, before | {"items": ["b", "a", "c", "d"]}) is None
    assert difference(before, before | {"items": ["a", "b", "d", "c"]}) == "place 3 of the list was 'c' (no score) and is 'd' (no score)"


# --- what is exported


def test_every_fitted_form_is_exported_and_saved_by_its_name():
    from inspect import isabstract

    from vitrina.forms.base import Form

    def below(cls):
        for sub in cls.__subclasses__():
            yield sub
            yield from below(sub)

    names = {
        *names_of("vitrina.forms"),
        *names_of("vitrina.search"),
        *names_of("vitrina.sequence"),
        "OnnxEncoded",
    }  # stands for Encoded, and is not saved itself
    fitted = {cls.__name__ for cls in below(Form) if cls.__module__.startswith("vitrina.") and not isabstract(cls)}
    assert {"ItemMap", "Encoded"} <= fitted <= names


def test_loading_needs_no_torch(tmp_path):
    folder = vt.save(vt.EASE(l2=20).fit(DATA), tmp_path / "ease")
    code = f"import sys, vitrina as vt; vt.load({str(folder)!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_example_of_a_model_of_ones_own_is_saved(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    from own_model import Because

    fitted = Because().fit(DATA)
    folder = vt.save(fitted, tmp_path / "because", model=Because(at_least=2))
    with pytest.raises(ArtifactError, match="own_model:Fitted"):
        vt.load(folder)
    artifact = vt.load(folder, trust=True)
    assert artifact.manifest["model"] == {"class": "own_model:Because", "at_least": 2}
    assert repr(artifact).startswith("Artifact(Because of 20")
    np.testing.assert_array_equal(lists(artifact.recommender).items, lists(fitted).items)
    assert "saved" in vt.testing.check_model(Because()).kept
