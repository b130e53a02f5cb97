"""What an experiment would have seen, against the table of the same window made with group_by."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError
from vitrina.experiments import Mean, Past, Ratio, Share

DAY = 86_400_000_000
METRICS = {
    "spent": Mean(column="spent"), "bought": Share(column="bought"), "per event": Ratio(numerator="spent"), "per item": Ratio(numerator="spent", denominator="items"),
}  # fmt: skip


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    n = 6000
    unit = rng.choice(400, n, p=(w := rng.gamma(0.5, 1, 400)) / w.sum())
    return pl.DataFrame(
        {
            "client": unit, "home": unit // 3, "spent": rng.exponential(5, n).round(2), "bought": rng.random(n) < 0.2, "items": rng.integers(1, 5, n),
            "at": pl.Series(rng.integers(0, 60 * DAY, n) + 19_700 * DAY).cast(pl.Datetime("us")),
        }
    )  # fmt: skip


def window(log, first, stop):
    return log.filter(
        (pl.col("at") >= pl.lit(first * DAY).cast(pl.Datetime("us"))) & (pl.col("at") < pl.lit(stop * DAY).cast(pl.Datetime("us")))
    )


def by_hand(log, start, length, before, by="client"):
    """Per unit: spent, bought, events, items in the window, and the same in the days before."""
    sums = [
        pl.col("spent").sum(),
        pl.col("bought").max().cast(pl.Float64),
        pl.len().cast(pl.Float64).alias("events"),
        pl.col("items").sum().cast(pl.Float64),
    ]
    seen = window(log, start, start + length).group_by(by).agg(*sums)
    earlier = window(log, start - before, start).group_by(by).agg(*sums)
    return seen.join(earlier, on=by, how="left", suffix="_before").fill_null(0)


def regressed(y, x):
    """The variance of y that x doesn't explain."""
    return np.var(y, ddof=1) * (1 - np.corrcoef(y, x)[0, 1] ** 2)


def test_each_length_is_that_of_its_window(log):
    past = Past.of_events(log, METRICS, unit="client", time="at", before=20)
    assert (past.before, past.days[-1]) == (20, 40)
    for length in (1, 7, 23, 40):
        table, at = by_hand(log, 19_720, length, 20), length - 1
        assert past.units[at] == table.height
        for name, column in (("spent", "spent"), ("bought", "bought")):
            y, x = table[column].to_numpy(), table[f"{column}_before"].to_numpy()
            found = past.spread(name, at)
            assert (found.value, found.variance) == (pytest.approx(y.mean()), pytest.approx(y.var(ddof=1)))
            assert found.explained == pytest.approx(1 - regressed(y, x) / y.var(ddof=1), abs=1e-3)
        for name, below in (("per event", "events"), ("per item", "items")):
            y, n = table["spent"].to_numpy(), table[below].to_numpy()
            found = past.spread(name, at)
            assert found.value == pytest.approx(y.sum() / n.sum())
            assert found.variance == pytest.approx(np.var((y - found.value * n) / n.mean(), ddof=1))
            assert found.per_unit == pytest.approx(n.mean())


def test_arrivals_are_first_visits(log):
    past = Past.of_events(log, {"spent": METRICS["spent"]}, unit="client", time="at", before=0)
    first = log.group_by("client").agg(day=pl.col("at").min().dt.epoch("d") - 19_700)["day"].to_numpy()
    assert past.arrivals.tolist() == np.bincount(first, minlength=60).tolist()
    assert past.before == 0
    assert past.spread("spent", 30).explained == 0


