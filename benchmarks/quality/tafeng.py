"""TIFU-KNN on Ta-Feng in the protocol of its paper, beside the person's own counts: prints a table in Markdown.

    python -m benchmarks.quality.tafeng

The last 20% of the people in the order of the file are asked for their last basket; neighbours are looked for among the
first 80%, whose last basket is left out too, as the authors' program does. Recall is over all items of the true basket, and so is the ideal of
the published nDCG.
Hyper-parameters are those of [Hu et al. 2020](https://arxiv.org/abs/2006.00556): k=300, r_b=0.9, r_g=0.7, alpha=0.7, m=7.

The data are baskets of [Li et al. 2021](https://arxiv.org/abs/2109.14233), who dropped 91 of the 13,949 people of the
original file. $VITRINA_DATA is the folder that holds ta-feng/baskets.parquet; without it ../shared/data is read.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import card
from vitrina.data.split import Split
from vitrina.evaluate.run import evaluate
from vitrina.types import Eligibility, Ragged

METRICS = ("Recall@10", "Recall@20", "nDCG@10", "nDCG@20")
MODELS = {
    "TifuKNN()": vt.TifuKNN(),
    'TifuKNN(short="oldest"), as the authors\' program': vt.TifuKNN(short="oldest"),
    "TopPersonal()": vt.TopPersonal(),
    "Popularity()": vt.Popularity(),
}


def paper_split(log: vt.Dataset) -> Split:
    """Training histories of the first 80% of the people; the last basket of the others as truth."""
    baskets, people = log.events.baskets, len(log.users)
    assert baskets is not None
    last = baskets == np.repeat(baskets[log.indptr[1:] - 1], np.diff(log.indptr))
    first = log.user_of < int(0.8 * people)
    asked = np.arange(int(0.8 * people), people)
    history = log.select(~last)
    truth = log.select(last & ~first)
    rows = Ragged(truth.indptr, truth.events.items).take(asked).unique()
    return Split(log.select(first & ~last), history.queries(codes=asked), rows, Eligibility(repeat=True))


def row(name: str, model: Any, split: Split) -> str:
    start = time.perf_counter()
    lists = model.fit(split.train).recommend(split.queries, 20, eligible=split.eligible)
    seconds = time.perf_counter() - start
    found = evaluate(lists, split, METRICS)
    cells = [f"{value:.4f} ({low:.4f} to {high:.4f})" for _, value, low, high in found.numbers.iter_rows()]
    return f"| {name} | {' | '.join(cells)} | {seconds:.1f} |"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    log = vt.read_interactions(data_folder() / "ta-feng" / "baskets.parquet", basket="basket")
    split = paper_split(log)
    vt.TifuKNN().fit(split.train).recommend(split.queries[:2], 5)  # compiles
    print(f"Ta-Feng: {len(split.queries):,} people asked, {split.train.n_users:,} to learn from, 95% intervals over people.\n")
    print(f"{card(split, metric='Recall@10')}\n")
    print(f"| model | {' | '.join(METRICS)} | seconds |\n|{'---|' * (len(METRICS) + 2)}")
    for name, model in MODELS.items():
        print(row(name, model, split))
    print("| Hu et al. 2020, published | .1301 | .1810 | .1011 | .1206 | |")


if __name__ == "__main__":
    main()
