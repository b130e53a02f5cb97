"""Several processes train as one does: the same weights, losses and choice of the best epoch, and they end together."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import vitrina as vt
from vitrina.base.errors import ArtifactError, MemoryBudgetError, ParameterError
from vitrina.base.executor import Processes
from vitrina.sequence import products
from vitrina.sequence.batches import Batch, tensor
from vitrina.sequence.checkpoint import read_state
from vitrina.sequence.fitting import Fitting
from vitrina.sequence.group import ALONE, join
from vitrina.sequence.layout import Layout
from vitrina.sequence.together import END, Lesson, _start

S = vt.sequence
DATA = vt.testing.synthetic(users=50, items=25, seed=1)
QUICK = S.Training(epochs=3, tokens=120, learning_rate=0.01, patience=None)
EVEN = {"dim": 8, "dropout": 0.0, "embed": S.Ids(), "training": QUICK}  # without draws of dropout, which are each process's own
SUMS = 1e-3  # what sums in another order make of a few steps of Adam, on any processor; an epoch less is 15 times as far


def weighted(data):
    weights = np.random.default_rng(0).choice([0.1, 1, 9], data.n_events).astype(np.float32)
    return replace(data, events=replace(data.events, weights=weights))


def described(data):
    """Users have a group."""
    frame = pl.DataFrame({"user_id": data.users.ids, "group": [str(code % 3) for code in range(len(data.users))]})
    return vt.read_interactions(data.frame(), user="user_id", item="item_id", time="timestamp", users=frame)


def judged(one):
    return one.model_copy(update={"training": QUICK.model_copy(update={"patience": 5, "judges": 31})})


CASES = {
    "full softmax": (vt.SequenceModel(**EVEN), DATA),
    "weights": (vt.SequenceModel(**EVEN | {"loss": S.FullSoftmax(smoothing=0.1)}), weighted(DATA)),
    "shared draws, corrected": (
        vt.SequenceModel(**EVEN | {"loss": S.SampledSoftmax(negatives=S.Mixed(n=7, shared=True), corrected=True)}),
        weighted(DATA),
    ),
    "own draws": (vt.SequenceModel(**EVEN | {"loss": S.SampledSoftmax(negatives=S.Mixed(n=7), corrected=True)}), DATA),
    "in batch": (vt.SequenceModel(**EVEN | {"loss": S.BCE(negatives=S.InBatch(n=3))}), DATA),
    "gBCE, clipped": (
        vt.SequenceModel(
            **EVEN
            | {"loss": S.GBCE(negatives=S.ByPopularity(n=3)), "training": QUICK.model_copy(update={"clip": 0.1, "weight_decay": 0.1})}
        ),
        DATA,
    ),
    "masks": (vt.BERT4Rec(**EVEN | {"heads": 1}), DATA),
    "later events, own counts": (
        vt.SequenceModel(**EVEN | {"objective": S.RandomTarget(), "personal": S.PersonalPopularity(), "loss": S.BPR()}),
        DATA,
    ),
    "many events of one window": (vt.SequenceModel(**EVEN | {"objective": S.AllAction(days=3), "block": S.HSTU()}), DATA),
    "fewer windows than processes": (vt.SequenceModel(**EVEN | {"training": QUICK.model_copy(update={"tokens": 1, "epochs": 1})}), DATA),
    "judged": (judged(vt.SequenceModel(**EVEN)), DATA),
    "features of persons": (vt.SequenceModel(**EVEN | {"users": S.UserFeatures()}), described(DATA)),
}


@dataclass(frozen=True)
class All:
    """Every lesson, in one of two processes."""

    lessons: tuple[Lesson, ...]
    meeting: str

    def __call__(self, rank: int) -> None:
        products.product_dtype = lambda states: states.dtype  # sums of bfloat16 differ by how a batch is cut
        group = join(rank, 2, self.meeting)
        for lesson in self.lessons:
            lesson.learn(group)
        torch.distributed.destroy_process_group()


def fitting(one, data):
    split = None if one.training.patience is None else data.split(vt.split.LeaveOneOut(people=31))
    return Fitting.of(one.sized(data), data if split is None else split.train, split)


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What two processes come to in each case."""
    folder = tmp_path_factory.mktemp("two")
    lessons = tuple(Lesson.of(fitting(*case), folder / name, None, None) for name, case in CASES.items())
    list(Processes(2).map(All(lessons, (folder / "meeting").as_uri()), range(2)))
    return {name: read_state(folder / name / END) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_with_the_same_batch(ends, name, monkeypatch):
    monkeypatch.setattr(products, "product_dtype", lambda states: states.dtype)
    run = fitting(*CASES[name]).run()
    progress = run.run()
    alone, end = run.state(), ends[name]
    assert progress.steps > 5
    for key in (
        key for key in alone if key.startswith("network.") and not key.endswith("key.bias")
    ):  # which softmax cancels: noise over noise
        torch.testing.assert_close(end[key], alone[key], atol=1e-5, rtol=0)
    torch.testing.assert_close(end["progress.losses"], alone["progress.losses"], atol=1e-5, rtol=0)
    torch.testing.assert_close(end["progress.metrics"], alone["progress.metrics"], atol=1e-3, rtol=0)  # of near ties


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_shares_of_a_batch_are_all_of_it_once(world):
    rng = np.random.default_rng(world)
    for _ in range(50):
        lengths = rng.integers(1, 9, rng.integers(1, 6))
        total = int(lengths.sum())
        at = np.flatnonzero(rng.random(total) < 0.6)
        at = at if len(at) else np.arange(total)
        weights = torch.from_numpy(rng.random(len(at)).astype(np.float32)) if rng.random() < 0.5 else None
        batch = Batch(
            tensor(np.arange(total)), Layout(tensor(lengths), tensor(np.arange(total))), tensor(np.arange(len(lengths))), tensor(at),
            tensor(rng.integers(0, 9, len(at))), weights,
        )  # fmt: skip
        shares = [batch.share(rank, world) for rank in range(world)]
        counting = [share for share in shares if share.weight]
        assert sum(share.weight for share in shares) == pytest.approx(1)
        assert torch.equal(torch.cat([share.positions for share in counting]), torch.arange(len(at)))
        for share in shares:
            own = share.batch
            assert torch.equal(own.rows[own.at], batch.rows[batch.at[share.positions]])
            assert torch.equal(own.layout.times, own.rows)
            assert len(own.rows) == int(own.layout.lengths.sum())


class Dying(S.Block):
    """A block whose process is killed in the second of its epochs, where it is another than the first."""

    def build(self, dim, heads, dropout, length):
        return Mortal()


class Mortal(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, x, layout, causal):
        self.seen += self.training
        if self.seen == 8 and torch.distributed.is_initialized() and torch.distributed.get_rank():
            os.kill(os.getpid(), signal.SIGKILL)
        return x


def test_a_process_that_dies_ends_the_others_and_what_is_finished_goes_on(tmp_path):
    dying = vt.SequenceModel(**EVEN | {"block": Dying(), "training": QUICK.model_copy(update={"tokens": 300})})
    told = []
    with pytest.raises(MemoryBudgetError, match="worker process was ended by the system"):
        dying.fit(DATA.on(Processes(2)), checkpoint=tmp_path / "kept", report=lambda progress: told.append(progress.epoch))
    assert told
    assert not (tmp_path / "kept" / "work").exists()
    rest = dying.fit(DATA, checkpoint=tmp_path / "kept", report=lambda progress: told.append(progress.epoch))
    assert told == [1, 2, 3]
    np.testing.assert_allclose(rest.table, dying.fit(DATA).table, atol=SUMS)
    assert list(tmp_path.iterdir()) == []


@dataclass
class Scripted:
    """An executor whose workers end as it is told."""

    ends: list

    workers = 2

    def map(self, function, items):
        return iter(self.ends)


def test_what_one_process_refuses_is_said_before_that_another_lost_it(tmp_path):
    lesson = Lesson.of(fitting(vt.SequenceModel(**EVEN), DATA), tmp_path, None, None)
    with pytest.raises(ParameterError, match="diverged"):
        _start(Scripted([RuntimeError("Connection closed by peer"), ParameterError("It diverged.")]), lesson)
    with pytest.raises(ParameterError, match="2 processes of the training lost each other: Connection closed"):
        _start(Scripted([RuntimeError("Connection closed by peer"), None]), lesson)
    (tmp_path / "begin.npz").unlink()
    with pytest.raises(ArtifactError, match="Give the fit a 'checkpoint' in a folder that all machines share"):
        lesson.learn(ALONE)


def test_nothing_but_its_number_of_processes_differs_in_a_fit(tmp_path):
    one = vt.SequenceModel(dim=8, dropout=0.3, training=QUICK.model_copy(update={"patience": 2, "epochs": 2, "refit": 1.0}))
    path: Path = tmp_path
    fitted = one.fit(DATA.on(Processes(2)), checkpoint=path / "kept")
    assert fitted.notes[0].startswith("epoch ")
    assert fitted.model == one
    assert fitted.recommend(DATA.queries(), 3).items.shape == (50, 3)
