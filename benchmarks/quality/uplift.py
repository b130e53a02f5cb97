"""Do the intervals of uplift hold what they promise, and is targeting worth anything on Hillstrom's mails?

    python -m benchmarks.quality.uplift [--worlds 10000]

Coverage: worlds of 1,500 units with x uniform on [0, 1] (alone, or households of three with one x, one arm and a common error N(0, 1)); three arms of equal chance, effects 0, x and 2x^2, rewards with an error N(0, 1/2) more,
costs 0, 1, 2; scores are reward / chance, the rule is that of the true effects, and the truth is the same rule over 400,000 units. Seeds are the numbers of the worlds.

Hillstrom (VITRINA_DATA): a T-learner of ridges, cross-fitted over five folds, judged by doubly robust scores of the same cross-fitted predictions. The costs are made up: 1 for the women's mail and 2 for the men's, so that a spend of
1 is a mail of the cheaper kind for everybody. How the table is read was written before it was made: targeting is worth something at a budget where the interval of the difference to the same money given at random is above 0; the promise is kept
where it is within the interval of the gain; no row is picked after the fact, so the row that counts is half of the spend of sending everybody the men's mail, 1.0, and the area up to there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.peers import PEERS, peer_python
from benchmarks.kit.places import data_folder
from vitrina.policy import Outcome, Ridge, aipw_scores, cross_fit, modified_uplift, qini, uplift_by_part, uplift_curve

UNITS, COSTS, SPEND, SHARE = 1_500, (0.0, 1.0, 2.0), 0.5, 0.4
WHAT = (
    "gain at a spend",
    "area",
    "gain over a random share",
    "area over a random share",
    "value when the best 40% are treated",
    "gain of the best tenth",
)
BUDGETS = [0.25, 0.5, 0.75, 1.0, 1.25, 1.5]


def effects_of(x: np.ndarray) -> np.ndarray:
    return np.column_stack([np.zeros(len(x)), x, 2 * x**2])


def truth() -> list[float]:
    """The same rules over units that are spread evenly, scored by their effects."""
    effects = effects_of((np.arange(400_000) + 0.5) / 400_000)
    scores = effects * (1 + 1e-12)
    curve = qini(scores, effects, COSTS)
    row, best = curve.at(SPEND).row(0, named=True), modified_uplift(scores, effects, shares=[SHARE])
    return [
        row["gain"], curve.area(SPEND).value, row["over_random"], curve.area(SPEND, over=curve.random).value, best["value"][0],
        uplift_by_part(scores, effects)["gain"][0],
    ]  # fmt: skip


def inside(world: int, clustered: bool, true: list[float]) -> list[bool]:
    """Whether each interval of one world holds the truth."""
    rng = np.random.default_rng(world)
    each = 3 if clustered else 1
    homes = UNITS // each
    home = np.repeat(np.arange(homes), each)
    effects = effects_of(rng.random(homes)[home])
    rewards = effects + rng.normal(0, 1, homes)[home][:, None] + rng.normal(0, 0.5, effects.shape)
    arm = rng.integers(0, 3, homes)[home]
    scores = 3.0 * (np.arange(3) == arm[:, None]) * rewards
    clusters = home if clustered else None
    curve = qini(scores, effects, COSTS, clusters=clusters)
    row = curve.at(SPEND).row(0, named=True)
    area, over = curve.area(SPEND), curve.area(SPEND, over=curve.random)
    best = modified_uplift(scores, effects, shares=[SHARE], clusters=clusters)
    tenth = uplift_by_part(scores, effects, clusters=clusters)
    ends = [
        (row["low"], row["high"]), (area.low, area.high), (row["over_random_low"], row["over_random_high"]), (over.low, over.high),
        (best["low"][0], best["high"][0]), (tenth["low"][0], tenth["high"][0]),
    ]  # fmt: skip
    return [low <= value <= high for (low, high), value in zip(ends, true, strict=True)]


def coverage(worlds: int) -> None:
    true = truth()
    print(
        f"Coverage of 95% intervals, {worlds:,} worlds of {UNITS:,} units; two standard errors of the simulation are {200 * np.sqrt(0.95 * 0.05 / worlds):.2f} points.\n"
    )
    print(f"| units | {' | '.join(WHAT)} |\n|{'---|' * (len(WHAT) + 1)}")
    for name, clustered in (("alone", False), ("households of three", True)):
        with ProcessPoolExecutor(2) as pool:
            held = np.array(list(pool.map(partial(inside, clustered=clustered, true=true), range(worlds), chunksize=250)))
        print(f"| {name} | {' | '.join(f'{share:.2%}' for share in held.mean(axis=0))} |", flush=True)


def hillstrom(reward: str) -> None:
    table = pl.read_parquet(next((data_folder() / "hillstrom").glob("*.parquet")))
    arms = ["No E-Mail", "Womens E-Mail", "Mens E-Mail"]
    features = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
    log = vt.policy.DecisionLog.of_frame(
        table, action="segment", reward=reward, propensity=dict.fromkeys(arms, 1 / 3), features=features, arms=arms
    )
    predictions = cross_fit(log, Outcome(model=Ridge(), together=False), folds=5, seed=0)
    scores = aipw_scores(log, predictions)
    curve = qini(scores, predictions, COSTS)
    print(f"\nHillstrom, {reward} per customer beside no mail, by the spend per customer.\n")
    print(
        "| spend | gain | promised | the same money at random | targeting is worth | the last money was to bring |\n|---|---|---|---|---|---|"
    )
    for r in curve.at(BUDGETS).iter_rows(named=True):
        print(
            f"| {r['spend']:.2f} | {r['gain']:.4f} ({r['low']:.4f} to {r['high']:.4f}) | {r['promised']:.4f} | {r['random']:.4f} | "
            f"{r['over_random']:+.4f} ({r['over_random_low']:+.4f} to {r['over_random_high']:+.4f}) | {r['multiplier']:.4f} |"
        )
    over = curve.area(1.0, over=curve.random)
    print(
        f"\nArea up to a spend of 1 above the random share: {over.value:+.5f} ({over.low:+.5f} to {over.high:+.5f}). The path ends at a spend of {curve.path.end:.2f}."
    )


def classic() -> None:
    """The classic curves of the men's mail and no mail, beside scikit-uplift in an environment of its own."""
    table = pl.read_parquet(next((data_folder() / "hillstrom").glob("*.parquet"))).filter(pl.col("segment") != "Womens E-Mail")
    units = table.select(
        reward=pl.col("visit").cast(pl.Int64),
        treated=(pl.col("segment") == "Mens E-Mail").cast(pl.Int64),
        prediction=pl.col("history").round(0) + pl.col("mens") * 200,
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("units.parquet", "curves.parquet")]
        units.write_parquet(files[0])
        done = subprocess.run([peer_python("scikit-uplift"), str(PEERS / "uplift.py"), *files], capture_output=True, text=True, check=True)
        theirs, curves = json.loads(done.stdout.splitlines()[-1]), pl.read_parquet(files[1])
    began = time.perf_counter()
    ours = uplift_curve(*(units[name].to_numpy() for name in ("reward", "treated", "prediction")))
    numbers = {"auuc": ours.auuc, "qini": ours.qini_coefficient}
    seconds = time.perf_counter() - began
    apart = max(float((ours.table[name] - curves[name]).abs().max() or 0) for name in ("units", "uplift", "qini"))
    print(
        f"\nThe classic curves of one treatment ({units.height:,} customers, {ours.table.height:,} points) are at most {apart:.0e} from those of scikit-uplift 0.5.1; AUUC {numbers['auuc']:.6f} and "
        f"{theirs['auuc']:.6f}, Qini {numbers['qini']:.6f} and {theirs['qini']:.6f}; {1000 * seconds:.0f} ms and {1000 * theirs['seconds']:.0f} ms."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10_000)
    options = parser.parse_args()
    coverage(options.worlds)
    for reward in ("visit", "spend"):
        hillstrom(reward)
    classic()
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