def test_clusters_are_the_units(log):
    past = Past.of_events(log, METRICS, unit="client", time="at", cluster="home", before=20)
    clients = by_hand(log, 19_720, 15, 20).with_columns(home=pl.col("client") // 3)
    homes = clients.group_by("home").agg(pl.col("spent", "bought").sum(), n=pl.len())
    assert past.units[14] == homes.height
    for name in ("spent", "bought"):
        y, n = homes[name].to_numpy(), homes["n"].to_numpy()
        found = past.spread(name, 14)
        assert found.value == pytest.approx(clients[name].mean())
        assert found.variance == pytest.approx(np.var((y - found.value * n) / n.mean(), ddof=1))


def test_order_form_and_number_of_files_change_nothing(log, tmp_path):
    wanted = Past.of_events(log, METRICS, unit="client", time="at")
    text = log.sample(fraction=1, shuffle=True, seed=1).with_columns(pl.col("client").cast(pl.String), pl.col("bought").cast(pl.Int8))
    text[:3000].write_csv(tmp_path / "a.csv")
    text[3000:].write_csv(tmp_path / "b.csv")
    for table in (log.to_pandas(), text, str(tmp_path / "*.csv"), log.with_columns(pl.col("client").cast(pl.Float64))):
        found = Past.of_events(table, METRICS, unit="client", time="at")
        assert found.units.tolist() == wanted.units.tolist()
        for name in METRICS:
            assert found.spread(name, 20) == pytest.approx(wanted.spread(name, 20))


def test_a_metric_with_a_covariate_is_planned_with_it(log):
    metrics = {"spent": Mean(column="spent", covariate="whatever the analysis calls it")}
    found = Past.of_events(log, metrics, unit="client", time="at").spread("spent", 20)
    plain = Past.of_events(log, {"spent": METRICS["spent"]}, unit="client", time="at").spread("spent", 20)
    assert found.variance == pytest.approx(plain.variance * (1 - found.explained))
    assert 0 < found.explained < 1


def test_units_of_a_table(log):
    table = by_hand(log, 19_720, 40, 20)
    metrics = {"spent": Mean(column="spent", covariate="spent_before"), "per event": Ratio(numerator="spent", denominator="events")}
    past = Past.of_units(table, metrics, per_day=[100, 50, 25], unit="client")
    assert (past.units.tolist(), past.days.tolist(), past.measured) == ([100, 150, 175], [1, 2, 3], False)
    y, x = table["spent"].to_numpy(), table["spent_before"].to_numpy()
    assert past.spread("spent", 0).variance == pytest.approx(regressed(y, x), rel=1e-3)
    assert past.spread("per event", 2).value == pytest.approx(y.sum() / table["events"].sum())
    rows = log.select("client", "spent")  # several rows of a unit add up
    alone = Past.of_units(rows, {"spent": METRICS["spent"]}, per_day=10, unit="client", days=5)
    assert alone.spread("spent", 4).value == pytest.approx(log["spent"].sum() / log["client"].n_unique())
    assert alone.units.tolist() == [10, 20, 30, 40, 50]


def test_one_heavy_unit_is_one_unit():
    at = pl.Series(np.arange(40) * DAY + 19_700 * DAY).cast(pl.Datetime("us"))
    heavy = pl.DataFrame(
        {"client": ["heavy"] * 40 + [str(k) for k in range(40)], "at": pl.concat([at, at]), "spent": [1000.0] * 40 + [1.0] * 40}
    )
    past = Past.of_events(heavy, {"spent": METRICS["spent"]}, unit="client", time="at", before=10)
    assert past.units[-1] == 31
    assert past.spread("spent", 29).value == pytest.approx((30 * 1000 + 30) / 31)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "clint"}, "clint"),
        ({"time": "spent"}, "spent"),
        ({"metrics": {"spent": Mean(column="spend")}}, "spend"),
        ({"metrics": {"bought": Share(column="items")}}, "0 and 1"),
    ],
)
def test_columns_that_are_none_are_refused(log, change, said):
    with pytest.raises(DataError, match=said):
        Past.of_events(log, **({"metrics": METRICS, "unit": "client", "time": "at"} | change))


def test_what_is_no_past_is_refused(log):
    with pytest.raises(ParameterError, match="metric"):
        Past.of_events(log, {"spent": "spent"}, unit="client", time="at")
    with pytest.raises(ParameterError, match="per_day"):
        Past.of_units(log, {"spent": METRICS["spent"]}, per_day=[3, -1], unit="client")
    with pytest.raises(DataError, match="only an order"):
        Past.of_events(log.with_columns(at=pl.int_range(pl.len())), METRICS, unit="client", time="at", time_unit="step")
    with pytest.raises(DataError, match="several"):
        Past.of_events(log.with_columns(home=pl.int_range(pl.len()) % 7), METRICS, unit="client", time="at", cluster="home")
