"""The approximate index beside exact products: what it finds of the best 100, and the processor time per question, by how wide it searches.

    python -m benchmarks.speed.index [LOG ...] [--items 1000000] [--dim 64] [--build 256] [--connectivity 24]

A LOG is `gowalla` or `planted` (IALS fitted on it, its people's vectors; planted: a log of a million items with clusters), or `clusters` (vectors at random around 2,000 centres with lengths
that differ, histories of eight items: as hard as vectors get, as what is near differs in every dimension).
One thread; questions come one at a time, with 30 seen items each that must not come back, as a service asks. The exact answer to the same questions stands beside, alone and as a batch.
What a log gave is kept, and the block is written again with all there are: a run that was stopped goes on with the next log.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from fractions import Fraction
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.kit.planted import planted as drawn
from benchmarks.quality.gowalla import gowalla as published
from vitrina.catalogue import Catalogue
from vitrina.forms import ByIndex, FactoredEncoder, FoldedIn, Vectors
from vitrina.retrieve.graph import Graph
from vitrina.types import Events, Queries

K, ASKED, SEEN = 100, 400, 30
SEARCH = 256, 512, 1024


def clusters(items: int, dim: int) -> tuple[Vectors, Queries]:
    """Vectors around centres, in blocks; histories of eight items of one or two of them."""
    rng = np.random.default_rng(0)
    centres, of = rng.standard_normal((2000, dim), dtype=np.float32), rng.integers(0, 2000, items)
    vectors = centres[of] + rng.standard_normal((items, dim), dtype=np.float32)
    vectors *= rng.lognormal(0, 0.3, (items, 1)).astype(np.float32) / np.float32(np.sqrt(dim))
    by_centre, sizes = np.argsort(of, kind="stable"), np.bincount(of, minlength=2000)
    first = np.cumsum(sizes) - sizes
    tastes = rng.integers(0, 2000, (ASKED, 2))[np.arange(ASKED)[:, None], rng.integers(0, 2, (ASKED, SEEN))]
    seen = by_centre[first[tastes] + rng.integers(0, sizes[tastes])].astype(np.int32)
    start, ones = np.arange(ASKED, dtype=np.int64) * SEEN, np.ones(items, np.int64)
    vocabulary = vt.Vocabulary.of(np.arange(items))
    queries = Queries(Events(seen.reshape(-1)), start, start + SEEN, vocabulary, np.full(ASKED, -1, np.int32))
    return FactoredEncoder(vocabulary, Catalogue(ones, ones, 1), vectors), queries


def gowalla(items: int, dim: int) -> tuple[Vectors, Queries]:
    """Vectors of IALS on the training part of the published split."""
    split = published()
    fitted = vt.IALS(dim=dim, epochs=4).fit(split.train)
    assert isinstance(fitted, FoldedIn)
    return fitted, split.queries[:: max(len(split.queries) // ASKED, 1)][:ASKED]


def planted(items: int, dim: int) -> tuple[Vectors, Queries]:
    """Vectors of IALS on a log with planted clusters, two people per item and 25 events per person; its size is the nearest fraction of a million items."""
    log, whole, people, *_ = drawn(Fraction(items, 1_000_000).limit_denominator(64))
    fitted = vt.IALS(dim=dim, epochs=4).fit(log)
    assert isinstance(fitted, FoldedIn)
    return fitted, whole.queries(codes=people[:ASKED])


LOGS = {"gowalla": gowalla, "planted": planted, "clusters": clusters}


def per_question(form: Any, queries: Queries) -> tuple[float, np.ndarray]:
    """Milliseconds of the processor for a question alone, and the lists."""
    form.recommend(queries[0], K)
    begin = time.process_time()
    lists = [form.recommend(queries[q], K).items[0] for q in range(len(queries))]
    return 1000 * (time.process_time() - begin) / len(queries), np.array(lists)


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    form, queries = LOGS[name](options.items, options.dim)
    few = queries[: max(min(len(queries), 40_000_000 // len(form.vocabulary)), 20)]  # exact answers one by one take long
    exact, _ = per_question(form, few)
    begin = time.process_time()
    best = form.recommend(queries, K).items
    together = 1000 * (time.process_time() - begin) / len(queries)
    begin = time.process_time()
    items = np.flatnonzero(form.catalogue.mask & form.described).astype(np.int32)
    graph = Graph.of(form.item_vectors, items, options.connectivity, options.build, SEARCH[0])
    built, rows = time.process_time() - begin, []
    for search in SEARCH:
        graph.index.expansion_search = search
        spent, lists = per_question(ByIndex(form.vocabulary, form.catalogue, form, graph, search), queries)
        rows.append([search, float(np.mean([np.isin(one, other).mean() for one, other in zip(best, lists, strict=True)])), spent])
    size = graph.index.memory_usage / 2**20
    return {"items": len(items), "dim": form.item_vectors.shape[1], "asked": len(queries), "exact": exact, "together": together,
            "built": built, "size": size, "rows": rows, "settings": f"connectivity {options.connectivity}, build {options.build}"}  # fmt: skip


def page(found: dict[str, dict[str, Any]]) -> str:
    lines = [f"The best {K}; processor time on one thread, questions one at a time. {machine()}.\n"]
    lines += [
        "| vectors | items | dimensions | graph | built, s | memory, MB | search | found of the exact list | ms per question | exact, ms per question | exact, ms of a batch |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {name} | {one['items']:,} | {one['dim']} | {one['settings']} | {one['built']:.0f} | {one['size']:.0f} | {search} | {recall:.4f} | {spent:.2f} | "
        f"{one['exact']:.1f} | {one['together']:.2f} |"
        for name, one in found.items()
        for search, recall, spent in one["rows"]
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", metavar="LOG", help=f"of {', '.join(LOGS)}; those that are not measured yet where none is named")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--build", type=int, default=256)
    parser.add_argument("--connectivity", type=int, default=24)
    options = parser.parse_args()
    kept = CACHE / "index.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for name in options.logs or [name for name in LOGS if name not in found]:
        found[name] = measured(name, options)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
        keep(RESULTS, "speed.index", page(found))
    print(page(found))


if __name__ == "__main__":
    main()
