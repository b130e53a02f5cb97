"""How far differences in nDCG@10 spread over people and over the queries of one, on seven logs: what `vitrina inspect` reckons people from.

    python -m benchmarks.quality.spread

Some minutes on one core. On the split that `vitrina inspect` recommends, at most 20,000 queries, eight quick models (fewer where people don't repeat or items
have no description) in all pairs. Between the queries of one person: the root of the pooled variance. Between people: what the error over people has beyond
that, (error^2 N^2 - of_queries^2 N) / sum n_u^2. With one query a person the two can't be told apart, and their sum stands there. The difference that is
seen is 2.80 errors: of the median pair, and as `vitrina inspect` says it.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.quality.steps import LOGS
from vitrina.base.power import ERRORS_SEEN
from vitrina.board.sample import take_queries
from vitrina.data.inspect.people import Asked

MOST, METRIC = 20_000, "nDCG@10"


def models(split: vt.split.Split) -> list[Any]:
    near = vt.decay.Exponential(events=2)
    found: list[Any] = [
        vt.Popularity(), vt.Cooccurrence(), vt.Cooccurrence(weighting=vt.weighting.BM25()), vt.Cooccurrence(decay=vt.decay.Exponential(events=3)),
        vt.Cooccurrence(weighting=vt.weighting.Transitions(), gap=near, one_way=True, decay=near), vt.EASE(max_items=3000, l2=100),
    ]  # fmt: skip
    found += [vt.TopPersonal()] if split.eligible.repeat else []
    return [*found, vt.ContentSimilarity()] if split.train.item_table is not None else found


def spreads(split: vt.split.Split) -> np.ndarray:
    """(pairs, 3): the error of the difference, and its standard deviation between queries of one person and between people."""
    columns = []
    for model in models(split):
        lists = model.fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
        columns.append(vt.evaluate.evaluate(lists, split, [METRIC], intervals=False).per_query[METRIC].to_numpy())
    users = split.queries.users
    _, person, counts = np.unique(np.where(users < 0, -1 - np.arange(len(users)), users), return_inverse=True, return_counts=True)
    out = []
    for a, b in combinations(columns, 2):
        d, total = a - b, len(a)
        error2 = (np.bincount(person, d - d.mean()) ** 2).sum() / total**2
        within2 = ((d - (np.bincount(person, d) / counts)[person]) ** 2).sum() / (counts - 1).sum() if counts.max() > 1 else np.nan
        between2 = (error2 * total**2 - within2 * total) / (counts.astype(float) ** 2).sum()
        out.append((error2, within2, np.maximum(between2, 0)))
    return np.sqrt(out)


def row(name: str, data: vt.Dataset) -> str:
    split = data.split(vt.inspect(data).recommended)
    whom = np.random.default_rng(0).permutation(len(split.queries))[:MOST]
    split = take_queries(split, np.sort(whom))
    seen, found = Asked.of(split.queries.users), spreads(split)
    alone = np.isnan(found[:, 1]).all()
    parts = ("", "", of(found[:, 0] * seen.people**0.5)) if alone else (of(found[:, 1]), of(found[:, 2]), "")
    return (
        f"| {name} | {seen.people:,} | {seen.effective:,.0f} | {seen.queries:,} | {' | '.join(parts)} "
        f"| {ERRORS_SEEN * np.median(found[:, 0]):.4f} | {seen.seen:.4f} |"
    )


def of(values: np.ndarray) -> str:
    return f"{np.median(values):.3f} ({values.min():.3f} to {values.max():.3f})"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    heads = ("log", "people", "if all ask alike", "queries", "queries of one", "people", "both", "seen, median pair", "seen, as said")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, load in LOGS.items():
        print(row(name, load()), flush=True)
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
