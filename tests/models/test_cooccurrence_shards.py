"""Co-occurrence of a log in shards: whatever the shards, groups and blocks, the rows are those of the log in memory."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.executor import Processes
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import held
from vitrina.models import rows
from vitrina.types import Events

DAY = 86_400_000_000
W = vt.weighting
WHOLE = [  # counts and sums of whole numbers: not a bit may differ
    vt.Cooccurrence(),
    vt.Cooccurrence(weighting=W.RowNormalised(shrinkage=1), neighbours=4),
    vt.Cooccurrence(weighting=W.Jaccard(), diagonal=True),
    vt.Cooccurrence(weighting=W.Lift(shrinkage=1), one_way=True),
    vt.Cooccurrence(weighting=W.Count(), gap=vt.decay.Window(events=2), neighbours=3),
    vt.Cooccurrence(gap=vt.decay.Exponential(events=1), one_way=0.75),
    vt.Cooccurrence(gap=vt.decay.Exponential(days=0.003), kinds={"view": 0.5, "cart": 0.0}),
]
REAL = [  # sums of shards are rounded elsewhere
    vt.Cooccurrence(weighting=W.TfIdf(), diagonal=True),
    vt.Cooccurrence(weighting=W.BM25(), kinds={"view": 0.3, "buy": 0.0}),
    vt.Cooccurrence(weighting=W.BM25(), gap=vt.decay.Linear(days=4)),
    vt.Cooccurrence(weighting=W.Transitions(), gap=vt.decay.Window(events=2), one_way=True, diagonal=True),
]


@dataclass(frozen=True)
class Several:
    """An executor that says it has several workers, in this process."""

    workers: int = 3

    def map(self, function, items):
        return map(function, items)


def log_of(seed: int, users: int = 30, items: int = 14, weights: bool = False) -> Dataset:
    """One person with half of all events, people without any, ties, repeats, an item that nobody took."""
    rng = np.random.default_rng(seed)
    n = users * 6
    people = np.where(rng.random(n) < 0.5, 3, rng.integers(0, users - 4, n))
    codes = np.minimum(rng.geometric(0.2, n) - 1, items - 2).astype(np.int32)
    own = rng.choice([-1, 0, 0.5, 1, 2], n).astype(np.float32) if weights else None
    events = Events(codes, rng.integers(0, 9, n) * DAY // 2, kinds=rng.integers(0, 3, n).astype(np.uint8), weights=own)
    vocabularies = vt.Vocabulary.of(list(range(users))), vt.Vocabulary.of([f"i{c}" for c in range(items)])
    return Dataset.of_codes(people, events, *vocabularies, time_unit="us", kind_names=("view", "cart", "buy"))


def weights_of(model, data):
    return model.fit(data).weight_from_to


def same_bits(one, other):
    return one.dtype == other.dtype and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("indptr", "indices", "data")
    )


@pytest.mark.parametrize("model", WHOLE + REAL, ids=repr)
@pytest.mark.parametrize("weights", [False, True])
def test_the_rows_of_shards_are_those_of_the_log(model, weights, monkeypatch):
    for seed in range(5):
        data = log_of(seed, weights=weights)
        expected = weights_of(model, data)
        for count in (1, 3, 40):  # 40 shards of 30 people: some are empty
            assert np.allclose(weights_of(model, held(data, count)).toarray(), expected.toarray(), rtol=1e-6)
        monkeypatch.setattr(rows, "HISTORIES", 400)  # some shards together
        for cells in (1, 600, 1 << 20):  # blocks of one row, of some, and of all
            monkeypatch.setattr(rows, "CELLS", cells)
            found = weights_of(model, held(data, 9))
            assert same_bits(found, weights_of(model, held(data, 9).on(Several())))
            assert np.allclose(found.toarray(), expected.toarray(), rtol=1e-6)
            if model in WHOLE:
                assert same_bits(found, expected)
        monkeypatch.undo()


def test_blocks_of_rows_are_the_rows(monkeypatch):
    data = log_of(0)
    expected = weights_of(vt.Cooccurrence(content=None), data)
    monkeypatch.setattr(rows, "ROWS", 3)
    assert same_bits(weights_of(vt.Cooccurrence(), data), expected)


def test_processes_share_the_blocks():
    data = vt.testing.synthetic(users=60, items=20)
    spread = held(data, 4).on(Processes(2))
    model = vt.Cooccurrence(content=vt.Content(columns=("group",)))
    assert same_bits(weights_of(model, spread), weights_of(model, data))


def test_what_waits_is_bounded_whatever_the_items(monkeypatch):
    """The sums of a block are never in more places than fit, unless it is one row."""
    data, seen = log_of(1, users=200, items=50), []
    monkeypatch.setattr(rows, "HISTORIES", 400)
    monkeypatch.setattr(rows, "CELLS", 2000)
    made = rows.Rows._held
    monkeypatch.setattr(rows.Rows, "_held", lambda self, block: seen.append((block, made(self, block))) or seen[-1][1])
    vt.Cooccurrence().fit(held(data, 9))
    assert len(seen) > 3
    assert all(12 * len(columns) <= 2000 or block.stop - block.start == 1 for block, (_, _, columns, _) in seen)


def test_a_person_more_changes_nothing_of_others_pairs():
    data = log_of(2)
    without = data.select(data.user_of != 5)
    more = held(replace(data, name="more"), 6)
    first, second = (weights_of(vt.Cooccurrence(weighting=W.Count(), neighbours=50), log).toarray() for log in (more, held(without, 4)))
    own = np.unique(data.events.items[data.user_of == 5])
    others = np.ones(first.shape, bool)
    others[np.ix_(own, own)] = False
    assert np.array_equal(first[others], second[others])
    off = ~np.eye(len(own), dtype=bool)
    assert np.array_equal((first - second)[np.ix_(own, own)][off], np.ones(off.sum()))
