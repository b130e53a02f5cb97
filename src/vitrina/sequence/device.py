"""Where a network is trained: on a GPU when there is one."""

from __future__ import annotations

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
