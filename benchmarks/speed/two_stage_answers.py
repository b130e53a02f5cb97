"""How long two stages take to answer 5,000 people of a public log: the sources, features and trees of the boards.

    python -m benchmarks.speed.two_stage_answers [online-retail] [amazon-grocery]

Lists of ten for the first 5,000 people, asked at the end of the whole log. Beside it what the sources alone take, each for a list as long as its quota, and the
largest single one of them. Two cores where they are free.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.quality.boards import JOBS
from benchmarks.quality.two_stage import LOGS

NAMES = ("online-retail", "amazon-grocery")
PEOPLE = 5000


def seconds(work: Callable[[], Any], repeat: int = 3) -> float:
    """The least of some runs; the first compiles."""
    taken = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def row(name: str) -> str:
    data = JOBS[name].load()
    fitted = LOGS[name].model(data, window=JOBS[name].rule).fit(data)
    queries = data.queries()[:PEOPLE]
    eligible = vt.Eligibility(repeat=bool(data.split(JOBS[name].rule).eligible.repeat))
    whole = seconds(lambda: fitted.recommend(queries, 10, eligible=eligible))
    sources = [
        seconds(lambda r=r, n=n: r.recommend(queries, n, eligible=eligible), 2)
        for r, n in zip(fitted.sources.recommenders, fitted.sources.quotas, strict=True)
    ]
    pairs = len(fitted.sources.candidates(queries, eligible=eligible))
    features = 0 if fitted.features is None else len(fitted.features.names)
    return (
        f"| {name} | {len(queries):,} | {int(queries.lengths.sum()):,} | {pairs / len(queries):.0f} | {features} | {whole:.1f} | "
        f"{sum(sources):.1f} | {max(sources):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.two_stage_answers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=NAMES, metavar="LOG", help=f"one or more of {', '.join(NAMES)}")
    names = parser.parse_args().names
    print(f"Seconds, the least of 3. {machine()}.\n")
    print(
        "| log | people | events | candidates of each | features | two stages, s | sources alone, s | slowest source, s |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names:
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
