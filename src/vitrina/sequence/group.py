"""The processes that train one network together, each with its part of every batch; or the one that trains alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from vitrina.types import Float64

APART = 0x9E3779B97F4A7C15  # so far apart are the seeds of two processes


class Group:
    """One process alone: it has all of each batch, and nothing to tell anybody."""

    rank: int = 0
    world: int = 1

    def begin(self, seed: int) -> None:
        """A step begins: from here on every process draws the same."""

    def apart(self) -> None:
        """From here to the end of the step each process draws for itself."""

    def sum(self, parameters: Sequence[nn.Parameter], loss: Tensor) -> float:
        """Add up the gradients of all processes, in place, and their shares of the loss, which is returned."""
        return float(loss.detach())

    def joined(self, values: Float64, at: slice, size: int) -> Float64:
        """(size,) what each process has of it, `values` being that of `at`."""
        return values


ALONE = Group()


@final
class Member(Group):
    """One of several processes, between which torch.distributed is set up already.

    Cost: a step sends and receives 2 (world - 1) / world x 4 bytes per weight, and holds a copy of the gradients.
    """

    def __init__(self) -> None:
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self._seed = 0
        self._buffer: Tensor | None = None

    def begin(self, seed: int) -> None:
        self._seed = seed
        torch.manual_seed(seed)

    def apart(self) -> None:
        torch.manual_seed((self._seed + (self.rank + 1) * APART) % (1 << 63))

    def sum(self, parameters: Sequence[nn.Parameter], loss: Tensor) -> float:
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        parts = [loss.detach().reshape(1), *(grad.reshape(-1) for grad in grads)]
        size = sum(len(part) for part in parts)
        if self._buffer is None or len(self._buffer) != size:
            self._buffer = torch.empty(size, dtype=loss.dtype, device=loss.device)
        torch.cat(parts, out=self._buffer)
        dist.all_reduce(self._buffer)
        total, *sums = self._buffer.split([len(part) for part in parts])
        for grad, summed in zip(grads, sums, strict=True):
            grad.copy_(summed.view_as(grad))
        return float(total)

    def joined(self, values: Float64, at: slice, size: int) -> Float64:
        whole = np.zeros(size)
        whole[at] = values
        shared = torch.from_numpy(whole)
        if dist.get_backend() == "nccl":
            shared = shared.to("cuda")
        dist.all_reduce(shared)
        return shared.cpu().numpy()


def join(rank: int, world: int, meeting: str) -> Member:
    """Meet the other processes at an address that all can reach: `file:///...` or `tcp://host:port`. NCCL where each has a GPU, gloo elsewhere."""
    backend = "nccl" if torch.cuda.is_available() and torch.cuda.device_count() >= world else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(rank)
    dist.init_process_group(backend, init_method=meeting, rank=rank, world_size=world)
    return Member()
