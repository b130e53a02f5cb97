"""The diary on disk, and the worth of an offline gain against simulated experiments."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, WriteError
from vitrina.experiments import Diary, Gain
from vitrina.experiments.calibrate import Z, calibrated


def world(rng, experiments, slope=0.4, spread=0.03, own=0.005, offline_error=0.015, online_error=0.008):
    """True gains offline, what they bring online and something of each experiment's own, both measured."""
    true = rng.normal(0.02, spread, experiments)
    brought = slope * true + rng.normal(0, own, experiments)
    sides = []
    for truth, error in ((true, offline_error), (brought, online_error)):
        errors = error * rng.uniform(0.5, 1.5, experiments)
        seen = rng.normal(truth, errors)
        sides.append(np.stack([seen, seen - Z * errors, seen + Z * errors], axis=1))
    return sides


def test_the_slope_is_free_of_dilution_and_covered():
    rng = np.random.default_rng(0)
    found, plain, covered = [], [], 0
    for _ in range(6):
        offline, online = world(rng, 60)
        one = calibrated(offline, online)
        found.append(one.slope)
        covered += one.slope_low <= 0.4 <= one.slope_high
        plain.append((offline[:, 0] * online[:, 0]).sum() / (offline[:, 0] ** 2).sum())
    assert np.mean(found) == pytest.approx(0.4, abs=0.05)
    assert np.mean(plain) < 0.9 * np.mean(found)  # what regression through the origin says
    assert covered >= 5


def test_without_errors_it_is_the_line():
    x = np.array([0.01, 0.02, -0.01, 0.03, 0.05, 0.04])
    tight = [np.stack([v, v - 1e-6, v + 1e-6], axis=1) for v in (x, 0.5 * x)]
    one = calibrated(*tight)
    assert (one.slope, one.agree, one.correlation) == (pytest.approx(0.5, abs=1e-3), 6, pytest.approx(1.0, abs=1e-5))


def test_scale_and_order_change_nothing():
    offline, online = world(np.random.default_rng(1), 8)
    one, turned, scaled = calibrated(offline, online), calibrated(offline[::-1], online[::-1]), calibrated(100 * offline, 10 * online)
    assert turned.slope == pytest.approx(one.slope, rel=1e-3)
    assert scaled.slope == pytest.approx(one.slope / 10, rel=1e-3)
    assert (scaled.slope_low, scaled.slope_high) == (
        pytest.approx(one.slope_low / 10, rel=0.02),
        pytest.approx(one.slope_high / 10, rel=0.02),
    )


def test_noise_alone_is_worth_nothing_sure():
    rng = np.random.default_rng(3)
    offline = np.stack([v := rng.normal(0, 0.01, 8), v - 0.04, v + 0.04], axis=1)
    online = np.stack([v := rng.normal(0, 0.01, 8), v - 0.04, v + 0.04], axis=1)
    one = calibrated(offline, online)
    assert one.slope is None or one.slope_low is None or one.slope_high is None or one.slope_low < 0 < one.slope_high


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_entries_are_kept_and_never_changed(tmp_path, ending):
    path = tmp_path / f"diary.{ending}"
    diary = Diary(path)
    assert (diary.table.height, diary.sentences) == (0, ())
    diary.add(
        "one",
        "new",
        "nDCG@10",
        Gain(0.05, 0.03, 0.07),
        "revenue",
        Gain(0.012, -0.004, 0.028),
        when=date(2026, 5, 1),
        note='a "quoted", note',
    )
    diary.add("two", "new", "nDCG@10", Gain(0.01, -0.01, 0.03), "revenue", Gain(-0.012, -0.024, 0.0))
    again = Diary(path)
    assert again.table.row(0) == (
        date(2026, 5, 1),
        "one",
        "new",
        "nDCG@10",
        0.05,
        0.03,
        0.07,
        "revenue",
        0.012,
        -0.004,
        0.028,
        'a "quoted", note',
    )
    assert again.table["when"][1] == date.today()
    with pytest.raises(ParameterError, match="already"):
        again.add("one", "new", "nDCG@10", Gain(0, -1, 1), "revenue", Gain(0, -1, 1))
    with pytest.raises(ParameterError, match="'online' change must lie"):
        again.add("three", "new", "nDCG@10", Gain(0, -1, 1), "revenue", Gain(2, -1, 1))
    assert Diary(path).table.equals(again.table)
    assert again.sentences == (
        "nDCG@10 beside revenue: 2 experiments are too few to say what an offline gain is worth online; it takes 5 or more. 1 of 2 pointed the same way.",
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_pairs_of_metrics_are_apart_and_said(tmp_path):
    diary = Diary(tmp_path / "diary.csv")
    offline, online = world(np.random.default_rng(2), 12)
    for k, (off, on) in enumerate(zip(offline.tolist(), online.tolist(), strict=True)):
        diary.add(f"e{k}", "new", "nDCG@10", Gain(*off), "revenue", Gain(*on))
    diary.add("e0", "new", "DR", Gain(*offline[0].tolist()), "revenue", Gain(*online[0].tolist()))
    assert diary.worth["experiments"].to_list() == [12, 1]
    first, second = diary.sentences
    assert "an offline +1% has been worth +0." in first
    assert "12 experiments" in first
    assert "too few" in second
    assert diary.worth["slope"][1] is None
    assert "Diary(13 entries)" in repr(diary)
    assert first in str(diary)


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"\.csv or a \.parquet"):
        Diary(tmp_path / "diary.xlsx")
    pl.DataFrame({"a": [1]}).write_csv(tmp_path / "other.csv")
    with pytest.raises(DataError, match="is no diary"):
        Diary(tmp_path / "other.csv")
    (tmp_path / "broken.parquet").write_text("no")
    with pytest.raises(DataError, match="is no diary"):
        Diary(tmp_path / "broken.parquet")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError):
        Diary(tmp_path / "file" / "diary.csv").add("one", "new", "m", Gain(0, -1, 1), "r", Gain(0, -1, 1))


