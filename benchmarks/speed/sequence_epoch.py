"""Seconds per epoch on Amazon Beauty (all but the last item of each user), beside RecTools' SASRec with sampled softmax, in the same run.

    python -m benchmarks.speed.sequence_epoch [--rounds 2] [--epochs 3] [--peer-epochs 1] [--quality [20]] [--ligr] [--fit] [--avx2]

Everything has 64 dimensions, one block, one head and 2 threads and, but for our default, the last 50 items; the peer draws 256 uniform negatives per position for batches of
128 people, its defaults. Each library trains in its own environment and process (see peers/setup.sh), in turn, `--rounds` times. The peer takes
minutes per epoch, so its quality after 20 epochs is only measured with `--quality` (about an hour), and kept.
`--avx2` keeps all libraries, the peer's too, to AVX2 where the processor has more (float32 products; no AVX-512 and no bfloat16), and the rows say so.
`--fit` also takes one whole fit of the default, with its validation and early stopping (5 minutes).
The machine's limit is the rate of its matrix products in the same run: a full softmax needs 6 x positions x items x dim operations per epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from benchmarks.kit.machine import AVX2
from benchmarks.kit.peers import PEERS, beauty_without_last, peer_python
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import CODE, RUNS, card, leave_one_out

THREADS, DIM = 2, 64
MODELS = {
    ("vitrina", "default"): "Vitrina, `eSASRec()`: one block for a log of this size, length 200, full softmax",
    ("vitrina", "shared"): "Vitrina, `eSASRec(length=50)` with 4,096 negatives shared by a batch, half in-batch, log q corrected",
    ("vitrina", "same"): "Vitrina, SASRec's block, 256 uniform negatives per position, like the peer",
    ("rectools", "sasrec"): "RecTools 0.19 SASRec, sampled softmax, 256 negatives",
    ("rectools", "ligr"): "RecTools 0.19 SASRec with LiGR layers, sampled softmax, 256 negatives",
}
LIMIT = """
import json, sys, time
import torch
items, dim = map(int, sys.argv[1:])

def best(work, repeat=5):
    work()
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)

def rates(dtype):
    square = torch.randn(3000, 3000).to(dtype)
    states, table = torch.randn(256, dim).to(dtype), torch.randn(items, dim).to(dtype)
    slope = torch.randn(256, items).to(dtype)
    def loss():
        for _ in range(10):
            states @ table.t(), slope @ table, slope.t() @ states
    return [2 * 3000**3 / best(lambda: square @ square), 10 * 6 * 256 * items * dim / best(loss)]

kinds = ["float32"] + ["bfloat16"] * ("AVX512" in torch.backends.cpu.get_cpu_capability())  # without its instructions that takes minutes
print(json.dumps({kind: rates(getattr(torch, kind)) for kind in kinds}))
"""


FIT = """
import json, sys, time
import polars as pl
import vitrina as vt
data = vt.read_interactions(pl.read_parquet(sys.argv[1]), user="user", item="item")
begin = time.perf_counter()
fitted = vt.eSASRec().fit(data)
print(json.dumps({"seconds": time.perf_counter() - begin, "notes": fitted.notes}))
"""
MACHINE = "import json; from benchmarks.kit.machine import machine; print(json.dumps(machine()))"


def environment() -> dict[str, str]:
    """Two threads for every library. Where other work has a core, set OMP_WAIT_POLICY=passive: threads that wait busily are slow there."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return os.environ | dict.fromkeys(names, str(THREADS))


