"""Features of a million pairs of query and candidate, with the last 50 events of each history: seconds and memory per group and per relation.

    python -m benchmarks.speed.pair_features [--pairs 1_000_000] [--items 20_000]

A made-up log (Zipf, seeded) of 10,000 people with some 60 events each, values, baskets and a table of items with a category, tags and a price; 100 candidates a query. What is timed is
`compute` of each group alone, after one call that compiles, and of all together: seconds of the processor (all threads), which other work on the machine
doesn't lengthen, and of the clock. Memory is the most that NumPy holds while it computes, its result among it.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.zipf import zipf
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.ranking import FeatureGroup, FeatureSet, Pairs, Relations, Source, Sources, standard
from vitrina.types import Events

PER_QUERY, EVENTS, DIM = 100, 60, 64


class Drawn(vt.models.base.ModelConfig):
    """Item vectors as a sequence model has them, drawn and not learned."""

    def fit(self, data: Dataset, *, validation=None, start=None):
        vectors = np.random.default_rng(1).normal(size=(data.n_items, DIM)).astype(np.float32)
        return vt.forms.Embeddings(data.items, data.catalogue, vectors)


RELATIONS = {
    "co-occurrence, 100 neighbours": vt.Cooccurrence(),
    "transitions, 100 neighbours": vt.Cooccurrence(weighting=vt.weighting.Transitions(), gap=vt.decay.Window(events=3), one_way=True),
    "EASE of 4,000 items": vt.EASE(max_items=4000),
    f"vectors of {DIM} numbers": Drawn(),
    "texts and categories": vt.ContentSimilarity(),
}


def draw(people: int, items: int) -> Dataset:
    rng = np.random.default_rng(0)
    lengths = rng.poisson(EVENTS, people) + 1
    users = np.repeat(np.arange(people, dtype=np.int32), lengths)
    n = len(users)
    codes = np.searchsorted(zipf(items, 0.8), rng.random(n)).astype(np.int32)
    days = rng.integers(0, 365, n)
    baskets = np.unique(users.astype(np.int64) * 1000 + days, return_inverse=True)[1].astype(np.int32)
    values = rng.integers(1, 20, n).astype(np.float32)
    ids, names = vt.Vocabulary.of(range(items)), vt.Vocabulary.of(range(people))
    words = rng.integers(0, 3000, (items, 5))
    table = pl.DataFrame({
        "item_id": ids.ids, "title": [" ".join(f"w{w}" for w in row) for row in words], "aisle": [f"a{c % 200}" for c in range(items)],
        "tags": [[f"t{c % 7}", f"t{c % 30}"] for c in range(items)], "price": rng.gamma(2, 10, items),
    })  # fmt: skip
    features = FeatureTable.of(table, "item_id", ids, kinds={"title": "text", "tags": "categories"})
    events = Events(codes, 19_000 * DAY + days * DAY, values, baskets=baskets)
    return Dataset.of_codes(users, events, names, ids, time_unit="us", item_table=features)


def timed(group: tuple[FeatureGroup, ...], data: Dataset, sources: Sources, pairs: Pairs) -> tuple[int, float, float, float, float]:
    """Features, seconds of the processor and of the clock, MiB while computing, MiB that are kept of the log."""
    fitted = FeatureSet.fit(group, data, sources)
    fitted.compute(pairs.of_queries(slice(0, 200)))
    begin, used = time.perf_counter(), time.process_time()
    fitted.compute(pairs)
    used, seconds = time.process_time() - used, time.perf_counter() - begin
    tracemalloc.start()
    fitted.compute(pairs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = sum(array.nbytes for arrays in fitted.learned for array in arrays.values())
    return len(fitted.names), used, seconds, peak / 2**20, kept / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=20_000)
    options = parser.parse_args()
    data = draw(options.pairs // PER_QUERY, options.items)
    models = {"popular": vt.Popularity(), "together": vt.Cooccurrence(weighting=vt.weighting.BM25()), "own": vt.TopPersonal()}
    sources = Sources.fit([Source(model=model, n=60, name=name) for name, model in models.items()], data)
    pairs = _pairs(sources, data)
    print(f"{len(pairs):,} pairs of {len(pairs.queries):,} queries, {data.n_events:,} events, {options.items:,} items. {machine()}.\n")
    print("| what | features | processor, s | clock, s | memory while computing, MiB | kept of the log, MiB |\n|---|---|---|---|---|---|")
    groups = [group for group in standard(data) if not isinstance(group, Relations)]
    for group in groups:
        _row(type(group).__name__, *timed((group,), data, sources, pairs))
    for name, model in RELATIONS.items():
        _row(f"Relations: {name}", *timed((Relations(of={name: model}, sources=False),), data, sources, pairs))
    _row("all of these together", *timed((*groups, Relations(of=RELATIONS, sources=False)), data, sources, pairs))


def _pairs(sources: Sources, data: Dataset) -> Pairs:
    """About 100 candidates for each query."""
    pairs = sources.candidates(data.queries(), eligible=vt.Eligibility(repeat=True))
    place = np.arange(len(pairs)) - pairs.items.indptr[pairs.rows]
    return pairs.keep(place < PER_QUERY)


def _row(name: str, features: int, used: float, seconds: float, peak: float, kept: float) -> None:
    print(f"| {name} | {features} | {used:.2f} | {seconds:.2f} | {peak:.0f} | {kept:.1f} |", flush=True)


if __name__ == "__main__":
    main()
