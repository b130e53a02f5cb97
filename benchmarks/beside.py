"""What the benchmarks of models share: the log, the libraries in their environments, the limits of the machine, the table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).parent


def data_folder() -> Path:
    """Where the real data are: $VITRINA_DATA, or shared/data beside the project."""
    folder = Path(os.environ.get("VITRINA_DATA", HERE.parent.parent / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"The real data are not in {folder}. Set VITRINA_DATA to their folder.")
    return folder


def beauty_without_last() -> pl.DataFrame:
    """Columns user and item of Amazon Beauty, all but the last item of each user, oldest first."""
    log = pl.read_parquet(data_folder() / "amazon-beauty" / "interactions.parquet").sort("user_id", "order")
    log = log.filter(pl.col("order") < pl.col("order").max().over("user_id"))
    return log.select(user="user_id", item="item_id")


def run_item_model(library: str, model: str, log: Path, repeat: int, *, cold: bool = False) -> dict[str, Any]:
    """Seconds and lists of one process; `cold` gives it an empty folder for compiled kernels."""
    if library in ("rectools", "irspack"):
        subprocess.run(["sh", str(HERE / "peers.sh"), library], check=True)
        python = str(HERE / ".venvs" / library / "bin" / "python")
    else:
        python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        lists = Path(folder) / "lists.parquet"
        environment = os.environ | ({"NUMBA_CACHE_DIR": folder} if cold else {})
        command = [python, str(HERE / "item_models.py"), library, model, str(log), str(lists), str(repeat)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            sys.exit(f"{library} failed:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout.splitlines()[-1]) | {"lists": pl.read_parquet(lists)}


def best(runs: Sequence[dict[str, Any]], which: str = "later") -> list[float]:
    """The run with the least fit + recommend."""
    return min((run[which] for run in runs), key=sum)


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


def machine() -> str:
    """One line: processor, cores, its limits, load, versions, commit."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, sgemm {sgemm():.0f} GFLOP/s, copy {bandwidth():.1f} GB/s, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, NumPy {np.__version__}, commit {commit}"
    )


def agreement(mine: pl.DataFrame, theirs: pl.DataFrame) -> str:
    """How far two tables of lists agree: items place by place, and scores place by place, which ties can't change."""
    both = mine.join(theirs, on=["user", "rank"], suffix="_theirs").filter(pl.col("score").is_finite())
    same = (both["item"] == both["item_theirs"]).mean()
    close = ((both["score"] - both["score_theirs"]).abs() < 1e-4).mean()
    return f"{close:.2%} of the places have the same score (to 1e-4), {same:.2%} the same item"
