"""A day's events added to EASE and to co-occurrence, beside a fit on the whole log of now.

    python -m benchmarks.speed.updates [--days 2] [--items 4000] [--large]

Complete Journey, its most frequent items alone, and a Zipf log of 2 million events by 100,000 people. Each of the last days is added to what the day before gave;
the last one is held against a fit on all. Seconds of the processor, on one thread. The last rows are EASE again, with shares of a day and with many days at once: they show from where on a fit is quicker.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from vitrina.base.threads import ONE_THREAD

os.environ.update(ONE_THREAD)

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.zipf import log_file
from vitrina.models import woodbury
from vitrina.models.news import news_of

DAY = 86_400_000_000
SPANS = (0.1, 0.3, 1, 3, 10)  # days at once, of the Zipf log


def logs_of(table: pl.DataFrame, cuts: Sequence[float]) -> list[vt.Dataset]:
    """The log as it was so many days before its end."""
    last = table["timestamp"].max()
    times = pl.col("timestamp").cast(pl.Int64)
    end = int(pl.select(pl.lit(last)).to_series().cast(pl.Int64)[0])
    return [
        vt.read_interactions(table.filter(times <= end - int(cut * DAY)), user="user_id", item="item_id", time="timestamp") for cut in cuts
    ]


def frequent(table: pl.DataFrame, items: int) -> pl.DataFrame:
    """The events of the most frequent items."""
    top = table["item_id"].value_counts(sort=True).head(items)["item_id"]
    return table.filter(pl.col("item_id").is_in(top.implode()))


def timed(work: Any) -> tuple[Any, float]:
    begin = time.process_time()
    done = work()
    return done, time.process_time() - begin


def row(name: str, model: Any, logs: list[vt.Dataset]) -> str:
    """The last logs added one after another, and the last one fitted."""
    fitted, seconds, people = model.fit(logs[0]), [], 0
    for now in logs[1:]:
        people = len(np.flatnonzero(np.diff(news_of(model, fitted, now).added.indptr)))
        fitted, spent = timed(lambda now=now, start=fitted: model.fit(now, start=start))
        seconds.append(spent)
    once = model if isinstance(model, vt.EASE) else model.model_copy(update={"keep_pairs": False})
    again, whole = timed(lambda: once.fit(logs[-1]))
    differs = abs(fitted.weight_from_to - again.weight_from_to).max()
    kept = 0 if fitted.basis.pairs is None else 8 * fitted.basis.pairs.nnz
    share = people / len(fitted.catalogue.items)
    return (
        f"| {name} | `{once!r}` | {len(fitted.catalogue.items):,} | {people:,} ({share:.2f} per item) | {np.median(seconds):.2f} | {whole:.2f} | {whole / np.median(seconds):.1f}x | "
        f"{differs:.1e} | {kept / 2**20:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--large", action="store_true", help="20 million events too")
    given = parser.parse_args()
    limits, cuts, rows = machine(), list(range(given.days, -1, -1)), []
    journey = vt.complete_journey().frame().select("user_id", "item_id", "timestamp")
    zipf = pl.read_parquet(log_file(2_000_000, 100_000, given.items))
    pairs, ease = vt.Cooccurrence(keep_pairs=True), vt.EASE()
    for log in (journey, zipf):  # kernels are compiled, or read
        model_logs = logs_of(frequent(log, 50), [1, 0])
        for model in (pairs, ease):
            model.fit(model_logs[1], start=model.fit(model_logs[0]))
    woodbury.SHARE = np.inf  # what an update takes, also where a fit would be made
    few = frequent(journey, given.items)
    jobs = [("Complete Journey, days", ease, few, cuts), ("Complete Journey, days", pairs, few, cuts), ("Zipf, days", pairs, zipf, cuts)]
    if given.large:
        jobs.append(("Zipf, 20 million events, days", pairs, pl.read_parquet(log_file(20_000_000, 1_000_000, given.items)), cuts))
    for name, model, table, days in [*jobs, *((f"Zipf, {span:g} days at once", ease, zipf, [span, 0]) for span in SPANS)]:
        rows.append(row(name, model, logs_of(table, days)))
        print(rows[-1], file=sys.stderr, flush=True)
    head = (
        "| log | model | items | people whose items changed | update, s | fit, s | | largest difference of a weight | kept for it, MiB |\n"
    )
    print(f"{limits}.\n\n{head}|{'---|' * 9}\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
