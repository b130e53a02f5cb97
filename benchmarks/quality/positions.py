"""What learning a number per place wins back of lists whose lower places are seldom looked at, and what it loses where all places are.

    python -m benchmarks.quality.positions [--lists 20000] [--seeds 5] [--trees 100]

Lists of ten items with three features. What is looked at is clicked with a chance that goes by the first feature alone; a place p is looked at with the chance 1 / p,
1 / sqrt(p) or 1. The lists were shown by the second feature, which means nothing, or by the first, as a good model would show them; lists without a click are left out. The same
ranker learns from the clicks as they are, with `LambdaRank(positions=True)`, and, as the bound, from the clicks that the same lists would have had if all of them had been
looked at. Judged on the pairs of 2,000 new lists, by their true chances. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.kit.machine import machine
from vitrina.ranking import Examples, LambdaRank

PLACES, FEATURES, NEW = 10, ("good", "other", "noise"), 2_000
LOOKED_AT = {"1 / p": 1.0, "1 / sqrt(p)": 0.5, "always": 0.0}  # the power of 1 / p
SHOWN_BY = {"what means nothing": (0.3, 1.5), "what is good": (1.5, 0.3)}  # weights of the first two features


@dataclass(frozen=True)
class Lists:
    """Lists that were shown: features and chances of their items, places, and who would look."""

    features: np.ndarray  # (lists, places, 3)
    chance: np.ndarray  # (lists, places)
    places: np.ndarray  # (lists, places), from 1
    draws: np.ndarray  # (lists, places) uniform: the same luck for every way of looking

    @classmethod
    def made(cls, count: int, shown_by: tuple[float, float], seed: int) -> Lists:
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(count, PLACES, len(FEATURES))).astype(np.float32)
        shown = features[:, :, :2] @ np.array(shown_by) + 0.5 * rng.normal(size=(count, PLACES))
        places = np.argsort(np.argsort(-shown, axis=1), axis=1) + 1
        return cls(features, 1 / (1 + np.exp(1.5 - features[:, :, 0])), places, rng.random((count, PLACES)))

    def clicked(self, power: float) -> Examples:
        """What a ranker learns from: the lists with a click, where a place p is looked at with the chance p ** -power."""
        clicks = self.draws < self.chance / self.places**power
        flat, count = self.features.reshape(-1, len(FEATURES)), len(clicks)
        examples = Examples(
            flat, clicks.ravel().astype(np.float32), np.full(count, PLACES), FEATURES, np.zeros(count, bool), self.places.ravel().astype(np.int32)
        )  # fmt: skip
        return examples.take(clicks.any(axis=1))


def right_pairs(ranker: LambdaRank, lists: Examples, new: Lists) -> float:
    """The share of pairs of new lists that are put in the order of their true chances."""
    scores = ranker.fit(lists).score(new.features.reshape(-1, len(FEATURES))).reshape(new.chance.shape)
    return float((scores[:, :, None] > scores[:, None, :])[new.chance[:, :, None] > new.chance[:, None, :]].mean())


def rows(count: int, seeds: int, trees: int) -> Iterator[str]:
    plain = LambdaRank(trees=trees, leaves=7, learning_rate=0.1, least_pairs=20, columns=1.0)
    corrected = plain.model_copy(update={"positions": True})
    for shown, weights in SHOWN_BY.items():
        made = [(Lists.made(count, weights, seed), Lists.made(NEW, weights, 1_000 + seed)) for seed in range(seeds)]
        bound = [right_pairs(plain, lists.clicked(0), new) for lists, new in made]
        for looked, power in LOOKED_AT.items():
            pairs = [(lists.clicked(power), new) for lists, new in made]
            naive, own = ([right_pairs(ranker, *pair) for pair in pairs] for ranker in (plain, corrected))
            cells = [*(_share(np.array(values)) for values in (naive, own, bound)), _points(np.array(own) - naive)]
            yield f"| {shown} | {looked} | {' | '.join(cells)} |"


def _share(values: np.ndarray) -> str:
    return f"{values.mean():.1%} ({values.std(ddof=1):.1%})"


def _points(values: np.ndarray) -> str:
    return f"{100 * values.mean():+.1f} points ({100 * values.min():+.1f} to {100 * values.max():+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=int, default=20_000, help="lists that were shown")
    parser.add_argument("--seeds", type=int, default=5, help="worlds that are drawn, two at least")
    parser.add_argument("--trees", type=int, default=100)
    options = parser.parse_args()
    limits = machine()
    print(
        f"Pairs in true order, of {NEW:,} new lists; means over {options.seeds} worlds of {options.lists:,} lists, and their deviation; {options.trees} trees.\n"
    )
    print("| shown by | a place p is looked at | clicks as they are | with places | clicks if all were looked at | places change |")
    print(f"|{'---|' * 6}")
    for row in rows(options.lists, options.seeds, options.trees):
        print(row, flush=True)
    print(f"\n{limits}.")


if __name__ == "__main__":
    main()
