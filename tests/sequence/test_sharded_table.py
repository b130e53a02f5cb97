"""An item table of which each process holds some rows: the same loss, gradients and step as the whole one. What docs/scale-training.md plans with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import loss_parallel

import vitrina as vt
from vitrina.base.executor import Processes
from vitrina.sequence import products
from vitrina.sequence.batches import Batch
from vitrina.sequence.fitting import Fitting
from vitrina.sequence.group import join

S = vt.sequence
DATA = vt.testing.synthetic(users=50, items=25, seed=1)  # 25 rows: one process has 13, the other 12
MODEL = vt.SequenceModel(dim=8, dropout=0.0, embed=S.Ids(), training=S.Training(tokens=150))
RATE = 1e-3


def beginning() -> tuple[Fitting, Batch]:
    fit = Fitting.of(MODEL.sized(DATA), DATA, None)
    return fit, next(iter(fit._batches(np.random.default_rng(0))))


def whole() -> dict[str, Any]:
    """Loss, gradients and weights after a step of one process."""
    fit, batch = beginning()
    fit.network.train()
    loss = fit._step(batch)
    loss.backward()
    return ended(loss, fit.network.table.ids.weight, fit.network.body)


def test_a_weight_costs_what_the_page_says():
    """24 bytes at rest; with the gradient that the softmax makes first and the copy that processes exchange, 4 each, 32."""
    fit = Fitting.of(MODEL.sized(DATA), DATA, DATA.split(vt.split.LeaveOneOut()))
    run = fit.run(epochs=1)
    run.run()
    table = fit.network.table.ids.weight
    moments = [value for value in run.optimiser.state[table].values() if value.shape == table.shape]
    held = [table, table.grad, *moments, run.averaged[0], run.best_weights["table.ids.weight"]]
    assert {part.shape for part in held} == {table.shape}
    assert sum(part.numel() * part.element_size() for part in held) == 24 * table.numel()


def ended(loss: torch.Tensor, table: nn.Parameter, body: nn.Module) -> dict[str, Any]:
    def full(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    gradients = {
        name: np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.numpy().copy()
        for name, parameter in body.named_parameters()
    }
    assert table.grad is not None
    gradients["table"] = full(table.grad).numpy().copy()
    torch.optim.AdamW([table], lr=RATE).step()
    moments = table.to_local() if isinstance(table, DTensor) else table
    return {"loss": float(full(loss.detach())), "rows": len(moments), "table": full(table.detach()).numpy().copy(), "gradients": gradients}


def by_rows(mesh: Any) -> dict[str, Any]:
    """Rows are looked up and scored where they are: tokens x dim numbers are added up over processes, and two sums per position for the softmax."""
    fit, batch = beginning()
    fit.network.train()
    table = nn.Parameter(distribute_tensor(fit.network.table.ids.weight.detach(), mesh, [Shard(0)]))
    rows = distribute_tensor(batch.rows, mesh, [Replicate()])
    tokens = F.embedding(rows, table).redistribute(mesh, [Replicate()]).to_local()
    states = fit.network.body.states(tokens, batch.layout, batch.at, MODEL.objective.causal)
    logits = DTensor.from_local(states, mesh, [Replicate()]) @ table.t()  # (positions, the rows that are here)
    with loss_parallel():
        loss = F.cross_entropy(logits, distribute_tensor(batch.targets, mesh, [Replicate()]))
        loss.backward()
    return ended(loss, table, fit.network.body)


def at_rest(mesh: Any) -> dict[str, Any]:
    """FSDP: rows are apart between steps, and together while the loss is computed; each process learns from the same batch here."""
    fit, batch = beginning()
    fit.network.train()
    fully_shard(fit.network.table, mesh=mesh)
    loss = fit._step(batch)
    loss.backward()
    return ended(loss, fit.network.table.ids.weight, fit.network.body)


@dataclass(frozen=True)
class Both:
    meeting: str

    def __call__(self, rank: int) -> list[dict[str, Any]]:
        products.product_dtype = lambda states: states.dtype
        join(rank, 2, self.meeting)
        mesh = init_device_mesh("cpu", (2,))
        ends = [by_rows(mesh), at_rest(mesh)]
        torch.distributed.destroy_process_group()
        return ends


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    meeting = (tmp_path_factory.mktemp("rows") / "meeting").as_uri()
    return list(Processes(2).map(Both(meeting), range(2)))


@pytest.mark.parametrize("way", [0, 1], ids=["by rows", "at rest"])
def test_a_table_over_two_processes_learns_as_one(ends, way, monkeypatch):
    monkeypatch.setattr(products, "product_dtype", lambda states: states.dtype)
    one = whole()
    for rank in (0, 1):
        two = ends[rank][way]
        assert (one["rows"], two["rows"]) == (25, 13 - rank)
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-6)
        np.testing.assert_allclose(two["table"], one["table"], atol=1e-6)
        assert two["gradients"].keys() == one["gradients"].keys()
        for name, gradient in one["gradients"].items():
            np.testing.assert_allclose(two["gradients"][name], gradient, atol=1e-6, err_msg=name)
