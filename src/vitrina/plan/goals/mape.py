"""What a forecast that is tuned on MAPE does to a plan made of it: closed forms, and a simulation that checks them."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt
from typing import Any, final

import numpy as np
import polars as pl
from scipy.special import ndtr

from vitrina.base.errors import ParameterError
from vitrina.base.printing import fixed
from vitrina.types import Float64

CHECKED = 3.0  # standard errors of the simulation that the closed form may be off


@final
@dataclass(frozen=True)
class MapeFigures:
    """Two forecasts of one lognormal demand: its median, and the one with the least MAPE.

    Args:
        sd: of the logarithm of demand over its median.
        stretch: the plan over the forecast.
        mape_median: mean absolute error of the median relative to demand.
        mape_best: the same of the forecast with the least MAPE.
        ratio: that forecast over the median.
        met_median: chance that demand is above the plan, where the plan is `stretch` times the median.
        met_best: the same where it is `stretch` times the forecast with the least MAPE.
        ratio_of_total: sums of the forecast with the least MAPE over sums of demand: what a shop that orders it is short of.
        simulated: the same six numbers by simulation, in the order of `table`.
        error: standard errors of these.
        paths: of the simulation.
        seed: of the simulation.
    """

    sd: float
    stretch: float
    mape_median: float
    mape_best: float
    ratio: float
    met_median: float
    met_best: float
    ratio_of_total: float
    simulated: tuple[float, ...]
    error: tuple[float, ...]
    paths: int
    seed: int

    @property
    def table(self) -> pl.DataFrame:
        """figure, value (closed form), simulated, error (standard error of the simulation)."""
        named = {
            "MAPE of the median": self.mape_median, "MAPE of the MAPE-optimal forecast": self.mape_best,
            "MAPE-optimal forecast over the median": self.ratio, "plan from the median met": self.met_median,
            "plan from the MAPE-optimal forecast met": self.met_best, "sum of MAPE-optimal forecasts over demand": self.ratio_of_total,
        }  # fmt: skip
        columns = {"figure": list(named), "value": list(named.values()), "simulated": list(self.simulated), "error": list(self.error)}
        return pl.DataFrame(columns)

    @property
    def agrees(self) -> bool:
        """Whether each closed form is within three standard errors of its simulation."""
        table = self.table
        return bool(((table["value"] - table["simulated"]).abs() <= CHECKED * table["error"] + 1e-12).all())

    @property
    def sentences(self) -> list[str]:
        """What it means for a plan."""
        return [
            f"Demand is lognormal around its median with an sd of {self.sd:g} of the logarithm. The forecast with the least MAPE ({self.mape_best:.1%}) is "
            f"{fixed(self.ratio, 3)} of the median; the median itself has {self.mape_median:.1%}.",
            f"A plan of {self.stretch:g} times the forecast is met with a chance of {self.met_median:.1%} if the forecast is the median, and of "
            f"{self.met_best:.1%} if it was tuned on MAPE: plans are {1 - self.ratio:.1%} lower and more bonuses are paid, with nobody working better.",
            f"Orders by the MAPE-optimal forecast add up to {self.ratio_of_total:.1%} of the demand.",
        ]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def __rich__(self) -> str:
        return str(self)


def mape_figures(sd: float, stretch: float = 1.08, *, paths: int = 100_000, seed: int = 0) -> MapeFigures:
    """What tuning a forecast on MAPE does to it, and to a plan that is `stretch` times the forecast.

    Demand is A = m exp(sd Z), Z standard normal, m the median; MAPE of a forecast F is E|A - F| / A. With F = m f:

    - the best F has the density of A divided by A as its weight: f = exp(-sd^2), the mode. Its MAPE is 2 Phi(sd) - 1.
    - the median, f = 1, has exp(sd^2 / 2) (2 Phi(sd) - 1).
    - P(A > stretch F) = Phi(-(log stretch + log f) / sd), and E F / E A = f exp(-sd^2 / 2).

    Why: a weighted median minimises E w|A - F| ([Gneiting 2011](https://doi.org/10.1198/jasa.2011.r10138), section 3.1: the median of order -1).

    Args:
        sd: of the logarithm of demand over its median, above 0.
        stretch: the plan over the forecast, above 0.
        paths: of the simulation that checks the closed forms; four times as many halve its errors.
        seed: of it.

    Raises:
        ParameterError: sd or stretch is not a number above 0.

    >>> figures = mape_figures(0.2256)
    >>> f"{figures.mape_best:.3f} {figures.ratio:.3f} {figures.met_median:.3f} {figures.met_best:.3f}", figures.agrees
    ('0.178 0.950 0.366 0.454', True)
    """
    for name, value in (("sd", sd), ("stretch", stretch)):
        if not (isfinite(value) and value > 0):
            raise ParameterError(f"The '{name}' of mape_figures must be a number above 0. Got {value}.", parameter=name)
    if paths < 2:
        raise ParameterError(f"The 'paths' of mape_figures must be 2 or more. Got {paths}.", parameter="paths")
    ratio, least = exp(-(sd**2)), 2 * float(ndtr(sd)) - 1
    simulated, error = _simulated(sd, stretch, paths, seed)
    return MapeFigures(
        sd=float(sd), stretch=float(stretch), mape_median=exp(sd**2 / 2) * least, mape_best=least, ratio=ratio,
        met_median=float(ndtr(-log(stretch) / sd)), met_best=float(ndtr(sd - log(stretch) / sd)), ratio_of_total=ratio * exp(-(sd**2) / 2),
        simulated=simulated, error=error, paths=paths, seed=seed,
    )  # fmt: skip


def sd_of_mape(mape: float, *, best: bool = True) -> float:
    """The sd of lognormal errors behind a MAPE: of the forecast with the least one, or of the median.

    Args:
        mape: above 0, and below 1 for the forecast with the least MAPE.
        best: whether the MAPE is that of the forecast with the least one.

    Raises:
        ParameterError: no sd has such a MAPE.

    >>> round(sd_of_mape(0.246), 3), round(sd_of_mape(0.178), 3)
    (0.313, 0.225)
    """
    if not 0 < mape < (1 if best else np.inf):
        raise ParameterError(
            f"The 'mape' is above 0{', and below 1 where the forecast has the least one' * best}. Got {mape}.", parameter="mape"
        )
    from scipy.optimize import brentq  # noqa: PLC0415  heavy

    def excess(sd: float) -> float:
        least = 2 * float(ndtr(sd)) - 1
        return (least if best else exp(sd**2 / 2) * least) - mape

    found: Any = brentq(excess, 1e-12, 8.0 if best else 2 + sqrt(2 * log(1 + mape)), xtol=1e-14)
    return float(found)


def _simulated(sd: float, stretch: float, paths: int, seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The figures of `MapeFigures.table` without their formulas: the MAPE-optimal forecast is the weighted median of the paths."""
    demand = np.exp(sd * np.random.default_rng(seed).standard_normal(paths))
    order = np.sort(demand)
    weight = np.cumsum(1 / order)
    best = float(order[np.searchsorted(weight, weight[-1] / 2)])
    mean, beaten = float(demand.mean()), demand > stretch * best
    moved = (0.5 - (demand < best)) / demand / (_density(order, best) / best)  # what each path does to the weighted median
    figures = [np.abs(demand - 1) / demand, np.abs(demand - best) / demand, moved, demand > stretch]
    parts = [*figures, beaten - stretch * _density(order, stretch * best) * moved, moved / mean - best * demand / mean**2]
    values = (*(float(f.mean()) for f in figures[:2]), best, float(figures[3].mean()), float(beaten.mean()), best / mean)
    return values, tuple(float(part.std(ddof=1) / sqrt(paths)) for part in parts)


def _density(order: Float64, at: float, reach: float = 0.05) -> float:
    """Of sorted numbers, by how many are within 5% of a place."""
    low, high = at * exp(-reach), at * exp(reach)
    found = np.searchsorted(order, [low, high])
    return float(found[1] - found[0]) / len(order) / (high - low)
