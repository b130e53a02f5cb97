"""Does the quality report name the size from which an order of models is stable? Simulated worlds whose true order is known.

    python -m benchmarks.quality.quality_worlds [--worlds 100]

A world has three to six models. A person's hit by fit f of model m comes where Phi(a c + b e_m + g e_mf) < p_m + s x_mf: c is the person's own, shared by the
models (a^2 of .3 to .8), e_m the model's and e_mf that of a seed; x_mf ~ N(0, 1) moves the whole fit. A hit is at a place from 1 to 10 that half of the
people share over the models, worth 1 / log2(1 + place). True means are p_m times the mean worth; gaps between neighbours are lognormal, and
each model is fitted with three seeds.

The true stable size is found the slow way: of a population of 200,000 people so many are drawn, the means of three seeds are moved, and it is counted how
often the order stands (tau .8 or more): until the size with 90% is bracketed within a tenth, and 4,000 times for each of five sizes around it, through whose probits a
line is put. The report sees one comparison
of so many times more people than the stable size, and is right where it names the size within a factor of 2. Power: comparisons of the size that
`people_apart` would name, if it knew the true difference, tell the first two models apart in four of five. Finished worlds are kept in
`benchmarks/.cache/quality_worlds/`; seed 1; ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from benchmarks.kit.machine import machine
from benchmarks.kit.places import CACHE
from vitrina.base.power import ERRORS_SEEN
from vitrina.evaluate.quality.stable import people_apart, stable_size
from vitrina.evaluate.quality.values import ModelValues

Array = NDArray[np.float64]
WORTH = 1 / np.log2(np.arange(2, 12))
FITS, TAU, SHARE, TIMES = 3, 0.8, 0.9, (5, 20)
POPULATION, COMPARISONS, BLOCK = 200_000, 4000, 20  # people to draw from; comparisons of a size; people in a block


@dataclass(frozen=True)
class World:
    """What is true: chances of a hit (models,), what people and models share of its doubt, and by how much a seed moves a fit."""

    chances: Array
    shared: float
    own: float
    seeds: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, spread: float = 0.06) -> World:
        """Gaps of a tenth of a percent to a few percent; seeds that move a fit by up to `spread` of the smallest gap."""
        models = int(rng.integers(3, 7))
        gaps = np.exp(rng.normal(np.log(0.02), 0.5, models - 1))
        chances = rng.uniform(0.1, 0.35) + np.concatenate([[0.0], np.cumsum(gaps)])
        shared = float(rng.uniform(0.3, 0.8))
        return cls(
            rng.permutation(chances), shared, (1 - shared) * float(rng.uniform(0.3, 0.9)), float(rng.uniform(0, spread) * gaps.min())
        )

    @property
    def means(self) -> Array:
        """(models,) what all people and all seeds would give."""
        return self.chances * WORTH.mean()

    def comparison(self, people: int, rng: np.random.Generator, seeds: float | None = None) -> Array:
        """(models, fits, people) values."""
        models, rest = len(self.chances), 1 - self.shared - self.own
        moved = self.chances[:, None] + (self.seeds if seeds is None else seeds) * rng.standard_normal((models, FITS))
        together = np.sqrt(self.shared) * rng.standard_normal(people)
        places, alike = rng.integers(0, 10, (models, people)), rng.random(people) < 0.5
        places[:, alike] = places[0, alike]
        out = np.empty((models, FITS, people))
        for m in range(models):
            mine = together + np.sqrt(self.own) * rng.standard_normal(people)
            for f in range(FITS):
                out[m, f] = (ndtr(mine + np.sqrt(rest) * rng.standard_normal(people)) < moved[m, f]) * WORTH[places[m]]
        return out

    def stable(self, rng: np.random.Generator) -> float:
        """The true stable size, by drawing comparisons."""
        population = self.comparison(POPULATION, rng, seeds=0.0).mean(axis=1).T.copy()
        moved = population + (self.means - population.mean(axis=0))  # of the population the means are exactly the true ones
        return bracketed(lambda people, comparisons: self.right(people, comparisons, moved, rng))

    def right(self, people: int, comparisons: int, population: Array, rng: np.random.Generator) -> float:
        """The share of comparisons of so many people whose order is right. Of many they are drawn in blocks, put together anew for each size."""
        off = rng.standard_normal((comparisons, len(self.means))) * self.seeds * WORTH.mean() / np.sqrt(FITS)
        block = BLOCK if people >= 20 * BLOCK else 1
        blocks = rng.permutation(population).reshape(-1, block, len(self.means)).mean(axis=1)
        count = max(round(people / block), 1)
        seen = off + np.stack([blocks[rng.integers(0, len(blocks), count)].mean(axis=0) for _ in range(comparisons)])
        first, second = np.triu_indices(len(self.means), 1)
        true = np.sign(self.means[first] - self.means[second])
        tau = (np.sign(seen[:, first] - seen[:, second]) * true).mean(axis=1)
        return float((tau >= TAU - 1e-9).mean())


def bracketed(right: Callable[[int, int], float]) -> float:
    """The size whose share of right orders is `SHARE`."""
    low, high = 5, 10
    while right(high, 1000) < SHARE:
        low, high = high, 2 * high
    while high - low > max(1, 0.1 * low):
        middle = int(np.sqrt(low * high))
        low, high = (low, middle) if right(middle, 1000) >= SHARE else (middle, high)
    sizes = np.unique([max(round(by * high), 2) for by in (0.8, 0.9, 1.0, 1.1, 1.25)])
    slope, level = np.polyfit(np.log(sizes), ndtri([right(int(size), COMPARISONS) for size in sizes]), 1)
    return float(np.exp((ndtri(SHARE) - level) / slope))


@dataclass(frozen=True)
class Told:
    """What the report said of one comparison."""

    within: bool  # a factor of 2
    inside: bool  # the interval holds the true size
    needed: bool  # that of the people who tell the first two apart does, where these are the true first two


def told(world: World, true: float, people: int, rng: np.random.Generator) -> Told:
    """One comparison, and what is said of it."""
    drawn = world.comparison(people, rng)
    values = ModelValues.of_fits("nDCG@10", {f"model {m}": fits for m, fits in enumerate(drawn)}, np.arange(people))
    found = stable_size(values, tau=TAU, share=SHARE).order
    true = max(true, 20)
    apart, order = people_apart(values), np.argsort(-world.means)
    pair = (f"model {order[0]}", f"model {order[1]}")
    difference = world.means[order[0]] - world.means[order[1]]
    inside = apart.low <= difference <= apart.high if (apart.first, apart.second) == pair else -apart.high <= difference
    return Told(
        bool(true / 2 <= found.size <= 2 * true), bool(found.low <= true <= found.high),
        bool(inside),
    )  # fmt: skip


def power(world: World, rng: np.random.Generator, comparisons: int = 400) -> float:
    """The share of comparisons, of as many people as it takes for the true difference, that tell the first two models apart at 5%."""
    order = np.argsort(-world.means)[:2]
    pool = world.comparison(POPULATION, rng, seeds=0.0)[order].mean(axis=1)
    between = pool[0] - pool[1] - (pool[0] - pool[1]).mean() + np.ptp(world.means[order])
    needed = int(np.ceil((ERRORS_SEEN * between.std() / between.mean()) ** 2))
    seen = [between[rng.integers(0, POPULATION, needed)] for _ in range(comparisons)]
    return float(np.mean([abs(one.mean()) > 1.96 * one.std(ddof=1) / np.sqrt(needed) for one in seen]))


def file_of(number: int) -> Path:
    return CACHE / "quality_worlds" / f"{number}.json"


def measured(number: int) -> dict[str, Any]:
    """What one world says, kept in a file: a run that was interrupted goes on."""
    kept = file_of(number)
    if kept.exists():
        return json.loads(kept.read_text())
    rng = np.random.default_rng([1, number])
    world = World.drawn(rng)
    true = world.stable(rng)
    said = {str(times): asdict(told(world, true, max(int(times * true), 20), rng)) for times in TIMES}
    found = {"true": true, "power": power(world, rng), "told": said}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    return found


def rows(numbers: list[int]) -> list[str]:
    found = [measured(number) for number in numbers]
    true = [one["true"] for one in found]
    lines = [
        f"True stable sizes: {min(true):,.0f} to {max(true):,.0f} people, median {np.median(true):,.0f}. With the people that a power of .8 takes for the true difference, "
        f"{100 * np.mean([one['power'] for one in found]):.1f}% of comparisons tell the first two models apart.",
        "",
        "| people asked, times the stable size | within a factor of 2 | the 90% interval holds it | the 95% interval of the first two's difference |",
        "|---|---|---|---|",
    ]
    for times in TIMES:
        share = [f"{sum(one['told'][str(times)][what] for one in found)} of {len(numbers)}" for what in ("within", "inside", "needed")]
        lines.append(f"| {times} | **{share[0]}** | {' | '.join(share[1:])} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=100, help="how many")
    parser.add_argument(
        "--from", type=int, default=0, dest="first", help="the first one to do in this process: another one may do those before"
    )
    parser.add_argument("--finished", action="store_true", help="begin no further one, and print those that are kept")
    options = parser.parse_args()
    numbers = [number for number in range(options.worlds) if not options.finished or file_of(number).exists()]
    for number in numbers[options.first :]:
        measured(number)
    print(f"{machine()}; {len(numbers)} of {options.worlds} worlds, seed 1, one comparison of each size in each.\n")
    print("\n".join(rows(numbers)))


if __name__ == "__main__":
    main()
