"""The table of an experiment, read into one row per unit: its arm, and the numbers that each metric needs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.data.columns import IS_EMPTY, Column
from vitrina.data.read.number_column import number
from vitrina.data.read.numerals import Numerals
from vitrina.data.read.sources import Source, find_sources
from vitrina.experiments.effects import PARTS
from vitrina.experiments.metrics import Metric, Part, Share
from vitrina.experiments.moments import Moments
from vitrina.policy.reading import Arms, Ids, Wanted, arm_name, arm_texts, coded, feature, read_columns
from vitrina.types import Bool, Float64, Int32, Int64

REMEDIES = {
    "cluster": "A unit is part of one cluster.",
    "time": "Make a row per unit, with its number after the same time for all and the moment when that was complete.",
}


ALL = "all"  # the arm of a table that has none


@final
@dataclass(frozen=True, eq=False)
class Trial:
    """Units with their arms and numbers.

    Args:
        arms: names; one may have no units.
        control: place of the control in them.
        codes: (units,) place of each unit's arm.
        numbers: (units) columns "metric/part"; null where a unit has none.
        slices: (units) what each unit belongs to; null where that isn't known.
        clusters: (units,) code of what was assigned as a whole; None where units were.
        times: (units,) microseconds since 1970 or steps when each was first there; None where that wasn't asked.
        rows: of the table.
        no_arm: rows without an arm, which are left out.
        crossing: units, or clusters, that were in more than one arm; units are left out.
        assigned: (arms,) units, or clusters, of each arm with those left out because they cross counted where they were first.
    """

    arms: tuple[str, ...]
    control: int
    codes: Int32
    numbers: pl.DataFrame
    slices: pl.DataFrame
    clusters: Int64 | None
    times: Int64 | None
    rows: int
    no_arm: int
    crossing: int
    assigned: Int64
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

    def sample(self, name: str, where: Bool | None = None, cap: float | None = None) -> Sample:
        """What the metric needs of the units that have it, and of those alone.

        Args:
            where: (units,) which of them.
            cap: at which the numerator is cut.
        """
        parts = self.metrics[name].parts
        columns = {part: self.numbers[f"{name}/{part}"].to_numpy() for part in PARTS if part in parts}
        known = np.ones(len(self), bool) if where is None else where
        missing = np.zeros(len(self), bool)
        for part in ("numerator", "denominator"):
            if part in columns:
                missing |= np.isnan(columns[part])
        keep, filled = known & ~missing, 0
        columns = {part: values[keep] for part, values in columns.items()}
        for part in PARTS[2:]:
            if part in columns and np.isnan(columns[part]).any():
                gone = np.isnan(columns[part])
                filled = max(filled, int(gone.sum()))
                columns[part] = np.where(gone, np.nanmean(columns[part]) if not gone.all() else 0.0, columns[part])
        if cap is not None:
            columns["numerator"] = np.minimum(columns["numerator"], cap)
        return Sample(columns, self.codes[keep], None if self.clusters is None else self.clusters[keep], keep, known & missing, filled)


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """The numbers of one metric.

    Args:
        columns: of each part (units,).
        arms: (units,) place of the arm.
        clusters: (units,) codes of what was assigned as a whole.
        keep: (all units,) which these are.
        missing: (all units,) those that have no number.
        filled: units without a covariate, which have the mean of the others.
    """

    columns: dict[str, Float64]
    arms: Int32
    clusters: Int64 | None
    keep: Bool
    missing: Bool
    filled: int

    def independent(self, code: Int64 | Int32) -> tuple[dict[str, Float64], Int64 | Int32]:
        """The columns of what is independent, and its code: units, or whole clusters where there are any, with the code of their first unit.

        A cluster adds up, and its units are its denominator: the mean over units is a ratio of means over clusters.
        """
        if self.clusters is None:
            return {part: self.columns[part] for part in PARTS if part in self.columns}, code
        columns = dict(self.columns)
        place, first, which = np.unique(self.clusters, return_index=True, return_inverse=True)
        for part, below in (("numerator", "denominator"), ("covariate", "covariate_denominator")):
            if part in columns:
                columns.setdefault(below, np.ones(len(code)))
        added = {part: np.bincount(which, columns[part], len(place)).astype(np.float64, copy=False) for part in PARTS if part in columns}
        return added, code[first]

    def moments(self, groups: int) -> tuple[list[str], Moments]:
        """Names and moments of the parts by arm."""
        columns, arms = self.independent(self.arms)
        return list(columns), Moments.of(list(columns.values()), arms, groups)


def read_trial(
    table: Any,
    metrics: Mapping[str, Metric],
    *,
    arm: str | None,
    unit: str | None,
    control: Any = None,
    shares: Mapping[str, float] | None = None,
    cluster: str | None = None,
    slices: Sequence[str] = (),
    time: tuple[str, Any] | None = None,
) -> Trial:
    """Read the table and make one row per unit of it.

    Args:
        arm: column of the arm; None: all are in one, which is called "all".
        time: column, and what reads it.

    Raises:
        DataError: a column or a row can't be used, or what belongs to a unit differs between its rows.
        UnknownNameError: an arm that the design doesn't have.
    """
    sources = find_sources(table, "the table of the experiment")
    parts = {f"{name}/{part}": value for name, metric in metrics.items() for part, value in metric.parts.items()}
    wanted = {} if arm is None else {"arm": Wanted("arm", arm, arms_read)}
    if unit is not None:
        wanted["unit"] = Wanted("unit", unit, Ids())
    if cluster is not None:
        wanted["cluster"] = Wanted("cluster", cluster, Ids())
    if time is not None:
        wanted["time"] = Wanted("time", *time)
    wanted |= {f"slice {name}": Wanted("slices", name, feature) for name in slices}
    shares_of = {m.column for m in metrics.values() if isinstance(m, Share)}
    for column in dict.fromkeys(part.column for part in parts.values() if part.column is not None):
        wanted[f"number {column}"] = Wanted("metrics", column, Outcomes(column in shares_of))
    read = read_columns(sources, wanted)
    frame, height = pl.DataFrame([s.alias(key) for key, s in read.values.items()]), len(read.rows)
    frame = frame.with_columns(arm=pl.lit(ALL)) if arm is None else frame.filter(pl.col("arm").is_not_null())
    if not frame.height:
        raise DataError(f"{read.label} has no row with an arm in {arm!r}.")
    arms = arm_order(frame["arm"], shares)
    frame = frame.with_columns(arm=frame["arm"].replace_strict(dict(zip(arms, range(len(arms)), strict=True)), return_dtype=pl.Int32))
    unit_of = np.arange(frame.height) if unit is None else coded(frame["unit"])[0]
    frame = frame.with_columns(unit=pl.Series(unit_of))
    if cluster is not None:
        frame = frame.with_columns(cluster=pl.Series(coded(frame["cluster"])[0]).cast(pl.Int64))
    whole = _per_unit(frame, parts, read.label)
    return _trial(whole, arms, 0 if arm is None else control_of(control, arms), metrics, parts, height, height - frame.height)


def _trial(whole: pl.DataFrame, arms: tuple[str, ...], control: int, metrics: Mapping[str, Metric], parts: Mapping[str, Part], rows: int, no_arm: int) -> Trial:  # fmt: skip
    groups = whole
    if "cluster" in whole.columns:
        crosses = (pl.col("crosses").any() | (pl.col("arm").min() != pl.col("arm").max())).over("cluster")
        whole = whole.with_columns(crosses=crosses)
        groups = whole.unique("cluster", keep="first", maintain_order=True)
    crossing, assigned = int(groups["crosses"].sum()), np.bincount(groups["arm"].to_numpy(), minlength=len(arms))
    kept = whole.filter(~pl.col("crosses")) if crossing else whole
    return Trial(
        arms, control, kept["arm"].to_numpy(), kept.select(*parts),
        kept.select(pl.col(c).alias(c.removeprefix("slice ")) for c in kept.columns if c.startswith("slice ")),
        kept["cluster"].to_numpy() if "cluster" in kept.columns else None,
        kept["time"].to_numpy() if "time" in kept.columns else None,
        rows, no_arm, crossing, assigned, metrics,
    )  # fmt: skip


def _per_unit(frame: pl.DataFrame, parts: Mapping[str, Part], label: str) -> pl.DataFrame:
    """One row per unit, in the order of their first rows."""
    code = frame["unit"].to_numpy()
    first = np.flatnonzero(np.diff(np.maximum.accumulate(code), prepend=-1))  # codes are given in the order of first appearance
    if len(first) == frame.height:
        plain = {key: pl.lit(1.0) if p.column is None else pl.col(f"number {p.column}") for key, p in parts.items()}
        return frame.with_columns(**plain, crosses=pl.lit(value=False))
    arm = frame["arm"].to_numpy()
    crosses = np.bincount(code, arm != arm[first][code], len(first)) > 0
    columns: dict[str, Any] = {"arm": arm[first], "crosses": crosses}
    alone = ~crosses[code]  # who crosses is left out, whatever the rows say
    for name in (c for c in frame.columns if c.startswith("slice ") or c in REMEDIES):
        columns[name] = _same(frame[name], code, len(first), label, alone)
    made: dict[Part, Any] = {}
    for part in parts.values():
        if part not in made:
            column = None if part.column is None else frame[f"number {part.column}"]
            made[part] = (
                _number(column, part.per == "any", code, len(first))
                if part.per != "first"
                else _same(column, code, len(first), label, alone)
            )
    return pl.DataFrame(columns | {key: made[part] for key, part in parts.items()})


def _number(column: pl.Series | None, flag: bool, code: Int32, units: int) -> Float64:
    """(units,) the sum of their rows, or whether one of them says yes; NaN where none has a number. Without a column the rows."""
    if column is None:
        return np.bincount(code, minlength=units).astype(np.float64)
    values = column.to_numpy()
    known = ~np.isnan(values)
    total = np.bincount(code, np.where(known, values, 0.0), units)
    total = (total > 0).astype(np.float64) if flag else total
    return np.where(np.bincount(code, known, units) > 0, total, np.nan)


def _same(column: pl.Series | None, code: Int32, units: int, label: str, where: Bool) -> pl.Series:
    """(units,) what all rows of a unit that say something say.

    Raises:
        DataError: they say several things, of a unit for whose rows that matters.
    """
    assert column is not None
    rows = column.is_not_null().arg_true().to_numpy()
    own, place = code[rows], np.full(units, -1, np.int64)
    place[own[::-1]] = rows[::-1]  # the first row that says something
    differs = (column.gather(rows) != column.gather(place[own])).to_numpy() & where[rows]
    if differs.any():
        name, several = column.name, len(np.unique(own[differs]))
        raise DataError(
            f"{label}: {name.partition(' ')[2] or name!r} must be the same in all rows of a unit, and {several:,} of {units:,} units have several. "
            f"{REMEDIES.get(name, 'Give each unit what was known of it before it was assigned.')}"
        )
    return column.gather(pl.Series(place).replace(-1, None))


def arms_read(column: pl.Series, name: str, source: Source) -> Column:
    """Who has no arm isn't in the experiment, which is no mistake of the row."""
    text, problems = arm_texts(column, name)
    return Column(text.set(text == "", None), [p for p in problems if p.fault != IS_EMPTY])


