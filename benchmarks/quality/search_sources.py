"""What each source of a search is worth alone on SciFact: words, the packaged encoder, and an encoder that was learned of the abstracts themselves.

    python -m benchmarks.quality.search_sources [--vectors FILE]

5,183 abstracts (title and text), 300 queries of the test part, 339 judgements. Nothing is chosen: k1 1.5 and b .75 are the defaults, and those of the published number. `--vectors` are rows of the abstracts that the packaged encoder has made before
(all of them take some minutes).
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import data_folder
from vitrina.search.rows import joined_text

COLUMNS = {"title": 1.0, "text": 1.0}
METRICS = ["nDCG@10", "Recall@100"]
PUBLISHED = {"words": ".679 (bm25s, one field)", "packaged encoder": ".645 (32 bits)"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", metavar="FILE", help="a .npy file")
    file = parser.parse_args().vectors
    folder = data_folder() / "scifact"
    documents = pl.read_parquet(folder / "documents.parquet")
    split = vt.split.judged(
        pl.read_parquet(folder / "qrels.parquet").rename({"query_id": "query", "doc_id": "item", "relevance": "gain"}),
        pl.read_parquet(folder / "queries.parquet").rename({"query_id": "query"}),
        documents.rename({"doc_id": "item"}),
    )
    learned = vt.search.ContentEncoder.of(joined_text(documents, list(COLUMNS)), dim=256)
    settings = {"id": "doc_id", "columns": COLUMNS, "vocabulary": split.train.items}
    packaged = vt.search.ItemIndex.build(
        documents, **settings, encoder=vt.search.Packaged(), vectors=None if file is None else np.load(file)
    )
    sources = {
        "words": packaged.lexical(),
        "words, the title three times": vt.search.ItemIndex.build(
            documents, **settings | {"columns": {"title": 3.0, "text": 1.0}}
        ).lexical(),
        "packaged encoder": packaged.semantic(),
        "learned of the abstracts, 256 numbers": vt.search.ItemIndex.build(documents, **settings, encoder=learned).semantic(),
    }
    lines = [
        f"Protocol: all {len(documents):,} abstracts ranked, {len(split.queries)} queries of the test part; no parameter was searched. {processor()}, commit {commit()}.\n",
        "| source | nDCG@10 (95%) | Recall@100 | published nDCG@10 |",
        "|---|---|---|---|",
    ]
    for name, source in sources.items():
        numbers = vt.evaluate.evaluate(source.recommend(split.queries, 100), split, METRICS).numbers
        rows = {row["metric"]: row for row in numbers.iter_rows(named=True)}
        best = rows["nDCG@10"]
        lines.append(
            f"| {name} | {best['value']:.4f} ({best['low']:.3f} to {best['high']:.3f}) | {rows['Recall@100']['value']:.3f} | {PUBLISHED.get(name, '')} |"
        )
    page = "\n".join(lines)
    keep(RESULTS, "quality.search_sources", page)
    print(page)


if __name__ == "__main__":
    main()
