"""An interval that may be looked at every day: it covers the difference at all looks together, so stopping when it leaves zero is no cheat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.printing import between, fixed, places_of, signed
from vitrina.base.showing import html_of
from vitrina.base.time import DAY
from vitrina.data.read.clock import Clock
from vitrina.experiments.checks import design_notes, incomparable, trial_checks
from vitrina.experiments.effects import differences, effective, influence_of
from vitrina.experiments.metrics import Metric
from vitrina.experiments.moments import Moments
from vitrina.experiments.trial import Sample, Trial, read_trial, shares_of
from vitrina.policy.checks import Checks
from vitrina.types import Float64

BURN_IN = 200  # effective units of each arm before which nothing is decided: false alarms are 5% at most from there on, whatever was tried
SCHEMA = {
    "metric": pl.String, "arm": pl.String, "control": pl.String, "look": pl.Int64, "units": pl.Int64, "control_value": pl.Float64, "value": pl.Float64,
    "difference": pl.Float64, "error": pl.Float64, "low": pl.Float64, "high": pl.Float64, "low_so_far": pl.Float64, "high_so_far": pl.Float64,
    "verdict": pl.String,
}  # fmt: skip


def tuning(planned: float, alpha: float) -> float:
    """r of `half_width` for which it is narrowest, beside the error, at so many units.

    >>> round(tuning(5000, 0.05), 5)
    0.03984
    """
    log = -2 * np.log(alpha)
    return float(np.sqrt((log + np.log(log + 1)) / planned))


def half_width(units: Any, error: Any, planned: float, alpha: float = 0.05) -> Float64:
    """Half of the always-valid interval of an asymptotically normal estimate, at any number of looks.

    error sqrt(n) sqrt(2 (n r^2 + 1) / (n r)^2 ln(sqrt(n r^2 + 1) / alpha)): the asymptotic confidence sequence of
    [Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024](https://arxiv.org/abs/2103.06476), a mixture over normal effects; with probability 1 - alpha the
    difference is inside at all n from a burn-in on.

    Args:
        units: n, of both arms, so far.
        error: the standard error of the difference then.
        planned: units at which it is narrowest beside the error; chosen before the start.
        alpha: 1 - confidence, of both sides.

    >>> half_width([1000, 5000, 50000], 1.0, planned=5000).round(2).tolist()
    [3.36, 3.04, 3.24]
    """
    n = np.asarray(units, np.float64)
    spread = n * tuning(planned, alpha) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(error, np.float64) * np.sqrt(2 * (spread + 1) / spread * np.log(np.sqrt(spread + 1) / alpha))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Sequential:
    """The always-valid interval after each look.

    Args:
        table: metric, arm, control, look (from 1 on), until (the end of the look, where time is real), units of both arms so far, control_value, value, difference, error, low and
            high of this look, low_so_far and high_so_far (what all looks leave, where the effect stays the same), verdict.
        checks: of the assignment and the metrics, at the last look.
        confidence: of all looks, goals and arms together.
        forced: whether numbers are shown though the checks refuse them.
    """

    table: pl.DataFrame
    checks: Checks
    confidence: float
    forced: bool = False

    @property
    def refused(self) -> bool:
        """Whether there are no numbers, because of the checks."""
        return self.checks.verdict == "refuse" and not self.forced

    @property
    def stops(self) -> pl.DataFrame:
        """The first look that decides, for each metric and arm that is decided at all."""
        decided = self.table.filter(pl.col("verdict").is_in(["better", "worse", "holds", "broken"]))
        return decided.group_by("metric", "arm", maintain_order=True).first()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Warnings, and for each metric and arm when it could have been stopped, or what isn't known yet."""
        told = [c.sentence for c in self.checks.rows if c.verdict != "pass"]
        if self.refused:
            return tuple(told)
        last = self.table.group_by("metric", "arm", maintain_order=True).last()
        stops = {(row["metric"], row["arm"]): row for row in self.stops.iter_rows(named=True)}
        return (*told, *(_sentence(row, stops.get((row["metric"], row["arm"]))) for row in last.iter_rows(named=True)))

    def __repr__(self) -> str:
        return (
            f"Sequential({self.table['look'].max() or 0} looks, {self.table['metric'].n_unique()} metrics, checks: {self.checks.verdict})"
        )

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        return html_of(str(self))


def sequential(
    table: Any,
    metrics: Mapping[str, Metric],
    *,
    arm: str,
    time: str,
    planned: int,
    unit: str | None = None,
    control: Any = None,
    shares: Any = None,
    cluster: str | None = None,
    every: float = 1.0,
    confidence: float = 0.95,
    burn_in: float = BURN_IN,
    force: bool = False,
) -> Sequential:
    """The interval after each day, which holds at all days together: an experiment may be stopped on the day when it says enough.

    A unit counts once, on the day when its number was complete: a number that goes on growing with each day that a unit has been there
    is not what the guarantee is about (take the same window for all). Means, shares, ratios and covariates are as in `analyse`; all goals and arms together
    keep the confidence (each has its part of the error).

    Args:
        table, metrics, arm, unit, control, shares, cluster, force: as in `analyse`.
        time: column of the moment when the unit's number was complete; dates, or steps.
        planned: units in all arms at which the experiment was meant to end, chosen before it began: the interval is narrowest there.
        every: days per look; steps are looks as they are.
        confidence: of all looks, goals and arms together.
        burn_in: effective units of each arm before which nothing is decided, as the interval leans on sums being nearly normal. With d what a unit is off the mean they are
            (sum |d|)^2 / sum d^2: 64% of all units where numbers are normal, four times the buyers where few buy, fewer where some buy for much more.

    Raises:
        DataError: a column or a row can't be used, or a unit has several times.
        ParameterError: a number is outside its domain.

    Cost: a pass over the table per column, and nothing per look.
    """
    for name, value in (("planned", planned), ("every", every), ("burn_in", burn_in)):
        if not value > 0:
            raise ParameterError(
                f"The {name!r} of sequential must be above 0. Got {value!r}.", owner="sequential", parameter=name, value=value
            )
    clock, share = Clock(None, any_year=False), shares_of(shares)
    read = lambda column, name, source: clock.read(column, name)  # noqa: E731  a converter as the others
    trial = read_trial(table, metrics, arm=arm, unit=unit, control=control, shares=share, cluster=cluster, time=(time, read))
    assert trial.times is not None
    step = round(every * DAY) if clock.real else 1
    moments, look = np.unique(trial.times // step, return_inverse=True)
    samples = {name: trial.sample(name) for name in metrics}
    checks = Checks((*design_notes(shares), *trial_checks(trial, share, samples)))
    goals = sum(not metric.guards for metric in metrics.values()) * (len(trial.arms) - 1)
    rows: list[dict[str, Any]] = []
    for name, metric in metrics.items():
        alpha = (1 - confidence) / (1 if metric.guards else goals)
        rows += _looks(name, metric, trial, samples[name], look, len(moments), _of_pairs(planned, share, trial), alpha, burn_in)
    if not force:
        lost = incomparable(checks.rows)
        rows = [row | {"verdict": "not known"} if row["metric"] in lost else row for row in rows]
    found = pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.selectors.float().fill_nan(None))
    if clock.real:
        until = pl.Series("until", (moments + 1) * step).cast(pl.Datetime("us"))
        found = found.insert_column(4, until.gather(found["look"] - 1))
    if checks.verdict == "refuse" and not force:
        found = found.clear()
    return Sequential(found, checks, confidence, force)


def _of_pairs(planned: float, shares: Mapping[str, float] | None, trial: Trial) -> list[float]:
    """(arms,) the units of the plan that are in each arm and in control."""
    of = [1 / len(trial.arms)] * len(trial.arms) if shares is None else [shares[arm] for arm in trial.arms]
    return [planned * (share + of[trial.control]) for share in of]


def _looks(
    name: str, metric: Metric, trial: Trial, sample: Sample, look: Any, looks: int, planned: list[float], alpha: float, burn_in: float
) -> Iterator[dict[str, Any]]:
    """A row per arm and look."""
    look = look[sample.keep]
    if sample.clusters is not None:  # a cluster is complete when all of its units are
        place, which = np.unique(sample.clusters, return_inverse=True)
        last = np.zeros(len(place), np.int64)
        np.maximum.at(last, which, look)
        look = last[which]
    arms = len(trial.arms)
    columns, code = sample.independent(look * arms + sample.arms)
    names = list(columns)
    so_far = Moments.of(list(columns.values()), code, looks * arms).reshaped(looks, arms).cumulated()
    first = [_burnt_in(columns, code, so_far[:, k], k, arms, burn_in) for k in range(arms)]
    control = so_far[:, trial.control]
    for k, arm in enumerate(trial.arms):
        if k == trial.control:
            continue
        found = differences(names, control, so_far[:, k])
        units = control.counts + so_far.counts[:, k]
        early = np.arange(looks) < max(first[k], first[trial.control])
        per_error = np.where(early, np.nan, half_width(units, 1.0, planned[k], alpha))
        error = np.sqrt(found.variance)
        verdicts = _guarded(metric, found, per_error) if metric.guards else None
        low, high, low_so_far, high_so_far = _ends(found.treatment - found.control, per_error * error)
        verdicts = _won(metric, low_so_far, high_so_far) if verdicts is None else verdicts
        for at in range(looks):
            yield {
                "metric": name, "arm": arm, "control": trial.arms[trial.control], "look": at + 1, "units": int(units[at]),
                "control_value": found.control[at], "value": found.treatment[at], "difference": found.treatment[at] - found.control[at], "error": error[at],
                "low": low[at], "high": high[at], "low_so_far": low_so_far[at], "high_so_far": high_so_far[at],
                "verdict": "too early" if np.isnan(per_error[at] * error[at]) else verdicts[at],
            }  # fmt: skip


def _burnt_in(columns: Mapping[str, Float64], code: Any, so_far: Moments, arm: int, arms: int, burn_in: float) -> int:
    """The first look with so many effective units of the arm; the number of looks where there is none.

    Cost: the units of each look before it.
    """
    mine = code % arms == arm
    look, values = code[mine] // arms, [column[mine] for column in columns.values()]
    for at in range(len(so_far.counts)):
        known = look <= at
        if effective(influence_of(list(columns), (v[known] for v in values), so_far[at])) >= burn_in:
            return at
    return len(so_far.counts)


def _ends(value: Float64, half: Float64) -> tuple[Float64, Float64, Float64, Float64]:
    """Ends of each look, and what is inside of all looks so far."""
    half = np.where(half > 0, half, np.nan)  # without any spread nothing is known
    low, high = value - half, value + half
    return low, high, np.fmax.accumulate(low), np.fmin.accumulate(high)


def _won(metric: Metric, low: Float64, high: Float64) -> list[str]:
    good = [high < 0, low > 0] if metric.lower_is_better else [low > 0, high < 0]
    return np.select([low > high, *good], ["contradictory", "better", "worse"], "not yet").tolist()


def _guarded(metric: Metric, found: Any, per_error: Float64) -> list[str]:
    """By the always-valid interval of what is left of the margin: treatment - (1 - margin) control, turned where lower is better."""
    assert metric.margin is not None
    kept = 1 + metric.margin if metric.lower_is_better else 1 - metric.margin
    left = (found.treatment - kept * found.control) * (-1 if metric.lower_is_better else 1)
    *_, low, high = _ends(left, per_error * np.sqrt(found.treatment_variance + kept**2 * found.control_variance))
    return np.select([low > high, low > 0, high < 0], ["contradictory", "holds", "broken"], "not yet").tolist()


def _sentence(row: Mapping[str, Any], stop: Mapping[str, Any] | None) -> str:
    places = places_of(row["error"])
    name, pair = row["metric"], f"{row['arm']!r} against {row['control']!r}"
    now = f"{signed(row['difference'], places)} {between(row['low_so_far'], row['high_so_far'], places)}".strip()
    if row["verdict"] == "too early":
        return f"{name}: too early to say anything of {pair}: {row['units']:,} units."
    if row["verdict"] == "not known":
        return f"{name}: not known of {pair}, as who has a number depends on the arm."
    if row["verdict"] == "contradictory":
        return f"{name}: the looks at {pair} contradict one another, so the effect isn't the same all the time; look at it by day."
    if stop is None:
        return f"{name}: not decided yet, {pair} is {now} after {row['units']:,} units; go on or stop at the plan's end, either is honest."
    when = f"look {stop['look']}" + (f" (until {stop['until']:%Y-%m-%d %H:%M})" if stop.get("until") else "")
    return f"{name}: {pair} {SAID[stop['verdict']]}, decided at {when} after {fixed(stop['units'], 0)} units; now {now}."


SAID = {"better": "is better", "worse": "is worse", "holds": "keeps within the margin", "broken": "goes beyond the margin"}
