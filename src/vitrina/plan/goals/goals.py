"""Goals per shop or person: a quantile of what a forecast says their total may be, how likely it is met, and what bonuses it will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.errors import ParameterError
from vitrina.base.printing import as_text, between, fixed, places_of, short, short_interval
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.evaluate.bootstrap import Buckets
from vitrina.evaluate.interval import Ends, intervals_within
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.goals.bonus import Bonus
from vitrina.types import Float64

FEWEST = 20  # paths, below which there is no quantile to speak of
TAIL = 5  # paths beyond a goal, below which its place is a guess
SHOWN = 12  # rows of a print
EFFORT = (
    "These chances are those of the forecast, which learned from what people did under the goals of the past. Whether another ambition makes them sell more or less isn't in it; "
    "that takes a pilot with levels drawn at random: plan_pilot says how long, response_to_goals what came of it."
)


class Totals(NamedTuple):
    """What each shop or person may come to, path by path."""

    names: pl.Series  # (rows,)
    values: Float64  # (rows, paths)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Goals:
    """Goals, the chance that each is met, and the bonuses that they bring.

    Args:
        table: a row per goal: name, expected (mean of the total), goal, ambition (null where goals were given), met (the chance that it is met) with met_low and met_high, bonus
            (expected) with bonus_low and bonus_high; null without a bonus.
        bills: (paths,) what all bonuses come to together in each path; empty without a bonus. `bill` gives its quantiles.
        cost: mean of the bills, with its interval: how far off so many paths may be.
        confidence: of all intervals.
        paths, seed: of the forecast.
        notes: sentences on how it was made.
    """

    table: pl.DataFrame
    bills: Float64  # (paths,)
    cost: tuple[float, float, float]
    confidence: float
    paths: int
    seed: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.table.height

    @property
    def paid(self) -> bool:
        """Whether there is a bonus."""
        return len(self.bills) > 0

    @property
    def halving(self) -> int:
        """Paths of a forecast that would halve the intervals: errors shrink with the root of their number."""
        return 4 * self.paths

    def bill(self, levels: ArrayLike) -> Float64:
        """Quantiles of the bonuses of all together: what the bill may come to, not how sure its mean is.

        Raises:
            ParameterError: there is no bonus.
        """
        if not self.paid:
            raise ParameterError("Without a bonus there is no bill. Give goals(..., bonus=Bonus(fixed=100)).", parameter="bonus")
        return np.quantile(self.bills, np.asarray(levels, np.float64), method="inverted_cdf").astype(np.float64)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The bill first, then what these numbers don't know."""
        met = self.table["met"]
        who = f"{len(self):,} goals" if len(self) > 1 else "1 goal"
        told = [
            f"{who}: {met.sum():,.1f} are expected to be met, a chance of {met.mean():.1%} on average ({met.min():.1%} to {met.max():.1%})."
        ]
        if self.paid:
            low, high = self.bill([(1 - self.confidence) / 2, (1 + self.confidence) / 2])
            places = places_of(self.cost[0])
            told.append(
                f"Bonuses cost {short_interval(*self.cost)} on average over {self.paths:,} paths; {4 * self.paths:,} paths would halve that interval. The bill itself will be between "
                f"{fixed(low, places)} and {fixed(high, places)} in {self.confidence:.0%} of periods like the forecast's."
            )
        return (*told, EFFORT, *self.notes)

    def __repr__(self) -> str:
        bill = f", bonuses of {short_interval(*self.cost)}" if self.paid else ""
        return f"Goals({len(self):,}; met with {self.table['met'].mean():.1%} on average{bill})"

    def __str__(self) -> str:
        return as_text(self, 160)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        return Group(Fitted(_printed(self)), "", *map(Text, self.sentences))


