"""Advice can be followed: what inspect recommends and init writes can be made of any log, or no split can be made of it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import SplitError
from vitrina.board.tune import Search
from vitrina.cli.config import read_config
from vitrina.cli.main import run
from vitrina.cli.template import config_text

CLOCKS = ["none", "one date", "two dates", "mostly the first date", "a month", "steps", "own steps", "one step"]


def odd_log(users: int, items: int, clock: str, n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {"user_id": [f"u{u}" for u in rng.integers(0, users, n)], "item_id": [f"i{i}" for i in rng.integers(0, items, n)]}
    days = {
        "one date": np.zeros(n),
        "two dates": rng.integers(0, 2, n),
        "mostly the first date": np.arange(n) == n - 1,
        "a month": rng.integers(0, 30, n),
    }
    steps = {"steps": rng.integers(0, 12, n), "own steps": np.arange(n), "one step": np.ones(n, int)}
    if clock in days:
        columns["timestamp"] = [date(2024, 1, 1) + timedelta(days=int(d)) for d in days[clock]]
    elif clock in steps:
        columns["timestamp"] = steps[clock].tolist()
    return pl.DataFrame(columns)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("baskets", [False, True])
def test_what_inspect_recommends_and_init_writes_can_be_made(clock, baskets, tmp_path):
    asked = 0
    sizes = list(product((1, 2, 6), (1, 2, 8), (1, 2, 3, 40)))
    for users, items, n in sizes[
        (CLOCKS.index(clock) + baskets) % 2 :: 2
    ]:  # the other half with the other clocks, and with baskets or without
        frame = odd_log(users, items, clock, n)
        if baskets:
            frame = frame.with_columns(basket_id=pl.Series(np.arange(n) // 3), kind=pl.Series(["view", "a buy"] * n).head(n))
        source, config = tmp_path / "log.csv", tmp_path / "vitrina.toml"
        frame.write_csv(source)
        log = vt.read_interactions(source)
        seen = vt.inspect(log)
        assert str(seen)
        text = config_text({"source": str(source)}, seen, log, tmp_path)
        config.write_text(text.replace("# kinds =", "kinds ="), encoding="utf-8")
        plan = read_config(config)
        log = plan.filtered(plan.log())
        if frame["user_id"].value_counts()["count"].max() == 1 and (clock in ("none", "one date", "one step") or n == 1):
            assert seen.splits["problem"][0] is not None
            assert seen.choices[0].startswith("No split can be made of this log: nobody has two events")
            assert "Take " not in str(seen).split("What a split would hold")[1].split("!")[0]
            with pytest.raises(SplitError, match="It takes people with more events"):
                plan.split(log)
        elif seen.splits["problem"][0] is None:
            asked += 1
            split = plan.split(log)
            assert split.train.n_events
            assert len(split.queries)
            if any(isinstance(model, Search) for model in plan.models.values()):
                assert len(split.train.holdout().queries)
        else:
            assert frame["user_id"].value_counts()["count"].max() == 1
    assert asked > 4


@pytest.mark.usefixtures("one_process")
def test_a_log_of_three_events_of_one_day_is_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd_log(1, 8, "one date", 3).write_csv("log.csv")
    assert vt.inspect(vt.read_interactions("log.csv")).reason.startswith("All events have one time, so only the order")
    monkeypatch.setattr("sys.argv", ["vitrina", "init", "log.csv"])
    assert _code(run) == 0
    monkeypatch.setattr("sys.argv", ["vitrina", "compare", "vitrina.toml"])
    assert _code(run) == 0
    assert Path("vitrina-report/report.html").exists()


def _code(command) -> int:
    try:
        return command() or 0
    except SystemExit as ended:
        return int(ended.code or 0)


def test_one_user_one_item_and_kinds_are_said(tmp_path):
    said = " ".join(vt.inspect(vt.read_interactions(odd_log(1, 1, "a month", 20))).warnings)
    assert "There is one user" in said
    assert "There is one item" in said
    kinds = odd_log(6, 8, "a month", 40).with_columns(kind=pl.Series(["view"] * 32 + ['a "big" buy'] * 8))
    log = vt.read_interactions(kinds)
    seen = vt.inspect(log)
    assert "'view' count like those of the kind 'a \"big\" buy'" in " ".join(seen.warnings)
    assert 'kinds = {"view" = 0.2, "a \\"big\\" buy" = 1}' in " ".join(seen.warnings)
    assert 'kinds = {"view" = 0.2, "a \\"big\\" buy" = 1}' in config_text({"source": "log.csv"}, seen, log, tmp_path)
    assert "count like" not in " ".join(vt.inspect(vt.read_interactions(kinds.head(30))).warnings)
    assert "count like" not in " ".join(vt.inspect(vt.filters.kinds(log, {"view": 0.2, 'a "big" buy': 1})).warnings)


@pytest.mark.parametrize(
    "days", [["2026-05-01", "2026-05-02"], ["2026-05-01 10:00:00", "2026-05-01T11:00"], ["20260501", "20260502"], [20260501, 20260630]]
)
@pytest.mark.parametrize("form", ["table", "file"])
def test_a_column_of_dates_that_nobody_named_is_said_to_be_the_likely_time(days, form, tmp_path):
    frame = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "sum": [20269901, 20269902], "taken": days})
    source = frame if form == "table" else tmp_path / "log.csv"
    frame.write_csv(tmp_path / "log.csv")
    said = "The column 'taken' looks like the time and is not read: give it with time='taken'."
    log = vt.read_interactions(source)
    assert said in log.steps[0].note
    assert said in vt.inspect(log).warnings
    assert "looks like" not in vt.read_interactions(frame.drop("taken")).steps[0].note
    if "-" in str(days[0]):
        assert "looks like" not in vt.read_interactions(source, time="taken").steps[0].note
