"""How many near-copies re-rankers let through: 60 groups of 5 near-copies, 20 places, 100 seeds.

    python -m benchmarks.quality.near_copies [--seeds 100]

Vectors of a group are a random direction of 64 numbers and .05 of noise each; scores are uniform per group with noise of .02. An item is redundant where
one of its group stands above it. Nothing is fitted and nothing is tuned: diversity is .3 for all.
"""

from __future__ import annotations

import argparse

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from vitrina.rerank.base import Ordering
from vitrina.rerank.greedy import arrays_of
from vitrina.vocabulary import id_hashes

GROUPS, COPIES, PLACES, DIM = 60, 5, 20, 64
RERANKERS = {
    "none": vt.MMR(diversity=0.0),
    "MMR": vt.MMR(),
    **{
        f"SMMR, scale {scale:g}, T {temperature}{'' if within else ', batches not compared'}": vt.SMMR(
            scale=scale, temperature=temperature, within=within
        )
        for within in (True, False)
        for scale in (2.0, 4.0)
        for temperature in (0.01, 0.05)
    },
    "DPP": vt.DPP(),
    "SSD": vt.SSD(),
}


def near_copies(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(300, 64) vectors of length 1 and (300,) scores in [0, 1]; item i is in group i // 5."""
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.standard_normal((GROUPS, DIM)), COPIES, axis=0) + 0.05 * rng.standard_normal((GROUPS * COPIES, DIM))
    scores = np.clip(np.repeat(rng.random(GROUPS), COPIES) + 0.02 * rng.standard_normal(GROUPS * COPIES), 0, 1)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), scores.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    seeds = parser.parse_args().seeds
    vocabulary = vt.Vocabulary.of(range(GROUPS * COPIES))
    queries, codes = vt.Queries.of_histories(vocabulary, [[]]), np.arange(GROUPS * COPIES, dtype=np.int32)[None]
    print(f"Protocol: {GROUPS} groups of {COPIES} near-copies, {PLACES} places, {seeds} seeds, diversity .3; mean and standard error.\n")
    print("| re-ranker | redundant of 20 | mean score of the list |\n|---|---|---|")
    for name, reranker in RERANKERS.items():
        copies, means = [], []
        for seed in range(seeds):
            vectors, scores = near_copies(seed)
            fitted = Ordering(reranker, {**arrays_of(vectors), "hashes": id_hashes(vocabulary)})
            lists = vt.Recommendations(codes, scores[None], vocabulary)
            items = fitted.rerank(queries, lists, PLACES, eligible=vt.Eligibility(repeat=True)).items[0]
            copies.append(PLACES - len(set((items // COPIES).tolist())))
            means.append(scores[items].mean())
        cells = (f"{np.mean(x):.{digits}f} ({np.std(x) / np.sqrt(seeds):.{digits}f})" for x, digits in ((copies, 2), (means, 3)))
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{processor()}, commit {commit()}.")


if __name__ == "__main__":
    main()
