"""Prices as a shop may set them: multiples of a step, or with one ending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.types import Float64


@final
@dataclass(frozen=True)
class Ticks:
    """Multiples of `step`, moved by `ending`; all prices where the step is 0.

    >>> Ticks.of(None, 0.99).around(np.array([4.2, 4.99])).tolist()
    [[3.99, 4.99], [4.99, 4.99]]
    """

    step: float
    ending: float

    @classmethod
    def of(cls, tick: float | None, ending: float | None) -> Ticks:
        """Of what `best_price` is given.

        Raises:
            ParameterError: the tick isn't above 0, the ending isn't from 0 to 1, or there are both.
        """
        if tick is not None and ending is not None:
            raise ParameterError(
                "Prices have a 'tick' or an 'ending', not both: an ending of 0.99 is one price per unit of money. Leave one of them out."
            )
        if tick is not None and not (np.isfinite(tick) and tick > 0):
            raise ParameterError(f"The 'tick' of prices must be above 0, such as 0.05. Got {tick!r}.", parameter="tick")
        if ending is not None and not (np.isfinite(ending) and 0 <= ending < 1):
            raise ParameterError(f"The 'ending' of prices must be from 0 to below 1, such as 0.99. Got {ending!r}.", parameter="ending")
        return cls(1.0, float(ending)) if ending is not None else cls(float(tick or 0), 0.0)

    def around(self, prices: Float64) -> Float64:
        """(prices, 2) the allowed price below or at each, and that above or at it."""
        if not self.step:
            return np.stack([prices, prices], axis=-1)
        place = (prices - self.ending) / self.step
        ends = np.stack([np.floor(place + 1e-9), np.ceil(place - 1e-9)], axis=-1)
        return np.round(ends * self.step + self.ending, 9)
