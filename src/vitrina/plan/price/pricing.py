"""The price that earns most after storage, deposit and write-offs: prices and stock together."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.price.best_prices import BestPrices
from vitrina.plan.price.reprice import Rates
from vitrina.plan.price.response import PriceResponse
from vitrina.plan.price.ticks import Ticks
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.optimise import optimise
from vitrina.plan.stock.optimised import Family, Gap, Optimised
from vitrina.plan.stock.rules import OrderUpTo
from vitrina.plan.stock.simulate import fitting, simulate
from vitrina.types import Float64, Int64

POINTS = 9  # of the grid, in equal steps of the logarithm
NARROWER = 6  # steps of the golden section between the neighbours of the best point: 2% of the range are left
GOLDEN = (5**0.5 - 1) / 2
FINE = 61  # prices of the grid that the search is held against
LEAST = 4  # paths: two choose, two judge


def best_price(
    forecast: Forecast,
    goods: Goods,
    response: PriceResponse,
    *,
    family: Family = OrderUpTo,
    lowest: ArrayLike | None = None,
    highest: ArrayLike | None = None,
    least_margin: float = 0.0,
    tick: float | None = None,
    ending: float | None = None,
    beyond: bool = False,
    lost: bool = True,
    leftover: float = 1.0,
    draws: int = 50,
    checked: int = 0,
    confidence: float = 0.9,
    seed: int = 0,
) -> BestPrices:
    """Find the price of each series that earns most with the stock that is best at that price, and what it earns more than today's.

    A grid of 9 prices, then a golden section between the neighbours of the best. At each price the paths are `repriced` by the response and the ordering rule is optimised anew; all
    prices meet the same customers, leads and returns. The first half of the paths chooses, the other half judges. Today's price, with the stock that is best for it, is always among the candidates.

    The interval of the difference holds what isn't known of the response (draws of it) and the chance of the paths (which are resampled with each draw). The stock of a draw is
    that ordered for the expected response: whoever sets a price doesn't know better.

    Args:
        forecast: paths at today's prices, `goods.price`.
        goods: a row per series, or one for all.
        response: a row per series; `response.of(demand.item)` makes them of one per item.
        family: of the ordering rule: see `optimise`.
        lowest, highest: one number or (series,): limits of prices; None: the range that was seen.
        least_margin: share of the price that must stay after the cost.
        tick: prices are multiples of it, such as 0.05.
        ending: prices end so, such as 0.99.
        beyond: look beyond the prices that were seen, up to `lowest` and `highest`; the response is a guess there, and the result says so.
        lost, leftover: as in `simulate`.
        draws: of the response.
        checked: series on which the search is held against a grid of 61 prices; 0 for none.
        confidence: of intervals.
        seed: of all that is drawn.

    Raises:
        ParameterError: sizes don't fit, a price of today or a cost isn't known, limits leave nothing, or a parameter is outside its domain.

    Cost: 19 times `optimise` on as many paths, and `draws` times `simulate` on half of them.

    >>> from datetime import date
    >>> from vitrina.vocabulary import Vocabulary
    >>> known = np.ones(1)
    >>> response = PriceResponse(Vocabulary.of(["tea"]), np.zeros(1, np.int32), -3 * known, 0.1 * known, 10 * known, 6 * known, 16 * known, False, pl.DataFrame())
    >>> forecast = Forecast(np.random.default_rng(0).poisson(20.0, (1, 40, 14)).astype(np.float32), date(2027, 1, 1))
    >>> best = best_price(forecast, Goods(price=10, cost=6), response)
    >>> best.price.round(0).tolist(), best.edge
    ([9.0], ('',))
    """
    _require(forecast, response, beyond, lowest, highest, draws, confidence)
    shop = _Shop.of(forecast, fitting(forecast, goods, forecast, leftover), response, family, lost, leftover, seed)
    limits = _limits(shop, lowest, highest, least_margin, beyond)
    tried = _search(shop, limits, Ticks.of(tick, ending))
    today, best = shop.at(shop.today), shop.at(tried.best)
    gaps = _differences(shop, tried.best, best, today, draws)
    gap = _gap(shop, limits, tried, checked) if checked else None
    return BestPrices(
        tried.best, shop.today, best, today, gaps, confidence, _edges(tried.best, shop.today, limits), ~response.within(tried.best), response.elasticity,
        response.observed, tried.profile(), gap, seed,
    )  # fmt: skip


def _edges(best: Float64, today: Float64, limits: Float64) -> tuple[str, ...]:
    """Which end of its range each price is, where it is one and not today's."""
    ends = zip(best, today, limits, strict=True)
    return tuple(
        "" if price == now else "lowest" if price <= low * (1 + 1e-6) else "highest" if price >= high * (1 - 1e-6) else ""
        for price, now, (low, high) in ends
    )


