"""How many threads kernels and products of matrices take: said by the environment, before NumPy and Numba are loaded."""

from __future__ import annotations

import os

THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread_each() -> None:
    """Everything is computed in the thread that asks for it, where the environment doesn't say otherwise: for a process whose other cores have work."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