@dataclass
class Outcomes:
    """Reads numbers that may be missing, of 0 and 1 where they must be."""

    flags: bool
    numerals: Numerals = field(default_factory=Numerals)

    def __call__(self, column: pl.Series, name: str, source: Source) -> Column:
        column = column.fill_nan(None) if column.dtype.is_float() else column
        values, problems = number(column, name, self.numerals, "metrics", pl.Float64)
        if self.flags and not values.drop_nulls().is_in([0.0, 1.0]).all():
            odd = values.drop_nulls().filter(~values.drop_nulls().is_in([0.0, 1.0]))[0]
            raise DataError(
                f"the column {name!r} of a Share must hold 0 and 1, or false and true. It holds {odd:g}; a Mean takes any number."
            )
        return Column(values, [p for p in problems if p.fault != IS_EMPTY])


def arm_order(texts: pl.Series, shares: Mapping[str, float] | None) -> tuple[str, ...]:
    """The arms of the design, or those that were found, by number or name.

    Raises:
        UnknownNameError: the design doesn't have one that was found.
    """
    found = texts.unique().to_list()
    if shares is None:
        return Arms(found=found).order()
    for one in found:
        if one not in shares:
            raise UnknownNameError.of("arm of the design", one, shares)
    return tuple(shares)


def control_of(control: Any, arms: tuple[str, ...]) -> int:
    """Its place among the arms; without one the first.

    Raises:
        DataError: there is one arm alone.
        UnknownNameError: there is no such arm.
    """
    if len(arms) < 2:
        raise DataError(
            f"An experiment has two arms or more. The table has {next(iter(arms))!r} alone; name all arms with their shares: shares={{...}}."
        )
    name = arms[0] if control is None else arm_name(control)
    if name not in arms:
        raise UnknownNameError.of("arm", name, arms)
    return arms.index(name)


def shares_of(shares: Any) -> dict[str, float] | None:
    """{arm: share} that adds up to 1, of a mapping or of an `Experiment`.

    Raises:
        ParameterError: a share isn't above 0.
    """
    if shares is None:
        return None
    given = getattr(shares, "arms", shares)
    if not isinstance(given, Mapping) or not all(isinstance(v, (int, float)) and v > 0 for v in given.values()):
        raise ParameterError(
            f"The 'shares' are {{arm: share above 0}}, or an Experiment. Got {shares!r}.", parameter="shares", value=shares
        )
    total = sum(given.values())
    return {arm_name(arm): share / total for arm, share in given.items()}