def profit_by_price(
    forecast: Forecast,
    goods: Goods,
    response: PriceResponse,
    prices: ArrayLike | None = None,
    *,
    family: Family = OrderUpTo,
    lost: bool = True,
    leftover: float = 1.0,
    draws: int = 50,
    confidence: float = 0.9,
    seed: int = 0,
) -> pl.DataFrame:
    """What each series earns at several prices, each with the stock that is best at it: what a curve of profit by price is drawn from.

    What is known for sure is today; `low` to `high` is the interval of what a price earns more than today's, as in `best_price`, from today's profit on. It closes at today's price.

    Args:
        forecast, goods, response, family, lost, leftover, draws, confidence, seed: as in `best_price`.
        prices: (series, prices), or numbers for all series; None for a grid over the prices that were seen, not below the cost.

    Returns:
        series, price, profit, low, high; by series and price, today's price among them.

    Raises:
        ParameterError: as `best_price`, or a price isn't a number above 0.

    Cost: `optimise` and `draws` times `simulate` per price: for the few series that somebody wants to see.
    """
    _require(forecast, response, False, None, None, draws, confidence)
    shop = _Shop.of(forecast, fitting(forecast, goods, forecast, leftover), response, family, lost, leftover, seed)
    if prices is None:
        low, high = _limits(shop, None, None, 0.0, False).T
        grid = np.exp(np.linspace(np.log(low), np.log(high), POINTS, axis=1))
    else:
        given = np.asarray(prices, np.float64)
        grid = np.broadcast_to(given, (len(forecast), given.shape[-1])) if given.ndim == 1 else given
        if grid.ndim != 2 or len(grid) != len(forecast) or not (np.isfinite(grid) & (grid > 0)).all():
            raise ParameterError(
                f"The 'prices' are numbers above 0, (series, prices) with {len(forecast):,} series. Got the shape {given.shape}.",
                parameter="prices",
            )
    grid = np.where(np.isclose(grid, shop.today[:, None], rtol=1e-9), shop.today[:, None], grid)
    today = shop.at(shop.today)
    earned, parts = today.profit.mean(axis=1), []
    for at in (shop.today, *grid.T):
        gap = _differences(shop, at, shop.at(at), today, draws)
        low, high = np.quantile(gap, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        parts.append(
            pl.DataFrame(
                {"series": np.arange(len(at)), "price": at, "profit": earned + gap.mean(axis=0), "low": earned + low, "high": earned + high}
            )
        )
    return pl.concat(parts).unique(["series", "price"]).sort("series", "price")


class _Shop(NamedTuple):
    """All that stays the same while prices are tried.

    Args:
        rates: paths at today's prices.
        goods: a row per series.
        half: paths that choose; the rest judges.
    """

    rates: Rates
    goods: Goods
    response: PriceResponse
    family: Family
    lost: bool
    leftover: float
    half: int
    seed: int

    @classmethod
    def of(cls, forecast: Forecast, goods: Goods, response: PriceResponse, family: Family, lost: bool, leftover: float, seed: int) -> _Shop:
        return cls(Rates.of(forecast, seed), goods, response, family, lost, leftover, forecast.paths // 2, seed)

    @property
    def today(self) -> Float64:
        return self.goods.price

    def paths(self, factor: Float64) -> tuple[Forecast, Forecast]:
        """Those that choose and those that judge, at a factor (series,)."""
        samples = self.rates.at(factor).samples
        at = self.rates.forecast
        return tuple(replace(at, samples=np.ascontiguousarray(part)) for part in (samples[:, : self.half], samples[:, self.half :]))  # pyright: ignore[reportReturnType]

    def at(self, prices: Float64) -> Optimised:
        """The best stock at these prices (series,), played on the paths that judge."""
        chosen, judging = self.paths(self.response.factor(prices, self.today))
        goods = replace(self.goods, price=prices)
        return optimise(chosen, goods, self.family, lost=self.lost, leftover=self.leftover, fresh=judging, checked=0, seed=self.seed)

    def select(self, rows: Int64) -> _Shop:
        """Some of the series."""
        at = self.rates
        part = replace(at, forecast=at.forecast.select(rows), whole=at.whole[rows], rate=at.rate[rows])
        return self._replace(rates=part, goods=self.goods.select(rows), response=self.response.select(rows))


class _Tried(NamedTuple):
    """Prices that were tried, and what they earn on the paths that choose: (series, prices) each."""

    prices: Float64
    profit: Float64
    best: Float64

    def profile(self) -> pl.DataFrame:
        """A row per series and price that was tried, by price."""
        series, prices = self.prices.shape
        columns = {"series": np.repeat(np.arange(series), prices), "price": self.prices.ravel(), "profit": self.profit.ravel()}
        return pl.DataFrame(columns).unique(["series", "price"]).sort("series", "price")


def _search(shop: _Shop, limits: Float64, ticks: Ticks) -> _Tried:
    """A grid, a golden section, and the allowed prices around the best."""
    low, high = limits.T
    grid = np.exp(np.linspace(np.log(low), np.log(high), POINTS, axis=1))
    prices = [shop.today, *grid.T]
    profit = [shop.at(p).chosen_at for p in prices]
    place = np.argmax(np.stack(profit[1:], axis=1), axis=1)
    rows = np.arange(len(grid))
    a, b = grid[rows, np.maximum(place - 1, 0)], grid[rows, np.minimum(place + 1, POINTS - 1)]
    left, right = b - GOLDEN * (b - a), a + GOLDEN * (b - a)
    of_left, of_right = shop.at(left).chosen_at, shop.at(right).chosen_at
    prices, profit = [*prices, left, right], [*profit, of_left, of_right]
    for _ in range(NARROWER):
        lower = of_left >= of_right  # the best is to the left of `right`
        a, b = np.where(lower, a, left), np.where(lower, right, b)
        probe = np.where(lower, b - GOLDEN * (b - a), a + GOLDEN * (b - a))
        found = shop.at(probe).chosen_at
        left, of_left, right, of_right = (
            np.where(lower, probe, right), np.where(lower, found, of_right), np.where(lower, left, probe), np.where(lower, of_left, found),
        )  # fmt: skip
        prices, profit = [*prices, probe], [*profit, found]
    tried, earned = np.stack(prices, axis=1), np.stack(profit, axis=1)
    tried = np.where(np.isclose(tried, shop.today[:, None], rtol=1e-9), shop.today[:, None], tried)
    if ticks.step:
        return _allowed(shop, limits, ticks, tried, earned)
    return _Tried(tried, earned, tried[rows, earned.argmax(axis=1)])


def _allowed(shop: _Shop, limits: Float64, ticks: Ticks, tried: Float64, earned: Float64) -> _Tried:
    """The better one of the two allowed prices around the best, where it beats today's, which may be kept whatever its ending."""
    rows = np.arange(len(tried))
    two = ticks.around(tried[rows, earned.argmax(axis=1)])
    inside = (two >= limits[:, :1] - 1e-9) & (two <= limits[:, 1:] + 1e-9)
    two = np.where(inside, two, shop.today[:, None])
    found = np.stack([shop.at(two[:, side]).chosen_at for side in (0, 1)], axis=1)
    three, of_three = np.column_stack([shop.today, two]), np.column_stack([earned[:, 0], found])
    return _Tried(np.hstack([tried, two]), np.hstack([earned, found]), three[rows, of_three.argmax(axis=1)])


def _limits(shop: _Shop, lowest: ArrayLike | None, highest: ArrayLike | None, least_margin: float, beyond: bool) -> Float64:
    """(series, 2) between which prices are looked for."""
    if not 0 <= least_margin < 1:
        raise ParameterError(
            f"The 'least_margin' is a share of the price, from 0 to below 1. Got {least_margin!r}.", parameter="least_margin"
        )
    response, series = shop.response, len(shop.today)
    ends = []
    for name, given, seen, pick in (("lowest", lowest, response.least, np.fmax), ("highest", highest, response.most, np.fmin)):
        if given is None:
            ends.append(np.where(np.isfinite(seen), seen, shop.today))
            continue
        limit = np.asarray(given, np.float64)
        if limit.shape not in ((), (series,)) or not (np.isfinite(limit) & (limit > 0)).all():
            raise ParameterError(f"The {name!r} price is a number above 0, or one per series ({series:,}). Got {given!r}.", parameter=name)
        ends.append(np.broadcast_to(limit, (series,)) if beyond else pick(limit, np.where(np.isfinite(seen), seen, shop.today)))
    low, high = np.maximum(ends[0], shop.goods.cost / (1 - least_margin)), ends[1]
    empty = ~(low <= high)
    # where the limits leave nothing the price of today stays
    low, high = np.where(empty, shop.today, low), np.where(empty, shop.today, high)
    if empty.all():
        raise ParameterError(
            f"No price is allowed for any series: the lowest allowed one, of the prices seen, 'lowest', and the cost with a margin of {least_margin:g}, is above the highest. "
            "Widen the limits, or give beyond=True with lowest= and highest=."
        )
    return np.stack([low, high], axis=1)


def _differences(shop: _Shop, prices: Float64, best: Optimised, today: Optimised, draws: int) -> Float64:
    """(draws, series) what the prices earn more than today's, of draws of the response and of the paths."""
    expected, _ = shop.paths(shop.response.factor(prices, shop.today))
    factors = shop.response.factors(prices, shop.today, draws=draws, seed=shop.seed)
    goods, rng = replace(shop.goods, price=prices), np.random.default_rng([shop.seed, 1])
    now, out = today.profit, np.empty((draws, len(prices)))
    for draw, factor in enumerate(factors):
        actual = shop.paths(factor)[1]
        played = simulate(expected, goods, best.rule, lost=shop.lost, actual=actual, leftover=shop.leftover, seed=shop.seed).profit
        weight = rng.multinomial(now.shape[1], np.full(now.shape[1], 1 / now.shape[1]), len(prices)) / now.shape[1]
        out[draw] = ((played - now) * weight).sum(axis=1)
    return np.where(prices == shop.today, 0.0, out)


def _gap(shop: _Shop, limits: Float64, tried: _Tried, checked: int) -> Gap:
    """How far the search stays below a fine grid on the paths that choose."""
    rows = np.sort(np.random.default_rng(shop.seed).choice(len(limits), min(checked, len(limits)), replace=False))
    part = shop.select(rows)
    fine = [part.at(price).chosen_at for price in np.exp(np.linspace(np.log(limits[rows, 0]), np.log(limits[rows, 1]), FINE, axis=0))]
    found = part.at(tried.best[rows]).chosen_at
    return Gap.of(found, np.maximum(np.max(fine, axis=0), part.at(part.today).chosen_at))


def _require(
    forecast: Forecast,
    response: PriceResponse,
    beyond: bool,
    lowest: ArrayLike | None,
    highest: ArrayLike | None,
    draws: int,
    confidence: float,
) -> None:
    if len(response) != len(forecast):
        raise ParameterError(
            f"A best price needs a response per series ({len(forecast):,}). Got {len(response):,}: response.of(demand.item) has a row per series."
        )
    if forecast.paths < LEAST:
        raise ParameterError(f"best_price needs {LEAST} paths at least: one half chooses, the other half judges. Got {forecast.paths}.")
    if beyond and (lowest is None or highest is None):
        raise ParameterError("Beyond the prices that were seen there is no limit but yours: beyond=True needs lowest= and highest=.")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 2:
        raise ParameterError(f"The 'draws' of the response are 2 or more, 50 are usual. Got {draws!r}.", parameter="draws")
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
