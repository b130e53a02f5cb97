"""Compiled kernels on several threads: every row once, from any thread, and in a child made by fork."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from vitrina.base import kernels
from vitrina.base.kernels import NamedFiles, Spread, runs_of

ROWS = (0, 1, 2, 3, 63, 64, 65, 1000)


@Spread
def add_places(first, last, out):
    """Each row adds 1 to itself, and where its run began."""
    for row in range(first, last):
        out[row, 0] += 1
        out[row, 1] = first


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_row_is_done_once(rows, threads, monkeypatch):
    monkeypatch.setattr(kernels, "THREADS", threads)
    monkeypatch.setattr(kernels, "_workers", kernels._Workers())
    out = np.zeros((rows, 2), np.int64)
    add_places(rows, out)
    assert (out[:, 0] == 1).all()
    assert len(np.unique(out[:, 1])) == (runs_of(rows) if rows else 0)


def test_an_error_of_one_run_is_raised_once_all_have_ended(monkeypatch):
    monkeypatch.setattr(kernels, "THREADS", 3)
    monkeypatch.setattr(kernels, "_workers", kernels._Workers())
    spread, begun = Spread(add_places.compiled.py_func), []

    def run(first, last):
        begun.append(first)
        raise ZeroDivisionError

    spread.compiled = run
    with pytest.raises(ZeroDivisionError):
        spread(1000)
    assert 1 <= len(begun) <= 3


def test_threads_that_call_at_once_get_their_own_rows():
    out = [np.zeros((5000, 2), np.int64) for _ in range(8)]
    threads = [threading.Thread(target=add_places, args=(5000, one)) for one in out]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all((one[:, 0] == 1).all() for one in out)


def test_of_two_processes_that_keep_code_for_other_types_at_once_none_loads_the_others(tmp_path, monkeypatch):
    one, other = (NamedFiles(str(tmp_path), "sum-1", "stamp") for _ in range(2))
    load = one._load_index

    def slow():
        index = load()
        other.save(("float64",), "adds float64")
        return index

    monkeypatch.setattr(one, "_load_index", slow)
    one.save(("int64",), "adds int64")
    assert [other.load((name,)) for name in ("int64", "float64")] == ["adds int64", None]
    other.save(("float64",), "adds float64")
    assert [other.load((name,)) for name in ("int64", "float64")] == ["adds int64", "adds float64"]
    assert NamedFiles(str(tmp_path), "sum-1", "a later stamp").load(("int64",)) is None


SORTS = """
import sys, numpy as np
from vitrina.base.kernels import kernel

@kernel
def order(numbers):
    return numbers.argsort()

@kernel
def ordered(numbers):
    numbers.sort()
    return numbers

for name in sys.argv[1:]:
    found = globals()[name](np.arange(60, dtype=np.int32)[::-1].copy()).tolist()
    assert found == sorted(found, reverse=name == "order"), (name, found)
"""


def test_code_that_two_processes_kept_is_not_mixed_up_in_a_third(tmp_path):
    script = tmp_path / "sorts.py"
    script.write_text(SORTS, encoding="utf-8")
    for names in (["order"], ["ordered"], ["order", "ordered"], ["ordered", "order"]):
        done = subprocess.run([sys.executable, str(script), *names], capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


def test_kernels_keep_their_code_so(tmp_path):
    run(
        "from tests.base.test_kernels import add_places; import numpy as np; add_places(2, np.zeros((2, 2)))", NUMBA_CACHE_DIR=str(tmp_path)
    )
    (kept,) = tmp_path.rglob("*add_places*.nbc")
    assert len(kept.suffixes[-2]) == 25


ANSWER = """
import multiprocessing, sys, threading
import numpy as np
import polars as pl
import vitrina as vt
from vitrina.evaluate import evaluate

data = vt.testing.synthetic()
split = data.split(vt.split.GlobalTime(days=7, repeat=True))
numbered = vt.read_interactions(pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}))
models = [
    vt.Popularity(), vt.RandomItems(), vt.TopPersonal(decay=vt.decay.Exponential(days=9)), vt.TifuKNN(neighbours=20), vt.EASE(l2=10),
    vt.Cooccurrence(decay=vt.decay.Exponential(events=9)), vt.Cooccurrence(gap=vt.decay.Linear(events=5), one_way=True),
]

def fitted(model):
    return model.fit(split.train)

def answer(place):
    found = recommenders[place]
    lists = found.recommend(split.queries, 5, eligible=split.eligible)
    lists.to_frame()
    evaluate(lists, split, ["nDCG@5", "MAP@5", "repeat Recall@5", "Serendipity@5", "MIUF@5"], draws=20) if not forked else None
    vt.Queries.of_histories(data.items, [[*data.items.ids.head(3), "7.0", 1.0, None]])
    assert len(data.queries(["nobody", data.users.ids[0]])) + len(numbered.queries([1, 9, "x"])) == 5
    return lists.items

def refit(place):
    return models[place].fit(split.train).recommend(split.queries, 5, eligible=split.eligible).items

forked = False
recommenders = [fitted(model) for model in models]
if "torch" in sys.argv:
    models.append(vt.SASRec(dim=16, length=8, training=vt.sequence.Training(epochs=1)))
    recommenders.append(fitted(models[-1]))
places = range(len(models))
wanted = [answer(place) for place in places]
"""
FORK = (
    ANSWER
    + """
forked = True
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map_async(answer, places).get(90) + pool.map_async(refit, range(7)).get(90)
assert all(np.array_equal(a, b) for a, b in zip(found, wanted + wanted[:7], strict=True))
"""
)
THREADS = (
    ANSWER
    + """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(answer, [place for place in places for _ in range(6)]))
assert all(np.array_equal(a, b) for a, b in zip(found, [one for one in wanted for _ in range(6)], strict=True))
"""
)


def run(script, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments], env=os.environ | environment, capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(("threads", "network"), [("1", []), ("4", ["torch"])])
def test_a_child_made_by_fork_answers_and_fits_as_its_parent(threads, network):
    run(FORK, *network, NUMBA_NUM_THREADS=threads)


@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_eight_threads_answer_as_one(layer):
    run(THREADS, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="4")


def test_code_that_was_kept_is_not_run_when_a_kernel_that_it_calls_has_changed(tmp_path):
    inner = "from vitrina.base.kernels import kernel\n@kernel\ndef inner(x):\n    return x + {}\n"
    outer = "from inner import inner\nfrom vitrina.base.kernels import kernel\n@kernel\ndef outer(x):\n    return inner(x)\nprint(outer(1.0), flush=True)\n"
    (tmp_path / "outer.py").write_text(outer)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    said = []
    for number in (10, 2000):
        (tmp_path / "inner.py").write_text(inner.format(number))
        said.append(
            subprocess.run([sys.executable, "-c", "import outer"], env=environment, capture_output=True, text=True, check=True).stdout
        )
    assert said == ["11.0\n", "2001.0\n"]


def test_at_once_does_each_once_also_without_helping_threads(monkeypatch):
    for threads in (1, 3):
        monkeypatch.setattr(kernels, "THREADS", threads)
        monkeypatch.setattr(kernels, "_workers", kernels._Workers())
        done = []
        kernels.at_once(done.append, 7)
        assert sorted(done) == list(range(7))
