"""What jobs read and how finished ones are found again, apart from any board."""

import json
import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.jobs.cache import code_stamp
from vitrina.jobs.folders import split_fingerprint, tiny_split, work_folder, write_folders
from vitrina.jobs.run import Workplace, fit_and_answer, run_trials
from vitrina.jobs.specs import of_spec, to_spec
from vitrina.jobs.trials import add_trial, finished_trials, mark_dead
from vitrina.metrics import metric

sys.path.insert(0, str(Path(__file__).parents[1] / "board"))
import rogues  # pyright: ignore[reportMissingImports]


@pytest.fixture(scope="module")
def split():
    return vt.testing.synthetic(users=150, items=40).split(vt.split.GlobalTime(quantile=0.8, repeat=True))


@pytest.mark.usefixtures("one_process")
def test_a_fit_and_a_search_are_done_once_for_whoever_asks(split, tmp_path, monkeypatch):
    with work_folder(tmp_path) as work:
        place = Workplace(work, tmp_path, *write_folders(split, split.train.holdout(), work), split.queries.vocabulary, k=5, threads=1)
        steps = []

        def ask():
            specs = [to_spec(rogues.Fickle(way=way)) for way in ("bad", "raises", "good")]
            trials = run_trials(specs, to_spec(metric("nDCG@5")), None, place, Event(), lambda: steps.append(1))
            return fit_and_answer(to_spec(vt.Popularity()), "popular", place, Event()), [t["value"] for t in trials.values()]

        first, values = ask()
        assert len(steps) == 3
        assert values[2] > values[0]
        assert values[1] is None
        monkeypatch.setattr("vitrina.jobs.processes.run_job", lambda *a, **k: pytest.fail("a process was started"))
        second, again = ask()
    assert (first.cached, second.cached) == (False, True)
    assert first.lists is not None
    assert second.lists is not None
    own = vt.Popularity().fit(split.train).recommend(split.queries, 5, eligible=split.eligible)
    for lists in (first.lists, second.lists):
        np.testing.assert_array_equal(lists.items, own.items)
    assert again == values
    assert len(steps) == 3


def test_a_process_that_dies_fails_the_trial_that_it_had_begun(tmp_path):
    path = tmp_path / "trials.jsonl"
    mark_dead(path, ["a", "b", "c"], "killed before it began")
    add_trial(path, {"key": "c", "state": "started"})
    with path.open("a") as file:
        file.write('{"key": "b", "state": "fin')
    assert {key: t["error"] for key, t in finished_trials(path).items()} == {"a": "killed before it began"}
    path.write_text(path.read_text().rpartition("\n")[0] + "\n")
    mark_dead(path, ["a", "b", "c"], "killed")
    assert {key: t["error"] for key, t in finished_trials(path).items()} == {"a": "killed before it began", "c": "killed"}


def test_a_script_that_compares_again_while_its_model_is_looked_for_is_told_how_to_stop(tmp_path):
    script = tmp_path / "own.py"
    script.write_text("from vitrina.jobs.specs import to_spec\nclass A: ...\nto_spec(A())\n")
    with pytest.raises(ParameterError, match="__main__"):
        of_spec({"class": f"{script}:A"})


def test_the_key_of_the_cache_knows_the_data_the_split_and_the_source_of_ones_own_models(split, tmp_path):
    assert split_fingerprint(split) == split_fingerprint(split)
    other = vt.testing.synthetic(users=150, items=40).split(vt.split.GlobalTime(quantile=0.8, repeat=False))
    assert split_fingerprint(other) != split_fingerprint(split)
    script = tmp_path / "own.py"
    script.write_text("class A: ...")
    before = code_stamp({"class": f"{script}:A"})
    script.write_text("class A: x = 1")
    assert code_stamp({"class": f"{script}:A"}) != before
    assert code_stamp(to_spec(vt.EASE())) == code_stamp(to_spec(vt.Popularity()))


def test_a_spec_builds_the_same_model_again():
    for model in (vt.EASE(l2=3), vt.Cooccurrence(weighting=vt.weighting.BM25()), rogues.Favourite(first=2), vt.Popularity(days=float(7))):
        spec = json.loads(json.dumps(to_spec(model)))
        assert of_spec(spec) == model
    assert of_spec(to_spec([float("inf"), (1, None), {"a": True}])) == [float("inf"), (1, None), {"a": True}]

    with pytest.raises(ParameterError, match="plain values"):
        to_spec(rogues.Favourite(first=len))


def test_the_tiny_split_has_the_columns_of_the_real_one(split):
    tiny = tiny_split(split)
    assert {n: c.dtype for n, c in tiny.train.events.columns().items()} == {n: c.dtype for n, c in split.train.events.columns().items()}
    assert tiny.train.item_table.frame.columns == split.train.item_table.frame.columns
    assert tiny.train.n_events <= 40 * 20
    codes = tiny.train.events.items[:5]
    assert tiny.train.titles(codes)[0].startswith("Item")
    assert tiny.train.items.decode(codes).to_list() == [f"i{t.split()[1]}" for t in tiny.train.titles(codes)]
