"""A ranker that learns from the labels of one judge and is measured on those of people, on chorus-electronics, by cross-validation over queries.

    python -m benchmarks.quality.search_distilled [--vectors FILE] [--repeats 3]

There is no language model on this machine: each of the three raters stands in for the judge, whose labels are the gains that a ranker learns from. Rankers are those of `benchmarks.quality.search_two_stages`, settings included; what they are worth is counted on the
settled labels of the queries that they never saw. The settled label isn't independent of the rater: whoever settled it had seen the three.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import card
from benchmarks.quality.search_two_stages import (
    DEPTH,
    FOLDS,
    METRICS,
    PRIMARY,
    crossed,
    folds_of,
    judged,
    mean_of,
    of_lists,
    row,
    two_stages,
)

RATERS = ("agent_1_rating", "agent_2_rating", "agent_3_rating")


def taught(split: vt.split.Split, folder: Path, rater: str) -> vt.split.Split:
    """The queries with the labels of one rater."""
    labels = pl.read_parquet(folder / "raters.parquet").select(
        "query", pl.col("doc_id").alias("item"), pl.col(rater).cast(pl.Float64).alias("gain")
    )
    labels = labels.drop_nulls().unique(["query", "item"], keep="first", maintain_order=True)
    items = split.train.item_table.frame.with_columns(item=split.train.items.ids)
    return vt.split.judged(labels, None, items)


def distilled(split: vt.split.Split, lessons: vt.split.Split, hybrid: vt.search.Hybrid, draw: int) -> tuple[vt.Recommendations, int]:
    """Lists of rankers that learned the rater's labels of the other folds' queries."""
    texts, known, parts, rows, gave_way = split.queries.texts, lessons.queries.texts, [], [], 0
    for learned, held in folds_of(split.n_queries, draw):
        there = np.flatnonzero(known.is_in(texts.gather(learned).implode()).to_numpy())
        fitted = two_stages().fit(lessons.train, validation=lessons.take(there), sources=hybrid.asked)
        gave_way += fitted.features is None
        parts.append(fitted.recommend(split.queries[held], DEPTH, eligible=split.eligible))
        rows.append(held)
    return vt.Recommendations.concat(parts)[np.argsort(np.concatenate(rows))], gave_way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    folder = data_folder() / "chorus-electronics"
    split = judged(folder)
    frame = split.train.item_table.frame.with_columns(item=split.train.items.ids)
    index = vt.search.ItemIndex.build(
        frame, id="item", columns={"title": 2, "brand": 1, "product_type": 1, "description": 0.5}, encoder=vt.search.Packaged(), encoded=["title"],
        vectors=None if asked.vectors is None else np.load(asked.vectors), vocabulary=split.train.items,
    )  # fmt: skip
    hybrid = vt.search.Hybrid({"words": index.lexical(), "vectors": index.semantic()}, vt.search.RRF(), depth=DEPTH)
    people = mean_of([of_lists(crossed(split, hybrid, two_stages(), draw)[0], split) for draw in range(asked.repeats)])
    rows = [row("BM25", of_lists(index.lexical().recommend(split.queries, DEPTH), split), people)]
    for rater in RATERS:
        lessons = taught(split, folder, rater)
        runs = [distilled(split, lessons, hybrid, draw) for draw in range(asked.repeats)]
        gave = sum(way for _, way in runs)
        name = f"TwoStage, labels of {rater.removesuffix('_rating')} (gave way in {gave} of {FOLDS * asked.repeats} folds)"
        rows.append(row(name, mean_of([of_lists(lists, split) for lists, _ in runs]), people))
    rows.append(row("TwoStage, settled labels", people, None))
    head = f"| engine | {PRIMARY} | {' | '.join(METRICS[1:])} | settled labels ahead by | condensed, ahead by |\n|{'---|' * (len(METRICS) + 3)}"
    about = f"Means with 95% intervals over {split.n_queries} queries; five folds, draws 0 to {asked.repeats - 1}. {processor()}, commit {commit()}."
    text = "\n".join([card(split, "chorus-electronics", PRIMARY), "", head, *rows, "", about])
    print(text)
    keep(RESULTS, "quality.search_distilled", text)


if __name__ == "__main__":
    main()
