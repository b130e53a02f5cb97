"""One library, several re-rankers: milliseconds per query, on one thread. Runs in the environment of that library.

    python benchmarks/peers/rerankers.py LIBRARY CASES.json

The cases are [candidates, places, dim] lists; vectors are of length 1 and random, scores uniform, best first, diversity .5. Prints JSON: case -> re-ranker -> the least of several
means. Peers are called per query; Vitrina's kernel too, and in a batch of 64 queries beside it. Vitrina's vectors have length 1 once, at the fit; pyversity makes them so in each call.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

warnings.filterwarnings("ignore")
SPAN, REPEATS, BATCH = 0.05, 5, 64


def case(n: int, dim: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, np.sort(rng.random(n).astype(np.float32))[::-1].copy()


def least(work: Callable[[], Any]) -> float:
    """Milliseconds of the thread per call."""
    work()
    means = []
    for _ in range(REPEATS):
        begin, calls = time.thread_time(), 0
        while time.thread_time() - begin < SPAN:
            work()
            calls += 1
        means.append((time.thread_time() - begin) / calls)
    return 1000 * min(means)


def pyversity(n: int, k: int, dim: int) -> dict[str, float]:
    from pyversity.strategies import dpp, mmr, ssd

    vectors, scores = case(n, dim)
    found = {f.__name__.upper(): least(lambda f=f: f(vectors, scores, k, diversity=0.5)) for f in (mmr, dpp, ssd)}
    return found | {"SSD, window 10": least(lambda: ssd(vectors, scores, k, diversity=0.5, window=10))}


def vitrina(n: int, k: int, dim: int) -> dict[str, float]:
    import vitrina as vt
    from vitrina.rerank.base import Candidates
    from vitrina.rerank.greedy import arrays_of
    from vitrina.vocabulary import id_hashes

    vectors, scores = case(n, dim)
    vocabulary = vt.Vocabulary.of(range(n))
    arrays = {**arrays_of(vectors), "hashes": id_hashes(vocabulary)}
    rerankers = {
        "MMR": vt.MMR(diversity=0.5), "SMMR": vt.SMMR(diversity=0.5), "SMMR, batches not compared": vt.SMMR(diversity=0.5, within=False),
        "DPP": vt.DPP(diversity=0.5), "SSD": vt.SSD(diversity=0.5, window=k), "SSD, window 10": vt.SSD(diversity=0.5),
    }  # fmt: skip

    def timed(queries: int) -> dict[str, float]:
        asked = vt.Queries.of_histories(vocabulary, [[]] * queries)
        items = np.tile(np.arange(n, dtype=np.int32), (queries, 1))
        lists = vt.Recommendations(items, np.tile(scores, (queries, 1)), vocabulary)
        candidates = Candidates.of(asked, lists, k, vt.Eligibility(repeat=True))
        return {name: least(lambda r=r: r.order(asked, candidates, arrays)) / queries for name, r in rerankers.items()}

    return timed(1) | {f"{name}, in a batch": ms for name, ms in timed(BATCH).items()}


if __name__ == "__main__":
    library, cases = sys.argv[1:]
    print(json.dumps({f"{n} {k} {dim}": globals()[library](n, k, dim) for n, k, dim in json.loads(cases)}))
