"""Seconds per epoch of each block beside LiGR's, at the same dim, heads, layers and length.

    python -m benchmarks.speed.sequence_blocks [ml-100k] [amazon-beauty] [ml-1m] [--rounds 3] [--batches 20] [--layers N] [--tokens N] [--blocks LiGR HSTU] [--compiled]

Everything but the block is `eSASRec()` with one head and 64 dimensions. The same batches of about 2,048 tokens are learned by all blocks in turn, `--rounds` times; the
quickest round is scaled to an epoch. Nothing is judged. Logs whose only time is an order get drawn times (gaps from seconds to years), so that blocks do all
they do. On a CPU these are processor seconds of one thread, as other work on the machine changes them little; on a GPU, where there is one, the seconds that pass, with
products in bfloat16 and sums in one order, as a fit has them. `--compiled` puts each block beside itself under `torch.compile`, whose own time is the warm-up's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import ordered
from benchmarks.quality.boards import JOBS
from vitrina.base.device import repeatable, training_device
from vitrina.sequence.blocks.relative import apart
from vitrina.sequence.fitting import Fitting
from vitrina.sequence.layout import Layout

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
DEVICE = training_device()


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
    def of(cls, block: Any, data: vt.Dataset, options: argparse.Namespace, compiled: bool = False) -> Trained:
        training = s.Training(patience=None, epochs=1, tokens=options.tokens)
        model = vt.eSASRec(block=block, layers=options.layers, training=training, seed=SEED)
        fitting = Fitting.of(model.sized(data), data, None)
        run = fitting.run()
        run.network.train()
        if compiled:
            for module in run.network.body.blocks:
                module.compile(dynamic=True)
            run.network.body.blocks.insert(0, Known())
        every = fitting._batches(np.random.default_rng(SEED))
        batches = [batch for _, batch in zip(range(options.batches), every, strict=False)]
        return cls(fitting, run, batches, sum(len(b.rows) for b in batches) / (fitting.windows.lengths - 1).sum())

    def go(self) -> None:
        begin = clock()
        with repeatable(DEVICE):
            for batch in self.batches:
                loss = self.fitting._step(batch)
                self.run.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self.run.optimiser.step()
        self.seconds.append((clock() - begin) / self.share)


class Known(nn.Module):
    """A layer that leaves tokens as they are and works out what blocks ask of a layout: a number that is read from a tensor would break their graph."""

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        layout.once(apart)
        assert layout.real.shape[1] == layout.width
        return layout.pack(layout.pad(x))


def clock() -> float:
    """Processor seconds; on a GPU seconds, when all that was asked of it is done."""
    if DEVICE.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def rows(log: str, data: vt.Dataset, options: argparse.Namespace) -> Iterator[str]:
    kinds = [(name, compiled) for name in options.blocks for compiled in ((False, True) if options.compiled else (False,))]
    trained = {(name, compiled): Trained.of(BLOCKS[name], data, options, compiled) for name, compiled in kinds}
    for _ in range(options.rounds + 1):
        for one in trained.values():
            one.go()
    quickest = {kind: min(one.seconds[1:]) for kind, one in trained.items()}  # the first round warms up
    digits = 1 if DEVICE.type == "cpu" else 2
    for (name, compiled), seconds in quickest.items():
        one = trained[name, compiled]
        cells = [
            log,
            name + ", compiled" * compiled,
            f"{seconds:.{digits}f}",
            f"{max(one.seconds[1:]):.{digits}f}",
            f"{seconds / quickest[BASE, False]:.2f} x",
        ]
        if options.compiled:
            cells.append(f"{(one.seconds[0] - seconds) * one.share:.0f}" if compiled else "")
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"one or more of {', '.join(LOGS)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=20, help="of an epoch, in each round")
    parser.add_argument("--layers", type=int, default=None, help="the default's for the size of the log where not given")
    parser.add_argument("--tokens", type=int, default=s.Training().tokens, help="of a batch")
    parser.add_argument(
        "--blocks", nargs="+", default=list(BLOCKS), choices=BLOCKS, metavar="BLOCK", help=f"{BASE} and others of {', '.join(BLOCKS)}"
    )
    parser.add_argument("--compiled", action="store_true", help="each under torch.compile too")
    options = parser.parse_args()
    if unknown := set(options.logs) - set(LOGS):
        parser.error(f"There is no log {', '.join(sorted(unknown))}. Known: {', '.join(LOGS)}.")
    options.logs, options.blocks = options.logs or list(LOGS), list(dict.fromkeys([BASE, *options.blocks]))
    torch.set_num_threads(1)
    limits = machine()
    found = [row for log in options.logs for row in rows(log, LOGS[log](), options)]
    seconds = (
        "Processor seconds of one thread"
        if DEVICE.type == "cpu"
        else f"Seconds on one {torch.cuda.get_device_name()} (bfloat16, PyTorch {torch.__version__})"
    )
    said = (
        f"{seconds}, dim 64, one head, windows of at most 200 events, full softmax; the quickest and the slowest of {options.rounds} rounds in turn over {options.batches} "
        f"batches of {options.tokens:,} tokens, scaled to an epoch. {limits}."
    )
    heads = ["log", "block", "an epoch, s", "slowest round", "LiGR's time", *(["compiling, s"] if options.compiled else [])]
    print("\n".join([said, "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *found]))


if __name__ == "__main__":
    main()
