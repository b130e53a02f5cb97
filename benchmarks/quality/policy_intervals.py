"""How often intervals of policies' values hold the truth, and how often a policy is called a winner that is none.

    python -m benchmarks.quality.policy_intervals [--worlds 10_000] [--only NAME ...]

The generator. A unit has x = (x1, x2), two normal numbers, and may get one of four arms. The log was made by pi0(a | x) = 0.8 softmax(s z)_a + 0.05 with z = (x1, x2, -x1, -x2): every arm has a
chance of 0.05 or more, and s = 0.5 ("even") or 1.5 ("sharp": weights up to 20). What an arm does is m_a = 0.5 x1 + 0.4 tanh(b_a x) + 0.1 a with b = (0.5, 0.5), (1, 0), (0, -1), (-1, 1) and a = 0 to 3.
The reward is m_a + normal(0, 1); or 1 with the chance 1 / (1 + exp(2 - m_a)); or exp(m_a + normal(0, 1)), which is what money looks like. Policies: "argmax", the arm of the largest b_a x + a / 4; "greedy", the arm
of the largest z_a; "always 0", the baseline. The outcome model is 0.7 of the truth and a constant: wrong, as models are. In clustered worlds units come in households of 1 to 5 rows which share x1, the arm of
the log and a normal(0, 1) of the reward. Under the null an arm does nothing (m_a = 0.5 x1), and four policies are held against the baseline: the share of worlds in which any is called better or worse.

A world has its own seed: (scenario, world). The truth is a mean over 4,000,000 units. A share of 10,000 has a standard error of 0.22 points.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np

from benchmarks.kit.machine import machine
from vitrina.policy.estimators import DR, IPS, SNIPS, Weighted
from vitrina.policy.judge import Doubt, Judge

ARMS = np.arange(4)
Z, B = np.array([[1, 0], [0, 1], [-1, 0], [0, -1.0]]), np.array([[0.5, 0.5], [1, 0], [0, -1], [-1, 1]])
ESTIMATORS = {"IPS": IPS(), "SNIPS": SNIPS(), "DR": DR()}
TRUTH, BOOTSTRAP, FEWER = 4_000_000, 1000, 2000


class Scenario(NamedTuple):
    """A kind of world."""

    name: str
    rows: int
    reward: str = "normal"
    sharp: float = 0.5
    clustered: bool = False
    null: bool = False
    draws: int | None = None
    main: bool = False  # of those that the promise is about: with all worlds

    @property
    def line(self) -> str:
        clusters = ", households of 1 to 5" * self.clustered
        return f"{self.rows:,} rows{clusters}, {self.reward} rewards, {'sharp' if self.sharp > 1 else 'even'} chances{', bootstrap' * (self.draws is not None)}"


SCENARIOS = [
    Scenario("normal", 1000, main=True), Scenario("clustered", 1500, clustered=True, main=True), Scenario("null", 1000, null=True, main=True),
    Scenario("binary", 1000, "binary", main=True), Scenario("null clustered", 1500, null=True, clustered=True, main=True), Scenario("sharp", 2000, sharp=1.5, main=True),
    Scenario("null binary", 1000, "binary", null=True), Scenario("null money", 1000, "money", null=True), Scenario("binary sharp", 2000, "binary", 1.5),
    Scenario("money", 5000, "money"), Scenario("money small", 500, "money"), Scenario("small", 200), Scenario("small sharp", 200, sharp=1.5),
    Scenario("normal, bootstrap", 1000, draws=999), Scenario("clustered, bootstrap", 1500, clustered=True, draws=999),
    Scenario("money small, bootstrap", 500, "money", draws=999), Scenario("null, bootstrap", 1000, null=True, draws=999),
]  # fmt: skip


def means(x: np.ndarray, scenario: Scenario) -> np.ndarray:
    """(units, arms) the expected reward, before noise and link."""
    does = 0.0 if scenario.null else 0.4 * np.tanh(x @ B.T) + 0.1 * ARMS
    return 0.5 * x[:, :1] + does + np.zeros(4)


def expected(m: np.ndarray, scenario: Scenario) -> np.ndarray:
    """What is had on average; a household's own part is in it."""
    if scenario.reward == "binary":
        return 1 / (1 + np.exp(2 - m))
    return np.exp(m + 0.5) if scenario.reward == "money" else m


def policies(x: np.ndarray, scenario: Scenario) -> dict[str, np.ndarray]:
    """name -> (units,) arms; the baseline first."""
    found = {"always 0": np.zeros(len(x), int), "greedy": (x @ Z.T).argmax(1), "argmax": (x @ B.T + 0.25 * ARMS).argmax(1)}
    return found | ({"always 1": np.ones(len(x), int), "always 3": np.full(len(x), 3)} if scenario.null else {})


