"""What gives away that prices were chosen, and not drawn: they follow demand, or they all change in the same weeks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from vitrina.plan.price.panel import Fit, Panel
from vitrina.policy.checks import DOUBT, Check, Checks
from vitrina.types import Bool, Float64

NOTABLE = 0.1  # of the variance of prices: shared weeks below that are no matter


class Looked(NamedTuple):
    """A category as it was fitted.

    Args:
        panel: its series.
        fit: of the panel without pooling.
        dispersion: (items,)
    """

    panel: Panel
    fit: Fit
    dispersion: Float64


def giveaways(parts: Sequence[Looked], step: int) -> Checks:
    """Two checks of chosen prices.

    `timing`: the correlation, within series, of what demand was beyond what was expected in a week with how the price changed to the next one; 0 where prices don't look at demand.
    `together`: which share of the variance of prices within series is between the weeks of a category, less what chance gives; with a large one the controls and the price can
    hardly be told apart.

    Args:
        parts: categories.
        step: days per column.
    """
    block = max(7 // step, 1)
    pairs = [_timing(part, block) for part in parts]
    x, y = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    rows = []
    norm = float(np.sqrt((x**2).sum() * (y**2).sum()))
    if norm > 0:
        # each series is one witness: what it says of its own weeks goes together
        value, error = float((x * y).sum()) / norm, float(np.sqrt(((x * y).sum(axis=1) ** 2).sum())) / norm
        p = float(2 * ndtr(-abs(value) / error)) if error > 0 else 1.0
        rows.append(_timing_said(value, p))
    within, between = (sum(parts_) for parts_ in zip(*(_shared(part.panel, block) for part in parts), strict=True))
    if within > 0:
        share = max(float(between / within), 0.0)
        rows.append(_together_said(share))
    return Checks(tuple(rows))


def _timing_said(value: float, p: float) -> Check:
    if p >= DOUBT:
        told = f"Prices don't follow demand from week to week, as far as can be seen (correlation {value:.3f}, p {p:.2f}): that is no proof that they were drawn."
        return Check("timing", "pass", told, value, p)
    how = "are cut after weeks of weak demand" if value > 0 else "are cut after weeks of strong demand"
    return Check("timing", "warn", f"Prices {how} (correlation {value:.3f} of what a week sold beyond the expected with the next change of the price, p {max(p, 1e-4):.4f}): "
                 "they were chosen by demand, and the elasticities are biased.", value, p)  # fmt: skip


def _together_said(share: float) -> Check:
    if share < NOTABLE:
        return Check(
            "together",
            "pass",
            f"Prices of a category change in weeks of their own: {share:.0%} of their variance is common to its items.",
            share,
        )
    return Check("together", "warn", f"{share:.0%} of the variance of prices is common to the items of a category: they are cut in the same weeks. What a week brings to all of them can't be told "
                 "from the cut, and the controls take both.", share)  # fmt: skip


def _weekly(values: Float64, block: int) -> Float64:
    return np.add.reduceat(values, np.arange(0, values.shape[1], block), axis=1)


def _means(panel: Panel, block: int) -> tuple[Float64, Bool]:
    """(series, weeks) the mean log price of the days that count, and where there is one."""
    on = (panel.weight > 0).astype(np.float64)
    days = _weekly(on, block)
    return np.divide(_weekly(panel.change * on, block), days, out=np.zeros_like(days), where=days > 0), days > 0


def _timing(part: Looked, block: int) -> tuple[Float64, Float64]:
    """(series, weeks - 1) scaled errors of demand, and changes of the price to the next week; 0 where one isn't known."""
    panel, on = part.panel, (part.panel.weight > 0) & ~part.panel.censored
    left, mu = _weekly(np.where(on, panel.units - part.fit.mean, 0.0), block), _weekly(np.where(on, part.fit.mean, 0.0), block)
    scaled = np.divide(left, np.sqrt(mu * part.dispersion[panel.item][:, None]), out=np.zeros_like(mu), where=mu > 0)
    price, known = _means(panel, block)
    both = known[:, 1:] & known[:, :-1] & (mu[:, :-1] > 0)
    return tuple(_centred(values, both) for values in (scaled[:, :-1], price[:, 1:] - price[:, :-1]))  # pyright: ignore[reportReturnType]


def _centred(values: Float64, known: Bool) -> Float64:
    mean = (values * known).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    return np.where(known, values - mean, 0.0)


def _shared(panel: Panel, block: int) -> tuple[float, float]:
    """Sums of squares of log prices within series, and of that what weeks of the category explain beyond chance."""
    price, known = _means(panel, block)
    price = _centred(price, known)
    count = known.sum(axis=0)
    squares = float((price**2).sum())
    if len(price) < 2 or not squares:
        return 0.0, 0.0
    explained = float(np.divide(price.sum(axis=0) ** 2, count, out=np.zeros(len(count)), where=count > 0).sum())
    one = float(
        np.divide((price**2).sum(axis=0), count, out=np.zeros(len(count)), where=count > 0).sum()
    )  # what independent series would have
    return squares, explained - one
