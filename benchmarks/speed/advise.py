"""What `vt.advise` says that a fit takes, and what it took: every public model with its defaults, on logs of several shapes.

    python -m benchmarks.speed.advise [MODEL ...]

Each fit runs on one thread of a process of its own, after one on a small log, so that nothing is compiled in it. Estimates are made in the same process, of rates measured just
before; rates and fits count seconds of the processor, so that a busy machine changes neither. Networks train for one epoch, which their estimates are then of; EASE and models
like it take the 6,000 most frequent items. Memory is what the process took at most beyond what it had before the fit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import psutil

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT, data_folder
from benchmarks.kit.planted import planted
from benchmarks.scale.shallow import forget_peak, peak
from vitrina.advise.machine import measured
from vitrina.advise.run import public_models
from vitrina.advise.size import size_of
from vitrina.base import rates
from vitrina.base.threads import ONE_THREAD

ITEMS = 6000
SECONDS, MEMORY = 0.5, 50 << 20  # what is less is noise


def _gowalla(people: int) -> vt.Dataset:
    log = pl.read_parquet(data_folder() / "gowalla" / "interactions.parquet").filter(pl.col("split") == "train")
    few = log["user_id"].unique(maintain_order=True).head(people)
    return vt.read_interactions(log.filter(pl.col("user_id").is_in(few.implode())).select("user_id", "item_id"), name="Gowalla")


LOGS: dict[str, Callable[[], vt.Dataset]] = {
    "Complete Journey": vt.complete_journey,
    "Gowalla, 5,000 people": lambda: _gowalla(5000),
    "Gowalla": lambda: _gowalla(10**9),
    "planted 1/64": lambda: planted(Fraction(1, 64))[1],
    "planted 1/16": lambda: planted(Fraction(1, 16))[1],
}
ONE_EPOCH_ON = ("Gowalla, 5,000 people", "planted 1/64")  # of networks


def short(model: Any) -> Any:
    """The config as it is measured."""
    fields = type(model).model_fields
    changes: dict[str, Any] = {"max_items": ITEMS} if "max_items" in fields else {}
    if "training" in fields:
        changes["training"] = model.training.model_copy(update={"epochs": 1, "patience": None})
    elif "torch" in model.needs and "epochs" in fields:
        changes["epochs"] = 1
    return model.model_copy(update=changes)


def inside(name: str, log: str) -> dict[str, float] | None:
    """Estimate and measure, in a process of its own; None for a model that the log can't serve."""
    model, data = short(dict(public_models())[name]), LOGS[log]()
    if ("items" in model.needs and data.item_table is None) or ("times" in model.needs and data.time_unit != "us"):
        return None
    small = vt.testing.synthetic()
    model.fit(small).recommend(small.queries(), 10)
    rates.perf_counter = time.process_time
    here, cost = measured(), model.cost(size_of(data))
    if cost is None:
        return None
    before = psutil.Process().memory_info().rss
    forget_peak()
    begin = time.process_time()
    model.fit(data)
    seconds = time.process_time() - begin
    return {
        "seconds": here.seconds(cost, network="torch" in model.needs), "took": seconds, "memory": cost.memory, "peak": peak() - before,
    }  # fmt: skip


def outside(name: str, log: str) -> dict[str, float] | None:
    command = [sys.executable, "-m", "benchmarks.speed.advise", name, "--inside", log]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | ONE_THREAD)
    print(f"{name}, {log}: {done.stdout.strip() or done.stderr[-500:]}", file=sys.stderr, flush=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def row(name: str, log: str, found: dict[str, float]) -> str:
    seconds = f"{found['seconds']:.2f} | {found['took']:.2f} | {found['seconds'] / found['took']:.2f}"
    memory = f"{found['memory'] / 1e6:,.0f} | {found['peak'] / 1e6:,.0f} | {found['memory'] / max(found['peak'], 1):.2f}"
    return f"| {name} | {log} | {seconds} | {memory} |"


def within(found: list[dict[str, float]]) -> str:
    """How many estimates were how good, of those that are more than noise."""
    pairs = {
        "time": [f["seconds"] / f["took"] for f in found if f["took"] > SECONDS],
        "memory": [f["memory"] / f["peak"] for f in found if f["peak"] > MEMORY],
    }
    said = []
    for what, ratios in pairs.items():
        off = np.maximum(ratios, 1 / np.array(ratios)) if ratios else np.empty(0)
        said.append(
            f"{what}: {np.sum(off <= 2)} of {len(off)} within a factor of 2, {np.sum(off <= 3)} within 3, {max(off, default=1):.1f} at most"
        )
    return f"Of what took more than {SECONDS} s or {MEMORY >> 20} MiB, " + "; ".join(said) + "."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(inside(given.models[0], given.inside)))
        return
    limits, rows, everything = machine(), [], []
    for name, model in public_models():
        for log in LOGS:
            if (given.models and name not in given.models) or ("torch" in model.needs and log not in ONE_EPOCH_ON):
                continue
            found = outside(name, log)
            if found is not None:
                rows.append(row(name, log, found))
                everything.append(found)
    print(
        f"{limits}.\n\n| model | log | estimate, s | took, s | ratio | estimate, MB | took, MB | ratio |\n|{'---|' * 8}\n" + "\n".join(rows)
    )
    print(f"\n{within(everything)}")


if __name__ == "__main__":
    main()