def test_gains_are_taken_from_tables():
    numbers = pl.DataFrame({"model": ["EASE", "Popularity"], "metric": ["nDCG@10"] * 2, "value": [0.25, 0.2]})
    comparisons = pl.DataFrame(
        {"model": ["EASE"], "metric": ["nDCG@10"], "baseline": ["Popularity"], "difference": [0.05], "low": [0.04], "high": [0.06]}
    )
    board = SimpleNamespace(primary="nDCG@10", baseline="Popularity", numbers=numbers, comparisons=comparisons, metrics=())
    assert Gain.of_board(board, "EASE") == pytest.approx((0.25, 0.2, 0.3))
    turned = SimpleNamespace(**{**vars(board), "metrics": (SimpleNamespace(name="nDCG@10", lower_is_better=True),)})
    assert Gain.of_board(turned, "EASE") == pytest.approx((-0.25, -0.3, -0.2))
    with pytest.raises(DataError, match=r"no row of model 'ease'.*EASE"):
        Gain.of_board(board, "ease")
    row = {"policy": "rule", "estimator": "DR", "value": 1.1, "difference": 0.1, "difference_low": 0.05, "difference_high": 0.15}
    values = SimpleNamespace(table=pl.DataFrame([row, {**row, "estimator": "IPS"}]))
    assert Gain.of_values(values, "rule", estimator="DR") == pytest.approx((0.1, 0.05, 0.15))
    with pytest.raises(DataError, match="more than one row"):
        Gain.of_values(values, "rule")
    table = pl.DataFrame({"metric": ["revenue"], "arm": ["ten"], "relative": [0.02], "relative_low": [0.01], "relative_high": [0.03]})
    assert Gain.of_analysis(SimpleNamespace(table=table), "revenue", "ten") == pytest.approx((0.02, 0.01, 0.03))
    with pytest.raises(ParameterError, match="baseline above 0"):
        Gain.of_difference(0.1, 0.0, 0.2, 0.0)


def test_a_real_board_gives_gains(one_process):
    data = vt.testing.synthetic(users=60, items=15)
    board = vt.compare(
        {"Popularity": vt.Popularity(), "Personal": vt.TopPersonal()},
        data.split(vt.split.GlobalTime(quantile=0.8)),
        baselines=False,
        baseline="Popularity",
    )
    gain, wanted = Gain.of_board(board, "Personal"), pl.col("metric") == board.primary
    row = board.comparisons.row(by_predicate=wanted & (pl.col("model") == "Personal"), named=True)
    base = board.numbers.row(by_predicate=wanted & (pl.col("model") == "Popularity"), named=True)["value"]
    assert gain == pytest.approx((row["difference"] / base, row["low"] / base, row["high"] / base))