def last_line(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        sys.exit(f"{command[1]} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def train(which: tuple[str, str], log: Path, epochs: int, seed: int = 0) -> dict[str, Any]:
    """Seconds and lists of one process."""
    library, model = which
    python = sys.executable
    if library == "rectools":
        python = peer_python("rectools-torch")
    with tempfile.TemporaryDirectory() as folder:
        lists = Path(folder) / "lists.parquet"
        found = last_line([python, str(PEERS / "sequence_models.py"), library, model, str(log), str(lists), str(epochs), str(seed)])
        return found | {"lists": pl.read_parquet(lists)}


def accuracy(lists: pl.DataFrame) -> dict[str, float]:
    """Recall@10 and nDCG@10 of the left-out items: one per person, so nDCG is 1 / log2(rank + 1) where it is found."""
    log = pl.read_parquet(data_folder() / "amazon-beauty" / "interactions.parquet")
    truth = log.filter(pl.col("order") == pl.col("order").max().over("user_id")).select(user="user_id", item="item_id").cast(pl.Int64)
    gains = truth.join(lists, on=["user", "item"], how="left").select(1 / (pl.col("rank") + 1).log(2)).to_series().fill_null(0.0).to_numpy()
    return {"recall": float((gains > 0).mean()), "ndcg": float(gains.mean()), "error": float(gains.std(ddof=1) / np.sqrt(len(gains)))}


def quality(which: tuple[str, str], log: Path, epochs: int, *, run: bool) -> dict[str, Any] | None:
    """Accuracy after so many epochs, from the file where it was kept or, if it may, from a run."""
    code = CODE["sequence"] if which[0] == "vitrina" else "0.19"
    file = RUNS / f"epochs-{'-'.join(which)}-{epochs}-{code}.json"
    if not file.exists():
        if not run:
            return None
        found = train(which, log, epochs)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(accuracy(found.pop("lists")) | found), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def row(which: tuple[str, str], runs: list[dict[str, Any]], peer: float, after: dict[str, Any] | None) -> str:
    epochs = [seconds for run in runs for seconds in run["epochs"]]
    found = f"{after['recall']:.4f} | {after['ndcg']:.4f}" if after else "not measured | not measured"
    one = f"{median(epochs):.2f} ({min(epochs):.2f} to {max(epochs):.2f})"
    return f"| {MODELS[which]} | {one} | {len(epochs)} | {peer / median(epochs):.1f}x | {found} | {min(run['recommend'] for run in runs):.2f} |"


def limits(log: pl.DataFrame) -> str:
    """What the matrix products of a full softmax would need alone."""
    users, items = log["user"].n_unique(), log["item"].n_unique()
    positions = len(log) - users
    work = 6 * positions * items * DIM
    rates = last_line([sys.executable, "-c", LIMIT, str(items), str(DIM)])
    told = (
        f"{name} {square / 1e9:.0f} GFLOP/s in squares of 3,000 ({work / square:.1f} s), {thin / 1e9:.0f} in the three products of the loss "
        f"({work / thin:.1f} s)"
        for name, (square, thin) in rates.items()
    )
    return f"The machine's limit: a full softmax over {items:,} items at {positions:,} positions is {work / 1e9:,.0f} GFLOP per epoch. {'; '.join(told)}."


def main(about: str | None = __doc__, *, avx2: bool = False) -> None:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="of Vitrina in each round")
    parser.add_argument("--peer-epochs", type=int, default=1, help="of the peer in each round")
    parser.add_argument(
        "--quality", type=int, nargs="?", const=20, metavar="EPOCHS", help="also train so many epochs each and judge the lists"
    )
    parser.add_argument("--ligr", action="store_true", help="also the peer with LiGR layers")
    parser.add_argument("--fit", action="store_true", default=avx2, help="also one fit of the default, with validation")
    parser.add_argument("--avx2", action="store_true", default=avx2, help="keep every library to AVX2")
    options = parser.parse_args()
    if options.avx2:
        os.environ.update(AVX2)  # what is measured runs in processes of its own
    print("\n".join(measured(options)))


def measured(options: argparse.Namespace) -> Iterator[str]:
    """The page's paragraphs."""
    named: Any = last_line([sys.executable, "-c", MACHINE])
    chosen = [which for which in MODELS if options.ligr or which[1] != "ligr"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.parquet"
        beauty = beauty_without_last()
        beauty.write_parquet(log)
        runs: dict[tuple[str, str], list[dict[str, Any]]] = {which: [] for which in chosen}
        for _ in range(options.rounds):
            for which, done in runs.items():
                done.append(train(which, log, options.epochs if which[0] == "vitrina" else options.peer_epochs))
        after = {which: quality(which, log, options.quality or 20, run=options.quality is not None) for which in chosen}
        fit = last_line([sys.executable, "-c", FIT, str(log)]) if options.fit else None
    peer = median(seconds for run in runs["rectools", "sasrec"] for seconds in run["epochs"])
    yield f"Amazon Beauty without the last item of each person, {THREADS} threads, median of all epochs (range). {named}.\n"
    yield f"{card(leave_one_out('amazon-beauty'))}\n"
    yield f"| model | an epoch, s | epochs | faster by | Recall@10 after {options.quality or 20} | nDCG@10 | top 10 of all 22,363, s |\n|{'---|' * 7}"
    for which in chosen:
        yield row(which, runs[which], peer, after[which])
    yield f"\n{limits(beauty)}"
    if fit:
        yield f"One fit of the default, stopped by its validation: {fit['seconds']:.0f} s ({'; '.join(fit['notes'])})."
    if known := next(filter(None, after.values()), None):
        yield f"One sampling error of nDCG@10 is {known['error']:.4f}. Trained on all but the last item, no validation, one seed."


if __name__ == "__main__":
    main()
