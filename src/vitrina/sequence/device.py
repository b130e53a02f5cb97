"""Where a network is trained and asked: on a GPU when there is one; on one core in a process made by fork."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
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


if hasattr(os, "register_at_fork"):  # a child would wait for threads of PyTorch that only its parent has
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
