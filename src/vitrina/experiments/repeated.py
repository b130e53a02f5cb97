"""How often a test that is looked at again and again ends, and when: by numerical integration, not by simulation.

The difference of two arms after each look is a Brownian motion at the times of its information (1 / error^2): increments are normal and independent.
Between two looks its density is carried on by Gauss-Legendre quadrature over where the test hasn't ended
([Armitage, McPherson and Rowe 1969](https://doi.org/10.2307/2343787)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import ndtri

from vitrina.base.arrays import Float64
from vitrina.base.errors import ParameterError

NODES = 160  # of the quadrature between the two bounds
GROWTH = 1.005  # of the information from look to look, below which a step is too short for them


@final
@dataclass(frozen=True, eq=False)
class RepeatedTest:
    """A test that ends when the difference is as many errors from zero as its bound says, at one of its looks.

    Args:
        information: (looks,) 1 / error^2 at each look; it grows by 0.5% or more from one to the next.
        bounds: (looks,) errors from zero at which the test ends: 1.96 for an ordinary 95% interval.

    Raises:
        ParameterError: the information grows by less, or there isn't a bound above 0 per look.

    Cost: looks * 26 thousand steps once; then a millisecond per question.

    >>> five = RepeatedTest(np.arange(1.0, 6.0), np.full(5, 1.959964))
    >>> round(float(five.ended(0.0)[-1]), 3)  # five looks at an ordinary interval
    0.142
    """

    information: Float64
    bounds: Float64

    def __post_init__(self) -> None:
        growing = (
            len(self.information)
            and self.information[0] > 0
            and (self.information[1:] >= GROWTH * self.information[:-1] * (1 - 1e-9)).all()
        )
        if not growing or self.information.shape != self.bounds.shape or not (self.bounds > 0).all():
            raise ParameterError(
                f"The information of looks must grow from above 0, by 0.5% or more each, with a bound above 0 per look. Got {self.information} and {self.bounds}."
            )
        object.__setattr__(self, "_going_on", self._densities())

    def ended(self, effects: Float64 | float) -> Float64:
        """(looks,) the chance that the test has ended by each look, where the true difference is `effects`: one for all looks, or one per look."""
        known = zip(self._going_on, self.information, np.broadcast_to(effects, self.bounds.shape), strict=True)  # type: ignore[attr-defined]
        going_on = [float(weights @ np.exp(effect * at - effect**2 * information / 2)) for (at, weights), information, effect in known]
        return np.clip(1 - np.array(going_on), 0.0, 1.0)

    def detectable(self, power: float) -> Float64:
        """(looks,) the difference with which the test has ended by each look with this chance."""
        low, high = np.zeros(len(self.bounds)), (self.bounds + float(ndtri(power)) + 1) / np.sqrt(self.information)
        for _ in range(40):
            middle = (low + high) / 2
            enough = self.ended(middle) >= power
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    def _densities(self) -> list[tuple[Float64, Float64]]:
        """Per look the places where the test goes on, and their weights where the true difference is 0."""
        x, w = leggauss(NODES)
        going_on: list[tuple[Float64, Float64]] = []
        before, mass, known = np.zeros(1), np.ones(1), 0.0
        for information, bound in zip(self.information, self.bounds, strict=True):
            limit, spread = bound * np.sqrt(information), np.sqrt(information - known)
            at = limit * x
            steps = np.exp(-0.5 * ((at[:, None] - before[None, :]) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
            before, mass, known = at, w * limit * (steps @ mass), information
            going_on.append((before, mass))
        return going_on