def world(rng: np.random.Generator, scenario: Scenario) -> tuple[np.ndarray, ...]:
    """x, chances, actions, rewards, clusters."""
    n = scenario.rows
    clusters = np.repeat(np.arange(n), rng.integers(1, 6, n))[:n] if scenario.clustered else np.arange(n)
    x = rng.normal(size=(n, 2))
    own = np.unique(clusters, return_index=True)[1][np.unique(clusters, return_inverse=True)[1]]  # the first of the household
    if scenario.clustered:
        x[:, 0] = x[own, 0]
    odds = np.exp(scenario.sharp * (x[own] @ Z.T))
    chances = 0.8 * odds / odds.sum(1, keepdims=True) + 0.05
    actions = (chances.cumsum(1) < rng.random((n, 1))[own]).sum(1)
    m = means(x, scenario)[np.arange(n), actions]
    shared = rng.normal(size=n)[own] if scenario.clustered else 0.0
    if scenario.reward == "binary":
        rewards = (rng.random(n) < 1 / (1 + np.exp(2 - m))).astype(float)
    else:
        rewards = m + shared + rng.normal(size=n)
        rewards = np.exp(rewards) if scenario.reward == "money" else rewards
    return x, chances, actions, rewards, clusters


def judged(rng: np.random.Generator, scenario: Scenario, seed: int):
    """The table of one world."""
    x, chances, actions, rewards, clusters = world(rng, scenario)
    rows = np.arange(len(x))
    truth = expected(means(x, scenario), scenario)
    model = 0.7 * truth + 0.1 * truth.mean()
    judge = Judge(clusters, ESTIMATORS, Doubt(0.95, scenario.draws, seed))
    named = policies(x, scenario)
    for name, arms in named.items():
        weights = (arms == actions) / chances[rows, actions]
        judge.take(name, "reward", (Weighted(weights, rewards, model[rows, actions], model[rows, arms]),))
    return judge.table(list(named), ["reward"], "always 0")


def truths(scenario: Scenario) -> dict[str, float]:
    x = np.random.default_rng(12345).normal(size=(TRUTH, 2))
    value = expected(means(x, scenario), scenario)
    return {name: float(value[np.arange(TRUTH), arms].mean()) for name, arms in policies(x, scenario).items()}


def run(scenario: Scenario, at: int, worlds: int) -> str:
    """A row of the table."""
    truth, held, differ, winners, count = (
        truths(scenario),
        dict.fromkeys(ESTIMATORS, 0),
        dict.fromkeys(ESTIMATORS, 0),
        dict.fromkeys(ESTIMATORS, 0),
        worlds,
    )
    for seed in range(worlds):
        table = judged(np.random.default_rng([at, seed]), scenario, seed)
        called, missed = set(), set()
        for row in table.iter_rows(named=True):
            name, real = row["estimator"], truth[row["policy"]]
            if row["policy"] == "argmax":
                held[name] += row["low"] is not None and row["low"] <= real <= row["high"]
            real -= truth["always 0"]
            if row["baseline"] and not (row["difference_low"] is not None and row["difference_low"] <= real <= row["difference_high"]):
                missed.add(name)
            if row["verdict"] and row["verdict"].startswith(("better", "worse")):
                called.add(name)
        for name in ESTIMATORS:
            winners[name] += name in called
            differ[name] += name not in missed
    shares = [f"{held[name] / count:.1%} / {differ[name] / count:.1%}" for name in ESTIMATORS]
    false = [f"{winners[name] / count:.1%}" for name in ESTIMATORS] if scenario.null else ["–"]
    return f"| {scenario.line}{', null' * scenario.null} | {count:,} | {' | '.join(shares)} | {', '.join(false)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", default=[one.name for one in SCENARIOS])
    options = parser.parse_args()
    print(
        'Protocol: the generator stands in benchmarks/quality/policy_intervals.py; 95% intervals, a seed per world; the policy "argmax", and its difference to "always 0".\n'
    )
    print("| world | worlds | IPS: value / differences | SNIPS | DR | a winner under the null: IPS, SNIPS, DR |\n|---|---|---|---|---|---|")
    for at, scenario in enumerate(SCENARIOS):
        if scenario.name in options.only:
            worlds = min(options.worlds, BOOTSTRAP if scenario.draws else options.worlds if scenario.main else FEWER)
            print(run(scenario, at, worlds), flush=True)
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
