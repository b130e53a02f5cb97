"""A world whose truth is known: shops, two forecasts of their sales, goals made of these, and effort that answers to the goal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, Self, final

import numpy as np
import polars as pl
from pydantic import Field, model_validator
from scipy.special import ndtr, ndtri

from vitrina.base.config import Config
from vitrina.plan.goals.bonus import Bonus
from vitrina.plan.goals.goals import check_levels
from vitrina.types import Float64, Int64

GRID = 801  # points of each of the two errors that expectations are means over
Which = Literal["old", "new"]
Tuned = Literal["median", "mape"]


class Expected(NamedTuple):
    """What goals of one kind bring per shop on average.

    Args:
        met: the chance that a goal is met.
        outcome: sales.
        bonus: paid; NaN without a bonus.
    """

    met: float
    outcome: float
    bonus: float


@final
class GoalWorld(Config):
    """Shops that sell lognormal amounts, forecast by an old and a better new way; the goal is `stretch` times the forecast, and people work for goals that they can just reach.

    Under the old goals log(sales) = s + u + w. Both forecasts know s; the new one and the people themselves know u ~ N(0, sd_old^2 - sd_new^2), too; nobody knows w ~ N(0, sd_new^2). So the errors of
    log(sales / median) have the standard deviations sd_old and sd_new. A forecast is the median, or median * exp(-sd^2), which has the smallest MAPE of all.

    Goals out of reach, and goals that are met anyway, move nobody: a shop that would meet its goal with the chance p, if it sold as it did, works with effort * c(p), c(p) = 1 - ((p - peak) / max(peak, 1 - peak))^2.
    Under other goals than the old ones log(sales) changes by what that differs from its effort under its old goal, `stretch` times the old median.

    Args:
        sd_old, sd_new: of the errors of the logarithm, the old one larger.
        stretch: goal over forecast.
        effort: the most that a goal adds to the logarithm of sales; 0 for people who don't care for goals.
        peaks: the chance at which effort is largest, of as many equal kinds of shops as there are numbers.
        size: median sales of a shop.
        spread: standard deviation of s over shops.
        seed: added to the seeds of tables.

    >>> world = GoalWorld(effort=0)
    >>> [round(world.expected(*kind).met, 3) for kind in (("old", "median"), ("new", "median"), ("new", "mape"))]
    [0.403, 0.366, 0.454]
    """

    sd_old: Annotated[float, Field(gt=0)] = 0.313
    sd_new: Annotated[float, Field(gt=0)] = 0.2256
    stretch: Annotated[float, Field(gt=0)] = 1.08
    effort: Annotated[float, Field(ge=0)] = 0.2
    peaks: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(default=(0.5,), strict=False, min_length=1)
    size: Annotated[float, Field(gt=0)] = 1000.0
    spread: Annotated[float, Field(ge=0)] = 0.5
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _better(self) -> Self:
        if self.sd_new >= self.sd_old:
            raise ValueError(
                f"The 'sd_new' of GoalWorld must be below 'sd_old': the new forecast is the better one. Got {self.sd_new} and {self.sd_old}"
            )
        return self

    def pilot(self, n: int, seed: int = 0, *, tuned: Tuned = "mape") -> pl.DataFrame:
        """A pilot of the new forecast: half of the shops, by lot, have goals by it, the others by the old median.

        Columns: shop, arm ("old" or "new"), goal_old and goal_new (what each forecast would set for this shop), outcome.
        """
        rng, known, more, kind = self._shops(n, seed)
        arm = _lots(rng, n, 2)
        shifts = np.array([self.shift("old", "median"), self.shift("new", tuned)])
        goal = np.stack([known + shifts[0], known + more + shifts[1]], axis=1)  # logarithms
        outcome = self._sales(rng, known, more, goal[np.arange(n), arm], kind)
        columns = {
            "shop": np.arange(n),
            "arm": pl.Series(["old", "new"]).gather(arm),
            "goal_old": np.exp(goal[:, 0]),
            "goal_new": np.exp(goal[:, 1]),
        }
        return pl.DataFrame(columns | {"outcome": outcome})

    def levels(self, n: int, ambitions: Sequence[float] = (0.35, 0.5, 0.65, 0.8), seed: int = 0) -> pl.DataFrame:
        """A pilot of ambition: each shop has, by lot, a goal at one of these quantiles of the new forecast.

        Columns: shop, kind (which of the peaks), ambition, forecast (the median), goal, outcome.
        """
        check_levels("ambition", ambitions)
        rng, known, more, kind = self._shops(n, seed)
        arm = _lots(rng, n, len(ambitions))
        goal = known + more + self.sd_new * ndtri(np.asarray(ambitions, np.float64))[arm]
        outcome = self._sales(rng, known, more, goal, kind)
        names = pl.Series([f"peak {peak:g}" for peak in self.peaks]).gather(kind)
        columns = {
            "shop": np.arange(n),
            "kind": names,
            "ambition": np.asarray(ambitions, np.float64)[arm],
            "forecast": np.exp(known + more),
        }
        return pl.DataFrame(columns | {"goal": np.exp(goal), "outcome": outcome})

    def shift(self, which: Which, tuned: Tuned) -> float:
        """The logarithm of goal over median."""
        sd = self.sd_old if which == "old" else self.sd_new
        return float(np.log(self.stretch) - (sd**2 if tuned == "mape" else 0.0))

    def expected(
        self, which: Which, tuned: Tuned = "median", *, bonus: Bonus | None = None, ambition: float | None = None, goal: tuple[Which, Tuned] | None = None
    ) -> Expected:  # fmt: skip
        """The truth of goals of one kind, by quadrature over u and w.

        Args:
            which, tuned: the goal that people work for.
            bonus: what is paid.
            ambition: a goal at this quantile of the forecast in place of `stretch` times it.
            goal: another goal that the same sales are held against.
        """
        sd = self.sd_old if which == "old" else self.sd_new
        z = ndtri((np.arange(GRID) + 0.5) / GRID)
        more = np.sqrt(self.sd_old**2 - self.sd_new**2) * z  # (u,)
        shift = self.shift(which, tuned) if ambition is None else sd * float(ndtri(ambition))
        set_at = shift + (more if which == "new" else 0.0 * more)
        held = set_at if goal is None else self.shift(*goal) + (more if goal[0] == "new" else 0.0 * more)
        found = []
        for peak in self.peaks:
            sales = (more + self._lift(set_at - more, more, peak))[:, None] + self.sd_new * z  # (u, w), of exp(s)
            met = ndtr((sales[:, GRID // 2] - held) / self.sd_new).mean()
            paid = np.nan if bonus is None else bonus.paid(np.exp(sales - held[:, None]), 1.0).mean()
            found.append((met, self.size * np.exp(self.spread**2 / 2) * np.exp(sales).mean(), paid))
        return Expected(*np.mean(found, axis=0).tolist())

    def _shops(self, n: int, seed: int) -> tuple[np.random.Generator, Float64, Float64, Int64]:
        """Logarithms s and u, and kinds."""
        rng = np.random.default_rng([self.seed, seed])
        known = np.log(self.size) + self.spread * rng.standard_normal(n)
        more = np.sqrt(self.sd_old**2 - self.sd_new**2) * rng.standard_normal(n)
        return rng, known, more, rng.integers(0, len(self.peaks), n)

    def _sales(self, rng: np.random.Generator, known: Float64, more: Float64, goal: Float64, kind: Int64) -> Float64:
        lifts = np.stack([self._lift(goal - known - more, more, peak) for peak in self.peaks], axis=1)
        return np.exp(known + more + lifts[np.arange(len(kind)), kind] + self.sd_new * rng.standard_normal(len(more)))

    def _lift(self, above: Float64, more: Float64, peak: float) -> Float64:
        """Of the logarithm of sales, by goals so far above the usual median, against the old goals."""
        usual = np.log(self.stretch) - more
        return self.effort * (_curve(ndtr(-above / self.sd_new), peak) - _curve(ndtr(-usual / self.sd_new), peak))


def _curve(chance: Float64, peak: float) -> Float64:
    return 1 - ((chance - peak) / max(peak, 1 - peak)) ** 2


def _lots(rng: np.random.Generator, n: int, arms: int) -> Int64:
    """(n,) arms of equal sizes, in an order by lot."""
    return rng.permutation(np.arange(n) % arms)
