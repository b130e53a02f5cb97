"""Whether the intervals of experiments cover what is true, how often somebody wins who shouldn't, and whether the power is what was planned.

    python -m benchmarks.quality.experiments [--worlds 10000]

Each world has two arms of 1,000 units by a coin and a true difference; seeds are fixed. `mean`: a unit spends an exponential amount of mean 10 with a chance of .4, and 5% more in the
treatment. `share`: 10% against 11%. `ratio`: orders are 1 + Poisson(2) by unit, each of an exponential amount around what is the unit's own (gamma, shape 4, mean 10), 5% more in
the treatment. `mean, covariate`: spending of before is what the unit's spending is drawn around. `ratio, covariate`: numerator and denominator of before, drawn by the same unit. `mean,
households`: 400 homes of 1 to 5 people are assigned; half of what a person spends is the home's. False winners: control and three arms, four metrics that depend on one another,
12 comparisons, no difference. Power: the mean with the effect that so many units should see in four runs of five. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy.special import stdtr, stdtrit

from benchmarks.kit.machine import machine
from vitrina.base.power import ERRORS_SEEN
from vitrina.experiments.effects import PARTS, differences
from vitrina.experiments.moments import Moments

UNITS, CHUNK = 2_000, 50
World = Callable[[np.random.Generator], tuple[tuple[str, ...], list[np.ndarray], np.ndarray, float]]


def mean(rng: np.random.Generator) -> tuple:
    arm = rng.integers(0, 2, UNITS)
    spent = (rng.random(UNITS) < 0.4) * rng.exponential(10, UNITS) * (1 + 0.05 * arm)
    return PARTS[:1], [spent], arm, 0.2


def share(rng: np.random.Generator) -> tuple:
    arm = rng.integers(0, 2, UNITS)
    return PARTS[:1], [(rng.random(UNITS) < 0.10 + 0.01 * arm).astype(np.float64)], arm, 0.01


def orders(rng: np.random.Generator, own: np.ndarray) -> list[np.ndarray]:
    count = 1 + rng.poisson(2, UNITS)
    return [own * rng.gamma(count), count.astype(np.float64)]  # a sum of exponentials


def ratio(rng: np.random.Generator) -> tuple:
    arm = rng.integers(0, 2, UNITS)
    return PARTS[:2], orders(rng, rng.gamma(4, 2.5, UNITS) * (1 + 0.05 * arm)), arm, 0.5


def mean_covariate(rng: np.random.Generator) -> tuple:
    arm, own = rng.integers(0, 2, UNITS), rng.gamma(2, 5, UNITS)
    return ("numerator", "covariate"), [own * rng.gamma(4, 0.25, UNITS) + 0.5 * arm, own * rng.gamma(4, 0.25, UNITS)], arm, 0.5


def ratio_covariate(rng: np.random.Generator) -> tuple:
    arm, own = rng.integers(0, 2, UNITS), rng.gamma(4, 2.5, UNITS)
    return PARTS, [*orders(rng, own * (1 + 0.05 * arm)), *orders(rng, own)], arm, 0.5


def people(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    home = np.repeat(np.arange(400), rng.integers(1, 6, 400))
    arm = rng.integers(0, 2, 400)
    return home, arm, rng.exponential(5, 400)[home] + rng.exponential(5, len(home)) + 0.5 * arm[home]


def households(rng: np.random.Generator) -> tuple:
    home, arm, spent = people(rng)
    return PARTS[:2], [np.bincount(home, spent, 400), np.bincount(home, minlength=400).astype(np.float64)], arm, 0.5


def households_naive(rng: np.random.Generator) -> tuple:
    home, arm, spent = people(rng)
    return PARTS[:1], [spent], arm[home], 0.5


COVERED: dict[str, World] = {
    "mean": mean, "share": share, "ratio": ratio, "mean, covariate": mean_covariate, "ratio, covariate": ratio_covariate, "mean, households": households,
    "mean, households taken for independent people": households_naive,
}  # fmt: skip


def judged(names: tuple[str, ...], worlds: list[tuple[list[np.ndarray], np.ndarray]], arms: int = 2) -> tuple[np.ndarray, ...]:
    """(worlds, treatments) differences, errors and degrees of freedom of Welch's t: what `effect_of` says of one (a test holds the two together)."""
    columns = [np.concatenate(parts) for parts in zip(*(columns for columns, _ in worlds), strict=True)]
    groups = np.concatenate([arms * k + arm for k, (_, arm) in enumerate(worlds)])
    moments = Moments.of(columns, groups, arms * len(worlds)).reshaped(len(worlds), arms)
    found = []
    for k in range(1, arms):
        looks = differences(names, moments[:, 0], moments[:, k])
        variances, counts = np.array([looks.control_variance, looks.treatment_variance]), moments.counts[:, [0, k]].T
        freedom = variances.sum(axis=0) ** 2 / (variances**2 / (counts - 1)).sum(axis=0)
        found.append((looks.treatment - looks.control, np.sqrt(looks.variance), freedom))
    return tuple(np.stack(parts, axis=1) for parts in zip(*found, strict=True))


