"""How often an interval holds the truth over people and seeds, when a model was fitted with a few seeds.

    python -m benchmarks.quality.fits [--worlds 10000]

A world has 200 people with a geometric number of queries (2 on average), and a model that is fitted with a few seeds. The value of a query is .3 + a person's
part + a query's part + a seed's part + what this seed does to this person, all normal: deviations .1, .1, and the ones of the table. Seeds are given in
standard errors of people; "people differ by seed" is a deviation of .1 as well. The truth is .3, the mean over all people and seeds. Prints a table in Markdown:
the share of worlds whose 95% interval holds it, first with the doubt of people alone, then with that of the seeds (`vt.evaluate.variance_of_fits`).
"""

from __future__ import annotations

import argparse
import itertools
from math import sqrt

import numpy as np

from benchmarks.kit.machine import machine
from vitrina.evaluate.fits import variance_of_fits
from vitrina.evaluate.interval import intervals_of

PEOPLE, TRUTH, DEVIATION = 200, 0.3, 0.1
FITS, SEEDS, DIFFER = (2, 3, 5), (0, 1, 3), (False, True)


def inside(rng: np.random.Generator, fits: int, seeds: float, differ: bool) -> tuple[bool, bool]:
    """Whether the interval of one world holds the truth: with the doubt of people alone, and with that of seeds too."""
    users = np.repeat(np.arange(PEOPLE), rng.geometric(0.5, PEOPLE))
    error = DEVIATION * sqrt(1.5 / PEOPLE + 1 / len(users))  # a person asks E n^2 / (E n)^2 = 1.5 times as unevenly as one query each
    own = rng.normal(0, DEVIATION, PEOPLE)[users] + rng.normal(0, DEVIATION, len(users))
    values = np.stack([TRUTH + own + seeds * error * rng.normal() + differ * rng.normal(0, DEVIATION, PEOPLE)[users] for _ in range(fits)])
    column = values.mean(axis=0)
    alone, both = intervals_of([column, column], users, 0.95, [0.0, variance_of_fits(values, users)])
    return alone.low < TRUTH < alone.high, both.low < TRUTH < both.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10_000, help="worlds per row")
    worlds, limits = parser.parse_args().worlds, machine()
    print("| fits | seed, in errors of people | people differ by seed | people alone | with the seeds |\n|---|---|---|---|---|")
    for fits, seeds, differ in itertools.product(FITS, SEEDS, DIFFER):
        rng = np.random.default_rng([fits, seeds, differ])
        alone, both = np.mean([inside(rng, fits, seeds, differ) for _ in range(worlds)], axis=0)
        print(f"| {fits} | {seeds} | {'yes' if differ else 'no'} | {alone:.1%} | {both:.1%} |", flush=True)
    print(f"\n{worlds:,} worlds per row, so that one standard error is {sqrt(0.05 * 0.95 / worlds):.1%}. {limits}.")


if __name__ == "__main__":
    main()
