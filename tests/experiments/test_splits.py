"""Users in several arms."""

import numpy as np
import polars as pl
import pytest

import vitrina as vt

ex = vt.experiments


def sessions(users=4000, by="session", seed=0, stays=1.0, ends=0.0):
    """Sessions of users; the effect of the treatment stays with the user, by the share of it that the user had, or ends with the session."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), 1 + rng.poisson(2, users))
    arm = rng.integers(0, 2, len(user)) if by == "session" else rng.integers(0, 2, users)[user]
    had = np.bincount(user, arm, users) / np.bincount(user, minlength=users)
    return pl.DataFrame({"user": user, "arm": arm, "spent": rng.normal(5, 1, len(user)) + stays * had[user] + ends * arm})


def slow_contrast(table):
    rows = {arm: table.filter(arm=arm) for arm in (0, 1)}
    had = dict(table.group_by("user").agg(pl.col("arm").mean()).iter_rows())
    return np.mean([had[u] for u in rows[1]["user"]]) - np.mean([had[u] for u in rows[0]["user"]])


@pytest.mark.parametrize("seed", range(5))
def test_the_contrast_is_what_the_unit_behind_a_row_had(seed):
    table = sessions(300, seed=seed)
    assert ex.splits(table, arm="arm", unit="user").table["contrast"][1] == pytest.approx(slow_contrast(table))


def test_a_difference_of_rows_shows_so_much_of_what_stays_with_the_user():
    found = [(ex.splits(t, arm="arm", unit="user").table["contrast"][1], t) for t in (sessions(seed=s) for s in range(20))]
    contrast = np.mean([c for c, _ in found])
    seen = [t.filter(arm=1)["spent"].mean() - t.filter(arm=0)["spent"].mean() for _, t in found]
    assert 0.3 < contrast < 0.6
    assert np.mean(seen) == pytest.approx(contrast, abs=3 * np.std(seen) / np.sqrt(20))
    ends = [sessions(seed=s, stays=0, ends=1.0) for s in range(20)]
    assert np.mean([t.filter(arm=1)["spent"].mean() - t.filter(arm=0)["spent"].mean() for t in ends]) == pytest.approx(1, abs=0.03)


def test_nobody_crosses_where_users_are_assigned():
    found = ex.splits(sessions(by="user"), arm="arm", unit="user")
    assert (found.crossing, found.table["contrast"][1], found.checks.verdict) == (0, 1.0, "pass")
    assert found.sentences[0] == "None of the units was in more than one arm."


def test_crossing_is_counted_and_refused_and_a_few_are_left_out():
    table = sessions(by="user")
    found = ex.splits(sessions(), arm="arm", unit="user")
    assert found.checks.verdict == "refuse"
    assert found.crossing == sessions().group_by("user").agg(pl.col("arm").n_unique() > 1)["arm"].sum()
    few = table.with_columns(
        arm=pl.when((pl.col("user") < 20) & (pl.int_range(pl.len()).over("user") == 0)).then(1 - pl.col("arm")).otherwise(pl.col("arm"))
    )
    several = ex.splits(few, arm="arm", unit="user").crossing
    assert 5 < several < 20
    pytest.importorskip("tea_tasting")
    analysis = ex.analyse(few, {"spent": ex.Mean(column="spent")}, arm="arm", unit="user", shares={0: 1, 1: 1})
    assert analysis.table["units"][0] + analysis.table["units_control"][0] == 4000 - several
    assert not analysis.refused
    assert ex.analyse(sessions(), {"spent": ex.Mean(column="spent")}, arm="arm", unit="user", shares={0: 1, 1: 1}).refused


def test_arms_that_come_unequally_often_are_seen():
    table = sessions(by="user").filter((pl.col("arm") == 0) | (pl.int_range(pl.len()).over("user") < 2))
    assert "don't come equally often" in str(ex.splits(table, arm="arm", unit="user"))
