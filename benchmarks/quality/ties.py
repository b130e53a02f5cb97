"""What the order of equal times decides: leave-one-out on Amazon Grocery, whose times are days, with the order within each day drawn anew.

    python -m benchmarks.quality.ties [--draws 20]

Which of a day's events is a person's last one, only the order of rows says. Each draw orders them at random, cuts, fits and asks again; the spread over the
draws is the doubt that comes of ties alone, beside the usual one that comes of who is asked. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import card
from benchmarks.quality.boards import JOBS
from vitrina.evaluate.run import evaluate

METRIC = "nDCG@10"
MODELS = {
    "Popularity": vt.Popularity(),
    "Cooccurrence": vt.Cooccurrence(),
    "Cooccurrence, order": vt.Cooccurrence(gap=vt.decay.Exponential(events=2), decay=vt.decay.Exponential(events=3)),
}


def judged(model: Any, split: vt.split.Split) -> tuple[float, float]:
    """The metric and half of its 95% interval."""
    lists = model.fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
    _, value, low, high = evaluate(lists, split, [METRIC]).numbers.select("metric", "value", "low", "high").row(0)
    return value, (high - low) / 2


def rows(rule: vt.split.LeaveOneOut, data: vt.Dataset, draws: int) -> Iterator[str]:
    splits = [data.split(rule.model_copy(update={"ties": seed})) for seed in range(draws)]
    for name, model in MODELS.items():
        value, doubt = judged(model, data.split(rule))
        drawn = np.array([judged(model, split)[0] for split in splits])
        low, high = np.quantile(drawn, [0.025, 0.975])
        yield f"| {name} | {value:.4f} | {doubt:.4f} | {drawn.mean():.4f} | {low:.4f} to {high:.4f} | {drawn.std(ddof=1):.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20, help="orders to draw")
    draws = parser.parse_args().draws
    limits, data, rule = machine(), JOBS["amazon-grocery"].load(), vt.split.LeaveOneOut(repeat=False)
    print(f"{card(data.split(rule), metric=METRIC)}\n")
    print(
        f"| model | {METRIC}, order of the rows | half of its interval over people | mean of the draws | 95% of the draws | their deviation |"
    )
    print(f"|{'---|' * 6}")
    print("\n".join(rows(rule, data, draws)))
    print(f"\n{draws} draws of the order within days. {limits}.")


if __name__ == "__main__":
    main()
