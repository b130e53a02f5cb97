"""Boards of forecasters beside loops, beside utilsforecast, and in simulations where the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.plan import Demand, Forecast, evaluate_demand, fan_table
from vitrina.plan.evaluation.scales import CLASSES, Known, kinds_of
from vitrina.plan.evaluation.scores import LEVELS, scores_of
from vitrina.vocabulary import Vocabulary

START = date(2027, 1, 4)


def demand_of(units: np.ndarray, state: np.ndarray | None = None, item: np.ndarray | None = None, **more: object) -> Demand:
    item = np.arange(len(units)) if item is None else item
    state = np.ones(units.shape) if state is None else state
    vocabulary = Vocabulary.of([f"item {i}" for i in range(item.max() + 1)])
    return Demand(units.astype(np.float32), state.astype(np.int8), item.astype(np.int32), vocabulary, START, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Drawn:
    """Draws paths by a function of the columns that it learned from, the days and a generator; keeps what it was given."""

    draw: Callable[[Demand, int, int, np.random.Generator], np.ndarray]
    given: list[Demand] = field(default_factory=list)

    def fit(self, demand: Demand) -> DrawnModel:
        self.given.append(demand)
        return DrawnModel(self, demand)


@dataclass(frozen=True)
class DrawnModel:
    config: Drawn
    demand: Demand

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: np.ndarray | None = None) -> Forecast:
        samples = self.config.draw(self.demand, days, paths, np.random.default_rng([seed, self.demand.days]))
        return Forecast(samples.astype(np.float32), self.demand.end, self.demand.step, seed)


def panel() -> Demand:
    """Nine series of six items, with unknown days, days without stock, unknown prices, a series that never sells and one that starts late."""
    rng = np.random.default_rng(3)
    units = rng.negative_binomial(1, 0.3, (9, 80)).astype(float)
    state = rng.choice([0, 1, 1, 1, 1, 1, 1, 2], units.shape)
    units[4], state[5, :45] = 0, 0
    units = np.where(state == 0, 0, units)
    price = np.where(units > 0, rng.uniform(1, 5, units.shape), np.nan)
    price[2] = np.nan
    return demand_of(
        units, state, np.array([0, 0, 1, 1, 2, 3, 4, 5, 5]), price=price.astype(np.float32), stocked=True,
        table=pl.DataFrame({"name": list("abcdef"), "kind": ["x", "y"] * 3}), title="name",
    )  # fmt: skip


def drawn(demand: Demand, days: int, paths: int, rng: np.random.Generator) -> np.ndarray:
    """By the series itself, so that blocks draw what the whole does."""
    ids = demand.units[:, :30].sum(axis=1).astype(int)
    return np.stack([np.random.default_rng([own, demand.days]).poisson(2.0, (paths, days)) for own in ids])


def by_loops(demand: Demand, origins: list[int], days: int, paths: int) -> dict[str, float]:
    """Every number of the board in plain loops."""
    rmsses, spls, weight, rel = [], [], [], []
    inside, closed, over, expected, units, sold, out = 0.0, 0, 0, 0.0, 0.0, 0, 0
    total_inside, total_closed, seen_days = [], [], 0
    for o in origins:
        samples = Drawn(drawn).fit(demand.between(0, o)).forecast(days, paths=paths).samples.astype(float)
        worth = []
        for i in range(len(demand)):
            past, seen = demand.units[i, :o].astype(float), demand.state[i, :o]
            first = next((t for t in range(o) if past[t] > 0), None)
            pairs = [] if first is None else [past[t] - past[t - 1] for t in range(first + 1, o) if seen[t] == 1 and seen[t - 1] == 1]
            squared = sum(d * d for d in pairs) / len(pairs) if pairs else 0
            absolute = sum(abs(d) for d in pairs) / len(pairs) if pairs else 0
            assert demand.price is not None
            usual = [[p for p in row[:o] if not np.isnan(p)] for row in demand.price.astype(float)]
            mine = sum(usual[i]) / len(usual[i]) if usual[i] else float(np.median([sum(u) / len(u) for u in usual if u]))
            prices = [mine if np.isnan(p) else float(p) for p in demand.price[i, o - 28 : o]]
            revenue = sum(u * p for u, p in zip(past[-28:], prices, strict=True))
            worth.append(revenue if squared else 0.0)
            unit = revenue / sum(past[-28:]) if sum(past[-28:]) else mine
            truth = [(t, float(demand.units[i, o + t])) for t in range(days) if demand.state[i, o + t] == 1]
            for t in range(days):
                if demand.state[i, o + t] == 2:
                    out, over = out + 1, over + (demand.units[i, o + t] > sorted(samples[i, :, t])[ceil(0.95 * paths) - 1])
            if truth:
                means = [samples[i, :, t].mean() for t, _ in truth]
                mse = sum((y - m) ** 2 for m, (_, y) in zip(means, truth, strict=True)) / len(truth)
                rmsses.append((mse / squared) ** 0.5 if squared else np.nan)
                loss = 0.0
                for level in LEVELS:
                    for t, y in truth:
                        q = sorted(samples[i, :, t])[ceil(level * paths - 1e-9) - 1]
                        loss += (level * (y - q) if y >= q else (1 - level) * (q - y)) / len(truth) / len(LEVELS)
                spls.append(loss / absolute if squared else np.nan)
                for (t, y), m in zip(truth, means, strict=True):
                    share, ends = one_day(list(samples[i, :, t]), y)
                    inside, closed, seen_days, expected, units = (
                        inside + share,
                        closed + ends,
                        seen_days + 1,
                        expected + unit * m,
                        units + unit * y,
                    )
                    if y > 0:
                        sold, rel = sold + 1, [*rel, abs(y - m) / y]
                share, ends = one_day([sum(samples[i, p, t] for t, _ in truth) for p in range(paths)], sum(y for _, y in truth))
                total_inside.append(share)
                total_closed.append(ends)
            else:
                rmsses.append(np.nan)
                spls.append(np.nan)
        weight += [w / sum(worth) / len(origins) for w in worth]
    scored = [(w, r, s) for w, r, s in zip(weight, rmsses, spls, strict=True) if w > 0 and not np.isnan(r)]
    all_weight = sum(w for w, _, _ in scored)
    return {
        "WRMSSE": sum(w * r for w, r, _ in scored) / all_weight, "WSPL": sum(w * s for w, _, s in scored) / all_weight,
        "coverage": inside / seen_days, "coverage, ends included": closed / seen_days, "coverage of totals": float(np.mean(total_inside)),
        "coverage of totals, ends included": float(np.mean(total_closed)), "bias": expected / units - 1, "MAPE": sum(rel) / sold,
        "sold out above": over / out,
    }  # fmt: skip


def one_day(paths: list[float], y: float) -> tuple[float, bool]:
    """The share of the step of the distribution function within 5% and 95%, by counting; and whether y is from quantile to quantile."""
    low, high = sum(p < y for p in paths) / (len(paths) + 1), (sum(p <= y for p in paths) + 1) / (len(paths) + 1)
    cut = max(min(high, 0.95) - max(low, 0.05), 0) / (high - low)
    ranked = sorted(paths)
    return cut, ranked[ceil(0.05 * len(paths) - 1e-9) - 1] <= y <= ranked[ceil(0.95 * len(paths) - 1e-9) - 1]


def test_every_number_is_that_of_plain_loops() -> None:
    demand = panel()
    board = evaluate_demand(demand, {"drawn": Drawn(drawn)}, days=10, origins=3, every=7, paths=40)
    expected = by_loops(demand, [56, 63, 70], 10, 40)
    assert {name: board["drawn", name] for name in expected} == pytest.approx(expected, rel=1e-6)
    parts = board.per_series.filter(pl.col("forecaster") == "drawn")
    assert parts["part"].sum() == pytest.approx(expected["WRMSSE"], rel=1e-6)  # each series has a seen day at each origin
    assert parts["part"].is_sorted(descending=True)
    in_units = evaluate_demand(demand, {"drawn": Drawn(drawn)}, days=10, origins=3, every=7, paths=40, weights="units")
    assert parts["units"].sum() * (1 + in_units["drawn", "bias"]) == pytest.approx(parts["expected"].sum(), rel=1e-6)


def test_blocks_of_series_say_what_the_whole_says() -> None:
    demand = panel()
    boards = [evaluate_demand(demand, {"drawn": Drawn(drawn)}, days=10, origins=2, paths=20, block=block) for block in (None, 2)]
    for name in boards[0].numbers["metric"].unique():
        assert boards[0]["drawn", name] == boards[1]["drawn", name]
    seen = Drawn(drawn)
    evaluate_demand(demand, {"drawn": seen}, days=10, origins=1, paths=5, block=3)
    blocks = [set(part.item.tolist()) for part in seen.given]
    assert [len(part) for part in seen.given] == [2, 3, 2, 2]
    assert not any(a & b for i, a in enumerate(blocks) for b in blocks[:i])


def test_scales_and_losses_are_those_of_utilsforecast() -> None:
    losses = pytest.importorskip("utilsforecast.losses")
    rng = np.random.default_rng(0)
    units = rng.poisson(3.0, (5, 60)) + np.eye(60)[0]  # sold on the first day: that library doesn't wait for the first sale
    demand, samples = demand_of(units), rng.poisson(3.0, (5, 99, 14)).astype(np.float32)
    known = Known.of(demand.between(0, 46), "units", season=7)
    found = scores_of(samples, demand.between(46, 60), known, levels=(0.835,))
    days = [(f"{i:02d}", t, float(units[i, t])) for i in range(5) for t in range(60)]
    long = pl.DataFrame(days, schema=["unique_id", "ds", "y"], orient="row")
    forecast = Forecast(samples, demand.end)
    test = long.filter(pl.col("ds") >= 46).with_columns(m=forecast.mean().ravel(), q=forecast.quantile([0.835])[0].ravel())
    train = long.filter(pl.col("ds") < 46)
    assert found.rmsse == pytest.approx(losses.rmsse(test, ["m"], seasonality=7, train_df=train)["m"].to_numpy())
    theirs = losses.scaled_quantile_loss(test, {"m": "q"}, seasonality=7, train_df=train, q=0.835)["m"].to_numpy()
    assert found.pinball == pytest.approx(theirs)


@pytest.mark.parametrize("paths", [19, 200])
def test_a_true_forecast_covers_what_it_promises_by_its_steps_and_more_with_ends(paths: int) -> None:
    rng = np.random.default_rng(1)
    rate = rng.gamma(0.7, 1.0, 1500)
    shared = rng.gamma(4, 0.25, (1500, 1, 1))  # of a series and window: totals vary more than days that know nothing of one another

    def units(paths: int, rng: np.random.Generator) -> np.ndarray:
        return rng.poisson(rate[:, None, None] * rng.gamma(4, 0.25, (1500, paths, 1)), (1500, paths, 14))

    truth = rng.poisson(rate[:, None, None] * shared, (1500, 1, 14))[:, 0]
    past = rng.poisson(rate[:, None], (1500, 30))
    demand = demand_of(np.concatenate([past, truth], axis=1))
    true = Drawn(lambda demand, days, paths, rng: units(paths, rng))
    board = evaluate_demand(demand, {"true": true}, days=14, origins=1, paths=paths, weights="series")
    own = {name: (low, high) for _, name, _, low, high, *_ in board.numbers.filter(pl.col("forecaster") == "true").iter_rows()}
    for name in ("coverage", "coverage of totals"):
        assert own[name][0] < 0.9 < own[name][1]
    assert board["true", "coverage, ends included"] > 0.94
    shares = board.histogram.filter(pl.col("forecaster") == "true")["share"].to_numpy()
    assert shares.sum() == pytest.approx(1)
    assert np.abs(shares - 0.05).max() < 0.006
    narrow = Drawn(lambda demand, days, paths, rng: np.repeat(rate[:, None, None], paths, axis=1) + np.zeros((1, 1, days)))
    worse = evaluate_demand(demand, {"narrow": narrow}, days=14, origins=1, paths=paths, weights="series")
    assert worse["narrow", "coverage"] < 0.5


def test_nothing_after_the_origin_can_be_reached_and_nobody_writes_into_the_demand() -> None:
    demand, seen = panel(), Drawn(drawn)
    kept = demand.units.copy()

    def spoiled(train: Demand, days: int, paths: int, rng: np.random.Generator) -> np.ndarray:
        train.units[:] = 99
        return np.ones((len(train), paths, days))

    evaluate_demand(demand, {"drawn": seen, "vandal": Drawn(spoiled)}, days=10, origins=3, every=5, paths=4)
    assert [one.days for one in seen.given] == [60, 65, 70]
    for one in seen.given:
        arrays = [one.units, one.state, one.price]
        assert all(array is not None and array.base is None and array.shape == (9, one.days) for array in arrays)
        assert (one.units == kept[:, : one.days]).all()
    assert (demand.units == kept).all()


@dataclass(frozen=True)
class ByPrice(Drawn):
    """Forecasts the price less one."""

    def fit(self, demand: Demand) -> ByPriceModel:
        return ByPriceModel(self, demand)


@dataclass(frozen=True)
class ByPriceModel(DrawnModel):
    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: np.ndarray | None = None) -> Forecast:
        assert prices is not None
        return Forecast(np.repeat(prices[:, None] - 1, paths, axis=1).astype(np.float32), self.demand.end)


def test_planned_prices_of_the_days_ahead_are_told_to_the_series_they_are_of() -> None:
    demand = panel()
    board = evaluate_demand(demand, {"price": ByPrice(drawn)}, days=10, origins=3, every=4, paths=5, prices=demand.units + 1, block=2)
    assert board["price", "WRMSSE"] == 0
    with pytest.raises(ParameterError, match=r"as the demand has them, \(9, 80\). Got \(9, 10\)"):
        evaluate_demand(demand, {"price": ByPrice(drawn)}, days=10, prices=demand.units[:, :10])


def test_the_better_forecaster_is_called_better_and_the_seasonal_naive_one_is_on_every_board() -> None:
    rng = np.random.default_rng(5)
    rate = rng.gamma(2, 2, (150, 1)) * (1 + 0.5 * np.sin(np.arange(140) * 2 * np.pi / 7))
    demand = demand_of(rng.poisson(rate), table=pl.DataFrame({"kind": ["x", "y", "z"] * 50}))
    true = Drawn(lambda demand, days, paths, rng: rng.poisson(rate[:, None, demand.days : demand.days + days], (150, paths, days)))
    board = evaluate_demand(demand, {"true": true}, days=14, origins=2, category="kind", paths=60)
    assert board.forecasters == ["true", "SeasonalNaive"]
    assert board.best == "true"
    verdicts = board.table.filter(pl.col("forecaster") == "true")
    assert verdicts["WRMSSE verdict"].item().startswith("better by")
    assert verdicts["WSPL verdict"].item().startswith("better by")
    difference = board["true", "WRMSSE"] - board["SeasonalNaive", "WRMSSE"]
    assert board.differences.filter(pl.col("metric") == "WRMSSE")["difference"].item() == pytest.approx(difference)
    kinds = board.slices.filter(pl.col("slice") == "kind")
    assert set(kinds["group"]) == {"x", "y", "z"}
    assert kinds.filter(pl.col("metric") == "WRMSSE", pl.col("forecaster") == "true")["verdict"].str.starts_with("better").all()
    assert any("90% intervals hold" in sentence for sentence in board.sentences)
    assert "MAPE leaves out" in str(board)
    with pytest.raises(UnknownNameError, match="WRMSE"):
        board["true", "WRMSE"]


def test_series_are_told_apart_by_how_they_sell() -> None:
    smooth, erratic = [5, 6, 5, 6] * 5, [1, 30, 2, 1] * 5
    intermittent, lumpy = [5, 0, 0, 6] * 5, [1, 0, 0, 30] * 5
    late = [0] * 12 + [5, 6] * 4  # zeros before the first sale are no days without demand
    demand = demand_of(np.array([smooth, erratic, intermittent, lumpy, [0] * 20, late]))
    assert [CLASSES[k] for k in kinds_of(demand)] == ["smooth", "erratic", "intermittent", "lumpy", "no sale yet", "smooth"]


def test_what_cannot_be_judged_is_said() -> None:
    demand, some = panel(), {"drawn": Drawn(drawn)}
    board = evaluate_demand(demand, some, days=10, origins=2, paths=5)
    notes = " ".join(board.notes)
    assert "2 of 18 series at origins had no changing sales" in notes
    assert "ended sold out" in notes
    assert "median price" in notes
    with pytest.raises(ParameterError, match=r"Origins: 5, 28 columns .* Give origins=2 or fewer, or a longer history"):
        evaluate_demand(demand, some, origins=5)
    with pytest.raises(ParameterError, match=r"leave 0 of 80 to learn from .* Give days=26 or fewer, or a longer history"):
        evaluate_demand(demand, some, days=100, origins=2)
    evaluate_demand(demand, some, days=26, origins=2, paths=3)
    with pytest.raises(ParameterError, match=r"it takes 90\. Give a longer history"):
        evaluate_demand(demand, some, days=5, season=89)
    with pytest.raises(ParameterError, match=r"'colour' is no column .* name, kind"):
        evaluate_demand(demand, some, days=10, category="colour")
    with pytest.raises(ParameterError, match="'SeasonalNaive' is the name of the baseline"):
        evaluate_demand(demand, {"SeasonalNaive": Drawn(drawn)}, days=10)
    with pytest.raises(ParameterError, match="'naive' is str"):
        evaluate_demand(demand, {"naive": "SeasonalNaive"}, days=10)  # type: ignore[dict-item]
    with pytest.raises(ParameterError, match="'origins' of evaluate_demand must be 1 or more"):
        evaluate_demand(demand, some, origins=0)
    with pytest.raises(DataError, match=r"asked for 9 series and 10 days .* forecast 9 series and 11 days"):
        evaluate_demand(demand, {"long": Drawn(lambda d, days, paths, rng: np.ones((len(d), paths, days + 1)))}, days=10)
    few = evaluate_demand(demand.select([0, 2]), some, days=10, origins=2, paths=5).numbers.filter(pl.col("metric") == "WRMSSE")
    assert few["low"].min() == 0
    assert few["high"].max() > 1 > few["value"].max()  # an error has no upper bound
    with pytest.raises(DataError, match="No series can be scored"):
        evaluate_demand(demand.select([4]), some, days=10)


def test_a_fan_has_the_past_the_quantiles_and_what_came_true() -> None:
    demand = panel()
    forecast = Drawn(drawn).fit(demand.between(0, 70)).forecast(14, paths=50)
    table = fan_table(forecast, demand, [5, 2], before=3)
    assert table.height == 2 * 17
    row = table.filter(pl.col("series") == 2)
    assert row["day"].to_list()[:4] == [date(2027, 1, 4) + timedelta(days=d) for d in (67, 68, 69, 70)]
    states = {0: "unknown", 1: "seen", 2: "sold out"}
    assert row["state"].to_list() == [*(states[s] for s in demand.state[2, 67:].tolist()), *["unknown"] * 4]
    units = [float(u) if s else None for u, s in zip(demand.units[2, 67:], demand.state[2, 67:], strict=True)]
    assert row["units"].to_list() == [*units, *[None] * 4]
    assert row["q0.05"].to_list() == [*[None] * 3, *forecast.quantile([0.05])[0, 2].tolist()]
    assert row["name"].unique().to_list() == [demand.names()[2]]
    with pytest.raises(ParameterError, match="own series and days"):
        fan_table(forecast, demand.between(0, 60))
    with pytest.raises(ParameterError, match="'levels'"):
        fan_table(forecast, demand, levels=[5, 95])
