"""Biased history and learned policies in a world whose truth is known: what history teaches, what it spoils, what it buys; what learners find, and what they claim where there is nothing.

    python -m benchmarks.quality.offers [--worlds 500] [--nulls 200]

`vt.policy.OfferWorld()`: three discounts, orders per month, a marketing department that gives large discounts to those who order little. All models are ridges per arm; trees have depth 2.
Prints tables in Markdown.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.kit.machine import machine
from vitrina.policy import (
    Always,
    DecisionLog,
    DRLearner,
    OfferWorld,
    Plugin,
    PolicyTree,
    Ridge,
    aipw_scores,
    cross_fit,
    fit_policy,
    worth_of_biased,
)  # fmt: skip
from vitrina.policy.greedy import Greedy
from vitrina.policy.outcome import fitted_on
from vitrina.policy.policies import chances_of

WORLD = OfferWorld()
FEATURES = ["rides", "promo_share", "city", "age"]
LEARNERS = {"Plugin": Plugin(model=Ridge()), "DRLearner": DRLearner(model=Ridge()), "PolicyTree": PolicyTree(model=Ridge())}
BASE, BEST, MOST = (WORLD.value(policy) for policy in (Always("0%"), WORLD.oracle(), Always("10%")))


def history(n: int, seed: int) -> DecisionLog:
    table = WORLD.table(n, seed, random=0.0)
    return DecisionLog.of_frame(table, action="arm", reward="orders", features=FEATURES, arms=WORLD.arms, cluster="client")


def taught(worlds: int) -> None:
    """What is learned from history, and from a trial."""
    log = history(60_000, 1)
    means = [log.reward()[log.actions == arm].mean() for arm in range(3)]
    print(
        f"Mean orders of history by discount: {', '.join(f'{name} {mean:.2f}' for name, mean in zip(WORLD.arms, means, strict=True))}; true effects 0, +0.30, +0.50.\n"
    )
    print(
        f"| learned from | learner | gain over no discount (best possible {BEST - BASE:.3f}, 10% to all {MOST - BASE:.3f}) | least, most |\n|---|---|---|---|"
    )
    gains = [WORLD.value(Greedy(fitted_on(history(30_000, 10 + seed), Ridge()))) - BASE for seed in range(worlds)]
    print(f"| 30,000 rows of history | Plugin | {np.mean(gains):.3f} | {min(gains):.3f}, {max(gains):.3f} |")
    for n in (1000, 3000, 20_000):
        for name, learner in LEARNERS.items():
            gains = [WORLD.value(learner.fit(WORLD.log(n, 100 + seed), "orders")) - BASE for seed in range(worlds)]
            print(f"| {n:,} rows by lot | {name} | {np.mean(gains):.3f} | {min(gains):.3f}, {max(gains):.3f} |", flush=True)


def valued(worlds: int) -> None:
    """Estimates of one policy, the best possible one, on 1,000 rows by lot."""
    model, policy = fitted_on(history(30_000, 2), Ridge()), WORLD.oracle()
    found: dict[str, list[float]] = {}
    for seed in range(worlds):
        log = WORLD.log(1000, 1000 + seed)
        chances, rows, orders = chances_of(policy, log), np.arange(1000), log.reward("orders")
        weight, biased, own = (
            chances[rows, log.actions] / log.propensity,
            model.predict(log.units),
            cross_fit(log, Ridge(), reward="orders", seed=seed),
        )
        values = {"IPS": (weight * orders).mean(), "SNIPS": (weight * orders).sum() / weight.sum()}
        for name, predictions in (("DR, model of history", biased), ("DR, cross-fitted", own)):
            values[name] = (chances * aipw_scores(log, predictions, reward="orders")).sum(axis=1).mean()
        values["DM, model of history"] = (chances * biased).sum(axis=1).mean()
        for name, value in values.items():
            found.setdefault(name, []).append(value - BEST)
    print(f"\n1,000 rows by lot, {worlds} times, the value of the best policy:\n\n| estimator | bias | standard deviation |\n|---|---|---|")
    for name, errors in found.items():
        print(f"| {name} | {np.mean(errors):+.3f} ({np.std(errors) / np.sqrt(worlds):.3f}) | {np.std(errors):.3f} |")


def bought(worlds: int) -> None:
    """What 30,000 rows of history add to few rows by lot."""
    print(
        "\n| rows by lot | gain of DRLearner | with history | error of DR with history, as a share | Plugin | Plugin with history |\n|---|---|---|---|---|---|"
    )
    more, policy = history(30_000, 3), WORLD.oracle()
    for n in (150, 300, 1000, 3000):
        gains: dict[tuple[str, bool], list[float]] = {}
        ratios = []
        for seed in range(worlds):
            log = WORLD.log(n, 5000 + seed)
            for name in ("DRLearner", "Plugin"):
                for biased in (None, more):
                    gains.setdefault((name, biased is None), []).append(
                        WORLD.value(LEARNERS[name].fit(log, "orders", biased=biased), n=20_000)
                    )
            ratios.append(worth_of_biased(log, more, {"best": policy}, model=Ridge(), reward="orders", force=True)["ratio"][0])
        base = WORLD.value(Always("0%"), n=20_000)
        cells = [
            f"{np.mean(gains[key]) - base:.3f}" for key in (("DRLearner", True), ("DRLearner", False), ("Plugin", True), ("Plugin", False))
        ]
        print(f"| {n:,} | {cells[0]} | {cells[1]} | {np.mean(ratios):.3f} | {cells[2]} | {cells[3]} |", flush=True)


def claimed(nulls: int) -> None:
    """How often a gain is claimed: where no arm does anything, and where there is a gain."""
    null = OfferWorld(effects=(0, 0, 0), slopes=(0, 0, 0))
    print(
        f"\n| learner | gain claimed where there is none, of {nulls} | claimed where there is one: 1,000, 5,000, 20,000 rows, of {nulls // 10} |\n|---|---|---|"
    )
    for name, learner in LEARNERS.items():
        false = sum(fit_policy(null.log(1000, 9000 + seed), learner, reward="orders", folds=2, force=True).gains for seed in range(nulls))
        seen = [
            sum(fit_policy(WORLD.log(n, 9500 + seed), learner, reward="orders", folds=5, force=True).gains for seed in range(nulls // 10))
            for n in (1000, 5000, 20_000)
        ]
        print(f"| {name} | {false} | {', '.join(map(str, seen))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=500, help="for the estimates; a tenth of it for what is learned")
    parser.add_argument("--nulls", type=int, default=200)
    options = parser.parse_args()
    taught(options.worlds // 25)
    valued(options.worlds)
    bought(options.worlds // 10)
    claimed(options.nulls)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
