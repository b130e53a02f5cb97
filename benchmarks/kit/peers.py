"""Other libraries, each in an environment and a process of its own, on the same log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.kit.places import BENCHMARKS, CACHE, data_folder

PEERS = BENCHMARKS / "peers"


def peer_python(library: str) -> str:
    """The interpreter of a peer's environment, which is made where it is missing."""
    subprocess.run(["sh", str(PEERS / "setup.sh"), library], check=True)
    return str(CACHE / "venvs" / library / "bin" / "python")


def beauty_without_last() -> pl.DataFrame:
    """Columns user and item of Amazon Beauty, all but the last item of each user, oldest first."""
    log = pl.read_parquet(data_folder() / "amazon-beauty" / "interactions.parquet").sort("user_id", "order")
    log = log.filter(pl.col("order") < pl.col("order").max().over("user_id"))
    return log.select(user="user_id", item="item_id")


def run_item_model(library: str, model: str, log: Path, repeat: int, *, cold: bool = False) -> dict[str, Any]:
    """Seconds and lists of one process; `cold` gives it an empty folder for compiled kernels."""
    python = peer_python(library) if library in ("rectools", "irspack") else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        lists = Path(folder) / "lists.parquet"
        environment = os.environ | ({"NUMBA_CACHE_DIR": folder} if cold else {})
        command = [python, str(PEERS / "item_models.py"), library, model, str(log), str(lists), str(repeat)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            sys.exit(f"{library} failed:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout.splitlines()[-1]) | {"lists": pl.read_parquet(lists)}


def best(runs: Sequence[dict[str, Any]], which: str = "later") -> list[float]:
    """The run with the least fit + recommend."""
    return min((run[which] for run in runs), key=sum)


def agreement(mine: pl.DataFrame, theirs: pl.DataFrame) -> str:
    """How far two tables of lists agree: items place by place, and scores place by place, which ties can't change."""
    both = mine.join(theirs, on=["user", "rank"], suffix="_theirs").filter(pl.col("score").is_finite())
    same = (both["item"] == both["item_theirs"]).mean()
    close = ((both["score"] - both["score_theirs"]).abs() < 1e-4).mean()
    return f"{close:.2%} of the places have the same score (to 1e-4), {same:.2%} the same item"
