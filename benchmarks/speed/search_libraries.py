"""The inverted index of the product beside Tantivy and bm25s: building, memory, a question, a thousand changes, and how far scores are from those of BM25 itself.

    python -m benchmarks.speed.search_libraries [--items 100000 1000000] [--engine vitrina bm25s tantivy]

Short titles of pseudo-words (benchmarks/kit/titles.py), no stemming and no stop words for any, k1 1.2 and b .75 (those of Tantivy, which has no others). One thread. An engine is measured in a process of its own; size is that of
the arrays or files of the index. A question has 30 items that must not come back, or one half of the items that alone may, and the best 10 are asked for. The oracle computes BM25 of each title that has a word of the question in float64, from Python's own counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"), "1"
)

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.kit.titles import queries, titles

K, SEEN, ASKED, JUDGED, CHANGED = 10, 30, 300, 20, 1000
ENGINES = "vitrina", "bm25s", "tantivy"


class Vitrina:
    def __init__(self, table: pl.DataFrame) -> None:
        import vitrina as vt

        self.vt = vt
        self.index = vt.search.ItemIndex.build(table, id="id", columns={"title": 1}, language=None)
        self.source = self.index.lexical(k1=1.2)

    def ask(self, text: str, banned: np.ndarray) -> tuple[list[int], list[float]]:
        asked = self.vt.Queries.of_texts(self.index.vocabulary, [text])
        lists = self.source.recommend(asked, K, eligible=self.vt.Eligibility(exclude=banned.astype(np.int32)))
        there = lists.items[0] >= 0
        return lists.items[0][there].tolist(), lists.scores[0][there].tolist()

    def ask_of(self, text: str, allowed: np.ndarray) -> None:
        asked = self.vt.Queries.of_texts(self.index.vocabulary, [text])
        self.source.recommend(asked, K, eligible=self.vt.Eligibility(include=allowed))

    def size(self) -> int:
        return sum(array.nbytes for array in self.index.inverted.state().arrays.values())

    def change(self, table: pl.DataFrame) -> None:
        self.index = self.index.update(table)
        self.source = self.index.lexical(k1=1.2)


class Bm25s:
    """Its scores of all items, of which those that are banned are taken out before the best are sought; a change is a new index, as it has no other."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.titles = table["title"].to_list()
        self._build()

    def _build(self) -> None:
        import bm25s

        self.library = bm25s
        self.index = bm25s.BM25(k1=1.2, b=0.75, method="lucene", dtype="float32")
        tokens = bm25s.tokenize(self.titles, stopwords=None, token_pattern=r"\w+", show_progress=False)
        self.index.index(tokens, show_progress=False)

    def ask(self, text: str, banned: np.ndarray) -> tuple[list[int], list[float]]:
        scores = self.index.get_scores(text.split())
        scores[banned] = 0
        return self._best(scores)

    def ask_of(self, text: str, allowed: np.ndarray) -> None:
        scores = self.index.get_scores(text.split())
        self._best(np.where(np.isin(np.arange(len(scores)), allowed, assume_unique=True), scores, 0))

    def _best(self, scores: np.ndarray) -> tuple[list[int], list[float]]:
        least = np.partition(scores, -K)[-K]
        best = np.flatnonzero(scores >= max(least, 1e-9))
        best = best[np.lexsort((best, -scores[best]))][:K]
        return best.tolist(), scores[best].tolist()

    def size(self) -> int:
        return sum(array.nbytes for array in self.index.scores.values() if isinstance(array, np.ndarray))

    def change(self, table: pl.DataFrame) -> None:
        for number, title in table.select("id", "title").rows():
            self.titles[number] = title
        self._build()


class Tantivy:
    """Banned items are a set of numbers that must not match."""

    def __init__(self, table: pl.DataFrame) -> None:
        import tantivy

        self.library = tantivy
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("title", stored=False, tokenizer_name="default", index_option="freq")
        builder.add_integer_field("id", stored=False, indexed=True, fast=True)
        self.schema = builder.build()
        self.folder = tempfile.mkdtemp()
        self.index = tantivy.Index(self.schema, path=self.folder)
        self.writer = self.index.writer(heap_size=500_000_000, num_threads=1)
        self._add(table)
        self.writer.commit()
        self.writer.wait_merging_threads()
        self.index.reload()
        self.writer = self.index.writer(heap_size=500_000_000, num_threads=1)

    def _add(self, table: pl.DataFrame) -> None:
        for number, title in table.select("id", "title").rows():
            document = self.library.Document()
            document.add_text("title", title)
            document.add_integer("id", number)
            self.writer.add_document(document)

    def ask(self, text: str, banned: np.ndarray) -> tuple[list[int], list[float]]:
        searcher, hits = self._hits(text, "MustNot", banned)
        numbers = searcher.fast_field_values("id", [address for _, address in hits]) if hits else []
        return list(numbers), [score for score, _ in hits]

    def ask_of(self, text: str, allowed: np.ndarray) -> None:
        self._hits(text, "Must", allowed)

    def _hits(self, text: str, how: str, numbers: np.ndarray) -> tuple[Any, list[Any]]:
        q, occur = self.library.Query, self.library.Occur
        searcher = self.index.searcher()
        words = [(occur.Should, q.term_query(self.schema, "title", word, index_option="freq")) for word in text.split()]
        chosen = q.const_score_query(q.term_set_query(self.schema, "id", numbers.tolist()), 0.0)
        return searcher, searcher.search(
            q.boolean_query([(occur.Must, q.boolean_query(words)), (getattr(occur, how), chosen)]), K, count=False
        ).hits

    def size(self) -> int:
        return sum(file.stat().st_size for file in Path(self.folder).iterdir())

    def change(self, table: pl.DataFrame) -> None:
        for number in table["id"].to_list():
            self.writer.delete_documents_by_term("id", number)
        self._add(table)
        self.writer.commit()
        self.index.reload()


