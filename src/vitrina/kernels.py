"""How the few compiled kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any] | None = None, *, parallel: bool = False, fastmath: bool = False) -> Any:
    """Compile `function` with numba; keep the result on disk where some folder is writable.

    The first call on a machine compiles (seconds); later processes read the cache.
    """

    def compile_one(f: Callable[..., Any]) -> Callable[..., Any]:
        options: dict[str, Any] = {"parallel": parallel, "fastmath": fastmath, "nogil": True}
        try:
            return numba.njit(cache=True, **options)(f)
        except RuntimeError:  # numba found no folder to cache in
            return numba.njit(cache=False, **options)(f)

    return compile_one if function is None else compile_one(function)
