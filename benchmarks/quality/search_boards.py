"""Search boards on judged queries: words, vectors, and mixtures of them, on SciFact and chorus-electronics.

    python -m benchmarks.quality.search_boards [scifact] [chorus]

Vectors of documents and queries are made once and kept beside the other caches. Reciprocal ranks and equal convex weights have nothing that was chosen on these queries; the learned mix and its
weights are those of the other folds, so every query is judged by a mix that hadn't seen it. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import SHARED, data_folder
from benchmarks.kit.runs import card
from vitrina.evaluate import mean_interval
from vitrina.evaluate.run import evaluate
from vitrina.evaluate.significance import compare_pairs

METRIC, JUDGED_ALONE, K, DEPTH, DRAWS = "linear nDCG@10", "condensed linear nDCG@10", 100, 100, 5
CACHE = SHARED / "search"


class Job(NamedTuple):
    """Judged queries, and how their items are searched."""

    title: str
    split: vt.split.Split
    index: vt.search.ItemIndex
    published: str


def vectors(name: str, texts: pl.Series) -> Any:
    """(texts, dim) of the packaged encoder, kept in a file."""
    path = CACHE / f"{name}.npy"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(path, vt.search.Packaged().encode(texts))
    return np.load(path)


class Kept:
    """An encoder that knows the vectors of the queries already."""

    def __init__(self, texts: pl.Series, vectors: Any) -> None:
        self.dim, self.known = vectors.shape[1], dict(zip(texts.to_list(), vectors, strict=True))

    def encode(self, texts: pl.Series) -> Any:
        return np.stack([self.known[text] for text in texts.to_list()])


def scifact() -> Job:
    folder = data_folder() / "scifact"
    documents = pl.read_parquet(folder / "documents.parquet").rename({"doc_id": "item"})
    queries = pl.read_parquet(folder / "queries.parquet").rename({"query_id": "query"})
    qrels = pl.read_parquet(folder / "qrels.parquet").select(query="query_id", item="doc_id", gain="relevance")
    split = vt.split.judged(qrels, queries, documents)
    read = documents["title"] + " " + documents["text"]
    index = vt.search.ItemIndex.build(
        documents, id="item", columns=["title", "text"], vectors=vectors("scifact_documents", read), vocabulary=split.train.items,
        encoder=Kept(queries["text"], vectors("scifact_queries", queries["text"])),
    )  # fmt: skip
    published = (
        "Published beside it, by others, of the same 300 queries with the encoder in full precision, not by this protocol: RRF .7175 "
        "(its constant chosen on these queries), distribution-based fusion .732, BM25 .679 to .690, vectors .624 to .645."
    )
    return Job("SciFact", split, index, published)


def chorus() -> Job:
    folder = data_folder() / "chorus-electronics"
    documents = pl.read_parquet(folder / "documents.parquet").rename({"doc_id": "item"})
    qrels = pl.read_parquet(folder / "qrels.parquet").select("query", item="doc_id", gain="relevance")
    split = vt.split.judged(qrels, None, documents)
    read = (documents["title"] + " " + documents["product_type"].fill_null("") + " " + documents["brand"]).str.strip_chars()
    texts = qrels["query"].unique(maintain_order=True)
    index = vt.search.ItemIndex.build(
        documents, id="item", columns=["title", "description", "brand"], vectors=vectors("chorus_documents", read),
        vocabulary=split.train.items, encoder=Kept(texts, vectors("chorus_queries", texts)),
    )  # fmt: skip
    return Job("chorus-electronics", split, index, "")


JOBS: dict[str, Callable[[], Job]] = {"scifact": scifact, "chorus": chorus}


def engines(job: Job) -> dict[str, list[vt.Recommendations]]:
    """The lists of each engine; of what is learned those of each draw of the folds."""
    words, meaning = job.index.lexical(), job.index.semantic()
    hybrid = vt.search.Hybrid({"words": words, "vectors": meaning}, depth=DEPTH)

    def lists(recommender: Any) -> list[vt.Recommendations]:
        return [recommender.recommend(job.split.queries, K, eligible=job.split.eligible)]

    def crossed(**settings: Any) -> list[vt.Recommendations]:
        return [vt.search.Learned(seed=seed, **settings).cross_fitted(hybrid, job.split, K) for seed in range(DRAWS)]

    return {
        "BM25": lists(words),
        "vectors": lists(meaning),
        "RRF(60)": lists(hybrid),
        "RRF(2)": lists(hybrid.with_fusion(vt.search.RRF(constant=2))),
        "convex, equal": lists(hybrid.with_fusion(vt.search.Convex())),
        "sigmas, equal": lists(hybrid.with_fusion(vt.search.Convex(scale=vt.scale.Sigmas()))),
        "convex, learned weights": crossed(scales=(vt.scale.MinMax(),)),
        "learned": crossed(),
    }


PAIRS = [("learned", "BM25"), ("learned", "vectors"), ("learned", "RRF(60)")]  # the three that were asked for
OTHERS = [
    ("RRF(60)", "BM25"),
    ("RRF(60)", "vectors"),
    ("convex, equal", "BM25"),
    ("convex, equal", "vectors"),
    ("convex, equal", "RRF(60)"),
]


def rows(job: Job) -> Iterator[str]:
    per_query: dict[str, Any] = {}
    condensed: dict[str, Any] = {}
    yield f"### {job.title}\n\n{card(job.split, job.title, METRIC)} Depth of the sources {DEPTH}; learned mixes by 10 folds over queries, the mean of {DRAWS} draws of them.\n"
    yield "| engine | nDCG@10 | 95% | of what was judged alone | unjudged of 10 |\n|---|---|---|---|---|"
    people = np.arange(len(job.split.queries))
    for name, found in engines(job).items():
        judged = [evaluate(lists.padded(K), job.split, [METRIC, JUDGED_ALONE, "Unjudged@10"], intervals=False).per_query for lists in found]
        per_query[name] = np.mean([table[METRIC].to_numpy() for table in judged], axis=0)
        condensed[name] = np.mean([table[JUDGED_ALONE].to_numpy() for table in judged], axis=0)
        low, high = mean_interval(per_query[name], people)
        unjudged = np.mean([table["Unjudged@10"].mean() for table in judged])
        yield f"| {name} | {per_query[name].mean():.4f} | {low:.4f} to {high:.4f} | {condensed[name].mean():.4f} | {unjudged:.2f} |"
    yield "\n| one | against | difference | 95%, of this one alone | verdict, all of a group corrected for together |\n|---|---|---|---|---|"
    for group in (PAIRS, OTHERS):
        for row in compare_pairs(per_query, group, people).iter_rows(named=True):
            one, other = row["model"], row["against"]
            alone = compare_pairs(per_query, [(one, other)], people).row(0, named=True)
            yield f"| {one} | {other} | {row['difference']:+.4f} | {alone['low']:+.4f} to {alone['high']:+.4f} | {row['verdict']} |"
    alone = compare_pairs(condensed, [("learned", "BM25")], people).row(0, named=True)
    yield f"\nOf what was judged alone, learned against BM25: {alone['difference']:+.4f} ({alone['low']:+.4f} to {alone['high']:+.4f})."
    yield f"\n{job.published}" if job.published else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="job", help=f"of {', '.join(JOBS)}; all, where none is named")
    asked = parser.parse_args().jobs or list(JOBS)
    if set(asked) - set(JOBS):
        parser.error(f"The jobs are {', '.join(JOBS)}. Got {', '.join(asked)}.")
    limits = machine()
    for name in asked:
        print("\n".join(rows(JOBS[name]())), end="\n\n")
    print(f"Vectors: all-MiniLM-L6-v2 in 8 bits, as a package ships it. {limits}.")


if __name__ == "__main__":
    main()
