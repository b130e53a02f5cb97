"""From exposures and events to a row per unit."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError

ex = vt.experiments
START = dt.datetime(2026, 3, 1)
EVENTS = {"event_unit": "user", "event_time": "at", "value": "paid"}


def hours(values):
    return [START + dt.timedelta(hours=int(h)) for h in values]


def drawn(seed, units=30):
    rng = np.random.default_rng(seed)
    seen = pl.DataFrame({"user": rng.integers(0, units, 80), "at": hours(rng.integers(0, 500, 80))}).with_columns(group=pl.col("user") % 3)
    events = pl.DataFrame(
        {"user": rng.integers(0, units + 5, 300), "at": hours(rng.integers(-400, 800, 300)), "paid": rng.integers(1, 9, 300).astype(float)}
    )
    return seen, events


@pytest.mark.parametrize("seed", range(20))
def test_a_unit_has_what_came_in_its_window(seed):
    seen, events = drawn(seed)
    found = ex.outcomes(
        seen,
        events,
        days=7,
        before=5,
        unit="user",
        arm="group",
        time="at",
        rewards={"paid": "sum", "came": "any", "times": "count"},
        **EVENTS,
    )
    last, rows = events["at"].max(), {row["unit"]: row for row in found.table.iter_rows(named=True)}
    for user, first in seen.group_by("user").agg(pl.col("at").min()).iter_rows():
        if first + dt.timedelta(days=7) > last + dt.timedelta(microseconds=1):
            assert user not in rows
            continue
        own = [(at, paid) for u, at, paid in events.iter_rows() if u == user]
        after = [paid for at, paid in own if first <= at < first + dt.timedelta(days=7)]
        before = [paid for at, paid in own if first - dt.timedelta(days=5) <= at < first]
        row = rows.pop(user)
        assert (row["arm"], row["since"], row["known_at"]) == (str(user % 3), first, first + dt.timedelta(days=7))
        assert (row["paid"], row["came"], row["times"]) == (sum(after), float(bool(after)), len(after))
        assert (row["paid_before"], row["times_before"]) == (sum(before), len(before))
    assert not rows


def test_impressions_and_the_experiment_that_assigned_them():
    plan = ex.Experiment(name="page", arms={"old": 0.5, "new": 0.5}, ramp=0.8)
    rng = np.random.default_rng(0)
    shown = pl.DataFrame(
        {
            "request_id": np.arange(400),
            "user_id": rng.integers(0, 150, 400).astype(str),
            "item_id": "tea",
            "timestamp": hours(rng.integers(0, 300, 400)),
        }
    )
    shown = shown.with_columns(user_id=pl.when(pl.col("request_id") % 50 == 0).then(None).otherwise(pl.col("user_id")))
    events = pl.DataFrame(
        {"user": rng.integers(0, 150, 300).astype(str), "at": hours(rng.integers(0, 700, 300)), "paid": rng.exponential(5, 300)}
    )
    found = ex.outcomes(vt.Impressions.of_frame(shown), events, days=10, experiment=plan, rewards={"paid": "sum"}, **EVENTS)
    assert found.table["unit"].is_unique().all()
    known = dict(plan.assign(found.table["unit"]).select("user", "arm").iter_rows())
    assert found.table["arm"].to_list() == [known[str(u)] for u in found.table["unit"]]
    assert "8 places were shown to visitors whom nobody knows" in str(found)
    assert "units are not in the experiment" in str(found)
    assert (found.table["paid"] == 0).any()


def test_who_did_nothing_is_in_and_an_analysis_of_those_who_came_is_wrong():
    """The treatment drives away those who buy little, and does nothing else."""
    pytest.importorskip("tea_tasting")
    rng = np.random.default_rng(1)
    n = 6000
    arm, size = rng.integers(0, 2, n), rng.exponential(10, n)
    comes = ~((arm == 1) & (size < 3))
    seen = pl.DataFrame({"user": np.arange(n), "group": arm, "at": hours(rng.integers(0, 24, n))})
    events = pl.DataFrame({"user": np.arange(n), "at": hours(rng.integers(48, 72, n)), "paid": size}).filter(pl.Series(comes))
    found = ex.outcomes(seen, events, days=7, until="2026-04-01", unit="user", arm="group", time="at", rewards={"paid": "sum"}, **EVENTS)
    assert len(found.table) == n
    paid, even = {"paid": ex.Mean(column="paid")}, {0: 1, 1: 1}
    right = ex.analyse(found.table, paid, arm="arm", unit="unit", shares=even).table
    came = ex.analyse(found.table.filter(pl.col("paid") > 0), paid, arm="arm", unit="unit", shares=even)
    assert right["difference"][0] < 0
    assert came.refused  # the arms are no longer as large as planned
    forced = ex.analyse(found.table.filter(pl.col("paid") > 0), paid, arm="arm", unit="unit", shares=even, force=True).table
    assert forced["verdict"][0] == "better"
    watched = ex.sequential(found.table, paid, arm="arm", unit="unit", time="known_at", planned=n, shares=even)
    assert watched.table["units"][-1] == n


def test_a_unit_in_two_arms_is_left_to_the_analysis():
    seen = pl.DataFrame({"user": [1, 1, 2, 3], "group": ["a", "b", "a", "b"], "at": hours([0, 30, 0, 0])})
    events = pl.DataFrame({"user": [1, 2], "at": hours([40, 40]), "paid": [1.0, 2.0]})
    found = ex.outcomes(seen, events, days=3, until="2026-04-01", unit="user", arm="group", time="at", **EVENTS)
    assert found.table["unit"].to_list() == [1, 1, 2, 3]
    pytest.importorskip("tea_tasting")
    analysis = ex.analyse(found.table, {"v": ex.Mean(column="value")}, arm="arm", unit="unit", force=True)
    assert analysis.table.select("units", "units_control").row(0) == (1, 1)


def test_what_is_missing_is_said():
    seen, events = drawn(0)
    with pytest.raises(ParameterError, match=r"said by arm=, a column, or by experiment=\. Got neither"):
        ex.outcomes(seen, events, days=7, unit="user", time="at", **EVENTS)
    with pytest.raises(ParameterError, match="needs the names of its columns"):
        ex.outcomes(seen, events, days=7, arm="group", **EVENTS)
    with pytest.raises(DataError, match="must hold moments, not steps"):
        ex.outcomes(seen.with_columns(at=pl.int_range(pl.len())), events, days=7, unit="user", arm="group", time="at", **EVENTS)
