"""Checks of logs of decisions: how often they cry wolf on sound logs, how often they see what is broken, and what they say of real logs.

    python -m benchmarks.quality.decision_checks [--logs 2000]

Sound logs: 2,000 rows; a number and two categories as features, a time. Three arms with chances 0.5, 0.3, 0.2 for all; or chances of each row from a Dirichlet distribution (5, 3, 2); or six arms whose chances are the
softmax of N(0, 1.5), which reach below 1 in 1,000; or households of about three rows that keep their arm. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from vitrina.policy import Always, AtRandom, Checks, DecisionLog

ROWS, CHANCES, LEVELS = 2000, np.array([0.5, 0.3, 0.2]), (0.05, 0.01, 0.0005)
TESTS = ("sample ratio", "mean weight", "balance", "omnibus", "drift", "mean weight of a policy")


def drawn(rng: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    """(rows,) an arm of each row."""
    return (rng.random(len(chances))[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(max=chances.shape[1] - 1)


def log_of(
    rng: np.random.Generator, chances: np.ndarray, actions: np.ndarray, known: str, house: np.ndarray | None = None, **changes: np.ndarray
) -> DecisionLog:
    """A log whose chances are given for all ("one"), per row ("all"), of the logged arm ("logged"), or not at all."""
    n, arms = len(actions), [f"arm {k}" for k in range(chances.shape[1])]
    table = pl.DataFrame({
        "arm": [arms[a] for a in actions], "reward": rng.random(n), "at": 1_700_000_000 + 60 * np.arange(n), "number": rng.exponential(3, n),
        "city": rng.choice(["a", "b", "c"], n), "flag": rng.random(n) < 0.8, "p": chances[np.arange(n), actions],
        **{arm: chances[:, k] for k, arm in enumerate(arms)}, **({} if house is None else {"house": house}),
    }).with_columns(**{name: pl.Series(column) for name, column in changes.items()})  # fmt: skip
    given = {"one": dict(zip(arms, chances[0].tolist(), strict=True)), "all": {arm: arm for arm in arms}, "logged": "p"}[known]
    return DecisionLog.of_frame(
        table,
        action="arm",
        reward="reward",
        propensity=given,
        features=["number", "city", "flag"],
        time="at",
        arms=arms,
        cluster=None if house is None else "house",
    )


def sound(design: str, seed: int) -> DecisionLog:
    """A log that was drawn as it says."""
    rng = np.random.default_rng([seed, 1])
    same, each = np.tile(CHANCES, (ROWS, 1)), rng.dirichlet([5, 3, 2], ROWS)
    raised = np.exp(rng.normal(0, 1.5, (ROWS, 6)))
    tiny = raised / raised.sum(axis=1, keepdims=True)
    if design == "households keep their arm":
        house = rng.integers(0, ROWS // 3, ROWS)
        return log_of(rng, same, drawn(rng, same[: ROWS // 3])[house], "one", house, number=rng.exponential(3, ROWS // 3)[house])
    chances, known = {
        "one chance per arm": (same, "one"), "chances of each row": (each, "all"), "of each row, logged arm only": (each, "logged"),
        "small chances": (tiny, "all"), "small chances, logged arm only": (tiny, "logged"),
    }[design]  # fmt: skip
    return log_of(rng, chances, drawn(rng, chances), known)


DESIGNS = (
    "one chance per arm", "chances of each row", "of each row, logged arm only", "households keep their arm", "small chances", "small chances, logged arm only",
)  # fmt: skip


def ps(checks: Checks) -> dict[str, float]:
    return {row.name if row.policy is None else f"{row.name} of a policy": row.p for row in checks.rows if row.p is not None}


def false_alarms(logs: int) -> None:
    """The share of sound logs whose p is below each level."""
    print(f"Share of {logs:,} sound logs of {ROWS:,} rows with p below 0.05, 0.01 and 0.0005; the policy gives everybody the second arm.\n")
    print(f"| design | {' | '.join(TESTS)} | any refusal |\n|---|{'---|' * (len(TESTS) + 1)}")
    for design in DESIGNS:
        found: dict[str, list[float]] = {name: [] for name in TESTS}
        refused = 0
        for seed in range(logs):
            checks = sound(design, seed).check({"second": Always("arm 1")})
            refused += any(row.verdict == "refuse" and row.name != "effective size" for row in checks.rows)
            for name, p in ps(checks).items():
                found[name].append(p)
        cells = [", ".join(f"{np.mean(np.array(found[name]) < level):.2%}" for level in LEVELS) if found[name] else "–" for name in TESTS]
        print(f"| {design} | {' | '.join(cells)} | {refused / logs:.2%} |", flush=True)


def broken(what: str, seed: int) -> DecisionLog:
    """A log that isn't what it says."""
    rng = np.random.default_rng([seed, 2])
    same, number = np.tile(CHANCES, (ROWS, 1)), rng.exponential(3, ROWS)
    actions = drawn(rng, same)
    if what == "one in ten rows of an arm lost":
        log = log_of(rng, same, actions, "one")
        return log.rows((actions != 1) | (rng.random(ROWS) > 0.1))
    if what == "one in five rows of an arm lost":
        log = log_of(rng, same, actions, "one")
        return log.rows((actions != 1) | (rng.random(ROWS) > 0.2))
    if what == "the top tenth always get the second arm":
        return log_of(rng, same, np.where(number > np.quantile(number, 0.9), 1, actions), "one", number=number)
    if what == "the second arm is drawn with 0.4 in the second half":
        later = np.tile([0.4, 0.4, 0.2], (ROWS, 1))
        return log_of(rng, same, np.where(np.arange(ROWS) < ROWS // 2, actions, drawn(rng, later)), "one")
    each = rng.dirichlet([5, 3, 2], ROWS)
    return log_of(rng, np.clip(each * 1.3, 0, 1), drawn(rng, each), "logged")


BROKEN = (
    "one in ten rows of an arm lost", "one in five rows of an arm lost", "the top tenth always get the second arm",
    "the second arm is drawn with 0.4 in the second half", "logged chances are 1.3 times the true ones",
)  # fmt: skip


def alarms(logs: int) -> None:
    """How often what is broken is seen."""
    print(
        f"\nShare of {logs:,} broken logs of {ROWS:,} rows that are refused, and that are refused or warned of.\n\n| what is broken | refused | or warned of |\n|---|---|---|"
    )
    for what in BROKEN:
        verdicts = [broken(what, seed).check().verdict for seed in range(logs)]
        print(f"| {what} | {np.mean([v == 'refuse' for v in verdicts]):.1%} | {np.mean([v != 'pass' for v in verdicts]):.1%} |", flush=True)


def hillstrom() -> None:
    table = pl.read_parquet(data_folder() / "hillstrom" / "customers.parquet")
    mails = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
    names = ["recency", "history", "mens", "womens", "newbie", "zip_code", "channel", "history_segment"]
    checks = DecisionLog.of_frame(table, action="segment", reward="spend", propensity=dict.fromkeys(mails, 1 / 3), features=names).check()
    rows = {row.name: row for row in checks.rows}
    print(
        "\nHillstrom, 64,000 customers, three arms of a third each; in brackets what is known of it.\n\n| what | measured | known |\n|---|---|---|"
    )
    print(f"| sample ratio | chi-squared {rows['sample ratio'].statistic:.4f}, p {rows['sample ratio'].p:.3f} | 0.2025, .904 |")
    print(f"| largest difference from the control | {checks.balance['difference'].abs().max():.4f} | .0164 |")
    print(f"| omnibus, all arms | p {rows['omnibus'].p:.3f} | |")
    for mail, known in zip(mails[1:], (".65", ".79"), strict=True):
        two = table.filter(pl.col("segment").is_in([mails[0], mail])).with_columns(log=pl.col("history").log1p())
        pair = DecisionLog.of_frame(two, action="segment", reward="spend", propensity={mails[0]: 0.5, mail: 0.5}, features=[*names, "log"])
        print(f"| omnibus, {mail} against none, with the logarithm of the history too | p {ps(pair.check())['omnibus']:.3f} | {known} |")
    print(f"| verdict | {checks.verdict} | sound |")


def bandits() -> None:
    """The policy that shows items at random, from the logs of a bandit and from those of the random policy itself."""
    print("\nOpen Bandit, 10,000 rows each, the value of showing items at random.\n")
    print(
        "| log | effective sample size (known) | mean weight | largest weight | log | policy | what doesn't pass |\n|---|---|---|---|---|---|---|"
    )
    for campaign, known in (("men", "656"), ("women", "2.1"), ("all", "340")):
        for logger in ("bts", "random"):
            table = pl.read_parquet(data_folder() / "open-bandit" / f"{logger}_{campaign}.parquet")
            features = ["position", *(f"user_feature_{k}" for k in range(4))]
            log = DecisionLog.of_frame(
                table, action="item_id", reward="click", propensity="propensity_score", time="timestamp", features=features
            )
            checks = log.check({"random": AtRandom()})
            weights = 1 / len(log.arms) / log.propensity
            size = next(row.statistic for row in checks.rows if row.name == "effective size")
            off = ", ".join(f"{row.name} ({row.verdict})" for row in checks.rows if row.verdict != "pass") or "nothing"
            print(
                f"| {logger}, {campaign} | {size:,.1f}{f' ({known})' * (logger == 'bts')} | {weights.mean():.3f} | {weights.max():,.0f} | {checks.verdict} | "
                f"{checks.verdict_of('random')} | {off} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=2000)
    options = parser.parse_args()
    hillstrom()
    bandits()
    print()
    false_alarms(options.logs)
    alarms(max(options.logs // 10, 1))
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
