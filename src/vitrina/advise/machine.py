"""What this machine has and how fast it is, measured in a moment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import final

import psutil

from vitrina.base.kernels import THREADS
from vitrina.base.rates import best_of, jump_rate, product_rate
from vitrina.models.cost import Cost

GPU_SIDE = 4096  # of the matrices that a GPU multiplies


@final
@dataclass(frozen=True)
class Machine:
    """Rates that estimates of time are divided by.

    Args:
        products: operations per second of products of float32 matrices, by all threads.
        jumps: additions per second to random places of memory, by one thread.
        threads: of compiled loops.
        cores: of the processor.
        free: bytes of memory.
        torch: whether PyTorch is installed.
        gpu: its name; empty where there is none.
        gpu_products: operations per second there.
    """

    products: float
    jumps: float
    threads: int
    cores: int
    free: int
    torch: bool
    gpu: str = ""
    gpu_products: float = 0

    def seconds(self, cost: Cost, *, network: bool = False) -> float:
        """An estimate of the time of a fit; products of a `network` are the GPU's where there is one."""
        products = self.gpu_products if network and self.gpu else self.products
        return cost.flops / products + cost.steps / (self.jumps * self.threads)


def measured() -> Machine:
    """This machine, as busy as it is now. Cost: a second."""
    torch = find_spec("torch") is not None
    gpu, gpu_products = _gpu() if torch else ("", 0.0)
    free = psutil.virtual_memory().available
    return Machine(product_rate(), jump_rate(), THREADS, os.cpu_count() or 1, free, torch, gpu, gpu_products)


def _gpu() -> tuple[str, float]:
    """Name and rate of the first CUDA GPU."""
    import torch  # noqa: PLC0415  an extra

    if not torch.cuda.is_available():
        return "", 0.0
    matrix = torch.ones((GPU_SIDE, GPU_SIDE), device="cuda")

    def multiply() -> None:
        torch.mm(matrix, matrix)
        torch.cuda.synchronize()

    multiply()
    return torch.cuda.get_device_name(), 2 * GPU_SIDE**3 / best_of(multiply)
