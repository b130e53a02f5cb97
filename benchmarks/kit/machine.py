"""The limits of the machine, and the line that says which one it was."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kit.places import ROOT


def sgemm(size: int = 4000) -> float:
    """GFLOP/s of a float32 matrix multiplication, the best of five."""
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    return 2 * size**3 / min(_seconds(lambda: a @ a) for _ in range(5)) / 1e9


def bandwidth() -> float:
    """GB/s that copying 400 MB reaches, reading and writing counted, the best of five."""
    source = np.ones(50_000_000)
    target = np.empty_like(source)
    return 2 * source.nbytes / min(_seconds(lambda: np.copyto(target, source)) for _ in range(5)) / 1e9


def _seconds(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


# what keeps the libraries that we train with to AVX2: PyTorch (and so our choice of float32), oneDNN, MKL, OpenBLAS, numba
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.2,+f16c,+movbe",
}  # fmt: skip
WIDE = {"avx512_bf16": "AVX-512 with bfloat16", "avx512f": "AVX-512", "avx2": "AVX2"}  # by their flags, the widest first


def processor() -> str:
    """Name, number of cores, and the widest instructions that numbers depend on most; those that are used, where the environment has `AVX2`."""
    about = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    wide = [name for flag, name in WIDE.items() if re.search(rf"^flags.*\b{flag}\b", about, re.MULTILINE)]
    if wide and wide[0] != "AVX2" and AVX2.items() <= os.environ.items():
        wide = [f"emulated AVX2 only (it has {wide[0]})"]
    return ", ".join([names[0] if names else platform.processor(), f"{os.cpu_count()} cores", *(wide[:1] or ["instructions unknown"])])


def commit() -> str:
    """Of the checkout, in short."""
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def machine() -> str:
    """One line: processor, cores, its limits, load, versions, commit."""
    return (
        f"{processor()}, sgemm {sgemm():.0f} GFLOP/s, copy {bandwidth():.1f} GB/s, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, NumPy {np.__version__}, commit {commit()}"
    )
