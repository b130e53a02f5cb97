"""What an item says of itself, and how often it was taken, where people come back to items, as rows of Markdown.

    python -m benchmarks.quality.item_repeats

Co-occurrence (BM25, 100 neighbours) on the baskets of the last days of two shops, its diagonal kept or not, the events of an item in
the history counted each or the item once. Intervals are of the paired difference with neither. About a minute.
"""

from __future__ import annotations

import argparse

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import card
from benchmarks.quality.boards import JOBS
from vitrina.evaluate.run import evaluate
from vitrina.evaluate.significance import compare_paired

METRIC, NEW = "nDCG@10", "explore nDCG@10"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    jobs = (JOBS["online-retail"], JOBS["complete-journey"])
    cards = "\n".join(f"- {card(job.load().split(job.rule), job.title)}" for job in jobs)
    print(
        f"{machine()}.\n\n{cards}\n\n| log | diagonal | every event | {METRIC} | {NEW} | more {METRIC} than with neither |\n|---|---|---|---|---|---|"
    )
    for job in jobs:
        split = job.load().split(job.rule)
        found = {}
        for diagonal, every in ((False, False), (True, False), (False, True), (True, True)):
            model = vt.Cooccurrence(weighting=vt.weighting.BM25(), diagonal=diagonal, every_event=every)
            lists = model.fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
            found[diagonal, every] = evaluate(lists, split, [METRIC, NEW], intervals=False)
        values = {str(how): e.per_query[METRIC].to_numpy() for how, e in found.items()}
        gains = {row["model"]: row for row in compare_paired(values, str((False, False)), split.queries.users).iter_rows(named=True)}
        for how, e in found.items():
            row = gains.get(str(how))
            gain = "" if row is None else f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
            yes = ["kept" if how[0] else "zero", "yes" if how[1] else "no"]
            print(f"| {job.title} | {' | '.join(yes)} | {e[METRIC]:.4f} | {e[NEW]:.4f} | {gain} |", flush=True)


if __name__ == "__main__":
    main()
