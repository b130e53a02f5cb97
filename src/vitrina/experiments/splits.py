"""The same user in several arms: found, counted, and what it makes of the effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from scipy.special import chdtrc

from vitrina.base.printing import as_text
from vitrina.data.read.sources import find_sources
from vitrina.experiments.checks import cross_check
from vitrina.experiments.sentences import percent
from vitrina.experiments.trial import arm_order, arms_read, control_of
from vitrina.policy.checks import ALARM, Check, Checks
from vitrina.policy.reading import Ids, Wanted, coded, read_columns
from vitrina.types import Float64

SCHEMA = {
    "arm": pl.String, "rows": pl.Int64, "units": pl.Int64, "rows_per_unit": pl.Float64, "units_only_here": pl.Int64, "own_share": pl.Float64, "contrast": pl.Float64,
}  # fmt: skip


@final
@dataclass(frozen=True, eq=False, repr=False)
class Splits:
    """Who was in which arms.

    Args:
        table: a row per arm: rows, units, rows_per_unit, units_only_here (in no other arm), own_share (of the rows of the unit behind a row of this arm, the share that was in this arm, on
            average) and contrast (own_share minus that of the same arm behind a row of control; null for control): 1 where nobody crosses.
        units: in all.
        crossing: units in more than one arm.
        crossing_rows: their share of the rows.
        checks: whether anybody crosses, and whether units of the arms come equally often.
    """

    table: pl.DataFrame
    units: int
    crossing: int
    crossing_rows: float
    checks: Checks

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was seen, and what is left of an effect that stays with the user."""
        told = [c.sentence for c in self.checks.rows]
        if self.crossing:
            told.append(
                f"The units in several arms have {self.crossing_rows:.1%} of all rows: to leave them out keeps those who come seldom."
            )
            for arm, contrast in self.table.select("arm", "contrast").drop_nulls().iter_rows():
                told.append(
                    f"Of an effect of {arm!r} that stays with the user, and grows with the share of it that the user had, a comparison of rows shows {percent(contrast, sign=False)}; "
                    "of one that ends with the session, all."
                )
        return tuple(told)

    def __repr__(self) -> str:
        return f"Splits({self.units:,} units, {self.crossing:,} in several arms)"

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def __rich__(self) -> str:
        return as_text(self.table)


def splits(table: Any, *, arm: str, unit: str, control: Any = None) -> Splits:
    """Look for users, or whatever comes back, who were in more than one arm: as sessions or devices are assigned, they are.

    With n_ua of the n_u rows of unit u in arm a, own_share of arm a is sum_u n_ua^2 / n_u over sum_u n_ua: how much of arm a the unit behind a row of it had. Minus the
    same behind a row of control it is what a difference of rows shows of an effect that is linear in that share.

    Args:
        table: a Polars, pandas or Arrow table, or a path: a row per session, request or event.
        arm: column of the arm of the row; rows without one are left out.
        unit: column of who came back.
        control: the arm that the others are compared with; None: the first by name.

    Raises:
        DataError: a column or a row can't be used.
        UnknownNameError: there is no such arm.

    Cost: a pass over the table and a sum per unit and arm.

    >>> import polars as pl
    >>> table = pl.DataFrame({"user": [1, 1, 2, 2, 3, 4], "group": ["a", "b", "a", "a", "b", "b"]})
    >>> found = splits(table, arm="group", unit="user")
    >>> found, found.table["contrast"].round(3).to_list()
    (Splits(4 units, 1 in several arms), [None, 0.667])
    """
    read = read_columns(
        find_sources(table, "the table of the experiment"), {"arm": Wanted("arm", arm, arms_read), "unit": Wanted("unit", unit, Ids())}
    )
    frame = pl.DataFrame([s.alias(key) for key, s in read.values.items()]).drop_nulls("arm")
    arms = arm_order(frame["arm"], None)
    place = control_of(control, arms)
    codes = frame["arm"].replace_strict(dict(zip(arms, range(len(arms)), strict=True)), return_dtype=pl.Int64).to_numpy()
    units = coded(frame["unit"])[0].astype(np.int64)
    count = int(units.max()) + 1
    rows = np.bincount(units * len(arms) + codes, minlength=count * len(arms)).reshape(count, len(arms)).astype(np.float64)
    crosses = (rows > 0).sum(axis=1) > 1
    checks = [cross_check(int(crosses.sum()), count, "units"), *_exposure(rows, arms)]
    return Splits(
        _table(rows, crosses, arms, place), count, int(crosses.sum()), float(rows[crosses].sum() / rows.sum()), Checks(tuple(checks))
    )


def _table(rows: Float64, crosses: Any, arms: tuple[str, ...], control: int) -> pl.DataFrame:
    """`rows` (units, arms)."""
    had = rows / rows.sum(axis=1, keepdims=True)  # the share of each arm in the unit's rows
    behind = (rows.T @ had) / rows.sum(axis=0)[:, None]  # (arm of the row, arm that its unit had)
    found = []
    for k, arm in enumerate(arms):
        units = int((rows[:, k] > 0).sum())
        contrast = None if k == control else float(behind[k, k] - behind[control, k])
        only = int(((rows[:, k] > 0) & ~crosses).sum())
        found.append((arm, int(rows[:, k].sum()), units, float(rows[:, k].sum() / units), only, float(behind[k, k]), contrast))
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def _exposure(rows: Float64, arms: tuple[str, ...]) -> Iterator[Check]:
    """Whether units that were in one arm come equally often in all: Welch's analysis of variance on rows per unit."""
    alone = [rows[(rows[:, k] > 0) & ((rows > 0).sum(axis=1) == 1), k] for k in range(len(arms))]
    known = [v for v in alone if len(v) > 1 and v.var() > 0]
    if len(known) < 2:
        return
    means, weights = np.array([v.mean() for v in known]), np.array([len(v) / v.var(ddof=1) for v in known])
    statistic = float((weights * (means - (weights * means).sum() / weights.sum()) ** 2).sum())
    p = float(chdtrc(len(known) - 1, statistic))
    listed = ", ".join(f"{arm!r} {v.mean():.3g}" for arm, v in zip(arms, alone, strict=True) if len(v))
    if p < ALARM:
        text = f"Units of the arms don't come equally often (rows per unit: {listed}): either the treatment does it, or rows of an arm are lost. Find out which; a mean over rows mixes the two."
        yield Check("rows per unit", "warn", text, statistic, p)
    else:
        yield Check("rows per unit", "pass", f"Units of all arms come equally often (rows per unit: {listed}).", statistic, p)
