"""Product search in two stages beside its sources and their mixtures, on chorus-electronics, by cross-validation over queries.

    python -m benchmarks.quality.search_two_stages [--vectors FILE] [--repeats 3] [--choose]

19,406 products, 135 queries with 3,668 human labels from 0 to 3; 116 queries have a relevant product. Sources are BM25 over title, brand, type and description and the
packaged encoder over titles, 100 products each. The mixture's weight is chosen on the training folds, and a ranker is learned of them, five folds, in `--repeats` draws
of the folds; the values of a query are the mean over draws. `--choose` prints what settings of the ranker are worth in one more draw, and writes nothing: what is chosen is chosen
there. `--vectors` are rows of the products that the encoder has made before.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import card
from vitrina.evaluate import mean_interval
from vitrina.ranking import Head, LambdaRank, SourceScores

PRIMARY = "exponential nDCG@10"
METRICS = (PRIMARY, "linear nDCG@10", "condensed exponential nDCG@10", "bpref@100", "Unjudged@10")
FOLDS, DEPTH, CHOOSING = 5, 100, 100
WEIGHTS = (0.5, 0.6, 0.7, 0.8, 0.9)
RANKER, UNJUDGED = LambdaRank(trees=200, leaves=7, least_pairs=50, columns=0.5), 200
FEATURES = (
    SourceScores(), vt.search.TextOverlap(columns=("title", "product_type", "description"), brand="brand"),
    vt.search.ItemNumbers(columns=("price_cents", "released")),
)  # fmt: skip
SETTINGS = {
    f"{trees} trees of {leaves} leaves, {unjudged} unjudged": (
        LambdaRank(trees=trees, leaves=leaves, least_pairs=50, columns=0.5),
        unjudged,
    )
    for trees, leaves in ((40, 4), (100, 4), (200, 7))
    for unjudged in (10, 50, 200)
}


def judged(folder: Path) -> vt.split.Split:
    """The queries with what people said; the year of release is a number."""
    items = pl.read_parquet(folder / "documents.parquet").rename({"doc_id": "item"})
    items = items.with_columns(pl.col("released").str.slice(0, 4).cast(pl.Float64, strict=False))
    qrels = pl.read_parquet(folder / "qrels.parquet").rename({"doc_id": "item", "relevance": "gain"})
    return vt.split.judged(qrels, None, items)


def two_stages(ranker: LambdaRank = RANKER, unjudged: int = UNJUDGED) -> vt.TwoStage:
    return vt.TwoStage(features=FEATURES, ranker=ranker, heads=(Head(name="relevance", judged="gain"),), negatives=unjudged, held_out=0.3)


def folds_of(queries: int, draw: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to judge."""
    fold = np.random.default_rng(draw).permutation(queries) % FOLDS
    for number in range(FOLDS):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def of_lists(lists: vt.Recommendations, split: vt.split.Split) -> pl.DataFrame:
    """(queries, metrics) values."""
    return vt.evaluate.evaluate(lists, split, METRICS, intervals=False).per_query.select(METRICS)


def crossed(split: vt.split.Split, hybrid: vt.search.Hybrid, model: vt.TwoStage, draw: int) -> tuple[vt.Recommendations, int]:
    """Lists of rankers that learned from the other folds, and of how many folds the ranker gave way to a source."""
    parts, rows, gave_way = [], [], 0
    for learned, held in folds_of(split.n_queries, draw):
        fitted = model.fit(split.train, validation=split.take(learned), sources=hybrid.asked)
        gave_way += fitted.features is None
        parts.append(fitted.recommend(split.queries[held], DEPTH, eligible=split.eligible))
        rows.append(held)
    return vt.Recommendations.concat(parts)[np.argsort(np.concatenate(rows))], gave_way


def mixed(split: vt.split.Split, by_weight: list[pl.DataFrame], draw: int) -> pl.DataFrame:
    """Values of the mixture whose weight was best on the other folds."""
    values = np.full((split.n_queries, len(METRICS)), np.nan)
    for learned, held in folds_of(split.n_queries, draw):
        best = max(by_weight, key=lambda frame: frame[PRIMARY].gather(learned).mean())
        values[held] = best.to_numpy()[held]
    return pl.DataFrame(values, schema=METRICS)


def mean_of(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.DataFrame(np.mean([frame.to_numpy() for frame in frames], axis=0), schema=METRICS)


def row(name: str, values: pl.DataFrame, ranked: pl.DataFrame | None) -> str:
    users = np.full(len(values), -1)

    def with_interval(column: np.ndarray, places: int = 4) -> str:
        low, high = mean_interval(column, users)
        return f"{column.mean():.{places}f} ({low:.{places}f} to {high:.{places}f})"

    cells = [
        with_interval(values[PRIMARY].to_numpy()),
        *(f"{values[name].mean():.4f}" for name in METRICS[1:-1]),
        f"{values['Unjudged@10'].mean():.2f}",
    ]
    cells += ["" if ranked is None else with_interval((ranked[name] - values[name]).to_numpy()) for name in (PRIMARY, METRICS[2])]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--choose", action="store_true")
    asked = parser.parse_args()
    split = judged(data_folder() / "chorus-electronics")
    frame = split.train.item_table.frame.with_columns(item=split.train.items.ids)
    index = vt.search.ItemIndex.build(
        frame, id="item", columns={"title": 2, "brand": 1, "product_type": 1, "description": 0.5}, encoder=vt.search.Packaged(), encoded=["title"],
        vectors=None if asked.vectors is None else np.load(asked.vectors), vocabulary=split.train.items,
    )  # fmt: skip
    hybrid = vt.search.Hybrid({"words": index.lexical(), "vectors": index.semantic()}, vt.search.RRF(), depth=DEPTH)
    if asked.choose:
        for name, (ranker, unjudged) in SETTINGS.items():
            lists, gave_way = crossed(split, hybrid, two_stages(ranker, unjudged), CHOOSING)
            print(f"{name}: {of_lists(lists, split)[PRIMARY].mean():.4f}, gave way in {gave_way} folds", flush=True)
        return
    by_weight = [of_lists(hybrid.with_fusion(vt.search.Convex(weights=(w, 1 - w))).recommend(split.queries, DEPTH), split) for w in WEIGHTS]
    runs = [crossed(split, hybrid, two_stages(), draw) for draw in range(asked.repeats)]
    ranked = mean_of([of_lists(lists, split) for lists, _ in runs])
    others = {
        "BM25": of_lists(index.lexical().recommend(split.queries, DEPTH), split), "vectors": of_lists(index.semantic().recommend(split.queries, DEPTH), split),
        "Hybrid, RRF(60)": of_lists(hybrid.recommend(split.queries, DEPTH), split),
        "Hybrid, Convex of a weight from the other folds": mean_of([mixed(split, by_weight, draw) for draw in range(asked.repeats)]),
    }  # fmt: skip
    print(card(split, "chorus-electronics", PRIMARY), "\n")
    print(f"| engine | {PRIMARY} | {' | '.join(METRICS[1:])} | two stages ahead by | condensed, ahead by |\n|{'---|' * (len(METRICS) + 3)}")
    for name, values in others.items():
        print(row(name, values, ranked))
    print(row("TwoStage over both", ranked, None))
    print(
        f"\nMeans with 95% intervals over {split.n_queries} queries; five folds, draws 0 to {asked.repeats - 1}; the ranker gave way to a source in "
        f"{sum(gave for _, gave in runs)} of {FOLDS * asked.repeats} folds. {processor()}, commit {commit()}."
    )


if __name__ == "__main__":
    main()