def goals(
    forecast: Forecast,
    ambition: ArrayLike | None = None,
    *,
    goal: ArrayLike | None = None,
    bonus: Bonus | None = None,
    by: Any = None,
    price: ArrayLike = 1.0,
    base: ArrayLike = 1.0,
    first: int = 0,
    last: int | None = None,
    common: float | None = None,
    confidence: float = 0.95,
) -> Goals:
    """Set a goal per shop or person, or judge goals that are set, by the distribution of their total over the period.

    `ambition` is the level of the quantile: the goal is the smallest g with P(total <= g) >= ambition, so that it is NOT met with the chance `ambition`, or less where totals are whole numbers: 0.5 is even, 0.8
    is met by one in five. It says the same of whoever it is set for, however well they can be forecast; a share of the forecast, such as 108% of it, doesn't.

    The expected bonus is E paid(total, goal) over the paths. Its interval, and that of the chance to meet the goal, are Student's t over paths as of any mean (`vt.evaluate.mean_interval`): they say how far off so
    many paths may be, and nothing of how wrong the forecast is. Goals come from the same paths, which shifts neither in the limit.

    Args:
        forecast: of the period, or of more days than it.
        ambition: between 0 and 1: one for all, or one per row of the result. Either this or `goal`.
        goal: goals that are given: one, or one per row.
        bonus: what is paid for the total beside its goal.
        by: (series,) labels, such as the place of each series: those of one label are summed path by path, and have one goal. None: a goal per series.
        price: of one unit: one number, or (series,). 1 sets goals in units.
        base: money per 1 that the bonus pays: one number, or one per row, such as the salary of each person for a bonus that is a share of it.
        first, last: the days first to last - 1 of the forecast are the period; all by default.
        common: how goods or bad times are shared, for the bill alone. None takes paths as they are: equal paths of all series happen together, as far as the forecaster drew them so. A number from 0 to 1 is
            the correlation of the normal scores of any two rows: paths of each row are put in another order (Iman and Conover 1982), so that its own numbers stay exactly what they were.
        confidence: of intervals.

    Raises:
        ParameterError: an ambition is not between 0 and 1, neither or both of ambition and goal, too few paths, labels or amounts that don't fit, a goal of 0 of which a share is asked.

    Cost: a sort of the paths per row; memory for rows x paths numbers a few times.

    >>> from datetime import date
    >>> sold = np.random.default_rng(0).lognormal(3.0, 0.4, (3, 1000, 28)).astype(np.float32)
    >>> set_high = goals(Forecast(sold, date(2027, 1, 1)), 0.7, bonus=Bonus(fixed=100))
    >>> set_high
    Goals(3; met with 30.1% on average, bonuses of 90.3 (85.5 to 95.2))
    >>> set_high.bill([0.05, 0.95]).tolist()
    [0.0, 200.0]
    """
    _in_domain(forecast, ambition, goal, common, confidence)
    names, totals = totals_of(forecast, by=by, price=price, first=first, last=last)
    levels = None if ambition is None else _per_row("ambition", ambition, len(names))
    set_at = _per_row("goal", goal, len(names)) if levels is None else quantiles(totals, levels)
    met, met_ends = _means((totals >= set_at[:, None]).astype(np.float64), 1.0, confidence)
    columns: dict[str, Any] = {
        "name": names, "expected": totals.mean(axis=1), "goal": set_at, "ambition": pl.Series([None] * len(names), dtype=pl.Float64) if levels is None else levels,
        "met": met, "met_low": met_ends[:, 0], "met_high": met_ends[:, 1],
    }  # fmt: skip
    nan = float("nan")
    bills, cost = np.empty(0), (nan, nan, nan)
    if bonus is None:
        columns |= dict.fromkeys(("bonus", "bonus_low", "bonus_high"), pl.Series([None] * len(names), dtype=pl.Float64))
    else:
        amounts = paid_of(bonus, totals, set_at, base)
        most = bonus.most * np.broadcast_to(np.asarray(base, np.float64), (len(names),))
        mean, ends = _means(amounts, most, confidence)
        columns |= {"bonus": mean, "bonus_low": ends[:, 0], "bonus_high": ends[:, 1]}
        together, around = _means(amounts.sum(axis=0)[None], float(most.sum()), confidence)
        cost = (float(together[0]), float(around[0, 0]), float(around[0, 1]))
        bills = _reordered(amounts, totals, common, forecast.seed).sum(axis=0)
    notes = (*_notes(levels, totals.shape[1], bonus, common, len(names)), *forecast.notes)
    return Goals(pl.DataFrame(columns), bills, cost, confidence, totals.shape[1], forecast.seed, notes)


