"""The synthetic log of the scale benchmarks holds what it says it holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_what_is_known_of_the_log_is_what_its_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.scale import generate as made

    monkeypatch.setattr(made, "ROWS", 7_000)
    folder = made.generate(30_000, tmp_path / "log", workers=1)
    known = made.known(folder)
    found = pl.concat([pl.read_parquet(file) for file in sorted(folder.glob("*.parquet"))]).rows(named=True)
    good = [row for row in found if row["user"] is not None and row["item"] is not None and 1.5e9 < row["time"] < 1.7e9]
    assert (known.rows, known.bad) == (len(found), len(found) - len(good)) == (30_000, known.bad)
    once = {row["event"]: row for row in good}
    assert all(once[row["event"]] == row for row in good)
    assert known.events == len(once)
    assert known.again == len(good) - len(once) > 250
    assert 10 < known.bad < 60
    assert known.users == len({row["user"] for row in good})
    assert known.items == len({row["item"] for row in good})
    assert known.giant == max(Counter(row["user"] for row in once.values()).values()) > 0.005 * 30_000
    assert max(Counter((row["user"], row["time"]) for row in once.values()).values()) > 1


def test_rows_are_the_same_in_any_pieces(tmp_path: Path) -> None:
    from benchmarks.scale.generate import rows

    whole, pieces = rows(0, 5_000, 1_000_000), [rows(first, first + 1_000, 1_000_000) for first in range(0, 5_000, 1_000)]
    for name in ("event", "user", "item", "time", "bad", "again"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(piece, name) for piece in pieces]))
    assert (rows(0, 5_000, 1_000_000, seed=1).user != whole.user).any()


def test_the_simulated_cluster_keeps_its_bounds() -> None:
    from benchmarks.scale.simulate import Cluster, makespan

    quiet = Cluster(4, lost_per_day=0.0, slow=0.0)
    assert makespan(np.full(40, 3.0), quiet) == (30.0, 0)
    tasks = np.random.default_rng(0).exponential(100.0, 500)
    end, lost = makespan(tasks, quiet)
    assert lost == 0
    assert max(tasks.sum() / 4, tasks.max()) <= end <= tasks.sum() / 4 + tasks.max()  # Graham's bound
    end, lost = makespan(tasks, Cluster(4, lost_per_day=0.999, slow=0.0))
    assert lost > 0
    assert end > tasks.sum() / 4


def test_the_simulated_items_and_shards_are_those_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.scale import simulate
    from benchmarks.scale.generate import zipf

    rng = np.random.default_rng(0)
    drawn = [len(np.unique(zipf(rng.random(50_000), 20_000, 0.9))) for _ in range(20)]
    assert abs(simulate.seen(50_000, 20_000, 0.9) - np.mean(drawn)) < 4 * np.std(drawn)
    monkeypatch.setattr(simulate, "PEOPLE", 30_000)
    monkeypatch.setattr(simulate, "EVENTS", 10**6)
    monkeypatch.setattr(simulate, "HEAD", 1_000)
    people = np.bincount(zipf(rng.random(10**6), 30_000, 0.6), minlength=30_000)
    wanted = [np.bincount(rng.integers(50, size=30_000), weights=people).std() for _ in range(20)]
    found = [simulate.shard_sizes(50, seed=seed).std() for seed in range(20)]
    assert abs(np.mean(found) / np.mean(wanted) - 1) < 0.15
    assert abs(simulate.shard_sizes(50).sum() / 10**6 - 1) < 0.02
