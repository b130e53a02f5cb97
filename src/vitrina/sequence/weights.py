"""The weights of a module as arrays of an artifact."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import nn

from vitrina.base.state import Arrays

M = TypeVar("M", bound=nn.Module)


def weights_of(module: nn.Module, prefix: str) -> dict[str, NDArray[Any]]:
    """Each of them, named behind the prefix."""
    return {prefix + name: value.numpy() for name, value in module.state_dict().items()}


def with_weights(module: M, arrays: Arrays, prefix: str) -> M:
    """The module with the weights that `weights_of` gave, ready to answer."""
    named = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    # copies: torch wants arrays that it could write to, and those of an artifact are mapped from files
    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in named.items()})
    return module.eval()