def totals_of(forecast: Forecast, *, by: Any = None, price: ArrayLike = 1.0, first: int = 0, last: int | None = None) -> Totals:
    """What each label may come to over the days first to last - 1; paths of one label are summed path by path."""
    weights = np.asarray(price, np.float64)
    if weights.shape not in ((), (len(forecast),)) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ParameterError(
            f"The 'price' of goals is a number of 0 or more: one, or one per series ({len(forecast):,}). Got the shape {weights.shape}.", parameter="price"
        )  # fmt: skip
    if forecast.days < (forecast.days if last is None else last) or not 0 <= first < (forecast.days if last is None else last):
        raise ParameterError(f"The period is within the {forecast.days} days of the forecast, first before last. Got {first} to {last}.", parameter="last", value=last)  # fmt: skip
    totals = forecast.total(first, last) * (weights[:, None] if weights.ndim else weights)
    if by is None:
        return Totals(pl.Series("name", np.arange(len(forecast))), totals)
    labels = by.alias("name") if isinstance(by, pl.Series) else pl.Series("name", by)
    if len(labels) != len(forecast) or labels.null_count():
        raise ParameterError(
            f"The 'by' of goals is a label per series ({len(forecast):,}), none of them missing. Got {len(labels):,}, {labels.null_count():,} of them missing.",
            parameter="by",
        )
    names = labels.unique(maintain_order=True)
    code = pl.DataFrame({"name": labels}).join(pl.DataFrame({"name": names}).with_row_index("code"), on="name", how="left", maintain_order="left")["code"].to_numpy()  # fmt: skip
    order = np.argsort(code, kind="stable")
    return Totals(names, np.add.reduceat(totals[order], np.searchsorted(code[order], np.arange(len(names))), axis=0))


def quantiles(totals: Float64, levels: Float64) -> Float64:
    """(rows,) the smallest path of each row that its level of the paths, at least, are not above."""
    place = np.ceil(levels * totals.shape[1] - 1e-9).astype(np.int64) - 1
    return np.take_along_axis(np.sort(totals, axis=1), np.maximum(place, 0)[:, None], axis=1)[:, 0]


def paid_of(bonus: Bonus, totals: Float64, goal: Float64, base: ArrayLike) -> Float64:
    """(rows, paths) money."""
    money = _per_row("base", base, len(totals))
    if not (np.isfinite(money).all() and (money >= 0).all()):
        raise ParameterError(
            f"The 'base' of a bonus is money of 0 or more. Got {money.min():g}.", parameter="base", value=float(money.min())
        )
    return bonus.paid(totals, goal[:, None]) * money[:, None]


def _in_domain(forecast: Forecast, ambition: Any, goal: Any, common: float | None, confidence: float) -> None:
    if (ambition is None) == (goal is None):
        raise ParameterError("Goals are set by ambition=, or given by goal=. Give one of the two.", parameter="ambition")
    if forecast.paths < FEWEST:
        raise ParameterError(
            f"A goal is a quantile of many paths, {FEWEST} at least. Got a forecast with {forecast.paths}. Forecast with paths=200 or more.",
            parameter="forecast", value=forecast.paths,
        )  # fmt: skip
    check_levels("ambition", ambition)
    if common is not None and not 0 <= common <= 1:
        raise ParameterError(
            f"The 'common' of goals is a correlation from 0 to 1, or None. Got {common}.", parameter="common", value=common
        )
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of goals is between 0 and 1. Got {confidence}.", parameter="confidence", value=confidence)
    given = None if goal is None else np.asarray(goal, np.float64)
    if given is not None and not (np.isfinite(given).all() and (given >= 0).all()):
        raise ParameterError(f"A 'goal' is a number of 0 or more. Got {given.min():g}.", parameter="goal", value=float(given.min()))


