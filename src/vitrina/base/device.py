"""Where a network is trained and asked: on a GPU when there is one; on one core in a process made by fork."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


def training_device() -> torch.device:
    """The first CUDA GPU, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def narrow_products(device: torch.device) -> AbstractContextManager[Any]:
    """Matrix products and attention of the body in bfloat16 on a GPU that has it; float32 on a CPU, where the body is small beside the loss."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Sums on a GPU in one order wherever PyTorch has a way to, so that a seed gives the same weights twice; a CPU adds so by itself."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first product of the process is asked for
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*(deterministic|CUBLAS_WORKSPACE_CONFIG)")
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


if hasattr(os, "register_at_fork"):  # a child would wait for threads of PyTorch that only its parent has
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