class Oracle:
    """BM25 of Lucene's form, title by title."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.words = [title.split() for title in table["title"].to_list()]
        self.df = Counter(word for title in self.words for word in set(title))
        self.mean = sum(map(len, self.words)) / len(self.words)

    def best(self, text: str, banned: np.ndarray) -> tuple[list[int], list[float]]:
        terms, hidden, n = text.split(), set(banned.tolist()), len(self.words)
        found = []
        for number, title in enumerate(self.words):
            shared = set(terms).intersection(title)
            if number in hidden or not shared:
                continue
            norm = 1.2 * (0.25 + 0.75 * len(title) / self.mean)
            parts = (math.log1p((n - self.df[t] + 0.5) / (self.df[t] + 0.5)) * title.count(t) / (title.count(t) + norm) for t in shared)
            found.append((-sum(parts), number))
        found = sorted(found)[:K]
        return [number for _, number in found], [-score for score, _ in found]


def measured(engine: str, items: int) -> dict[str, Any]:
    table = titles(items)
    asked, rng = queries(table, ASKED), np.random.default_rng(2)
    banned = [rng.integers(0, items, SEEN) for _ in asked]
    maker = {"vitrina": Vitrina, "bm25s": Bm25s, "tantivy": Tantivy}[engine]
    maker(table.head(1000)).ask(asked[0], banned[0] % 1000)  # compiles
    begin = time.perf_counter()
    made = maker(table)
    built, size = time.perf_counter() - begin, made.size()
    for text, hidden in zip(asked[:5], banned[:5], strict=True):
        made.ask(text, hidden)
    spent = []
    for text, hidden in zip(asked, banned, strict=True):
        begin = time.perf_counter()
        made.ask(text, hidden)
        spent.append(1000 * (time.perf_counter() - begin))
    allowed = np.flatnonzero(rng.random(items) < 0.5).astype(np.int32)
    made.ask_of(asked[0], allowed)
    begin = time.perf_counter()
    for text in asked[:JUDGED]:
        made.ask_of(text, allowed)
    half = 1000 * (time.perf_counter() - begin) / JUDGED
    oracle = Oracle(table)
    new = titles(CHANGED, seed=5).with_columns(id=pl.Series(rng.choice(items, CHANGED, replace=False)))
    before_change = _agreement(made, oracle, asked, banned)
    begin = time.perf_counter()
    made.change(new)
    made.ask(asked[0], banned[0])
    changed = time.perf_counter() - begin
    rows = table["title"].to_numpy(writable=True)
    rows[new["id"].to_numpy()] = new["title"].to_numpy()
    after_change = _agreement(made, Oracle(pl.DataFrame({"title": rows})), asked, banned)
    return {"built": built, "size": size, "p50": np.percentile(spent, 50), "p99": np.percentile(spent, 99), "half": half, "changed": changed, "before": before_change, "after": after_change}  # fmt: skip


def _agreement(made: Any, oracle: Oracle, asked: list[str], banned: list[np.ndarray]) -> list[float]:
    """The share of questions with the same list, and the largest relative difference of a score from the oracle's at the same place."""
    same, apart, ratio = [], [], []
    for text, hidden in zip(asked[:JUDGED], banned[:JUDGED], strict=True):
        (own, scores), (best, exact) = made.ask(text, hidden), oracle.best(text, hidden)
        same.append(own == best)
        both = min(len(scores), len(exact))
        ratio.append(np.array(scores[:both]) / np.array(exact[:both]))
    values = np.concatenate(ratio)
    apart = np.abs(values / np.median(values) - 1).max()  # a factor that all scores share changes no list
    return [float(np.mean(same)), float(apart)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--engine", nargs="*", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--alone", action="store_true", help="measure the one named engine in this process")
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measured(options.engine[0], options.items[0])))
        return
    kept = CACHE / "search_libraries.json"
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for items in options.items:
        for engine in options.engine:
            command = [sys.executable, "-m", "benchmarks.speed.search_libraries", "--alone", "--engine", engine, "--items", str(items)]
            printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[f"{items} {engine}"] = {"items": items, "engine": engine, **json.loads(printed.splitlines()[-1])}
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found))
            keep(RESULTS, "speed.search_libraries", page(list(found.values())))
    print(page(list(found.values())))


def page(found: list[dict[str, Any]]) -> str:
    lines = [
        f"{ASKED} questions one at a time on one thread, {JUDGED} of them beside the oracle; a relative difference. {machine()}.\n",
        "| engine | titles | built, s | size, MB | question p50, ms | p99, ms | of one half of the items, mean ms | 1,000 changed and visible, s | lists as the oracle's | scores apart, at most | lists after the change | scores after it |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['engine']} | {r['items']:,} | {r['built']:.1f} | {r['size'] / 2**20:.0f} | {r['p50']:.2f} | {r['p99']:.2f} | {r['half']:.1f} | {r['changed']:.2f} | "
        f"{r['before'][0]:.0%} | {r['before'][1]:.1e} | {r['after'][0]:.0%} | {r['after'][1]:.1e} |"
        for r in sorted(found, key=lambda r: (r["items"], ENGINES.index(r["engine"])))
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
