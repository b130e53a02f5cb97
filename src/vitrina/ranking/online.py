"""A calibration that follows: two numbers for each band of values, moved by every outcome, with the old ones forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import expit, logit

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.kernels import kernel
from vitrina.base.state import State
from vitrina.ranking.calibration import checked, require_chances
from vitrina.types import Float64, Int64

LARGEST = 12.0  # of a log-odds: chances closer to 0 or 1 than 6e-6 are taken for that
START = (1.0, 0.0)  # slope and intercept of a band without outcomes: chances stay as they are
PRECISION = (64.0, 16.0)  # of that start: a slope is within .125 of 1, an intercept within .25 of 0, unless outcomes say otherwise


@final
class OnlinePlatt(Config):
    """Chances that follow what happens: logit(calibrated) = slope * logit(chance) + intercept, one line for each band of values.

    After each outcome the line moves by a step of Newton on all outcomes so far, of which each counts half as much as one `half_life` outcomes later;
    so a line is known as well as from about 1.4 * half_life outcomes, and follows a change within a few half-lives. The idea is online Platt scaling
    ([Gupta and Ramdas 2023](https://proceedings.mlr.press/v202/gupta23c.html)), with forgetting as in [McCormick et al. 2012](https://doi.org/10.1111/j.1541-0420.2011.01645.x). The step is implicit (it is taken at the line that it leads to), so that
    one surprise doesn't throw it. Bands matter where dear items are promised worse than cheap ones: one line for both would be wrong for each, where the money is.

    Args:
        bands: values at which a band ends and the next begins, rising. None of them is one band.
        half_life: in outcomes of a band.

    >>> import numpy as np
    >>> following = OnlinePlatt(bands=(10.0,)).start().update(np.full(2000, 0.5), np.arange(2000) % 5 == 0, np.full(2000, 25.0))
    >>> following([0.5, 0.5], [25.0, 5.0]).round(2).tolist()
    [0.21, 0.5]
    """

    bands: tuple[float, ...] = Field(default=(), strict=False)
    half_life: float = Field(default=10_000.0, ge=1)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(b <= a for a, b in zip(self.bands, self.bands[1:], strict=False)):
            raise ValueError(f"The 'bands' of OnlinePlatt must rise. Got {self.bands!r}.")
        return self

    def start(self) -> OnlinePlattCurves:
        """Before any outcome: chances stay as they are."""
        n = len(self.bands) + 1
        return OnlinePlattCurves(self, np.tile(START, (n, 1)), np.tile(np.diag(PRECISION), (n, 1, 1)), np.zeros(n, np.int64))


@final
@dataclass(frozen=True, eq=False)
class OnlinePlattCurves:
    """What is known at a moment; `update` gives what is known after more outcomes.

    Args:
        calibration: its config.
        lines: (bands, 2) slope and intercept.
        precision: (bands, 2, 2) how well they are known.
        seen: (bands,) outcomes so far.
    """

    calibration: OnlinePlatt
    lines: Float64  # (bands, 2)
    precision: Float64  # (bands, 2, 2)
    seen: Int64  # (bands,)

    def __call__(self, chances: NDArray[Any], values: NDArray[Any] | None = None) -> Float64:
        """Calibrated chances, of the shape of `chances`; NaN stays.

        Raises:
            ParameterError: there are bands and no values.
        """
        chances = np.asarray(chances, np.float64)
        lines = self.lines[self._band(values, chances.shape)]
        return expit(lines[..., 0] * log_odds(chances) + lines[..., 1])

    def update(self, chances: NDArray[Any], outcomes: NDArray[Any], values: NDArray[Any] | None = None) -> OnlinePlattCurves:
        """After these outcomes, oldest first: chances as they were promised before calibration (n,), outcomes within [0, 1] (n,), and values (n,).

        Raises:
            ParameterError: they are not of one length, a chance or outcome is outside [0, 1], or there are bands and no values.

        Cost: one compiled pass over the outcomes, some 100 ns for each.
        """
        chances = np.asarray(chances, np.float64)
        if not chances.size:
            return self
        band = self._band(values, chances.shape)
        chances, outcomes, _ = checked("OnlinePlatt", chances, outcomes, None)
        require_chances("OnlinePlatt", outcomes)
        if ((chances < 0) | (chances > 1)).any():
            raise ParameterError(
                "OnlinePlatt takes chances within [0, 1]; scores of another kind go through Platt first. "
                f"Got {chances[(chances < 0) | (chances > 1)][0]}.", owner="OnlinePlatt", parameter="chances",
            )  # fmt: skip
        lines, precision = self.lines.copy(), self.precision.copy()
        kept = 0.5 ** (1 / self.calibration.half_life)
        _follow(band, log_odds(chances), outcomes, kept, np.array(START), np.array(PRECISION), lines, precision)
        return OnlinePlattCurves(self.calibration, lines, precision, self.seen + np.bincount(band, minlength=len(lines)))

    def _band(self, values: Any, shape: tuple[int, ...]) -> Int64:
        """The band of each value."""
        if not self.calibration.bands:
            return np.zeros(shape, np.int64)
        if values is None:
            raise ParameterError(f"{self.calibration!r} has bands of values: give the values too.", owner="OnlinePlatt", parameter="values")
        given = np.asarray(values, np.float64)
        if given.shape != shape or np.isnan(given).any():
            raise ParameterError(
                f"The 'values' of OnlinePlatt must be one number per chance, of the shape {shape}. Got the shape {given.shape}"
                f"{' with NaN' if np.isnan(given).any() else ''}.", owner="OnlinePlatt", parameter="values",
            )  # fmt: skip
        return np.searchsorted(np.array(self.calibration.bands), given, side="right")

    def state(self) -> State:
        return State({"calibration": self.calibration}, {"lines": self.lines, "precision": self.precision, "seen": self.seen})

    @classmethod
    def of_state(cls, state: State) -> OnlinePlattCurves:
        arrays = state.arrays
        return cls(state.config["calibration"], arrays["lines"], arrays["precision"], arrays["seen"])


def log_odds(chances: Float64) -> Float64:
    """log(p / (1 - p)), cut at 12 on either side."""
    return np.clip(logit(chances), -LARGEST, LARGEST)


@kernel
def _follow(band, x, y, kept, start, precision_of_start, lines, precision):  # pragma: no cover
    """Each outcome in turn: forget, find the line that it leads to, and how well that is known."""
    for at in range(len(x)):
        line, known = lines[band[at]], precision[band[at]]
        pull_slope = (1 - kept) * precision_of_start[0] * (start[0] - line[0])
        pull_intercept = (1 - kept) * precision_of_start[1] * (start[1] - line[1])
        known *= kept
        known[0, 0] += (1 - kept) * precision_of_start[0]
        known[1, 1] += (1 - kept) * precision_of_start[1]
        det = known[0, 0] * known[1, 1] - known[0, 1] * known[0, 1]
        a, b, c = known[1, 1] / det, -known[0, 1] / det, known[0, 0] / det  # the inverse [[a, b], [b, c]]
        along_slope, along_intercept = a * x[at] + b, b * x[at] + c
        line[0] += a * pull_slope + b * pull_intercept
        line[1] += b * pull_slope + c * pull_intercept
        before = line[0] * x[at] + line[1]
        reach = along_slope * x[at] + along_intercept
        low, high = before - reach * (1 - y[at]), before + reach * y[at]  # the solution of z = before + reach * (y - p(z)) lies between
        for _ in range(50):
            z = 0.5 * (low + high)
            if before + reach * (y[at] - 1 / (1 + np.exp(-z))) > z:
                low = z
            else:
                high = z
            if high - low < 1e-12:
                break
        z = 0.5 * (low + high)
        p = 1 / (1 + np.exp(-z))
        line[0] += along_slope * (y[at] - p)
        line[1] += along_intercept * (y[at] - p)
        known[0, 0] += p * (1 - p) * x[at] * x[at]
        known[0, 1] += p * (1 - p) * x[at]
        known[1, 0] = known[0, 1]
        known[1, 1] += p * (1 - p)
