"""How demand answers to a price: an elasticity per item, or a curve over the prices that were tried, with what isn't known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from rich.console import Group, RenderableType
from rich.text import Text
from scipy.special import log_ndtr, ndtri_exp

from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.policy.checks import Checks
from vitrina.types import Bool, Float64, Int32
from vitrina.vocabulary import Vocabulary

CHOSEN = (
    "These prices were chosen by somebody and not drawn: where they are cut when demand is weak, or on the days of a festival, what looks like the effect of the price is that of the moment. "
    "Take the elasticities for a first idea; draw prices at random for some items and weeks (randomised=) before much money rests on them."
)
SHOWN = 160


@final
class PriceFactor(NamedTuple):
    """Demand at a price over demand at the base price.

    Args:
        factor: (rows,)
        low, high: (rows,) the interval.
        beyond: (rows,) whether the price is outside of those that were seen, where the factor is the continuation of a line and no finding.
        draws: (draws, rows) the factor as it may be.
        sentences: what must be said of it.
    """

    factor: Float64
    low: Float64
    high: Float64
    beyond: Bool
    draws: Float64
    sentences: tuple[str, ...]


@final
@dataclass(frozen=True, eq=False)
class Curve:
    """Demand at the prices that were tried, never rising with the price; between them a line of logarithms.

    Args:
        prices: (arms,) rising.
        levels: (rows, arms) log of the demand.
        draws: (draws, rows, arms) the same as it may be.
        raw, error: (rows, arms) mean demand before arms in the wrong order were pooled, and its standard error.
    """

    prices: Float64
    levels: Float64
    draws: Float64
    raw: Float64
    error: Float64

    def table(self, names: pl.Series, confidence: float) -> pl.DataFrame:
        """A row per item and price: item, price, raw, raw_error, demand, low, high."""
        rows, arms = self.levels.shape
        low, high = np.exp(np.quantile(self.draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0))
        columns = {"raw": self.raw, "raw_error": self.error, "demand": np.exp(self.levels), "low": low, "high": high}
        head = {"item": names.gather(np.repeat(np.arange(rows), arms)), "price": np.tile(self.prices, rows)}
        return pl.DataFrame(head | {name: column.ravel() for name, column in columns.items()})

    def select(self, rows: NDArray[Any]) -> Curve:
        """These rows."""
        return Curve(self.prices, self.levels[rows], self.draws[:, rows], self.raw[rows], self.error[rows])

    def log_demand(self, row: int, prices: Float64, levels: Float64) -> Float64:
        """Of one row at prices of any shape; beyond the prices that were tried the outer lines go on."""
        x, at = np.log(self.prices), np.log(prices)
        part = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
        share = (at - x[part]) / (x[part + 1] - x[part])
        return levels[part] + share * (levels[part + 1] - levels[part])


@final
@dataclass(frozen=True, eq=False, repr=False)
class PriceResponse:
    """Demand at price p over demand at price b: (p / b) ** elasticity, or the quotient of two points of a curve. Elasticities are never above 0.

    What is known of an elasticity is a normal distribution cut at 0: `elasticity` is its mean, `low` and `high` its quantiles.

    Args:
        items: ids of the items.
        item: (rows,) codes of `items`; each is there once.
        centre, error: (rows,) of the normal distribution before it is cut.
        base: (rows,) the price that factors are relative to: the last one known; NaN where none is.
        least, most: (rows,) the range of prices that were seen.
        observed: whether the prices were chosen by somebody. Then `sentences` begin with the warning.
        table: a row per item: item, title, category; own and own_error (what its days say alone), elasticity, low, high; base, least, most; prices, days, units.
        confidence: of `low` to `high`.
        checks: what gives away that prices were chosen; None where they were drawn.
        notes: sentences on what was made of the data.
        curve: demand per price, where arms were drawn.
        categories: a row per category: category, items, speaking (items that say something themselves); centre of its elasticities, low, high; spread (standard deviation) between its items.

    >>> from vitrina.vocabulary import Vocabulary
    >>> one = np.ones(1)
    >>> response = PriceResponse(Vocabulary.of(["tea"]), np.zeros(1, np.int32), -2 * one, 0.1 * one, one, 0.5 * one, 2 * one, False, pl.DataFrame())
    >>> response.factor(0.5).round(2).tolist(), response.elasticity.round(2).tolist()
    ([4.0], [-2.0])
    """

    items: Vocabulary
    item: Int32
    centre: Float64
    error: Float64
    base: Float64
    least: Float64
    most: Float64
    observed: bool
    table: pl.DataFrame
    confidence: float = 0.9
    checks: Checks | None = None
    notes: tuple[str, ...] = ()
    curve: Curve | None = None
    categories: pl.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.item)

    def __repr__(self) -> str:
        how = "prices that were chosen" if self.observed else "prices that were drawn"
        return f"PriceResponse({len(self):,} items, median elasticity {np.median(self.elasticity):.2f}, from {how})"

    def __str__(self) -> str:
        return as_text(self, SHOWN)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        return Group(Text(repr(self)), *map(Text, self.sentences))

    @property
    def elasticity(self) -> Float64:
        """(rows,) mean of what is known: the percents by which demand changes per percent of the price."""
        a = -self.centre / self.error
        return self.centre - self.error * np.exp(-0.5 * a**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(a))

    @property
    def low(self) -> Float64:
        """(rows,) lower end of the interval of the elasticity."""
        return self.quantile((1 - self.confidence) / 2)

    @property
    def high(self) -> Float64:
        """(rows,) upper end of the interval of the elasticity, 0 at most."""
        return self.quantile((1 + self.confidence) / 2)

    def quantile(self, level: ArrayLike) -> Float64:
        """(..., rows) of the elasticity; `level` is one number, or has a value per row in its last axis."""
        within = np.log(np.asarray(level, np.float64)) + log_ndtr(-self.centre / self.error)
        return np.minimum(self.centre + self.error * ndtri_exp(within), 0.0)

    def sample(self, draws: int, *, seed: int = 0) -> Float64:
        """(draws, rows) elasticities as they may be."""
        return self.quantile(np.random.default_rng(seed).uniform(1e-12, 1.0, (draws, len(self))))

    def factor(self, prices: ArrayLike, base: ArrayLike | None = None, *, elasticity: NDArray[Any] | None = None) -> Float64:
        """Demand at these prices over demand at the base prices.

        Args:
            prices: one number, (rows,), or (rows, prices).
            base: one number or (rows,); None: the base prices of the response.
            elasticity: (..., rows) other elasticities, as `sample` draws them, with prices (rows,); None: the mean, or the curve.

        Raises:
            ParameterError: a price isn't a number above 0, shapes don't fit, or a base price isn't known.
        """
        prices, base = self._prices(prices, base)
        if elasticity is None and self.curve is not None:
            return self._along(self.curve, self.curve.levels, prices, base)
        slope = self.elasticity if elasticity is None else np.asarray(elasticity, np.float64)
        if prices.ndim == 2:
            slope, base = slope[..., None], base[:, None]
        return np.exp(slope * np.log(prices / base))

    def factors(self, prices: ArrayLike, base: ArrayLike | None = None, *, draws: int = 200, seed: int = 0) -> Float64:
        """(draws, rows) or (draws, rows, prices): factors as they may be. One draw has one elasticity, or one curve, at all prices."""
        given, at = self._prices(prices, base)
        if self.curve is None:
            slopes = self.sample(draws, seed=seed)
            logs = np.log(given / (at if given.ndim == 1 else at[:, None]))
            return np.exp((slopes if given.ndim == 1 else slopes[..., None]) * logs)
        taken = np.random.default_rng(seed).integers(0, len(self.curve.draws), draws)
        return np.stack([self._along(self.curve, self.curve.draws[one], given, at) for one in taken])

    def at(self, price: ArrayLike, base: ArrayLike | None = None, *, draws: int = 1000, seed: int = 0) -> PriceFactor:
        """The factor of each item at a price, with its interval, and whether the price was among those seen.

        Args:
            price: one number, or (rows,).
            base: what the factor is relative to; None: the base prices of the response.
            draws: of the interval.
            seed: of the draws.
        """
        drawn, beyond = self.factors(price, base, draws=draws, seed=seed), ~self.within(price)
        low, high = np.quantile(drawn, [(1 - self.confidence) / 2, (1 + self.confidence) / 2], axis=0)
        said = self.sentences[:1] if self.observed else ()
        if beyond.any():
            said += (
                f"The price is outside of those that were seen for {beyond.sum():,} of {len(self):,} items: there the factor continues a line, and was never observed.",
            )
        return PriceFactor(self.factor(price, base), low, high, beyond, drawn, said)

    def within(self, prices: ArrayLike) -> Bool:
        """Whether each price is among those that were seen, of the shape of `factor`."""
        given, _ = self._prices(prices, 1.0)
        least, most = (end if given.ndim == 1 else end[:, None] for end in (self.least, self.most))
        return (given >= least * (1 - 1e-9)) & (given <= most * (1 + 1e-9))

    def select(self, rows: NDArray[Any]) -> PriceResponse:
        """These rows, in this order, one of them as often as wanted."""
        named = {name: getattr(self, name)[rows] for name in ("item", "centre", "error", "base", "least", "most")}
        curve = None if self.curve is None else self.curve.select(rows)
        return replace(self, **named, curve=curve, table=self.table[np.asarray(rows).tolist()] if self.table.height else self.table)

    def of(self, item: NDArray[Any]) -> PriceResponse:
        """A row per code of an item: of the series of a `Demand`, `response.of(demand.item)`.

        Raises:
            ParameterError: nothing is known of one of the items.
        """
        place = np.full(len(self.items), -1)
        place[self.item] = np.arange(len(self))
        rows = place[np.asarray(item)]
        if (rows < 0).any():
            missing = self.items.ids[int(np.asarray(item)[rows < 0][0])]
            raise ParameterError(
                f"The response knows nothing of {(rows < 0).sum():,} of these items, such as {missing!r}. Estimate it from a Demand that has them."
            )
        return self.select(rows)

    def tabled(self) -> PriceResponse:
        """With the elasticities in its table."""
        named = {"elasticity": self.elasticity, "low": self.low, "high": self.high}
        return replace(self, table=self.table.with_columns(**{name: pl.Series(values) for name, values in named.items()}))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What must be known before a price is set: first that the prices were chosen, where they were."""
        wide = int((self.high - self.low > 2).sum())
        said = [CHOSEN] if self.observed else []
        middle, low, high = np.median(self.elasticity), *np.quantile(self.elasticity, [0.1, 0.9])
        said.append(f"Of {len(self):,} items half have an elasticity below {middle:.2f}; 8 of 10 are between {low:.2f} and {high:.2f}.")
        if wide:
            said.append(
                f"The {self.confidence:.0%} interval of {wide:,} items is more than 2 wide: their prices hardly changed, or little was sold, and what is said of them is that of their category."
            )
        return (*said, *([] if self.checks is None else [check.sentence for check in self.checks.rows]), *self.notes)

    def _prices(self, prices: ArrayLike, base: ArrayLike | None) -> tuple[Float64, Float64]:
        """(rows,) or (rows, prices), and (rows,)."""
        given = np.asarray(prices, np.float64)
        given = np.broadcast_to(given, (len(self),)) if given.ndim == 0 else given
        if given.ndim > 2 or len(given) != len(self):
            raise ParameterError(
                f"Prices are one number, one per item ({len(self):,}), or (items, prices). Got the shape {given.shape}.", parameter="prices"
            )
        if not ((given > 0) & np.isfinite(given)).all():
            wrong = given[~((given > 0) & np.isfinite(given))][0]
            raise ParameterError(
                f"A price must be a number above 0: at 0 demand has no limit under an elasticity. Got {wrong:g}.", parameter="prices"
            )
        at = np.broadcast_to(np.asarray(self.base if base is None else base, np.float64), (len(self),))
        if not ((at > 0) & np.isfinite(at)).all():
            row = int(np.flatnonzero(~((at > 0) & np.isfinite(at)))[0])
            raise ParameterError(
                f"The base price of {self.items.ids[int(self.item[row])]!r} is {at[row]:g}: it must be a number above 0. Give base= a price per item.",
                parameter="base",
            )
        return given, at

    def _along(self, curve: Curve, levels: Float64, prices: Float64, base: Float64) -> Float64:
        rows = range(len(self))
        return np.stack([np.exp(curve.log_demand(r, prices[r], levels[r]) - curve.log_demand(r, base[r], levels[r])) for r in rows])
