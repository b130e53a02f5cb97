"""What a cluster does with a log that no machine here can hold, simulated: shards of Zipf people, stragglers and lost nodes, what one reader sees of the items.

    python -m benchmarks.scale.simulate

Writes its block into docs/scale.md. Everything is drawn from a seed; nothing is read.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.kit.pages import keep
from benchmarks.kit.places import ROOT

PEOPLE, ITEMS, EVENTS = 10**9, 10**8, 10**12
PER_SHARD = 1_500_000  # rows that a shard is planned for
USER_EXPONENT, ITEM_EXPONENT = 0.6, 0.9  # as in `generate`
HEAD = 3_000_000  # people who are looked at one by one


@dataclass(frozen=True)
class Cluster:
    """Workers and what befalls them.

    Args:
        workers: tasks at a time.
        lost_per_day: chance that a worker is lost within a day; its task begins anew, elsewhere.
        back: seconds until another worker stands in its place.
        slow: share of tasks that take `times` as long: a busy disk, a neighbour.
    """

    workers: int
    lost_per_day: float = 0.05
    back: float = 300.0
    slow: float = 0.01
    times: float = 5.0


def shares(size: int, exponent: float, ranks: np.ndarray) -> np.ndarray:
    """Probability of ranks (from 1) below `size`, by the density r^-exponent."""
    power = 1 - exponent
    return ((ranks + 1.0) ** power - ranks**power) / ((size + 1.0) ** power - 1)


def shard_sizes(shards: int, *, cap: float = np.inf, seed: int = 0) -> np.ndarray:
    """Events per shard: the most active people go to shards one by one, of all others a shard has so many as chance gives it.

    Args:
        cap: the most events of one person.
    """
    rng = np.random.default_rng(seed)
    head = np.minimum(EVENTS * shares(PEOPLE, USER_EXPONENT, np.arange(1, HEAD + 1)), cap)
    sizes = np.bincount(rng.integers(shards, size=HEAD), weights=head, minlength=shards)
    blocks = np.unique(np.geomspace(HEAD + 1, PEOPLE + 1, 2001).astype(np.int64))
    each = np.minimum(EVENTS * shares(PEOPLE, USER_EXPONENT, (blocks[:-1] + blocks[1:]) / 2), cap)
    count = np.diff(blocks)
    mean, variance = (count * each).sum() / shards, (count * each**2).sum() / shards
    return sizes + np.maximum(rng.normal(mean, np.sqrt(variance), shards), 0)


def makespan(seconds: np.ndarray, cluster: Cluster, seed: int = 0) -> tuple[float, int]:
    """Seconds until all tasks are done, in their order by whoever is free, and how many tries were lost.

    A worker that is lost during a task has spent the time until then, and is replaced; the task goes to the end of the line.
    """
    rng = np.random.default_rng(seed)
    slow = np.where(rng.random(len(seconds)) < cluster.slow, cluster.times, 1.0)
    line, free = list((seconds * slow)[::-1]), [0.0] * cluster.workers
    rate = -np.log1p(-cluster.lost_per_day) / 86_400
    end, lost, again = 0.0, 0, []
    while line or again:
        takes, at = line.pop() if line else again.pop(0), heapq.heappop(free)
        until = rng.exponential(1 / rate) if rate else np.inf
        if until < takes:
            lost += 1
            again.append(takes)
            heapq.heappush(free, at + until + cluster.back)
            continue
        end = max(end, at + takes)
        heapq.heappush(free, at + takes)
    return end, lost


def seen(events: float, size: int = ITEMS, exponent: float = ITEM_EXPONENT) -> float:
    """Distinct items among so many events: the sum over items of 1 - (1 - p)^events, by blocks of ranks."""
    head = min(size, 100_000)
    edges = np.unique(np.concatenate([np.arange(1, head + 2), np.geomspace(head + 1, size + 1, 20_001).astype(np.int64)]))
    probability = shares(size, exponent, (edges[:-1] + edges[1:] - 1) / 2)
    return float((np.diff(edges) * -np.expm1(events * np.log1p(-probability))).sum())


def shard_rows() -> list[str]:
    """Lines on shards."""
    rows = [
        "| shards | events per shard | the largest shard, times the mean | the same, 10,000 events per person at most | shards over twice the mean |",
        "|---|---|---|---|---|",
    ]
    for shards in (10_000, 100_000, EVENTS // PER_SHARD):
        sizes, capped = shard_sizes(shards), shard_sizes(shards, cap=10_000)
        rows.append(
            f"| {shards:,} | {sizes.mean():,.0f} | {sizes.max() / sizes.mean():,.1f} | {capped.max() / capped.mean():,.2f} | {(sizes > 2 * sizes.mean()).mean():.3%} |"
        )
    return rows


def makespan_rows() -> list[str]:
    """Lines on the time of a pass over all shards, by what a worker does in a second."""
    rows = [
        "| events per worker and second | workers | people | order of the tasks | hours | all work / workers, hours | lost tries |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate, workers in ((500_000, 1_000), (500_000, 10_000), (20_000, 10_000)):
        for cap in (np.inf, 10_000):
            seconds = shard_sizes(EVENTS // PER_SHARD, cap=cap) / rate
            who = "all" if np.isinf(cap) else f"{cap:,} events at most"
            for order, tasks in (("as they are", seconds), ("largest first", np.sort(seconds)[::-1])):
                end, lost = makespan(tasks, Cluster(workers))
                rows.append(
                    f"| {rate:,} | {workers:,} | {who} | {order} | {end / 3600:.2f} | {seconds.sum() / workers / 3600:.2f} | {lost:,} |"
                )
    return rows


def vocabulary_rows(events: Sequence[float] = (PER_SHARD, 1e8, 1e9, 1e11)) -> list[str]:
    """Lines on what one reader sees of the items."""
    rows = ["| events that one reader sees | items among them | of 100 million |", "|---|---|---|"]
    for number in events:
        found = seen(number)
        rows.append(f"| {number:,.0f} | {found:,.0f} | {found / ITEMS:.1%} |")
    return rows


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = "\n\n".join("\n".join(rows) for rows in (shard_rows(), makespan_rows(), vocabulary_rows()))
    keep(ROOT / "docs" / "scale.md", "scale.simulate", text)
    print(text)


if __name__ == "__main__":
    main()
