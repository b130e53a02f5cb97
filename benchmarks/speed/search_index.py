"""A million short titles as an index: words, vectors, a thousand changes; and a hybrid question over 100,000 items.

    python -m benchmarks.speed.search_index [words | vectors | hybrid | graph | encoder ...]

Titles of pseudo-words (benchmarks/kit/titles.py); vectors of 384 numbers at random around 2,000 centres, which no encoder made: a text stands for one of them. The encoder is measured by itself, on the abstracts and queries of SciFact and the product titles of
chorus-electronics. Processor time on one thread, as others may be at work on the machine; questions come one at a time, for the best 10, without 30 items each. What was measured is kept, and the block is written again with all there is.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"), "1")

import numpy as np
import polars as pl
import psutil

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE, data_folder
from benchmarks.kit.titles import queries, titles
from vitrina.catalogue import unit_rows

DIM, CENTRES, K, SEEN, ASKED, CHANGED = 384, 2000, 10, 30, 500, 1000


@dataclass(frozen=True)
class Drawn:
    """Stands for an encoder: a text is near one of the centres, by its checksum, with noise as of the items."""

    dim: int = DIM

    def vectors(self, count: int, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        centres = np.random.default_rng(9).standard_normal((CENTRES, self.dim), dtype=np.float32)
        out = np.empty((count, self.dim), np.float32)
        for first in range(0, count, 1 << 16):
            rows = out[first : first + (1 << 16)]
            rows[:] = unit_rows(centres[rng.integers(0, CENTRES, len(rows))] + rng.standard_normal(rows.shape, dtype=np.float32))
        return out

    def encode(self, texts: pl.Series) -> np.ndarray:
        return np.concatenate([_vector(text) for text in texts.to_list()])


@cache
def _vector(text: str) -> np.ndarray:
    return Drawn().vectors(1, zlib.crc32(text.encode()))


def memory() -> int:
    return psutil.Process().memory_info().rss


def asked_one_by_one(source: Any, texts: list[str], items: int, clock: Callable[[], float] = time.process_time) -> tuple[float, float]:
    """Milliseconds per question, p50 and p99; what is typed is a vector already where the source wants one."""
    rng, spent = np.random.default_rng(3), []
    hidden = rng.integers(0, items, (len(texts), SEEN)).astype(np.int32)
    asked = vt.Queries.of_texts(source.vocabulary, texts)
    Drawn().encode(pl.Series(texts))  # are there before anybody asks
    for q in range(-10, len(texts)):
        begin = clock()
        source.recommend(asked[q], K, eligible=vt.Eligibility(exclude=hidden[q]))
        spent.append(1000 * (clock() - begin))
    return float(np.percentile(spent[10:], 50)), float(np.percentile(spent[10:], 99))


def changed(index: Any, items: int, given: dict[str, Any]) -> float:
    """Seconds until a thousand changed rows are in a list."""
    new = titles(CHANGED, seed=5).with_columns(
        id=pl.Series(np.random.default_rng(0).choice(items, CHANGED, replace=False)), title=pl.lit("visible ") + pl.col("title")
    )
    begin = time.process_time()
    found = index.update(new, **given).search(["visible"], CHANGED)
    spent = time.process_time() - begin
    assert (found.items >= 0).sum() == CHANGED
    return spent


def words(items: int = 1_000_000) -> dict[str, str]:
    table = titles(items)
    vt.search.ItemIndex.build(table.head(1000), id="id", columns=["title"]).search(["x"])
    before, begin = memory(), time.process_time()
    index = vt.search.ItemIndex.build(table, id="id", columns=["title"])
    built, grown = time.process_time() - begin, memory() - before
    source = index.lexical()
    p50, p99 = asked_one_by_one(source, queries(table, ASKED), items)
    changed(index, items, {})
    arrays = sum(array.nbytes for array in index.inverted.state().arrays.values())
    return {
        f"{items:,} titles, words: built": f"{built:.0f} s",
        f"{items:,} titles, words: postings / the process grew by": f"{arrays / 2**20:.0f} MB / {grown / 2**20:.0f} MB",
        f"{items:,} titles, words: a question, p50 / p99": f"{p50:.1f} / {p99:.1f} ms",
        f"{items:,} titles, words: 1,000 changed rows until they are in a list": f"{changed(index, items, {}):.2f} s",
    }


def vectors(items: int = 1_000_000) -> dict[str, str]:
    table, encoder = titles(items).with_columns(title=pl.lit("short")), Drawn()
    given = encoder.vectors(items)
    before, begin = memory(), time.process_time()
    index = vt.search.ItemIndex.build(table, id="id", columns=["title"], encoder=encoder, vectors=given)
    built, grown = time.process_time() - begin, memory() - before
    source = index.semantic(approximate=False)
    p50, p99 = asked_one_by_one(source, [f"text {n}" for n in range(60)], items)
    seconds = changed(index, items, {"vectors": encoder.vectors(CHANGED, 7)})
    return {
        f"{items:,} vectors that are there: taken in": f"{built:.0f} s, {given.nbytes / 2**20:.0f} MB (the process grew by {grown / 2**20:.0f} MB)",
        f"{items:,} vectors: a question by all products, p50 / p99": f"{p50:.0f} / {p99:.0f} ms",
        f"{items:,} vectors: 1,000 changed rows until they are in a list": f"{seconds:.2f} s",
    }


def hybrid(items: int = 100_000, approximate: bool = False) -> dict[str, str]:
    table, encoder = titles(items), Drawn()
    index = vt.search.ItemIndex.build(table, id="id", columns=["title"], encoder=encoder, vectors=encoder.vectors(items))
    texts, rows, how = queries(table, ASKED), {}, "a graph" if approximate else "all products"
    begin = time.process_time()
    dense = index.semantic(approximate=approximate)
    if approximate:
        rows[f"{items:,} vectors: a graph of them"] = (
            f"{time.process_time() - begin:.0f} s, finds {index.vectors.graph()[1]:.3f} of the exact best 10"
        )
    both = vt.search.Hybrid({"words": index.lexical(), "vectors": dense}, vt.search.RRF(), depth=100)
    sources = {"words": index.lexical(), f"vectors by {how}": dense, f"words and vectors by {how}, RRF of 100 each": both}
    for name, source in sources.items():
        rows[f"{items:,} items, {name}: a question, p50 / p99"] = "{:.1f} / {:.1f} ms".format(*asked_one_by_one(source, texts, items))
    by_the_clock = asked_one_by_one(both, texts, items, time.perf_counter)
    rows[f"{items:,} items, words and vectors by {how}: a question by the clock, one thread, p50 / p99"] = "{:.1f} / {:.1f} ms".format(
        *by_the_clock
    )
    return rows


def graph() -> dict[str, str]:
    return hybrid(approximate=True)


def _per(encoder: Any, texts: list[str]) -> float:
    begin = time.process_time()
    for text in texts:
        encoder.encode(pl.Series([text]))
    return 1000 * (time.process_time() - begin) / len(texts)


def encoder() -> dict[str, str]:
    folder = data_folder()
    asked = pl.read_parquet(folder / "scifact" / "queries.parquet")["text"]
    abstracts = pl.read_parquet(folder / "scifact" / "documents.parquet")["text"].head(200)
    products = pl.read_parquet(folder / "chorus-electronics" / "documents.parquet")["title"].head(2000)
    made = vt.search.Packaged()
    made.encode(asked.head(1))
    rows = {}
    for name, texts in (("abstracts of SciFact, 256 tokens at most", abstracts), ("product titles of chorus-electronics", products)):
        begin = time.process_time()
        made.encode(texts)
        rows[f"all-MiniLM-L6-v2 in 8 bits, {name}"] = f"{len(texts) / (time.process_time() - begin):.0f} per second"
    rows["all-MiniLM-L6-v2 in 8 bits, a query of SciFact alone"] = f"{_per(made, asked.to_list()[:100]):.1f} ms"
    return rows


PARTS = {"words": words, "vectors": vectors, "hybrid": hybrid, "graph": graph, "encoder": encoder}


def page(found: dict[str, Any]) -> str:
    lines = ["| what | measured |", "|---|---|"]
    lines += [f"| {what} | {measured} |" for part in PARTS if part in found for what, measured in found[part]["rows"].items()]
    about = [
        f"{', '.join(part for part in found if found[part]['machine'] == line)}: {line}."
        for line in dict.fromkeys(one["machine"] for one in found.values())
    ]
    return "\n".join([" ".join(about), "", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is named")
    kept = CACHE / "search_index.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for name in parser.parse_args().parts or list(PARTS):
        found[name] = {"rows": PARTS[name](), "machine": machine()}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
        keep(RESULTS, "speed.search_index", page(found))
    print(page(found))


if __name__ == "__main__":
    main()
