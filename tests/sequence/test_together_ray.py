"""Workers of a Ray cluster train as one process does; one that is lost ends the others with a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from test_together import DATA, EVEN, QUICK, SUMS, Dying

import vitrina as vt
from vitrina.base.errors import MemoryBudgetError, ParameterError
from vitrina.jobs.ray import Ray
from vitrina.jobs.ray_train import _said

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    yield
    ray.shutdown()


def test_workers_of_ray_train_as_one_process(tmp_path):
    model, told = vt.SequenceModel(**EVEN | {"training": QUICK.model_copy(update={"tokens": 300})}), []
    fitted = model.fit(DATA.on(Ray(workers=2)), checkpoint=tmp_path / "kept", report=lambda progress: told.append(progress.epoch))
    np.testing.assert_allclose(fitted.table, model.fit(DATA).table, atol=SUMS)
    assert told == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_a_worker_of_ray_that_is_lost_ends_the_others(tmp_path):
    dying = vt.SequenceModel(**EVEN | {"block": Dying(), "training": QUICK.model_copy(update={"tokens": 300})})
    with pytest.raises(MemoryBudgetError, match="goes on from the last finished epoch"):
        dying.fit(DATA.on(Ray(workers=2)), checkpoint=tmp_path / "kept")
    told = []
    dying.fit(DATA, checkpoint=tmp_path / "kept", report=lambda progress: told.append(progress.epoch))
    assert told == [3]


def test_what_a_worker_refused_is_said_before_what_it_did_to_others():
    def failed(*errors):
        failure = RuntimeError("2 workers failed")
        failure.worker_failures = dict(enumerate(errors))
        return failure

    wrapped = RuntimeError("in a task")
    wrapped.cause = ParameterError("The training diverged.")
    assert str(_said(failed(RuntimeError("Connection closed by peer"), wrapped))) == "The training diverged."
    assert "ended with KeyError: 'x'. Start it again." in str(_said(failed(KeyError("x"))))
