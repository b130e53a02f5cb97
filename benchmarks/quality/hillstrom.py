"""The e-mail trial of MineThatData: means and effects of its arms, and what learned policies are worth beside "Mens E-Mail to all".

    python -m benchmarks.quality.hillstrom [--splits 10]

64,000 customers, three arms with chance 1/3 each, 8 features. Every row is decided and judged by models of the other half; as halves differ, there are several splits.
Prints tables in Markdown.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from vitrina.policy import Always, DecisionLog, DRLearner, Plugin, PolicyTree, Ridge, evaluate, fit_policy

ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
FEATURES = ["recency", "history", "history_segment", "mens", "womens", "zip_code", "newbie", "channel"]
REWARDS = {"visit": 5, "conversion": 6, "spend": 4}  # with the decimals of their effects
LEARNERS = {"least squares per arm": Plugin(model=Ridge(l2=0.0)), "ridge per arm": Plugin(model=Ridge()), "DRLearner, ridge": DRLearner(model=Ridge()),
            "PolicyTree of depth 2": PolicyTree(model=Ridge())}  # fmt: skip


def read() -> DecisionLog:
    table = pl.read_parquet(data_folder() / "hillstrom" / "customers.parquet")
    return DecisionLog.of_frame(
        table, action="segment", reward=list(REWARDS), propensity=dict.fromkeys(ARMS, 1 / 3), features=FEATURES, arms=ARMS
    )


def arms(log: DecisionLog) -> None:
    """Means, and differences to no e-mail with their errors."""
    table = evaluate(log, {arm: Always(arm) for arm in ARMS}, force=True).table.filter(estimator="SNIPS")
    print("| reward | " + " | ".join(ARMS) + " | Mens less none | Womens less none |\n|---|---|---|---|---|---|")
    for reward, places in REWARDS.items():
        rows = table.filter(reward=reward)
        effects = [
            f"{row['difference']:+.{places}f} ({row['difference_error']:.{places}f})"
            for row in rows.iter_rows(named=True)
            if row["difference"] is not None
        ]
        print(f"| {reward} | {' | '.join(f'{value:.6f}' for value in rows['value'])} | {' | '.join(effects)} |")


def learned(log: DecisionLog, reward: str, splits: int) -> None:
    """What each learner's policy is worth: claimed by its model, by DR, and against the best arm for all; of the first split, and the mean of all."""
    places = 3 if reward == "spend" else 4
    print(
        f"\n{reward}:\n\n| learner | model claims | DR | error | less Mens to all | error | verdict | mean over {splits} splits: claims, DR, less Mens | gains claimed |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, learner in LEARNERS.items():
        runs, gains = [], 0
        for seed in range(splits):
            made = fit_policy(log, learner, reward=reward, folds=2, seed=seed, force=True)
            rows, title = made.values.table, type(learner).__name__
            own, mens = (rows.filter(estimator="DR", policy=policy).row(0, named=True) for policy in (title, "Mens E-Mail to all"))
            runs.append(
                (
                    rows.filter(estimator="DM", policy=title)["value"].item(),
                    own["value"],
                    own["error"],
                    -mens["difference"],
                    mens["difference_error"],
                )
            )
            gains += made.gains
            if not seed:
                verdict = "a gain" if made.gains else "no measurable gain"
        first, mean = runs[0], np.mean(runs, axis=0)
        cells = [
            f"{first[0]:.{places}f}",
            f"{first[1]:.{places}f}",
            f"{first[2]:.{places}f}",
            f"{first[3]:+.{places}f}",
            f"{first[4]:.{places}f}",
            verdict,
        ]
        print(f"| {name} | {' | '.join(cells)} | {mean[0]:.{places}f}, {mean[1]:.{places}f}, {mean[3]:+.{places}f} | {gains} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=10)
    splits, log = parser.parse_args().splits, read()
    ratio = log.check().table.filter(check="sample ratio").row(0, named=True)
    print(f"Sample ratio: {ratio['detail'].partition(';')[0]}.\n")
    arms(log)
    for reward in ("spend", "visit"):
        learned(log, reward, splits)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
