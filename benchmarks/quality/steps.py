"""How people walk from item to item on seven logs, and how often the intervals hold a planted truth.

    python -m benchmarks.quality.steps

Some minutes on one core.

The 10,000 worlds: 80 people make 7 steps among 12 items, each from item i to one of i + 1 to i + 4 (modulo 12), with the chances .6, .2, .15 and .05. Two
people at the same item go on to the same one in .425 of cases, and the item before the last tells nothing (1 times). With equal chances, where
nobody says more of a chance than another, intervals are too wide and hold the truth nearly always.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import ordered
from benchmarks.quality.boards import ml_100k, online_retail
from vitrina.diagnose.steps import Estimate, Steps, steps_of

WORLDS = 10_000
CHANCES = (0.6, 0.2, 0.15, 0.05)


def grocery() -> vt.Dataset:
    folder = data_folder() / "amazon-grocery"
    items = pl.read_parquet(folder / "items.parquet").select("item_id", "category")
    return vt.read_interactions(
        folder / "interactions.parquet", time="timestamp", time_unit="s", items=items, item_kinds={"category": "category"}, name="amazon-grocery"
    )  # fmt: skip


def sports() -> vt.Dataset:
    folder = data_folder() / "amazon-sports"
    log = pl.read_parquet(folder / "interactions.parquet").sort("user_id", "order").select("user_id", "item_id")
    return vt.read_interactions(log, items=folder / "items.parquet", item_kinds={"attributes": "categories"}, name="amazon-sports")


LOGS: dict[str, Callable[[], vt.Dataset]] = {
    "amazon-beauty": lambda: ordered("amazon-beauty", described=True), "amazon-sports": sports, "amazon-grocery": grocery, "ml-100k": ml_100k,
    "ml-1m": lambda: ordered("ml-1m", described=True), "online-retail": online_retail, "complete-journey": vt.complete_journey,
}  # fmt: skip


def row(name: str, data: vt.Dataset) -> str:
    """One line of Markdown."""
    steps = steps_of(data)
    assert steps is not None
    return (
        f"| {name} | {steps.steps:,} | {steps.moments:,.0f} | {1 / steps.together.value:,.0f} | {1 / steps.shuffled:,.0f} | {of(steps.narrowing)} | "
        f"{of(steps.deeper)} | {of(steps.shared, 3)} | {of(steps.alike, 3)} |"
    )


def of(estimate: Estimate | None, places: int = 1) -> str:
    return "" if estimate is None else f"{estimate.value:.{places}f} ({estimate.low:.{places}f} to {estimate.high:.{places}f})"


def world(seed: int) -> Steps:
    """Steps of a world whose truth is known."""
    rng = np.random.default_rng(seed)
    first, steps = rng.integers(0, 12, (80, 1)), rng.choice(4, (80, 7), p=CHANCES) + 1
    items = np.concatenate([first, first + np.cumsum(steps, axis=1)], axis=1) % 12
    events = vt.types.Events(items.reshape(-1).astype(np.int32), np.tile(np.arange(8, dtype=np.int64), 80))
    names = (vt.Vocabulary.of(range(80)), vt.Vocabulary.of(range(12)))
    found = steps_of(vt.Dataset.of_codes(np.repeat(np.arange(80), 8), events, *names, time_unit="step"), seed)
    assert found is not None
    return found


def held() -> Iterator[str]:
    found = [world(seed) for seed in range(WORLDS)]
    for what, truth, estimates in (
        ("the chance, .425", 0.425, [f.together for f in found]), ("two last items over one, 1", 1.0, [f.deeper for f in found]),
    ):  # fmt: skip
        share = np.mean([e is not None and e.low <= truth <= e.high for e in estimates])
        yield f"{what}: {share:.1%} ± {1.96 * np.sqrt(share * (1 - share) / WORLDS):.1%}"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    heads = (
        "log",
        "steps",
        "moments of the median person",
        "next items",
        "shuffled",
        "narrowing",
        "two last items over one",
        "made by others",
        "alike",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, load in LOGS.items():
        print(row(name, load()), flush=True)
    print(f"\n95% intervals that hold the truth, of {WORLDS:,} worlds: {'; '.join(held())}. {machine()}.")


if __name__ == "__main__":
    main()
