"""Runs of OBP on digits, its intervals, and its time. Runs in the environment of sb-obp.

    python benchmarks/peers/obp_runs.py digits OUT.npz RUNS
    python benchmarks/peers/obp_runs.py snips IN.npz
    python benchmarks/peers/obp_runs.py bootstrap ROWS DRAWS

`digits` follows the package's example for data with classes: a logistic regression learned on 30% of the digits is the policy of the log (with alpha_b), another with alpha_e the one to be judged, on the other
70%; a logistic regression per arm, cross-fitted in three parts, is the outcome model. Writes the arrays of each run and what OBP's estimators say; prints nothing else than JSON.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
from obp.dataset import MultiClassToBanditReduction
from obp.ope import (
    DirectMethod,
    DoublyRobust,
    DoublyRobustWithShrinkage,
    DoublyRobustWithShrinkageTuning,
    InverseProbabilityWeighting,
    RegressionModel,
    SelfNormalizedDoublyRobust,
    SelfNormalizedInverseProbabilityWeighting,
    SwitchDoublyRobust,
    SwitchDoublyRobustTuning,
)
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")
ALPHA_B, ALPHA_E = 0.4, 0.9
CANDIDATES = [1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 10000.0]
ESTIMATORS = {
    "DM": DirectMethod(), "IPS": InverseProbabilityWeighting(), "SNIPS": SelfNormalizedInverseProbabilityWeighting(), "DR": DoublyRobust(),
    "SNDR": SelfNormalizedDoublyRobust(), "SwitchDR": SwitchDoublyRobust(lambda_=10.0), "DRos": DoublyRobustWithShrinkage(lambda_=100.0),
}  # fmt: skip


def digits(out: str, runs: int) -> dict[str, object]:
    X, y = load_digits(return_X_y=True)
    arrays: dict[str, np.ndarray] = {}
    for run in range(runs):
        data = MultiClassToBanditReduction(
            X=X, y=y, base_classifier_b=LogisticRegression(max_iter=10000, random_state=12345), alpha_b=ALPHA_B, dataset_name="digits"
        )  # fmt: skip
        data.split_train_eval(eval_size=0.7, random_state=run)
        log = data.obtain_batch_bandit_feedback(random_state=run)
        chances = data.obtain_action_dist_by_eval_policy(
            base_classifier_e=LogisticRegression(max_iter=10000, random_state=12345), alpha_e=ALPHA_E
        )
        model = RegressionModel(n_actions=data.n_actions, base_model=LogisticRegression(max_iter=10000, random_state=12345))
        mu = model.fit_predict(context=log["context"], action=log["action"], reward=log["reward"], n_folds=3, random_state=run)
        given = {
            "reward": log["reward"],
            "action": log["action"],
            "pscore": log["pscore"],
            "action_dist": chances,
            "estimated_rewards_by_reg_model": mu,
        }
        values = [one.estimate_policy_value(position=np.zeros(len(mu), int), **given) for one in ESTIMATORS.values()]
        values += [
            one(lambdas=CANDIDATES, tuning_method="slope").estimate_policy_value_with_tuning(position=np.zeros(len(mu), int), **given)
            for one in (SwitchDoublyRobustTuning, DoublyRobustWithShrinkageTuning)
        ]
        own = {
            "x": log["context"],
            "reward": log["reward"],
            "action": log["action"],
            "propensity": log["pscore"],
            "chances": chances[:, :, 0],
            "mu": mu[:, :, 0],
        }
        arrays |= {f"{name}_{run}": column for name, column in own.items()}
        arrays |= {f"truth_{run}": np.array(data.calc_ground_truth_policy_value(chances)), f"values_{run}": np.array(values)}
    np.savez_compressed(out, **arrays)
    return {"estimators": [*ESTIMATORS, "SwitchDR by SLOPE", "DRos by SLOPE"], "runs": runs, "candidates": CANDIDATES}


def snips(path: str) -> dict[str, object]:
    """The half width of its bootstrap interval, in standard errors of 1.96, on each log of the file."""
    logs = np.load(path)
    found = []
    for at in range(int(logs["count"])):
        weights, rewards = logs["weights"][at], logs["rewards"][at]
        chances = np.stack([1 - weights, weights], axis=1)[
            :, :, None
        ]  # obp takes chances of arms; of them it needs that of the logged one alone
        one = SelfNormalizedInverseProbabilityWeighting()
        ends = one.estimate_interval(
            reward=rewards,
            action=np.ones(len(rewards), int),
            pscore=np.ones(len(rewards)),
            action_dist=chances,
            n_bootstrap_samples=400,
            random_state=at,
        )
        low, high = (next(value for key, value in ends.items() if side in key) for side in ("lower", "upper"))
        found.append((low, high))
    return {"intervals": found}


def bootstrap(rows: int, draws: int) -> dict[str, object]:
    """Seconds of an interval of DR: of the processor and of the clock."""
    rng = np.random.default_rng(0)
    action, mu = rng.integers(0, 5, rows), rng.random((rows, 5, 1))
    chances = np.zeros((rows, 5, 1))
    chances[np.arange(rows), rng.integers(0, 5, rows)] = 1
    began, clock = time.process_time(), time.perf_counter()
    DoublyRobust().estimate_interval(
        reward=rng.random(rows), action=action, pscore=np.full(rows, 0.2), action_dist=chances, estimated_rewards_by_reg_model=mu,
        position=np.zeros(rows, int), n_bootstrap_samples=draws, random_state=0,
    )  # fmt: skip
    return {"cpu": time.process_time() - began, "wall": time.perf_counter() - clock, "rows": rows, "draws": draws}


JOBS = {
    "digits": lambda out, runs: digits(out, int(runs)), "snips": snips, "bootstrap": lambda rows, draws: bootstrap(int(rows), int(draws)),
}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](*sys.argv[2:])))
