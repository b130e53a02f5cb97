"""How many threads kernels and products of matrices take: said by the environment, before NumPy and Numba are loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ONE_THREAD: dict[str, str] = dict.fromkeys(THREAD_VARIABLES, "1")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables of the environment while the block runs, also for processes that are started inside; then what they were."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def one_thread_each() -> None:
    """Everything is computed in the thread that asks for it, where the environment doesn't say otherwise: for a process whose other cores have work."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
