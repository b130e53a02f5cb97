"""What looking every day does: false alarms of the t interval and of the always-valid one, from how many units on it can be trusted, and what it costs.

    python -m benchmarks.quality.peeking [--worlds 2000]

Two arms of 20,000 units each without any difference, planned for 10,000; units come in a random order. "Always" looks after every unit of each arm, "daily" after every 1,000;
`arms 1 to 9`: of the same units in all.
`normal`: N(0, 1). `one per cent`: 1 with a chance of .01, else 0. `revenue`: 5% buy, for exp(N(3, 1.2^2)). `revenue per order`: each unit has 1 + Poisson(1) orders of exp(N(2, 1)) times what
is the unit's own, exp(N(0, .5^2)). `with a covariate`: N(0, 1) and a covariate with a correlation of .8. The cost is measured with N(d, 1) against N(0, 1), where d is what a t test
of 10,000 units per arm sees in four runs of five; looks every 500 units per arm, up to three times the plan. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import ndtri

from benchmarks.kit.machine import machine
from benchmarks.kit.peers import peer_python
from vitrina.experiments.effects import PARTS, differences
from vitrina.experiments.moments import Moments
from vitrina.experiments.sequential import half_width

UNITS, PLANNED, DAY = 20_000, 10_000, 1_000  # of each arm
BURN_INS = (50, 250, 1_000)
EFFECTIVE = 200  # units of the smaller arm, the default of `sequential`
Z = float(ndtri(0.975))
Draw = Callable[[np.random.Generator, int], np.ndarray]
COLUMNS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "one per cent": lambda rng, n: (rng.random(n) < 0.01).astype(np.float64),
    "revenue": lambda rng, n: np.where(rng.random(n) < 0.05, np.exp(3 + 1.2 * rng.standard_normal(n)), 0.0),
}


def off(draw: Draw, rng: np.random.Generator, steps: int, times: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(steps,) the difference of means after each unit of the one arm and `times` as many of the other, and its error; from which step on the smaller arm has enough effective units."""
    mean, variance, first = np.zeros(steps), np.zeros(steps), steps
    for sign, each in ((-1, times), (1, 1)):
        count = each * np.arange(1, steps + 1)
        x = draw(rng, each * steps)
        total, square = (np.cumsum(v)[each - 1 :: each] for v in (x, x * x))
        mean += sign * total / count
        variance += (square - total**2 / count) / np.maximum(count - 1, 1) / count
    for first in range(EFFECTIVE, steps, 25):  # of the last x, the smaller arm
        apart = x[:first] - x[:first].mean()
        if np.abs(apart).sum() ** 2 >= EFFECTIVE * (apart @ apart) > 0:
            break
    return mean, np.sqrt(np.maximum(variance, 0)), first


