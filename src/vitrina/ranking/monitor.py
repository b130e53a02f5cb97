"""What was promised beside what came: the reliability of chances, and of the money that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import root_scalar
from scipy.special import betaincinv, expit, logit

from vitrina.base.errors import ParameterError
from vitrina.base.printing import short, signed
from vitrina.base.showing import titled
from vitrina.ranking.calibration import checked, require_chances
from vitrina.types import Float64, Int64

FARTHEST = 700.0  # of an exponent
EVERYTHING = "all"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Reliability:
    """Promised chances beside shares that came.

    Args:
        table: bin (from 1, lowest chances first), least, most, n, promised (mean chance), realised (share), low, high (of the share).
        error: the expected calibration error: the mean over all of |realised - promised| of their bin.
        by_chance: what it would be if the chances were right, from luck alone.
    """

    table: pl.DataFrame
    error: float
    by_chance: float

    def __repr__(self) -> str:
        return f"Reliability(error {short(self.error)}, {short(self.by_chance)} by chance, {self.table['n'].sum():,} outcomes)"

    def __str__(self) -> str:
        return f"{self!r}\n{self.table}"

    def _repr_html_(self) -> str:
        return titled(repr(self), self.table)


def reliability(chances: NDArray[Any], outcomes: NDArray[Any], bins: int = 10, confidence: float = 0.95) -> Reliability:
    """The reliability diagram of chances as a table, and their expected calibration error.

    Bins hold about equally many outcomes, and equal chances are in one bin. The error of a perfect model isn't 0: with n outcomes in a bin its share
    misses by about sqrt(2 p (1 - p) / (pi n)); `by_chance` is the mean of that.

    Args:
        chances: (n,) what was promised, within [0, 1].
        outcomes: (n,) 1 for a success, 0 for none.
        bins: at most so many.
        confidence: of the interval of each share (Clopper and Pearson's), where outcomes are independent.

    Raises:
        ParameterError: they are not of one length, outside [0, 1], or none.

    >>> import numpy as np
    >>> reliability(np.repeat([0.2, 0.6], 10), [0] * 8 + [1] * 2 + [1] * 9 + [0]).table["realised"].to_list()
    [0.2, 0.9]
    """
    chances, outcomes, _ = checked("reliability", chances, outcomes, None)
    require_chances("reliability", outcomes)
    _require_promises(chances)
    group = _equal_groups(chances, bins)
    n, came = np.bincount(group), np.bincount(group, outcomes)
    promised, realised = np.bincount(group, chances) / n, came / n
    tail = (1 - confidence) / 2
    low = np.where(came > 0, betaincinv(np.maximum(came, 1e-12), n - came + 1, tail), 0.0)
    high = np.where(came < n, betaincinv(came + 1, np.maximum(n - came, 1e-12), 1 - tail), 1.0)
    first = np.searchsorted(np.sort(group), np.arange(len(n)))
    ordered = np.sort(chances)
    table = pl.DataFrame({
        "bin": np.arange(1, len(n) + 1), "least": ordered[first], "most": ordered[first + n - 1], "n": n, "promised": promised,
        "realised": realised, "low": low, "high": high,
    })  # fmt: skip
    spread = np.sqrt(np.bincount(group, chances * (1 - chances)))
    return Reliability(table, float(n @ np.abs(realised - promised) / n.sum()), float(np.sqrt(2 / np.pi) * spread.sum() / n.sum()))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Promises:
    """Promised money beside what came.

    Args:
        table: group ("all", then "1" for what promised least), n, promised, realised (sums), ratio (realised over promised; null where nothing was promised),
            chance (the most by which luck alone could explain so large a difference, for all rows together), alarm.
        level: chance below which there is an alarm.
    """

    table: pl.DataFrame
    level: float

    @property
    def alarm(self) -> bool:
        """Whether any row has one."""
        return bool(self.table["alarm"].any())

    @property
    def sentence(self) -> str:
        """What to tell a person."""
        whole = self.table.row(0, named=True)
        ratio = "" if whole["ratio"] is None else f" ({signed(100 * (whole['ratio'] - 1), 1)}%)"
        said = f"promised {short(whole['promised'])}, came {short(whole['realised'])}{ratio}"
        groups = self.table.filter(pl.col("alarm") & (pl.col("group") != EVERYTHING))["group"].to_list()
        where = f" in the groups {', '.join(groups)}" if groups else ""
        return f"{said}: more than luck explains{where}. Calibrate again." if self.alarm else f"{said}: luck may explain the difference."

    def __repr__(self) -> str:
        return f"Promises({self.sentence})"

    def __str__(self) -> str:
        return f"{self.sentence}\n{self.table}"

    def _repr_html_(self) -> str:
        return titled(self.sentence, self.table)


def promises(chances: NDArray[Any], values: NDArray[Any], outcomes: NDArray[Any], groups: int = 10, level: float = 0.01) -> Promises:
    """Promised value (chance * value) beside realised value (outcome * value), in all and by decile of the promise, with an alarm.

    The rule: a row alarms when rows * 2 * bound < level, where the bound on the chance of so large a difference, were the chances right, is Chernoff's:
    min over t of E[exp(t S)] / exp(t s), which holds for any number of outcomes and any values. So in at most `level` of all looks there is a
    false alarm. That is for one look; with one every day there will be one at some time.

    Args:
        chances: (n,) what was promised, before the outcome was known.
        values: (n,) what a success is worth.
        outcomes: (n,) 1 for a success, 0 for none; independent of each other given the chances.
        groups: of about equally many, by chance * value.
        level: the most false alarms, as a share of looks.

    Raises:
        ParameterError: they are not of one length, not finite, chances or outcomes are outside [0, 1], or there are none.

    Cost: a sort, and some 30 passes.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> p, value = rng.random(5000), rng.lognormal(0, 1, 5000)
    >>> came = rng.random(5000) < p
    >>> promises(p, value, came).alarm, promises(np.sqrt(p), value, came).alarm
    (False, True)
    """
    chances, outcomes, _ = checked("promises", chances, outcomes, None)
    values = np.asarray(values, np.float64)
    if values.shape != chances.shape or not np.isfinite(values).all():
        raise ParameterError(
            f"The 'values' of promises must be a finite number per chance ({len(chances):,}). Got the shape {values.shape}.",
            parameter="values",
        )
    require_chances("promises", outcomes)
    _require_promises(chances)
    if not 0 < level < 1:
        raise ParameterError(f"The 'level' of promises is between 0 and 1. Got {level}.", parameter="level", value=level)
    group = _equal_groups(chances * values, groups)
    names = [EVERYTHING, *(str(g + 1) for g in range(group.max() + 1))]
    rows = []
    for at, name in enumerate(names):
        own = slice(None) if at == 0 else group == at - 1
        p, v, y = chances[own], values[own], outcomes[own]
        promised, realised = float(p @ v), float(y @ v)
        chance = min(1.0, len(names) * 2 * _tail(p, v, realised))
        rows.append((name, len(p), promised, realised, realised / promised if promised else None, chance, chance < level))
    schema = {"group": pl.String, "n": pl.Int64, "promised": pl.Float64, "realised": pl.Float64, "ratio": pl.Float64, "chance": pl.Float64, "alarm": pl.Boolean}  # fmt: skip
    return Promises(pl.DataFrame(rows, schema=schema, orient="row"), level)


def _tail(p: Float64, v: Float64, came: float) -> float:
    """Chernoff's bound on the chance that sum(v * Bernoulli(p)) is as far on its side as `came`."""
    scale = float(np.abs(v).max(initial=0))
    if not scale:
        return 1.0
    v, came, odds = v / scale, came / scale, logit(p)
    if abs(came - p @ v) <= 1e-12 * len(p):
        return 1.0

    def surplus(t: float) -> float:
        return float(v @ expit(odds + t * v)) - came  # mean of the sum, tilted by t

    end = np.copysign(1.0, -surplus(0.0))
    while abs(end) < FARTHEST and surplus(end) * end < 0:
        end *= 2
    t = float(root_scalar(surplus, bracket=(0.0, end), xtol=1e-9).root) if surplus(end) * end > 0 else float(end)
    with np.errstate(divide="ignore"):
        log_moment = np.logaddexp(np.log1p(-p), np.log(p) + t * v).sum()
    return float(np.exp(min(log_moment - t * came, 0.0)))


def _equal_groups(values: Float64, groups: int) -> Int64:
    """(n,) group of each, from 0 for the lowest, of about equally many; equal values together, no group empty."""
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise ParameterError(f"The number of groups must be a whole number from 1 on. Got {groups!r}.")
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values)  # how many are below
    return np.unique(first * groups // len(values), return_inverse=True)[1]


def _require_promises(chances: Float64) -> None:
    wrong = chances[(chances < 0) | (chances > 1)]
    if len(wrong):
        raise ParameterError(
            f"Promised chances are within [0, 1]. Got {wrong[0]:g}: scores become chances by Platt or Isotonic.", parameter="chances"
        )
