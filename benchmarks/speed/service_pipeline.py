"""How many lists the pipeline of the service makes on one core, without HTTP: histories, eligibility, the model, checks and answers.

    python -m benchmarks.speed.service_pipeline

Requests of 10 rows for random people of a log of 100,000 items, 1, 8 and 32 together; beside it `recommend` of the same model in the same rounds, for queries that are there already. What is counted is time of the processor, so that
neighbours disturb little. One more row asks for somebody with a million events among 31 others.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
os.environ |= ONE

import numpy as np  # noqa: E402

import vitrina as vt  # noqa: E402
from benchmarks.kit.machine import machine  # noqa: E402
from benchmarks.kit.served import MODELS, artifact, log  # noqa: E402
from vitrina.service.facts import Facts  # noqa: E402
from vitrina.service.histories import Histories  # noqa: E402
from vitrina.service.pipeline import Pipeline  # noqa: E402
from vitrina.service.records import Event  # noqa: E402
from vitrina.wire import RecommendRequest  # noqa: E402

TOGETHER, ROUNDS, LONG = (1, 8, 32), 40, 1_000_000
TITLES = {"esasrec": "eSASRec, dim 64", "itemmap": "item map, 50 neighbours", "twostage": "TwoStage, 200 candidates"}


def spent(work: Callable[[], Any]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def rows(name: str, data: vt.Dataset, heavy: list[Event]) -> list[str]:
    """A row per number of requests that are asked together."""
    loaded, histories = vt.load(artifact(name)), Histories.of_log(data)
    histories.add(heavy)
    pipeline = Pipeline.of(loaded, histories, Facts(), Facts(), budget=None)
    pipeline.answer([RecommendRequest(user="heavy")])  # compiles
    rng, found = np.random.default_rng(0), []
    for together in TOGETHER:
        mine, library = [], []
        for _ in range(ROUNDS):
            people = data.users.decode(rng.integers(0, len(data.users), together)).to_list()
            requests, queries = [RecommendRequest(user=one) for one in people], data.queries(people)
            mine.append(spent(lambda requests=requests: pipeline.answer(requests)))
            library.append(spent(lambda queries=queries: loaded.recommender.recommend(queries, 10)))
        ours, theirs = float(np.median(mine)), float(np.median(library))
        found.append(
            f"| {TITLES[name]} | {together} | {together / ours:,.0f} | {1e3 * ours:.2f} | {1e3 * theirs:.2f} | {ours / theirs:.2f} |"
        )
    requests = [RecommendRequest(user="heavy"), *(RecommendRequest(user=one) for one in data.users.decode(np.arange(31)).to_list())]
    long = float(np.median([spent(lambda: pipeline.answer(requests)) for _ in range(ROUNDS // 4)]))
    return [*found, f"| {TITLES[name]}, one with a million events | 32 | {32 / long:,.0f} | {1e3 * long:.2f} | | |"]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.service_pipeline", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    data = log()
    assert data.events.times is not None
    items = data.items.decode(data.events.items[np.random.default_rng(1).integers(0, data.n_events, LONG)]).to_list()
    first = int(data.events.times.min())
    heavy = [Event(str(at), "event", "heavy", item, first + at, 0) for at, item in enumerate(items)]
    print(f"Medians of {ROUNDS} rounds, time of the processor, one thread each for model and BLAS. {machine()}.\n")
    print("| model | requests together | lists/s of one core | pipeline, ms | `recommend` alone, ms | ratio |\n|---|---|---|---|---|---|")
    for name in MODELS:
        print("\n".join(rows(name, data, heavy)), flush=True)


if __name__ == "__main__":
    main()
