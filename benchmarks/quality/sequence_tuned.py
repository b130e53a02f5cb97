"""Is one recipe enough? A random search around `eSASRec()` for each log, chosen in validation, beside the default on test.

    python -m benchmarks.quality.sequence_tuned [ml-100k] [amazon-beauty] [ml-1m] [--trials N] [--epochs N] [--resume]

Every candidate is trained on the training part of the training part and stops by a third one, so that stopping and choosing have different
folds; the test part sees the default and the winner, once each. The splits are those of `sequence_parts.py`. Finished runs are kept (see
`kit/runs.py`); a candidate costs about as much as a fit. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import Run, capped, card, changed, leave_one_out, measured, when_and_where
from benchmarks.quality.sequence_parts import METRICS, STUDIES

METRIC = "nDCG@10"
s = vt.sequence


def candidates(trials: int, training: Any) -> list[Any]:
    """The default, and recipes drawn around it by one seed."""
    space = {
        "dim": [32, 64, 128],
        "layers": [1, 2, 3],
        "dropout": [0.05, 0.1, 0.2, 0.3],
        "embed": [s.Ids(rare=share) for share in (0.2, 0.4, 0.6)],
        "loss": [s.FullSoftmax(smoothing=share) for share in (0.0, 0.1)],
        "training": [changed(training, learning_rate=rate) for rate in (1e-3, 2e-3, 3e-3, 5e-3)],
    }
    return [vt.eSASRec(training=training), *vt.tune(vt.eSASRec, **space).candidates(trials)]


def split_of(name: str) -> vt.split.Split:
    """That of the study; leave-one-out for a log that is not in it."""
    return STUDIES[name].split() if name in STUDIES else leave_one_out(name)


def searched(name: str, options: argparse.Namespace) -> Iterator[str]:
    """The rows of one log."""
    what, split = STUDIES.get(name), split_of(name)
    training = s.Training(patience=what.patience) if what else s.Training()
    validation, validated = split.train.holdout(), {}
    for model in candidates(options.trials, training):
        validated[model] = run = measured(capped(model, options.epochs), validation, [METRIC], resume=options.resume)
        print(f"{name}, {model!r}: validation {run[METRIC]:.4f}, {run.fit:.0f} s", file=sys.stderr, flush=True)
    base, best = next(iter(validated)), max(validated, key=lambda model: validated[model][METRIC])
    asked: dict[Any, Run] = {
        model: measured(capped(model, options.epochs), split, METRICS, resume=options.resume) for model in (base, best)
    }
    ratio = asked[base][METRIC] / asked[best][METRIC]
    yield (
        f"| {name} | {_cell(asked[base])} | {validated[base][METRIC]:.4f} | `{best!r}` | {_cell(asked[best])} | {validated[best][METRIC]:.4f} | {ratio:.3f} | "
        f"{sum(run.fit for run in validated.values()) / 3600:.1f} |"
    )
    print(f"{name}: runs {when_and_where([*validated.values(), *asked.values()])}", file=sys.stderr, flush=True)


def _cell(run: Run) -> str:
    value, low, high = run.numbers[METRIC]
    return f"{value:.4f} ({low:.4f} to {high:.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "logs", nargs="*", metavar="LOG", help="ml-100k, amazon-beauty, amazon-sports, ml-1m; the first two where none is named"
    )
    parser.add_argument("--trials", type=int, default=8, help="recipes drawn beside the default")
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    parser.add_argument("--resume", action="store_true", help="take finished runs of older code too")
    options = parser.parse_args()
    names = options.logs or ("ml-100k", "amazon-beauty")
    print("\n".join(f"- {card(split_of(name), name)}" for name in names), end="\n\n")
    print(
        "| log | default, nDCG@10 on test | in validation | best in validation | its nDCG@10 on test | in validation | default / tuned | hours |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        print("\n".join(searched(name, options)), flush=True)
    capping = f", at most {options.epochs} epochs" if options.epochs else ""
    print(f"\nOne seed, {options.trials} recipes drawn beside the default{capping}; 95% intervals over people. {machine()}.")


if __name__ == "__main__":
    main()
