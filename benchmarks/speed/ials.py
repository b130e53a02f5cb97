"""IALS: an epoch on Gowalla beside irspack's solvers, and a day's events into what was fitted beside a fit anew.

    python -m benchmarks.speed.ials [--dims 64 256] [--epochs 3]

Each library fits the same log with the same parameters in turn; irspack in its own environment and process (see peers/setup.sh), after a fit of ours that compiles. Seconds of
the processor are of all threads, which a busy machine changes less than those that pass. The day is the last of Online Retail: fitted on all days before, and then gone on with for
1, 2 and 3 epochs, beside 12 epochs from the beginning; what is compared is the loss, and the lists of 10 for everybody.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.quality.boards import online_retail
from benchmarks.quality.gowalla import gowalla
from benchmarks.quality.ials import by_irspack

PARAMETERS = {"unobserved": 0.01, "l2": 0.005, "nu": 1.0, "seed": 0}
SOLVERS = ("CG", "IALSPP", "CHOLESKY")
MODEL, DAY = vt.IALS(dim=64), 86_400_000_000  # microseconds


def timed(model: vt.IALS, data: vt.Dataset, start: Any = None) -> tuple[Any, float, float]:
    """What is fitted, the seconds that passed, and those of the processor."""
    begin, before = time.perf_counter(), time.process_time()
    fitted = model.fit(data) if start is None else model.fit(data, start=start)
    return fitted, time.perf_counter() - begin, time.process_time() - before


def epochs(dims: list[int], count: int) -> list[str]:
    split, rows = gowalla(), []
    vt.IALS(dim=8, epochs=1).fit(vt.testing.synthetic(users=50, items=30))
    for dim in dims:
        trial = PARAMETERS | {"dim": dim, "epochs": count}
        _, passed, own = timed(vt.IALS(**trial), split.train)
        rows.append(f"| {dim} | Vitrina | {passed / count:.1f} | {own / count:.1f} | |")
        for solver in SOLVERS:
            _, (theirs, _, processor) = by_irspack(split, trial, solver)
            rows.append(f"| {dim} | irspack, {solver} | {theirs / count:.1f} | {processor / count:.1f} | {processor / own:.1f}x |")
    return rows


def loss(fitted: Any, data: vt.Dataset, model: vt.IALS) -> float:
    """What iALS makes least, with everybody's vector solved for."""
    penalty, vectors, people = fitted.penalty, fitted.vectors.astype(np.float64), data.queries()
    w, x = fitted.encode(people).astype(np.float64), people.csr()
    rows, n_items = np.repeat(np.arange(len(w)), np.diff(x.indptr)), np.count_nonzero(data.catalogue.users)
    seen = ((1 - np.einsum("ed,ed->e", w[rows], vectors[x.indices])) ** 2).sum()
    by_person = (np.diff(x.indptr) + penalty.unobserved * n_items) ** model.nu
    by_item = (data.catalogue.users + penalty.unobserved * len(w)) ** model.nu
    ridge = by_person @ (w**2).sum(axis=1) + by_item @ (vectors**2).sum(axis=1)
    return float(seen + penalty.unobserved * np.sum((w.T @ w) * (vectors.T @ vectors)) + model.l2 * ridge)


def day() -> tuple[list[str], str]:
    log = online_retail()
    assert log.events.times is not None
    last = log.events.times >= log.events.times.max() - DAY
    before, queries = log.select(~last), log.queries()
    yesterday, *_ = timed(MODEL, before)
    refit, passed, processor = timed(MODEL, log)
    wanted = refit.recommend(queries, 10).items
    least = loss(refit, log, MODEL)
    rows = [f"| 12 epochs anew | {passed:.1f} | {processor:.1f} | | | |"]
    for count in (1, 2, 3):
        gone_on, seconds, own = timed(vt.IALS(dim=MODEL.dim, epochs=count), log, yesterday)
        lists = gone_on.recommend(queries, 10).items
        shared = np.mean([len(np.intersect1d(*pair)) for pair in zip(lists, wanted, strict=True)]) / 10
        rows.append(
            f"| {count} from the day before | {seconds:.1f} | {own:.1f} | {processor / own:.1f}x | {loss(gone_on, log, MODEL) / least - 1:+.3%} | {shared:.1%} |"
        )
    other = vt.IALS(dim=MODEL.dim, seed=1).fit(log)
    lists = other.recommend(queries, 10).items
    shared = np.mean([len(np.intersect1d(*pair)) for pair in zip(lists, wanted, strict=True)]) / 10
    rows.append(f"| 12 epochs anew, another seed | | | | {loss(other, log, MODEL) / least - 1:+.3%} | {shared:.1%} |")
    return rows, f"{before!r}, and {int(last.sum()):,} events of the last 24 hours"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    limits = machine()
    days, log = day()
    rows = epochs(given.dims, given.epochs)
    text = (
        f"{limits}.\n\nOne epoch on Gowalla (810,128 pairs of 29,858 people and 40,981 items), mean of {given.epochs}:\n\n"
        "| dim | solver | seconds | of the processor | more than Vitrina's |\n|---|---|---|---|---|\n" + "\n".join(rows)
        + f"\n\nA day of Online Retail ({log}), `{MODEL!r}`:\n\n| epochs | seconds | of the processor | faster by | loss, beside that of the fit anew | items shared of 10 |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(days)
    )  # fmt: skip
    keep(RESULTS, "speed.ials", text)
    print(text)


if __name__ == "__main__":
    main()
