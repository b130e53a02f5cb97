"""Processor seconds per epoch of each block beside LiGR's, at the same dim, heads, layers and length.

    python -m benchmarks.speed.sequence_blocks [ml-100k] [amazon-beauty] [ml-1m] [--rounds 3] [--batches 20] [--layers N]

Everything but the block is `eSASRec()` with one head and 64 dimensions, on one thread. The same batches of about 2,048 tokens are learned by all blocks in turn, `--rounds` times; the
quickest round is scaled to an epoch. Nothing is judged. Logs whose only time is an order get drawn times (gaps from seconds to years), so that blocks do all
they do. Processor seconds are compared, as other work on the machine changes them little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import ordered
from benchmarks.quality.boards import JOBS
from vitrina.sequence.fitting import Fitting

s = vt.sequence
BASE = "LiGR"
BLOCKS: dict[str, Any] = {
    BASE: s.LiGR(),
    "LiGR, rotary positions": s.LiGR(positions=s.Rotary()),
    "LiGR, relative positions": s.LiGR(positions=s.RelativePositions()),
    "HSTU": s.HSTU(),
    "FuXi-alpha": s.FuXiAlpha(),
    "FuXi-alpha, multiplier 4": s.FuXiAlpha(multiplier=4),
    "FuXi-beta": s.FuXiBeta(),
    "FuXi-Linear": s.FuXiLinear(),
}
SEED = 0


def clocked(name: str) -> vt.Dataset:
    """A log of an order, with drawn times."""
    data = ordered(name)
    gaps = (
        np.exp(np.random.default_rng(SEED).normal(9, 4, data.n_events)).clip(max=1e8) * 1e6
    )  # microseconds, half of them below three hours
    first = np.repeat(data.indptr[:-1], np.diff(data.indptr))
    ran = np.cumsum(gaps.astype(np.int64))
    return replace(data, events=replace(data.events, times=ran - ran[first]), time_unit="us")


LOGS: Mapping[str, Callable[[], vt.Dataset]] = {
    "ml-100k": JOBS["ml-100k"].load, "amazon-beauty": lambda: clocked("amazon-beauty"), "ml-1m": lambda: clocked("ml-1m"),
}  # fmt: skip


@dataclass
class Trained:
    """One block on one log: a step for each batch, and the seconds of each round."""

    fitting: Fitting
    run: Any
    batches: list[Any]
    share: float  # of the epoch's tokens
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, block: Any, data: vt.Dataset, options: argparse.Namespace) -> Trained:
        model = vt.eSASRec(block=block, layers=options.layers, training=s.Training(patience=None, epochs=1), seed=SEED)
        fitting = Fitting.of(model.sized(data), data, None)
        run = fitting.run()
        run.network.train()
        every = fitting._batches(np.random.default_rng(SEED))
        batches = [batch for _, batch in zip(range(options.batches), every, strict=False)]
        return cls(fitting, run, batches, sum(len(b.rows) for b in batches) / (fitting.windows.lengths - 1).sum())

    def go(self) -> None:
        begin = time.process_time()
        for batch in self.batches:
            loss = self.fitting._step(batch)
            self.run.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.run.optimiser.step()
        self.seconds.append((time.process_time() - begin) / self.share)


def rows(log: str, data: vt.Dataset, options: argparse.Namespace) -> Iterator[str]:
    trained = {name: Trained.of(block, data, options) for name, block in BLOCKS.items()}
    for _ in range(options.rounds + 1):
        for one in trained.values():
            one.go()
    quickest = {name: min(one.seconds[1:]) for name, one in trained.items()}  # the first round warms up
    for name, seconds in quickest.items():
        most = max(trained[name].seconds[1:])
        yield f"| {log} | {name} | {seconds:.1f} | {most:.1f} | {seconds / quickest[BASE]:.2f} x |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"one or more of {', '.join(LOGS)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=20, help="of an epoch, in each round")
    parser.add_argument("--layers", type=int, default=None, help="the default's for the size of the log where not given")
    options = parser.parse_args()
    if unknown := set(options.logs) - set(LOGS):
        parser.error(f"There is no log {', '.join(sorted(unknown))}. Known: {', '.join(LOGS)}.")
    options.logs = options.logs or list(LOGS)
    torch.set_num_threads(1)
    limits = machine()
    found = [row for log in options.logs for row in rows(log, LOGS[log](), options)]
    said = (
        f"Processor seconds of one thread, dim 64, one head, windows of at most 200 events, full softmax; the quickest and the slowest of {options.rounds} rounds in turn over {options.batches} "
        f"batches, scaled to an epoch. {limits}."
    )
    print("\n".join([said, "", "| log | block | an epoch, s | slowest round | LiGR's time |", f"|{'---|' * 5}", *found]))


if __name__ == "__main__":
    main()
