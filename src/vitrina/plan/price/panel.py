"""How demand follows a price, item by item, with what moves all of them alike taken out: counts, fixed effects, and a prior that pools."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import pdtrc

from vitrina.types import Bool, Float64, Int64

STEPS = 60  # of Newton; 6 to 10 are usual
CLOSE = 1e-8  # relative gain of the likelihood below which it has arrived
FURTHEST = 2.0  # that an elasticity may move in one step
CONTROLS = 1e-3  # l2 of the controls: keeps what several of them say together from having no value
BLOCKS = 7, 28  # days whose errors are summed, to see whether errors of a week or a month go together


class Panel(NamedTuple):
    """Series of one category as they are fitted.

    Args:
        units: (series, days) what was sold.
        change: (series, days) log of the price over the usual one.
        weight: (series, days) 0 where a day doesn't count.
        censored: (series, days) whether the units are the least that was wanted.
        item: (series,) 0 to items - 1: series of one item share their elasticity, and each has a level of its own.
        controls: (days, controls) 0 or 1.
    """

    units: Float64
    change: Float64
    weight: Float64
    censored: Bool
    item: Int64
    controls: Float64

    @property
    def items(self) -> int:
        return int(self.item.max(initial=-1)) + 1


class Fit(NamedTuple):
    """Where Newton arrived.

    Args:
        slope: (items,) elasticities.
        variance: (items,) posterior variance of each, the doubt about controls in it.
        controls: (controls,) their coefficients.
        mean: (series, days) expected units.
    """

    slope: Float64
    variance: Float64
    controls: Float64
    mean: Float64


def fit_panel(panel: Panel, centre: float, spread: float, dispersion: Float64, start: Fit | None = None) -> Fit:
    """The most likely elasticities e, levels a and controls z under log E[units] = a_series + e_item change + controls z, and e from N(centre, spread^2).

    Quasi-likelihood of counts whose variance is `dispersion` times their mean ([Wedderburn 1974](https://doi.org/10.1093/biomet/61.3.439)). Levels are
    profiled out, which for counts is exact, and the controls by their Schur complement, so that the variances are those of the whole information matrix. A censored day
    counts as the units that are expected given that there were so many at least (an EM step), with the information that is left of it.

    Args:
        panel: series of one category, each with a sale on a day that counts.
        centre, spread: of the prior.
        dispersion: (items,) variance over mean.
        start: of an earlier fit.

    Cost: per step series * days * controls.
    """
    slope = np.full(panel.items, centre) if start is None else start.slope
    z = np.zeros(panel.controls.shape[1]) if start is None else start.controls
    weight = panel.weight / dispersion[panel.item][:, None]
    units, inform = _filled(panel, weight, slope, z)
    mean, value = _value(panel, weight, units, slope, z, centre, spread)
    for _ in range(STEPS):
        system = _System.of(panel, weight, units, inform, mean, slope, z, centre, spread)
        move, turn = system.step()
        size = min(1.0, FURTHEST / max(float(np.abs(move).max(initial=0.0)), 1e-12))
        while True:
            tried = _value(panel, weight, units, slope + size * move, z + size * turn, centre, spread)
            if tried[1] >= value or size < 1e-6:
                break
            size /= 2
        gain, slope, z, (mean, value) = tried[1] - value, slope + size * move, z + size * turn, tried
        if panel.censored.any():
            units, inform = _filled(panel, weight, slope, z, mean)
            mean, value = _value(panel, weight, units, slope, z, centre, spread)
        if gain <= CLOSE * (abs(value) + 1) and np.abs(size * move).max(initial=0.0) < 1e-4:
            break
    system = _System.of(panel, weight, units, inform, mean, slope, z, centre, spread)
    return Fit(slope, system.variance(), z, mean)


def _linear(panel: Panel, slope: Float64, z: Float64) -> Float64:
    """(series, days) without the level."""
    return panel.change * slope[panel.item][:, None] + panel.controls @ z


def _value(
    panel: Panel, weight: Float64, units: Float64, slope: Float64, z: Float64, centre: float, spread: float
) -> tuple[Float64, float]:
    """(series, days) means with the best levels, and the penalised log likelihood."""
    linear = _linear(panel, slope, z)
    top = linear.max(axis=1, keepdims=True)
    scale = np.exp(linear - top)
    level = (weight * units).sum(axis=1, keepdims=True) / (weight * scale).sum(axis=1, keepdims=True)
    mean = level * scale
    likelihood = float((weight * units * (np.log(level) + linear - top)).sum() - (weight * mean).sum())
    return mean, likelihood - 0.5 * float(((slope - centre) ** 2).sum()) / spread**2 - 0.5 * CONTROLS * float(z @ z)


def _filled(panel: Panel, weight: Float64, slope: Float64, z: Float64, mean: Float64 | None = None) -> tuple[Float64, Float64]:
    """Units with what is expected on censored days, and how much of the information of a day each has (1 but for those)."""
    inform = np.ones_like(panel.units)
    if not panel.censored.any():
        return panel.units, inform
    if mean is None:
        mean, _ = _value(panel, weight, panel.units, slope, z, 0.0, 1.0)
    at, lam = panel.units[panel.censored], np.maximum(mean[panel.censored], 1e-9)

    def reached(least: Float64) -> Float64:
        """The chance of so many at least."""
        return np.where(least <= 0, 1.0, np.maximum(pdtrc(np.maximum(np.ceil(least) - 1, 0.0), lam), 1e-300))

    chance = reached(at)
    expected = np.maximum(lam * reached(at - 1) / chance, at)
    square = lam**2 * reached(at - 2) / chance
    units = panel.units.copy()
    units[panel.censored] = expected
    inform[panel.censored] = np.clip(1 - (square + expected - expected**2) / lam, 0.0, 1.0)
    return units, inform


class _System(NamedTuple):
    """Newton's equations: elasticities on a diagonal, controls as one dense block, and what ties them."""

    pull: Float64  # (items,) gradient
    turn: Float64  # (controls,) gradient
    heavy: Float64  # (items,) information
    ties: Float64  # (items, controls)
    schur: Float64  # (controls, controls)

    @classmethod
    def of(
        cls,
        panel: Panel,
        weight: Float64,
        units: Float64,
        inform: Float64,
        mean: Float64,
        slope: Float64,
        z: Float64,
        centre: float,
        spread: float,
    ) -> _System:
        left, m, Z = weight * (units - mean), weight * mean * inform, panel.controls
        total = np.maximum(m.sum(axis=1), 1e-12)
        off = panel.change - ((m * panel.change).sum(axis=1) / total)[:, None]  # what the level doesn't explain
        pull = _by_item(panel, (left * panel.change).sum(axis=1)) - (slope - centre) / spread**2
        heavy = _by_item(panel, (m * off**2).sum(axis=1)) + 1 / spread**2
        ties = np.zeros((panel.items, Z.shape[1]))
        np.add.at(ties, panel.item, (m * off) @ Z)
        own = m @ Z  # (series, controls)
        dense = Z.T @ (m.sum(axis=0)[:, None] * Z) - own.T @ (own / total[:, None]) + CONTROLS * np.eye(Z.shape[1])
        schur = dense - ties.T @ (ties / heavy[:, None])
        return cls(pull, Z.T @ left.sum(axis=0) - CONTROLS * z, heavy, ties, schur)

    def step(self) -> tuple[Float64, Float64]:
        turn = np.asarray(np.linalg.solve(self.schur, self.turn - self.ties.T @ (self.pull / self.heavy)), np.float64)
        return (self.pull - self.ties @ turn) / self.heavy, turn

    def variance(self) -> Float64:
        """(items,) the diagonal of the inverse."""
        through = np.linalg.solve(self.schur, self.ties.T)  # (controls, items)
        return 1 / self.heavy + np.einsum("ic,ci->i", self.ties, through) / self.heavy**2


def _by_item(panel: Panel, values: Float64) -> Float64:
    return np.bincount(panel.item, values, panel.items).astype(np.float64)


def dispersion_of(panel: Panel, mean: Float64, step: int = 1) -> Float64:
    """(items,) by how much the variance of an elasticity is larger than if units were a Poisson's and all days counted alike; 1 at least.

    The product of four: Pearson's statistic of the item, drawn to that of the category as 20 days would; what unequal weights cost, sum w^2 mu x^2 / sum w mu x^2; how much larger
    errors are on the days that say most of the elasticity (HC2, [MacKinnon and White 1985](https://doi.org/10.1016/0304-4076(85)90158-7)), over the whole category, as an item has
    few such days; and how much more sums over weeks, or over four of them, vary than single days would let them, where errors of days go together: an elasticity from prices that stay for weeks is only
    as sure as the weeks are.
    """
    on = (panel.weight > 0) & ~panel.censored
    left, mu = np.where(on, panel.units - mean, 0.0), np.where(on, mean, 0.0)
    days = on.sum(axis=1)
    lost = 1 + panel.controls.shape[1] / max(len(days), 1)
    free = np.maximum(days - lost - 1, 1.0)
    pearson = np.divide(left**2, mu, out=np.zeros_like(mu), where=mu > 0).sum(axis=1)
    common = max(float(pearson.sum() / free.sum()), 1.0)
    own = np.maximum((_by_item(panel, pearson) + 20 * common) / (_by_item(panel, free) + 20), 1.0)
    heavy, uneven = _uneven(panel, left, mu, own)
    return np.maximum(own * heavy * max(uneven, 1.0) * max(_together(left, mu, max(block // step, 1)) for block in BLOCKS), 1.0)


def _uneven(panel: Panel, left: Float64, mu: Float64, own: Float64) -> tuple[Float64, float]:
    """(items,) what unequal weights cost, and how much larger errors are where they matter, over the category."""
    w = panel.weight
    total = np.maximum((w * mu).sum(axis=1, keepdims=True), 1e-12)
    off = panel.change - (w * mu * panel.change).sum(axis=1, keepdims=True) / total
    told = np.maximum((w * mu * off**2).sum(axis=1, keepdims=True), 1e-12)
    leverage = np.clip(w * mu * (1 / total + off**2 / told), 0.0, 0.9)
    information = _by_item(panel, told[:, 0])
    alike = _by_item(panel, (w**2 * mu * off**2).sum(axis=1))
    found = _by_item(panel, (w**2 * left**2 * off**2 / (1 - leverage)).sum(axis=1))
    speaks = information > 1e-9
    ratio = float((found / information)[speaks].sum() / max((own * alike / information)[speaks].sum(), 1e-12)) if speaks.any() else 1.0
    return np.where(speaks, alike / np.maximum(information, 1e-12), 1.0), ratio


def _together(left: Float64, mu: Float64, block: int) -> float:
    """How much more the sums over blocks of days vary than if days were independent."""
    if block == 1 or left.shape[1] < 4 * block:
        return 1.0
    starts = np.arange(0, left.shape[1], block)
    sums, means, squares = (np.add.reduceat(a, starts, axis=1) for a in (left, mu, left**2))
    keep = means > 0
    scaled = np.divide(sums**2, means, out=np.zeros_like(means), where=keep).sum()
    # sums of errors over all blocks of a series are 0, which takes a block's worth of variance from them
    lost = max(1 - 1 / max(keep.sum(axis=1).mean(), 1.5), 0.3)
    alone = np.divide(squares, means, out=np.zeros_like(means), where=keep).sum()
    return float(scaled / max(alone * lost, 1e-12))
