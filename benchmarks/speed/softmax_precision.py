"""Whether bfloat16 products in the full softmax cost accuracy: the same fit with them and with float32, on a validation part of Amazon Beauty.

    python -m benchmarks.speed.softmax_precision [--epochs 8]

Nobody's last item is looked at: the item before it is asked. Same seed, same batches; the difference has a paired interval over people.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import card, leave_one_out
from vitrina.evaluate.run import evaluate
from vitrina.sequence import products


def gains(split: vt.split.Split, epochs: int) -> tuple[np.ndarray, float]:
    """nDCG@10 of each person, and the seconds of the fit."""
    found = []
    training = vt.sequence.Training(epochs=epochs, patience=None)
    fitted = vt.eSASRec(training=training).fit(split.train, report=lambda progress: found.append(progress.seconds))
    lists = fitted.recommend(split.queries, 10, eligible=split.eligible)
    return evaluate(lists, split, ["nDCG@10"], intervals=False).per_query["nDCG@10"].to_numpy(), found[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    split = leave_one_out("amazon-beauty").train.holdout()
    narrow = products.product_dtype(torch.zeros(1))
    first, quick = gains(split, options.epochs)
    products.product_dtype = lambda states: states.dtype
    second, slow = gains(split, options.epochs)
    apart = first - second
    error = 1.96 * apart.std(ddof=1) / np.sqrt(len(apart))
    print(f"Amazon Beauty, validation, {options.epochs} epochs, {torch.get_num_threads()} threads. {machine()}.\n")
    print(f"{card(split)}\n")
    print("| products of the full softmax | nDCG@10 | fit, s |\n|---|---|---|")
    print(f"| {str(narrow).removeprefix('torch.')} | {first.mean():.4f} | {quick:.0f} |\n| float32 | {second.mean():.4f} | {slow:.0f} |\n")
    print(f"Difference {apart.mean():+.4f} ({apart.mean() - error:+.4f} to {apart.mean() + error:+.4f}).")


if __name__ == "__main__":
    main()