def check_levels(name: str, levels: Any) -> None:
    """Refuse a level that is no chance."""
    given = np.asarray(0.5 if levels is None else levels, np.float64)
    if not ((given > 0) & (given < 1)).all():
        odd = given[~((given > 0) & (given < 1))].ravel()[0]
        raise ParameterError(
            f"An {name!r} is the chance that a goal is not met, between 0 and 1: 0.5 is even, 0.8 is met by one in five. Got {odd:g}.",
            parameter=name, value=float(odd),
        )  # fmt: skip


def _per_row(name: str, value: Any, rows: int) -> Float64:
    given = np.asarray(value, np.float64)
    if given.shape not in ((), (rows,)):
        raise ParameterError(
            f"The {name!r} of goals is one number, or one per goal ({rows:,}). Got the shape {given.shape}.", parameter=name
        )
    return np.broadcast_to(given, (rows,)).astype(np.float64)


def _means(values: Float64, most: Any, confidence: float) -> tuple[Float64, Float64]:
    """(rows,) means over paths, and (rows, 2) the ends of their intervals; `most` is the largest number that there can be, infinite where there is none."""
    scale = np.broadcast_to(np.asarray(most, np.float64), (len(values),))
    scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
    scaled = np.minimum(values / scale[:, None], np.where(np.isfinite(most), 1.0, np.inf)[..., None])
    paths = Buckets(scaled.T, np.ones(scaled.T.shape))  # each path stands for itself
    ends = np.array(intervals_within(paths, [Ends.of(row) for row in scaled], confidence))
    return values.mean(axis=1), np.maximum(ends * scale[:, None], 0.0)


def _reordered(amounts: Float64, totals: Float64, common: float | None, seed: int) -> Float64:
    """The amounts of each row in an order of paths in which totals have the common correlation of normal scores."""
    if common is None:
        return amounts
    rows, paths = totals.shape
    rng = np.random.default_rng([seed, 31])
    shared, done = rng.standard_normal(paths), np.empty_like(amounts)
    for row in range(rows):
        scores = np.sqrt(common) * shared + np.sqrt(1 - common) * rng.standard_normal(paths)
        done[row, np.argsort(scores)] = amounts[row, np.argsort(totals[row], kind="stable")]
    return done


def _notes(levels: Float64 | None, paths: int, bonus: Bonus | None, common: float | None, rows: int) -> list[str]:
    told = []
    if levels is not None and (thin := int((np.minimum(levels, 1 - levels) * paths < TAIL).sum())):
        told.append(
            f"{thin:,} goals stand where fewer than {TAIL} of {paths:,} paths are beyond them: take more paths, or an ambition nearer to 0.5."
        )
    if bonus is not None and rows > 1:
        told.append(
            "How far the bill spreads depends on what goals share: equal paths of the forecast are taken to happen together, so rows whose paths were drawn apart share nothing; common= states another correlation."
            if common is None else f"The spread of the bill takes a correlation of {short(common)} between any two totals, which was stated and not measured."
        )  # fmt: skip
    return told


def _printed(found: Goals) -> Table:
    heads: Sequence[str] = ("expected", "goal", "met", "interval", *(("bonus", "interval") if found.paid else ()))
    table = Table("name", *(Column(head, justify="right") for head in heads), box=None, header_style="bold", pad_edge=False)
    places, paid = (places_of(float(found.table[name].fill_null(0.0).to_numpy().max())) for name in ("expected", "bonus"))
    for row in found.table.head(SHOWN).iter_rows(named=True):
        cells = [str(row["name"]), fixed(row["expected"], places), fixed(row["goal"], places), f"{row['met']:.1%}", f"({row['met_low']:.1%} to {row['met_high']:.1%})"]  # fmt: skip
        if found.paid:
            cells += [fixed(row["bonus"], paid), between(row["bonus_low"], row["bonus_high"], paid)]
        table.add_row(*cells)
    if len(found) > SHOWN:
        table.add_row(f"and {len(found) - SHOWN:,} more")
    return table
