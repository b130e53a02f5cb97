"""IALS beside irspack's IALSRecommender under one budget: the same trials of one random search for both, on a part of train; then test, once.

    python -m benchmarks.quality.ials [--only ml-1m gowalla]

A trial draws `unobserved` and `l2` log-uniformly and `nu` from 1, .75 and .5 (with `l2` divided so that the mean regularisation is that of nu = 1), at 64 dimensions.
Each library takes its own best by nDCG@20 on validation, and is fitted with it at more dimensions on the whole training part. irspack answers people of its training
matrix by their fitted vectors and others by its own fold-in; its solver is the default (CG, 3 steps), its threads are as many as there are cores. What was measured is kept
(benchmarks/.cache/ials, or under $VITRINA_CACHE), so an interrupted script goes on. The block of RESULTS.md is written by this script.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.peers import PEERS, peer_python
from benchmarks.kit.places import SHARED
from benchmarks.kit.runs import card, ordered
from benchmarks.quality.gowalla import gowalla
from vitrina.base.config import fingerprint
from vitrina.evaluate.run import evaluate
from vitrina.types import Recommendations

METRICS, K, EPOCHS, DIM = ("Recall@20", "nDCG@20"), 20, 12, 64
Trial = dict[str, Any]


def ml_1m() -> vt.split.Split:
    """Strong generalisation: a sixth of the people are out of training, the last fifth of their log is the truth."""
    return ordered("ml-1m").split(vt.split.UserShare(share=0.17, repeat=False))


@dataclass(frozen=True)
class Job:
    """One data set: how many trials, between which ends of `unobserved`, and the dimensions of the last fit."""

    split: Callable[[], vt.split.Split]
    trials: int
    unobserved: tuple[float, float]
    last: int


DATA = {"ml-1m": Job(ml_1m, 12, (0.003, 0.5), 256), "gowalla": Job(gowalla, 6, (0.002, 0.05), 128)}


def trials(job: Job, train: vt.Dataset) -> list[Trial]:
    rng, drawn = np.random.default_rng(0), []
    for _ in range(job.trials):
        unobserved, l2 = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (job.unobserved, (0.001, 0.02)))
        nu = float(rng.choice([1, 0.75, 0.5]))
        l2 *= total(train, unobserved, 1) / total(train, unobserved, nu)
        drawn.append(
            {"dim": DIM, "unobserved": float(f"{unobserved:.2g}"), "l2": float(f"{l2:.2g}"), "nu": nu, "epochs": EPOCHS, "seed": 0}
        )
    return drawn


def total(train: vt.Dataset, unobserved: float, nu: float) -> float:
    """The sum of all regularisation."""
    items = train.catalogue.users[train.catalogue.users > 0]
    people = np.diff(train.csr().indptr)
    people = people[people > 0]
    return float(((people + unobserved * len(items)) ** nu).sum() + ((items + unobserved * len(people)) ** nu).sum())


def kept(name: str, what: Any, make: Callable[[], Any]) -> Any:
    """What was measured before, or is measured now."""
    file = SHARED / "ials" / f"{name}-{fingerprint(what)}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        file.write_text(json.dumps(made), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def ours(split: vt.split.Split, trial: Trial) -> Any:
    begin = time.perf_counter()
    fitted = vt.IALS(**trial).fit(split.train)
    between = time.perf_counter()
    lists = fitted.recommend(split.queries, K, eligible=split.eligible)
    return judged(lists, split, [between - begin, time.perf_counter() - between])


def theirs(split: vt.split.Split, trial: Trial) -> Any:
    items, seconds = by_irspack(split, trial)
    places = np.tile(-np.arange(K, dtype=np.float32), (len(items), 1))
    return judged(Recommendations(items, places, split.train.items), split, seconds)


def by_irspack(split: vt.split.Split, trial: Trial, solver: str = "CG") -> tuple[Any, list[float]]:
    """(queries, K) items, and the seconds of the fit, of the lists, and of the processor in the fit."""
    train, asked = split.train.csr(), split.queries.csr()
    present = np.diff(train.indptr) > 0
    rows = np.where(split.queries.users >= 0, (np.cumsum(present) - 1)[split.queries.users], -1)
    rows[~present[split.queries.users]] = -1
    train = train[present]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "given.npz", train_indptr=train.indptr, train_indices=train.indices, asked_indptr=asked.indptr,
                 asked_indices=asked.indices, users=rows.astype(np.int64), items=split.train.n_items)  # fmt: skip
        (folder / "trials.json").write_text(json.dumps([trial | {"solver": solver}]))
        command = [peer_python("irspack"), str(PEERS / "als.py"), str(folder / "given.npz"), str(folder / "trials.json"), name, str(K)]
        subprocess.run(command, check=True, capture_output=True)
        return np.load(folder / "0.npy"), json.loads((folder / "seconds.json").read_text())[0]


def judged(lists: Recommendations, split: vt.split.Split, seconds: list[float]) -> Any:
    numbers = evaluate(lists, split, METRICS).numbers
    found = {row["metric"]: [row["value"], row["low"], row["high"]] for row in numbers.to_dicts()}
    return found | {"seconds": seconds}


LIBRARIES = {"vitrina": ours, "irspack": theirs}


def rows_of(name: str, job: Job) -> list[str]:
    split = job.split()
    validation, rows = split.train.holdout(), []
    for library, run in LIBRARIES.items():
        tried = []
        for trial in trials(job, validation.train):
            found = kept(f"{name}-{library}-validation", trial, lambda t=trial, r=run: r(validation, t))
            print(f"    {name} {library} {trial}: {found['nDCG@20'][0]:.4f} ({found['seconds'][0]:.1f} s)", flush=True)
            tried.append((found["nDCG@20"][0], found["seconds"], trial))
        value, _, trial = max(tried, key=lambda one: one[0])
        tested = kept(f"{name}-{library}-test", trial | {"dim": job.last}, lambda t=trial, r=run: r(split, t | {"dim": job.last}))
        cells = [f"{tested[m][0]:.4f} [{tested[m][1]:.4f}, {tested[m][2]:.4f}]" for m in METRICS]
        said = f"unobserved {trial['unobserved']:g}, l2 {trial['l2']:g}, nu {trial['nu']:g}"
        fits = sum(seconds[0] for _, seconds, _ in tried)
        rows.append(
            f"| {name} | {library}, dim {job.last} | {said}: best of {job.trials} | {value:.4f} | {' | '.join(cells)} | {fits:.0f} | {tested['seconds'][0]:.1f} + {tested['seconds'][1]:.1f} |"
        )
    print(card(split, metric="nDCG@20"), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(DATA), default=list(DATA))
    given = parser.parse_args()
    rows = [row for name in given.only for row in rows_of(name, DATA[name])]
    head = "| data | library | its best trial | validation nDCG@20 | Recall@20 | nDCG@20 | the trials, s | last fit + lists, s |"
    text = (
        f"Protocol: the same trials of a random search for both libraries at {DIM} dimensions on a part of train, {EPOCHS} epochs; the best of each with more "
        "dimensions on the whole training part, test asked once, all items ranked but those of the history. Gowalla: the split of LightGCN. ml-1m: 17% of the people are out of "
        f"training, the last fifth of their log is the truth. {machine()}.\n\n{head}\n|{'---|' * 8}\n" + "\n".join(rows)
    )
    keep(RESULTS, "quality.ials", text)
    print(text)


if __name__ == "__main__":
    main()
