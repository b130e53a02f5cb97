"""nDCG@100, Recall@20 and Recall@50 on ml-1m for people whom training never saw: EASE, MultVAE, RecVAE and VASP, tuned on validation with equal budgets.

    python -m benchmarks.quality.autoencoders [MODEL ...] [--trials 4] [--seeds 3]

Strong generalisation as in [Liang et al. 2018](https://arxiv.org/abs/1802.05814): a fifth of the people is out of training, each is asked with a random 80%
of the items and the rest is the truth; a tenth of the others is held back in the same way, to choose parameters and the epoch. Every rating is a
positive, as this copy of the log has no ratings (the papers take those of 4 and more), so the numbers are not those of the papers. Each autoencoder has `--trials` configs of about as much
processor time, which are written below; the best in validation is fitted with `--seeds` seeds, and asked for the test part. EASE is tuned on the same people, and shown
twice: fitted on the people that the autoencoders are trained on, and on those of the validation too. Each fit is kept, so an interrupted script goes on; with MODELs only their fits are made, and without one the
block of RESULTS.md is written.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import commit, processor
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import SHARED, data_folder
from benchmarks.kit.runs import card, changed
from vitrina.base.config import fingerprint
from vitrina.evaluate.run import evaluate

KEPT = SHARED / "autoencoders"
METRICS = ("nDCG@100", "Recall@20", "Recall@50")
EASES = [vt.EASE(l2=l2) for l2 in (200, 400, 600, 800, 1200, 1600)]
SEARCHED = {
    "MultVAE": [
        vt.MultVAE(batch=100, epochs=30, annealing=20, hidden=300, dim=100),
        vt.MultVAE(batch=250, epochs=60, annealing=30, learning_rate=2e-3),
        vt.MultVAE(batch=250, epochs=60, annealing=30),
        vt.MultVAE(batch=100, epochs=40, annealing=20),
    ],
    "RecVAE": [
        vt.RecVAE(batch=100, epochs=10, learning_rate=1e-3, hidden=200, dim=100),
        vt.RecVAE(batch=250, epochs=15, learning_rate=1e-3),
        vt.RecVAE(batch=250, epochs=15),
        vt.RecVAE(batch=100, epochs=8, learning_rate=1e-3),
    ],
    "VASP": [
        vt.VASP(batch=100, epochs=20, hidden=200, dim=64, rank=200),
        vt.VASP(batch=250, epochs=40),
        vt.VASP(batch=250, epochs=40, learning_rate=3e-4),
        vt.VASP(batch=250, epochs=40, hidden=300, dim=100, rank=600),
    ],
}


@dataclass(frozen=True)
class Fitted:
    """A fit that is kept, and what it was worth in validation."""

    model: Any
    recommender: Any
    validation: float
    seconds: float


def splits() -> tuple[vt.split.Split, vt.split.Split]:
    """Test and validation. The rows of a person come in random order, so that what is asked with is drawn at random."""
    log = pl.read_parquet(data_folder() / "ml-1m" / "interactions.parquet").sort("user_id", "order").select("user_id", "item_id")
    data = vt.read_interactions(log.sample(fraction=1.0, shuffle=True, seed=0), name="ml-1m")
    test = data.split(vt.split.UserShare(share=0.2, repeat=False))
    return test, test.train.split(vt.split.UserShare(share=0.1, seed=1, repeat=False))


def fitted(model: Any, validation: vt.split.Split) -> Fitted:
    """The model on the people that are not held back, which stops by those who are."""
    place = KEPT / fingerprint(model, repr(validation.rule))
    told = place.with_suffix(".txt")
    if not told.exists():
        begin = time.process_time()
        trains = {} if isinstance(model, vt.EASE) else {"validation": validation, "report": print}
        made = model.fit(validation.train, **trains)
        seconds = time.process_time() - begin
        place.parent.mkdir(parents=True, exist_ok=True)
        vt.save(made, place, model=model)
        told.write_text(f"{numbers(made, validation)[METRICS[0]]['value']} {seconds}")
    value, seconds = map(float, told.read_text().split())
    found = Fitted(model, vt.load(place).recommender, value, seconds)
    print(f"    {model!r}: {METRICS[0]} {value:.4f} in validation, {seconds:.0f} s; {'; '.join(found.recommender.notes)}", flush=True)
    return found


def numbers(recommender: Any, split: vt.split.Split, *, intervals: bool = False) -> dict[str, Any]:
    lists = recommender.recommend(split.queries, 100, eligible=split.eligible)
    return {row["metric"]: row for row in evaluate(lists, split, METRICS, intervals=intervals).numbers.to_dicts()}


def best(models: list[Any], validation: vt.split.Split) -> Fitted:
    return max((fitted(model, validation) for model in models), key=lambda one: one.validation)


def row(name: str, found: list[Fitted], test: vt.split.Split, tried: str) -> str:
    """The first with its intervals, and the mean over seeds."""
    per_seed = [numbers(one.recommender, test, intervals=not place) for place, one in enumerate(found)]
    cells = []
    for metric in METRICS:
        own, values = per_seed[0][metric], [one[metric]["value"] for one in per_seed]
        over = f"; {len(values)} seeds: {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
        cells.append(f"{own['value']:.4f} [{own['low']:.4f}, {own['high']:.4f}]{over}")
    return f"| {name} | {' | '.join(cells)} | {found[0].validation:.4f} | {tried} | {found[0].seconds:.0f} |"


def table(trials: int, seeds: int) -> str:
    test, validation = splits()
    ease = best(EASES, validation)
    whole = Fitted(ease.model, ease.model.fit(test.train), ease.validation, ease.seconds)
    rows = [
        row(f"`{ease.model!r}`, the same people", [ease], test, f"best of {len(EASES)}"),
        row(f"`{ease.model!r}`, with those of the validation", [whole], test, "the same"),
    ]
    for models in SEARCHED.values():
        first = best(models[:trials], validation)
        others = [fitted(changed(first.model, seed=seed), validation) for seed in range(1, seeds)]
        rows.append(row(f"`{first.model!r}`", [first, *others], test, f"best of {min(trials, len(models))}"))
    head = (
        f"{processor()}, one thread, load {os.getloadavg()[0]:.1f}, commit {commit()}. Each autoencoder had {trials} configs, and the best of them {seeds} seeds.\n\n"
        f"{card(test, metric=METRICS[0])}\n\n"
        "| model | nDCG@100 | Recall@20 | Recall@50 | nDCG@100 in validation | tuned | processor, s |\n|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", choices=[*SEARCHED, []])
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    for name in given.models:
        best(SEARCHED[name][: given.trials], splits()[1])
    if not given.models:
        text = table(given.trials, given.seeds)
        print(text)
        keep(Path(RESULTS), "quality.autoencoders", text)


if __name__ == "__main__":
    main()
