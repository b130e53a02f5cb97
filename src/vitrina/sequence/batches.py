"""Packed batches of windows; no loop over users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitrina.forms.windows import Sequences
from vitrina.sequence.layout import Layout
from vitrina.types import Int64


@dataclass(frozen=True, eq=False)
class Batch:
    """Packed tokens, where they are asked, and what should be named there."""

    rows: Tensor  # (tokens,) rows of the item table, -1 for a mask
    layout: Layout
    users: Tensor  # (windows,) user codes, -1 unknown
    at: Tensor  # (positions,) tokens that are asked
    targets: Tensor  # (positions,) rows; empty when there is nothing to learn
    weights: Tensor | None = None  # (positions,) how much each target counts; None: all alike

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        weights = None if self.weights is None else self.weights.to(device)
        return Batch(
            self.rows.to(device), self.layout.to(device), self.users.to(device), self.at.to(device), self.targets.to(device), weights
        )


def tensor(array: NDArray[Any]) -> Tensor:
    """Whole numbers as a tensor of int64."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))


def weights_of(windows: Sequences, place: Int64) -> Tensor | None:
    """How much targets at these places count; None where the log has no weights."""
    return None if windows.weights is None else torch.from_numpy(np.ascontiguousarray(windows.weights[place], dtype=np.float32))
