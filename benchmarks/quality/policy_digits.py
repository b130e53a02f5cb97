"""Estimators beside those of OBP (sb-obp 0.5.10) on the same runs, and the interval of SNIPS where rewards are shifted.

    python -m benchmarks.quality.policy_digits [--runs 30] [--worlds 200]

Digits: scikit-learn's, as decisions among ten arms with the reward 1 for the right digit (`benchmarks/peers/obp_runs.py`): the policy of the log is a logistic regression learned on 30% of the digits, mixed
with chance (0.4), the one to be judged likewise (0.9); 1,258 decisions per run. OBP writes the arrays of each run; both libraries estimate from these. Relative error: |estimate - truth| / truth, mean over runs. "Own model" is
`vt.policy.cross_fit` with its default on the same decisions in place of OBP's model (a logistic regression of all arms together, cross-fitted in three parts).

Shifted rewards: 1,000 decisions among four arms of equal chances, rewards normal(10, 1); the policy is one arm. OBP's interval is its bootstrap with 400 draws.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.peers import PEERS, peer_python
from vitrina.policy import DM, DR, IPS, SNDR, SNIPS, DecisionLog, DRos, SwitchDR

PUBLISHED = {"DM": 0.4365, "IPS": 0.0303, "SNIPS": 0.0228, "DR": 0.0162, "SNDR": 0.0221, "SwitchDR": 0.0347, "DRos": 0.0159}
NAMED = {
    "DM": DM(),
    "IPS": IPS(),
    "SNIPS": SNIPS(),
    "DR": DR(),
    "SNDR": SNDR(),
    "SwitchDR": SwitchDR(threshold=10.0),
    "DRos": DRos(shrinkage=100.0),
}


def of_obp(*arguments: str) -> dict[str, Any]:
    """What a job of the peer prints."""
    command = [peer_python("obp"), str(PEERS / "obp_runs.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"sb-obp failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def a_log(actions: Any, rewards: Any, propensity: Any, arms: int, x: Any = None) -> DecisionLog:
    features = {} if x is None else {f"x{i}": column for i, column in enumerate(np.asarray(x).T)}
    table = pl.DataFrame({"arm": actions, "reward": rewards, "p": propensity, **features})
    return DecisionLog.of_frame(
        table, action="arm", reward="reward", propensity="p", arms=list(range(arms)), features=list(features) or None
    )


def values_of(log: DecisionLog, chances: Any, mu: Any, candidates: list[float]) -> list[float]:
    table = vt.policy.evaluate(log, {"new": chances}, estimators=list(NAMED.values()), predictions=mu, force=True).table
    out = table["value"].to_list()
    for make in (lambda at: SwitchDR(threshold=at), lambda at: DRos(shrinkage=at)):
        found = vt.policy.slope(log, chances, [make(at) for at in candidates], predictions=mu)
        out.append(found.table.filter(pl.col("estimator") == repr(found.estimator))["value"].item())
    return out


def digits(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "runs.npz"
        said = of_obp("digits", str(file), str(runs))
        kept = dict(np.load(file))
    errors, furthest = {"OBP": [], "Vitrina": [], "own model": []}, 0.0
    for run in range(runs):
        own = {name: kept[f"{name}_{run}"] for name in ("x", "reward", "action", "propensity", "chances", "mu", "truth", "values")}
        log = a_log(own["action"], own["reward"].astype(float), own["propensity"], 10, own["x"])
        found = values_of(log, own["chances"], own["mu"], said["candidates"])
        furthest = max(furthest, float(np.abs(np.array(found) - own["values"]).max()))
        mine = values_of(log, own["chances"], vt.policy.cross_fit(log, seed=run), said["candidates"])
        for name, values in (("OBP", own["values"]), ("Vitrina", found), ("own model", mine)):
            errors[name].append(np.abs(np.asarray(values) - own["truth"]) / own["truth"])
    print(f"| estimator | OBP, published | OBP, these {runs} runs | Vitrina, OBP's model | Vitrina, own model |\n|---|---|---|---|---|")
    for at, name in enumerate(said["estimators"]):
        cells = [
            f"{np.mean(errors[who], axis=0)[at]:.4f} (+- {np.std(errors[who], axis=0, ddof=1)[at] / np.sqrt(runs):.4f})" for who in errors
        ]
        print(f"| {name} | {PUBLISHED.get(name, '–')} | {' | '.join(cells)} |")
    print(
        f"\nWith the same weights, rewards and predictions the two give the same values: the furthest of {runs * len(said['estimators'])} are {furthest:.1e} apart."
    )


def shifted(worlds: int) -> None:
    rng, n = np.random.default_rng(0), 1000
    action, rewards = rng.integers(0, 4, (worlds, n)), rng.normal(10, 1, (worlds, n))
    weights = (action == 0) / 0.25
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "logs.npz"
        np.savez(file, weights=weights, rewards=rewards, count=worlds)
        theirs = np.array(of_obp("snips", str(file))["intervals"])
    ours = {"jackknife and t": None, "bootstrap": 999}
    print("| interval of SNIPS | mean standard error | over the true one | holds the truth |\n|---|---|---|---|")
    true = float(np.std((weights * rewards).sum(1) / weights.sum(1), ddof=1))
    print(f"| the truth, over {worlds} logs | {true:.4f} | | |")
    found: dict[str, np.ndarray] = {"OBP, bootstrap of w r / mean(w)": theirs}
    for name, draws in ours.items():
        ends = []
        for world in range(worlds):
            log = a_log(action[world], rewards[world], np.full(n, 0.25), 4)
            ends.append(
                vt.policy.evaluate(log, {"one": vt.policy.Always("0")}, estimators=[SNIPS()], bootstrap=draws, force=True)
                .table.select("low", "high")
                .row(0)
            )
        found[f"Vitrina, {name}"] = np.array(ends)
    for name, ends in found.items():
        error = float(np.mean(ends[:, 1] - ends[:, 0]) / 3.92)
        print(f"| {name} | {error:.4f} | {error / true:.1f}x | {np.mean((ends[:, 0] <= 10) & (ends[:, 1] >= 10)):.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--worlds", type=int, default=200)
    options = parser.parse_args()
    digits(options.runs)
    print()
    shifted(options.worlds)
    print(f"\n{machine()}, sb-obp 0.5.10.")


if __name__ == "__main__":
    main()