def alarms(draw: Draw, worlds: int, times: int) -> dict[str, float]:
    """The share of worlds with an alarm, by way of looking and burn-in; one arm is so many `times` the other, of the same units in all."""
    steps, plan, day = (2 * units // (1 + times) for units in (UNITS, PLANNED, DAY))
    rng, n = np.random.default_rng(0), np.arange(1, steps + 1)
    wide = half_width((1 + times) * n, 1.0, 2 * PLANNED)
    found = dict.fromkeys([*(f"always from {b}" for b in BURN_INS), "effective", "daily", "t daily", "t once"], 0)
    for _ in range(worlds):
        mean, error, first = off(draw, rng, steps, times)
        beyond, t_beyond = np.abs(mean) > wide * error, np.abs(mean) > Z * error
        beyond &= error > 0
        for burn_in in BURN_INS:
            found[f"always from {burn_in}"] += bool(beyond[burn_in - 1 :].any())
        found["effective"] += bool(beyond[first - 1 :].any())
        found["daily"] += bool(beyond[day - 1 :: day].any())
        found["t daily"] += bool(t_beyond[day - 1 :: day].any())
        found["t once"] += bool(t_beyond[plan - 1])
    return {name: count / worlds for name, count in found.items()}


def ratio_columns(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    orders = 1 + rng.poisson(1, n)
    own = np.exp(0.5 * rng.standard_normal(n))
    per_order = np.exp(2 + rng.standard_normal((n, 6))) * (np.arange(6) < orders[:, None])
    return [own * per_order.sum(axis=1), orders.astype(np.float64)]


def covariate_columns(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    before = rng.standard_normal(n)
    return [0.8 * before + 0.6 * rng.standard_normal(n), before]


ADJUSTED = {"revenue per order": (PARTS[:2], ratio_columns), "with a covariate": (("numerator", "covariate"), covariate_columns)}


def adjusted_alarms(name: str, worlds: int) -> tuple[float, float]:
    """The share of worlds with an alarm at a daily look: always valid, and of the t interval."""
    (names, draw), rng = ADJUSTED[name], np.random.default_rng(1)
    days = UNITS // DAY
    look, arm = np.tile(np.repeat(np.arange(days), DAY), 2), np.repeat([0, 1], UNITS)
    wide = half_width(2 * DAY * np.arange(1, days + 1), 1.0, 2 * PLANNED)
    found = np.zeros(2)
    for _ in range(worlds):
        so_far = Moments.of(draw(rng, 2 * UNITS), 2 * look + arm, 2 * days).reshaped(days, 2).cumulated()
        looks = differences(names, so_far[:, 0], so_far[:, 1])
        t = np.abs(looks.treatment - looks.control) / np.sqrt(looks.variance)
        found += [(t > wide).any(), (t > Z).any()]
    return tuple(found / worlds)  # type: ignore[return-value]


def costs(worlds: int) -> Iterator[str]:
    """When the experiment stops, in shares of the fixed plan."""
    step = 500
    rng, n = np.random.default_rng(2), step * np.arange(1, 3 * PLANNED // step + 1)
    seen = (Z + float(ndtri(0.8))) * np.sqrt(2 / PLANNED)
    wide = half_width(2 * n, 1.0, 2 * PLANNED)
    for label, effect in (
        ("as planned", seen),
        ("1.5 times that", 1.5 * seen),
        ("twice that", 2 * seen),
        ("half of that", seen / 2),
        ("none", 0.0),
    ):
        stopped = np.full(worlds, np.inf)
        fixed = 0
        for world in range(worlds):
            x = rng.standard_normal((2, len(n), step))
            x[1] += effect
            total, square = x.sum(axis=2).cumsum(axis=1), (x * x).sum(axis=2).cumsum(axis=1)
            mean = (total[1] - total[0]) / n
            error = np.sqrt(((square - total**2 / n) / (n - 1) / n).sum(axis=0))
            beyond = np.abs(mean) > wide * error
            fixed += abs(mean[PLANNED // step - 1]) > Z * error[PLANNED // step - 1]
            if beyond.any():
                stopped[world] = n[np.argmax(beyond)] / PLANNED
        by = [float((stopped <= share).mean()) for share in (1, 1.5, 2, 3)]
        mean_end = float(np.minimum(stopped, 1).mean())
        to_80 = float(np.quantile(stopped, 0.8, method="inverted_cdf"))
        reached = f"{to_80:.2f}" if np.isfinite(to_80) else "never within 3"
        yield f"| {label} | {fixed / worlds:.1%} | {' | '.join(f'{share:.1%}' for share in by)} | {mean_end:.2f} | {reached} |"


def beside_expectation() -> str:
    """The width beside that of the normal mixture of another library, in an environment of its own."""
    try:
        python = peer_python("expectation")
    except subprocess.CalledProcessError:
        return "The width was not held beside `expectation`, which needs Python 3.12."
    code = "import json, math; from expectation.modules.martingales import TwoSidedNormalMixture as T; m = T(5000.0, .05); print(json.dumps([float(m.bound(v, math.log(20.0))) for v in (50, 500, 5000, 50000, 500000)]))"  # fmt: skip
    theirs = np.array(json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout))
    n = np.array([50, 500, 5_000, 50_000, 500_000])
    ours = n * half_width(n, 1 / np.sqrt(n), 5_000)
    return f"The width beside the normal mixture of `expectation` 0.6.1, tuned alike, at 50 to 500,000 units: {np.abs(ours / theirs - 1).max():.1e} apart at most."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2_000)
    worlds = parser.parse_args().worlds
    limits = machine()
    print(
        f"False alarms at a confidence of 95%, share of {worlds:,} worlds without a difference (an alarm rate of 5% is off by {100 * 2 * (0.05 * 0.95 / worlds) ** 0.5:.1f} points at two errors).\n"
    )
    heads = [
        *(f"always, from {b:,}" for b in BURN_INS),
        f"always, from {EFFECTIVE} effective",
        "daily",
        "t interval, daily",
        "t interval, once",
    ]
    print(f"| always valid: looked at | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for times in (1, 9):
        for name, draw in COLUMNS.items():
            cells = " | ".join(f"{share:.1%}" for share in alarms(draw, worlds, times).values())
            print(f"| {name}{f', arms 1 to {times}' * (times > 1)} | {cells} |", flush=True)
    for name in ADJUSTED:
        valid, t = adjusted_alarms(name, worlds)
        print(f"| {name} |{' – |' * (1 + len(BURN_INS))} {valid:.1%} | {t:.1%} | – |", flush=True)
    print(
        "\nWhat it costs: the share of worlds decided by so many times the fixed plan, the mean length where it ends at the plan at the latest, and the length that decides four worlds of five.\n"
    )
    print(
        "| effect | t interval, once | always valid, by 1 | by 1.5 | by 2 | by 3 | mean length | length for 80% |\n|---|---|---|---|---|---|---|---|"
    )
    for row in costs(worlds):
        print(row, flush=True)
    print(f"\n{beside_expectation()}\n\n{limits}.")


if __name__ == "__main__":
    main()
