"""What an experiment of each length would have seen, had it run already: how many units came, and how their numbers spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.arrays import Float64, Int64
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.data.columns import Column
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.sources import Source, find_sources
from vitrina.experiments.effects import differences, effective, influence_of
from vitrina.experiments.metrics import Metric, Part
from vitrina.experiments.moments import Moments
from vitrina.experiments.trial import Outcomes, Sample, read_trial
from vitrina.policy.reading import Ids, Wanted, coded, read_columns

BEFORE = 28  # days whose numbers are the covariate
MOST = 91  # days that an experiment may take
COVARIATES = {"covariate": "numerator", "covariate_denominator": "denominator"}


class Spread(NamedTuple):
    """A metric over units: its value, the variance of what each unit adds to it, and how much of that its covariate takes away."""

    value: float
    variance: float
    explained: float
    per_unit: float  # what a unit has of the denominator; 1 of a mean


@final
@dataclass(frozen=True, eq=False, repr=False)
class Past:
    """Units and their moments after each number of days.

    Args:
        metrics: name -> metric; the first one decides how long an experiment takes.
        days: (lengths,) days since the start.
        units: (lengths,) different units that had come by then.
        moments: per metric, the names of its parts and their moments over the units of each length.
        effective: per metric (lengths,) the share of effective units, which the burn-in of `sequential` counts.
        before: days whose numbers are the covariate; 0 where there are none, or where the table itself has them.
        source: where that comes from, in a sentence.
        measured: whether the spread at each length was measured at that length.

    >>> import numpy as np, polars as pl, vitrina as vt
    >>> rng = np.random.default_rng(0)
    >>> log = pl.DataFrame({"client": rng.integers(0, 500, 9000), "spent": rng.exponential(5, 9000),
    ...     "at": pl.Series(rng.integers(0, 60 * 86400, 9000)).cast(pl.Int64) * 1_000_000 + 1_700_000_000_000_000})
    >>> past = vt.experiments.Past.of_events(log, {"spent": vt.experiments.Mean(column="spent")}, unit="client", time="at")
    >>> past
    Past(500 units in 41 days, metrics: spent)
    >>> past.arrivals[:3].tolist(), past.arrivals[-3:].tolist()
    ([130.0, 95.0, 68.0], [0.0, 0.0, 0.0])
    """

    metrics: Mapping[str, Metric]
    days: Int64
    units: Float64
    moments: Mapping[str, tuple[list[str], Sequence[Moments]]]
    effective: Mapping[str, Float64]
    before: int
    source: str
    measured: bool = field(default=True)

    def __repr__(self) -> str:
        return f"Past({self.units[-1]:,.0f} units in {self.days[-1]} days, metrics: {', '.join(self.metrics)})"

    @property
    def arrivals(self) -> Float64:
        """(lengths,) units that came for the first time since the length before."""
        return np.diff(self.units, prepend=0.0)

    def spread(self, metric: str, at: int) -> Spread:
        """How a metric spreads over the units of the length at this place, with what its covariate takes away where it has one."""
        names, lengths = self.moments[metric]
        whole = lengths[at]
        plain = [name for name in names if name not in COVARIATES]
        raw = _of_one(plain, _some(whole, [names.index(name) for name in plain]))
        adjusted = _of_one(names, whole)
        uses = self.uses_covariate(metric)
        explained = 1 - adjusted.variance / raw.variance if raw.variance > 0 else 0.0
        return Spread(raw.value, (adjusted if uses else raw).variance, max(explained, 0.0), raw.per_unit)

    def uses_covariate(self, metric: str) -> bool:
        """Whether the analysis will have a covariate: the metric names one."""
        return "covariate" in self.metrics[metric].parts

    @classmethod
    def of_events(
        cls,
        table: Any,
        metrics: Mapping[str, Metric],
        *,
        unit: str,
        time: str,
        cluster: str | None = None,
        before: int = BEFORE,
        days: int | None = None,
        time_unit: GivenUnit | None = None,
        any_year: bool = False,
    ) -> Self:
        """Of a log with a row per event: an experiment that would have ended with the log is followed day by day.

        Whoever does something after its start is in it from then on, so that new units become fewer from day to day as they do in life, and what a unit adds
        up to grows. A covariate is the same number in the days before the start: 0 for who wasn't there. Metrics that name one are planned with it.

        Args:
            table: a Polars, pandas or Arrow table, or a path.
            metrics: name -> `Mean`, `Share` or `Ratio` of columns of the log; an empty number counts as none.
            unit: column of who will be assigned, or of a part of it where there is a `cluster`.
            time: column of the moment.
            cluster: column of what will be assigned as a whole.
            before: days before the start that are looked at for the covariate; a third of a log that is shorter than three times as long.
            days: of the experiment at most; by default all that is left of the log, up to 91.
            time_unit: of times that are numbers, as in `vt.read_interactions`.
            any_year: take times before 1990 and after today too.

        Raises:
            DataError: a column or a row can't be used, or times are only an order.

        Cost: a pass over the log, and one over the units per day.
        """
        _check(metrics)
        clock, sources = Clock(time_unit, any_year), find_sources(table, "the log")

        def moment(column: pl.Series, name: str, source: Source) -> Column:
            return clock.read(column, name)

        wanted = {"unit": Wanted("unit", unit, Ids()), "time": Wanted("time", time, moment)}
        wanted |= {} if cluster is None else {"cluster": Wanted("cluster", cluster, Ids())}
        parts = {(name, part): given for name, metric in metrics.items() for part, given in metric.parts.items() if part not in COVARIATES}
        for (name, _), given in parts.items():
            if given.column is not None:
                wanted[f"number {given.column}"] = Wanted(f"metrics[{name!r}]", given.column, Outcomes(flags=given.per == "any"))
        read = read_columns(sources, wanted)
        if not clock.real:
            raise DataError(f"{read.label}: how long an experiment takes is read off real times, and {time!r} is only an order.")
        codes, ids = coded(read.values["unit"])
        groups = None if cluster is None else _cluster_of(codes, coded(read.values["cluster"])[0], len(ids), read.label)
        cells = _cells(read.values, codes, parts)
        first, last = int(cells["day"].min()), int(cells["day"].max())  # type: ignore[arg-type]
        before = min(before, (last - first + 1) // 3)
        longest = min(MOST if days is None else days, last - first + 1 - before)
        start = last - longest + 1
        units, moments, effective = _followed(cells, parts, groups, len(ids), range(start, last + 1), before)
        told = f"the last {longest} days of {read.label.rpartition('/')[2]}" + (f", with the {before} days before them" if before else "")
        return cls(metrics, np.arange(1, longest + 1), units, moments, effective, before, told)

    @classmethod
    def of_units(
        cls,
        table: Any,
        metrics: Mapping[str, Metric],
        *,
        per_day: float | Sequence[float] | NDArray[Any],
        unit: str | None = None,
        cluster: str | None = None,
        days: int = MOST,
    ) -> Self:
        """Of a table with what each unit did in some time before; the spread is taken as the same at each length.

        Args:
            table: a Polars, pandas or Arrow table, or a path: a row per unit, or several that add up.
            metrics: name -> `Mean`, `Share` or `Ratio` of its columns; covariates are columns too.
            per_day: how many units come that hadn't come before: a number for each day from the first on, such as `Past.arrivals` of a log, or one for all.
            unit: column of what will be assigned, or of a part of it; None: each row is a unit.
            cluster: column of what will be assigned as a whole.
            days: of the experiment at most, where `per_day` is one number.

        Raises:
            DataError: a column or a row can't be used.
            ParameterError: numbers of units below 0.
        """
        _check(metrics)
        came = np.full(days, per_day, np.float64) if np.isscalar(per_day) else np.asarray(per_day, np.float64)
        if came.ndim != 1 or not len(came) or not (came >= 0).all() or not came.sum() > 0 or not np.isfinite(came).all():
            raise ParameterError(
                f"The 'per_day' are units that come per day, 0 or more. Got {per_day!r}.", parameter="per_day", value=per_day
            )
        trial = read_trial(table, metrics, arm=None, unit=unit, cluster=cluster)
        found = {name: _measured(trial.sample(name)) for name in metrics}
        moments = {name: (names, [whole] * len(came)) for name, (names, whole, _) in found.items()}
        effective = {name: np.full(len(came), share) for name, (_, _, share) in found.items()}
        counted = f"{trial.assigned.sum():,} units, whose spread is taken as that of any length"
        return cls(metrics, np.arange(1, len(came) + 1), came.cumsum(), moments, effective, 0, counted, measured=False)


def _check(metrics: Mapping[str, Metric]) -> None:
    if not isinstance(metrics, Mapping) or not metrics or not all(isinstance(m, Metric) for m in metrics.values()):
        raise ParameterError(
            f'The \'metrics\' are {{name: metric}}, such as {{"revenue": Mean(column="revenue")}}. Got {metrics!r}.', parameter="metrics"
        )


def _cluster_of(units: NDArray[Any], clusters: NDArray[Any], count: int, label: str) -> Int64:
    """(units,) the cluster of each."""
    found = np.full(count, -1, np.int64)
    found[units] = clusters
    if (found[units] != clusters).any():
        odd = len(np.unique(units[found[units] != clusters]))
        raise DataError(
            f"{label}: a unit belongs to one cluster, and {odd:,} of {count:,} units have several. Assign by the larger of the two."
        )
    return found


def _cells(values: Mapping[str, pl.Series], codes: NDArray[Any], parts: Mapping[tuple[str, str], Part]) -> pl.DataFrame:
    """Unit, day and the number of each part of that day, by day."""
    columns = {key.removeprefix("number "): series for key, series in values.items() if key.startswith("number ")}
    frame = pl.DataFrame({"unit": codes, "day": values["time"] // DAY, **{f"n {name}": s for name, s in columns.items()}})
    made = [_added(given).alias(f"{name}/{part}") for (name, part), given in parts.items()]
    return frame.group_by("day", "unit").agg(*made).sort("day", "unit")


def _added(part: Part) -> pl.Expr:
    if part.column is None:
        return pl.len().cast(pl.Float64)
    column = pl.col(f"n {part.column}").fill_null(0.0)
    return column.max() if part.per == "any" else column.sum()


def _followed(
    cells: pl.DataFrame, parts: Mapping[tuple[str, str], Part], groups: Int64 | None, count: int, days: range, before: int
) -> tuple[Float64, Mapping[str, tuple[list[str], Sequence[Moments]]], dict[str, Float64]]:
    """How many units had come after each of the days, and the moments and effective shares of each metric over them."""
    metrics = list(dict.fromkeys(name for name, _ in parts))
    state = {key: np.zeros(count) for key in parts}
    for _, units, numbers in _by_day(cells, range(days[0] - before, days[0]), parts):
        _add(state, units, numbers, parts)
    known = {key: total.copy() for key, total in state.items()} if before else {}
    state, seen = {key: np.zeros(count) for key in parts}, np.zeros(count, bool)
    totals: list[float] = []
    found: dict[str, list[tuple[list[str], Moments, float]]] = {name: [] for name in metrics}
    arrived = {day: (units, numbers) for day, units, numbers in _by_day(cells, days, parts)}
    for day in days:
        if day in arrived:
            units, numbers = arrived[day]
            seen[units] = True
            _add(state, units, numbers, parts)
        for name in metrics:
            own = {part: state[name, part][seen] for metric, part in parts if metric == name}
            own |= {cov: known[name, part][seen] for cov, part in COVARIATES.items() if (name, part) in known}
            sample = Sample(own, np.zeros(int(seen.sum()), np.int32), None if groups is None else groups[seen], seen, ~seen, 0)
            found[name].append(_measured(sample))
        totals.append(float(seen.sum() if groups is None else len(np.unique(groups[seen]))))
    moments = {name: (lengths[0][0], [whole for _, whole, _ in lengths]) for name, lengths in found.items()}
    return np.array(totals), moments, {name: np.array([share for _, _, share in lengths]) for name, lengths in found.items()}


def _measured(sample: Sample) -> tuple[list[str], Moments, float]:
    """The names and moments of the parts over all that are independent, and the share (sum |d|)^2 / (n sum d^2) that is effective, with d what each is off the mean."""
    columns, together = sample.independent(sample.arms)
    names, whole = list(columns), Moments.of(list(columns.values()), together, 1)[0]
    off = influence_of(names, columns.values(), whole)
    return names, whole, effective(off) / max(off.size, 1)


def _by_day(
    cells: pl.DataFrame, days: range, parts: Mapping[tuple[str, str], Part]
) -> Iterator[tuple[int, NDArray[Any], dict[tuple[str, str], Float64]]]:
    ends = np.searchsorted(cells["day"].to_numpy(), np.arange(days.start, days.stop + 1))
    units, columns = cells["unit"].to_numpy(), {key: cells["/".join(key)].to_numpy() for key in parts}
    for day, first, stop in zip(days, ends[:-1], ends[1:], strict=True):
        if stop > first:
            yield day, units[first:stop], {key: values[first:stop] for key, values in columns.items()}


def _add(state: dict[Any, Float64], units: NDArray[Any], numbers: Mapping[Any, Float64], parts: Mapping[Any, Part]) -> None:
    for key, values in numbers.items():
        state[key][units] = np.maximum(state[key][units], values) if parts[key].per == "any" else state[key][units] + values


def _some(moments: Moments, places: list[int]) -> Moments:
    """Of some of the columns."""
    return Moments(moments.counts, moments.sums[..., places], moments.products[..., places, :][..., places], moments.centre[places])


def _of_one(names: list[str], moments: Moments) -> Spread:
    """As if both arms were these units: the error of a difference is then the root of 2 variance / units."""
    looks = differences(names, moments, moments)
    per_unit = float(moments.means[names.index("denominator")]) if "denominator" in names else 1.0
    return Spread(float(looks.control), float(looks.variance * moments.counts / 2), 0.0, per_unit)