def in_chunks(world: World, worlds: int, seed: int) -> tuple[np.ndarray, ...]:
    """(worlds,) true values, differences, errors, degrees of freedom."""
    rng, found = np.random.default_rng(seed), []
    for first in range(0, worlds, CHUNK):
        drawn = [world(rng) for _ in range(min(CHUNK, worlds - first))]
        found.append(
            (np.array([true for *_, true in drawn]), *(part[:, 0] for part in judged(drawn[0][0], [(c, arm) for _, c, arm, _ in drawn])))
        )
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def coverage(world: World, worlds: int) -> tuple[float, float, float, float]:
    """The share of intervals that cover; the true value below and above them; the mean of the errors over the deviation of the differences."""
    true, difference, error, freedom = in_chunks(world, worlds, 0)
    half = stdtrit(freedom, 0.975) * error
    below, above = (true < difference - half).mean(), (true > difference + half).mean()
    return 1 - above - below, below, above, error.mean() / difference.std()


def false_winners(worlds: int) -> tuple[float, float]:
    """The share of worlds where any of 12 comparisons without a difference is significant: by Holm, whose first step is the least p times 12, and each for itself."""
    rng, found = np.random.default_rng(1), np.zeros(2)
    for first in range(0, worlds, CHUNK):
        metrics: list[list[tuple[list[np.ndarray], np.ndarray]]] = [[], [], [], []]
        for _ in range(min(CHUNK, worlds - first)):
            arm, own = rng.integers(0, 4, 2 * UNITS), rng.gamma(2, 5, 2 * UNITS)
            bought = rng.random(len(arm)) < 0.2
            for drawn, values in zip(
                metrics, (own, own * rng.gamma(4, 0.25, len(arm)), bought.astype(np.float64), bought * own), strict=True
            ):
                drawn.append(([values], arm))
        ps = []
        for drawn in metrics:
            difference, error, freedom = judged(PARTS[:1], drawn, 4)
            ps.append(2 * stdtr(freedom, -np.abs(difference) / error))
        least = np.concatenate(ps, axis=1).min(axis=1)
        found += [(12 * least < 0.05).sum(), (least < 0.05).sum()]
    return tuple(found / worlds)  # type: ignore[return-value]


def power(worlds: int) -> float:
    """How often the effect is seen that 2,000 units should see in four runs of five."""
    effect = ERRORS_SEEN * np.sqrt((0.4 * 200 - 16) * 2 / (UNITS / 2))  # the deviation of the spending of `mean`

    def world(rng: np.random.Generator) -> tuple:
        arm = rng.integers(0, 2, UNITS)
        return PARTS[:1], [(rng.random(UNITS) < 0.4) * rng.exponential(10, UNITS) + effect * arm], arm, effect

    _, difference, error, freedom = in_chunks(world, worlds, 2)
    return float((np.abs(difference) > stdtrit(freedom, 0.975) * error).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10_000)
    worlds = parser.parse_args().worlds
    limits = machine()
    print(
        f"95% intervals over {worlds:,} worlds; a coverage of 95% is off by {100 * 2 * (0.05 * 0.95 / worlds) ** 0.5:.2f} points at two errors.\n"
    )
    print("| what | covered | true value below | above | mean error / deviation |\n|---|---|---|---|---|")
    for name, world in COVERED.items():
        covered, below, above, calibrated = coverage(world, worlds)
        print(f"| {name} | {covered:.2%} | {below:.2%} | {above:.2%} | {calibrated:.3f} |", flush=True)
    together, alone = false_winners(worlds)
    print(
        f"\nA false winner among 12 comparisons: {together:.2%} of worlds by Holm, {alone:.1%} if each is taken for itself. Power planned 80%: {power(worlds):.1%}.\n\n{limits}."
    )


if __name__ == "__main__":
    main()
