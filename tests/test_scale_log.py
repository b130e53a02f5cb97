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
